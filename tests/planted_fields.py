"""A simulated market in which we draw by lot who buys, and what they answer in forms.

Most of those who buy within 30 days say so where a form asks for the state, few others do. What people say of their
country is drawn by lot, and says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.dataset import People
from data.records import DAY, Coded
from tests.planted_paths import Lot

PLANTED = "state"
SAY_SO, SAY_SO_TOO = 0.75, 0.1  # shares of soon buyers and of others


@dataclass(frozen=True)
class Telling(Lot):
    """`Lot`, whose buyers say so."""

    def _drawn(self, people: People) -> People:
        drawn, rng = super()._drawn(people), np.random.default_rng(self.seed)
        outcomes, soon = drawn.outcomes, np.zeros(len(people))
        soon[np.asarray(outcomes["lead"])] = outcomes["occurred_at"] < people.created_at[outcomes["lead"]] + 30 * DAY  # type: ignore[operator]
        says = rng.random(len(people)) < np.where(soon == 1, SAY_SO, SAY_SO_TOO)
        owner = np.asarray(people.leads["lead"])
        country = rng.integers(0, 3, len(people))[owner]
        told = {PLANTED: _texts(says[owner].astype(int)), "country": _texts(country)}
        return replace(drawn, leads={**people.leads, **told})


def _texts(codes: np.ndarray[Any, np.dtype[np.int64]]) -> Coded:
    return Coded(codes.astype(np.int32), ("no", "yes", "perhaps"))
