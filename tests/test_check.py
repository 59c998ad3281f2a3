"""`leadlift check`: figures that can be counted by hand, repairs in the order of what they give back, exit 3 at nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import DatasetInfo
from data.lake import Lake
from data.lake_write import write_lake
from data.records import DAY, NULL_TIME, Coded, Columns
from data.settings import Settings
from training.checkup import Checkup, checkup, repairs

T0 = 1_767_225_600_000_000
Command = Callable[..., tuple[int, dict[str, Any], str]]


def market(path: Path, leads: int, won: int) -> Path:
    """Leads created one a day, half of them with one view of a known and one of an unknown page the day before."""
    seen = [i for i in range(leads) if i % 2 == 0 for _ in range(2)]
    at = np.array([T0 + i * DAY - 3600_000_000 * (1 + k % 2) for k, i in enumerate(seen)], dtype=np.int64)
    records: dict[str, Columns] = {
        "leads": {
            "lead_id": Coded.of([f"L{i}" for i in range(leads)]), "created_at": T0 + np.arange(leads) * DAY,
        },
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(len(seen))]), "lead_id": Coded.of([f"L{i}" for i in seen]),
            "occurred_at": at, "received_at": np.where(np.arange(len(seen)) % 4 == 0, at + 9 * DAY, at),
            "type": Coded.of(["page_view"] * len(seen)),
            "url": Coded.of(["https://x.org/pricing", "https://x.org/nothing-known"] * (len(seen) // 2)),
            "source": Coded.of([None, "somewhere"] * (len(seen) // 2)),
            "medium": Coded.of([None, "odd"] * (len(seen) // 2)),
            "dwell_seconds": np.full(len(seen), np.nan), "dwell_basis": Coded.of(["none"] * len(seen)),
        },
        "outcomes": {
            "lead_id": Coded.of([f"L{i}" for i in range(won)]), "occurred_at": T0 + np.arange(won) * DAY + 2 * DAY,
            "kind": Coded.of(["converted"] * won),
        },
    }  # fmt: skip
    write_lake(path, DatasetInfo("m", buckets=4), {k: v for k, v in records.items() if len(v["lead_id"])}, {})
    return path


def test_the_figures_are_those_counted_by_hand(tmp_path: Path) -> None:
    found = checkup(Lake(market(tmp_path / "d", leads=200, won=40)), Settings())
    assert (found.leads, found.events, found.conversions, found.matured) == (200, 200, 40, 40)
    shares = found.shares
    assert shares["with_behaviour"] == shares["views_unmapped"] == shares["matched"] == 0.5
    assert (shares["dwell_measured"], shares["channels_unassigned"], shares["late_arrivals"]) == (0, 1, 0.25)
    assert found.unmapped_urls == {"https://x.org/nothing-known": 100}
    assert found.months == pytest.approx(207 / 30.4, abs=0.1)
    assert found.trainable


def test_the_repairs_are_the_largest_gaps_in_their_order() -> None:
    found = Checkup(
        "m",
        True,
        300,
        leads=10,
        matured=30,
        events=5,
        views=100,
        unmapped=30,
        touches=10,
        unassigned=1,
        timed=100,
        measured=60,
    )
    shares = [(round(r.share, 2), r.of) for r in repairs(found)]
    assert shares == [
        (1.0, "the leads, which have no event before their creation"),
        (0.9, "the conversions a model should learn from"),
        (0.4, "the timed page views, whose dwell is not measured"),
    ]


def test_exit_3_only_where_nothing_can_be_trained(tmp_path: Path, leadlift_at: Callable[[], Command]) -> None:
    leadlift = leadlift_at()
    code, document, said = leadlift("check", str(market(tmp_path / "good", 200, 40)))
    assert (code, document["trainable"], len(document["repairs"])) == (0, True, 3)
    assert "match rate: 100 of 200 leads (50.0%)" in said
    code, document, said = leadlift("check", str(market(tmp_path / "few", 200, 3)))
    assert (code, document["trainable"]) == (3, False)
    assert "nothing can be trained: 3 converted leads" in said


def test_a_table_without_times_is_checked_too(tmp_path: Path, leadlift_at: Callable[[], Command]) -> None:
    leads: Columns = {"lead_id": Coded.of([f"L{i}" for i in range(40)]), "created_at": np.full(40, NULL_TIME)}
    labels: Columns = {"lead_id": leads["lead_id"], "label": np.arange(40) % 2}
    write_lake(tmp_path / "t", DatasetInfo("t", buckets=1, has_times=False), {"leads": leads, "labels": labels}, {})
    code, document, _ = leadlift_at()("check", str(tmp_path / "t"))
    assert (code, document["matured"], document["unconverted"], document["months"]) == (0, 20, 20, None)
