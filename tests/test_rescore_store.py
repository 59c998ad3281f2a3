"""A store goes on being written; a rescoring of it is of what was known at its moment, and named by that alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.dataset import open_dataset
from data.records import DAY
from data.store.copies import read_folder
from data.store.database import connect
from data.store.store import make
from serving.champion import champion
from serving.rescore import Job, Target, read_current, rescore
from serving.scorer import Wants


def _event(number: int, at: int, received: int) -> tuple[Any, ...]:
    return (f"new-{number}", "lead-0004", at, received, "page_view", 0, 0)


def _tell(url: str, *events: tuple[Any, ...]) -> None:
    columns = ("event_id", "lead_id", "occurred_at", "received_at", "type", "is_bot", "posted")
    with connect(url) as db, db.writing():
        db.add("events", columns, events)


def test_what_comes_later_changes_neither_name_nor_scores_and_what_was_known_does(
    market: Any, place: Callable[[str], str], tmp_path: Path
) -> None:
    url, as_of = place("store"), market.as_of - 20 * DAY
    make(url, market.dataset.info)
    with connect(url) as db:
        read_folder(db, market.dataset.path)
    scorer = champion(market.settings, market.name)

    def job() -> Job:
        return Job(open_dataset(url, as_of), scorer, as_of, Wants())

    first = rescore(
        job(),
        Target(tmp_path / "store"),
    )
    rescore(Job(market.dataset, scorer, as_of, Wants()), Target(tmp_path / "folder"))
    assert read_current(tmp_path / "store").equals(read_current(tmp_path / "folder"))
    _tell(url, _event(1, as_of, as_of), _event(2, as_of - DAY, as_of), _event(3, as_of + 9 * DAY, as_of - DAY))
    assert rescore(job(), Target(tmp_path / "store")).again
    _tell(url, _event(4, as_of - DAY, as_of - 1))
    assert job().run != first.run
    assert open_dataset(url).info.counts["events"] > open_dataset(url, as_of).info.counts["events"]
