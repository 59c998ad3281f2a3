"""How sure a rate, a ratio or a difference of rates is. All of it on whole arrays: one value for each group.

    wilson        rate                            score interval (Wilson 1927)
    ratio         rate over another one           MOVER on two Wilson intervals (Donner and Zou 2012)
    lift          rate of a part over that of all ratio to the others, carried over: a part is no sample of its own
    difference    rate less another one           Newcombe's hybrid of two Wilson intervals (1998)
    exact_p       is a part like the others?      hypergeometric, both tails (Fisher 1934)
    discoveries   p with all of them in mind      Benjamini and Hochberg 1995

Exact tails rather than normal ones: of 30 people 1 or 2 convert, and there the normal curve finds what is not there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.arrays import rows_where
from training.calibration import Z95

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
LEVEL = 0.05  # false-discovery rate of what is claimed


def rate(hits: ArrayLike, n: ArrayLike) -> F64:
    """hits / n; NaN where n is 0."""
    hits, n = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    found: F64 = np.full(np.broadcast_shapes(hits.shape, n.shape), np.nan)
    np.divide(hits, n, out=found, where=n > 0)
    return found


def wilson(hits: ArrayLike, n: ArrayLike, z: float = Z95) -> tuple[F64, F64]:
    """The interval of a rate of `hits` in `n`, 95 % by default; 0 to 1 where n is 0."""
    hits, n = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    centre = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(hits * (n - hits) / np.maximum(n, 1) + z * z / 4)
    low, high = np.where(hits > 0, centre - half, 0.0), np.where(hits < n, centre + half, 1.0)
    return np.maximum(0.0, low), np.minimum(1.0, high)  # of none and of all exactly


def ratio(hits: ArrayLike, n: ArrayLike, other_hits: ArrayLike, other_n: ArrayLike) -> tuple[F64, F64, F64]:
    """(ratio, low, high) of the rate of one group over that of another; NaN where one of them is empty or none
    converts, infinity where no other converts."""
    p, q = rate(hits, n), rate(other_hits, other_n)
    (p_low, p_high), (q_low, q_high) = wilson(hits, n), wilson(other_hits, other_n)
    known = (p > 0) | (q > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        product = p * q
        least, most = p_low * (2 * p - p_low), p_high * (2 * p - p_high)
        low = least / (product + np.sqrt(np.maximum(product**2 - least * q_high * (2 * q - q_high), 0.0)))
        below = q_low * (2 * q - q_low)
        high = (product + np.sqrt(np.maximum(product**2 - most * below, 0.0))) / below
        found = [p / q, np.where(p > 0, low, 0.0), np.where(below > 0, high, np.inf)]
    first, second, third = (np.where(known, f, np.nan) for f in found)
    return first, second, third


def lift(hits: ArrayLike, n: ArrayLike, all_hits: float, all_n: float) -> tuple[F64, F64, F64]:
    """(lift, low, high): the rate of a part over that of all, the part included; NaN where nobody converts.

    With r = the rate over that of the others and w = the part's share of all, lift = r / (w r + 1 - w), which grows
    with r: so the interval of r gives that of the lift. The part that is all has a lift of 1.
    """
    hits, n = np.asarray(hits, dtype=np.float64), np.asarray(n, dtype=np.float64)
    share = n / all_n
    others = ratio(hits, n, all_hits - hits, all_n - n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found, low, high = (1.0 / (share + (1.0 - share) / r) for r in others)
    whole = (n == all_n) & (all_hits > 0)
    return np.where(whole, 1.0, found), np.where(whole, 1.0, low), np.where(whole, 1.0, high)


def difference(hits: ArrayLike, n: ArrayLike, other_hits: ArrayLike, other_n: ArrayLike) -> tuple[F64, F64, F64]:
    """(difference, low, high) of the rates of two groups; NaN where one of them is empty."""
    p, q = rate(hits, n), rate(other_hits, other_n)
    (p_low, p_high), (q_low, q_high) = wilson(hits, n), wilson(other_hits, other_n)
    return p - q, p - q - np.hypot(p - p_low, q_high - q), p - q + np.hypot(p_high - p, q - q_low)


def exact_p(hits: ArrayLike, n: ArrayLike, all_hits: int, all_n: int) -> F64:
    """How likely a part of `n` drawn by lot has conversions as far from the others' as `hits`, twice the nearer tail."""
    parts = np.broadcast_arrays(np.asarray(hits, dtype=np.int64), np.asarray(n, dtype=np.int64))
    logs = _log_factorials(1 << all_n.bit_length())
    found = [
        _nearer_tail(h, m, all_hits, all_n, logs) for h, m in zip(*(p.ravel().tolist() for p in parts), strict=True)
    ]
    return np.clip(2 * np.array(found, dtype=np.float64), 0.0, 1.0).reshape(parts[0].shape)


@lru_cache(maxsize=2)
def _log_factorials(most: int) -> F64:
    """Of 0 to most. Asked for powers of two, so that other choices of the same people find it ready."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])


def _nearer_tail(hits: int, n: int, all_hits: int, all_n: int, logs: F64) -> float:
    """The smaller of the chances of at most, and at least, so many hits (hypergeometric)."""
    k = np.arange(max(0, n - all_n + all_hits), min(n, all_hits) + 1)
    chance = np.exp(
        logs[all_hits] - logs[k] - logs[all_hits - k] + logs[all_n - all_hits] - logs[n - k]
        - logs[all_n - all_hits - n + k] - logs[all_n] + logs[n] + logs[all_n - n]
    )  # fmt: skip
    at = hits - int(k[0])
    return float(min(chance[: at + 1].sum(), chance[at:].sum()))


def discoveries(p: F64) -> F64:
    """p with all of them in mind: claiming those at most LEVEL keeps the share of false claims there. NaN stays."""
    q, known = np.full(len(p), np.nan), rows_where(~np.isnan(p))
    known = known[np.argsort(p[known], kind="stable")]
    scaled = p[known] * len(known) / np.arange(1, len(known) + 1)
    q[known] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def medians(group: I64, values: F64, n: int) -> F64:
    """The median of the known values of each of n groups; NaN where none is known."""
    group, values = _known(group, values)
    if (values[1:] < values[:-1]).any():
        order = np.argsort(values, kind="stable")
        group, values = group[order], values[order]
    small = np.uint16 if n < 2**16 else np.int64  # the narrow one sorts ten times as fast
    values = values[np.argsort(group.astype(small), kind="stable")]
    size = np.bincount(group, minlength=n)
    start = np.cumsum(size) - size
    found, some = np.full(n, np.nan), rows_where(size > 0)
    low, high = start[some] + (size[some] - 1) // 2, start[some] + size[some] // 2
    found[some] = (values[low] + values[high]) / 2
    return found


def means(group: I64, values: F64, n: int) -> F64:
    """The mean of the known values of each of n groups; NaN where none is known."""
    group, values = _known(group, values)
    return rate(np.bincount(group, values, n), np.bincount(group, minlength=n))


def _known(group: I64, values: F64) -> tuple[I64, F64]:
    """Without the rows whose value is not known; nothing is copied where all are."""
    known = ~np.isnan(values)
    return (group, values) if known.all() else (group[known], values[known])
