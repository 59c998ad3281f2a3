"""Does the order count? For two types of content A and B: do leads that saw B after A convert more, or less, than
leads that saw both, but B never after A?

    look       at the end of each visit of an open lead: half an hour after its last event, from what was known then
    outcome    a conversion before the lead's next visit, in WATCH_DAYS days at most: what follows the next visit is told
               by the next look, so a lead that still comes to see B after A does not count for both sides
    compared   looks at leads that had seen A and B by then: some B after the first A, or none
    equal      a Poisson regression holds equal how long was watched and how much was seen: all views, days with views,
               time on pages, forms, downloads, recent views of each type, views of A and B, days since the last B, and
               the age of the lead
    claimed    at a false-discovery rate of LEVEL over all pairs (Benjamini and Hochberg 1995)

The looks of one lead follow each other without overlap, and each is conditional on all that was known at it; so their
deviations from what was expected are uncorrelated, and standard errors need no clusters. An association, not a cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset, People
from data.records import DAY, NULL_TIME
from features.arrays import rows_where
from features.beside import Beside
from features.build import journeys_at
from features.content import OTHER, ContentMap
from features.encode import Encoded
from features.journeys import NO_SESSION, SESSION_GAP, Journeys
from features.onehot import numbers_in
from training.calibration import Z95
from training.path_targets import Crowd
from training.rules_rows import encoder
from training.snapshots import Conversions, Policy, conversions_of, is_open, labels_of
from training.trails import refuse_without_times

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

WATCH_DAYS = 14
MOST_LEADS = 20_000  # looked at: the bench finds a planted order in as many; more cost as much as everything else
LEVEL = 0.05
EXPECTED = 10.0  # fewest conversions to be expected on each side of a pair, were both alike
HALF_LIFE_DAYS = 7.0
PART_OF_A_FORM = "thanks"  # type of the pages after forms: nobody chooses when to see them
PENALTY = 1.0  # of what is held equal, in standard units: a column that says nothing must not make a fit impossible


@dataclass(frozen=True)
class OrderRow:
    """One ordered pair of types. `ratio`: how many times as often leads converted after looks at which they had seen
    `after` after `before`, all else held equal, with its 95 % interval; p: two-sided, for a ratio of 1; q: p with
    all pairs looked at in mind; claimed: q at most LEVEL."""

    before: str
    after: str
    leads: int
    looks: int
    looks_in_order: int
    conversions: int
    conversions_in_order: int
    ratio: float
    low: float
    high: float
    p: float
    q: float
    claimed: bool

    @property
    def text(self) -> str:
        return f"{self.before} > {self.after}"


@dataclass(frozen=True)
class OrderReport:
    """Pairs by p, and what they were found in. Pairs with too little to tell have no row."""

    rows: tuple[OrderRow, ...]
    leads: int
    looks: int
    conversions: int
    watch_days: int = WATCH_DAYS

    @property
    def claimed(self) -> tuple[OrderRow, ...]:
        return tuple(r for r in self.rows if r.claimed)

    def document(self) -> dict[str, Any]:
        return {**vars(self), "rows": [vars(r) for r in self.rows]}


@dataclass(frozen=True)
class Looks:
    """Looks at open leads, (n,): number of the lead, days watched, whether it converted in them (1 or 0), and by type
    of content, (n, types): place of the first and the last view in the journey (-1 = none), views, days since the last
    (NaN = none). held: (n, k), what is held equal for all pairs."""

    lead: I64
    days: F64
    label: F64
    first: I64
    last: I64
    views: F64
    since: F64
    held: F64

    def __len__(self) -> int:
        return len(self.lead)

    def take(self, rows: I64) -> Looks:
        return Looks(*(getattr(self, f.name)[rows] for f in fields(self)))


def path_order(dataset: Dataset, policy: Policy, target: str, now: int, support: int = 30) -> OrderReport:
    """The report for one dataset; a pair needs `support` leads, and EXPECTED conversions on either side.

    Raises
    ------
    InputError
        for a table without times: it has no order.
    """
    refuse_without_times(dataset)
    types, looks = looks_of(dataset, policy, target, now)
    return order_report(looks, types, support)


# -- looks -----------------------------------------------------------------------------------------------------------
def looks_of(dataset: Dataset, policy: Policy, target: str, now: int) -> tuple[tuple[str, ...], Looks]:
    """The types of the dataset's content map, and all looks whose outcome is final at `now`."""
    tally = LookTally(dataset, policy, target, now)
    for people in dataset.people():
        tally(people)
    return tally.types, tally.looks()


