"""The numbers both teams share in a period, and by channel and campaign.

Rows are counted apart and added up: those of all channels, and those of all campaigns, give the total of every count.
Rates are of the added counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

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
    table = _table(period, len(names), facts, visits, spend)

    def figures(rows: I64) -> Figures:
        return Figures.of({n: float(c[rows].sum()) for n, c in table.items()}, currency, visits is not None)

    won = facts.won[period.holds(facts.won)] - facts.created[period.holds(facts.won)]
    low, median, high = np.quantile(won / DAY, [0.25, 0.5, 0.75]).tolist() if len(won) else (None, None, None)
    everything = figures(np.arange(len(names)))
    by_channel = _rows([(channel, ALL_CAMPAIGNS) for channel, _ in names], table, figures)
    return Numbers(period, everything, low, median, high, by_channel, _rows(names, table, figures))


def _rows(
    keys: Sequence[tuple[str, str]], table: dict[str, F64], figures: Callable[[I64], Figures]
) -> tuple[SourceFigures, ...]:  # fmt: skip
    """The sources of each key together; those of too few people in one row. Who has nothing to tell has no row."""
    members: dict[tuple[str, str], list[int]] = {}
    for number, key in enumerate(keys):
        members.setdefault(key, []).append(number)
    members = {k: m for k, m in members.items() if any(table[n][m].any() for n in COUNTS)}
    rows = {k: figures(np.array(m)) for k, m in members.items()}
    few = _few({k: r.people for k, r in rows.items()}, lambda few: figures(_joined(members, few)).people)
    if few:
        rows = {k: r for k, r in rows.items() if k not in few} | {(FEW, ALL_CAMPAIGNS): figures(_joined(members, few))}
    return tuple(sorted((SourceFigures(*k, r) for k, r in rows.items()), key=_order))


def _joined(members: dict[tuple[str, str], list[int]], keys: Sequence[tuple[str, str]]) -> I64:
    return np.array([number for key in keys for number in members[key]], dtype=np.int64)


def _few(
    people: dict[tuple[str, str], int], together: Callable[[list[tuple[str, str]]], int]
) -> list[tuple[str, str]]:  # fmt: skip
    """Keys of fewer than LEAST people, and as many of the next larger ones as hide them; who has nobody hides nobody."""
    few: list[tuple[str, str]] = []
    for key in sorted((k for k in people if people[k]), key=lambda k: (people[k], k)):
        if people[key] >= LEAST and (not few or together(few) >= LEAST):
            break
        few.append(key)
    return few


def _order(row: SourceFigures) -> tuple[bool, int, int, str, str]:
    return row.channel == FEW, -row.figures.leads, -(row.figures.visitors or 0), row.channel, row.campaign


def _table(
    period: Period, n: int, facts: LeadFacts, visits: Sums | None, spend: tuple[I64, I64, F64]
) -> dict[str, F64]:  # fmt: skip
    """Each of COUNTS by source, (n,)."""
    counted = visits if visits is not None else Sums()
    table = {name: counted.of(name, n) for name in VISIT_COUNTS}
    for name, rows, weights in _lead_counts(period, facts):
        kept = rows_where(rows)
        table[name] = per_segment(facts.source[kept], n, None if weights is None else weights[kept])
    source, date, amount = spend
    days = rows_where(period.holds(date))
    return table | {"spend": per_segment(source[days], n, amount[days])}


def _lead_counts(period: Period, f: LeadFacts) -> Iterator[tuple[str, Mask, F64 | None]]:
    """Name, whom it counts and with which weight, of each of LEAD_COUNTS."""
    born, p = period.holds(f.created), f.probability
    cohort = born & (f.look < FOREVER)
    scored, final = cohort & ~np.isnan(p), cohort & ~np.isnan(f.label)
    yield "leads", born, None
    yield "looked_at", born & f.first_look, None
    yield "ready", born & f.ready, None
    for name in ("mql", "accepted", "won", "cancelled"):
        yield name, period.holds(getattr(f, name)), None
    yield "scored", scored, None
    yield "expected", scored, p
    yield "chance", scored, p * (1 - p)
    yield "matured", final & f.open, None
    yield "matured_won", final & f.open, f.label
    yield "told", scored & final, None
    yield "told_expected", scored & final, p
    yield "told_chance", scored & final, p * (1 - p)
    yield "told_won", scored & final, f.label
