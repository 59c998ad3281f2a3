"""What to try: pairs that are claimed, of people who can still be led there, and no gain that nobody has tried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from data.records import DAY
from features.content import ContentMap
from training.content_effect import effect_rows
from training.content_paths import path_rows
from training.experiments import BROKEN, READ, Experiment, Plan, Reading
from training.hypotheses import FIRSTS, HypothesisRow, hypothesis_rows, kinds_of
from training.trails import Trails

NAMES = ("blog:x", "careers", "pricing", "thanks")
BLOG, CAREERS, PRICING, THANKS = range(4)
KINDS = {"blog:x": "blog", "careers": "careers", "pricing": "pricing", "thanks": "thanks"}
PEOPLE, WEEKS = 8000, 8
DAY0 = 20_000 * DAY


def _trails(walks: Sequence[tuple[tuple[int, ...], float]], seed: int = 1) -> Trails:
    """People who walk one of these by turns, and convert at its rate."""
    rng = np.random.default_rng(seed)
    who = np.arange(PEOPLE) % len(walks)
    length = np.array([len(w) for w, _ in walks])[who]
    person = np.repeat(np.arange(PEOPLE), length)
    step = np.concatenate([walks[w][0] for w in who.tolist()]).astype(np.int32)
    label = (rng.random(PEOPLE) < np.array([r for _, r in walks])[who]).astype(np.float64)
    unknown, nobody = np.full(PEOPLE, np.nan), np.zeros(PEOPLE, dtype=np.bool_)
    at = DAY0 + (np.arange(PEOPLE) * (WEEKS * 7 * DAY)) // PEOPLE
    channel = np.zeros(PEOPLE, dtype=np.int32)
    return Trails(
        NAMES, person, step, np.ones(len(person)), label, nobody, unknown, unknown, np.ones(PEOPLE), channel, unknown,
        unknown, at=at,
    )  # fmt: skip


BOTH = [((BLOG,), 0.05), ((BLOG, PRICING), 0.15), ((CAREERS,), 0.05), ((PRICING, BLOG), 0.15), ((CAREERS, BLOG), 0.05)]


def _rows(trails: Trails, *tried: Experiment) -> dict[tuple[str, str], HypothesisRow]:
    rows = hypothesis_rows(trails, path_rows(trails), effect_rows(trails), KINDS, "won", tried)
    return {(r.first, r.then): r for r in rows}


def _tried(
    difference: float, low: float, high: float, verdict: str = READ, first: str = "blog:y", until: int = 2
) -> Experiment:
    plan = Plan("e", "won", first, "pricing", "content", ("blog", "pricing"), "visitor", 1, until, 30, *[0.1] * 5, 1, 1)
    reading = Reading(3, verdict, "", (9, 9), 1.0, (9, 9), 1.0)
    return Experiment(plan, replace(reading, difference=difference, difference_low=low, difference_high=high))


def test_a_claimed_pair_is_named_with_those_who_saw_one_after_the_other_and_those_who_never_did() -> None:
    trails = _trails(BOTH)
    row = _rows(trails)["blog:x", "pricing"]
    assert (row.followed, row.others) == (PEOPLE // 5, 2 * PEOPLE // 5)  # not who saw prices first
    assert row.followed_conversions == trails.label[1::5].sum()
    assert row.others_conversions == trails.label[0::5].sum() + trails.label[4::5].sum()
    assert row.difference == pytest.approx(row.followed_rate - row.others_rate)
    assert row.reach == pytest.approx(row.others / WEEKS, rel=0.01)  # as many every week


def test_a_gain_begins_at_0_while_nobody_has_tried() -> None:
    rows = _rows(_trails(BOTH))
    assert {(r.gain_low, r.experiment, r.note) for r in rows.values()} == {
        (0.0, None, "associated with, not caused by")
    }
    row = rows["blog:x", "pricing"]
    assert (row.gain, row.gain_high) == pytest.approx((row.reach * row.difference, row.reach * row.difference_high))


@pytest.mark.parametrize("interval", [(0.02, 0.01, 0.03), (-0.02, -0.03, -0.01), (0.0, -0.01, 0.01)])
def test_an_experiment_of_the_kind_says_the_gain_wherever_it_lies(interval: tuple[float, float, float]) -> None:
    row = _rows(_trails(BOTH), _tried(*interval))["blog:x", "pricing"]
    assert (row.gain, row.gain_low, row.gain_high) == pytest.approx(tuple(row.reach * f for f in interval))
    assert row.experiment == "e"


def test_what_was_tried_and_lost_is_still_told_after_all_others() -> None:
    walks = [((first,), 0.05) for first in range(2, 8)] + [((first, 0), 0.2) for first in range(2, 8)]
    names = ("pricing", "thanks", *(f"page:{i}" for i in range(2, 8)))
    trails = replace(_trails(walks), names=names)
    kinds = {n: n for n in names}
    lost = _tried(-0.02, -0.03, -0.01, first="page:7")
    tried = replace(lost, plan=replace(lost.plan, kinds=("page:7", "pricing")))
    without, told = (hypothesis_rows(trails, (), effect_rows(trails), kinds, "won", e) for e in ((), (tried,)))
    assert len(without) == FIRSTS
    assert (told[-1].first, told[-1].gain_high < 0) == ("page:7", True)
    assert len(told) >= FIRSTS


def test_the_experiment_of_these_very_pages_counts_before_later_ones_of_their_kind() -> None:
    own, other = _tried(0.02, 0.01, 0.03, first="blog:x"), _tried(0.09, 0.08, 0.1, until=5)
    row = _rows(_trails(BOTH), own, other)["blog:x", "pricing"]
    assert row.gain == pytest.approx(row.reach * 0.02)


def test_a_broken_experiment_and_one_of_another_kind_or_target_say_nothing() -> None:
    broken, sound = _tried(0.02, 0.01, 0.03, BROKEN), _tried(0.02, 0.01, 0.03)
    kind = replace(sound, plan=replace(sound.plan, kinds=("home", "pricing")))
    target = replace(sound, plan=replace(sound.plan, target="mql"))
    assert _rows(_trails(BOTH), broken, kind, target) == _rows(_trails(BOTH))


def test_with_nothing_planted_there_is_nothing_to_try() -> None:
    found = [_rows(_trails([(walk, 0.08) for walk, _ in BOTH], seed)) for seed in range(20)]
    assert sum(bool(f) for f in found) <= 3


def test_nobody_is_led_to_the_page_after_a_form() -> None:
    rows = _rows(_trails([((BLOG,), 0.05), ((BLOG, THANKS), 0.3), ((CAREERS, BLOG), 0.05), ((THANKS, BLOG), 0.3)]))
    assert rows == {}


def test_fewer_than_the_support_on_either_side_are_no_hypothesis() -> None:
    trails = _trails(BOTH).take(np.arange(120))
    assert _rows(trails) == {}


def test_kinds_are_the_types_of_contents_and_other_names_their_own() -> None:
    contents = ContentMap.of({"content": [{"match": "^/blog/(.+)$", "id": "blog:\\1", "type": "blog"}]})
    assert kinds_of(("blog:x", "pricing"), "content", contents) == {"blog:x": "blog", "pricing": "other"}
    assert kinds_of(("blog",), "type", contents) == {"blog": "blog"}
