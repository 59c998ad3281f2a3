"""What a path is to lead to, and who is asked: leads, or for the target `lead` all visitors.

    won (converted)   a conversion that is not cancelled within its window       of leads
    accepted          sales took the lead over                                   of leads
    cancelled         a conversion was cancelled                                 of leads
    mql               the first weekly look at which the points in force say MQL of leads
    lead              a visitor left a name                                      of visitors

A visitor is a lead with what it did before it was one, or somebody whom no link names: a person counts once, on however
many devices. Leads that came without a visit before are no visitors; they are counted apart.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data import arrow
from data.dataset import Consenting, Dataset, People, bucket_groups, consenting
from data.errors import InputError, UsageError
from data.lake import Lake
from data.lake_arrange import arrange, chunks
from data.records import EVENT_TYPES, NULL_TIME, RECORDS, WEB_TYPES, Columns
from data.spans import FOREVER
from features.arrays import filled, rows_where
from features.beside import Beside
from features.build import FeatureSet, moment_at
from features.encode import Encoded
from training.parallel import Found, in_parallel
from training.rules import MQL, Rules, score_points
from training.rules_rows import encoder, standings
from training.snapshots import Conversions, Policy, conversions_of, is_open

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

WON, LEAD, TARGET_MQL = "won", "lead", "mql"
OUTCOME = {WON: "converted", "converted": "converted", "accepted": "accepted", "cancelled": "cancelled"}
MAX_EVENTS = 1_000_000  # read at once
MAX_EVENTS_WITH_IDS = 5_000_000  # where each group costs a look at all of them
_WEB = np.array([t in WEB_TYPES for t in EVENT_TYPES])
TARGETS = (LEAD, TARGET_MQL, "accepted", WON, "cancelled")


@dataclass(frozen=True)
class Said:
    """Somebody who gives probability and points, (n,) each, NaN = not known, of leads at moments.

    accounts: does it look at who shares an account?
    """

    ask: Callable[[People, I64, I64], tuple[F64, F64]]
    accounts: bool = False


def known_target(target: str) -> str:
    """The target as it is called here: `converted` is `won`; an unknown one is a UsageError."""
    if target not in (*TARGETS, "converted"):
        raise UsageError(f"--target: expected one of {', '.join(TARGETS)}, got {target!r}.")
    return WON if target == "converted" else target


@dataclass(frozen=True)
class Crowd:
    """Some people, numbered as in `encoded`. start (n,): when each clock starts, us, FOREVER = it never does.

    leads: their records as leads, None for strangers. looked_at: finds the conversions up to given moments, where they
    are no outcomes that could be read. events: as they were read, with the number of each person as `lead`.
    """

    start: I64
    encoded: Encoded
    beside: Beside
    conversions: Conversions
    leads: People | None = None
    visitors: bool = False
    without_visit: int = 0
    looked_at: Callable[[I64], Conversions] | None = field(default=None, repr=False)
    events: Columns = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.start)

    def watched(self, as_of: I64, policy: Policy) -> Crowd:
        """The same people with all conversions up to a horizon after as_of (n,), FOREVER = not asked about."""
        if self.looked_at is None:
            return self
        until = np.where(as_of == FOREVER, NULL_TIME, np.minimum(as_of, FOREVER - policy.horizon) + policy.horizon)
        return replace(self, conversions=self.looked_at(until))

    def is_open(self, lead: I64, as_of: I64) -> Mask:
        """Neither converted nor lost before as_of (n,); `lead` ascending. Nobody loses a visitor."""
        if self.leads is not None and not self.visitors:
            return is_open(self.leads, self.conversions, lead, as_of)
        first = filled(len(self), FOREVER, np.int64)
        np.minimum.at(first, self.conversions.lead, self.conversions.at)
        return np.asarray(first[lead] >= as_of)

    def said(self, said: Said | None, lead: I64, as_of: I64) -> tuple[F64, F64]:
        """Probability and points of each, NaN = not known; nobody scores visitors."""
        if said is None or self.leads is None or self.visitors:
            return np.full(len(lead), np.nan), np.full(len(lead), np.nan)
        return said.ask(self.leads, lead, as_of)


def crowds_of(
    dataset: Dataset, target: str, policy: Policy, now: int, rules: Rules | None = None, accounts: bool = False,
    threads: int = 1, ids: bool = False,
) -> Iterator[Crowd]:  # fmt: skip
    """Everybody who is asked about, group by group; accounts: with who shares an account, for who is to be scored;
    threads: that read; ids: events with the ids of visitors, for who is to be told apart by them.

    Raises
    ------
    InputError
        for visitors of a dataset that asks for consent.
    """
    blank = encoder(dataset, context=False)
    everybody = _with_ids(dataset) if ids else people_of(dataset, accounts and target != LEAD, threads)
    if target == LEAD:
        _refuse_consent(dataset)
        yield from (_visitors_of(people, blank, now) for people in everybody)
        yield from _strangers(dataset.lake, blank, now, threads)
        return
    for people in everybody:
        start = np.where(people.created_at == NULL_TIME, FOREVER, people.created_at + policy.first_look)
        encoded, beside = blank.encode(people.events), Beside.of(people)
        if target == TARGET_MQL:
            assert rules is not None
            looked_at = _Mql(people, encoded, beside, rules, policy, now)
            yield Crowd(start, encoded, beside, _none(), people, looked_at=looked_at, events=people.events)
        else:
            won = conversions_of(people.outcomes, OUTCOME[target], now)
            yield Crowd(start, encoded, beside, won, people, events=people.events)


def people_of(dataset: Dataset, accounts: bool = False, threads: int = 1) -> Iterator[People]:
    """All leads in groups of whole buckets, the next ones being read meanwhile; who shares an account takes another look
    at everything.

    Where there are several groups, events are arranged for them first: else each would cost a look at all of them.
    """
    groups = bucket_groups(dataset.info, range(dataset.info.buckets), MAX_EVENTS)
    with tempfile.TemporaryDirectory(prefix="leadlift-paths-") as folder:
        if len(groups) > 1:
            arranged = _arranged(dataset.lake, groups, Path(folder), threads)
            dataset = consenting(arranged, isinstance(dataset, Consenting))
        reads = [partial(dataset.people_in, buckets, accounts) for buckets in groups]
        yield from (people for people in _ahead(reads, threads) if len(people))


def _with_ids(dataset: Dataset) -> Iterator[People]:
    """All leads group by group; events that are arranged say no more which visitor's they are."""
    groups = bucket_groups(dataset.info, range(dataset.info.buckets), MAX_EVENTS_WITH_IDS)
    yield from (people for buckets in groups if len(people := dataset.people_in(buckets, accounts=False)))


