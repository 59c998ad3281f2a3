"""What the numbers of both teams are counted from: one row a lead, with where it came from and what became of it.

The source of a lead is the channel and campaign of its first visit, where that began before it was a lead. A lead is
looked at when it first can be (creation + first look), or at the moment of a published rescoring. Probability and answer
are of that look; a lead won before it counts as 1, one lost before it as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset, People
from data.outcomes import won_spans
from data.records import NULL_TIME
from data.spans import FOREVER
from features.arrays import filled, pick, rows_where
from features.build import journeys_at, moment_at
from features.journeys import Journeys
from training.number_facts import LeadFacts
from training.path_targets import TARGET_MQL, Crowd, Said, crowds_of
from training.periods import Period
from training.rules import SALES_READY, Rules, score_points
from training.snapshots import (
    ACCEPTED,
    CONVERTED,
    Conversions,
    Policy,
    conversions_of,
    final_labels,
    is_open,
    taken_back,
)
from training.sources import Sources

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class NumbersAsked:
    """What is asked at the moment `now` (us). said: gives probabilities, None where nobody can; scored_at: the moment of a
    published rescoring, None where leads are asked about at their first look. threads: that read. since: us, from when on
    leads are asked about; None = the start of the period before."""

    policy: Policy
    now: int
    period: Period
    rules: Rules
    said: Said | None = None
    scored_at: int | None = None
    threads: int = 1
    since: int | None = None

    @property
    def first(self) -> int:
        """Leads created since then are asked about, us."""
        return self.period.before.start if self.since is None else self.since


def lead_facts(
    dataset: Dataset, asked: NumbersAsked, sources: Sources, also: Sequence[Callable[[Crowd], None]] = ()
) -> LeadFacts:
    """The facts of all leads; also: told of each group on the way."""
    parts = []
    accounts = asked.said is not None
    for crowd in crowds_of(
        dataset, TARGET_MQL, asked.policy, asked.now, asked.rules, accounts=accounts, threads=asked.threads
    ):
        parts.append(_facts(crowd, asked, sources))
        for tell in also:
            tell(crowd)
    parts = parts or [_nobody()]
    columns: dict[str, Any] = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(LeadFacts)}
    return LeadFacts(**columns)


def created_before(people: People, now: int) -> I64:
    """The leads of a group that have facts."""
    return rows_where((people.created_at != NULL_TIME) & (people.created_at < now))


def _nobody() -> LeadFacts:
    times, flags, values = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_), np.zeros(0)
    return LeadFacts(*(times,) * 7, *(flags,) * 3, *(values,) * 2)


def _facts(crowd: Crowd, asked: NumbersAsked, sources: Sources) -> LeadFacts:
    people, n = crowd.leads, len(crowd)
    assert people is not None
    rows = created_before(people, asked.now)
    won = conversions_of(people.outcomes, CONVERTED, asked.now)
    gone = taken_back(won, asked.policy)
    first = {
        "mql": _mql(crowd, asked),
        "accepted": _first(conversions_of(people.outcomes, ACCEPTED, asked.now), n),
        "won": _first(won.take(~gone), n),
        "cancelled": _first(won.take(gone), n),
    }
    looked = _looks(crowd, people, won, asked)
    columns: dict[str, Any] = {name: column[rows] for name, column in {**first, **looked}.items()}
    return LeadFacts(source=_sources(crowd, rows, asked, sources), created=people.created_at[rows], **columns)


def _first(conversions: Conversions, n: int) -> I64:
    """The first of each of n leads, us; FOREVER = none."""
    first = filled(n, FOREVER, np.int64)
    np.minimum.at(first, conversions.lead, conversions.at)
    return first


def _mql(crowd: Crowd, asked: NumbersAsked) -> I64:
    """When each first reached MQL, of those who may have done so since `asked.first`."""
    assert crowd.looked_at is not None
    reach = asked.policy.max_per_lead * asked.policy.every
    may = (crowd.start < FOREVER) & (crowd.start > asked.first - reach)
    return _first(crowd.looked_at(np.where(may, min(asked.period.end, asked.now), NULL_TIME)), len(crowd))


def _sources(crowd: Crowd, rows: I64, asked: NumbersAsked, sources: Sources) -> I64:
    """The source of each of these leads: of its first visit, as far as is known now."""
    journeys = journeys_at(crowd.encoded, rows, filled(len(rows), asked.now, np.int64), crowd.beside)
    session = journeys.first_session
    begun = pick(np.arange(len(journeys.session_starts)), session) >= 0
    begun[begun] = journeys.time[journeys.session_starts[session[begun]]] <= crowd.start[rows[begun]]
    return source_of(journeys, np.where(begun, session, -1), sources)


def source_of(journeys: Journeys, session: I64, sources: Sources) -> I64:
    """The source of each of these sessions, -1 = none: what its first event says."""
    campaign = pick(journeys.campaign[journeys.session_starts], session)
    return sources.codes(pick(journeys.session_channel, session), campaign, journeys.vocabulary.campaigns)


# -- looks -----------------------------------------------------------------------------------------------------------
def _looks(crowd: Crowd, people: People, won: Conversions, asked: NumbersAsked) -> dict[str, I64 | F64 | Mask]:
    """The columns about looks, one value for each lead of the crowd."""
    n, start = len(crowd), crowd.start
    recent = (start < FOREVER) & (people.created_at >= asked.first)
    first_look = recent & (start < asked.now)
    at = start if asked.scored_at is None else np.where(start <= asked.scored_at, asked.scored_at, FOREVER)
    look = np.where(recent & (at < asked.now), at, FOREVER)
    rows = rows_where(look < FOREVER)
    open_, probability, label = (np.full(n, v) for v in (False, np.nan, np.nan))
    open_[rows] = is_open(people, won, rows, look[rows])
    probability[rows], label[rows] = _expected(crowd, people, won, asked, rows, look[rows], open_[rows])
    at_first = probability if asked.scored_at is None else np.full(n, np.nan)
    ready = np.zeros(n, dtype=np.bool_)
    some = rows_where(first_look)
    ready[some] = _ready(crowd, people, asked.rules, some, at_first[some])
    return {
        "look": look, "first_look": first_look, "ready": ready, "open": open_, "probability": probability, "label": label,
    }  # fmt: skip


def _expected(
    crowd: Crowd, people: People, won: Conversions, asked: NumbersAsked, rows: I64, look: I64, open_: Mask
) -> tuple[F64, F64]:
    """Probability and label of each look; what is known already is neither a guess nor a chance."""
    known = (won_spans(people.outcomes).at(rows, look) > 0).astype(np.float64)
    probability, _ = crowd.said(asked.said, rows, look)
    label, _ = final_labels(won, rows, look, asked.policy, asked.now)
    if asked.said is not None:
        probability = np.where(open_, probability, known)
    return probability, np.where(open_ | np.isnan(label), label, known)


def _ready(crowd: Crowd, people: People, rules: Rules, rows: I64, probability: F64) -> Mask:
    """Sales-ready at the first look; a condition on a probability that nobody says counts as met, as for MQL."""
    moment = moment_at(
        people.leads, crowd.encoded, rows, people.created_at[rows], crowd.start[rows], crowd.beside.bare()
    )
    standing = rules.standings(
        score_points(rules, moment), np.where(np.isnan(probability), 1.0, probability)
    )  # fmt: skip
    return np.asarray(standing == SALES_READY)
