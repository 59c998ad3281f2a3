"""What came before, at one moment: earlier deals and losses of a person, and the other people of its account."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Past:
    """Of n (lead, as_of) pairs, each (n,) and never null but for first_contact_days.

    won: deals of this person that stood, its other records with the same address included. lost: its losses.
    people, active, departments, deals: other people of its account, those active in 28 days, their departments, and
    the deals won with them. first_contact_days: days since the first of them was known, NaN where there is none.
    """

    won: F64
    lost: F64
    people: F64
    active: F64
    departments: F64
    deals: F64
    first_contact_days: F64

    @staticmethod
    def none(n: int) -> Past:
        """Nothing came before."""
        zero = np.zeros(n)
        return Past(zero, zero, zero, zero, zero, zero, np.full(n, np.nan))

    def take(self, rows: I64) -> Past:
        return Past(*(getattr(self, f.name)[rows] for f in fields(self)))
