"""The target `next_order`: customers only, from their first order on, and only orders made while one stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import DatasetInfo, People
from data.errors import SettingsError
from data.lake_write import write_lake
from data.records import DAY, MICROS, NULL_TIME, Coded, concat
from data.settings import SnapshotSettings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from training.snapshots import Snapshots, conversions_of, policy_of, snapshots_of

POLICY = policy_of(SnapshotSettings())
DAY0, LOOK = 20_000 * DAY, 5 * 60 * MICROS
NOW = DAY0 + 500 * DAY


def _people(outcomes: Sequence[tuple[int, float, str]], leads: int = 1) -> People:
    """Leads created on day 0 with a visit each week; outcomes are (lead, day, kind)."""
    seen = [(lead, DAY0 + 7 * w * DAY) for lead in range(leads) for w in range(60)]
    return People(
        tuple(f"l{i}" for i in range(leads)), np.full(leads, DAY0), np.zeros(leads, np.int64), np.full(leads, np.nan), {},
        {
            "lead": np.array([lead for lead, _ in seen]), "occurred_at": np.array([at for _, at in seen]),
            "received_at": np.full(len(seen), NULL_TIME), "known_from": np.full(len(seen), NULL_TIME),
            "direction": Coded.of(["inbound"] * len(seen)), "is_bot": np.zeros(len(seen), dtype=np.bool_),
        },
        {
            "lead": np.array([o[0] for o in outcomes], dtype=np.int64),
            "occurred_at": np.array([DAY0 + round(o[1] * DAY) for o in outcomes], dtype=np.int64),
            "kind": Coded.of([o[2] for o in outcomes]), "value": np.full(len(outcomes), 100.0),
        },
        {},
    )  # fmt: skip


def _days(snaps: Snapshots, lead: int = 0) -> list[int]:
    return ((snaps.as_of[snaps.lead == lead] - DAY0 - LOOK) // DAY).tolist()


def test_looks_begin_five_minutes_after_the_first_order_and_go_on_after_the_next() -> None:
    people = _people([(0, 40, "converted"), (0, 60, "converted")], leads=2)
    snaps = snapshots_of(people, POLICY, "next_order", NOW)
    assert _days(snaps)[:5] == [40, 47, 54, 61, 68]
    assert snaps.label.tolist()[:5] == [1, 1, 1, 0, 0]
    assert len(snaps) == 26
    assert (_days(snaps, 1), snaps.left_out) == ([], {"no_order": 1})


def test_a_second_order_after_the_first_was_cancelled_is_no_next_order() -> None:
    people = _people([(0, 40, "converted"), (0, 43, "cancelled"), (0, 50, "converted"), (0, 58, "converted")])
    found = conversions_of(people.outcomes, "next_order", NOW)
    assert ((found.at - DAY0) // DAY).tolist() == [58]
    snaps = snapshots_of(people, POLICY, "next_order", NOW)
    # From day 43 to day 50 nothing stands, as far as is known then: the lead is no customer.
    assert _days(snaps)[:3] == [40, 54, 61]
    assert snaps.label.tolist()[:3] == [1, 1, 0]


def test_a_next_order_that_is_cancelled_in_its_window_counts_as_none() -> None:
    people = _people([(0, 40, "converted"), (0, 50, "converted"), (0, 55, "cancelled")])
    snaps = snapshots_of(people, POLICY, "next_order", NOW)
    assert snaps.label.sum() == 0
    assert snaps.cancelled.tolist()[:2] == [True, True]


def test_losses_before_the_first_order_do_not_close_a_customer_and_later_ones_do() -> None:
    before = _people([(0, 10, "lost"), (0, 40, "converted")])
    after = _people([(0, 40, "converted"), (0, 50, "lost")])
    assert len(snapshots_of(before, POLICY, "next_order", NOW)) == 26
    assert _days(snapshots_of(after, POLICY, "next_order", NOW)) == [40, 47]


def test_what_comes_after_now_changes_no_look_and_no_label() -> None:
    now = DAY0 + 100 * DAY
    ends = ([], [(0, 100, "converted")], [(0, 101, "cancelled")], [(0, 130, "lost")])
    found = [
        snapshots_of(_people([(0, 40, "converted"), (0, 60, "converted"), *e]), POLICY, "next_order", now) for e in ends
    ]
    for one in found[1:]:
        assert np.array_equal(one.as_of, found[0].as_of)
        assert np.array_equal(one.label, found[0].label, equal_nan=True)


def test_one_look_after_the_first_event_cannot_ask_for_a_next_order() -> None:
    policy = policy_of(SnapshotSettings(policy="after_first_event"))
    with pytest.raises(SettingsError, match="weekly"):
        snapshots_of(_people([(0, 40, "converted")]), policy, "next_order", NOW)


def test_train_learns_the_next_order_where_it_is_the_configured_target(
    leadlift_at: Callable[[], Any], tmp_path: Path
) -> None:
    """Every second customer orders again three weeks later."""
    written = records(live(Market(300, 240, 11)))
    outcomes = written["outcomes"]
    kind, at = outcomes["kind"], outcomes["occurred_at"]
    assert isinstance(kind, Coded)
    rows = np.flatnonzero(kind.recode({"converted": 1}, 0) == 1)[::2]
    again = {n: c.take(rows) if isinstance(c, Coded) else c[rows] for n, c in outcomes.items()}
    again["occurred_at"] = np.asarray(at)[rows] + 21 * DAY
    written["outcomes"] = concat([outcomes, again])
    write_lake(tmp_path / "shop", DatasetInfo(name="shop", buckets=4), written, {})
    run = leadlift_at()
    code, found, said = run("train", str(tmp_path / "shop"), "--trials", "1", LEADLIFT_TRAINING__TARGET="next_order")
    assert code == 0, said
    assert (found["target"], found["counts"]["no_order"]) == ("next_order", 300 - len(_customers(kind, outcomes)))
    assert "left out: no order yet" in said
    assert found["counts"]["leads"] <= len(_customers(kind, outcomes))
    assert (run.home / "shop" / "next_order" / "bundles").is_dir()


def _customers(kind: Coded, outcomes: Any) -> set[int]:
    return set(outcomes["lead_id"].codes[kind.recode({"converted": 1}, 0) == 1].tolist())
