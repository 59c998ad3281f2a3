"""An experiment speaks once, of matured people, and not at all where its arms are broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from data.records import DAY
from data.settings import SnapshotSettings
from serving.insights.number_words import reading_words
from training.assignment import arms_of
from training.experiment_read import BEFORE_LEVEL, SAMPLE_RATIO_LEVEL, compared, per_arm, sample_ratio_p
from training.experiments import Plan, Reading
from training.exposures import Exposed
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
START, WEEKS = 20_000 * DAY, 8
PLAN = Plan(
    "x", "won", "home", "pricing", "type", ("home", "pricing"), "visitor", START, START + 7 * WEEKS * DAY, 30,
    0.1, 400.0, 1.5, 0.05, 0.8, 500, WEEKS,
)  # fmt: skip
OVER = PLAN.until + POLICY.maturity
SEEDS, PEOPLE, RATE = 400, 1500, 0.1
RARE = 1e-4


def _came(seed: int, gain: float = 0.0, people: int = PEOPLE) -> Exposed:
    """People of whom RATE convert, and `gain` more of the treated ones."""
    rng = np.random.default_rng(seed)
    arm = arms_of(f"x{seed}", [f"v{i}" for i in range(people)])
    at = START + rng.integers(0, 7 * WEEKS * DAY, people)
    return Exposed(arm, at, (rng.random(people) < RATE + gain * arm).astype(np.float64))


def _read(
    during: Exposed, before: Exposed | None = None, now: int = OVER, delivered: dict[str, str] | None = None
) -> Reading:
    return compared(PLAN, POLICY, now, during, _came(1) if before is None else before, delivered)


@pytest.mark.parametrize(
    ("rates", "level", "power", "n"),
    [((0.5, 0.75), 0.05, 0.9, 77), ((0.1, 0.12), 0.05, 0.8, 3841), ((0.75, 0.5), 0.05, 0.9, 77)],
)
def test_people_per_arm_are_those_of_published_examples(
    rates: tuple[float, float], level: float, power: float, n: int
) -> None:
    """The first is the example of R's power.prop.test: 76.7."""
    assert per_arm(*rates, level, power) == n


def test_that_many_people_see_the_planned_effect_as_often_as_planned() -> None:
    n, rng = per_arm(0.1, 0.15, 0.05, 0.8), np.random.default_rng(1)
    a, b = rng.binomial(n, 0.1, 4000) / n, rng.binomial(n, 0.15, 4000) / n
    z = (b - a) / np.sqrt((a + b) / 2 * (1 - (a + b) / 2) * 2 / n)
    assert np.abs((np.abs(z) > 1.96).mean() - 0.8) < 0.03


def test_checks_refuse_what_is_sound_no_more_often_than_they_say() -> None:
    found = [_read(_came(s), _came(s + SEEDS)) for s in range(SEEDS)]
    before = sum(r.before_p is not None and r.before_p < BEFORE_LEVEL for r in found)
    uneven = sum(r.sample_ratio_p < SAMPLE_RATIO_LEVEL for r in found)
    assert before <= binom.isf(RARE, SEEDS, BEFORE_LEVEL)
    assert uneven <= binom.isf(RARE, SEEDS, SAMPLE_RATIO_LEVEL)


def test_intervals_cover_a_planted_effect_and_none_as_often_as_they_say() -> None:
    for gain in (0.0, 0.05):
        found = [r for s in range(SEEDS) if (r := _read(_came(s, gain))).verdict == "read"]
        missed = sum(not r.difference_low <= gain <= r.difference_high for r in found)  # type: ignore[operator]
        assert len(found) > 0.9 * SEEDS
        assert binom.isf(1 - RARE, len(found), 0.05) - 1 <= missed <= binom.isf(RARE, len(found), 0.06)


def test_nothing_is_said_before_everybody_who_came_has_matured() -> None:
    found = _read(_came(2, 0.05), now=OVER - 1)
    assert (found.verdict, found.arms, found.difference, found.p) == ("too early", (), None, None)
    assert _read(_came(2, 0.05)).verdict == "read"


def test_uneven_arms_are_named_at_once_and_say_nothing() -> None:
    sound = _came(3)
    lost = np.flatnonzero((sound.arm == 0) | (np.arange(PEOPLE) % 4 > 0))
    found = _read(sound.take(lost), now=START + 60 * DAY)
    assert (found.verdict, found.arms, "Arms are not even" in found.why) == ("broken", (), True)


def test_arms_that_differed_before_the_change_say_nothing() -> None:
    found = _read(_came(4), _came(5, 0.1))
    assert (found.verdict, found.arms, "before anything was changed" in found.why) == ("broken", (), True)


def test_a_page_that_gives_other_arms_says_nothing() -> None:
    ids = [f"v{i}" for i in range(200)]
    given = dict(zip(ids, np.array(["control", "treatment"])[arms_of("x", ids)].tolist(), strict=True))
    assert _read(_came(6), delivered=given).verdict == "read"
    found = _read(_came(6), delivered=given | dict.fromkeys(ids[:20], "control"))
    assert (found.verdict, "another arm" in found.why) == ("broken", True)


def test_arms_of_fewer_than_five_people_are_not_shown() -> None:
    few = _came(7, people=8)
    assert _read(few).arms == ()


def test_a_german_reader_is_told_why_whatever_was_found() -> None:
    sound, ids = _came(3), [f"v{i}" for i in range(200)]
    other = dict.fromkeys(ids, "control")
    found = [
        _read(_came(2)), _read(_came(2), now=OVER - 1), _read(_came(7, people=8)), _read(_came(4), _came(5, 0.1)),
        _read(_came(6), delivered=other), _read(sound.take(np.flatnonzero(sound.arm + np.arange(PEOPLE) % 4 > 0))),
    ]  # fmt: skip
    words = [reading_words(reading) for reading in found]
    assert [english for english, _ in words] == [reading.why for reading in found]
    assert len({german for _, german in words}) == len(found)
    assert all(german != english for english, german in words)
    assert any("Endgültig ab 20" in german for _, german in words)


def test_a_reading_does_not_depend_on_the_order_of_people() -> None:
    sound = _came(8, 0.05)
    assert _read(sound.take(np.random.default_rng(0).permutation(PEOPLE))) == _read(sound)


def test_without_conversions_nothing_is_known_of_the_ratio() -> None:
    sound = _came(9)
    none = replace(sound, label=np.zeros(PEOPLE))
    found = _read(none, none)
    assert (found.verdict, found.ratio, found.before_p, found.p) == ("read", None, None, None)


def test_nobody_came_is_no_broken_arm() -> None:
    assert sample_ratio_p(0, 0) == 1.0
    assert _read(_came(0, people=0), _came(0, people=0)).verdict == "too early"
