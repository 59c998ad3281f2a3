"""Snapshots: at which moments a lead is looked at, and what became of it within the horizon.

    snapshots_of(people, ...)     the (lead, as_of) pairs of some leads, with their labels
                                  weekly: created_at + first look, then every week
                                  after_first_event: once, first event + first look
    labels_of(conversions, ...)   1 or 0 for any such pairs, from the outcomes

Targets are `converted`, `accepted` (or any other kind of outcome), and `next_order`: a customer's next conversion,
asked from the first conversion on for as long as one stands.

A snapshot whose answer is not final yet is censored, even if the lead has already converted: keeping only the early
converters would inflate recent rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.errors import SettingsError
from data.identity import by_the_lead
from data.records import DAY, MICROS, NULL_TIME, Coded, Columns
from data.settings import SnapshotSettings

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

CONVERTED, LOST, CANCELLED, ACCEPTED = "converted", "lost", "cancelled", "accepted"
NEXT_ORDER = "next_order"
FOREVER = int(np.iinfo(np.int64).max)
NO_EVENT, NOT_YET, CLOSED_BEFORE, SAW_EXCLUDED = "no_event", "not_yet", "closed_before", "saw_excluded"
NO_ORDER = "no_order"
LEFT_OUT = {
    NO_EVENT: "left out: no event",
    NOT_YET: "left out: first look after the data's end",
    CLOSED_BEFORE: "left out: converted or lost before the look",
    SAW_EXCLUDED: "left out: saw excluded content before the look",
    NO_ORDER: "left out: no order yet",
}


@dataclass(frozen=True)
class Policy:
    """The snapshot settings in force, all in microseconds."""

    first_look: int
    every: int
    max_per_lead: int
    idle: int
    horizon: int
    reporting_delay: int
    cancellation_window: int
    after_first_event: bool = False
    exclude_if_seen: tuple[str, ...] = ()

    @property
    def maturity(self) -> int:
        """From `as_of` to the moment its label is final."""
        return self.horizon + max(self.reporting_delay, self.cancellation_window)

    @property
    def horizon_days(self) -> int:
        return round(self.horizon / DAY)


def policy_of(settings: SnapshotSettings) -> Policy:
    """The settings in force; what the dataset says is already among them."""
    return Policy(
        first_look=round(settings.first_look_minutes * 60) * MICROS,
        every=round(settings.every_days * DAY),
        max_per_lead=settings.max_per_lead,
        idle=settings.idle_days * DAY,
        horizon=settings.horizon_days * DAY,
        reporting_delay=settings.reporting_delay_days * DAY,
        cancellation_window=settings.cancellation_window_days * DAY,
        after_first_event=settings.policy == "after_first_event",
        exclude_if_seen=settings.exclude_if_seen,
    )


@dataclass(frozen=True)
class Snapshots:
    """Row i is one (lead, as_of): `lead` numbers the leads of one People, `as_of` in microseconds, label 1, 0 or NaN
    (censored); `cancelled` marks a conversion inside the horizon that was cancelled inside its window. `left_out`:
    how many leads were not looked at, by reason (LEFT_OUT)."""

    lead: I64
    as_of: I64
    label: F64
    cancelled: Mask
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lead)


@dataclass(frozen=True)
class Conversions:
    """Conversions of some leads, oldest first; `cancelled_at` is NULL_TIME where it stands."""

    lead: I64
    at: I64
    cancelled_at: I64
    value: F64

    def take(self, rows: Mask) -> Conversions:
        return Conversions(self.lead[rows], self.at[rows], self.cancelled_at[rows], self.value[rows])


def snapshots_of(
    people: People, policy: Policy, target: str, now: int, excluded: Mask | None = None
) -> Snapshots:  # fmt: skip
    """All snapshots of these leads before `now`, with the labels that are final at `now`.

    Parameters
    ----------
    excluded
        (events,): is the event of a content of `exclude_if_seen`? A lead is not looked at once it was seen to do one.

    Raises
    ------
    ValueError
        where a lead has no creation time (a table without times has labels of its own).
    SettingsError
        for next orders looked at once, after the first event.
    """
    if len(people) and (people.created_at == NULL_TIME).any():
        raise ValueError("snapshots need the creation time of every lead")
    conversions = conversions_of(people.outcomes, target, before=now)
    start, left_out = _begins(people, target, now), {}
    if target == NEXT_ORDER:
        policy, left_out = _repeated(policy), {NO_ORDER: int((start == FOREVER).sum())}
    lead, as_of, passed_over = _looks(people, policy, now, start)
    left_out |= passed_over
    open_ = _is_asked(people, target, now, start, lead, as_of)
    fresh = ~_saw_excluded(people, excluded, lead, as_of)
    if policy.after_first_event:
        left_out |= {CLOSED_BEFORE: int((~open_).sum())}
    if excluded is not None:
        left_out |= {SAW_EXCLUDED: len(np.unique(lead[open_ & ~fresh]))}
    keep = open_ & fresh & _is_active(people, policy, lead, as_of, start)
    lead, as_of = lead[keep], as_of[keep]
    label, cancelled = final_labels(conversions, lead, as_of, policy, now)
    return Snapshots(lead, as_of, label, cancelled, left_out)


def _begins(people: People, target: str, now: int) -> I64:
    """From when each lead is asked about, FOREVER = not at all, (leads,): its creation, or for next orders its first."""
    if target != NEXT_ORDER:
        return people.created_at
    orders = conversions_of(people.outcomes, CONVERTED, before=now)
    return _first(orders.lead, orders.at, len(people))


def _is_asked(people: People, target: str, now: int, start: I64, lead: I64, as_of: I64) -> Mask:
    """Is the lead open at its look, or for next orders a customer? `lead` must be sorted."""
    if target != NEXT_ORDER:
        return is_open(people, conversions_of(people.outcomes, target, before=now), lead, as_of)
    orders = conversions_of(people.outcomes, CONVERTED, before=now)
    asked: Mask = _holds(orders, lead, as_of) & (as_of <= _first_lost(people, start)[lead])
    return asked


def _repeated(policy: Policy) -> Policy:
    """The policy, where it can ask a customer again and again."""
    if policy.after_first_event:
        raise SettingsError(
            "[snapshots] policy: expected weekly for the target next_order, got after_first_event, which looks at a "
            'lead before it can be a customer. Set policy = "weekly".'
        )
    return policy


def _looks(people: People, policy: Policy, now: int, start: I64) -> tuple[I64, I64, dict[str, int]]:
    """(lead, as_of) of every look before `now`, sorted by lead, and who has none; `start` (leads,) FOREVER = never."""
    if not policy.after_first_event:
        return *_grid(start, policy, now), {}
    first = first_seen(people, by_the_lead(people.events))
    known = first < FOREVER
    as_of = np.maximum(np.where(known, first, 0), people.created_at) + policy.first_look
    lead = np.flatnonzero(known & (as_of < now))
    none = int((~known).sum())
    return lead, as_of[lead], {NO_EVENT: none, NOT_YET: len(people) - none - len(lead)}


def first_seen(people: People, mask: Mask) -> I64:
    """From when the first event of each lead where `mask` could be seen; FOREVER where there is none, (leads,).

    The moment it could be seen, not the moment it happened: an event that arrives later moves no earlier look.
    """
    owner, at = _array(people.events["lead"]).astype(np.int64), seen_from(people.events)
    mine = mask & (owner >= 0)
    return _first(owner[mine], at[mine], len(people))


def _saw_excluded(people: People, excluded: Mask | None, lead: I64, as_of: I64) -> Mask:
    if excluded is None:
        return np.zeros(len(lead), dtype=np.bool_)
    seen: Mask = first_seen(people, excluded & by_the_lead(people.events))[lead] < as_of
    return seen


def conversions_of(outcomes: Columns, target: str, before: int) -> Conversions:
    """The target's outcomes known before a moment, each with the cancellation that followed it, if any.

    Of `next_order` these are the conversions made while an earlier one of the same lead stood.
    """
    if target == NEXT_ORDER:
        orders = conversions_of(outcomes, CONVERTED, before)
        return orders.take(_holds(orders, orders.lead, orders.at))
    lead, at, value = (_array(outcomes[n]) for n in ("lead", "occurred_at", "value"))
    kind = outcomes["kind"]
    assert isinstance(kind, Coded)
    hit = kind.recode({target: 1}, 0) == 1
    gone = kind.recode({CANCELLED: 1}, 0) == 1
    hit, gone = hit & (at < before), gone & (at < before)
    order = np.flatnonzero(hit)[np.lexsort((at[hit], lead[hit]))]
    lead_, at_ = lead[order].astype(np.int64), at[order].astype(np.int64)
    if target != CONVERTED:
        gone = np.zeros_like(gone)
    return Conversions(lead_, at_, _cancelled_at(lead_, at_, lead[gone], at[gone]), value[order].astype(np.float64))


def _cancelled_at(lead: I64, at: I64, gone_lead: I64, gone_at: I64) -> I64:
    """Each cancellation ends the latest conversion at or before it."""
    cancelled = np.full(len(lead), NULL_TIME, dtype=np.int64)
    order = np.lexsort((gone_at, gone_lead))
    for who, when in zip(gone_lead[order].tolist(), gone_at[order].tolist(), strict=True):
        first, last = np.searchsorted(lead, [who, who + 1])
        i = first + int(np.searchsorted(at[first:last], when, side="right")) - 1
        if i >= first and cancelled[i] == NULL_TIME:
            cancelled[i] = when
    return cancelled


def _grid(start: I64, policy: Policy, now: int) -> tuple[I64, I64]:
    """start + first look, then every `every`, at most `max_per_lead`, before `now`."""
    looks = np.arange(policy.max_per_lead, dtype=np.int64) * policy.every + policy.first_look
    who = np.flatnonzero(start < now)
    as_of = start[who][:, None] + looks[None, :]
    lead = np.broadcast_to(who[:, None], as_of.shape)
    keep = as_of < now
    return lead[keep], as_of[keep]


def _is_active(people: People, policy: Policy, lead: I64, as_of: I64, start: I64) -> Mask:
    last_event = _last_event(people, lead, as_of)
    return as_of - np.maximum(last_event, start[lead]) <= policy.idle


def open_leads(people: People, policy: Policy, target: str, now: int) -> Mask:
    """Whom a rescoring at `now` is about: created, neither converted nor lost, and active within `idle`; (leads,)."""
    lead, start = np.arange(len(people), dtype=np.int64), _begins(people, target, now)
    as_of = np.full(len(people), now, dtype=np.int64)
    there = (start < now) & _is_asked(people, target, now, start, lead, as_of)
    return np.asarray(there & _is_active(people, policy, lead, as_of, start), dtype=np.bool_)


def is_open(people: People, conversions: Conversions, lead: I64, as_of: I64) -> Mask:
    """Neither converted (a cancelled conversion reopens the lead once the cancellation is known) nor lost.

    `lead` must be sorted.
    """
    return ~_holds(conversions, lead, as_of) & (as_of <= _first_lost(people)[lead])


def _holds(conversions: Conversions, lead: I64, as_of: I64) -> Mask:
    """Does a conversion of lead[i] made before as_of[i] stand then, as far as is known? `lead` must be sorted."""
    holds = np.zeros(len(lead), dtype=np.bool_)
    until = np.where(conversions.cancelled_at == NULL_TIME, FOREVER, conversions.cancelled_at)
    row, which = _rows_of(conversions, lead)
    holds[row[(as_of[row] > conversions.at[which]) & (as_of[row] <= until[which])]] = True
    return holds


def _rows_of(conversions: Conversions, lead: I64) -> tuple[I64, I64]:
    """(row, conversion) of each pair of a row and a conversion of its lead. `lead` must be sorted."""
    first, last = (np.searchsorted(lead, conversions.lead, side) for side in ("left", "right"))
    many = last - first
    which = np.repeat(np.arange(len(many)), many)
    return np.arange(len(which)) + np.repeat(first - (np.cumsum(many) - many), many), which


def _first(lead: I64, at: I64, leads: int) -> I64:
    """The earliest moment of each lead, FOREVER where it has none, (leads,)."""
    first = np.full(leads, FOREVER, dtype=np.int64)
    np.minimum.at(first, lead, at)
    return first


def _first_lost(people: People, since: I64 | None = None) -> I64:
    """When each lead was first lost, (leads,); with `since` (leads,) losses before it do not count."""
    kind = people.outcomes["kind"]
    assert isinstance(kind, Coded)
    rows = kind.recode({LOST: 1}, 0) == 1
    lead, at = (_array(people.outcomes[n])[rows].astype(np.int64) for n in ("lead", "occurred_at"))
    if since is not None:
        lead, at = lead[at >= since[lead]], at[at >= since[lead]]
    return _first(lead, at, len(people))


def _last_event(people: People, lead: I64, as_of: I64) -> I64:
    """When the last event of each lead before as_of came to be known, the far past where there is none.

    Events that the lead did: what we sent and what bots did keep nobody open.
    """
    owner, at = _array(people.events["lead"]).astype(np.int64), seen_from(people.events)
    mine = (owner >= 0) & by_the_lead(people.events)
    owner, at = owner[mine], at[mine]
    order = np.lexsort((at, owner))
    who, when = np.concatenate([owner[order], lead]), np.concatenate([at[order], as_of])
    is_event = np.concatenate([np.ones(len(owner), dtype=np.int8), np.zeros(len(lead), dtype=np.int8)])
    merged = np.lexsort((is_event, when, who))
    position = np.empty(len(merged), dtype=np.int64)
    position[merged] = np.cumsum(is_event[merged]) - 1
    found = position[len(owner) :]
    if not len(order):
        return np.full(len(lead), NULL_TIME // 2, dtype=np.int64)
    rows = order[np.maximum(found, 0)]
    return np.where((found >= 0) & (owner[rows] == lead), at[rows], NULL_TIME // 2).astype(np.int64)


def seen_from(events: Columns) -> I64:
    """The moment from which each event may be seen: it has happened, arrived, and is known to be of its lead."""
    occurred, received, known = (_array(events[n]) for n in ("occurred_at", "received_at", "known_from"))
    return np.maximum(np.maximum(occurred, received), known).astype(np.int64)


def final_labels(conversions: Conversions, lead: I64, as_of: I64, policy: Policy, now: int) -> tuple[F64, Mask]:
    """`labels_of`, with NaN where the answer is not final at `now`."""
    label, cancelled = labels_of(conversions, lead, as_of, policy)
    label[as_of + policy.maturity > now] = np.nan
    return label, cancelled


def labels_of(
    conversions: Conversions, lead: I64, as_of: I64, policy: Policy, until: I64 | None = None
) -> tuple[F64, Mask]:  # fmt: skip
    """1 where a conversion falls in [as_of, until) and is not cancelled within its window, else 0; and where one fell
    but was cancelled. `until` is as_of + horizon where not given. `lead` must be sorted."""
    until = as_of + policy.horizon if until is None else until
    label, cancelled = np.zeros(len(lead)), np.zeros(len(lead), dtype=np.bool_)
    in_window = taken_back(conversions, policy)
    row, which = _rows_of(conversions, lead)
    hit = (as_of[row] <= conversions.at[which]) & (conversions.at[which] < until[row])
    row, gone = row[hit], in_window[which[hit]]
    label[row[~gone]], cancelled[row[gone]] = 1.0, True
    return label, cancelled & (label == 0)


def taken_back(conversions: Conversions, policy: Policy) -> Mask:
    """Which of these conversions were cancelled within their window."""
    gone: Mask = conversions.cancelled_at != NULL_TIME
    gone[gone] = (conversions.cancelled_at - conversions.at)[gone] <= policy.cancellation_window
    return gone


def _array(column: object) -> NDArray[np.int64]:
    assert isinstance(column, np.ndarray)
    return column
