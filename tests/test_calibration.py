"""Calibrators keep order, stay inside the allowed range, and find a planted distortion again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration import (
    HIGHEST,
    LOWEST,
    WIDER,
    Isotonic,
    Sigmoid,
    Spread,
    expit,
    fit_isotonic,
    fit_sigmoid,
    from_json,
    logit,
    to_json,
)


def test_the_sigmoid_finds_a_planted_distortion() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(-2, 1.5, 50_000)
    label = (rng.random(50_000) < expit(0.5 * x - 1.0)).astype(float)
    found = fit_sigmoid(x, label, np.ones(50_000))
    assert found.a == pytest.approx(0.5, abs=0.03)
    assert found.b == pytest.approx(-1.0, abs=0.06)


def test_weights_count_like_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    x, label = rng.normal(size=400), (rng.random(400) < 0.3).astype(float)
    twice = fit_sigmoid(np.tile(x, 2), np.tile(label, 2), np.ones(800))
    weighted = fit_sigmoid(x, label, np.full(400, 2.0))
    assert (twice.a, twice.b) == pytest.approx((weighted.a, weighted.b))


def test_a_model_that_ranks_backwards_is_not_turned_round() -> None:
    x = np.linspace(-3, 3, 200)
    assert fit_sigmoid(x, (x < 0).astype(float), np.ones(200)).a > 0


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30))
def test_probabilities_are_monotone_and_bounded(raw: list[float]) -> None:
    x = np.sort(np.array(raw))
    for calibrator in (Sigmoid(1.3, -2.0), Isotonic((-5.0, 0.0, 9.0), (0.0, 0.4, 1.0))):
        p = calibrator.apply(x)
        assert (np.diff(p) >= 0).all()
        assert p.min() >= LOWEST
        assert p.max() <= HIGHEST


def test_points_get_a_monotone_map_shrunk_to_the_base_rate() -> None:
    points = np.repeat([0.0, 10.0, 20.0], [500, 500, 3])
    label = np.concatenate([np.zeros(490), np.ones(10), np.zeros(400), np.ones(100), np.ones(3)])
    found = fit_isotonic(points, label, np.ones(len(points)))
    assert list(found.y) == sorted(found.y)
    assert found.y[-1] < 0.5


def test_bounds_hold_the_probability_and_grow_with_disagreement() -> None:
    centre = logit(np.linspace(0.01, 0.9, 200))
    rng = np.random.default_rng(2)
    small, large = (Spread.of(centre, centre + rng.normal(0, s, (10, 200))) for s in (0.1, 0.5))
    p = np.array([0.05, 0.3, 0.8])
    for spread in (small, large):
        low, high = spread.bounds(p)
        assert (low < p).all()
        assert (p < high).all()
    assert (np.subtract(*large.bounds(p)[::-1]) > np.subtract(*small.bounds(p)[::-1])).all()


@pytest.mark.parametrize(("middle", "s"), [(-5.0, 0.9), (-2.5, 0.6), (0.0, 0.8), (3.0, 0.7)])
def test_bounds_hold_nine_of_ten_truths_whose_mean_is_the_probability(middle: float, s: float) -> None:
    rng = np.random.default_rng(6)
    truth = expit(rng.normal(middle, s, 20_000))
    said = np.full(20_000, truth.mean())
    refits = logit(said) + rng.normal(0, s / WIDER, (50, 20_000))
    low, high = Spread.of(logit(said), refits).bounds(said)
    assert ((low <= truth) & (truth <= high)).mean() == pytest.approx(0.9, abs=0.03)


def test_the_json_gives_the_same_bits_back() -> None:
    spread = Spread((-3.0, 0.1), (0.2, 0.30000000000000004))
    text = to_json(Sigmoid(0.1 + 0.2, -1 / 3), Isotonic((0.0, 1.0), (0.1, 0.2)), spread)
    assert from_json(text) == (Sigmoid(0.1 + 0.2, -1 / 3), Isotonic((0.0, 1.0), (0.1, 0.2)), spread)


@pytest.mark.parametrize(("mean", "sd", "a"), [(-3.0, 1.5, 0.2), (0.0, 3.0, 0.4), (0.0, 5.0, 0.3), (0.0, 100.0, 0.01)])
def test_overconfident_log_odds_are_brought_back_to_the_observed_rate(mean: float, sd: float, a: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(mean, sd, 20_000)
    label = (rng.random(20_000) < expit(a * x - 1.5)).astype(float)
    found = fit_sigmoid(x, label, np.ones(20_000))
    assert found.a == pytest.approx(a, rel=0.1)
    assert found.apply(x).mean() == pytest.approx(label.mean(), abs=0.002)


def test_backward_log_odds_become_the_base_rate() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(0, 3, 20_000)
    label = (rng.random(20_000) < expit(-0.5 * x - 3)).astype(float)
    assert fit_sigmoid(x, label, np.ones(20_000)).apply(x).mean() == pytest.approx(label.mean(), rel=0.03)
