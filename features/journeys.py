"""Journeys: events as flat arrays sorted by (segment, time) plus offsets. THE structure of all behaviour features.

    features.encode.encode(events, content_map, channel_of)   text -> codes, once per distinct text       -> Encoded
    features.cutting.cut(encoded, lead, as_of)                one segment per (lead, as_of), what was known then -> Journeys

A segment holds the inbound, human events of one lead with `occurred_at < as_of` and `received_at < as_of`, of
visitors whose link was known (`known_from < as_of`). Everything below works on whole arrays; the same code serves
one lead in a request and a bucket in a batch, and gives the same bits in both: sums are `np.bincount`, which adds in
order within each segment and never looks at another one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from data.light import light
from data.records import DAY, EVENT_TYPES, MICROS, WEB_TYPES
from features.arrays import (
    F64,
    I8,
    I32,
    I64,
    Mask,
    distinct_pairs,
    filled,
    highest_of_each,
    nans,
    per_segment,
    rows_where,
    run_starts,
)
from features.channels import GROUP_OF, GROUPS
from features.content import STAGES
from features.encode import TYPE, Vocabulary
from features.lazy import cached_property
from features.pages import Pages
from features.seconds import Seconds

SESSION_GAP = 30 * 60 * MICROS
NO_SESSION = -1
_WEB = np.array([t in WEB_TYPES for t in EVENT_TYPES])
HALF_LIFE_DAYS = 14.0
HOUR = DAY // 24
_GROUP_OF = np.array(GROUP_OF)


@light
class Journeys:
    """One segment per (lead, as_of); `offsets[i]:offsets[i + 1]` are the events of segment i, oldest first.

    time int64 us; type code of EVENT_TYPES; content, campaign codes of `vocabulary` (-1 = none); channel code of
    CHANNELS as this event alone says; session counts from 0 within all segments (NO_SESSION for offline events);
    dwell seconds (NaN = unknown) and basis code of DWELL_BASES.
    """

    as_of: I64
    offsets: I64
    time: I64
    type: I8
    content: I32
    channel: I8
    campaign: I32
    session: I64
    dwell: F64
    basis: I8
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.as_of)

    @cached_property
    def segment(self) -> I64:
        """Segment number of each event."""
        return np.repeat(np.arange(len(self), dtype=np.int64), np.diff(self.offsets))

    # -- masks: which events -----------------------------------------------------------------------------------
    @cached_property
    def age(self) -> I64:
        """Microseconds between each event and its segment's as_of; above 0."""
        return self.as_of[self.segment] - self.time

    @cached_property
    def age_days(self) -> F64:
        """Days between each event and its segment's as_of; above 0."""
        return self.age / DAY

    @cached_property
    def hour(self) -> I32:
        """Hour of each event, in UTC, counted from 1970."""
        return (self.time // HOUR).astype(np.int32)

    @cached_property
    def day(self) -> I32:
        """Day of each event, in UTC, counted from 1970."""
        return self.hour // 24

    @cached_property
    def hour_of_week(self) -> I32:
        """0 for the first hour of Monday (UTC) to 167; 1970 began on a Thursday."""
        hours = self.hour + 3 * 24
        return hours - 168 * (hours // 168)

    @cached_property
    def days_since_first(self) -> F64:
        """Days since the first event; NaN without one."""
        return self.at(self.age_days, self.first())

    def within(self, days: int) -> Mask:
        """Events of the last `days` days, the oldest moment included."""
        seen: Mask = self.age <= days * DAY
        return seen

    @cached_property
    def in_28d(self) -> Mask:
        return self.within(28)

    @cached_property
    def in_7d(self) -> Mask:
        return self.within(7)

    def of_type(self, *types: str) -> Mask:
        mask: Mask = self.type == TYPE[types[0]]
        for other in types[1:]:
            mask |= self.type == TYPE[other]
        return mask

    @cached_property
    def views(self) -> Mask:
        """Page views."""
        return self.of_type("page_view")

    def on_type(self, content_type: str) -> Mask:
        """Events on contents of this type."""
        mask: Mask = self.content_type == self.vocabulary.type_number(content_type)
        return mask

    @cached_property
    def timed(self) -> Mask:
        """Events whose dwell is known."""
        return ~np.isnan(self.dwell)

    @cached_property
    def told(self) -> Mask:
        """Page views whose own time is known."""
        return self.views & self.timed

    @cached_property
    def measured(self) -> Mask:
        """Engagement that was measured: like page views, its dwell is time on a page."""
        return self.of_type("engagement") & self.timed

    @cached_property
    def known_views(self) -> F64:
        """Page views whose time is known: their own, or engagement measured on their content in their session."""
        rows, width = rows_where(self.measured), len(self.vocabulary.contents) + 1
        if not len(rows):
            return self.count(self.told)
        in_session = np.zeros(len(self.session_starts), dtype=np.bool_)
        in_session[self.session[rows]] = True
        open_ = rows_where((self.views ^ self.told) & in_session.take(self.session))
        visit, seen = (self.session[some] * width + self.content[some] + 1 for some in (open_, rows))
        return self.count(self.told) + per_segment(self.segment[open_[rows_where(np.isin(visit, seen))]], len(self))

    @cached_property
    def stage(self) -> I32:
        """Stage number of each event's content, -1 = none."""
        return self.vocabulary.stage_of.take(self.content)

    @cached_property
    def topic(self) -> I32:
        """Topic number of each event's content, -1 = none."""
        return self.vocabulary.topic_of.take(self.content)

    @cached_property
    def content_type(self) -> I32:
        """Type number of each event's content, -1 = none."""
        return self.vocabulary.type_of.take(self.content)

    # -- reductions: one value per segment ---------------------------------------------------------------------
    @cached_property
    def events(self) -> F64:
        """Events of each segment."""
        return _lengths(self.offsets)

    def count(self, mask: Mask | None = None) -> F64:
        """Events where `mask`; 0 for none."""
        return self.events if mask is None else per_segment(self.segment, len(self), mask)

    def table(self, codes: NDArray[np.integer], width: int, mask: Mask | None = None) -> F64:
        """Events by segment and code where `mask`, (n, width); a code of -1 counts nowhere."""
        rows = rows_where(codes >= 0 if mask is None else mask & (codes >= 0))
        cell = self.segment[rows] * width + codes[rows]
        return per_segment(cell, len(self) * width).reshape(len(self), width)

    @cached_property
    def by_type(self) -> F64:
        """Events of each type, (n, 12)."""
        return self._types()

    @cached_property
    def by_type_28d(self) -> F64:
        """Events of each type in the last 28 days, (n, 12)."""
        return self._types(self.in_28d)

    def _types(self, mask: Mask | None = None) -> F64:
        shape = (len(self), len(EVENT_TYPES))
        return per_segment(self.segment * shape[1] + self.type, math.prod(shape), mask).reshape(shape)

    def first(self, mask: Mask | None = None) -> I64:
        """Position of the first event where `mask`; -1 where none."""
        if mask is None:
            return _first_of(self.offsets)
        rows, none = rows_where(mask), len(self.time)
        first = filled(len(self), none, np.int64)
        np.minimum.at(first, self.segment[rows], rows)
        return np.where(first < none, first, -1)

    def last(self, mask: Mask | None = None) -> I64:
        """Position of the last event where `mask`; -1 where none."""
        if mask is None:
            return _last_of(self.offsets)
        rows = rows_where(mask)
        return highest_of_each(self.segment[rows], rows, len(self))

    def distinct(self, codes: I32, mask: Mask | None = None) -> F64:
        """Distinct codes >= 0 where `mask`; 0 for none."""
        rows = rows_where(codes >= 0 if mask is None else mask & (codes >= 0))
        return distinct_pairs(self.segment[rows], codes[rows], len(self), int(codes.max(initial=-1)) + 1)

    # -- page views, and time on them --------------------------------------------------------------------------
    @cached_property
    def pages(self) -> Pages:
        """The page views, their contents and paths."""
        rows = rows_where(self.views)
        return Pages(len(self), rows, self.segment[rows], self.content[rows], self.vocabulary)

    @cached_property
    def seconds(self) -> Seconds:
        """The timed events, to be summed."""
        rows, missing = rows_where(self.told | self.measured), rows_where(self.views ^ self.told)
        return Seconds(
            rows, self.segment[rows], self.dwell[rows], missing, self.segment[missing], np.logical_not(self.sessions)
        )

    @cached_property
    def seconds_total(self) -> F64:
        """Seconds on all pages."""
        return self.seconds.total()

    @cached_property
    def seconds_by_stage(self) -> F64:
        """Seconds on pages of each funnel stage, (n, 3)."""
        return self.seconds.by(self.stage, len(STAGES))

    @cached_property
    def decay(self) -> F64:
        """Weight of each event: one HALF_LIFE_DAYS old counts half."""
        weights: F64 = np.exp2(-self.age_days / HALF_LIFE_DAYS)
        return weights

    def at(self, values: NDArray[np.generic], position: I64) -> F64:
        """values[position] as float; NaN where position is -1."""
        if not len(values):
            return nans(len(position))
        return np.where(position >= 0, values[position].astype(np.float64, copy=False), np.nan)

    # -- sessions ----------------------------------------------------------------------------------------------
    @cached_property
    def session_starts(self) -> I64:
        """Positions of the events that open a session, in order; `session` numbers point into this."""
        highest = np.maximum.accumulate(self.session)  # offline events, NO_SESSION, open none
        opens = run_starts(highest)
        return opens[1:] if len(opens) and highest[0] == NO_SESSION else opens

    @cached_property
    def session_channel(self) -> I8:
        """Channel of each session: what its first event says."""
        return self.channel[self.session_starts]

    @cached_property
    def sessions_by_group(self) -> F64:
        """Sessions of each group of channels, (n, groups)."""
        shape = (len(self), len(GROUPS))
        cell = self.session_segment * shape[1] + _GROUP_OF.take(self.session_channel)
        return per_segment(cell, math.prod(shape)).reshape(shape)

    @cached_property
    def session_segment(self) -> I64:
        """Segment of each session."""
        return self.segment[self.session_starts]

    @cached_property
    def session_offsets(self) -> I64:
        """`session_offsets[i]:session_offsets[i + 1]` are the sessions of segment i, oldest first."""
        return self.session_starts.searchsorted(self.offsets)

    @cached_property
    def sessions(self) -> F64:
        """Sessions of each segment."""
        return _lengths(self.session_offsets)

    @cached_property
    def first_session(self) -> I64:
        """Number of each segment's first session; -1 where none."""
        return _first_of(self.session_offsets)

    @cached_property
    def last_session(self) -> I64:
        """Number of each segment's last session; -1 where none."""
        return _last_of(self.session_offsets)

    @cached_property
    def in_last_session(self) -> Mask:
        """Events of the last session."""
        last: Mask = (self.session != NO_SESSION) & (self.session == self.last_session[self.segment])
        return last

    def count_sessions(self, mask: Mask) -> F64:
        """Sessions (not events) where `mask`; 0 for none."""
        return per_segment(self.session_segment, len(self), mask)


def _lengths(offsets: I64) -> F64:
    return (offsets[1:] - offsets[:-1]).astype(np.float64)


def _first_of(offsets: I64) -> I64:
    """Where each run begins; -1 for one of no length."""
    return np.where(offsets[1:] > offsets[:-1], offsets[:-1], -1)


def _last_of(offsets: I64) -> I64:
    """Where each run ends, its last place; -1 for one of no length."""
    return np.where(offsets[1:] > offsets[:-1], offsets[1:] - 1, -1)
