"""What the page asks of one target, as plain columns: so that any choice of dates, channel and segment is a look at a few
arrays, and the service needs neither the dataset nor anything that reads it.

    matured   a row for each person whose answer is final: the people of `leadlift paths`
    open      a row for each lead whose landmark has come and that has neither converted nor been lost: whom one may write to

Rows are sorted by time on pages, so that medians are quick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.consent import CONTACT, consent_spans
from data.dataset import Dataset, People
from data.records import Coded
from features.arrays import rows_where
from features.build import journeys_at
from training.content_paths import distinct_rows, last_steps
from training.landmarks import MAX_STEPS
from training.path_targets import Crowd
from training.periods import month_of
from training.prepared_names import ATTRIBUTES, BYS, LEAST, NO_PATH, OTHER, UNKNOWN
from training.splits import lead_hash
from training.trails import Asked, Counts, Names, Stand, Trails, joined, landmarks_of, trails_at, trails_of

I64 = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]
BANDS = ((10, "1-9"), (50, "10-49"), (250, "50-249"), (1000, "250-999"), (np.inf, "1000+"))
WALK = 8  # last steps of a person that are kept
MOST_VALUES = 12  # of an attribute; rarer ones are one


@dataclass(frozen=True)
class Judged:
    """Which leads no model has learned from: those whose hash under `salt` is below `share`; 0 = none."""

    salt: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Prepared:
    """One target. columns: of the matured, which are people `order` of the trails, `open_columns` of the open; lead_ids: of the open, in order. names: of the codes
    of each way to look at contents; paths: of the codes of paths, the last one stands for all rarer ones."""

    columns: Columns
    open_columns: Columns
    lead_ids: tuple[str, ...]
    first_month: str
    months: int
    values: Mapping[str, Sequence[str]]
    names: Mapping[str, Sequence[str]]
    paths: Mapping[str, Sequence[Sequence[str]]]
    counts: Counts
    trails: Trails = field(repr=False)
    order: I64 = field(repr=False)


def prepare(
    dataset: Dataset, asked: Asked, steps: int, judged: Judged | None = None, also: Sequence[Callable[[Crowd], None]] = (),
    stands: Sequence[Callable[[Stand], None]] = (),
) -> Prepared:  # fmt: skip
    """The columns of one target; `asked` must be by content. steps: of a path. also, stands: told of each group of people, see `trails_of`.

    Raises
    ------
    InputError, Verdict
        see `trails.trails_of`.
    """
    notes = Notes(asked, judged or Judged())
    trails = trails_of(dataset, asked, [notes, *also], stands)
    told = notes.told()
    both = [trails, told.waiting]
    base = [_base(t, told) for t in both]
    first, months = _months([b["month"] for b in base])
    for columns in base:
        columns["month"] = (columns["month"] - np.datetime64(first, "M").astype(np.int64)).astype(np.int16)
    names: dict[str, Sequence[str]] = {}
    paths: dict[str, Sequence[Sequence[str]]] = {}
    for by in BYS:
        views = [_by(t, by, told.kinds) for t in both]
        names[by] = views[0].names
        walks = [last_steps(v, WALK) for v in views]
        code, paths[by] = _paths(walks, steps, names[by])
        for columns, walk, at in zip(base, walks, np.split(code, [len(walks[0])]), strict=True):
            columns[f"walk_{by}"], columns[f"path_{by}"] = _narrow(walk), _narrow(at)
    order = np.argsort(base[0]["dwell"], kind="stable")
    return Prepared(
        {n: c[order] for n, c in base[0].items()}, base[1], told.lead_ids, first, months, told.values, names, paths,
        trails.counts, trails, order,
    )  # fmt: skip


# -- told on the way -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Told:
    """start (n,) of each clock; attributes (n, k) codes into values; judged (n,); kinds: content -> what it is, by By;
    waiting: trails of open leads, with their ids."""

    start: I64
    attributes: NDArray[np.int16]
    judged: NDArray[np.bool_]
    values: dict[str, Sequence[str]]
    kinds: dict[str, dict[str, str | None]]
    waiting: Trails
    lead_ids: tuple[str, ...]


class Notes:
    """Takes down of each group of people what trails do not hold."""

    def __init__(self, asked: Asked, judged: Judged) -> None:
        self._asked, self._judged = asked, judged
        self._names = Names()
        self._kinds: dict[str, dict[str, str | None]] = {by: {} for by in BYS}
        self._start: list[I64] = []
        self._texts: list[list[Sequence[str]]] = []
        self._judges: list[NDArray[np.bool_]] = []
        self._waiting: list[Trails] = []
        self._ids: list[str] = []
        self._people = 0

    def __call__(self, crowd: Crowd) -> None:
        for content in crowd.encoded.vocabulary.contents:
            for by in BYS:
                self._kinds[by].setdefault(
                    content.content_id, getattr(content, "content_id" if by == "content" else by)
                )
        self._start.append(crowd.start)
        self._texts.append(texts_of(crowd.leads, len(crowd)))
        self._judges.append(self._is_judged(crowd))
        self._wait(crowd)
        self._people += len(crowd)

    def _is_judged(self, crowd: Crowd) -> NDArray[np.bool_]:
        if crowd.leads is None or not self._judged.share:
            return np.zeros(len(crowd), dtype=np.bool_)
        return lead_hash(crowd.leads.lead_ids, self._judged.salt) < self._judged.share

    def _wait(self, crowd: Crowd) -> None:
        """The trails up to the landmark of those still open now, who may be written to."""
        now, everybody = self._asked.now, np.arange(len(crowd), dtype=np.int64)
        codes = self._names.codes(crowd.encoded.vocabulary, "content")
        rows = everybody[:0]
        as_of = landmarks_of(crowd, self._asked, everybody, codes)
        if crowd.leads is not None and not crowd.visitors:
            moment = np.full(len(crowd), now, dtype=np.int64)
            watched = crowd.watched(moment, self._asked.policy)
            may = consent_spans(crowd.leads.consents, CONTACT, confirmed=True).at(everybody, moment) > 0
            rows = rows_where(may & (crowd.start < now) & (as_of <= now) & watched.is_open(everybody, moment))
            self._ids += [crowd.leads.lead_ids[i] for i in rows.tolist()]
        journeys = journeys_at(crowd.encoded, rows, as_of[rows], crowd.beside)
        own = trails_at(journeys, codes, np.zeros(len(rows)))
        self._waiting.append(replace(own, cancelled=np.zeros(len(rows), dtype=np.bool_), number=rows + self._people))

    def told(self) -> _Told:
        """Everything told so far."""
        texts = [[t for part in self._texts for t in part[i]] for i in range(len(ATTRIBUTES))]
        coded = [codes_of(t) for t in texts]
        waiting = joined(self._waiting, self._names.all, Counts())
        table = np.column_stack([c for c, _ in coded])
        values = dict(zip(ATTRIBUTES, (v for _, v in coded), strict=True))
        start, judged = np.concatenate(self._start), np.concatenate(self._judges)
        return _Told(start, table, judged, values, self._kinds, waiting, tuple(self._ids))


def texts_of(people: People | None, n: int) -> list[Sequence[str]]:
    """What was first known of each person, by attribute."""
    if people is None:
        return [[UNKNOWN] * n for _ in ATTRIBUTES]
    first = np.searchsorted(np.asarray(people.leads["lead"]), np.arange(n))
    return [_sizes(people, first) if a == "employees" else _values(people.leads.get(a), first) for a in ATTRIBUTES]


def _values(column: object, rows: I64) -> Sequence[str]:
    if not isinstance(column, Coded):
        return [UNKNOWN] * len(rows)
    names = (*column.values, UNKNOWN)
    return [names[c] for c in column.codes[rows].tolist()]  # -1, not known, finds the last


def _sizes(people: People, rows: I64) -> Sequence[str]:
    column = people.leads.get("employees")
    if not isinstance(column, np.ndarray):
        return [UNKNOWN] * len(rows)
    return [_band(v) for v in column[rows].tolist()]


def _band(employees: float) -> str:
    return next((name for limit, name in BANDS if employees < limit), UNKNOWN)  # NaN is below nothing


def codes_of(texts: Sequence[str]) -> tuple[NDArray[np.int16], Sequence[str]]:
    """Codes of texts, and the texts: the most frequent ones in alphabetical order, then one for all others."""
    frequent = Counter(texts).most_common(MOST_VALUES)
    values = [*sorted(value for value, size in frequent if size >= LEAST), OTHER]
    number = {value: i for i, value in enumerate(values)}
    return np.array([number.get(t, len(values) - 1) for t in texts], dtype=np.int16), values


# -- columns ---------------------------------------------------------------------------------------------------------
def _base(trails: Trails, told: _Told) -> Columns:
    """The columns that have nothing to do with contents."""
    who = trails.number
    columns: Columns = {
        "month": month_of(told.start[who]), "channel": (trails.channel + 1).astype(np.int8), "label": trails.label.astype(np.bool_),
        "cancelled": trails.cancelled, "judged": told.judged[who],
        **{n: getattr(trails, n).astype(np.float32) for n in ("dwell", "days", "probability", "points")},
    }  # fmt: skip
    return columns | {name: told.attributes[who, i].astype(np.int8) for i, name in enumerate(ATTRIBUTES)}


def _months(columns: Sequence[NDArray[Any]]) -> tuple[str, int]:
    """The first month, and how many there are from it on."""
    known = np.concatenate(columns)
    first = int(known.min())
    return str(np.datetime64(first, "M")), int(known.max()) - first + 1


def _by(trails: Trails, by: str, kinds: Mapping[str, Mapping[str, str | None]]) -> Trails:
    """Trails of contents as trails of their types, topics or stages: what has none is left out, repeats are merged."""
    what = [kinds[by][name] for name in trails.names]
    names = sorted({name for values in kinds[by].values() for name in [values] if name is not None})
    number = np.array([names.index(w) if w is not None else -1 for w in what] or [-1], dtype=np.int32)
    code = number[trails.step]
    kept = rows_where(code >= 0)
    person, code, age = trails.person[kept], code[kept], trails.age[kept]
    fresh = np.ones(len(code), dtype=np.bool_)
    fresh[1:] = (code[1:] != code[:-1]) | (person[1:] != person[:-1])
    return replace(trails, names=tuple(names), person=person[fresh], step=code[fresh], age=age[fresh])


def _paths(walks: Sequence[NDArray[np.int32]], steps: int, names: Sequence[str]) -> tuple[I64, list[Sequence[str]]]:
    """The code of each row's path, and the path of each code; the last is for paths of fewer than LEAST matured people."""
    table = np.concatenate(walks)[:, -min(steps, MAX_STEPS) :]
    group, first = distinct_rows(table)
    size = np.bincount(group[: len(walks[0])], minlength=len(first))
    kept = rows_where(size >= LEAST)
    number = np.full(len(first), len(kept), dtype=np.int64)
    number[kept] = np.arange(len(kept))
    found: list[Sequence[str]] = [
        [names[c] for c in table[i].tolist() if c >= 0] or [NO_PATH] for i in first[kept].tolist()
    ]
    return number[group], [*found, [OTHER]]


def _narrow(codes: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in as few bytes as hold them."""
    most = int(codes.max(initial=0))
    return codes.astype(np.int8 if most < 2**7 else np.int16 if most < 2**15 else np.int32)