class LookTally:
    """The looks at groups of people told one by one, at MOST_LEADS leads at most: buckets are hashes, so those of the
    first ones are like all."""

    def __init__(self, dataset: Dataset, policy: Policy, target: str, now: int) -> None:
        self._blank, self._asked = encoder(dataset, False), (policy, target, now)
        rules = ContentMap.of(self._blank.content).rules
        self.types = tuple(sorted({str(r.entry.get("type", OTHER)) for r in rules}))
        self._parts: list[Looks] = []
        self._leads = 0

    def __call__(self, people: People) -> None:
        if len(people) > MOST_LEADS - self._leads:
            people = people.take(np.arange(MOST_LEADS - self._leads))
        self._parts.append(self._looks_at(people))
        self._leads += len(people)

    def crowd(self, crowd: Crowd) -> None:
        """The same of the leads of a crowd."""
        if crowd.leads is not None:
            self(crowd.leads)

    def _looks_at(self, people: People) -> Looks:
        policy, target, now = self._asked
        encoded, conversions = self._blank.encode(people.events), conversions_of(people.outcomes, target, now)
        lead, as_of, until = _visits(people, encoded, conversions, policy, now)
        journeys = journeys_at(encoded, lead, as_of, Beside.of(people))
        told = _told(journeys)
        label, _ = labels_of(conversions, lead, as_of, policy, until)
        age = (as_of - people.created_at[lead]) / DAY
        look = _look(journeys, self.types, lead + self._leads, (until - as_of) / DAY, label, age)
        return look.take(told)

    def looks(self) -> Looks:
        """Everything told so far."""
        return Looks(*(np.concatenate([getattr(p, f.name) for p in self._parts]) for f in fields(Looks)))


def _visits(
    people: People, encoded: Encoded, conversions: Conversions, policy: Policy, now: int
) -> tuple[I64, I64, I64]:  # fmt: skip
    """(lead, as_of, until) of the visits of open leads that have matured, sorted by lead and time."""
    everybody = np.arange(len(people), dtype=np.int64)
    journeys = journeys_at(encoded, everybody, np.full(len(people), now, dtype=np.int64), Beside.of(people))
    lead, web = journeys.session_segment, rows_where(journeys.session != NO_SESSION)
    last = np.zeros(len(lead), dtype=np.int64)
    np.maximum.at(last, journeys.session[web], journeys.time[web])
    as_of = last + SESSION_GAP
    until = as_of + WATCH_DAYS * DAY
    mature = until + policy.maturity - policy.horizon <= now
    back = rows_where(lead[1:] == lead[:-1])  # visits that another one follows
    until[back] = np.minimum(until[back], journeys.time[journeys.session_starts[back + 1]])
    created = people.created_at[lead]
    rows = rows_where(mature & (until > as_of) & (as_of > created) & (created != NULL_TIME))
    rows = rows[is_open(people, conversions, lead[rows], as_of[rows])]
    return lead[rows], as_of[rows], _until_won(conversions, lead[rows], as_of[rows], until[rows])


def _until_won(conversions: Conversions, lead: I64, as_of: I64, until: I64) -> I64:
    """A lead that converts is watched until then: it would not come back as the others do."""
    for who, at in zip(conversions.lead.tolist(), conversions.at.tolist(), strict=True):
        first, last = np.searchsorted(lead, [who, who + 1])
        hit = (as_of[first:last] <= at) & (at < until[first:last])
        until[first:last][hit] = at + 1
    return until


