"""Measures agree with scikit-learn's, treat ties fairly, and intervals resample leads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.evaluate import Bench, Judged, ece, ece_limit, judge, log_loss_gain, measures, reliability, slices
from training.gate import single_auc


def _case(seed: int, n: int = 300, steps: int = 0) -> tuple[Judged, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = np.clip(rng.beta(1, 4, n), 0.01, 0.99)
    score = np.floor(p * steps) if steps else np.log(p / (1 - p))
    label = (rng.random(n) < p).astype(float)
    label[:2] = 0, 1
    return Judged(score, p), label, rng.integers(1, 5, n).astype(float)


@given(st.integers(0, 10_000), st.sampled_from([0, 3, 10]))
def test_measures_agree_with_scikit_learn_also_with_ties_and_weights(seed: int, steps: int) -> None:
    judged, label, weight = _case(seed, steps=steps)
    found = measures(judged, label, weight)
    assert found["auc"] == pytest.approx(roc_auc_score(label, judged.score, sample_weight=weight))
    assert found["pr_auc"] == pytest.approx(average_precision_score(label, judged.score, sample_weight=weight))
    assert found["log_loss"] == pytest.approx(log_loss(label, judged.probability, sample_weight=weight))
    assert found["brier"] == pytest.approx(brier_score_loss(label, judged.probability, sample_weight=weight))
    assert single_auc(judged.score, label) == pytest.approx(roc_auc_score(label, judged.score))


def test_a_constant_score_has_auc_one_half_and_lift_one() -> None:
    judged, label, weight = _case(1)
    found = measures(Judged(np.zeros(len(label)), judged.probability), label, weight)
    assert found["auc"] == pytest.approx(0.5)
    assert found["lift_at_10"] == pytest.approx(1.0)


def test_ece_of_a_perfect_model_lies_below_its_limit_in_most_draws() -> None:
    rng = np.random.default_rng(3)
    p = rng.beta(1, 5, 2000)
    limit = ece_limit(p, Bench.of(p, np.ones(2000), np.arange(2000)), seed=1)
    draws = [ece(p, (rng.random(2000) < p).astype(float), np.ones(2000)) for _ in range(100)]
    assert 0.85 <= np.mean(np.array(draws) <= limit) <= 1.0


def test_a_model_that_says_twice_the_truth_is_above_the_limit() -> None:
    rng = np.random.default_rng(4)
    p = rng.beta(1, 9, 4000)
    label = (rng.random(4000) < p).astype(float)
    double = np.clip(2 * p, 0, 0.99)
    assert ece(double, label, np.ones(4000)) > ece_limit(
        double, Bench.of(label, np.ones(4000), np.arange(4000)), seed=1
    )


def test_intervals_resample_leads_not_rows() -> None:
    judged, label, _ = _case(7, n=400)
    wide = Bench.of(np.repeat(label, 5), np.ones(2000), np.repeat(np.arange(400), 5))
    rows = Bench.of(wide.label, wide.weight, np.arange(2000))
    many = Judged(np.repeat(judged.score, 5), np.repeat(judged.probability, 5))
    by_lead, by_row = (judge(many, b, b.draws(200, 0))["auc"] for b in (wide, rows))
    assert by_lead.high - by_lead.low > 1.7 * (by_row.high - by_row.low)


def test_the_better_model_has_a_positive_paired_gain() -> None:
    judged, label, _ = _case(9, n=3000)
    bench = Bench.of(label, np.ones(3000), np.arange(3000))
    flat = Judged(judged.score, np.full(3000, label.mean()))
    gain = log_loss_gain(flat, judged, bench, bench.draws(200, 0))
    assert 0 < gain.low < gain.value < gain.high


def test_reliability_bins_add_up_to_all_rows() -> None:
    judged, label, weight = _case(11, n=500)
    bench = Bench.of(label, weight, np.arange(500))
    rows = reliability(judged, bench, bench.draws(50, 0))
    assert sum(r["rows"] for r in rows) == 500
    assert all(r["low"] <= r["observed"] <= r["high"] or r["rows"] < 60 for r in rows)


def test_a_slice_that_is_off_shows_a_large_gap() -> None:
    judged, label, _ = _case(12, n=4000)
    name = np.where(np.arange(4000) % 2, "a", "b")
    off = np.where(name == "a", np.maximum(label, np.arange(4000) % 4 == 1), label)
    found = slices(judged, Bench.of(off, np.ones(4000), np.arange(4000)), {"part": name})
    gap = {str(s["value"]): abs(float(s["z"])) for s in found}
    assert gap["a"] > 10 > 4 > gap["b"]


def test_the_limit_of_ece_allows_for_leads_that_are_looked_at_many_times() -> None:
    rng = np.random.default_rng(6)
    lead = np.repeat(np.arange(300), 10)
    p = np.repeat(rng.beta(1, 9, 300), 10)
    limit = ece_limit(p, Bench.of(p, np.ones(3000), lead), seed=1)
    draws = [ece(p, (rng.random(300)[lead] < p).astype(float), np.ones(3000)) for _ in range(60)]
    assert np.mean(np.array(draws) <= limit) > 0.85