def _arranged(lake: Lake, groups: Sequence[Sequence[int]], folder: Path, threads: int) -> Lake:
    steps = len(chunks(lake))
    shares = [partial(arrange, lake, groups, folder, range(i, steps, threads)) for i in range(threads)]
    return in_parallel(shares, threads)[0]


def _ahead(reads: Sequence[Callable[[], Found]], threads: int) -> Iterator[Found]:
    """What each of these reads gives, in order; at most `threads` are under way or waiting to be taken."""
    with ThreadPoolExecutor(threads) as pool:
        begun = deque(pool.submit(read) for read in reads[:threads])
        for number in range(len(reads)):
            people = begun.popleft().result()
            if number + threads < len(reads):
                begun.append(pool.submit(reads[number + threads]))
            yield people


def _refuse_consent(dataset: Dataset) -> None:
    if isinstance(dataset, Consenting):
        raise InputError.of(
            where=dataset.place, expected="visitors who may be counted", got="[privacy] require_consent",
            remedy="No visitor has consented before leaving a name; choose --target mql, accepted or won.",
        )  # fmt: skip


def _none() -> Conversions:
    nobody = np.zeros(0, dtype=np.int64)
    return Conversions(nobody, nobody, nobody, np.zeros(0))


# -- visitors --------------------------------------------------------------------------------------------------------
def _visitors_of(people: People, blank: FeatureSet, now: int) -> Crowd:
    """Leads as visitors: what they did before counts from when it happened, not from when their name was known."""
    encoded = blank.encode({**people.events, "known_from": filled(len(people.events["lead"]), NULL_TIME, np.int64)})
    start, created = _first_seen(encoded, len(people), now), people.created_at
    strange = (created < now) & (start > created)
    start = np.where(strange, FOREVER, start)
    lead = rows_where((created != NULL_TIME) & (created < now) & ~strange)
    nothing = Beside()  # a call or a deal is no visit, and consent was asked about before
    born = Conversions(lead, created[lead], filled(len(lead), NULL_TIME, np.int64), np.full(len(lead), np.nan))
    return Crowd(start, encoded, nothing, born, people, True, int(strange.sum()), events=people.events)


