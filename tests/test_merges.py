"""Merged leads: nothing changes before the merge; from then on what the one did counts for the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.dataset import DatasetInfo, People, open_dataset
from data.lake import write_lake
from data.records import DAY, NULL_TIME, Coded, Columns

T0 = 20_000 * DAY


def _dataset(path: Path, links: list[tuple[str, str, int, str]], buckets: int = 4) -> list[People]:
    """Leads a, b, c; one event of a, of b, and one of visitor v."""
    records: dict[str, Columns] = {
        "leads": {"lead_id": Coded.of(["a", "b", "c"]), "created_at": np.full(3, T0)},
        "events": {
            "event_id": Coded.of(["ea", "eb", "ev"]), "lead_id": Coded.of(["a", "b", None]),
            "visitor_id": Coded.of([None, None, "v"]), "occurred_at": np.array([T0, T0, T0]),
            "type": Coded.of(["call"] * 3),
        },
        "links": {
            "visitor_id": Coded.of([k[0] for k in links]), "lead_id": Coded.of([k[1] for k in links]),
            "known_from": np.array([T0 + k[2] * DAY for k in links]), "kind": Coded.of([k[3] for k in links]),
        },
    }  # fmt: skip
    write_lake(path, DatasetInfo(name="m", buckets=buckets), records, {})
    return list(open_dataset(path).people(max_events=1))


def _known(groups: list[People], lead: str) -> dict[str | None, int]:
    """Event -> since which day it is known to be this lead's; -1 = since it arrived."""
    people = next(g for g in groups if lead in g.lead_ids).select(lead)
    ids = people.events["event_id"]
    assert isinstance(ids, Coded)
    since = np.asarray(people.events["known_from"]).tolist()
    return {e: -1 if t == NULL_TIME else (t - T0) // DAY for e, t in zip(ids.texts(), since, strict=True)}


def test_an_event_counts_for_the_lead_that_stayed_from_the_merge_on_and_for_the_other_as_before(tmp_path: Path) -> None:
    groups = _dataset(tmp_path / "d", [("a", "b", 5, "merge")])
    assert _known(groups, "b") == {"eb": -1, "ea": 5}
    assert _known(groups, "a") == {"ea": -1}


def test_merges_in_a_row_hand_on_from_the_later_moment(tmp_path: Path) -> None:
    groups = _dataset(tmp_path / "d", [("a", "b", 5, "merge"), ("b", "c", 3, "merge")])
    assert _known(groups, "c") == {"eb": 3, "ea": 5}


def test_a_circle_of_merges_ends(tmp_path: Path) -> None:
    groups = _dataset(tmp_path / "d", [("a", "b", 5, "merge"), ("b", "a", 7, "merge")])
    assert (_known(groups, "a"), _known(groups, "b")) == ({"ea": -1, "eb": 7}, {"eb": -1, "ea": 5})


def test_what_a_visitor_of_a_merged_lead_did_is_handed_on_too(tmp_path: Path) -> None:
    groups = _dataset(tmp_path / "d", [("v", "a", 2, "form"), ("a", "b", 5, "merge")])
    assert _known(groups, "b") == {"eb": -1, "ea": 5, "ev": 5}
    later = _dataset(tmp_path / "e", [("v", "a", 9, "form"), ("a", "b", 5, "merge")])
    assert _known(later, "b") == {"eb": -1, "ea": 5, "ev": 9}


def test_a_lead_without_a_row_of_its_own_is_handed_on(tmp_path: Path) -> None:
    groups = _dataset(tmp_path / "d", [("v", "gone", 1, "form"), ("gone", "c", 4, "merge")])
    assert _known(groups, "c") == {"ev": 4}
