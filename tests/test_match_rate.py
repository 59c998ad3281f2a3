"""The match rate: who did something before becoming a lead, by month, source and link; and where the join breaks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.dataset import DatasetInfo
from data.importers.table import import_tables
from data.lake import Lake
from data.lake_write import write_lake
from data.mapping import load_mapping
from data.match_rate import OWN, MatchRate, match_rate
from data.records import DAY, Coded, Columns
from data.settings import Settings

T0 = 1_767_225_600_000_000  # 2026-01-01
Link = tuple[str, str, str]
Event = tuple[str | None, str | None, float]


@pytest.fixture
def rate_of(tmp_path: Path) -> Callable[..., MatchRate]:
    """The match rate of leads created on day 10 * number, their links (visitor, lead, kind) and events (visitor, lead, day)."""

    def run(leads: int, links: list[Link], events: list[Event], bots: tuple[int, ...] = ()) -> MatchRate:
        n = len(events)
        records: dict[str, Columns] = {
            "leads": {
                "lead_id": Coded.of([f"L{i}" for i in range(leads)]),
                "created_at": np.array([T0 + 10 * i * DAY for i in range(leads)]),
                "lead_source": Coded.of(["fair" if i % 2 else None for i in range(leads)]),
            },
            "links": {
                "visitor_id": Coded.of([v for v, _, _ in links]), "lead_id": Coded.of([x for _, x, _ in links]),
                "known_from": np.array([T0 + DAY] * len(links), dtype=np.int64), "kind": Coded.of([k for _, _, k in links]),
            },
            "events": {
                "event_id": Coded.of([f"e{i}" for i in range(n)]), "visitor_id": Coded.of([v for v, _, _ in events]),
                "lead_id": Coded.of([x for _, x, _ in events]), "type": Coded.of(["page_view"] * n),
                "occurred_at": np.array([T0 + int(d * DAY) for _, _, d in events], dtype=np.int64),
                "is_bot": np.array([i in bots for i in range(n)], dtype=np.bool_),
            },
        }  # fmt: skip
        write_lake(
            tmp_path / "d", DatasetInfo("m", buckets=4), {k: v for k, v in records.items() if len(v["lead_id"])}, {}
        )
        return match_rate(Lake(tmp_path / "d"))

    return run


def test_it_counts_by_month_source_and_link(rate_of: Callable[..., MatchRate]) -> None:
    links = [("a", "L0", "form"), ("b", "L1", "identify"), ("c", "L2", "table"), ("d", "L3", "table")]
    rate = rate_of(5, links, [("a", None, 0.5), ("b", None, 9), ("c", None, 19), ("c", None, 25), (None, "L4", 1)])
    assert (rate.leads, rate.matched, rate.weak) == (5, 3, False)  # a comes after L0 was created, d did nothing
    assert rate.by_month == {"2026-01": [4, 2], "2026-02": [1, 1]}
    assert rate.by_source == {"(no lead source)": [3, 2], "fair": [2, 1]}
    assert rate.by_kind == {"form": [1, 0], "identify": [1, 1], "table": [2, 1], OWN: [1, 1]}
    assert rate.document()["share"] == 0.6
    assert rate.breaks == []


def test_bots_do_not_count(rate_of: Callable[..., MatchRate]) -> None:
    assert rate_of(2, [], [(None, "L1", 1)], bots=(0,)).matched == 0


@pytest.mark.parametrize(
    ("links", "events", "words"),
    [
        ([], [("a", None, 1)], ["no links"]),
        ([("a", "L1", "form")], [], ["no events"]),
        ([("a", "L1", "form"), ("b", "L2", "form")], [("b", None, 29), ("x", None, 2)],
         ["links without events: 1 of 2", "events without links: 1 of 2"]),
        ([("GA1.2.12345.678", "L1", "form")], [("12345.678", None, 2)],
         ["formats do not overlap: links have aa9.9.9{5}.9{3}, events have 9{5}.9{3}"]),
    ],
)  # fmt: skip
def test_a_weak_rate_says_where_the_join_breaks(
    rate_of: Callable[..., MatchRate], links: list[Link], events: list[Event], words: list[str]
) -> None:
    rate = rate_of(4, links, events)
    assert rate.weak
    for phrase in words:
        assert any(phrase in line for line in rate.breaks), rate.breaks
    assert not any("12345" in line for line in rate.breaks)


def test_a_visitor_id_on_the_lead_links_from_its_creation(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        '[dataset]\nname = "f"\n[[table]]\nmatch = "leads.csv"\nrecord = "lead"\n'
        'columns = { lead_id = "id", created_at = "at", visitor_id = "visitor" }\n'
    )
    (tmp_path / "leads.csv").write_text("id,at,visitor\nL1,2026-01-02T00:00:00Z,v1\nL2,2026-01-03T00:00:00Z,\n")
    import_tables([str(tmp_path / "leads.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", Settings())
    (link,) = Lake(tmp_path / "d").table("links").to_pylist()
    assert (link["visitor_id"], link["lead_id"], link["kind"]) == ("v1", "L1", "form")
    assert link["known_from"].isoformat() == "2026-01-02T00:00:00+00:00"
