"""The page with a million people: how long a view takes that nobody looked at before, the slowest of all views.

People are those of a small prepared market, told over and over: the size is what costs, not who they are.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.choice import Choice
from serving.insights.edition import CELLS, WHOLE, Edition, People
from serving.insights.page import view_page
from serving.insights.rows import whole_of
from serving.insights.views import view_of
from serving.insights.words import VIEWS
from tests.bench.line import Line
from tests.insights import prepared

PEOPLE, LIMIT, TURNS = 1_000_000, 0.3, 5


def lines() -> Iterator[Line]:
    """Seconds of each view, the slowest of its choices."""
    with tempfile.TemporaryDirectory() as folder:
        edition = _large(prepared(Path(folder)).edition, Path(folder))
        months = edition.parts["won"].months
        choices = (
            Choice(), Choice(start=months[2], end=months[4]), Choice(by="content"), Choice(direction="forward"),
            Choice(start=months[1]), Choice(end=months[-2], direction="forward", by="content"), Choice(channel="email"),
            Choice(segment="country:DE", start=months[1]),
        )  # fmt: skip
        for name in VIEWS:
            slowest = max(_seconds(edition, name, choice) for choice in choices)
            yield Line(f"page of a million people, {name}, s", slowest, high=LIMIT)


def _large(edition: Edition, folder: Path) -> Edition:
    """The edition with PEOPLE people for its one target, in the order that prepared ones have, and their rows."""
    part = edition.parts["won"]
    names = [f.stem for f in (part.folder).glob("*.npy")]
    rows = np.sort(np.arange(PEOPLE) % len(part.people))  # each of them often, so in order of their time on pages
    people = People({name: _saved(folder / f"{name}.npy", part.people.column(name)[rows]) for name in names})
    shutil.copytree(part.folder / CELLS, folder / CELLS)  # the same size, however many people
    large = replace(part, people=people, folder=folder)
    (folder / WHOLE).write_text(json.dumps(whole_of(large, edition.about["support"])), encoding="utf-8")
    return replace(edition, parts={"won": large})


def _saved(file: Path, column: NDArray[Any]) -> NDArray[Any]:
    np.save(file, column)
    return np.asanyarray(np.load(file, mmap_mode="r"))


def _seconds(edition: Edition, name: str, choice: Choice) -> float:
    """The median of some turns, nothing remembered."""
    took = []
    for _ in range(TURNS):
        view_of.cache_clear()
        began = time.perf_counter()
        view_page(edition, view_of(edition, name, choice), choice, True, True)
        took.append(time.perf_counter() - began)
    return median(took)
