"""Snapshots and labels: final answers only, and open leads only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.dataset import DatasetInfo, People, open_dataset
from data.records import DAY, MICROS, NULL_TIME, Coded
from data.settings import SnapshotSettings
from data.simulate.market import Market
from data.simulate.write import write_market
from training.assemble import Question, frame_of
from training.snapshots import conversions_of, policy_of, snapshots_of

POLICY = policy_of(SnapshotSettings())
DAY0 = 20_000 * DAY
LOOK = 5 * 60 * MICROS


def _people(
    outcomes: list[tuple[int, float, str]], events: list[tuple[int, float]] | None = None, leads: int = 1
) -> People:
    """Leads created on day 0; outcomes (lead, day, kind) and events (lead, day) on days after it."""
    seen = events if events is not None else [(lead, 7.0 * w) for lead in range(leads) for w in range(60)]
    return People(
        lead_ids=tuple(f"l{i}" for i in range(leads)),
        created_at=np.full(leads, DAY0, dtype=np.int64),
        source_row=np.zeros(leads, dtype=np.int64),
        labels=np.full(leads, np.nan),
        leads={},
        events={
            "lead": np.array([e[0] for e in seen], dtype=np.int64),
            "occurred_at": np.array([DAY0 + round(e[1] * DAY) for e in seen], dtype=np.int64),
            "received_at": np.full(len(seen), NULL_TIME),
            "known_from": np.full(len(seen), NULL_TIME),
            "direction": Coded.of(["inbound" if e[1] >= 0 else "outbound" for e in seen]),
            "is_bot": np.zeros(len(seen), dtype=bool),
        },
        outcomes={
            "lead": np.array([o[0] for o in outcomes], dtype=np.int64),
            "occurred_at": np.array([DAY0 + round(o[1] * DAY) for o in outcomes], dtype=np.int64),
            "kind": Coded.of([o[2] for o in outcomes]),
            "value": np.full(len(outcomes), 100.0),
        },
        consents={},
    )


def test_first_look_is_five_minutes_after_creation_then_weekly_and_at_most_26() -> None:
    snaps = snapshots_of(_people([]), POLICY, "converted", DAY0 + 400 * DAY)
    assert snaps.as_of[0] == DAY0 + LOOK
    assert set(np.diff(snaps.as_of).tolist()) == {7 * DAY}
    assert len(snaps) == 26


def test_a_conversion_inside_the_horizon_is_1_and_ends_the_looks() -> None:
    snaps = snapshots_of(_people([(0, 33.0, "converted")]), POLICY, "converted", DAY0 + 400 * DAY)
    days = (snaps.as_of - DAY0 - LOOK) // DAY
    assert days.tolist() == [0, 7, 14, 21, 28]
    assert snaps.label.tolist() == [0, 1, 1, 1, 1]


def test_the_horizon_is_closed_at_its_start_and_open_at_its_end() -> None:
    at_end = _people([(0, 0.0, "converted")])
    at_end.outcomes["occurred_at"][:] = DAY0 + LOOK + 30 * DAY
    assert snapshots_of(at_end, POLICY, "converted", DAY0 + 400 * DAY).label[0] == 0
    at_start = _people([(0, 0.0, "converted")])
    at_start.outcomes["occurred_at"][:] = DAY0 + LOOK
    assert snapshots_of(at_start, POLICY, "converted", DAY0 + 400 * DAY).label[0] == 1


def test_an_unmatured_snapshot_is_censored_even_if_the_lead_has_converted() -> None:
    now = DAY0 + LOOK + 44 * DAY
    people = _people([(0, 3.0, "converted")])
    assert snapshots_of(people, POLICY, "converted", now).label.tolist() == [1]
    assert np.isnan(snapshots_of(people, POLICY, "converted", now - 1).label).all()


def test_a_conversion_cancelled_inside_its_window_is_0_and_reopens_the_lead() -> None:
    people = _people([(0, 10.0, "converted"), (0, 20.0, "cancelled")])
    snaps = snapshots_of(people, POLICY, "converted", DAY0 + 400 * DAY)
    days = ((snaps.as_of - DAY0 - LOOK) // DAY).tolist()
    assert snaps.label.sum() == 0
    assert snaps.cancelled.tolist()[:2] == [True, True]
    assert 14 not in days
    assert 21 in days


def test_a_cancellation_after_the_window_leaves_the_label_standing() -> None:
    people = _people([(0, 10.0, "converted"), (0, 25.0, "cancelled")])
    assert snapshots_of(people, POLICY, "converted", DAY0 + 400 * DAY).label[0] == 1


def test_lost_and_idle_leads_are_not_looked_at_again() -> None:
    lost = snapshots_of(_people([(0, 8.0, "lost")]), POLICY, "converted", DAY0 + 400 * DAY)
    assert ((lost.as_of - DAY0) // DAY).max() == 7
    idle = snapshots_of(_people([], events=[(0, 1.0)]), POLICY, "converted", DAY0 + 400 * DAY)
    assert ((idle.as_of - DAY0) // DAY).max() <= 91


@pytest.mark.parametrize("later", [DAY, 100 * DAY])
def test_outcomes_at_or_after_now_change_nothing(later: int) -> None:
    now = DAY0 + 60 * DAY
    people = _people([(0, 60.0 + later / DAY, "converted")])
    with_future, without = (snapshots_of(p, POLICY, "converted", now) for p in (people, _people([])))
    assert np.array_equal(with_future.as_of, without.as_of)
    assert np.array_equal(with_future.label, without.label, equal_nan=True)


def test_each_cancellation_ends_the_latest_conversion_before_it() -> None:
    people = _people(
        [(0, 5.0, "converted"), (0, 50.0, "converted"), (0, 55.0, "cancelled"), (1, 6.0, "cancelled")], leads=2
    )
    found = conversions_of(people.outcomes, "converted", DAY0 + 400 * DAY)
    assert found.cancelled_at.tolist() == [NULL_TIME, DAY0 + 55 * DAY]


def test_what_we_sent_and_what_bots_did_keeps_nobody_open() -> None:
    kept = _people([], events=[(0, 1.0), (0, 80.0)])
    sent, bots, late = (_people([], events=[(0, 1.0), (0, 80.0)]) for _ in range(3))
    sent.events["direction"] = Coded.of(["inbound", "outbound"])
    bots.events["is_bot"][:] = [False, True]
    late.events["received_at"][:] = [NULL_TIME, DAY0 + 300 * DAY]
    looks = [len(snapshots_of(p, POLICY, "converted", DAY0 + 400 * DAY)) for p in (kept, sent, bots, late)]
    assert looks[0] > looks[1] == looks[2] == looks[3]


@pytest.mark.parametrize("share", [0.5, 0.05])
def test_a_sample_stands_for_all_looks_also_where_conversions_alone_are_too_many(tmp_path: Path, share: float) -> None:
    write_market(tmp_path / "m", Market(900, 300, 5), DatasetInfo(name="m", buckets=4))
    dataset = open_dataset(tmp_path / "m")
    assert dataset.info.latest_arrival is not None
    question = Question("converted", POLICY, dataset.info.latest_arrival + 1, "s", 10**6)
    whole = frame_of(dataset, question)
    limit = int(share * len(whole))
    some = frame_of(dataset, replace(question, max_snapshots=limit))
    assert abs(len(some) - limit) < 4 * np.sqrt(limit)
    assert len(some) + some.sampled_out == len(whole)
    there, kept = whole.label == 1, some.label == 1
    assert kept.sum() == there.sum() if there.sum() < limit / 2 else kept.sum() < there.sum()
    for every, sampled in ((there, kept), (~there, ~kept)):
        assert some.weight[sampled].sum() == pytest.approx(every.sum(), rel=4 / np.sqrt(sampled.sum()))
