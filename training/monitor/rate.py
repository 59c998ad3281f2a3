"""A moved base rate: conversions of open leads in the last weeks against those that leads of the same ages had before.

Labels need a month and more to mature; this does not wait for them. Each day a lead is open it may convert; how often
leads of its age did in earlier stretches says how many conversions to expect now.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.records import DAY, NULL_TIME
from training.monitor.alarm import Alarm, figure, percent
from training.monitor.noise import least, tails
from training.periods import day
from training.snapshots import FOREVER, LOST, conversions_of

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

AGES = np.array([0, 3, 7, 14, 28, 56, 91, 182], dtype=np.int64) * DAY
LENGTHS = (7, 14, 28)  # days of the stretch that is judged
STRETCHES, FEWEST_STRETCHES = 6, 3  # earlier ones of the same length
FEWEST = 8.0  # conversions to expect
LOW, HIGH = 0.6, 1.6
FLOOR = 0.10  # stretches of a healthy market differ by this share
MONTH = 30
WORST_LEFT_OUT = 1.5  # the mean of squares without the largest of five or six is a third too small


@dataclass(frozen=True)
class Lives:
    """When leads came, converted first (FOREVER = not) and were lost first, us, (n,)."""

    created: I64
    converted: I64
    lost: I64

    @staticmethod
    def of(people: People, target: str, now: int) -> Lives:
        """As known before a moment; people without creation time or created later are left out."""
        made = conversions_of(people.outcomes, target, now)
        lost = conversions_of(people.outcomes, LOST, now)
        there = (people.created_at != NULL_TIME) & (people.created_at < now)
        first = [np.full(len(people), FOREVER, dtype=np.int64) for _ in range(2)]
        np.minimum.at(first[0], made.lead, made.at)
        np.minimum.at(first[1], lost.lead, lost.at)
        return Lives(people.created_at[there], first[0][there], first[1][there])

    @staticmethod
    def joined(parts: Iterable[Lives]) -> Lives:
        held = list(parts)
        empty = np.zeros(0, dtype=np.int64)
        return Lives(
            *(np.concatenate([empty, *(getattr(p, n) for p in held)]) for n in ("created", "converted", "lost"))
        )

    def stretch(self, start: int, end: int) -> tuple[F64, F64]:
        """Lead-days that were open, and first conversions, by age, in [start, end)."""
        gone = np.minimum(self.converted, self.lost)
        days, made = np.zeros(len(AGES) - 1), np.zeros(len(AGES) - 1)
        won = (self.converted >= start) & (self.converted < end) & (self.converted <= self.lost)
        for i, (young, old) in enumerate(zip(AGES[:-1].tolist(), AGES[1:].tolist(), strict=True)):
            first = np.maximum(self.created + young, start)
            last = np.minimum(np.minimum(self.created + old, gone), end)
            days[i] = float(np.maximum(last - first, 0).sum()) / DAY
            age = self.converted[won] - self.created[won]
            made[i] = float(((age >= young) & (age < old)).sum())
        return days, made


@dataclass(frozen=True)
class Rate:
    """The last `length` days: conversions, those to expect, and the chances of conversion in a month then and before."""

    length: int
    end: int
    observed: float
    expected: float
    now: float
    before: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        return self.observed / self.expected

    def document(self) -> dict[str, float]:
        return {"days": self.length, "observed": self.observed, "expected": round(self.expected, 2),
                "rate": round(self.now, 5), "rate_before": round(self.before, 5)}  # fmt: skip


def rates_of(lives: Lives, end: int) -> list[Rate]:
    """One for each length that has enough behind it. end: until when outcomes are known, us."""
    begin = int(lives.created.min()) if len(lives.created) else end
    found = [_rate(lives, end, length, begin) for length in LENGTHS]
    return [r for r in found if r is not None]


def _rate(lives: Lives, end: int, length: int, begin: int) -> Rate | None:
    size = length * DAY
    starts = [end - (k + 1) * size for k in range(STRETCHES + 1) if end - (k + 1) * size >= begin]
    if len(starts) <= FEWEST_STRETCHES:
        return None
    days, made = (np.array(x) for x in zip(*(lives.stretch(s, s + size) for s in starts), strict=True))
    hazard = (made[1:].sum(axis=0) + 1e-9) / (days[1:].sum(axis=0) + 1e-9)
    expected, observed = days @ hazard, made.sum(axis=1)
    mean, known = float(expected[0]), float(made[1:].sum())
    if mean < FEWEST:
        return None
    odd = np.sort((observed[1:] - expected[1:]) ** 2 / np.maximum(expected[1:], 1e-9))
    over = max(1.0, WORST_LEFT_OUT * float(odd[:-1].mean()))
    variance = mean * over + (FLOOR * mean) ** 2 + mean**2 / max(known, 1.0)
    counted, a_month = float(observed[0]), MONTH / max(float(days[0].sum()), 1e-9)
    return Rate(length, end, counted, mean, counted * a_month, mean * a_month, *tails(counted, mean, variance))


def rate_alarms(rates: list[Rate], target: str) -> list[Alarm]:
    """One at most, of the length that shows it best."""
    tests = [(r, p, side) for r in rates for p, side in ((r.low, "low"), (r.high, "high"))]
    stands = least([p for _, p, _ in tests])
    odd = [
        (p, r)
        for (r, p, side), out in zip(tests, stands, strict=True)
        if out and (r.ratio <= LOW if side == "low" else r.ratio >= HIGH)
    ]
    if not odd:
        return []
    p, rate = min(odd, key=lambda o: o[0])
    since = rate.end - rate.length * DAY
    says = (f"base rate {percent(rate.now)} a month of an open lead against {percent(rate.before)}: {figure(rate.observed)} "
            f"{target} in the {rate.length} days since {day(since)}, where {figure(rate.expected)} were to expect")  # fmt: skip
    remedy = "did the definition, the export or the market change? Probabilities are off until a training knows it"
    return [Alarm("base_rate", says, remedy, target, "base_rate", since, rate.document(), p)]
