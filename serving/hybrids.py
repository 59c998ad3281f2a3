"""States between two scorings of the same leads: each kind of record as it was known at a moment of its own.

A dataset keeps when each record arrived, so what was known at an earlier moment can be made again from what is known
now. Where all moments are one the answer is that of `Known.moment`, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.identity import by_the_lead
from data.records import Columns, take
from features.beside import NOBODY, Beside, hand_over, past_at
from features.build import FeatureSet
from features.cutting import cut
from features.family import Moment
from features.journeys import Journeys
from features.leads import Leads, leads_at
from features.past import Past
from serving.known import Known

I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Knowledge:
    """Until when each kind of record is known, all in microseconds; what came at that moment or later is not.

    profile: profile rows and consents. links: who a visitor is, merges among them. events: what had happened and
    arrived; outcomes and what is known of the account go with it. clock: the moment ages are counted from.
    """

    profile: int
    links: int
    events: int
    clock: int

    @staticmethod
    def of(as_of: int) -> Knowledge:
        """Everything that was known before one moment."""
        return Knowledge(as_of, as_of, as_of, as_of)


def moment_of(known: Known, at: Knowledge, feature_set: FeatureSet) -> Moment:
    """The moments of n people in such a state, events encoded with this set's content map and channel rules.

    Events that happened at or after the clock count as having happened just now: their order, sessions and dwell are
    the true ones, their age is the smallest there is.
    """
    beside = known.beside if feature_set.context else known.beside.bare()
    return Moment(_leads(known, at, beside), _journeys(known, at, beside, feature_set))


def _leads(known: Known, at: Knowledge, beside: Beside) -> Leads:
    lead, since = known.everyone, _all(known, at.profile)
    created_at, permission = known.created_at, beside.permission(lead, since)
    if permission is not None:
        lead = np.where(permission.profile, lead, NOBODY)
        created_at = np.where(permission.profile, created_at, np.iinfo(np.int64).min)
    past = _past(beside, lead, at) if beside.accounts is not None or beside.outcomes else None
    return replace(leads_at(known.leads, lead, created_at, since, past), as_of=_all(known, at.clock))


def _past(beside: Beside, lead: I64, at: Knowledge) -> Past:
    """What is told by records; how recent others of the account were is a matter of the clock."""
    told = past_at(beside, lead, np.full(len(lead), at.events))
    if at.events == at.clock:
        return told
    now = past_at(beside, lead, np.full(len(lead), at.clock))
    return replace(told, active=now.active, first_contact_days=now.first_contact_days)


def _journeys(known: Known, at: Knowledge, beside: Beside, feature_set: FeatureSet) -> Journeys:
    lead = known.everyone
    permission = beside.permission(lead, _all(known, at.profile))
    if permission is not None:
        lead = np.where(permission.events, lead, NOBODY)
    events = _known_events(known.events, at)
    encoded = feature_set.encode(events)
    encoded = replace(encoded, known=encoded.time)  # all of them are known; what is left to ask is what had happened
    clock = _all(known, at.clock)
    until = np.where(_since(events, at.clock, len(known)), at.events, clock)
    journeys = cut(encoded, lead, until, hand_over(beside, lead))
    if (until == clock).all():
        return journeys
    asked = replace(journeys, as_of=clock)
    asked.__dict__.update(age=np.maximum(clock[journeys.segment] - journeys.time, 1))
    return asked


def _known_events(events: Columns, at: Knowledge) -> Columns:
    """The events that had arrived, of visitors whose link was known."""
    if not len(_times(events, "lead")):
        return events
    arrived = np.maximum(_times(events, "occurred_at"), _times(events, "received_at")) < at.events
    return take(events, np.flatnonzero(arrived & (_times(events, "known_from") < at.links)))


def _since(events: Columns, clock: int, n: int) -> NDArray[np.bool_]:
    """Who of n people did something at or after the clock."""
    lead = _times(events, "lead")
    if not len(lead):
        return np.zeros(n, dtype=np.bool_)
    late = (lead >= 0) & (_times(events, "occurred_at") >= clock) & by_the_lead(events)
    found: NDArray[np.bool_] = np.bincount(lead[late], minlength=n) > 0
    return found


def _all(known: Known, moment: int) -> I64:
    return np.full(len(known), moment, dtype=np.int64)


def _times(events: Columns, name: str) -> I64:
    return np.asarray(events[name], dtype=np.int64)
