"""Who met a form, or open content instead, before leaving a name; what it did there; what became of it by any path.

    meeting    the first page view (or form) of a person on a content, while it was no lead
    group      of each topic and stage a person stands in the group of the content that it met first, gated or open: so
               nobody is in two groups, and what a group did later does not decide who is in it
    landmark   the end of the visit of that meeting; the horizon starts there, of people still open whose answer is final
    filled     a form was sent, or a download taken, on the content in that visit; who did neither left the form

Strangers who never left a name are among them: without them nobody would seem to be turned away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.records import NULL_TIME
from data.spans import FOREVER
from features.arrays import filled, rows_where, run_starts
from features.build import journeys_at
from features.content import OTHER, Content, ContentMap
from features.encode import Vocabulary
from features.journeys import SESSION_GAP, Journeys
from training.landmarks import visit_ends
from training.path_targets import Crowd
from training.snapshots import Policy, labels_of

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
THROUGH = ("form", "download")  # what says that somebody went through the form
_CELLS = (2, 2, 2)  # filled, converted, became a lead


@dataclass(frozen=True)
class Meetings:
    """k contents. people (k, 2, 2, 2): by filled, converted, and became a lead until the end of the horizon.

    reached (k,): people who came to each so far, whatever they met first. closed, censored: left out, because they had
    converted or were lost before the landmark, or because the answer is not final.
    """

    contents: tuple[Content, ...]
    people: I64
    reached: I64
    closed: int
    censored: int


class MeetingTally:
    """Counts meetings in crowds of leads (with the conversions asked about) or of strangers, told one by one."""

    def __init__(self, policy: Policy, now: int, content: ContentMap) -> None:
        self._policy, self._now = policy, now
        self._numbers = _Numbers(content)
        self._parts: list[tuple[I64, I64]] = []
        self._closed = self._censored = 0

    def __call__(self, crowd: Crowd) -> None:
        everybody, now = np.arange(len(crowd), dtype=np.int64), filled(len(crowd), self._now, np.int64)
        j = journeys_at(crowd.encoded, everybody, now, crowd.beside)
        number = self._numbers.codes(crowd.encoded.vocabulary).take(j.content)
        at = _first_of_each(j, number, rows_where((number >= 0) & (j.views | j.of_type("form"))))
        born = _born(crowd)
        width = len(self._numbers)
        reached = np.bincount(number[at[_unknown(j, at, born, self._policy)]], minlength=width)
        at = _first_of_each(j, self._numbers.groups.take(number), np.sort(at))
        at = at[_unknown(j, at, born, self._policy)]
        self._parts.append((self._became(crowd, j, number, at, born, width), reached))

    def _became(self, crowd: Crowd, j: Journeys, number: I64, at: I64, born: I64, width: int) -> I64:
        """What became of the people who met these events first, (contents, 2, 2, 2)."""
        as_of = visit_ends(j)[j.session[at]] + SESSION_GAP
        open_ = crowd.is_open(j.segment[at], as_of)
        final = as_of <= self._now - self._policy.maturity
        self._closed += int((~open_).sum())
        self._censored += int((open_ & ~final).sum())
        kept = rows_where(open_ & final)
        at, as_of = at[kept], as_of[kept]
        person = j.segment[at]
        label, _ = labels_of(crowd.conversions, person, as_of, self._policy)
        flags = (_went_through(j, number, at, as_of), label == 1, born[person] - self._policy.horizon < as_of)
        cell = np.ravel_multi_index((number[at], *(f.astype(np.int64) for f in flags)), (max(width, 1), *_CELLS))
        return np.bincount(cell, minlength=width * 8).astype(np.int64)

    def found(self) -> Meetings:
        """Everything told so far."""
        people, reached = np.zeros(len(self._numbers) * 8, dtype=np.int64), np.zeros(len(self._numbers), dtype=np.int64)
        for cells, came in self._parts:
            people[: len(cells)] += cells
            reached[: len(came)] += came
        contents = self._numbers.contents
        return Meetings(contents, people.reshape(len(contents), *_CELLS), reached, self._closed, self._censored)


class _Numbers:
    """Numbers of contents and of their groups, the same in all crowds; a page with the form alone counts as its content."""

    def __init__(self, content: ContentMap) -> None:
        self._map = content
        self._number: dict[Content, int] = {}
        self._group: dict[tuple[str, str], int] = {}
        self._groups: list[int] = []

    def __len__(self) -> int:
        return len(self._number)

    @property
    def contents(self) -> tuple[Content, ...]:
        return tuple(self._number)

    @property
    def groups(self) -> I64:
        """The group of each number, and -1 at the end."""
        return np.array([*self._groups, -1], dtype=np.int64)

    def codes(self, vocabulary: Vocabulary) -> I64:
        """The number of each content of a vocabulary, -1 for those without a group and, at the end, for code -1."""
        forms = self._forms(vocabulary)
        found = [self._of(forms.get(c.content_id, c)) for c in vocabulary.contents]
        return np.array([*found, -1], dtype=np.int64)

    def _of(self, content: Content) -> int:
        key = group_of(content)
        if key is None:
            return -1
        if content not in self._number:
            self._groups.append(self._group.setdefault(key, len(self._group)))
        return self._number.setdefault(content, len(self._number))

    def _forms(self, vocabulary: Vocabulary) -> dict[str, Content]:
        """Contents that are nothing but the form of one other content, by id."""
        found: dict[str, set[Content]] = {}
        named = (self._map.by_id(str(rule.entry["id"])) for rule in self._map.rules)  # seen or not, such as a file
        for content in (c for c in (*vocabulary.contents, *named) if c.gated):
            form = self._map.content(str(content.gated))
            if form.gated is None and form.content_id != OTHER:
                found.setdefault(form.content_id, set()).add(content)
        return {form: next(iter(gated)) for form, gated in found.items() if len(gated) == 1}


def group_of(content: Content) -> tuple[str, str] | None:
    """Topic and stage; a gated content that lacks one of them is a group of its own, any other one is in none."""
    if content.topic and content.stage:
        return content.topic, content.stage
    return ("", content.content_id) if content.gated else None


def _born(crowd: Crowd) -> I64:
    """When each became a lead, FOREVER = never, (n,)."""
    if crowd.leads is None:
        return filled(len(crowd), FOREVER, np.int64)
    created = crowd.leads.created_at
    return np.where(created == NULL_TIME, NULL_TIME // 2, created)


def _unknown(j: Journeys, at: I64, born: I64, policy: Policy) -> I64:
    """Which of these events happened while their person was no lead; the form that made it one is among them."""
    return rows_where(j.time[at] - policy.first_look < born[j.segment[at]])


def _first_of_each(j: Journeys, codes: I64, rows: I64) -> I64:
    """The first of these events (ascending) of each person and code, by both."""
    key = j.segment[rows] * (int(codes.max(initial=-1)) + 1) + codes[rows]
    order = np.argsort(key, kind="stable")
    return rows[order[run_starts(key[order])]]


def _went_through(j: Journeys, number: I64, at: I64, as_of: I64) -> Mask:
    """Did the person of each event send a form of its content, or download it, before as_of?"""
    width = int(number.max(initial=-1)) + 1
    done = _first_of_each(j, number, rows_where((number >= 0) & j.of_type(*THROUGH)))
    key, wanted = j.segment[done] * width + number[done], j.segment[at] * width + number[at]
    place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    if not len(key):
        return np.zeros(len(at), dtype=np.bool_)
    return np.asarray((key[place] == wanted) & (j.time[done][place] < as_of))
