"""The landmark: the moment at which the paths of all are taken, so that all have had the same chance to walk them.

    visit    the end of the visit in which the clock started: half an hour after its last event
    7        so many days after the clock started
    step:3   when so many steps of the path were made; who made fewer is not in it

The clock of a lead starts when it can first be looked at, that of a visitor with its first visit. Whoever converted, or
was lost, before the landmark is not in it either. A landmark never depends on what comes after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import UsageError
from data.records import DAY
from data.spans import FOREVER
from features.arrays import differs, highest_of_each, rows_where
from features.journeys import SESSION_GAP, Journeys

I64 = NDArray[np.int64]
MAX_STEPS = 5
AT_CONVERSION = ("conversion", "converted", "purchase", "won", "cut")
WHY_NOT = (
    "Paths cut at the conversion compare what buyers saw in their short time with what others saw in all of theirs: even "
    "where purchases are drawn by lot, long paths then show lifts below 1."
)


@dataclass(frozen=True)
class Landmark:
    """number: days, or steps; 0 for the visit."""

    kind: Literal["visit", "day", "step"]
    number: int = 0

    @staticmethod
    def parse(text: str) -> Landmark:
        """From `visit`, days such as `7`, or `step:3`.

        Raises
        ------
        UsageError
            for anything else; for the conversion with the reason why.
        """
        word = text.strip().lower()
        if word in AT_CONVERSION:
            raise UsageError(f"--landmark: a path cannot be cut at the conversion. {WHY_NOT} Use visit, 7 or step:3.")
        if word == "visit":
            return Landmark("visit")
        kind, _, number = word.rpartition(":")
        if kind in ("", "step") and number.isdecimal() and (not kind or 1 <= int(number) <= MAX_STEPS):
            return Landmark("step" if kind else "day", int(number))
        raise UsageError(
            f"--landmark: expected visit, a number of days such as 7, or step:1 to step:{MAX_STEPS}, got {text!r}."
        )

    @property
    def text(self) -> str:
        return "the first visit" if self.kind == "visit" else f"{self.kind} {self.number}"


DAY_7 = Landmark("day", 7)


def moments(landmark: Landmark, start: I64, journeys: Journeys, steps: tuple[I64, I64]) -> I64:
    """The landmark of each person, us, (n,); FOREVER where it was not reached.

    start (n,): when each clock starts, FOREVER = it never does. journeys: all that is known of them now. steps: person
    and time of each step, by both.
    """
    if landmark.kind == "day":
        at = start + landmark.number * DAY
    elif landmark.kind == "visit":
        at = np.maximum(start, _visit_ends(start, journeys) + SESSION_GAP)
    else:
        at = np.maximum(start, _made(steps, landmark.number, len(start)))
    return np.where(start == FOREVER, FOREVER, at)


def visit_ends(j: Journeys) -> I64:
    """The last event of each visit, us, (sessions,)."""
    web = rows_where(j.session >= 0)
    ends = np.zeros(len(j.session_starts), dtype=np.int64)
    np.maximum.at(ends, j.session[web], j.time[web])
    return ends


def _visit_ends(start: I64, j: Journeys) -> I64:
    """When the last visit begun by `start` ended, (n,); long ago where there is none."""
    begun = rows_where(j.time[j.session_starts] <= start[j.session_segment])
    last = highest_of_each(j.session_segment[begun], begun, len(start))
    return np.append(visit_ends(j), 0)[last]  # -1, no visit, finds the 0


def _made(steps: tuple[I64, I64], number: int, n: int) -> I64:
    """Just after each person made so many steps; FOREVER where it has not."""
    person, time = steps
    first = rows_where(differs(person))
    place = np.arange(len(person)) - np.repeat(first, np.diff(np.append(first, len(person))))
    made, at = rows_where(place == number - 1), np.full(n, FOREVER, dtype=np.int64)
    at[person[made]] = time[made] + 1
    return at
