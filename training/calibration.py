"""Log-odds or points -> probability, with bounds. Fitting uses held-out predictions only.

A calibrator is plain JSON. `sigmoid` is Platt's map on log-odds, 1 / (1 + exp(-(a x + b))); `isotonic` is a monotone
line, for the points through shrunken means. Which one a model gets says training.calibrators. All of them never decide an order: ties are broken by the raw score.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

LOWEST, HIGHEST = 1e-4, 1.0 - 1e-4
Z90, Z95 = 1.6448536269514722, 1.959963984540054  # half of a 90 and a 95 % interval, in standard deviations
WIDER = 2.0  # `make bench ONLY=market` prints how often intervals so made hold the truth
_FLATTEST = 1e-3  # the smallest slope: order is kept


def logit(probability: F64) -> F64:
    return np.log(probability / (1.0 - probability))


def expit(x: F64) -> F64:
    return 1.0 / (1.0 + np.exp(-x))


def clip(probability: F64) -> F64:
    """Probabilities stay in [1e-4, 1 - 1e-4]: nobody is certain."""
    return np.minimum(np.maximum(probability, LOWEST), HIGHEST)  # for one row a third of what np.clip takes


@dataclass(frozen=True)
class Sigmoid:
    """Platt scaling of log-odds (Platt 1999), a > 0 so that order is kept."""

    a: float
    b: float

    def apply(self, raw: F64) -> F64:
        return clip(expit(self.a * raw + self.b))

    def document(self) -> dict[str, object]:
        return {"kind": "sigmoid", "a": self.a, "b": self.b}


@dataclass(frozen=True)
class Isotonic:
    """A monotone, piecewise linear map through the knots (x ascending); kind says how they were found."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    kind: str = "isotonic"

    def apply(self, raw: F64) -> F64:
        return clip(np.interp(raw, self.x, self.y))

    def document(self) -> dict[str, object]:
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}


Calibrator = Sigmoid | Isotonic


@dataclass(frozen=True)
class Spread:
    """How far the truth may lie from a probability: standard deviation in log-odds at its level.

    Refits tell what other leads would have taught; what no refit can see, since all of them overlook it, is as large
    again in simulated markets: their deviation is taken WIDER times.
    """

    level: tuple[float, ...]
    deviation: tuple[float, ...]

    @cached_property
    def _curve(self) -> tuple[F64, F64]:
        return np.array(self.level), np.array(self.deviation)

    def bounds(self, probability: F64) -> tuple[F64, F64]:
        """The 90 % interval around each probability, inside the allowed range.

        A probability is the mean of what the truth may be. Log-odds of deviation s whose mean probability is p have
        their middle at logit(p) - (1 - 2 p) s**2 / 2 (the delta method), so that the interval lies lower where p is small.
        """
        centre = logit(probability)
        s = np.interp(centre, *self._curve)
        middle = centre - (1.0 - 2.0 * probability) * s**2 / 2.0
        low, high = clip(expit(middle - Z90 * s)), clip(expit(middle + Z90 * s))
        return np.minimum(low, probability), np.maximum(high, probability)

    @staticmethod
    def of(centre: F64, refits: F64, bins: int = 20) -> Spread:
        """From calibrated log-odds (n,) and those of B refits (B, n): root mean square distance in equal-count bins."""
        distance = ((refits - centre) ** 2).mean(axis=0)
        parts = [p for p in np.array_split(np.argsort(centre, kind="stable"), bins) if len(p)]
        level = [float(centre[p].mean()) for p in parts]
        deviation = [WIDER * float(np.sqrt(distance[p].mean())) for p in parts]
        keep = [i for i in range(len(level)) if i == 0 or level[i] > level[i - 1]]
        return Spread(tuple(level[i] for i in keep), tuple(deviation[i] for i in keep))


def fit_sigmoid(raw: F64, label: F64, weight: F64) -> Sigmoid:
    """Maximum likelihood by Newton's method with halved steps, on Platt's softened targets against overconfidence.

    Parameters are held-out log-odds, labels and weights, all (n,). Where the log-odds rank backwards the map is
    (all but) constant at the base rate: order is never turned round.
    """
    positives, negatives = float(weight[label == 1].sum()), float(weight[label == 0].sum())
    target = np.where(label == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([raw, np.ones(len(raw))])
    theta = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(100):
        step = _newton_step(theta, design, target, weight)
        theta = theta + step
        if float(np.abs(step).max()) < 1e-10:
            break
    if theta[0] >= _FLATTEST:
        return Sigmoid(float(theta[0]), float(theta[1]))
    base = np.average(target, weights=weight)
    return Sigmoid(_FLATTEST, float(np.log(base / (1 - base)) - _FLATTEST * np.average(raw, weights=weight)))


def _newton_step(theta: F64, design: F64, target: F64, weight: F64) -> F64:
    """Newton's step, halved until the loss does not rise; zero where no step helps."""
    p = expit(design @ theta)
    curvature = (design * (weight * p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
    step = np.asarray(np.linalg.solve(curvature, design.T @ (weight * (target - p))), dtype=np.float64)
    before = _loss(theta, design, target, weight)
    for _ in range(40):
        if _loss(theta + step, design, target, weight) <= before:
            return step
        step = step / 2
    return np.zeros(2)


def _loss(theta: F64, design: F64, target: F64, weight: F64) -> float:
    z = design @ theta
    return float(weight @ (np.logaddexp(0.0, z) - target * z))


def fit_isotonic(raw: F64, label: F64, weight: F64, prior: float = 20.0) -> Isotonic:
    """Isotonic regression of the label on a score, each step shrunk to the base rate by `prior` pseudo-rows."""
    from sklearn.isotonic import IsotonicRegression

    base = float(np.average(label, weights=weight))
    x, place = np.unique(raw, return_inverse=True)
    rows = np.bincount(place, weights=weight)
    hits = np.bincount(place, weights=weight * label)
    model = IsotonicRegression(out_of_bounds="clip").fit(x, (hits + prior * base) / (rows + prior), rows + prior)
    return Isotonic(tuple(x.tolist()), tuple(model.predict(x).tolist()))


def to_json(calibrator: Calibrator, points: Isotonic | None, spread: Spread | None) -> str:
    """`calibrator.json` of a bundle."""
    document = {
        "model": calibrator.document(),
        "points": points.document() if points else None,
        "spread": {"level": list(spread.level), "deviation": list(spread.deviation)} if spread else None,
    }
    return json.dumps(document, indent=1)


def from_json(text: str) -> tuple[Calibrator, Isotonic | None, Spread | None]:
    d = json.loads(text)
    spread = d["spread"] and Spread(tuple(d["spread"]["level"]), tuple(d["spread"]["deviation"]))
    points = d["points"] and Isotonic(tuple(d["points"]["x"]), tuple(d["points"]["y"]))
    model = d["model"]
    if model["kind"] == "sigmoid":
        return Sigmoid(model["a"], model["b"]), points or None, spread or None
    return Isotonic(tuple(model["x"]), tuple(model["y"]), model["kind"]), points or None, spread or None
