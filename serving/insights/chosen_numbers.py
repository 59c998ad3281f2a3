"""The shared numbers of chosen months, of one channel or of one segment, counted as those of everybody are.

A few people follow from no difference of two choices: what is left out is nobody or at least LEAST, in every month of them
(see `kept_numbers`). So a channel and a segment are not told of at once: such cells would be too small to hide one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from features.arrays import rows_where
from serving.insights.choice import Choice
from serving.insights.edition import Edition, Kept, Part
from serving.insights.shared_tables import sources_table, total_table
from serving.insights.tables import Table, Words
from training.number_facts import LeadFacts, Sums, VisitMonths
from training.number_figures import VISIT_COUNTS, Figures
from training.numbers import ALL_CAMPAIGNS, Numbers, numbers_of
from training.periods import Period, month_period
from training.prepared_names import ATTRIBUTES

BOTH: Words = (
    " They are told of a channel or of a segment, not of both at once.",
    " Sie werden von einem Kanal oder von einem Segment gesagt, nicht von beiden zugleich.",
)
FEW: Words = (
    " Not told where a month has so few people that they would follow from other figures.",
    " Nicht gesagt, wo ein Monat so wenige Menschen hat, dass sie aus anderen Zahlen folgten.",
)
LEADS_ALONE: Words = (
    " Visits and spend have no segment.",
    " Besuche und Ausgaben haben kein Segment.",
)


@dataclass(frozen=True)
class Span:
    """A period to be told of: months from first to last (since 1970), or one of the windows of everybody, as they are kept."""

    period: Period
    keys: tuple[str, ...]
    months: tuple[int, int] | None = None


def shared_numbers(edition: Edition, part: Part, choice: Choice) -> Table:
    """The numbers of a choice and of the period before."""
    kept, currency = edition.kept, edition.kept.about["currency"]
    if choice.channel and choice.segment:
        return total_table((), currency, BOTH)
    told = [(span.period, figures) for span in spans(kept, part, choice) for figures in [_figures(kept, span, choice)]]
    rows = [(period, figures) for period, figures in told if figures is not None]
    notes = [note for note, said in ((LEADS_ALONE, choice.segment), (FEW, len(rows) < len(told))) if said]
    return total_table(rows, currency, ("".join(n[0] for n in notes), "".join(n[1] for n in notes)))


def source_tables(edition: Edition, part: Part, choice: Choice) -> list[Table]:
    """Cost by channel and by campaign of a choice without a segment."""
    kept = edition.kept
    now, *before = (numbers_in(kept, span) for span in spans(kept, part, choice))
    return [
        sources_table(name, now, before[0] if before else None, kept.about["currency"], choice.channel)
        for name in ("channels", "campaigns")
    ]


# -- counting ----------------------------------------------------------------------------------------------------------
def spans(kept: Kept, part: Part, choice: Choice) -> list[Span]:
    """The chosen months and as many before, where there are so many; where none is chosen, the windows of everybody."""
    if not (choice.start or choice.end):
        return [Span(Period(*w), (k,)) for k, w in zip(("now", "before"), kept.about["windows"], strict=True)]
    zero = int(np.datetime64(part.months[0], "M").astype(np.int64))
    first, last = part.window(choice)
    length = last - first + 1
    found = [(first, last)] + ([(first - length, first - 1)] if choice.start and first >= length > 0 else [])
    return [_span(zero + a, zero + b, kept.about["end"]) for a, b in found]


def _span(first: int, last: int, end: int) -> Span:
    return Span(month_period(first, last, end), tuple(str(m) for m in range(first, last + 1)), (first, last))


def numbers_in(kept: Kept, span: Span, segment: str = "") -> Numbers:
    """The numbers of a span; those of a segment are of leads alone, and of all sources together."""
    facts = LeadFacts(**{f.name: np.asarray(kept.leads[f.name]) for f in fields(LeadFacts)})
    currency = kept.about["currency"]
    if segment:
        name, _, value = segment.partition(":")
        values = kept.about["values"][name]
        mine = facts.take(rows_where(kept.leads[name] == (values.index(value) if value in values else -1)))
        mine = replace(mine, source=np.zeros(len(mine), dtype=np.int64))
        nothing = np.zeros(0, dtype=np.int64)
        return numbers_of(span.period, [("", "")], mine, None, (nothing, nothing, np.zeros(0)), currency)
    names = [(channel, campaign) for channel, campaign in kept.about["names"]]
    source, date, amount = (np.asarray(kept.spend[n]) for n in ("source", "date", "amount"))
    visits = _visits(kept, span) if kept.about["seen"] else None
    return numbers_of(span.period, names, facts, visits, (source, date, amount), currency, _hidden(kept, span, names))


def _visits(kept: Kept, span: Span) -> Sums:
    if span.months:
        return VisitMonths(*(np.asarray(kept.visits[f.name]) for f in fields(VisitMonths))).sums(*span.months)
    sums = Sums()
    for name, counts in zip(VISIT_COUNTS, kept.visits["windows"][("now", "before").index(span.keys[0])], strict=True):
        sums.add(name, np.arange(len(counts)), np.asarray(counts))
    return sums


def _hidden(kept: Kept, span: Span, names: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Channels and campaigns that have no row in one of the months."""
    untold = kept.about["untold"]
    channels = {(c, ALL_CAMPAIGNS) for key in span.keys for c in untold["channel"].get(key, ())}
    return channels | {names[i] for key in span.keys for i in untold["source"].get(key, ())}


def _figures(kept: Kept, span: Span, choice: Choice) -> Figures | None:
    """The figures of a choice in a span; None where they may not be told."""
    name, _, value = choice.segment.partition(":")
    name, value = (name, value) if name in ATTRIBUTES else ("all", "")
    if any(value in kept.about["untold"][name].get(key, ()) for key in span.keys):
        return None
    numbers = numbers_in(kept, span, choice.segment)
    if not choice.channel:
        return numbers.total
    return next((r.figures for r in numbers.channels if r.channel == choice.channel), None)
