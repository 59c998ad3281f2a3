"""Forward continuations: what becomes of a recorded state, many times over."""

from __future__ import annotations

import numpy as np

from data.simulate.days import stays, step
from data.simulate.state import F64, I64, OPEN, State

CONTINUATIONS = 500


def chance(state: State, day: int, horizon: int, continuations: int, rng: np.random.Generator) -> float:
    """Share of continuations of one recorded state that convert and stay converted, in [0, 1].

    Parameters
    ----------
    state
        One row, as recorded when `day` begins.
    horizon
        Days that count: conversions on day .. day + horizon - 1. One that is cancelled within the cancellation window
        does not count; the continuation goes on and may convert again.
    """
    s = state.take(np.zeros(continuations, dtype=np.int64))
    won = 0
    for today in range(day, day + horizon):
        happened = step(s, today, rng)
        good = happened.converted[stays(happened.cancel_in)]
        won += len(good)
        if len(good):
            s = s.take(np.delete(np.arange(len(s)), good))
    return won / continuations


def chances(states: State, day: I64, key: I64, horizon: int, continuations: int, seed: int) -> F64:
    """`chance` of each row; NaN where the row is not an open lead.

    key: int64 (n,), what the draws of a row are seeded by beside `seed` and its day: a row's answer depends on
    nothing else in the call.
    """
    out = np.full(len(states), np.nan)
    for i in np.flatnonzero(states.status == OPEN).tolist():
        rng = np.random.default_rng(np.random.SeedSequence([seed, int(key[i]), int(day[i])]))
        out[i] = chance(states.take(np.array([i])), int(day[i]), horizon, continuations, rng)
    return out
