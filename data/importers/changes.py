"""The history of lead columns: a lead row of today and its changes become the profile rows of every time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from data.importers.values import Value

Row = dict[str, Value]


@dataclass(frozen=True, order=True)
class Change:
    """From `at` (microseconds) on the column's cell was `new`; before it was `old`, None = not told."""

    at: int
    new: str
    old: str | None


@dataclass
class Changes:
    """All changes of columns that the lead tables map, by lead and column, held in memory.

    columns: the lead tables' columns; changes of others are skipped. told_old: the history says what was before.
    """

    columns: frozenset[str] = frozenset()
    told_old: bool = False
    _of: dict[str, dict[str, set[Change]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(set)))

    def add(self, row: Row) -> bool:
        """Keep a change; False for one that was there already."""
        at, new, old = row["changed_at"], row.get("new"), row.get("old")
        assert isinstance(at, int)
        known = self._of[str(row["lead_id"])][str(row["field"])]
        before = len(known)
        known.add(Change(at, str(new or ""), str(old or "") if self.told_old else None))
        return len(known) > before

    def leads(self) -> Iterable[str]:
        """The leads that have a history."""
        return self._of

    def without_history(self, columns: Iterable[str]) -> list[str]:
        """The columns of which no change of any lead is known."""
        seen = {name for of_lead in self._of.values() for name in of_lead}
        return [name for name in columns if name not in seen]

    def versions(
        self, lead_id: Value, created_at: Value, header: Sequence[str], fields: Sequence[str]
    ) -> Iterator[tuple[int | None, list[str]]]:
        """(valid_from, cells) of a lead's profile rows, oldest first; the first has no valid_from (as created_at).

        The cell before the first change is what that change says it was; a history that does not say begins with the
        first value, so before that nothing was known. A column without changes has always been as it is now.
        """
        of_lead = self._of.get(str(lead_id), {})
        if not of_lead or not isinstance(created_at, int):
            yield None, list(fields)
            return
        histories = {header.index(name): sorted(changes) for name, changes in of_lead.items() if name in header}
        moments = sorted({c.at for changes in histories.values() for c in changes if c.at > created_at})
        rows = [_cells_at(moment, fields, histories) for moment in (created_at, *moments)]
        yield None, rows[0]
        yield from ((at, new) for at, (old, new) in zip(moments, pairwise(rows), strict=True) if new != old)


def _cells_at(moment: int, fields: Sequence[str], histories: dict[int, list[Change]]) -> list[str]:
    cells = list(fields)
    for index, changes in histories.items():
        known = [c.new for c in changes if c.at <= moment]
        cells[index] = known[-1] if known else changes[0].old or ""
    return cells
