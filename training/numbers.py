"""The numbers both teams share in a period, and by channel and campaign.

Rows are counted apart and added up: those of all channels, and those of all campaigns, give the total of every count.
Rates are of the added counts.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from data.records import DAY
from data.spans import FOREVER
from features.arrays import per_segment, rows_where
from training.number_facts import LeadFacts, Sums
from training.number_figures import COUNTS, LEAST, VISIT_COUNTS, Figures
from training.periods import Period

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Key = TypeVar("Key", int, tuple[str, str])
ALL_CAMPAIGNS, FEW = "(all)", "(fewer than 5 each)"


@dataclass(frozen=True)
class SourceFigures:
    """The figures of one channel and campaign, of a channel with all its campaigns, or of all rows with too few people."""

    channel: str
    campaign: str
    figures: Figures

    def document(self) -> dict[str, Any]:
        return {"channel": self.channel, "campaign": self.campaign, **self.figures.document()}


@dataclass(frozen=True)
class Numbers:
    """The numbers of one period; days_*: quartiles of the lead-to-customer time, None where nobody was won."""

    period: Period
    total: Figures
    days_low: float | None
    days_median: float | None
    days_high: float | None
    channels: tuple[SourceFigures, ...]
    campaigns: tuple[SourceFigures, ...]

    def document(self) -> dict[str, Any]:
        days = {n: getattr(self, n) for n in ("days_low", "days_median", "days_high")}
        rows = {n: [r.document() for r in getattr(self, n)] for n in ("channels", "campaigns")}
        return {"period": self.period.document(), "total": self.total.document() | days, **rows}


def numbers_of(
    period: Period, names: Sequence[tuple[str, str]], facts: LeadFacts, visits: Sums | None,
    spend: tuple[I64, I64, F64], currency: str,
) -> Numbers:  # fmt: skip
    """The numbers of a period from facts, visits (None: they may not be counted) and spend (source, date, minor units);
    names: channel and campaign of each source."""
    table = counts_by(facts.source, period, len(names), facts, visits, spend)
    won = facts.won[period.holds(facts.won)] - facts.created[period.holds(facts.won)]
    low, median, high = np.quantile(won / DAY, [0.25, 0.5, 0.75]).tolist() if len(won) else (None, None, None)
    found = numbers_from(period, names, table, currency, visits is not None)
    return replace(found, days_low=low, days_median=median, days_high=high)


def numbers_from(
    period: Period, names: Sequence[tuple[str, str]], table: dict[str, F64], currency: str, visits: bool,
    hidden: Container[tuple[str, str]] = (),
) -> Numbers:  # fmt: skip
    """The numbers of a period without days, from its counts by source. visits: were they counted? hidden: which names have
    no row of their own, whatever their size."""

    def figures(rows: I64) -> Figures:
        return Figures.of({n: float(c[rows].sum()) for n, c in table.items()}, currency, visits)

    everything = figures(np.arange(len(names)))
    by_channel = _rows([(channel, ALL_CAMPAIGNS) for channel, _ in names], table, figures, hidden)
    return Numbers(period, everything, None, None, None, by_channel, _rows(names, table, figures, hidden))


def too_few(table: dict[str, F64]) -> list[int]:
    """Groups that may not be told of, from the counts of each: those of fewer than LEAST people, and as many of the next
    larger ones as hide them."""
    counts = np.array([table[n] for n in ("visitors", "leads", "mql", "accepted", "won", "cancelled")])
    people = dict(enumerate(counts.max(axis=0, initial=0).astype(np.int64).tolist()))
    return _few(people, lambda few: int(counts[:, few].sum(axis=1).max()))


def _rows(
    keys: Sequence[tuple[str, str]], table: dict[str, F64], figures: Callable[[I64], Figures],
    hidden: Container[tuple[str, str]],
) -> tuple[SourceFigures, ...]:  # fmt: skip
    """The sources of each key together; those of too few people in one row. Who has nothing to tell has no row."""
    members: dict[tuple[str, str], list[int]] = {}
    for number, key in enumerate(keys):
        members.setdefault(key, []).append(number)
    members = {k: m for k, m in members.items() if any(table[n][m].any() for n in COUNTS)}
    rows = {k: figures(np.array(m)) for k, m in members.items()}
    few = _few({k: r.people for k, r in rows.items()}, lambda few: figures(_joined(members, few)).people, hidden)
    if few:
        rows = {k: r for k, r in rows.items() if k not in few} | {(FEW, ALL_CAMPAIGNS): figures(_joined(members, few))}
    return tuple(sorted((SourceFigures(*k, r) for k, r in rows.items()), key=_order))


def _joined(members: dict[tuple[str, str], list[int]], keys: Sequence[tuple[str, str]]) -> I64:
    return np.array([number for key in keys for number in members[key]], dtype=np.int64)


def _few(people: dict[Key, int], together: Callable[[list[Key]], int], hidden: Container[Key] = ()) -> list[Key]:
    """Keys of fewer than LEAST people or hidden, and as many of the next larger ones as hide them; who has nobody hides
    nobody."""
    few = [k for k in people if k in hidden and people[k]]
    for key in sorted((k for k in people if people[k] and k not in hidden), key=lambda k: (people[k], k)):
        if people[key] >= LEAST and (not few or together(few) >= LEAST):
            break
        few.append(key)
    return few


def _order(row: SourceFigures) -> tuple[bool, int, int, str, str]:
    return row.channel == FEW, -row.figures.leads, -(row.figures.visitors or 0), row.channel, row.campaign


def counts_by(
    group: I64, period: Period, n: int, facts: LeadFacts, visits: Sums | None, spend: tuple[I64, I64, F64]
) -> dict[str, F64]:  # fmt: skip
    """Each of COUNTS by group (leads,), 0 to n - 1, which visits and spend are numbered by too; (n,)."""
    counted = visits if visits is not None else Sums()
    table = {name: counted.of(name, n) for name in VISIT_COUNTS}
    for name in ("mql", "accepted", "won", "cancelled"):
        table[name] = per_segment(group[rows_where(period.holds(getattr(facts, name)))], n)
    born = rows_where(period.holds(facts.created))
    group = group[born]
    for mask, counts in _cohort_counts(facts.take(born)):
        kept = rows_where(mask)
        for name, weights in counts.items():
            table[name] = per_segment(group[kept], n, None if weights is None else weights[kept])
    spent, date, amount = spend
    days = rows_where(period.holds(date))
    return table | {"spend": per_segment(spent[days], n, amount[days])}


def _cohort_counts(f: LeadFacts) -> Iterator[tuple[Mask, dict[str, F64 | None]]]:
    """Of leads created in the period: whom is counted, and names of these counts with the weights of each."""
    p, cohort = f.probability, f.look < FOREVER
    scored, final = cohort & ~np.isnan(p), cohort & ~np.isnan(f.label)
    chance = p * (1 - p)
    yield f.created < FOREVER, {"leads": None}
    yield f.first_look, {"looked_at": None}
    yield f.ready, {"ready": None}
    yield scored, {"scored": None, "expected": p, "chance": chance}
    yield final & f.open, {"matured": None, "matured_won": f.label}
    yield scored & final, {"told": None, "told_expected": p, "told_chance": chance, "told_won": f.label}
