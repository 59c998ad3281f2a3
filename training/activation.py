"""Where visitors become leads: the content and the action, by the channel they came by, and what those leads became.

    activation point   the last form sent by a lead until just after it was one; without a form its last other action
                       (download, video ...), else its last page view; and the content on which that happened
    rate               leads made there, of the visitors who came to that content before they were leads
    later              of the leads whose answers are final: won net of cancellations, accepted, cancelled within the horizon

A visitor counts once for each content it came to, whenever that was, so the rate of a content is what happened so far.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.records import EVENT_TYPES
from data.spans import FOREVER
from features.arrays import filled, pick, rows_where, sorted_distinct
from features.build import journeys_at
from features.channels import CHANNELS
from features.journeys import Journeys
from training.content_paths import NO_CHANNEL
from training.groups import plain
from training.intervals import rate, wilson
from training.path_targets import LEAD, Crowd, crowds_of
from training.snapshots import Policy, conversions_of, labels_of
from training.trails import By, Names, refuse_without_times

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
ALL_CHANNELS = "(all)"
LEAST = 5  # leads or visitors of a row that is shown
ACTIONS = tuple(t for t in EVENT_TYPES if t not in ("page_view", "engagement", "email", "form"))
NOWHERE = "(unknown)"
_WIDTH = len(CHANNELS) + 1


@dataclass(frozen=True)
class ActivationRow:
    """One content and action, from one channel or all. rate: leads over visitors who came to the content, with its
    Wilson 95 % interval. matured: leads whose answers are final; of these won, accepted and cancelled, with rates and
    intervals, NaN where none is final."""

    content: str
    action: str
    channel: str
    visitors: int
    leads: int
    rate: float
    low: float
    high: float
    matured: int
    won: int
    won_rate: float
    won_low: float
    won_high: float
    accepted: int
    accepted_rate: float
    accepted_low: float
    accepted_high: float
    cancelled: int
    cancelled_rate: float
    cancelled_low: float
    cancelled_high: float

    def document(self) -> dict[str, Any]:
        return plain(vars(self))


@dataclass(frozen=True)
class Activations:
    """n leads: content code and event type of the activation point, channel number (0 = no visit), and whether each is
    final, won, accepted, cancelled. reached (contents, channels): visitors who came to each content."""

    names: tuple[str, ...]
    content: I64
    action: I64
    channel: I64
    matured: Mask
    won: Mask
    accepted: Mask
    cancelled: Mask
    reached: I64


def activation_rows(
    dataset: Dataset, policy: Policy, now: int, by: By = "content", least: int = LEAST
) -> tuple[ActivationRow, ...]:
    """Rows of at least `least` leads, most leads first; for each channel and for all.

    Raises
    ------
    InputError
        for a table without times, or where visitors may not be counted (see `path_targets.crowds_of`).
    """
    refuse_without_times(dataset)
    tally = ActivationTally(policy, now, by)
    for crowd in crowds_of(dataset, LEAD, policy, now):
        tally(crowd)
    return rows_of(tally.found(), least)


class ActivationTally:
    """The activation point of every lead that came by a visit, of crowds of visitors told one by one."""

    def __init__(self, policy: Policy, now: int, by: By = "content") -> None:
        self._policy, self._now, self._by, self._names = policy, now, by, Names()
        self._parts: list[Activations] = []
        self._reached: list[I64] = []

    def __call__(self, crowd: Crowd) -> None:
        codes = self._names.codes(crowd.encoded.vocabulary, self._by)
        rows, journeys = until_leads(crowd, self._policy, self._now)
        channel = pick(journeys.session_channel, journeys.first_session).astype(np.int64) + 1
        content = codes.take(journeys.content).astype(np.int64)
        self._reached.append(_reached(journeys, content, channel, len(self._names.all)))
        if crowd.leads is not None:
            self._parts.append(_points(crowd, rows, journeys, content, channel, self._policy, self._now))

    def found(self) -> Activations:
        """Everything told so far."""
        names = [f.name for f in fields(Activations)[1:-1]]
        columns: dict[str, Any] = {n: np.concatenate([getattr(p, n) for p in self._parts]) for n in names}
        total = np.zeros((len(self._names.all), _WIDTH), dtype=np.int64)
        for table in self._reached:
            total[: len(table)] += table
        return Activations(self._names.all, **columns, reached=total)


def until_leads(crowd: Crowd, policy: Policy, now: int) -> tuple[I64, Journeys]:
    """Who was a visitor, and what each did until just after it became a lead, or until now."""
    until = filled(len(crowd), now, np.int64)
    born = crowd.conversions
    until[born.lead] = np.minimum(born.at + policy.first_look, now)
    rows = rows_where(crowd.start < FOREVER)
    return rows, journeys_at(crowd.encoded, rows, until[rows], crowd.beside)


def _reached(journeys: Journeys, content: I64, channel: I64, width: int) -> I64:
    """Visitors who came to each content by each channel, (contents, channels)."""
    some = rows_where(content >= 0)
    pair = sorted_distinct(journeys.segment[some] * width + content[some])[0]
    cell = (pair % width) * _WIDTH + channel[pair // width] if width else pair
    return np.bincount(cell, minlength=width * _WIDTH).reshape(width, _WIDTH).astype(np.int64)


def _points(
    crowd: Crowd, rows: I64, journeys: Journeys, content: I64, channel: I64, policy: Policy, now: int
) -> Activations:
    """The activation points of one group; `reached` is left empty."""
    assert crowd.leads is not None
    created, outcomes = crowd.leads.created_at[rows], crowd.leads.outcomes
    at = activating(journeys)
    born = rows_where((created < now) & (at >= 0))
    position, lead, as_of = at[born], rows[born], created[born] + policy.first_look
    seen = journeys.last((content >= 0) & _up_to(journeys, at))[born]
    where = np.where(content[position] >= 0, content[position], pick(content, seen))
    won, cancelled = labels_of(conversions_of(outcomes, "converted", now), lead, as_of, policy)
    accepted, _ = labels_of(conversions_of(outcomes, "accepted", now), lead, as_of, policy)
    return Activations(
        (), where.astype(np.int64), journeys.type[position].astype(np.int64), channel[born],
        as_of + policy.maturity <= now, won == 1, accepted == 1, cancelled, np.zeros((0, _WIDTH), dtype=np.int64),
    )  # fmt: skip


def activating(journeys: Journeys) -> I64:
    """Position of the event that made each a lead, -1 = none known: a form, else another action, else a page view."""
    form, views = journeys.last(journeys.of_type("form")), journeys.last(journeys.views)
    action = journeys.last(journeys.of_type(*ACTIONS))
    return np.where(form >= 0, form, np.where(action >= 0, action, views))


def _up_to(journeys: Journeys, at: I64) -> Mask:
    """Events no later than their segment's position `at`."""
    return np.asarray(np.arange(len(journeys.time)) <= at[journeys.segment])