def _told(j: Journeys) -> I64:
    """Looks at which the visit that made them was known: what arrived later could not be looked at."""
    last = j.last(j.session != NO_SESSION)
    return rows_where(j.at(j.age, last) == SESSION_GAP)


def _look(j: Journeys, types: tuple[str, ...], lead: I64, days: F64, label: F64, age: F64) -> Looks:
    type_ = numbers_in(types, j.vocabulary.types).take(j.content_type)
    seen = [j.views & (type_ == t) for t in range(len(types))]
    first, last = (np.column_stack([find(s) for s in seen]) for find in (j.first, j.last))
    since = np.column_stack([j.at(j.age_days, at) for at in last.T])
    first, last = (np.where(at >= 0, at - j.offsets[:-1, None], -1) for at in (first, last))
    views = j.table(type_, len(types), j.views)
    return Looks(lead, days, label, first, last, views, since, _held(j, type_, len(types), age))


def _held(j: Journeys, type_: I64, types: int, age: F64) -> F64:
    """What is held equal for all pairs, (n, 9 + 2 types); age: of the leads, days. Seconds not known count as none."""
    active = j.distinct(j.day, j.views & j.within(14))
    return np.column_stack([
        np.log1p(j.count(j.views)), np.log1p(j.distinct(j.day, j.views)), active, active >= 3,
        np.log1p(np.nan_to_num(j.seconds_total) / 60), np.log1p(j.count(j.of_type("download"))),
        np.log1p(age), np.exp2(-age / HALF_LIFE_DAYS), np.minimum(age, 180) / 60,
        np.log1p(_fading(j, type_, types, j.views)), np.sqrt(_fading(j, type_, types, j.of_type("form"))),
    ])  # fmt: skip


def _fading(j: Journeys, type_: I64, types: int, mask: Mask) -> F64:
    """Events by type where `mask`, (n, types); one HALF_LIFE_DAYS old counts half."""
    rows = rows_where(mask & (type_ >= 0))
    weight = np.exp2(-j.age_days[rows] / HALF_LIFE_DAYS)
    cells = np.bincount(j.segment[rows] * types + type_[rows], weight, len(j) * types).astype(np.float64)
    return cells.reshape(len(j), types)


# -- pairs -----------------------------------------------------------------------------------------------------------
def order_report(looks: Looks, types: tuple[str, ...], support: int = 30) -> OrderReport:
    """Every ordered pair with enough leads and conversions, by p; pages after forms are in no pair."""
    return OrderReport(
        _judged(_effects(looks, types, support)), len(np.unique(looks.lead)), len(looks), int(looks.label.sum())
    )


def _effects(looks: Looks, types: tuple[str, ...], support: int) -> list[tuple[dict[str, Any], float, float]]:
    """(names and counts as in OrderRow, log of the ratio, its standard error) of each pair."""
    if looks.label.sum() < 2 * EXPECTED:
        return []
    shared = np.column_stack([np.ones(len(looks)), _standard(looks.held)])
    due = conversions_due(looks)
    start, _ = _poisson(shared, looks.label, due, np.zeros(shared.shape[1]), free=1)
    return [
        ({"before": types[a], "after": types[b], **counts}, *_effect(looks, due, shared, start, rows, a, b))
        for a, b, rows, counts in _pairs(looks, due, [i for i, t in enumerate(types) if t != PART_OF_A_FORM], support)
    ]


def conversions_due(looks: Looks) -> F64:
    """Conversions to be expected in the days watched, were all leads alike, (n,): cumulative hazard (Nelson 1969).

    Most conversions come soon after a visit, so the days of a short watch count more than those of a long one.
    """
    order = np.argsort(looks.days, kind="stable")
    hazard = np.cumsum(looks.label[order] / np.arange(len(looks), 0, -1))
    return np.asarray(hazard[np.searchsorted(looks.days[order], looks.days, side="right") - 1])


