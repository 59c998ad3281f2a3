"""The plainest calibrator unless another one is clearly better for leads it did not see."""

from __future__ import annotations

import numpy as np
import pytest

from training.calibration import Isotonic, Sigmoid, expit, from_json, to_json
from training.calibrators import chosen, fit_stepped, fit_venn_abers
from training.splits import lead_hash

RNG = np.random.default_rng(3)
N = 12_000
HASHES = lead_hash([str(i // 3) for i in range(N)], "s")
RAW = np.sort(RNG.normal(-2, 1.5, N))[RNG.permutation(N)]
ONES = np.ones(N)


def _label(probability: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return (np.random.default_rng(5).random(N) < probability).astype(np.float64)


def test_where_a_sigmoid_is_right_it_stays() -> None:
    assert isinstance(chosen(RAW, _label(expit(0.7 * RAW - 0.3)), ONES, HASHES), Sigmoid)


def test_a_planted_step_is_found_by_one_that_can_follow_it() -> None:
    truth = np.where(RAW > -1.0, 0.6, 0.02)
    found = chosen(RAW, _label(truth), ONES, HASHES)
    assert isinstance(found, Isotonic)
    assert np.abs(found.apply(RAW) - truth).mean() < 0.02
    assert from_json(to_json(found, None, None))[0] == found


@pytest.mark.parametrize("fit", [fit_stepped, fit_venn_abers])
def test_order_is_kept_and_the_mean_is_the_base_rate(fit: object) -> None:
    label = _label(expit(RAW))
    found = fit(RAW, label, ONES)  # type: ignore[operator]
    p = found.apply(np.sort(RAW))
    assert (np.diff(p) >= 0).all()
    assert abs(p.mean() - label.mean()) < 0.005


def test_venn_abers_lies_between_its_two_fits_and_doubts_small_groups() -> None:
    raw, label = np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 1.0])
    found = fit_venn_abers(raw, label, np.ones(4)).apply(raw)
    assert found[0] == pytest.approx(1 / 3 / (1 + 1 / 3), abs=0.1)
    assert (np.diff(found) >= 0).all()
    assert 0 < found[0] < 0.5 < found[-1] < 1


def test_random_labels_get_the_base_rate() -> None:
    label = _label(np.full(N, 0.1))
    assert np.abs(chosen(RAW, label, ONES, HASHES).apply(RAW) - label.mean()).max() < 0.03
