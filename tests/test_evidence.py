"""What judging says beside the measures holds where the truth is planted."""

from __future__ import annotations

import numpy as np
import pytest

from data.records import Coded
from training import comparators
from training.ablation import ablation_of
from training.comparators import fit_comparator
from training.evaluate import OTHER, Bench, Judged, Sampled, slices
from training.evidence import APART, mix_of
from training.models import Rows
from training.slices import in_order
from training.splits import Turn

LEADS, LOOKS = 700, 4


def _rows(seed: int = 0) -> tuple[Rows, np.ndarray]:
    """Leads with several looks; everything that is to be known lies in the two columns of one group."""
    rng = np.random.default_rng(seed)
    n = LEADS * LOOKS
    values = rng.normal(size=(n, 8))
    p = 1 / (1 + np.exp(-(1.6 * values[:, 2] - 1.6 * values[:, 3] - 1.0)))
    label = (rng.random(n) < p).astype(float)
    names = tuple(f"c{i}" for i in range(8))
    return Rows(names, values, label, np.ones(n), np.repeat(rng.random(LEADS), LOOKS)), p


GROUPS = ("profile", "profile", "path", "path", "dwell", "dwell", "source", "source")


def test_a_group_that_carries_all_signal_has_the_whole_ablation() -> None:
    rows, _ = _rows()
    found = ablation_of(rows, GROUPS, 100, 0)
    assert found is not None
    assert list(found.adds) == ["profile", "source", "dwell", "path"]
    gained = found.base - found.all
    assert gained > 0.1
    assert found.adds["path"].low > 0.7 * gained
    for group in ("profile", "source", "dwell"):
        assert found.adds[group].value < 0.1 * gained


def test_without_the_only_group_the_base_rate_is_left() -> None:
    rows, _ = _rows()
    found = ablation_of(rows, ["path"] * 8, 50, 0)
    assert found is not None
    assert found.adds["path"].value == pytest.approx(found.base - found.all)


def test_ablation_never_divides_a_lead_when_it_takes_some_of_them() -> None:
    rows, _ = _rows()
    found = ablation_of(rows, GROUPS, 20, 0, most=1001)
    assert found is not None
    assert found.rows == found.leads * LOOKS == 1004


def test_a_comparator_that_is_the_truth_ranks_first_and_is_calibrated() -> None:
    rows, p = _rows(3)
    half = len(p) // 2
    turn = Turn(np.arange(half), np.arange(half, len(p)))
    noisy = p + np.random.default_rng(1).normal(0, 0.4, len(p))
    said = comparators.judged({"truth": 1000 * p, "noise": noisy}, rows.label, rows.weight, turn)
    bench = Bench.of(rows.label[half:], rows.weight[half:], np.arange(half))
    draws = bench.draws(60, 0)
    truth, noise = (Sampled.of(said[comparators.PREFIX + n], bench, draws) for n in ("truth", "noise"))
    best = Sampled.of(Judged(p[half:], p[half:]), bench, draws)
    assert truth.point["auc"] == pytest.approx(best.point["auc"])
    assert truth.point["log_loss"] < best.point["log_loss"] + 0.02
    difference = noise.minus(truth)
    assert difference["log_loss"].low > 0 > difference["auc"].high


def test_who_has_no_comparator_score_ranks_last_and_gets_the_rate_of_those_without() -> None:
    rows, p = _rows(4)
    score = np.where(np.arange(len(p)) % 2 == 0, np.nan, p - 5.0)
    turn = Turn(np.arange(len(p)), np.arange(len(p)))
    found = comparators.judged({"old": score}, rows.label, rows.weight, turn)[comparators.PREFIX + "old"]
    none = np.isnan(score)
    assert found.score[none].max() < found.score[~none].min()
    assert found.probability[none] == pytest.approx(rows.label[none].mean(), abs=0.01)
    nobody = fit_comparator(np.full(len(p), np.nan), rows.label, rows.weight)
    assert nobody.apply(np.array([np.nan, 3.0])) == pytest.approx(rows.label.mean())


def test_slices_add_up_to_the_whole() -> None:
    rows, p = _rows(5)
    rng = np.random.default_rng(2)
    country = rng.choice(["DE", "US", "AT", "LI", "MT"], len(p), p=[0.5, 0.3, 0.16, 0.02, 0.02])
    weight = rng.integers(1, 4, len(p)).astype(float)
    bench = Bench.of(rows.label, weight, np.repeat(np.arange(LEADS), LOOKS))
    found = slices(Judged(p, p), bench, {"country": country.astype(np.str_)})
    assert [s["value"] for s in found] == ["AT", "DE", "US", OTHER]
    assert sum(s["rows"] for s in found) == len(p)
    assert sum(s["positives"] for s in found) == rows.label.sum()
    share = [
        weight[np.isin(country, ["LI", "MT"]) if s["value"] == OTHER else country == s["value"]].sum() for s in found
    ]
    for measure, whole in (("observed", rows.label), ("predicted", p)):
        mean = np.average([s[measure] for s in found], weights=share)
        assert mean == pytest.approx(np.average(whole, weights=weight))
    loss = np.average([s["log_loss"] for s in found], weights=share)
    everybody = Sampled.of(Judged(p, p), bench, bench.draws(2, 0)).point["log_loss"]
    assert loss == pytest.approx(everybody)


def test_bands_come_in_their_order_and_the_unknown_last() -> None:
    assert in_order({"not known", "11-50", "10001+", "1-10", "DE"}) == ["1-10", "11-50", "10001+", "DE", "not known"]


def test_the_mix_says_where_the_judged_rows_are_others_than_tonights_leads() -> None:
    part = Coded(np.array([0] * 80 + [1] * 20 + [0] * 50 + [1] * 40 + [-1] * 10, dtype=np.int32), ("web", "fair"))
    judged, now = np.arange(100), np.arange(100, 200)
    found = mix_of("channel", part, np.ones(200), judged, now)
    assert found.total_variation == pytest.approx(0.3)
    assert found.now == {"fair": 0.4, "web": 0.5, "not known": 0.1}
    assert "NOT like the leads scored now by channel" in found.line()
    assert found.document()["apart"] is True
    same = mix_of("channel", part, np.ones(200), judged, judged)
    assert same.total_variation == 0 < APART
    assert "are like the leads" in same.line()
