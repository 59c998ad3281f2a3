"""What to try: pages that should lead to a page, and how much that may be worth.

A pair is a hypothesis where the data claims something of it: the second page's ratio is claimed (see `content_effect`), or
the pair lies on a claimed path (see `content_paths`), and of who saw the first page those who saw the second one later
convert more than those who never saw it, by more than chance.

    reach         people a week who are on the first page and have not seen the second, in the last weeks that matured
    difference    observed, with its 95 % interval
    gain          conversions a week if all of them followed the link and it did for them what was observed

The gain begins at 0: who looks for a page is another person than who is led there. Only an experiment of that kind, a page
of this type that leads to a page of that type, says more; then its interval is the gain's, wherever it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import differs, rows_where
from features.content import OTHER, ContentMap
from training.calendar import WEEK
from training.content_effect import EffectRow
from training.content_paths import ASSOCIATED, PathRow
from training.experiments import Experiment
from training.groups import plain
from training.intervals import difference, rate
from training.path_order import PART_OF_A_FORM
from training.trails import Trails

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Pair = tuple[str, str]
LATELY = 4 * WEEK
FIRSTS = 3  # pages named for each page they should lead to, but for those on claimed paths and those that were tried
TESTED = "an experiment of this kind was read"


@dataclass(frozen=True)
class HypothesisRow:
    """From `first` link to `then`. kinds: the types of both.

    followed: people who saw `first` and `then` after it, with their conversions and rate; others: who never saw `then`.
    difference of these rates with its 95 % interval. reach: people a week. gain: conversions a week, with its interval, which
    begins at 0 unless `experiment` (a name) was read.
    """

    first: str
    then: str
    kinds: Pair
    followed: int
    followed_conversions: int
    followed_rate: float
    others: int
    others_conversions: int
    others_rate: float
    difference: float
    difference_low: float
    difference_high: float
    reach: float
    gain: float
    gain_low: float
    gain_high: float
    experiment: str | None
    note: str

    @property
    def text(self) -> str:
        return f"from {self.first} link to {self.then}"

    def document(self) -> dict[str, Any]:
        return plain({**vars(self), "kinds": list(self.kinds)})


def hypothesis_rows(
    trails: Trails, paths: Sequence[PathRow], effects: Sequence[EffectRow], kinds: Mapping[str, str], target: str,
    experiments: Sequence[Experiment] = (), support: int = 30,
) -> tuple[HypothesisRow, ...]:  # fmt: skip
    """Rows by gain, those that an experiment has shown to gain before all others.

    kinds: the type of each name, see `kinds_of`. support: fewest people on either side of a difference.
    """
    linked, wanted = _on_paths(paths), {r.content for r in effects if r.claimed and r.ratio_low > 1}
    thens = {then for _, then in linked} | wanted
    seen = _Seen.of(trails)
    rows = []
    for then in sorted(t for t in thens if _can_be_linked(kinds[t])):
        found = [r for r in _rows(seen, then, kinds, target, experiments, support) if _can_be_linked(r.kinds[0])]
        most = {r.first for r in found[:FIRSTS]} if then in wanted else set()
        rows += [r for r in found if r.experiment or r.first in most or (r.first, then) in linked]
    return tuple(sorted(rows, key=lambda r: (r.gain_low <= 0, -r.gain, r.text)))


def kinds_of(names: Sequence[str], by: str, contents: ContentMap) -> dict[str, str]:
    """The type of each content; of other names they are their own."""
    return {n: contents.by_id(n).type if by == "content" else n for n in names}


def _on_paths(paths: Sequence[PathRow]) -> set[Pair]:
    """Neighbours on paths that are claimed to convert more."""
    claimed = (r.path for r in paths if r.claimed and r.lift_low > 1)
    return {pair for path in claimed for pair in pairwise(path)}


def _can_be_linked(kind: str) -> bool:
    """Nobody links to a page after a form, nor to what is no page of the content map."""
    return kind not in (PART_OF_A_FORM, OTHER)


@dataclass(frozen=True)
class _Seen:
    """Each pair of a person and a content it saw: person, content and place of the first view among all steps; and of all
    trails the people whose landmark is of the last weeks, and how many weeks these are."""

    trails: Trails
    person: I64
    content: I64
    place: I64
    lately: NDArray[np.bool_]
    weeks: float

    @staticmethod
    def of(trails: Trails) -> _Seen:
        order = np.argsort(trails.person * max(len(trails.names), 1) + trails.step, kind="stable")
        person, step = trails.person[order], trails.step[order].astype(np.int64)
        first = rows_where(differs(person) | differs(step))
        end = int(trails.at.max())
        begin = max(int(trails.at.min()), end - LATELY)
        return _Seen(
            trails, person[first], step[first], order[first], trails.at >= begin, max(end - begin, WEEK) / WEEK
        )  # fmt: skip

    def count(self, rows: I64) -> tuple[I64, I64]:
        """People and conversions of each content, of some pairs."""
        content, n = self.content[rows], len(self.trails.names)
        hits = np.bincount(content, self.trails.label[self.person[rows]], n)
        return np.bincount(content, minlength=n).astype(np.int64), hits.astype(np.int64)

    def last(self, content: int) -> I64:
        """Place of the last view of a content by each person, -1 = none."""
        place = np.full(len(self.trails), -1, dtype=np.int64)
        rows = rows_where(self.trails.step == content)
        place[self.trails.person[rows]] = rows  # ascending: the last one stays
        return place


def _rows(
    seen: _Seen, then: str, kinds: Mapping[str, str], target: str, experiments: Sequence[Experiment], support: int
) -> list[HypothesisRow]:
    """Every first page of which more than chance is observed, by gain."""
    names = seen.trails.names
    last = seen.last(names.index(then))[seen.person]
    followed, others = rows_where(last > seen.place), rows_where(last < 0)
    (people, hits), (rest, rest_hits) = seen.count(followed), seen.count(others)
    reach = seen.count(others[seen.lately[seen.person[others]]])[0] / seen.weeks
    found, low, high = difference(hits, people, rest_hits, rest)
    columns = (people, hits, rate(hits, people), rest, rest_hits, rate(rest_hits, rest), found, low, high, reach)
    rows = []
    for i in rows_where((np.minimum(people, rest) >= support) & (low > 0)).tolist():
        pair = (kinds[names[i]], kinds[then])
        tried = _tried(experiments, target, (names[i], then), pair)
        gain = _gain(found[i].item(), high[i].item(), reach[i].item(), tried)
        rows.append(HypothesisRow(names[i], then, pair, *(c[i].item() for c in columns), **gain))
    return sorted(rows, key=lambda r: (-r.gain, r.first))


def _gain(observed: float, high: float, reach: float, tried: Experiment | None) -> dict[str, Any]:
    """The fields of a row that say what may be gained, from a difference observed or one that was tried."""
    if tried is None or tried.reading is None:
        return {"gain": reach * observed, "gain_low": 0.0, "gain_high": reach * high, "experiment": None,
                "note": ASSOCIATED}  # fmt: skip
    found = tried.reading
    figures = zip(
        ("gain", "gain_low", "gain_high"), (found.difference, found.difference_low, found.difference_high), strict=True
    )
    gain = {name: reach * (figure or 0.0) for name, figure in figures}
    return {**gain, "experiment": tried.plan.name, "note": TESTED}


def _tried(experiments: Sequence[Experiment], target: str, pair: Pair, kinds: Pair) -> Experiment | None:
    """The latest reading of these two pages, else of pages of their types; None where there is none."""
    same = [e for e in experiments if e.known and e.plan.target == target and e.plan.kinds == kinds]
    exact = [e for e in same if (e.plan.first, e.plan.then) == pair]
    return max(exact or same, key=lambda e: e.plan.until, default=None)
