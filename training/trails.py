"""Trails: what people had seen by their landmark, and what became of them in the horizon after it; flat arrays.

    trails_of(dataset, asked)        all people of a dataset, group by group
    trails_at(journeys, by, label)   any journeys with any answers, for notebooks

All analyses of content start from one Trails: paths, effects, chains, attributions. So they tell of the same people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.errors import InputError, Verdict
from data.records import DAY
from data.spans import FOREVER
from features.arrays import pick, rows_where
from features.build import journeys_at
from features.encode import Vocabulary
from features.journeys import Journeys
from training.landmarks import DAY_7, Landmark, moments
from training.path_targets import Crowd, Said, crowds_of
from training.rules import Rules
from training.snapshots import Policy, labels_of, taken_back

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
I8 = NDArray[np.int8]
Mask = NDArray[np.bool_]
By = Literal["content", "type", "topic", "stage"]


@dataclass(frozen=True)
class Asked:
    """What is asked of a dataset at the moment `now` (us). rules: the points in force, for the target mql.

    said: gives probability and points of leads at moments; None where nobody can. threads: that read.
    """

    target: str
    policy: Policy
    now: int
    landmark: Landmark = DAY_7
    by: By = "content"
    rules: Rules | None = None
    said: Said | None = None
    threads: int = 1


@dataclass(frozen=True)
class Counts:
    """Who is not in it: landmark not reached yet (or ever), converted or lost before it, answer not final yet; and
    leads that came without a visit, of whom no path to the lead is known."""

    not_reached: int = 0
    closed_before: int = 0
    censored: int = 0
    without_visit: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


@dataclass(frozen=True)
class Trails:
    """n people and the m steps they took, by person and time, repeats in a row merged.

    names: of the steps' codes. Per step: person (m,), step code (m,), age (m,) days before the landmark. Per person:
    label (n,) 1 or 0; cancelled (n,), a conversion that was taken back in its window; days (n,) from the start of the
    clock to the conversion, NaN = none; dwell (n,) seconds on pages, NaN = not known; active (n,) days with views;
    channel (n,) code of CHANNELS of the first session, -1 = none; probability and points (n,), NaN = not known; at (n,),
    us, the landmark; number (n,) of the person among everybody asked about, in the order they are told in.
    """

    names: tuple[str, ...]
    person: I64
    step: I32
    age: F64
    label: F64
    cancelled: Mask
    days: F64
    dwell: F64
    active: F64
    channel: I32
    probability: F64
    points: F64
    counts: Counts = field(default_factory=Counts)
    at: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    number: I64 = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.label)

    @property
    def conversions(self) -> int:
        return int(self.label.sum())

    @property
    def length(self) -> I64:
        """Steps of each person, (n,)."""
        return np.bincount(self.person, minlength=len(self)).astype(np.int64)

    def take(self, rows: I64) -> Trails:
        """Some of the people (ascending), numbered anew."""
        number = np.full(len(self), -1, dtype=np.int64)
        number[rows] = np.arange(len(rows))
        steps = rows_where(number[self.person] >= 0)
        own = {n: getattr(self, n)[rows] for n in PER_PERSON if len(getattr(self, n))}
        return replace(self, person=number[self.person[steps]], step=self.step[steps], age=self.age[steps], **own)


@dataclass(frozen=True)
class Stand:
    """Where n people of a crowd stood at their landmark: rows (n,) numbers in the crowd, ascending, as_of (n,), what they
    had done by then, and label (n,): did they convert in the horizon after it, 1 or 0?"""

    asked: Asked
    crowd: Crowd
    rows: I64
    as_of: I64
    journeys: Journeys
    label: F64


PER_PERSON = ("label", "cancelled", "days", "dwell", "active", "channel", "probability", "points", "at", "number")


class Names:
    """Numbers of names, the same in all groups of a dataset."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}

    def codes(self, vocabulary: Vocabulary, by: By) -> I32:
        """The number of each content's name, -1 for none and, at the end, for code -1."""
        attribute = "content_id" if by == "content" else by
        found = [getattr(c, attribute) for c in vocabulary.contents]
        numbers = [-1 if name is None else self._number.setdefault(name, len(self._number)) for name in found]
        return np.array([*numbers, -1], dtype=np.int32)

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._number)


def steps_of(journeys: Journeys, codes: I32) -> tuple[I64, I32, I64]:
    """(segment, code, position of the event) of each step: names in order, those without a name left out, repeats in a
    row merged."""
    rows, segment, content = journeys.pages.known
    code = codes.take(content)
    named = rows_where(code >= 0)
    rows, segment, code = rows[named], segment[named], code[named]
    fresh = np.ones(len(code), dtype=np.bool_)
    fresh[1:] = (code[1:] != code[:-1]) | (segment[1:] != segment[:-1])
    kept = rows_where(fresh)
    return segment[kept], code[kept], rows[kept]


def refuse_without_times(dataset: Dataset) -> None:
    """A table without times has no paths: an InputError."""
    if not dataset.info.has_times:
        raise InputError.of(
            where=dataset.place, expected="events with times", got="a table without times",
            remedy="Paths need a tracker's events: leadlift import.",
        )  # fmt: skip