def strangers_of(dataset: Dataset, now: int, threads: int = 1) -> Iterator[Crowd]:
    """Visitors whom no link names, who convert never; nobody where consent is asked for, which they cannot have given."""
    if not isinstance(dataset, Consenting):
        yield from _strangers(dataset.lake, encoder(dataset, context=False), now, threads)


def _strangers(lake: Lake, blank: FeatureSet, now: int, threads: int) -> Iterator[Crowd]:
    """Visitors whom no link names; all events of one lie in one bucket."""
    named = pc.unique(lake.links.column("visitor_id").combine_chunks().cast(pa.string()))
    columns = arrow.columns_of(RECORDS["events"], lake.info.extra)
    for table in _ahead([partial(_nobodys, lake, buckets, named) for buckets in lake.event_chunks], threads):
        ids = table.column("visitor_id").cast(pa.string()).combine_chunks().dictionary_encode()
        who = ids.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        events = {**arrow.from_arrow(table, columns), "lead": who, "known_from": filled(len(who), NULL_TIME, np.int64)}
        encoded, n = blank.encode(events), len(ids.dictionary)
        yield Crowd(_first_seen(encoded, n, now), encoded, Beside(), _none(), visitors=True, events=events)


def _nobodys(lake: Lake, buckets: Sequence[int], named: pa.Array[Any]) -> pa.Table:
    """The events in these buckets of visitors who are not among the named, and of no lead."""
    table = lake.events_in(buckets)
    visitor = table.column("visitor_id").cast(pa.string())
    nobodys = pc.and_(table.column("lead_id").is_null(), visitor.is_valid())
    return table.filter(pc.and_(nobodys, pc.invert(pc.is_in(visitor, value_set=named))))


def _first_seen(encoded: Encoded, n: int, now: int) -> I64:
    """When each person's first visit began, FOREVER = none yet, (n,)."""
    first = filled(n, FOREVER, np.int64)
    rows = rows_where((encoded.known < now) & _WEB.take(encoded.type))
    np.minimum.at(first, encoded.lead[rows], encoded.time[rows])
    return first


# -- marketing-qualified leads ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Mql:
    """Finds the first weekly look at which the points reach MQL; a condition on the probability counts as met."""

    people: People
    encoded: Encoded
    beside: Beside
    rules: Rules
    policy: Policy
    now: int

    def __call__(self, until: I64) -> Conversions:
        """until (leads,), us: looks before it are taken."""
        reached, created = filled(len(self.people), FOREVER, np.int64), self.people.created_at
        for number in range(self.policy.max_per_lead):
            at = created + self.policy.first_look + number * self.policy.every
            rows = rows_where((at < until) & (at < self.now) & (reached == FOREVER) & (created != NULL_TIME))
            if not len(rows):
                break
            hit = rows[self._is_mql(rows, at[rows])]
            reached[hit] = at[hit]
        lead = rows_where(reached < FOREVER)
        return Conversions(
            lead, reached[lead], filled(len(lead), NULL_TIME, np.int64), np.full(len(lead), np.nan)
        )  # fmt: skip

    def _is_mql(self, lead: I64, as_of: I64) -> Mask:
        moment = moment_at(
            self.people.leads, self.encoded, lead, self.people.created_at[lead], as_of, self.beside.bare()
        )
        return np.asarray(standings(self.rules, score_points(self.rules, moment)) >= MQL)
