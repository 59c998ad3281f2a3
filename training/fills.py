"""When, and for whom, profile columns are filled: counted group by group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.dataset import ExtraColumn, People
from data.records import NULL_TIME, PROFILE_NUMBER, PROFILE_TEXT, Coded
from training.assemble import Question
from training.snapshots import FOREVER

I64 = NDArray[np.int64]
LEAST = 20  # converted leads that have the column, below which nothing is said
NOTED_GAP = 0.1  # a column that comes late for everybody alike is slow, not a leak
Found = tuple[str, str, dict[str, float], str]


@dataclass
class Fills:
    """Per column: converted leads that have it, those of them that got it at or after their outcome, other leads that
    have it. Other leads are those whose answer is final."""

    names: tuple[str, ...]
    converted: int = 0
    others: int = 0
    _with: dict[str, I64] = field(default_factory=dict)

    @staticmethod
    def of(extra: Sequence[ExtraColumn]) -> Fills:
        declared = (e.name for e in extra if e.role != "comparator")
        return Fills((*PROFILE_TEXT, *PROFILE_NUMBER, "account_id", *declared))

    def count(self, people: People, first: I64, question: Question, has_times: bool) -> None:
        """first: when each lead first converted, FOREVER = never."""
        converted = first < FOREVER
        final = people.created_at + question.policy.maturity <= question.now if has_times else ~np.isnan(people.labels)
        others = ~converted & final
        self.converted += int(converted.sum())
        self.others += int(others.sum())
        owner = np.asarray(people.leads["lead"], dtype=np.int64)
        valid, created = (np.asarray(people.leads[n], dtype=np.int64) for n in ("valid_from", "created_at"))
        since = np.where(valid == NULL_TIME, created, valid)
        for name in self.names:
            known = self._known(people, name) & (since < question.now)
            at = np.full(len(people), FOREVER, dtype=np.int64)
            np.minimum.at(at, owner[known], since[known])
            has = at < FOREVER
            late = converted & has & (at >= first) & has_times
            found = np.array([(converted & has).sum(), late.sum(), (others & has).sum()], dtype=np.int64)
            self._with[name] = self._with.get(name, 0) + found

    @staticmethod
    def _known(people: People, name: str) -> NDArray[np.bool_]:
        column = people.leads.get(name)
        if column is None:
            return np.zeros(len(np.asarray(people.leads["lead"])), dtype=np.bool_)
        return column.known() if isinstance(column, Coded) else ~np.isnan(np.asarray(column, dtype=np.float64))

    def found(self, max_after: float, max_gap: float) -> Iterator[Found]:
        """(kind, column, figures, reason) of the columns beyond the limits."""
        for name, (have, late, others) in self._with.items():
            if have < LEAST or not self.others:
                continue
            after, of_converted, of_others = late / have, have / self.converted, others / self.others
            figures = {"after": float(after), "converted": float(of_converted), "others": float(of_others)}
            filled = f"filled for {of_converted:.0%} of converted and {of_others:.0%} of other leads"
            if after > max_after and of_converted - of_others > NOTED_GAP:
                when = f"becomes known after the outcome for {after:.0%} of the converted leads that have it"
                yield "filled_after", name, figures, f"column {name} {when}, {filled}. Leave it out"
            elif of_converted - of_others > max_gap:
                remedy = "Leave it out, or import since when each value was known"
                yield "filled_for", name, figures, f"column {name} is {filled}. {remedy}"
