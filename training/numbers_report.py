"""Everything `leadlift numbers` tells: two walks over the dataset, one over leads and one over everybody who came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Consenting, Dataset
from data.records import DAY
from training.funnel import QuietRow, QuietTally
from training.launches import LaunchRow, launch_rows
from training.lead_facts import NumbersAsked, lead_facts
from training.monitor.alarm import Alarm
from training.number_facts import LeadFacts
from training.number_figures import DEFINITIONS
from training.numbers import Numbers, numbers_of
from training.path_targets import Crowd
from training.periods import day
from training.quality_alarm import quality_alarms
from training.rising import RisingRow, rising_rows
from training.sources import Sources, spend_of
from training.trails import refuse_without_times
from training.visit_counts import ContentTally, Seen, VisitTally, walk_visitors

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
NO_VISITORS = "Visitors are not counted: none has consented before leaving a name ([privacy] require_consent)."
NO_SCORES = "Expected customers are not told: no model is promoted. leadlift train --promote, or --scores OUT."
LATE_SCORES = "Volume against quality is not looked at: published scores are of one moment, not of first looks."


@dataclass(frozen=True)
class NumbersReport:
    """The numbers of a period and of the one before, and what goes with them. data_through: the moment everything is as
    of; matured_through: leads created before it have final answers; both us. notes: what is not told, and why."""

    numbers: Numbers
    before: Numbers
    launches: tuple[LaunchRow, ...]
    alarms: tuple[Alarm, ...]
    rising: tuple[RisingRow, ...]
    quiet: tuple[QuietRow, ...]
    quiet_days: int
    horizon_days: int
    currency: str
    data_through: int
    matured_through: int
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        lists = {n: [r.document() for r in getattr(self, n)] for n in ("launches", "alarms", "rising", "quiet")}
        return {
            **self.numbers.document(), "before": self.before.document(), **lists, "quiet_days": self.quiet_days,
            "horizon_days": self.horizon_days, "currency": self.currency, "data_through": day(self.data_through - 1),
            "matured_through": day(self.matured_through), "definitions": DEFINITIONS, "notes": list(self.notes),
        }  # fmt: skip


@dataclass(frozen=True)
class Counted:
    """What two walks over a dataset found; names: channel and campaign of each source; seen: may visits be counted?"""

    asked: NumbersAsked
    names: tuple[tuple[str, str], ...]
    facts: LeadFacts
    visits: VisitTally
    contents: ContentTally
    quiet: QuietTally
    spend: tuple[I64, I64, F64]
    currency: str
    seen: bool


def counted(
    dataset: Dataset, asked: NumbersAsked, quiet_days: int = 14, advance: Callable[[int], None] = lambda by: None,
    also: Sequence[Callable[[Crowd], None]] = (), sources: Sources | None = None,
    seen: Sequence[Callable[[Seen], None]] = (),
) -> Counted:  # fmt: skip
    """Count everything; quiet_days: without an outbound touch, from which a lead counts as quiet; advance: told when each
    of the two walks is done; also, seen: told of each group of leads and of visitors on the way; sources: for who numbers
    them too.

    Raises
    ------
    InputError
        for a table without times.
    """
    refuse_without_times(dataset)
    sources, periods = sources or Sources(), (asked.period, asked.period.before)
    quiet = QuietTally(asked, quiet_days)
    facts = lead_facts(dataset, asked, sources, [quiet, *also])
    advance(1)
    visits, contents = VisitTally(periods, sources), ContentTally(periods)
    may = not isinstance(dataset, Consenting)
    if may:
        walk_visitors(dataset, asked, [visits, contents, *seen])
    advance(1)
    spend = spend_of(dataset, sources, asked.now)
    return Counted(asked, sources.all, facts, visits, contents, quiet, spend, dataset.info.currency, may)


def numbers_report(
    dataset: Dataset, asked: NumbersAsked, quiet_days: int = 14, advance: Callable[[int], None] = lambda by: None
) -> NumbersReport:  # fmt: skip
    """The report on one dataset; see `counted`."""
    return report_of(counted(dataset, asked, quiet_days, advance))


def report_of(found: Counted) -> NumbersReport:
    """What was counted, told of the asked period and the one before."""
    asked, names, facts, spend, currency = found.asked, found.names, found.facts, found.spend, found.currency
    now, before = (
        numbers_of(period, names, facts, sums if found.seen else None, spend, currency)
        for period, sums in zip((asked.period, asked.period.before), found.visits.sums, strict=True)
    )
    visited = found.visits.launched(len(names)) if found.seen else None
    scored = asked.said is not None and asked.scored_at is None
    return NumbersReport(
        now, before, launch_rows(asked, names, facts, visited, spend, currency),
        tuple(quality_alarms(asked.period, names, facts)) if scored else (),
        rising_rows(found.contents.people(), *found.contents.everybody), found.quiet.rows(), found.quiet.days,
        asked.policy.horizon_days, currency, asked.now, asked.now - asked.policy.maturity - asked.policy.first_look,
        _notes(asked, found.seen),
    )  # fmt: skip


def _notes(asked: NumbersAsked, counted: bool) -> tuple[str, ...]:
    window = asked.policy.cancellation_window // DAY
    return (
        *([] if counted else [NO_VISITORS]),
        *([NO_SCORES] if asked.said is None else [LATE_SCORES] if asked.scored_at is not None else []),
        f"A deal counts as won until it is cancelled, which may happen within {window} days.",
    )
