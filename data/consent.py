"""Who has consented to what, at which moment.

A consent holds from when it was given until it is withdrawn; a withdrawal ends everything given for its purpose at or
before it. Only what is known before a moment counts at it, so a withdrawal counts from the next call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME, Coded, Columns
from data.spans import FOREVER, Spans, merged

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
TRACKING, SCORING, CONTACT = "tracking", "scoring", "contact"


@dataclass(frozen=True)
class Permission:
    """What may be used of each of n (lead, as_of) pairs: its profile (purpose scoring), and its events too (tracking
    as well: events of a lead that may not be scored are of no use)."""

    profile: Mask
    events: Mask


def permission_at(consents: Columns, lead: I64, as_of: I64) -> Permission:
    """The permission of lead[i] at as_of[i], from `consents` with an int64 column `lead`."""
    profile = holds(consents, SCORING, lead, as_of)
    return Permission(profile, profile & holds(consents, TRACKING, lead, as_of))


def holds(consents: Columns, purpose: str, lead: I64, as_of: I64) -> Mask:
    """Whether lead[i] has a valid consent of this purpose at as_of[i]."""
    return consent_spans(consents, purpose).at(lead, as_of) > 0


def contact_unconfirmed(consents: Columns, lead: I64, as_of: I64) -> Mask:
    """Who has agreed to be contacted, but has not confirmed it (double opt-in) before as_of."""
    confirmed = consent_spans(consents, CONTACT, confirmed=True).at(lead, as_of) > 0
    return holds(consents, CONTACT, lead, as_of) & ~confirmed


def consent_spans(consents: Columns, purpose: str, confirmed: bool = False) -> Spans:
    """When each lead's consent of a purpose holds, as spans that do not meet; with `confirmed` only from when the
    double opt-in was completed."""
    chosen = consents.get("purpose")
    if not isinstance(chosen, Coded) or not len(chosen):
        return Spans.none()
    rows = np.flatnonzero(chosen.recode({purpose: 1}, 0) == 1)
    lead, given, withdrawn = (_times(consents, n)[rows] for n in ("lead", "given_at", "withdrawn_at"))
    until = _first_withdrawal(lead, given, withdrawn)
    if confirmed:
        at = _times(consents, "confirmed_at")[rows]
        until = np.where(at == NULL_TIME, NULL_TIME, until)
        given = np.maximum(given, at)
    return merged(Spans(lead, given, until))


def _first_withdrawal(lead: I64, given: I64, withdrawn: I64) -> I64:
    """The earliest withdrawal of the lead at or after each consent, FOREVER where there is none."""
    gone = withdrawn != NULL_TIME
    if not gone.any():
        return np.full(len(lead), FOREVER, dtype=np.int64)
    order = np.lexsort((withdrawn[gone], lead[gone]))
    who, when = lead[gone][order], withdrawn[gone][order]
    both = np.concatenate([lead, who])
    times = np.concatenate([given, when])
    is_end = np.concatenate([np.zeros(len(lead), dtype=np.int8), np.ones(len(who), dtype=np.int8)])
    sequence = np.lexsort((is_end, times, both))
    ends_before = np.empty(len(sequence), dtype=np.int64)
    ends_before[sequence] = np.cumsum(is_end[sequence], dtype=np.int64)
    following = ends_before[: len(lead)]
    safe = np.minimum(following, len(who) - 1)
    return np.where((following < len(who)) & (who[safe] == lead), when[safe], FOREVER).astype(np.int64)


def _times(columns: Columns, name: str) -> I64:
    column = columns[name]
    assert isinstance(column, np.ndarray)
    return column.astype(np.int64, copy=False)
