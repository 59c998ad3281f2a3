"""What each of the shared numbers is, and what follows from the counts of a row: rates with intervals, costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.currency import minor_units
from training.calibration import Z95
from training.intervals import rate, wilson

LEAST = 5  # people of a row that is shown
VISIT_COUNTS = ("visits", "bounces", "visitors", "new_visitors", "became_leads")
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
    "MQL": "leads that first reached the MQL condition of the points in the period, at weekly looks; a condition on the "
    "probability counts as met",
    "accepted": "leads that sales first accepted in the period",
    "won": "leads whose first deal that was not cancelled within its window was made in the period",
    "cancelled": "leads with a first deal made in the period and cancelled within its window",
    "conversion": "of the leads created in the period, open at their look and final: won within the horizon after it",
    "lead-to-customer time": "days from creation to the deal, of the leads won in the period: quartiles",
    "expected customers": "sum of the probabilities of the leads created in the period, at their look",
    "reconciled": "expected against won, of those leads whose answer is final; the range is where chance alone puts the won",
    "spend": "what was spent on the days of the period, from the records of spend",
    "cost": "spend over leads, and over expected customers",
    "rising": "people who saw a content in the period over those before, beyond the change of all people; claimed at a "
    "false-discovery rate of 5 %",
    "quiet": "open leads whose last mail, call or other touch of ours was so many days ago, or who never had one",
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
        return dict(vars(self))


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
