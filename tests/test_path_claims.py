"""What paths and contents claim where we know the truth. `make bench ONLY=paths` looks at 50 markets, not at one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.dataset import Dataset
from data.settings import SnapshotSettings
from tests.planted_paths import PLANTED, POPULAR, lot, market
from training.content_attribution import RULES, attribution_rows
from training.content_effect import EffectRow, effect_rows
from training.content_paths import PathRow, path_rows
from training.landmarks import Landmark
from training.removal import removal_rows
from training.snapshots import policy_of
from training.trails import Asked, Trails, trails_of

POLICY = policy_of(SnapshotSettings())
SEEDS = range(4)
Made = tuple[Dataset, int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return market(tmp_path_factory.mktemp("claims") / "market", 5000, 1)


def walked(made: Made, seed: int, planted: bool, landmark: str = "7") -> Trails:
    drawn = lot(made, seed, planted)
    return trails_of(drawn, Asked("won", POLICY, made[1], Landmark.parse(landmark), "type"))


@pytest.fixture(scope="module")
def planted(made: Made) -> list[Trails]:
    return [walked(made, seed, planted=True) for seed in SEEDS]


def claimed(rows: tuple[PathRow, ...] | tuple[EffectRow, ...]) -> int:
    return sum(r.claimed for r in rows)


def test_the_planted_path_is_at_the_top_and_claimed(planted: list[Trails]) -> None:
    for trails in planted:
        first = path_rows(trails, 2)[0]
        assert (first.path, first.claimed) == (PLANTED, True)


def test_a_popular_page_that_does_nothing_is_not_flagged_though_its_visitors_buy_more(planted: list[Trails]) -> None:
    rows = [next(r for r in effect_rows(trails) if r.content == POPULAR) for trails in planted]
    assert not any(r.claimed for r in rows)
    assert np.mean([r.rate_with / r.rate_without for r in rows]) > 1.1
    assert np.mean([r.ratio for r in rows]) == pytest.approx(1, abs=0.1)


def test_the_pages_of_the_planted_path_are_claimed(planted: list[Trails]) -> None:
    for name in PLANTED:
        rows = [next(r for r in effect_rows(trails) if r.content == name) for trails in planted]
        assert sum(r.claimed and r.ratio_low > 1 for r in rows) >= len(planted) - 1


def test_with_nothing_planted_intervals_hold_1_and_next_to_nothing_is_claimed(made: Made) -> None:
    """At all landmarks together; the bench tells them apart."""
    found = [walked(made, seed, False, mark) for seed in SEEDS for mark in ("visit", "7", "30", "90", "step:3")]
    rows = [path_rows(trails, 3) for trails in found]
    held = [r.lift_low <= 1 <= r.lift_high for of_one in rows for r in of_one]
    assert np.mean(held) > 0.92
    assert sum(claimed(r) > 0 for r in rows) <= 2
    assert sum(claimed(effect_rows(trails)) > 0 for trails in found) <= 2


def test_long_paths_seem_to_put_off_where_they_are_cut_at_a_purchase_drawn_by_lot(made: Made) -> None:
    """Why the landmark: the same people and purchases by lot, the path cut at the purchase or, without one, at day 30."""
    trails = walked(made, 0, planted=False, landmark="30")
    day = np.random.default_rng(0).integers(0, 30, len(trails))
    label = (np.random.default_rng(1).random(len(trails)) < 0.3).astype(np.float64)
    kept = np.flatnonzero((label[trails.person] == 0) | (trails.age >= 30 - day[trails.person]))
    cut = replace(trails, label=label, person=trails.person[kept], step=trails.step[kept], age=trails.age[kept])
    fair, unfair = (label[t.length >= 5].mean() / label.mean() for t in (trails, cut))
    assert fair == pytest.approx(1, abs=0.06)
    assert unfair < 0.95


def test_attribution_gives_away_the_conversions_of_all_who_saw_something(planted: list[Trails]) -> None:
    trails = planted[0]
    rows, with_path = attribution_rows(trails), trails.label[trails.length > 0].sum()
    for rule in RULES:
        assert sum(getattr(r, rule) for r in rows) == pytest.approx(with_path)


def test_the_paths_of_two_groups_are_those_of_all(planted: list[Trails]) -> None:
    trails = planted[0]
    half = np.arange(len(trails)) % 2 == 0
    parts = [trails.take(np.flatnonzero(side)) for side in (half, ~half)]
    assert sum(len(p.person) for p in parts) == len(trails.person)
    people = [{r.path: r.people for r in path_rows(p, 3, support=1)} for p in (trails, *parts)]
    assert people[0] == {path: people[1].get(path, 0) + people[2].get(path, 0) for path in people[0]}


def test_removal_effects_are_shares(planted: list[Trails]) -> None:
    rows = removal_rows(planted[0])
    assert all(0 <= r.effect <= 1 for r in rows)
    assert sum(r.share for r in rows) == pytest.approx(1)
