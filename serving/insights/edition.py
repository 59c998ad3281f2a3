"""What was prepared for the page, as it lies in the home, and people chosen from it.

HOME/<market>/insights/current.json        {"run"}: what readers take
HOME/<market>/insights/<run>/about.json    of when and of whom it is, and the names of codes, by target
                             tables.json   prepared tables
                             <target>/*.npy, <target>/open/*.npy, <target>/leads.json
                             <target>/cells/*.npy   people and conversions in bands, by dimension, see `training.cells`
                             <target>/whole.json   rows of everybody
                             numbers/*.npy, numbers/visits/*.npy   what the shared numbers follow from
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.choice import Choice
from serving.insights.tables import Table, table_of
from training.prepared_names import ATTRIBUTES

FORMAT = 3
FOLDER, CURRENT, ABOUT, TABLES, LEADS, OPEN, WHOLE = (
    "insights",
    "current.json",
    "about.json",
    "tables.json",
    "leads.json",
    "open",
    "whole.json",
)
CELLS = "cells"
NUMBERS, VISITS_AT = "numbers", "visits"
Array = NDArray[Any]


class People:
    """Some rows of prepared columns, read when they are asked for; what `training.groups` asks of people.

    rows: which, ascending; None = all.
    """

    def __init__(self, columns: Mapping[str, Array], rows: Array | None = None) -> None:
        self._columns, self._rows = columns, rows

    def __len__(self) -> int:
        return len(self._columns["month"]) if self._rows is None else len(self._rows)

    def column(self, name: str) -> Array:
        """One column of these people, (n,)."""
        whole = self._columns[name]
        return whole[:] if self._rows is None else whole[self._rows]

    def where(self, mask: Array) -> People:
        """Those of them; mask (n,)."""
        rows = np.flatnonzero(mask)
        return People(self._columns, rows if self._rows is None else self._rows[rows])

    @cached_property
    def label(self) -> NDArray[np.float64]:
        return self.column("label").astype(np.float64)

    @cached_property
    def cancelled(self) -> NDArray[np.bool_]:
        return self.column("cancelled")

    @cached_property
    def dwell(self) -> NDArray[np.float64]:
        return self.column("dwell").astype(np.float64)

    @cached_property
    def days(self) -> NDArray[np.float64]:
        return self.column("days").astype(np.float64)

    @cached_property
    def probability(self) -> NDArray[np.float64]:
        return self.column("probability").astype(np.float64)

    @cached_property
    def points(self) -> NDArray[np.float64]:
        return self.column("points").astype(np.float64)

    @cached_property
    def conversions(self) -> int:
        return int(self.column("label").sum())


@dataclass(frozen=True)
class Part:
    """One target: what is known of it, the matured and the open people, and the ids of the open."""

    about: Mapping[str, Any]
    people: People
    open: People
    folder: Path

    @cached_property
    def whole(self) -> Mapping[str, Any]:
        """What `rows.whole_of` tells of all its matured people."""
        found: dict[str, Any] = json.loads((self.folder / WHOLE).read_text(encoding="utf-8"))
        return found

    @cached_property
    def cells(self) -> Mapping[str, Array]:
        """What `training.cells` tells of each table, by its id and the dimension: `topics-channel`."""
        return _columns(self.folder / CELLS)

    @cached_property
    def months(self) -> list[str]:
        """Months such as 2026-03, all of them."""
        first = np.datetime64(self.about["first_month"], "M")
        return [str(first + i) for i in range(self.about["months"])]

    def chosen(self, choice: Choice, people: People, back: int = 0) -> People:
        """The people of a choice; back: so many months earlier."""
        mask = self.mask(choice, people, back)
        return people if mask.all() else people.where(mask)

    def mask(self, choice: Choice, people: People, back: int = 0) -> Array:
        """Which of these people are of a choice, (n,)."""
        mask = np.ones(len(people), dtype=np.bool_)
        first, last = self.window(choice)
        if choice.start or choice.end:
            month = people.column("month")
            mask &= (month >= first - back) & (month <= last - back)
        if choice.channel:
            mask &= people.column("channel") == _place(self.about["values"]["channel"], choice.channel)
        name, _, value = choice.segment.partition(":")
        if name in ATTRIBUTES:
            mask &= people.column(name) == _place(self.about["values"][name], value)
        return mask

    def before(self, choice: Choice) -> People | None:
        """The people of the period just before, as long as the chosen one; None where none is chosen or it is too early."""
        first, last = self.window(choice)
        length = last - first + 1
        if not choice.start or first - length < 0 or length < 1:
            return None
        return self.chosen(choice, self.people, length)

    def window(self, choice: Choice) -> tuple[int, int]:
        """First and last month of the choice, as numbers."""
        first = _place(self.months, choice.start) if choice.start in self.months else 0
        last = _place(self.months, choice.end) if choice.end in self.months else len(self.months) - 1
        return first, last

    def places(self, name: str, value: str) -> list[int]:
        """The number of a channel, or of a value of an attribute; none where it is not known."""
        place = _place(self.about["values"][name], value)
        return [place] if place >= 0 else []

    def lead_ids(self) -> list[str]:
        """Of the open people, in order."""
        found: list[str] = json.loads((self.folder / LEADS).read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class Kept:
    """What the shared numbers follow from. counts: by `source` and by attribute, (periods, counts, groups), see
    `kept_numbers`; visits: columns of `VisitMonths`."""

    about: Mapping[str, Any]
    counts: Mapping[str, Array]
    visits: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Edition:
    """Everything that was prepared at once."""

    run: str
    about: Mapping[str, Any]
    tables: tuple[Table, ...]
    parts: Mapping[str, Part]
    kept: Kept


def read_edition(folder: Path) -> Edition:
    """One edition; an OSError or ValueError where it is not whole, or of another format."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise ValueError("the format of the page's tables")
    tables = tuple(table_of(t) for t in json.loads((folder / TABLES).read_text(encoding="utf-8")))
    parts = {target: part_in(folder / target, known) for target, known in about["targets"].items()}
    kept = Kept(about["numbers"], _columns(folder / NUMBERS), _columns(folder / NUMBERS / VISITS_AT))
    return Edition(folder.name, about, tables, parts, kept)


def part_in(folder: Path, about: Mapping[str, Any]) -> Part:
    """One target; about: what is known of it."""
    return Part(about, People(_columns(folder)), People(_columns(folder / OPEN)), folder)


def _columns(folder: Path) -> dict[str, Array]:
    return {f.stem: np.load(f, mmap_mode="r", allow_pickle=False) for f in folder.glob("*.npy")}


class Shelf:
    """The current edition of a market: the pointer is looked at for each request, and read where it has changed."""

    def __init__(self, home: Path, market: str) -> None:
        self._folder = home / market / FOLDER
        self._seen: object = None
        self._edition: Edition | None = None

    def current(self) -> Edition | None:
        """The current edition; None where nothing that can be read was prepared."""
        pointer = self._folder / CURRENT
        try:
            state = pointer.stat()
            seen = (state.st_mtime_ns, state.st_ino)
            if seen != self._seen:
                run = json.loads(pointer.read_text(encoding="utf-8"))["run"]
                self._edition, self._seen = read_edition(self._folder / run), seen
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return self._edition


def _place(names: list[str], name: str) -> int:
    return names.index(name) if name in names else -2