def in_order(looks: Looks, a: int, b: int) -> Mask:
    """Looks at which some b had been seen after the first a, (n,); for looks that saw both."""
    return np.asarray(looks.last[:, b] > looks.first[:, a])


def _pairs(looks: Looks, due: F64, types: list[int], support: int) -> Iterator[tuple[int, int, I64, dict[str, int]]]:
    """(a, b, looks that saw both, their counts as in OrderRow) of the pairs that can tell something."""
    for a, b in permutations(types, 2):
        rows = rows_where((looks.first[:, a] >= 0) & (looks.first[:, b] >= 0))
        leads = len(np.unique(looks.lead[rows]))
        order, each, label = in_order(looks, a, b)[rows], due[rows], looks.label[rows]
        if leads < support or min(each[order].sum(), each[~order].sum()) * label.sum() < EXPECTED * each.sum():
            continue
        yield a, b, rows, {
            "leads": leads, "looks": len(rows), "looks_in_order": int(order.sum()),
            "conversions": int(label.sum()), "conversions_in_order": int(label[order].sum()),
        }  # fmt: skip


def _effect(looks: Looks, due: F64, shared: F64, start: F64, rows: I64, a: int, b: int) -> tuple[float, float]:
    """Log of the ratio, and its standard error."""
    since = looks.since[rows, b]
    own = [np.log1p(looks.views[rows, a]), np.log1p(looks.views[rows, b]), np.log1p(since),
           np.exp2(-since / HALF_LIFE_DAYS)]  # fmt: skip
    design = np.column_stack([in_order(looks, a, b)[rows], shared[rows], _standard(np.column_stack(own))])
    begin = np.concatenate([[0.0], start, np.zeros(len(own))])
    found, error = _poisson(design, looks.label[rows], due[rows], begin, free=2)
    return float(found[0]), float(error[0])


def _judged(found: list[tuple[dict[str, Any], float, float]]) -> tuple[OrderRow, ...]:
    """Rows by p, of (counts, log of the ratio, its standard error)."""
    from scipy.stats import false_discovery_control, norm

    if not found:
        return ()
    effect, error = np.array([f[1] for f in found]), np.array([f[2] for f in found])
    p = 2 * norm.sf(np.abs(effect / error))
    q = false_discovery_control(p)
    ratio, low, high = (np.exp(np.clip(effect + z * error, -50, 50)) for z in (0, -Z95, Z95))
    figures = zip(ratio, low, high, p, q, strict=True)
    rows = [
        OrderRow(
            **counts, ratio=float(r), low=float(lo), high=float(hi), p=float(p1), q=float(q1), claimed=bool(q1 <= LEVEL)
        )
        for (counts, _, _), (r, lo, hi, p1, q1) in zip(found, figures, strict=True)
    ]
    return tuple(sorted(rows, key=lambda r: (r.p, r.text)))


# -- fitting ---------------------------------------------------------------------------------------------------------
def _standard(values: F64) -> F64:
    """Columns with mean 0 and deviation 1; a constant one is 0."""
    scale = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(scale > 1e-9, scale, np.inf))


def _poisson(x: F64, label: F64, due: F64, start: F64, free: int) -> tuple[F64, F64]:
    """Coefficients and standard errors of a Poisson regression of events where `due` are expected, by Newton's method.

    The first `free` columns are not penalised, the others by PENALTY.
    """
    penalty = np.full(x.shape[1], PENALTY)
    penalty[:free] = 1e-6
    beta = start.copy()
    for _ in range(50):
        expected = np.exp(np.clip(x @ beta, -30, 10)) * due
        information = (x * expected[:, None]).T @ x + np.diag(penalty)
        slope = x.T @ (label - expected) - penalty * beta
        step = np.linalg.solve(information, slope)
        beta += step * min(1.0, 2.0 / np.abs(step).max())
        if step @ slope < 1e-3:  # twice what was left to gain in log-likelihood
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))
