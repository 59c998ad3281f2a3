"""New defaults of a form, and fields it lost: one answer of new leads takes over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from data.records import DAY
from training.monitor.alarm import Alarm, percent, shown
from training.monitor.marks import Mark, Marks
from training.monitor.noise import DAYS, at_least, least, run_of
from training.monitor.tally import Tally
from training.periods import day

I64 = NDArray[np.int64]

WINDOWS = (1, 2, 3, 7, 14)
FEWEST, FEWEST_BEFORE = 8, 60  # leads with that answer now; leads before
RISE, FOLD = 0.2, 1.5  # by how much a share must rise: in points, and in proportion of what was not that answer or was
HIDDEN = ("company", "email_domain", "title")  # answers that may tell of one person are not shown


def field_alarms(tally: Tally) -> list[Alarm]:
    """One alarm for each field at most."""
    tests = [t for name, marks in sorted(tally.fields.items()) for t in _tests(name, marks)]
    stands = least([t[-1] for t in tests])
    best: dict[str, tuple[str, str, int, float]] = {}
    for test, out in zip(tests, stands, strict=True):
        if out and (test[0] not in best or test[-1] < best[test[0]][-1]):
            best[test[0]] = test
    return [_alarm(tally, *test) for test in best.values()]


def _tests(name: str, marks: Marks) -> list[tuple[str, str, int, float]]:
    """(field, answer, window, chance) where the answer's share rose enough to matter."""
    total, out = marks.total(), []
    for window in WINDOWS:
        n, before = int(total[:window].sum()), int(total[window:].sum())
        if n < FEWEST or before < FEWEST_BEFORE:
            continue
        for value, mark in marks.of.items():
            k, share = int(mark.counts[:window].sum()), int(mark.counts[window:].sum()) / before
            if k >= FEWEST and k / n >= share + RISE and k / n >= FOLD * share:
                out.append((name, value, window, at_least(k, n, _at_most(mark.counts, total, window))))
    return out


def _at_most(counts: I64, total: I64, window: int) -> float:
    """The share an answer may well have: the mean of the weeks before and twice their scatter, chance of counts included."""
    starts = range(window, DAYS - 6, 7)
    n = np.array([total[i : i + 7].sum() for i in starts], dtype=np.float64)
    k = np.array([counts[i : i + 7].sum() for i in starts], dtype=np.float64)
    share = (k.sum() + 1) / (n.sum() + 2)
    chance = share * (1 - share) / max(n.sum(), 1.0)
    known = n > 0
    between = (
        float(np.average((k[known] / n[known] - share) ** 2, weights=n[known]))
        - share * (1 - share) * known.sum() / n.sum()
    )
    return float(min(share + 2 * np.sqrt(chance + max(between, 0.0)) + 0.02, 0.99))


def _alarm(tally: Tally, name: str, value: str, window: int, p: float) -> Alarm:
    marks = tally.fields[name]
    total, mark = marks.total(), marks.of.get(value, Mark())
    n, k = int(total[:window].sum()), int(mark.counts[:window].sum())
    before = float(mark.counts[window:].sum() / total[window:].sum())
    shares = mark.counts / np.maximum(total, 1)
    since = tally.as_of - run_of(shares[:28] > (k / n + before) / 2, total[:28] < 2) * DAY
    numbers: dict[str, float | str] = {
        "share": round(k / n, 4),
        "share_before": round(before, 4),
        "leads": n,
        "days": window,
    }
    moved = f"from {percent(before)} to {percent(k / n)} of {n:,} new leads since {day(since)}"
    if value == "":
        return Alarm("lost_field", f"{name}: empty went {moved}", "did the form or the export lose the field?", name, name,
                     since, numbers, p)  # fmt: skip
    answer = "one answer" if name in HIDDEN else f"'{shown(value)}'"
    numbers |= {} if name in HIDDEN else {"value": shown(value)}
    return Alarm(
        "new_default", f"{name}: {answer} went {moved}", "the form's new default?", name, name, since, numbers, p
    )
