"""Changed units: numbers that are suddenly a thousand times as large, or a sixtieth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import DAY
from training.monitor.alarm import Alarm, figure, percent
from training.monitor.marks import Sizes, bins_of, size_at, size_of
from training.monitor.noise import at_least, least, run_of
from training.monitor.tally import Tally
from training.periods import day

I64 = NDArray[np.int64]

WINDOWS = (1, 2, 3, 7, 14)
FEWEST, FEWEST_BEFORE = 8, 50  # numbers outside now; numbers before
EDGE, BEYOND = 0.005, 3.0  # outside: that far beyond the size which only this share of the numbers exceeded before
SHARE = 0.1  # of the numbers now that must be outside
FACTOR = 8.0  # between the usual size and that of the numbers outside
_UNITS = {
    "dwell_seconds": {1000.0: "milliseconds", 1e6: "microseconds", 1 / 60: "minutes", 1 / 3600: "hours"},
    "value": {100.0: "a hundredth of the unit", 0.01: "whole units for minor ones"},
    "amount": {100.0: "a hundredth of the unit", 0.01: "whole units for minor ones"},
}


def unit_alarms(tally: Tally) -> list[Alarm]:
    """One alarm for each column at most."""
    tests = [(name, *t) for name, sizes in sorted(tally.sizes.items()) for t in _tests(sizes)]
    best: dict[str, tuple[str, int, bool, float]] = {}
    for test, out in zip(tests, least([t[-1] for t in tests]), strict=True):
        if out and (test[0] not in best or test[-1] < best[test[0]][-1]):
            best[test[0]] = test
    return [_alarm(tally, *test) for test in best.values()]


def _tests(sizes: Sizes) -> list[tuple[int, bool, float]]:
    """(window, upwards?, chance) where enough numbers lie where hardly any lay before."""
    out = []
    for window in WINDOWS:
        now, before = sizes.table[:window].sum(axis=0), sizes.table[window:].sum(axis=0)
        if now.sum() < FEWEST or before.sum() < FEWEST_BEFORE:
            continue
        for up in (True, False):
            outside = _outside(before, up)
            k, n = int(now[outside].sum()), int(now.sum())
            if k >= FEWEST and k / n >= SHARE and abs(_shift(now, before, outside)) >= bins_of(FACTOR):
                out.append((window, up, at_least(k, n, 0.02)))
    return out


def _outside(before: I64, up: bool) -> NDArray[np.bool_]:
    bins = np.arange(len(before))
    if up:
        return bins > size_at(before, 1 - EDGE) + bins_of(BEYOND)
    return bins < size_at(before, EDGE) - bins_of(BEYOND)


def _shift(now: I64, before: I64, outside: NDArray[np.bool_]) -> float:
    """Bins between the middle of the numbers before and of those outside now."""
    return size_at(np.where(outside, now, 0), 0.5) - size_at(before, 0.5)


def _alarm(tally: Tally, name: str, window: int, up: bool, p: float) -> Alarm:
    table = tally.sizes[name].table
    now, before = table[:window].sum(axis=0), table[window:].sum(axis=0)
    outside = _outside(before, up)
    usual, found = size_of(size_at(before, 0.5)), size_of(size_at(np.where(outside, now, 0), 0.5))
    share, factor = float(now[outside].sum() / now.sum()), found / usual
    daily = table[:28, outside].sum(axis=1) / np.maximum(table[:28].sum(axis=1), 1)
    since = tally.as_of - run_of(daily > share / 2, table[:28].sum(axis=1) < 2) * DAY
    says = (
        f"{name}: median {figure(found)} against {figure(usual)} in {percent(share)} of the numbers since {day(since)}"
    )
    numbers = {"median": found, "median_before": usual, "factor": factor, "share": round(share, 4), "days": window}
    return Alarm(
        "unit_change", says, f"{_unit(name, factor)}? Convert them at the import", name, name, since, numbers, p
    )


def _unit(name: str, factor: float) -> str:
    """The unit whose factor is nearest, within a factor of two; else only that it is another one."""
    known = _UNITS.get(name, {1000.0: "thousandths", 0.001: "thousands"})
    near = min(known, key=lambda k: abs(np.log(factor / k)))
    return known[near] if abs(np.log(factor / near)) < np.log(2) else "another unit"
