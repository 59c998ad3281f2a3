"""Which value model errs least, and its fit: shrunken means of segments, or trees of the log value.

The choice is made on training leads alone: each kind learns from the earlier conversions and answers for the later ones.
The error is the Poisson deviance, which the mean minimises (Gneiting, Making and Evaluating Point Forecasts, 2011) and
which large deals do not rule alone. The chosen kind then learns from all rows of the release.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.assemble import Frame
from training.value import ENOUGH, Kind, Value, bands
from training.work import Work

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

LATER = 0.3  # share of the conversions that the kinds are compared on
SHRINK = 20.0  # rows of the overall mean that every segment starts with
BANDS = 5
SPREAD_ROWS = 500
_TREES = {
    "objective": "regression", "learning_rate": 0.15, "num_leaves": 7, "max_depth": 3, "min_data_in_leaf": 20,
    "lambda_l2": 1.0, "deterministic": True, "force_row_wise": True, "verbosity": -1, "feature_pre_filter": False,
}  # fmt: skip
_ROUNDS = 33


@dataclass(frozen=True)
class Won:
    """Conversions with a known value: features (n, k) at the last look before each, minor units, time, lead hash."""

    columns: tuple[str, ...]
    values: F64
    minor: F64
    at: I64
    hashes: F64

    def __len__(self) -> int:
        return len(self.minor)

    def take(self, rows: I64) -> Won:
        return Won(self.columns, self.values[rows], self.minor[rows], self.at[rows], self.hashes[rows])


def value_model(work: Work, refit: I64) -> Value:
    """The value model of a release that is fitted on the rows `refit`; chosen on the training rows of the last turn."""
    seed, threads = work.request.seed, work.settings.training.threads
    known = work.frame.won_values[np.isin(work.frame.won_hashes, np.unique(work.frame.hashes[refit]))]
    plain = Value("mean", len(known), float(known.mean()) if len(known) else 0.0)
    won = won_of(work, refit)
    if len(known) < ENOUGH or len(won) < ENOUGH:
        return plain
    errors = errors_of(won_of(work, work.split.turns[-1].train), seed, threads)
    kind = min(errors, key=errors.__getitem__) if errors else "mean"  # the plainer one where they are equal
    chosen = plain if kind == "mean" else replace(fit(kind, won, seed, threads), count=len(known))
    log_sd = spread_of(kind, won, work.settings.training.refits, seed, threads)
    return replace(chosen, log_sd=log_sd, errors={str(k): e for k, e in errors.items()})


def won_of(work: Work, rows: I64) -> Won:
    """Valued conversions with a look among these rows whose horizon they fall into; the last such look counts."""
    frame, horizon = work.frame, work.question.policy.horizon
    rows = np.sort(rows[frame.label[rows] == 1])
    at, place = _last_looks(frame, rows, horizon)
    return Won(
        work.table.feature_set.columns, np.ascontiguousarray(work.table.values[at]), frame.won_values[place],
        frame.won_at[place], frame.won_hashes[place],
    )  # fmt: skip


def _last_looks(frame: Frame, rows: I64, horizon: int) -> tuple[I64, I64]:
    """(row of the frame, number of the conversion) of each valued conversion that has a look."""
    lead, as_of = frame.lead[rows], frame.as_of[rows]
    found = []
    for i, (who, when) in enumerate(zip(frame.won_lead.tolist(), frame.won_at.tolist(), strict=True)):
        first, last = np.searchsorted(lead, [who, who + 1])
        k = first + int(np.searchsorted(as_of[first:last], when, side="right")) - 1
        if k >= first and when < as_of[k] + horizon:
            found.append((int(rows[k]), i))
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


# -- the choice ------------------------------------------------------------------------------------------------
def errors_of(won: Won, seed: int, threads: int) -> dict[Kind, float]:
    """Mean deviance of each kind on the later conversions, plainest kind first; empty where there are too few."""
    order = np.lexsort((won.hashes, won.at))
    cut = round((1 - LATER) * len(won))
    earlier, later = won.take(order[:cut]), won.take(order[cut:])
    if len(earlier) < ENOUGH or not len(later):
        return {}
    kinds: tuple[Kind, ...] = ("mean", "segments", "boosted") if (won.minor > 0).all() else ("mean", "segments")
    fitted = {kind: fit(kind, earlier, seed, threads) for kind in kinds}
    return {kind: deviance(later.minor, one.of(won.columns, later.values)) for kind, one in fitted.items()}


def deviance(minor: F64, said: F64) -> float:
    """Mean Poisson deviance; values below 0 count as 0, answers below one minor unit as one."""
    y, mu = np.maximum(minor, 0.0), np.maximum(said, 1.0)
    log = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / mu), 0.0)
    return float(2 * (log - (y - mu)).mean())


def spread_of(kind: Kind, won: Won, refits: int, seed: int, threads: int) -> float:
    """Root mean square over rows of the standard deviation of log answers, over refits on resampled leads."""
    rng = np.random.default_rng(seed)
    rows = won.values[np.linspace(0, len(won) - 1, min(SPREAD_ROWS, len(won))).astype(np.int64)]
    leads, of_lead = np.unique(won.hashes, return_inverse=True)
    answers = []
    for _ in range(refits):
        times = np.bincount(rng.integers(0, len(leads), len(leads)), minlength=len(leads))[of_lead]
        again = fit(kind, won.take(np.repeat(np.arange(len(won)), times)), seed, threads)
        answers.append(np.log(np.maximum(again.of(won.columns, rows), 1.0)))
    return float(np.sqrt(np.var(np.array(answers), axis=0, ddof=1).mean()))


# -- the kinds -------------------------------------------------------------------------------------------------
def fit(kind: Kind, won: Won, seed: int, threads: int) -> Value:
    """One kind, learned from these conversions; `count` says that it answers."""
    return _FIT[kind](won, seed, threads)


def _mean(won: Won, seed: int, threads: int) -> Value:
    return Value("mean", max(len(won), ENOUGH), float(won.minor.mean()))


def _segments(won: Won, seed: int, threads: int) -> Value:
    """Means by bands of the feature that explains most, each shrunken to the mean of all by 20 rows."""
    logs = np.log1p(np.maximum(won.minor, 0.0))
    edges = [_edges(won.values[:, j]) for j in range(won.values.shape[1])]
    explained = [_explained(bands(won.values[:, j], e), logs, len(e) + 2) for j, e in enumerate(edges)]
    best = int(np.argmax(explained))
    band, n = bands(won.values[:, best], edges[best]), len(edges[best]) + 2
    overall = float(won.minor.mean())
    total, rows = np.bincount(band, weights=won.minor, minlength=n), np.bincount(band, minlength=n)
    means = (total + SHRINK * overall) / (rows + SHRINK)
    return Value("segments", max(len(won), ENOUGH), overall, column=won.columns[best], edges=tuple(edges[best].tolist()),
                 means=tuple(means.tolist()))  # fmt: skip


def _edges(values: F64) -> F64:
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(0)
    edges = np.unique(np.quantile(known, np.arange(1, BANDS) / BANDS))
    return np.asarray(edges[edges > known.min()], dtype=np.float64)


def _explained(band: I64, logs: F64, n: int) -> float:
    """Adjusted R squared of the log value by band: a feature of many bands is not better for having them."""
    rows = np.bincount(band, minlength=n)
    means = np.bincount(band, weights=logs, minlength=n) / np.maximum(rows, 1)
    used, whole = int((rows > 0).sum()), float(((logs - logs.mean()) ** 2).sum())
    if used < 2 or not whole or len(logs) <= used:
        return 0.0
    left = float(((logs - means[band]) ** 2).sum())
    return 1 - left / whole * (len(logs) - 1) / (len(logs) - used)


def _boosted(won: Won, seed: int, threads: int) -> Value:
    """Trees of the log value; smeared so that over the rows learned from the answers have the mean of the values."""
    import lightgbm as lgb

    data = lgb.Dataset(won.values, np.log(won.minor), free_raw_data=True)
    model = lgb.train(_TREES | {"seed": seed, "num_threads": threads}, data, num_boost_round=_ROUNDS)
    raw = Value("boosted", max(len(won), ENOUGH), float(won.minor.mean()), text=model.model_to_string())
    return replace(raw, smearing=float(won.minor.sum() / raw.of(won.columns, won.values).sum()))


_FIT: dict[Kind, Callable[[Won, int, int], Value]] = {"mean": _mean, "segments": _segments, "boosted": _boosted}
