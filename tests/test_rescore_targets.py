"""Wherever scores go they are those of the Parquet set: all of them, at once, and nobody waits who writes to a store."""

from __future__ import annotations

import csv
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from data.errors import InputError, StoreError, UsageError, Verdict
from data.records import DAY, MICROS
from data.store import schema
from data.store.database import connect
from data.store.store import make
from data.times import EPOCH
from serving.champion import champion
from serving.reply import time_text
from serving.rescore import Candidate, How, Job, Target, read_current, rescore
from serving.rescore_targets import target_of
from serving.scorer import Wants
from tests.crash import ended, killed_at, stopped_at

Place = Callable[[str], str]


@pytest.fixture
def job(market: Any) -> Job:
    return Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants())


@pytest.fixture
def rows(job: Job, tmp_path: Path) -> list[dict[str, Any]]:
    """What the set of Parquet says."""
    rescore(job, Target(tmp_path / "parquet"))
    found: list[dict[str, Any]] = read_current(tmp_path / "parquet").to_pylist()
    return sorted(found, key=lambda r: r["lead_id"])


# -- CSV -------------------------------------------------------------------------------------------------------
def test_a_csv_has_every_value_and_no_formula(job: Job, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    rescore(job, target_of(str(tmp_path / "scores.csv"), tmp_path))
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        cells = sorted(csv.DictReader(file), key=lambda r: r["lead_id"].removeprefix("'"))
    assert [list(c) for c in cells] == [list(r) for r in rows]
    assert {c["lead_id"] for c in cells} == {"'=cmd|1" if r["lead_id"] == "=cmd|1" else r["lead_id"] for r in rows}
    for cell, row in zip(cells, rows, strict=True):
        assert float(cell["probability"]) == row["probability"]
        assert cell["as_of"] == time_text(row["as_of"])
        assert cell["sales_ready"] == str(row["sales_ready"]).lower()
        assert cell["interest_1"] == (row["interest_1"] or "")
        assert not any(str(v).startswith(("=", "+", "-", "@")) for k, v in cell.items() if isinstance(row[k], str))


def test_a_csv_stays_as_it_was_where_the_gate_says_no_and_comes_back_where_it_was_lost(
    job: Job, tmp_path: Path
) -> None:
    def refuse(candidate: Candidate) -> dict[str, Any]:
        raise Verdict("no")

    file, goal = tmp_path / "scores.csv", target_of(str(tmp_path / "scores.csv"), tmp_path)
    file.write_text("old")
    with pytest.raises(Verdict):
        rescore(job, goal, How(gate=refuse))
    assert file.read_text() == "old"
    rescore(job, goal)
    written = file.read_bytes()
    assert rescore(job, goal).again
    file.unlink()
    assert not rescore(job, goal).again
    assert file.read_bytes() == written


# -- SQLite ----------------------------------------------------------------------------------------------------
def test_on_sqlite_the_scores_lie_beside_the_store_and_its_writers_never_wait(
    job: Job, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    make(url, job.dataset.info)
    goal = target_of(url, tmp_path)
    with connect(url) as db, db.writing():  # somebody writes all the while
        done = rescore(job, goal)
    pointer = json.loads((tmp_path / "store.db.scores" / "current.json").read_text())
    assert pointer["run"] == done.run
    with sqlite3.connect(f"file:{done.path}/scores.db?immutable=1", uri=True) as found:
        found.row_factory = sqlite3.Row
        stored = [dict(r) for r in found.execute("SELECT * FROM scores ORDER BY lead_id")]
    found.close()
    assert stored == [{k: time_text(v) if k in ("as_of", "scored_at") else v for k, v in r.items()} for r in rows]
    assert not list(done.path.glob("scores.db-*"))


# -- PostgreSQL ------------------------------------------------------------------------------------------------
def _shown(url: str) -> list[dict[str, Any]]:
    with connect(url) as db:
        return [
            dict(zip(db.columns("scores"), r, strict=True)) for r in db.rows("SELECT * FROM scores ORDER BY lead_id")
        ]


def test_on_postgresql_a_view_shows_the_last_set(
    job: Job, rows: list[dict[str, Any]], tmp_path: Path, postgres: Place
) -> None:
    url = postgres("scores")
    make(url, job.dataset.info)
    goal = target_of(url, tmp_path / "work")
    rescore(replace(job, as_of=job.as_of - DAY), goal)
    rescore(job, goal)
    assert sorted(_shown(url), key=lambda r: r["lead_id"]) == rows
    assert rescore(job, goal).again
    with connect(url) as db:
        schema.refuse_other(db)
        assert db.faults() == []


def test_on_postgresql_who_may_read_the_scores_still_may_the_night_after(
    job: Job, tmp_path: Path, postgres: Place
) -> None:
    """Also through a view of their own; a view `scores` with other columns gives way."""
    url = postgres("readers")
    goal = target_of(url, tmp_path / "work")
    with connect(url) as db:
        db.run("CREATE VIEW scores AS SELECT 1 AS one")
        rescore(replace(job, as_of=job.as_of - DAY), goal)
        db.run("GRANT SELECT ON scores TO pg_monitor")
        db.run("CREATE VIEW mine AS SELECT lead_id, as_of FROM scores")
        rescore(job, goal)
        assert db.rows("SELECT has_table_privilege('pg_monitor', 'scores', 'SELECT')") == [(True,)]
        assert db.rows("SELECT DISTINCT as_of FROM mine") == [(_moments(job)[0],)]


def test_after_thirty_nights_on_postgresql_hardly_a_row_is_dead(job: Job, tmp_path: Path, postgres: Place) -> None:
    url = postgres("nights")
    short, goal = replace(job, wants=Wants("none")), target_of(url, tmp_path / "work")
    for night in range(30):
        rescore(replace(short, as_of=job.as_of + night * MICROS), goal, How(keep=3))
    with connect(url) as db:
        tables = {t for t in db.tables() if t.startswith("scores_")}
        ours = "FROM pg_stat_user_tables WHERE schemaname = current_schema()"
        live, dead = map(int, db.rows(f"SELECT sum(n_live_tup), sum(n_dead_tup) {ours}")[0])
        ((count,),) = db.rows("SELECT count(*) FROM score_sets")
    assert (len(tables), count) == (3, 30)
    assert live >= 3 * 90
    assert dead <= 0.1 * live


def test_killed_or_stopped_on_its_way_to_postgresql_it_is_published_once(
    job: Job, tmp_path: Path, postgres: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.rescore_claim.BEAT", 0.02)
    monkeypatch.setattr("serving.rescore_claim.PATIENCE", 0.15)
    url = postgres("crash")
    for number, step in enumerate(range(0, 80, 16)):
        night = replace(job, as_of=job.as_of + number * MICROS, wants=Wants("none"))
        work = partial(rescore, night, target_of(url, tmp_path / "work"))
        child = stopped_at(step, work, tmp_path)
        work()
        if child is not None:
            os.kill(child, signal.SIGCONT)
            ended(child)
        again = replace(night, as_of=night.as_of + MICROS // 2)
        killed_at(step, partial(rescore, again, target_of(url, tmp_path / "work")), tmp_path)
        rescore(again, target_of(url, tmp_path / "work"))
        assert {r["as_of"] for r in _shown(url)} == set(_moments(again))
    with connect(url) as db:
        runs = [r for (r,) in db.rows("SELECT run FROM score_sets ORDER BY number")]
    assert len(runs) == len(set(runs)) == 10


def _moments(job: Job) -> list[datetime]:
    return [EPOCH + timedelta(microseconds=job.as_of)]


def test_a_database_that_does_not_answer_is_said_before_anything_is_scored(job: Job, tmp_path: Path) -> None:
    nowhere = f"postgresql://me@/none?host={tmp_path}"
    with pytest.raises(StoreError):
        rescore(job, target_of(nowhere, tmp_path / "work"))
    assert not (tmp_path / "work").exists()
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(InputError, match="a folder"):
        rescore(job, target_of(str(tmp_path / "x.csv"), tmp_path))
    with pytest.raises(UsageError, match=r"--out: expected .* got nothing"):
        target_of(" ", tmp_path)
