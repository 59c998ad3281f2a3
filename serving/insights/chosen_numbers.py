"""The shared numbers of chosen months, of one channel or of one segment, counted as those of everybody are.

A few people follow from no difference of two choices: what is left out is nobody or at least LEAST, in every month of them
(see `kept_numbers`). So a channel and a segment are not told of at once: such cells would be too small to hide one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from serving.insights.choice import Choice
from serving.insights.edition import Edition, Kept, Part
from serving.insights.shared_tables import sources_table, total_table
from serving.insights.tables import Table, Words
from training.number_facts import VisitMonths
from training.number_figures import COUNTS, Figures
from training.numbers import ALL_CAMPAIGNS, Numbers, numbers_from
from training.periods import Period, month_period

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
    wanted = spans(kept, part, choice)
    rows = [(span.period, figures_in(kept, span, choice)) for span in wanted if may_tell(kept, span, choice)]
    notes = [note for note, said in ((LEADS_ALONE, choice.segment), (FEW, len(rows) < len(wanted))) if said]
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


def numbers_in(kept: Kept, span: Span) -> Numbers:
    """The numbers of a span, by channel and campaign."""
    names = [(channel, campaign) for channel, campaign in kept.about["names"]]
    untold, months = kept.about["untold"], span.keys if span.months else ()  # the windows of everybody stay as they are
    hidden = {(c, ALL_CAMPAIGNS) for key in months for c in untold["channel"].get(key, ())}
    hidden |= {names[i] for key in months for i in untold["source"].get(key, ())}
    table = _counts(kept, span, "source")
    return numbers_from(span.period, names, table, kept.about["currency"], kept.about["seen"], hidden)


def figures_in(kept: Kept, span: Span, choice: Choice) -> Figures:
    """The figures of a channel or of a segment (leads alone) in a span, or of everybody, told or not."""
    name, value = _group(choice)
    by = name if choice.segment else "source"
    known = kept.about["values"][name] if choice.segment else [c for c, _ in kept.about["names"]]
    rows = [i for i, v in enumerate(known) if name == "all" or v == value]
    counts = {n: float(c[rows].sum()) for n, c in _counts(kept, span, by).items()}
    return Figures.of(counts, kept.about["currency"], kept.about["seen"] and not choice.segment)


def may_tell(kept: Kept, span: Span, choice: Choice) -> bool:
    """Whether nothing of so few people follows from these figures."""
    name, value = _group(choice)
    return not any(value in kept.about["untold"][name].get(key, ()) for key in span.keys)


def _group(choice: Choice) -> tuple[str, str]:
    if choice.channel:
        return "channel", choice.channel
    name, _, value = choice.segment.partition(":")
    return (name, value) if choice.segment else ("all", "")


def _counts(kept: Kept, span: Span, by: str) -> dict[str, NDArray[np.float64]]:
    """Each of COUNTS by source or by the values of an attribute."""
    periods = [kept.about["periods"].index(key) for key in span.keys if key in kept.about["periods"]]
    table = dict(zip(COUNTS, kept.counts[by][periods].sum(axis=0), strict=True))
    if by == "source" and span.months:  # who came in several of them counts once
        visits = VisitMonths(*(np.asarray(kept.visits[f.name]) for f in fields(VisitMonths))).sums(*span.months)
        table |= {"visitors": visits.of("visitors", len(kept.about["names"]))}
    return table
