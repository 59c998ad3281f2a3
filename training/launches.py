"""What a new campaign brought in its first week, as it could be told then, and what became of it.

launch      the first day (UTC) with spend, a visit or a lead of the campaign; not where that is in the first week of
            the data, which the campaign may be older than
first week  leads created, expected customers (sum of probabilities), spend: known one week after the launch
afterwards  the leads of that week that were won within the horizon, once all of them are final
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.currency import minor_units
from data.records import DAY
from data.spans import FOREVER
from features.arrays import filled, rows_where
from training.lead_facts import NumbersAsked
from training.number_facts import LeadFacts
from training.number_figures import LEAST, by_chance, cost
from training.periods import Period, day
from training.sources import NO_CAMPAIGN

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
WEEK = 7


@dataclass(frozen=True)
class LaunchRow:
    """One campaign of one channel; dates are days. scored: leads with a probability; expected: their customers, None where
    nobody says; won: of the scored leads, None before `final_on`; low, high: where chance alone puts them, 95 %. Money in
    major units; costs None where nothing was spent or nobody came."""

    channel: str
    campaign: str
    launched: str
    leads: int
    scored: int
    expected: float | None
    spend: float
    cost_per_lead: float | None
    cost_per_expected: float | None
    final_on: str | None
    won: int | None
    low: float | None
    high: float | None
    cost_per_won: float | None

    def document(self) -> dict[str, Any]:
        return dict(vars(self))


def launch_rows(
    asked: NumbersAsked, names: Sequence[tuple[str, str]], facts: LeadFacts, visited: I64 | None,
    spend: tuple[I64, I64, F64], currency: str,
) -> tuple[LaunchRow, ...]:  # fmt: skip
    """Campaigns launched in the period at least a week ago, by launch; with 1 to 4 leads there is no row.

    visited: first visit of each source, us, FOREVER = none; None where visits may not be counted.
    """
    if not names:
        return ()
    launch = _launches(names, facts, visited, spend)
    rows = []
    for i in rows_where(asked.period.holds(launch) & (launch + WEEK * DAY <= asked.now)).tolist():
        if names[i][1] != NO_CAMPAIGN:
            week = Period(int(launch[i]), int(launch[i]) + WEEK * DAY)
            row = _row(names[i], week, rows_where((facts.source == i) & week.holds(facts.created)), asked, facts,
                       float(spend[2][(spend[0] == i) & week.holds(spend[1])].sum()) / minor_units(currency))  # fmt: skip
            if not 0 < row.leads < LEAST:
                rows.append(row)
    return tuple(sorted(rows, key=lambda r: (r.launched, r.channel, r.campaign)))


def _launches(
    names: Sequence[tuple[str, str]], facts: LeadFacts, visited: I64 | None, spend: tuple[I64, I64, F64]
) -> I64:  # fmt: skip
    """Start of the first day of each source, FOREVER where it is in the first week of the data."""
    first = filled(len(names), FOREVER, np.int64) if visited is None else visited.copy()
    np.minimum.at(first, facts.source, facts.created)
    np.minimum.at(first, spend[0], spend[1])
    start = first // DAY * DAY
    return np.where(start >= start.min() + WEEK * DAY, np.where(first < FOREVER, start, FOREVER), FOREVER)


def _row(
    name: tuple[str, str], week: Period, rows: I64, asked: NumbersAsked, facts: LeadFacts, spend: float
) -> LaunchRow:  # fmt: skip
    p = facts.probability[rows]
    scored = rows[~np.isnan(p)]
    p, label = facts.probability[scored], facts.label[scored]
    expected = float(p.sum()) if len(p) or not len(rows) else None
    final = len(label) > 0 and not np.isnan(label).any()
    last = int(facts.look[scored].max()) + asked.policy.maturity if len(scored) else None
    won = int(label.sum()) if final else None
    low, high = by_chance(float(p.sum()), float((p * (1 - p)).sum())) if len(p) else (None, None)
    return LaunchRow(
        *name, day(week.start), len(rows), len(scored), expected, spend, cost(spend, len(rows)), cost(spend, expected),
        None if last is None else day(last), won, low, high, cost(spend, won),
    )  # fmt: skip
