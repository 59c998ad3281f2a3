"""What is rising: people who saw each content in a period against the one before, and against how all people changed.

    change   people now over people before: the share of now in both, a Wilson interval on it, carried over
    beyond   change over that of all people: what a site that grows as a whole does to every page is no news
    claimed  exact p for a change like that of the others, at a false-discovery rate of LEVEL over all contents

A person who came in both periods counts in both, which makes the intervals rather too wide than too narrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.groups import plain
from training.intervals import LEVEL, discoveries, exact_p, rate, wilson
from training.number_figures import LEAST

FEWEST = 20  # people in both periods together, of a row


@dataclass(frozen=True)
class RisingRow:
    """One content. people_before, change and its 95 % interval; beyond: change over that of all; infinity where nobody saw
    it before. p, q; claimed: q at most LEVEL."""

    content: str
    people: int
    people_before: int
    change: float
    low: float
    high: float
    beyond: float
    p: float
    q: float
    claimed: bool

    @property
    def verdict(self) -> str:
        """rising, falling, or nothing beyond chance."""
        return ("rising" if self.beyond > 1 else "falling") if self.claimed else ""

    def document(self) -> dict[str, Any]:
        return plain(vars(self) | {"verdict": self.verdict})


def rising_rows(people: Mapping[str, tuple[int, ...]], everybody: int, everybody_before: int) -> tuple[RisingRow, ...]:
    """A row for each content that FEWEST people saw, the lower bound of the change first.

    people: of each content, in the period and in the one before. In neither are 1 to 4 people shown.
    """
    kept = {c: n for c, n in people.items() if sum(n) >= FEWEST and not any(0 < k < LEAST for k in n)}
    if not kept or not everybody_before:
        return ()
    now, before = (np.array([n[i] for n in kept.values()], dtype=np.int64) for i in (0, 1))
    share, bounds = rate(now, now + before), wilson(now, now + before)
    with np.errstate(divide="ignore"):
        change, low, high = (s / (1 - s) for s in (share, *bounds))
    p = exact_p(now, now + before, everybody, everybody + everybody_before)
    q = discoveries(p)
    site = everybody / everybody_before
    beyond = change / site if site else np.full(len(p), np.nan)
    columns = (now, before, change, low, high, beyond, p, q, q <= LEVEL)
    rows = [RisingRow(c, *r) for c, r in zip(kept, zip(*(c.tolist() for c in columns), strict=True), strict=True)]
    return tuple(sorted(rows, key=lambda r: (-r.low, r.content)))
