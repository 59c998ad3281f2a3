"""Cold start: as long as conversions are few the model leans on the points that marketing and sales agreed on.

A model of n training conversions weighs n / (n + PRIOR) against the calibrated points, in log-odds; from ENOUGH on it
stands alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.calibration import clip, expit, logit

F64 = NDArray[np.float64]
ENOUGH, PRIOR = 300, 100


def weight_of(conversions: int) -> float:
    """How much a model of so many training conversions counts, 0..1."""
    return 1.0 if conversions >= ENOUGH else conversions / (conversions + PRIOR)


def leaned(weight: float, raw: F64, probability: F64, points: F64) -> tuple[F64, F64]:
    """(log-odds that rank, probability) of a model that leans on the points.

    Parameters
    ----------
    raw, probability
        (n,): the model's uncalibrated log-odds and its calibrated probability.
    points
        (n,): the probability that the points stand for.
    """
    if weight == 1.0:
        return raw, probability
    beside = (1.0 - weight) * logit(points)
    return weight * raw + beside, clip(expit(weight * logit(probability) + beside))
