"""The numbers both teams share: what each is, what it was in a period, and by channel and campaign.

Rows are counted apart and added up: those of all channels, and those of all campaigns, give the total of every count.
Rates are of the added counts. What each number means is in DEFINITIONS, which is printed with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.currency import minor_units
from data.records import DAY
from data.spans import FOREVER
from features.arrays import per_segment, rows_where
from training.calibration import Z95
from training.content_paths import plain
from training.intervals import rate, wilson
from training.lead_facts import LeadFacts
from training.periods import Period
from training.sources import Sums
from training.visit_counts import VISIT_COUNTS

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

LEAST = 5  # people of a row that is shown
ALL_CAMPAIGNS, FEW = "(all)", "(fewer than 5 each)"
LEAD_COUNTS = (
    "leads", "looked_at", "ready", "mql", "accepted", "won", "cancelled", "scored", "expected", "chance", "matured",
    "matured_won", "told", "told_expected", "told_chance", "told_won",
)  # fmt: skip
COUNTS = (*VISIT_COUNTS, *LEAD_COUNTS, "spend")

DEFINITIONS = {
    "period": "whole days in UTC, first and last included; the period before is as long and ends where this one begins",
    "source": "a visit has its own channel and campaign, a visitor those of its first visit in the period, a lead those of "
    "its first visit, if that began before it was a lead",
    "visitors": "people with a visit begun in the period; a person counts once, on however many devices",
    "bounce rate": "visits of one page view without a form, download or other action, of all visits",
    "lead rate": "visitors who became leads in the period, of those who were none at their first visit in it",
    "leads": "leads created in the period, also those that came without a visit",
    "ready at first contact": "leads that were sales-ready by the points in force (and the probability, where they ask for "
    "one and a model says it) at their first look, of those looked at",
    "MQL": "leads that first reached the MQL condition of the points in the period, at weekly looks",
    "accepted": "leads that sales first accepted in the period",
    "won": "leads whose first deal that was not cancelled within its window was made in the period",
    "cancelled": "leads with a first deal made in the period and cancelled within its window",
    "conversion": "of the leads created in the period, open at their look and final: won within the horizon after it",
    "lead-to-customer time": "days from creation to the deal, of the leads won in the period: quartiles",
    "expected customers": "sum of the probabilities of the leads created in the period, at their look",
    "reconciled": "expected against won, of those leads whose answer is final; the range is where chance alone puts the won",
    "spend": "what was spent on the days of the period, from the records of spend",
    "cost": "spend over leads, and over expected customers",
}


@dataclass(frozen=True)
class Figures:
    """Counts of COUNTS and what follows from them. None: not counted, or nothing to divide by. Rates with Wilson 95 %
    intervals; money in major units; told_*: the reconciliation, with the 95 % range of won by chance alone."""

    visitors: int | None
    visits: int | None
    bounces: int | None
    bounce_rate: float | None
    bounce_low: float | None
    bounce_high: float | None
    new_visitors: int | None
    became_leads: int | None
    lead_rate: float | None
    lead_low: float | None
    lead_high: float | None
    leads: int
    looked_at: int
    ready: int
    ready_share: float | None
    ready_low: float | None
    ready_high: float | None
    mql: int
    accepted: int
    won: int
    cancelled: int
    matured: int
    matured_won: int
    conversion: float | None
    conversion_low: float | None
    conversion_high: float | None
    scored: int
    expected: float | None
    told: int
    told_expected: float | None
    told_low: float | None
    told_high: float | None
    told_won: int
    spend: float
    cost_per_lead: float | None
    cost_per_expected: float | None

    @staticmethod
    def of(counts: dict[str, float], currency: str, visits: bool = True) -> Figures:
        """From sums by name, spend in minor units; visits: were they counted?"""
        whole: dict[str, Any] = {n: round(counts[n]) for n in COUNTS if n not in ("expected", "chance", "spend")}
        for name in ("told_expected", "told_chance"):
            del whole[name]
        spend = counts["spend"] / minor_units(currency)
        expected = counts["expected"] if counts["scored"] or not counts["leads"] else None
        rates = (
            _rate("bounce", "rate", counts["bounces"], counts["visits"])
            | _rate("lead", "rate", counts["became_leads"], counts["new_visitors"])
            | _rate("ready", "share", counts["ready"], counts["looked_at"])
            | _rate("conversion", "", counts["matured_won"], counts["matured"])
        )
        if not visits:
            hidden = (*VISIT_COUNTS, *(f"{n}_{e}" for n in ("bounce", "lead") for e in ("rate", "low", "high")))
            whole, rates = ({k: None if k in hidden else v for k, v in d.items()} for d in (whole, rates))
        money: dict[str, Any] = {
            "spend": spend, "cost_per_lead": cost(spend, counts["leads"]), "cost_per_expected": cost(spend, expected),
        }  # fmt: skip
        return Figures(**{**whole, **rates, **_told(counts), **money}, expected=expected)

    @property
    def people(self) -> int:
        """About how many people a row tells of: the largest count of people in it."""
        return max(self.visitors or 0, self.leads, self.mql, self.accepted, self.won, self.cancelled)

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


def cost(spend: float, n: float | None) -> float | None:
    """Money for each of n; None where nothing was spent, or n is 0 or not known."""
    return spend / n if spend > 0 and n else None


def _rate(name: str, word: str, hits: float, n: float) -> dict[str, float | None]:
    low, high = wilson(hits, n)
    values = (float(rate(hits, n)), float(low), float(high)) if n else (None, None, None)
    names = (f"{name}_{word}" if word else name, f"{name}_low", f"{name}_high")
    return dict(zip(names, values, strict=True))


def _told(counts: dict[str, float]) -> dict[str, Any]:
    """Expected customers of final leads and the range of won by chance alone."""
    names = ("told_expected", "told_low", "told_high")
    if not counts["told"]:
        return dict.fromkeys(names)
    values = (counts["told_expected"], *by_chance(counts["told_expected"], counts["told_chance"]))
    return dict(zip(names, values, strict=True))


def by_chance(expected: float, variance: float) -> tuple[float, float]:
    """The 95 % range of how many convert where `expected` are to; variance: the sum of p(1-p), a count more or less being
    no deviation."""
    half = Z95 * float(np.sqrt(variance)) + 0.5
    return max(expected - half, 0.0), expected + half


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

    def grouped(keys: Sequence[tuple[str, str]]) -> tuple[SourceFigures, ...]:
        members: dict[tuple[str, str], list[int]] = {}
        for number, key in enumerate(keys):
            members.setdefault(key, []).append(number)
        some = {k: m for k, m in members.items() if any(table[n][m].any() for n in COUNTS)}
        rows = {k: figures(np.array(m)) for k, m in some.items()}
        few = _few({k: f.people for k, f in rows.items()})
        if few:
            rows = {k: f for k, f in rows.items() if k not in few}
            rows[FEW, ALL_CAMPAIGNS] = figures(np.array([i for k in few for i in some[k]]))
        return tuple(sorted((SourceFigures(*k, f) for k, f in rows.items()), key=_order))

    won = facts.won[period.holds(facts.won)] - facts.created[period.holds(facts.won)]
    low, median, high = np.quantile(won / DAY, [0.25, 0.5, 0.75]).tolist() if len(won) else (None, None, None)
    everything = figures(np.arange(len(names)))
    return Numbers(
        period, everything, low, median, high, grouped([(c, ALL_CAMPAIGNS) for c, _ in names]), grouped(names)
    )


def _order(row: SourceFigures) -> tuple[bool, int, int, str, str]:
    return row.channel == FEW, -row.figures.leads, -(row.figures.visitors or 0), row.channel, row.campaign


def _few(people: dict[tuple[str, str], int]) -> set[tuple[str, str]]:
    """Rows of fewer than LEAST people, and as many of the next larger ones as hide them; rows of nobody hide nobody."""
    order = sorted((k for k in people if people[k]), key=lambda k: (people[k], k))
    few: set[tuple[str, str]] = set()
    for key in order:
        if people[key] >= LEAST and (not few or sum(people[k] for k in few) >= LEAST):
            break
        few.add(key)
    return few


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
