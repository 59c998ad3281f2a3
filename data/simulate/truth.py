"""The truth of a simulated market: the chance, known to nobody else, that a lead converts.

truth(lead, as_of) is the share of forward continuations from the state recorded at `as_of` that convert within
[as_of, as_of + 30 days) and are not cancelled within 14 days. The state comes from living through the market again
with its own seed; the continuations are driven by the same day step as the market was.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.errors import InputError
from data.records import DAY
from data.simulate.forward import CONTINUATIONS, chances
from data.simulate.market import FIRST_LOOK, People, draw_people
from data.simulate.run import Run, live
from data.simulate.state import F64, I64
from data.simulate.write import lead_numbers, read_market

HORIZON_DAYS = 30


def truth(path: Path, lead_ids: Sequence[str], as_of: I64, continuations: int = CONTINUATIONS, seed: int = 0) -> F64:
    """The chance of each (lead, as_of), float64 (n,) in [0, 1].

    A pair's answer depends on its lead's recorded state, its moment, `continuations` and `seed`, never on the other
    pairs. Its standard error is sqrt(p (1 - p) / continuations).

    Parameters
    ----------
    path
        a dataset made by `leadlift simulate`.
    as_of
        int64 (n,), us: a day boundary of the lead, created_at + 5 min + a whole number of days >= 0, not after the
        market's end.

    Returns
    -------
    F64
        NaN where the lead is not open at as_of (converted, or lost).

    Raises
    ------
    InputError
        for a dataset that is not a simulated market, an unknown lead, or a moment that is no boundary.
    """
    market, fingerprint = read_market(path)
    lead = lead_numbers(market, list(lead_ids))
    people = draw_people(market, market.streams()[0])
    day = boundary_days(people, lead, np.asarray(as_of, dtype=np.int64))
    run = live(market, lead, day)
    _check(run, fingerprint, path)
    return chances(run.states, day, lead, HORIZON_DAYS, continuations, seed)


def boundary_days(people: People, lead: I64, as_of: I64) -> I64:
    """The day that begins at each as_of; an as_of that is no boundary of its lead is an InputError."""
    since = as_of - people.created_at[lead] - FIRST_LOOK
    wrong = (since % DAY != 0) | (since < 0) | (as_of > people.market.end)
    if wrong.any():
        raise InputError.of(
            where=f"pair {int(np.argmax(wrong)) + 1}",
            expected="as_of = created_at + 5 min + whole days, not after the market's end", got="another moment",
            remedy="Ask at the lead's weekly snapshots.",
        )  # fmt: skip
    return people.birth[lead] + since // DAY


def _check(run: Run, fingerprint: str, path: Path) -> None:
    if run.fingerprint != fingerprint:
        raise InputError.of(
            where=str(path), expected="the market that its seed gives", got="another one",
            remedy="It was made by another version of Leadlift or NumPy: simulate it again.",
        )  # fmt: skip