# -- rows ------------------------------------------------------------------------------------------------------------
def rows_of(found: Activations, least: int = LEAST) -> tuple[ActivationRow, ...]:
    """The rows of activation points, most leads first."""
    names, types = (*found.names, NOWHERE), len(EVENT_TYPES)
    content = np.where(found.content >= 0, found.content, len(found.names))
    reached = np.vstack([found.reached, np.zeros((1, _WIDTH), dtype=np.int64)])
    rows = []
    for channels, channel in ((_WIDTH, found.channel), (1, np.zeros_like(found.channel))):
        cell: I64 = (content * types + found.action) * channels + channel
        kept, size = sorted_distinct(cell)
        kept = kept[size >= least]
        visitors = reached if channels > 1 else reached.sum(axis=1, keepdims=True)
        columns = _columns(found, cell, kept, visitors[kept // channels // types, kept % channels])
        for k, row in zip(kept.tolist(), zip(*(c.tolist() for c in columns), strict=True), strict=True):
            source = (NO_CHANNEL, *CHANNELS)[k % channels] if channels > 1 else ALL_CHANNELS
            rows.append(ActivationRow(names[k // channels // types], EVENT_TYPES[k // channels % types], source, *row))
    return tuple(sorted(rows, key=lambda r: (-r.leads, r.content, r.action, r.channel)))


def _columns(found: Activations, cell: I64, kept: I64, visitors: I64) -> tuple[F64 | I64, ...]:
    """The figures of each kept cell; where a form came without a view of its content, its leads are its visitors."""
    which = np.searchsorted(kept, cell)
    which = np.where(kept.take(np.minimum(which, len(kept) - 1)) == cell, which, len(kept)) if len(kept) else which

    def count(mask: Mask) -> I64:
        return np.bincount(which[mask], minlength=len(kept) + 1)[: len(kept)].astype(np.int64)

    leads, matured = count(np.ones(len(cell), dtype=np.bool_)), count(found.matured)
    visitors = np.maximum(visitors, leads)
    later: list[F64 | I64] = []
    for mask in (found.won, found.accepted, found.cancelled):
        hits = count(mask & found.matured)
        low, high = (np.where(matured > 0, bound, np.nan) for bound in wilson(hits, matured))
        later += [hits, rate(hits, matured), low, high]
    return visitors, leads, rate(leads, visitors), *wilson(leads, visitors), matured, *later
