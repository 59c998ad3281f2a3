"""Rows of the report on gates: groups of people, how they differ, and what is said of it. Groups below LEAST people are
not told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.activation import LEAST
from training.groups import plain
from training.intervals import LEVEL, difference, exact_p, rate, wilson

I64 = NDArray[np.int64]
TURNS_AWAY, EARNS, UNTOLD = "turns buyers away", "earns its form", "cannot be told yet"
LEADS_ON, LOSES = "leads to later wins", "wins less than its like"
FEW, MAY_BE_ZERO = f"fewer than {LEAST} people on one side", "the difference may be 0"


@dataclass(frozen=True)
class Became:
    """Some people. leads: of them, those who were leads by the end of the horizon; hits: who converted in it, by any
    path; rate with its Wilson 95 % interval, NaN for nobody."""

    people: int
    leads: int
    hits: int
    rate: float
    low: float
    high: float

    @staticmethod
    def of(cells: I64) -> Became:
        """From counts (.., converted, became a lead)."""
        table = cells.reshape(-1, 2, 2).sum(axis=0)
        n, hits = int(table.sum()), int(table[1].sum())
        low, high = wilson(hits, n) if n else (np.nan, np.nan)
        return Became(n, int(table[:, 1].sum()), hits, float(rate(hits, n)), float(low), float(high))

    def document(self) -> dict[str, Any]:
        return plain(vars(self))

    @property
    def small(self) -> bool:
        """Too few people to be shown."""
        return 0 < self.people < LEAST


@dataclass(frozen=True)
class Difference:
    """A rate less the one beside it, 95 % interval; p: exact; q: with all rows in mind; NaN where a side is too small.
    why: the verdict is that it cannot be told, or empty."""

    difference: float = np.nan
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    q: float = np.nan
    verdict: str = UNTOLD
    why: str = FEW

    @staticmethod
    def of(one: Became, other: Became) -> Difference:
        if min(one.people, other.people) < LEAST:
            return Difference()
        more, low, high = difference(one.hits, one.people, other.hits, other.people)
        p = exact_p(one.hits, one.people, one.hits + other.hits, one.people + other.people)
        return Difference(float(more), float(low), float(high), float(p))

    def judged(self, q: float, above: str, below: str) -> Difference:
        """With its verdict; `above` and `below` say what a difference is called."""
        told = q <= LEVEL and (self.low > 0 or self.high < 0)
        verdict = (above if self.low > 0 else below) if told else UNTOLD
        why = "" if told else self.why if np.isnan(q) else MAY_BE_ZERO
        return replace(self, q=q, verdict=verdict, why=why)


@dataclass(frozen=True)
class GateRow:
    """One gated content. reached: people who came to it so far, being no leads. met: those of them who met it before
    anything else of its topic and stage, open at the end of that visit, whose answer is final; left and filled: parts of
    met. readers: people who met `open_contents` first. None: too small to be shown, or one that would tell such a one.
    compared: met less readers."""

    gate: str
    form: str
    topic: str | None
    stage: str | None
    open_contents: tuple[str, ...]
    reached: int
    met: Became | None
    left: Became | None
    filled: Became | None
    readers: Became | None
    compared: Difference

    @property
    def sentence(self) -> str:
        """The row in words."""
        if self.compared.verdict == UNTOLD:
            return f"{self.gate}: {UNTOLD} ({self.compared.why})."
        return (
            f"{self.gate} {self.compared.verdict}: {_in_words(self.met, self.readers, self.compared, 'met the form')}"
        )

    def document(self) -> dict[str, Any]:
        own = {n: getattr(self, n) for n in ("gate", "form", "topic", "stage", "reached")}
        contents = {"open_contents": list(self.open_contents)}
        groups = _documents(self, "met", "left", "filled", "readers")
        return {**own, **contents, **groups, **plain(vars(self.compared)), "sentence": self.sentence}


@dataclass(frozen=True)
class OpenRow:
    """One open content of a topic and stage that has a gate too. readers: people who met it first; others: who met
    something else of that topic and stage first; None: too small to be shown. compared: readers less others."""

    content: str
    topic: str
    stage: str
    readers: Became | None
    others: Became | None
    compared: Difference

    @property
    def sentence(self) -> str:
        """The row in words."""
        if self.compared.verdict == UNTOLD:
            return f"{self.content}: {UNTOLD} ({self.compared.why})."
        words = _in_words(self.readers, self.others, self.compared, "read it first")
        return f"{self.content} {self.compared.verdict}: {words}"

    def document(self) -> dict[str, Any]:
        own = {n: getattr(self, n) for n in ("content", "topic", "stage")}
        groups = _documents(self, "readers", "others")
        return {**own, **groups, **plain(vars(self.compared)), "sentence": self.sentence}


def _documents(row: GateRow | OpenRow, *names: str) -> dict[str, Any]:
    groups: dict[str, Became | None] = {n: getattr(row, n) for n in names}
    return {n: g.document() if g else None for n, g in groups.items()}


def _in_words(one: Became | None, other: Became | None, compared: Difference, did: str) -> str:
    assert one is not None
    assert other is not None  # nothing is said of small groups
    return (
        f"{one.rate:.1%} later of the {one.people:,} who {did}, {other.rate:.1%} of the {other.people:,} beside them "
        f"({100 * compared.low:+.1f} to {100 * compared.high:+.1f} points)."
    )