# -- one walk over a dataset -----------------------------------------------------------------------------------------
def trails_of(
    dataset: Dataset, asked: Asked, also: Sequence[Callable[[Crowd], None]] = (),
    stands: Sequence[Callable[[Stand], None]] = (),
) -> Trails:  # fmt: skip
    """The trails of everybody whose landmark has matured; steps are numbered in the order of their names.

    also: told of each group of people on the way, for analyses of their own that would read everything once more.
    stands: told where those who have matured stood at their landmark.

    Raises
    ------
    InputError
        for a table without times; for visitors of a dataset that asks for consent, which they never gave.
    Verdict
        where nobody has matured yet.
    """
    refuse_without_times(dataset)
    names = Names()
    parts = list(_parts(dataset, asked, names, also, stands))
    counts = sum((p.counts for p in parts), Counts())
    if not any(len(p) for p in parts):
        raise Verdict(
            f"paths: nobody has matured {asked.policy.horizon_days} days after {asked.landmark.text}. Wait, or choose an "
            "earlier --landmark."
        )
    return joined(parts, names.all, counts)


def joined(parts: Sequence[Trails], names: tuple[str, ...], counts: Counts) -> Trails:
    """Parts as one, people in their order; names in alphabetical order, so that groups do not matter."""
    starts = np.concatenate([[0], np.cumsum([len(p) for p in parts])])
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.zeros(len(names), dtype=np.int32)
    rank[order] = np.arange(len(names), dtype=np.int32)
    person = np.concatenate([p.person + s for p, s in zip(parts, starts[:-1].tolist(), strict=True)])
    step = rank[np.concatenate([p.step for p in parts])]
    columns = {n: np.concatenate([getattr(p, n) for p in parts]) for n in ("age", *PER_PERSON)}
    return Trails(tuple(names[i] for i in order), person, step, **columns, counts=counts)


def _parts(
    dataset: Dataset, asked: Asked, names: Names, also: Sequence[Callable[[Crowd], None]],
    stands: Sequence[Callable[[Stand], None]],
) -> Iterator[Trails]:  # fmt: skip
    told = 0
    for crowd in crowds_of(
        dataset,
        asked.target,
        asked.policy,
        asked.now,
        asked.rules,
        accounts=asked.said is not None and asked.said.accounts,
        threads=asked.threads,
    ):
        for tell in also:
            tell(crowd)
        part = _part(crowd, asked, names, stands)
        yield replace(part, number=part.number + told)
        told += len(crowd)


def _part(crowd: Crowd, asked: Asked, names: Names, stands: Sequence[Callable[[Stand], None]]) -> Trails:
    """The trails of one group, in the numbers that names have so far."""
    everybody, policy = np.arange(len(crowd), dtype=np.int64), asked.policy
    codes = names.codes(crowd.encoded.vocabulary, asked.by)
    as_of = landmarks_of(crowd, asked, everybody, codes)
    reached = (crowd.start < asked.now) & (as_of < FOREVER)
    crowd = crowd.watched(as_of, policy)
    open_ = reached & crowd.is_open(everybody, np.where(reached, as_of, 0))
    mature = open_ & (as_of <= asked.now - policy.maturity)
    rows = rows_where(mature)
    journeys = journeys_at(crowd.encoded, rows, as_of[rows], crowd.beside)
    label, cancelled = labels_of(crowd.conversions, rows, as_of[rows], policy)
    for tell in stands:
        tell(Stand(asked, crowd, rows, as_of[rows], journeys, label))
    own = trails_at(journeys, codes, label)
    converted = _converted_at(crowd, rows, as_of[rows], policy)
    days = np.where(label == 1, (converted - crowd.start[rows]) / DAY, np.nan)
    probability, points = crowd.said(asked.said, rows, as_of[rows])
    here = crowd.start < asked.now
    counts = Counts(
        int((here & ~reached).sum()), int((reached & ~open_).sum()), int((open_ & ~mature).sum()), crowd.without_visit
    )
    return replace(
        own, cancelled=cancelled, days=days, probability=probability, points=points, counts=counts, number=rows
    )


def landmarks_of(crowd: Crowd, asked: Asked, everybody: I64, codes: I32) -> I64:
    """The landmark of each person; only where it is a visit or a step is it worth looking at all that is known."""
    if asked.landmark.kind == "day":
        everybody = everybody[:0]
    now = np.full(len(everybody), asked.now, dtype=np.int64)
    journeys = journeys_at(crowd.encoded, everybody, now, crowd.beside)
    segment, _, position = steps_of(journeys, codes)
    return moments(asked.landmark, crowd.start, journeys, (segment, journeys.time[position]))


def _converted_at(crowd: Crowd, rows: I64, as_of: I64, policy: Policy) -> I64:
    """When each of these people first converted at or after its landmark for good, (len(rows),); FOREVER = never."""
    conversions = crowd.conversions
    moment = np.full(len(crowd), FOREVER, dtype=np.int64)
    moment[rows] = as_of
    hit = rows_where(~taken_back(conversions, policy) & (conversions.at >= moment[conversions.lead]))
    first = np.full(len(crowd), FOREVER, dtype=np.int64)
    np.minimum.at(first, conversions.lead[hit], conversions.at[hit])
    return first[rows]


def trails_at(journeys: Journeys, codes: I32, label: F64, names: tuple[str, ...] = ()) -> Trails:
    """The trails of journeys with an answer each, label (n,); codes as of `Names.codes`, which has the names."""
    segment, code, position = steps_of(journeys, codes)
    n = len(journeys)
    channel = pick(journeys.session_channel, journeys.first_session)
    unknown = np.full(n, np.nan)
    return Trails(
        names, segment, code, journeys.age_days[position], label, np.zeros(n, dtype=np.bool_), unknown,
        journeys.seconds_total, journeys.distinct(journeys.day, journeys.views), channel, unknown, unknown,
        at=journeys.as_of,
    )  # fmt: skip
