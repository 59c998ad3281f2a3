"""Arranged events are those of the lake, row for row, whoever they belong to and however many groups there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data import lake_arrange
from data.dataset import DatasetInfo, People, bucket_groups
from data.lake import Lake, write_lake
from data.lake_arrange import SAID, arrange, chunks
from data.records import DAY, Coded, Columns

T0 = 20_000 * DAY


def _records(rng: np.random.Generator) -> dict[str, Columns]:
    """Visitors of several leads and of none, merges in a row and of leads that have no profile, events of nobody."""
    n, leads = 600, [f"L{i}" for i in range(40)]
    lead, visitor = rng.integers(-25, 45, n), rng.integers(-5, 60, n)
    visitor = np.where((lead < 0) & (visitor < 0), 3, visitor)
    links = [(f"v{v}", f"L{i}", "form") for v, i in rng.integers(0, (50, 44), (60, 2)).tolist()]
    links += [(f"L{a}", f"L{b}", "merge") for a, b in rng.integers(0, (46, 40), (9, 2)).tolist()]
    return {
        "leads": {"lead_id": Coded.of(leads), "created_at": np.full(40, T0)},
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(n)]),
            "lead_id": Coded.of([f"L{i}" if i >= 0 else None for i in lead.tolist()]),
            "visitor_id": Coded.of([f"v{i}" if i >= 0 else None for i in visitor.tolist()]),
            "url": Coded.of([f"https://example.com/{i}" for i in rng.integers(0, 30, n).tolist()]),
            "occurred_at": T0 + rng.integers(0, 90 * DAY, n),
            "type": Coded.of(["page_view"] * n),
        },
        "links": {
            "visitor_id": Coded.of([k[0] for k in links]), "lead_id": Coded.of([k[1] for k in links]),
            "known_from": T0 + rng.integers(0, 90 * DAY, len(links)), "kind": Coded.of([k[2] for k in links]),
        },
    }  # fmt: skip


def _events(people: People) -> dict[str, str]:
    """Every column of the events but those that say whose they are, row by row, as text: NaN is equal to itself."""
    columns = {n: c for n, c in people.events.items() if n not in SAID}
    return {n: str(list(c.texts()) if isinstance(c, Coded) else c.tolist()) for n, c in columns.items()}


@pytest.mark.parametrize("seed", range(6))
def test_arranged_events_are_those_of_the_lake(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_arrange, "CHUNK_ROWS", 100)
    write_lake(tmp_path / "d", DatasetInfo(name="m", buckets=8), _records(np.random.default_rng(seed)), {})
    lake = Lake(tmp_path / "d")
    groups = bucket_groups(lake.info, range(1, 8), 100)
    assert len(groups) > 3
    steps = range(len(chunks(lake)))
    assert len(steps) > 3
    (tmp_path / "events").mkdir()
    arrange(lake, groups, tmp_path / "events", steps[::2])
    arranged = arrange(Lake(tmp_path / "d"), groups, tmp_path / "events", steps[1::2])
    held = sum(len(arranged.people_in(g).events["lead"]) for g in groups)
    assert held > 100
    for group in groups:
        mine, lakes = arranged.people_in(group), lake.people_in(group)
        assert mine.lead_ids == lakes.lead_ids
        assert _events(mine) == _events(lakes)
