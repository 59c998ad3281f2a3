"""Splits: nobody is judged by a model that saw them, and the declared shuffle is the one the design names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import SplitSpec
from data.errors import InputError
from data.records import DAY
from training.splits import Split, by_lead, declared_split, fold_turns, folds_of, lead_hash, split_of, validation_of


def _snapshots(leads: int = 3000, per_lead: int = 5) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    lead = np.repeat(np.arange(leads), per_lead)
    as_of = rng.integers(0, 300, leads).repeat(per_lead) * DAY + np.tile(np.arange(per_lead) * 7 * DAY, leads)
    label = (rng.random(len(lead)) < 0.2).astype(float)
    label[as_of > 300 * DAY] = np.nan
    hashes = lead_hash([f"l{i}" for i in range(leads)], "salt")[lead]
    return lead, as_of, label, hashes


def test_judging_leads_never_train_and_a_horizon_lies_between() -> None:
    lead, as_of, label, hashes = _snapshots()
    split = split_of(as_of, label, hashes, 30 * DAY, 0.2, conversions=900)
    turn = split.turns[0]
    assert split.kind == "time"
    assert not set(lead[turn.train]) & set(lead[turn.judge])
    assert (as_of[turn.train] + 30 * DAY).max() <= split.cut <= as_of[turn.judge].min()
    assert not np.isnan(label[turn.train]).any()
    assert not np.isnan(label[turn.judge]).any()


def test_the_refit_uses_later_rows_of_the_other_leads_only() -> None:
    lead, as_of, label, hashes = _snapshots()
    split = split_of(as_of, label, hashes, 30 * DAY, 0.2, conversions=900)
    assert as_of[split.refit].max() > split.cut
    assert not set(lead[split.refit]) & set(lead[split.turns[0].judge])


def test_below_500_conversions_five_folds_take_turns_and_judge_each_row_once() -> None:
    lead, as_of, label, hashes = _snapshots(leads=300)
    split = split_of(as_of, label, hashes, 30 * DAY, 0.2, conversions=499)
    judged = np.concatenate([t.judge for t in split.turns])
    assert split.kind == "folds"
    assert sorted(judged.tolist()) == np.flatnonzero(~np.isnan(label)).tolist()
    assert all(not set(lead[t.train]) & set(lead[t.judge]) for t in split.turns)


def test_the_hash_of_a_lead_depends_on_its_id_and_the_salt_alone() -> None:
    one, two = lead_hash(["a", "b"], "s"), lead_hash(["b", "a"], "s")
    assert one.tolist() == two[::-1].tolist()
    assert lead_hash(["a"], "s") != lead_hash(["a"], "t")


def test_folds_have_nothing_to_do_with_the_judging_share() -> None:
    hashes = lead_hash([str(i) for i in range(20_000)], "salt")
    shares = [float((hashes[folds_of(hashes) == f] < 0.2).mean()) for f in range(5)]
    assert max(shares) - min(shares) < 0.03


def test_shuffled_is_the_declared_permutation_in_source_row_order() -> None:
    source_row = np.random.default_rng(5).permutation(100) + 1
    split = declared_split(SplitSpec("shuffled", 0, 0.7), source_row, None)
    expected = np.random.default_rng(0).permutation(100)[:70] + 1
    assert sorted(source_row[split.turns[0].train].tolist()) == sorted(expected.tolist())


def test_ordered_trains_on_the_first_rows() -> None:
    split = declared_split(SplitSpec("ordered", 0, 0.5), np.array([3, 1, 4, 2]), None)
    assert split.turns[0].train.tolist() == [1, 3]


def test_a_split_without_a_test_part_is_refused() -> None:
    with pytest.raises(InputError, match=r"\[split\] train"):
        declared_split(SplitSpec("shuffled", 0, 1.0), np.arange(5), None)


def test_cross_validation_never_divides_a_lead() -> None:
    hashes = lead_hash([str(i) for i in range(200)], "x").repeat(4)
    for train, held_out in by_lead(hashes):
        assert not set(hashes[train]) & set(hashes[held_out])


def test_all_folds_of_turns_are_used() -> None:
    hashes = lead_hash([str(i) for i in range(500)], "x")
    assert all(len(t.judge) for t in fold_turns(np.ones(500, dtype=bool), hashes).turns)


def test_there_are_five_folds_inside_each_turn() -> None:
    hashes = lead_hash([str(i) for i in range(1000)], "x")
    turn = fold_turns(np.ones(1000, dtype=bool), hashes).turns[0]
    assert [100 < len(held_out) < 220 for _, held_out in by_lead(hashes[turn.train])] == [True] * 5


@given(st.integers(0, 2**31), st.floats(0.05, 0.5))
def test_a_search_by_time_learns_from_final_answers_of_other_leads(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    n, horizon = 4000, 30 * DAY
    as_of, hashes = rng.integers(0, 200 * DAY, n), lead_hash([str(i // 2) for i in range(n)], "s")
    label = (rng.random(n) < rate).astype(float)
    split = Split("time", (), np.arange(n), 0)
    found = validation_of(split, as_of, label, hashes, horizon)
    if found.since is None:
        assert [len(h) for _, h in found.folds] == [len(h) for _, h in by_lead(hashes)]
        return
    for train, held_out in found.folds:
        assert not set(hashes[train]) & set(hashes[held_out])
        assert (as_of[train] + horizon <= found.since).all()
        assert (as_of[held_out] >= found.since).all()
    assert np.array_equal(found.held_out, np.flatnonzero(as_of >= found.since))


def test_few_conversions_are_validated_by_lead_alone() -> None:
    hashes, label = lead_hash([str(i) for i in range(300)], "s"), np.ones(300)
    as_of = np.arange(300, dtype=np.int64) * DAY
    few = validation_of(Split("time", (), np.arange(300), 0), as_of, label * (np.arange(300) < 150), hashes, DAY)
    turns = validation_of(Split("folds", (), np.arange(300), None), as_of, label, hashes, DAY)
    assert (few.since, turns.since) == (None, None)
    assert len(few.held_out) == len(turns.held_out) == 300
