"""How far counts stray from week to week when nothing is wrong, and when a day is further away than that.

A series holds counts by age in days: place 0 are the 24 hours before the moment of asking, place 7 the same weekday and
the same hours a week earlier. The last 1 to 7 days are compared with the same days of the eight weeks before. Their
own scatter, in days and in weeks, widens the Poisson law (negative binomial); a floor stands for what eight weeks
cannot show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

WEEKS = 8  # weeks to compare with
DAYS = 7 * (WEEKS + 1)
WINDOWS = (1, 2, 3, 5, 7)
FEWEST_WEEKS = 4
FLOOR = 0.10  # weeks of a healthy market differ by this share, however many events they have
RATE = 1e-4  # share of false alarms among alarms that is accepted, see `least`
_CHI2_MEDIAN = 0.4549  # of a squared standard normal


@dataclass(frozen=True)
class Level:
    """The last `window` days of a series against the weeks before: counts, and how likely noise goes as low or high."""

    window: int
    now: float
    before: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        return self.now / self.before if self.before > 0 else np.inf


def weeks(counts: I64 | F64, window: int, span: int) -> F64:
    """The same days of the earlier weeks that the records reach back to, latest first; `span`: days they reach back."""
    known = [i for i in range(1, WEEKS + 1) if 7 * i + window <= span]
    return np.array([counts[7 * i : 7 * i + window].sum() for i in known], dtype=np.float64)


def middle(values: F64) -> float:
    """The mean of the middle half: two bad weeks on either side do not move it."""
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())


def level(counts: I64 | F64, window: int, span: int) -> Level | None:
    """Where the last `window` days stand; None where fewer than four weeks are known."""
    earlier = weeks(counts, window, span)
    if len(earlier) < FEWEST_WEEKS:
        return None
    before, now = middle(earlier), float(counts[:window].sum())
    if before <= 0:
        return Level(window, now, 0.0, 1.0, 1.0)
    over = max(1.0, _by_day(counts, span), _by_week(earlier, before))
    variance = before * over * (1 + 2 / len(earlier)) + (FLOOR * before) ** 2
    return Level(window, now, before, *tails(now, before, variance))


def tails(now: float, mean: float, variance: float) -> tuple[float, float]:
    """The chance of `now` or less, and of `now` or more, of counts with this mean and a variance above it."""
    size = mean**2 / max(variance - mean, 1e-9 * mean)
    share = size / (size + mean)
    return float(betainc(size, now + 1, share)), float(betainc(now, size, 1 - share)) if now > 0 else 1.0


def at_least(k: int, n: int, share: float) -> float:
    """The chance of k or more of n, each with this chance (binomial)."""
    return float(betainc(k, n - k + 1, share)) if k > 0 else 1.0


def _by_day(counts: I64 | F64, span: int) -> float:
    """Variance over mean of single days around their weekday's middle, by the median: one bad week does not count."""
    full = min(span, DAYS) // 7
    days = np.asarray(counts[7 : 7 * full], dtype=np.float64).reshape(-1, 7)
    if len(days) < FEWEST_WEEKS:
        return 1.0
    usual = np.median(days, axis=0)
    busy = usual >= 1
    if not busy.any():
        return 1.0
    return float(np.median((days[:, busy] - usual[busy]) ** 2 / usual[busy])) / _CHI2_MEDIAN


def _by_week(earlier: F64, mean: float) -> float:
    """The same of whole windows, by the distance of the quartiles."""
    low, high = np.quantile(earlier, [0.25, 0.75])
    return float(((high - low) / 1.349) ** 2 / mean)


def least(p: list[float], rate: float = RATE) -> list[bool]:
    """Which of many tests stand out, so that of those at most `rate` are expected to be noise (Benjamini, Hochberg 1995)."""
    order = np.argsort(p)
    passed = np.flatnonzero(np.asarray(p)[order] <= rate * np.arange(1, len(p) + 1) / max(len(p), 1))
    out = np.zeros(len(p), dtype=np.bool_)
    out[order[: passed[-1] + 1 if len(passed) else 0]] = True
    return [bool(o) for o in out]


def run_of(odd: NDArray[np.bool_], silent: NDArray[np.bool_]) -> int:
    """How many days, from the last one back, are odd without a break; silent days, that say nothing, break nothing."""
    length = 0
    for i in range(len(odd)):
        if odd[i]:
            length = i + 1
        elif not silent[i]:
            break
    return max(length, 1)
