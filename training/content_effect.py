"""Do people who saw a content convert more than people who did not?

    with, without   rates by the landmark, and their difference: who sees much sees every page, and converts anyway
    ratio           how many times as often people with it convert, all else held equal: every other content, steps made,
                    days with views, time on pages, and the channel they came by

The ratio is a Poisson regression of whether people convert, with errors that hold for yes and no (Zou 2004). A popular
page that does nothing has a high rate and a ratio of about 1. Claims are at a false-discovery rate of LEVEL. Associated
with, not caused by: what is not recorded is not held equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where, sorted_distinct
from features.channels import CHANNELS
from training.calibration import Z95
from training.content_paths import ASSOCIATED
from training.groups import plain
from training.intervals import LEVEL, difference, discoveries, rate, wilson
from training.trails import Trails

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
EXPECTED = 10.0  # fewest conversions to be expected with and without a content, were both alike
MOST_CONTENTS, MOST_PEOPLE = 60, 200_000  # that the regression looks at: the most seen, and an even share of the people
PENALTY = 1.0  # as in path_order: a column that says nothing must not make a fit impossible
BLOCK = 50_000


@dataclass(frozen=True)
class EffectRow:
    """One content. Rates with Wilson intervals; difference: rate with it less rate without; ratio: all else held equal.
    95 % intervals. ratio, p and q are NaN where there are too few conversions to tell; claimed: q at most LEVEL."""

    content: str
    people_with: int
    conversions_with: int
    rate_with: float
    low_with: float
    high_with: float
    people_without: int
    conversions_without: int
    rate_without: float
    low_without: float
    high_without: float
    difference: float
    difference_low: float
    difference_high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    p: float
    q: float
    claimed: bool
    note: str = ASSOCIATED

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


def effect_rows(trails: Trails, support: int = 30) -> tuple[EffectRow, ...]:
    """A row for each content that at least `support` people saw, by lower bound of the ratio; those of which too little is
    known come last, by lower bound of the rate."""
    pairs = _seen(trails)
    content, person = pairs % len(trails.names) if len(pairs) else pairs, pairs // max(len(trails.names), 1)
    people = np.bincount(content, minlength=len(trails.names))
    hits = np.bincount(content, trails.label[person], len(trails.names)).astype(np.int64)
    kept = rows_where(people >= max(support, 1))
    effect, error = _equal(trails, content, person, people)
    people, hits, effect, error = people[kept], hits[kept], effect[kept], error[kept]
    others, other_hits = len(trails) - people, trails.conversions - hits
    p = _two_sided(effect, error)
    q = discoveries(p)
    columns = (
        people, hits, rate(hits, people), *wilson(hits, people),
        others, other_hits, rate(other_hits, others), *wilson(other_hits, others),
        *difference(hits, people, other_hits, others),
        *(np.exp(np.clip(effect + z * error, -50, 50)) for z in (0.0, -Z95, Z95)), p, q, q <= LEVEL,
    )  # fmt: skip
    names = [trails.names[i] for i in kept.tolist()]
    rows = [EffectRow(n, *r) for n, r in zip(names, zip(*(c.tolist() for c in columns), strict=True), strict=True)]
    return tuple(sorted(rows, key=_order))


def _order(row: EffectRow) -> tuple[bool, float, str]:
    unknown = bool(np.isnan(row.ratio_low))
    return unknown, -(row.low_with if unknown else row.ratio_low), row.content


def _two_sided(effect: F64, error: F64) -> F64:
    from scipy.stats import norm

    return np.asarray(2 * norm.sf(np.abs(effect / error)))


def _seen(trails: Trails) -> I64:
    """person * contents + content of each pair of a person and a content it saw, ascending."""
    pairs: I64 = trails.person * len(trails.names) + trails.step
    return sorted_distinct(pairs)[0]


# -- all else held equal ---------------------------------------------------------------------------------------------
def _equal(trails: Trails, content: I64, person: I64, people: I64) -> tuple[F64, F64]:
    """Log of the ratio of each content and its standard error; NaN where too little is known."""
    effect, error = np.full(len(people), np.nan), np.full(len(people), np.nan)
    sample = np.arange(0, len(trails), -(-len(trails) // MOST_PEOPLE))
    label = trails.label[sample]
    base = label.mean()
    due = np.minimum(people, len(trails) - people) * (len(sample) / len(trails)) * base
    able = rows_where(due >= EXPECTED)
    chosen = np.sort(able[np.argsort(-people[able], kind="stable")[:MOST_CONTENTS]])
    if not len(chosen):
        return effect, error
    design = _Design.of(trails, sample, chosen, content, person)
    found, spread = _regression(design, label, float(np.log(base)))
    effect[chosen], error[chosen] = found[1 : len(chosen) + 1], spread[1 : len(chosen) + 1]
    return effect, error


@dataclass(frozen=True)
class _Design:
    """What the regression sees of n people: seen (n, K) and held (n, h), in standard units."""

    seen: NDArray[np.bool_]
    held: F64

    @staticmethod
    def of(trails: Trails, sample: I64, chosen: I64, content: I64, person: I64) -> _Design:
        row, column = np.full(len(trails), -1, dtype=np.int64), np.full(len(trails.names), -1, dtype=np.int64)
        row[sample], column[chosen] = np.arange(len(sample)), np.arange(len(chosen))
        both = rows_where((row[person] >= 0) & (column[content] >= 0))
        seen = np.zeros((len(sample), len(chosen)), dtype=np.bool_)
        seen[row[person[both]], column[content[both]]] = True
        return _Design(seen, _held(trails, sample))

    @property
    def width(self) -> int:
        return 1 + len(self.seen.T) + len(self.held.T)

    def blocks(self) -> Iterator[tuple[slice, F64]]:
        """(rows, their columns: 1, the contents, what is held equal) block by block."""
        for start in range(0, len(self.seen), BLOCK):
            rows = slice(start, min(start + BLOCK, len(self.seen)))
            ones = np.ones((rows.stop - start, 1))
            yield rows, np.concatenate([ones, self.seen[rows], self.held[rows]], axis=1)


def _held(trails: Trails, sample: I64) -> F64:
    """Steps, days with views, minutes and channels, (n, 4 + channels) in standard units; a constant column is 0."""
    channel, minutes = trails.channel[sample], trails.dwell[sample] / 60
    length = np.log1p(trails.length[sample].astype(np.float64))
    columns = [length, length**2, np.log1p(trails.active[sample]), np.log1p(np.nan_to_num(minutes))]
    columns += [(channel == c).astype(np.float64) for c in range(len(CHANNELS))]
    table = np.column_stack(columns)
    scale = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(scale > 1e-9, scale, np.inf))


def _regression(design: _Design, label: F64, base: float) -> tuple[F64, F64]:
    """Coefficients of a Poisson regression by Newton's method and their robust standard errors, (1 + K + h,) each."""
    penalty = np.full(design.width, PENALTY)
    penalty[0] = 1e-6
    beta = np.zeros(design.width)
    beta[0] = base
    for _ in range(30):
        information, slope, _ = _sums(design, label, beta)
        information += np.diag(penalty)
        slope -= penalty * beta
        step = np.linalg.solve(information, slope)
        beta += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if step @ slope < 1e-3:  # twice what was left to gain in log-likelihood
            break
    information, _, scatter = _sums(design, label, beta, scattered=True)
    inverse = np.linalg.inv(information + np.diag(penalty))
    return beta, np.sqrt(np.diag(inverse @ scatter @ inverse))


def _sums(design: _Design, label: F64, beta: F64, scattered: bool = False) -> tuple[F64, F64, F64]:
    """Information, slope of the log-likelihood and, where asked for, the scatter of its parts."""
    width = design.width
    information, slope, scatter = np.zeros((width, width)), np.zeros(width), np.zeros((width, width))
    for rows, x in design.blocks():
        expected = np.exp(np.clip(x @ beta, -30, 5))
        off = label[rows] - expected
        slope += x.T @ off
        information += (x * expected[:, None]).T @ x
        if scattered:
            scatter += (x * (off**2)[:, None]).T @ x
    return information, slope, scatter
