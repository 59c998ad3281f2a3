"""PostgreSQL: the same bytes as on SQLite, whoever else writes, whatever breaks off; passwords stay where they were given."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.dataset import lasting, open_dataset
from data.errors import InputError, StoreError
from data.redact import without_password, without_passwords
from data.settings import Settings
from data.store import write
from data.store.copies import read_folder
from data.store.database import Database, connect, url_of
from data.store.store import Store, backup, faults, make, restore
from serving.champion import scorer_of
from serving.counter import desk_with_store
from serving.desk import Desk
from serving.problem import RequestError
from serving.recall import THREADS, Recall
from serving.scorer import Scorer, Wants
from tests.calls import drawn_calls, write_calls
from tests.test_store import LATE, Place, files_in, new_store, patient, reply, tell

SECRET = "hush"


@pytest.fixture
def scorer(market: Any) -> Scorer:
    return scorer_of(market.bundle)


@pytest.fixture
def url(postgres: Place) -> str:
    return new_store(postgres)


def digest(url: str) -> str:
    return Store(url).info.digest


def killed(url: str) -> None:
    """Ends the other connections to this store."""
    with connect(url) as db:
        db.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leadlift' "
            "AND pid <> pg_backend_pid() AND datname = current_database()"
        )


# -- the same as on SQLite -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", [11, 12])
def test_the_same_calls_give_the_same_bytes_on_both_databases(
    seed: int, postgres: Place, tmp_path: Path, scorer: Scorer
) -> None:
    calls = drawn_calls(seed)
    mapping = write_calls(tmp_path, calls)[1]
    urls = [new_store(where, mapping) for where in (files_in(tmp_path), postgres)]
    for url in urls:
        random.Random(url).shuffle(calls)
        tell(url, calls)
    assert digest(urls[0]) == digest(urls[1])
    of_file, of_server = (Desk(scorer, recall=patient(url)) for url in urls)
    for lead in range(9):
        assert reply(of_file, f"L{lead}", LATE) == reply(of_server, f"L{lead}", LATE)


def test_a_folder_on_both_databases_is_one_dataset_and_a_restored_backup_too(
    market: Any, postgres: Place, tmp_path: Path
) -> None:
    urls = [url_of(tmp_path / "store.db"), postgres("market")]
    for url in urls:
        make(url, market.dataset.info)
        with connect(url) as db:
            assert read_folder(db, market.dataset.path)["events"] == 1500
    backup(urls[1], tmp_path / "copy.db")
    again = postgres("again")
    assert restore(url_of(tmp_path / "copy.db"), again)["events"] == 1500
    assert len({digest(url) for url in (*urls, again)}) == 1
    assert list(tmp_path.glob(".copy*")) == []
    with pytest.raises(InputError, match="expected a store without rows"):
        restore(url_of(tmp_path / "copy.db"), again)


def test_texts_of_every_kind_come_back_as_they_were(url: str) -> None:
    odd = ["tab\tline\nback\\slash \\N", "größer 😀", "", "%s ? {}", "'\";--"]
    rows = [(str(i), text) for i, text in enumerate(odd)]
    with connect(url) as db:
        with db.writing():
            db.add("texts", ("name", "content"), rows)
        found = [row for row in db.stream("SELECT name, content FROM texts") if row[0].isdigit()]
        assert (sorted(found), db.rows("SELECT name FROM texts WHERE content = ?", [odd[0]])) == (rows, [("0",)])


# -- at once, and broken off -----------------------------------------------------------------------------------------
def test_two_writers_at_once_leave_what_one_would(place: Place, tmp_path: Path) -> None:
    calls = drawn_calls(6, 120)
    mapping = write_calls(tmp_path, calls)[1]
    alone, together = (new_store(place, mapping, name) for name in ("alone", "together"))
    once = tell(alone, calls)

    def writer(turn: int) -> list[dict[str, Any]]:
        mine = list(calls)
        random.Random(turn).shuffle(mine)
        return tell(together, mine, 15)

    with ThreadPoolExecutor(2) as pool:
        both = [done for told in pool.map(writer, range(2)) for done in told]
    assert sum(d["accepted"] for d in both) == sum(d["accepted"] for d in once)
    assert digest(together) == digest(alone)


def test_a_connection_that_is_cut_costs_one_answer_its_store(url: str, scorer: Scorer) -> None:
    tell(url, drawn_calls(1))
    desk = Desk(scorer, recall=patient(url))

    def warned() -> str | None:
        return desk.score({"lead_id": "L1", "title": "CEO"}, Wants(), LATE).headers.get("Leadlift-Warnings")

    assert warned() is None
    killed(url)
    assert warned() == "store_unavailable"
    assert warned() is None


def test_a_batch_that_is_cut_is_not_there_and_comes_whole_when_sent_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(db: Database, *_: object) -> None:  # events are written by then, nothing is committed
        killed(url)
        db.rows("SELECT 1")

    calls = drawn_calls(2, 40)
    with monkeypatch.context() as patch:
        patch.setattr(write, "_put_calls", cut)
        with pytest.raises(RequestError) as refused:
            tell(url, calls, 100)
    assert refused.value.problem.status == 503
    with connect(url) as db:
        assert db.rows("SELECT count(*) FROM events") == [(0,)]
    (done,) = tell(url, calls, 100)
    assert done["accepted"] + done["duplicate"] + done["rejected"] + done["passed_over"] == len(calls)
    assert done["accepted"] > 30


def test_a_store_that_others_hold_is_not_waited_for(url: str, scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(url, drawn_calls(1))
    monkeypatch.setattr("data.store.database.connect.__defaults__", (False, 0.05))
    desk = Desk(scorer, recall=patient(url))
    with connect(url) as other, other.writing():
        other.run("LOCK TABLE leads IN ACCESS EXCLUSIVE MODE")
        answer = desk.score({"lead_id": "L1"}, Wants(), LATE)
        with pytest.raises(RequestError) as refused:
            tell(url, drawn_calls(1))
    assert answer.headers["Leadlift-Warnings"] == "store_unavailable"
    assert refused.value.problem.status == 503


@pytest.mark.parametrize("silent", [False, True])
def test_a_statement_ends_in_time_even_where_the_server_is_silent(silent: bool, url: str) -> None:
    with connect(url) as db:
        ((pid,),) = db.rows("SELECT pg_backend_pid()")

        def ask() -> None:
            with db.reading(0.2):
                if silent:
                    os.kill(pid, signal.SIGSTOP)
                db.rows("SELECT pg_sleep(600)")

        try:
            with pytest.raises(StoreError):
                ask()
        finally:
            if silent:  # else it may be gone by now
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(("market_name", "used"), [("calls", True), ("others", False)])
def test_a_service_started_before_its_database_uses_it_once_it_answers_and_only_its_own(
    market_name: str, used: bool, url: str, market: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise StoreError("not yet")

    tell(url, drawn_calls(1))
    settings = Settings(home=market.settings.home, serving={"store": url})  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr("serving.counter.connect", silent)
        desk = desk_with_store(replace(scorer_of(market.bundle), market=market_name), settings)
    assert desk.state()["warnings"] == ["store_unavailable"], "before anybody asks"
    answer = desk.score({"lead_id": "L1", "title": "CEO"}, Wants(), LATE)
    assert answer.headers.get("Leadlift-Warnings") == (None if used else "store_unavailable")
    assert desk.intake is not None
    if not used:
        with pytest.raises(RequestError):
            desk.intake.events({"batch": []}, LATE)


def test_a_host_that_swallows_everything_is_asked_by_a_few_threads_and_then_left_alone(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def swallowing(*_: object, **__: object) -> None:
        asked.append(1)
        time.sleep(0.1)
        raise StoreError("time out")

    monkeypatch.setattr("serving.recall.connect", swallowing)
    desk = Desk(scorer, recall=Recall("postgresql://h/d", seconds=0.05))
    answers = [desk.score({"lead_id": "L1"}, Wants(), LATE) for _ in range(3 * THREADS)]
    assert {a.headers["Leadlift-Warnings"] for a in answers} == {"store_unavailable"}
    assert 1 <= len(asked) <= THREADS


# -- passwords, and what is missing ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://me:hush@h:5432/d?sslmode=require", "postgresql://me@h:5432/d?sslmode=require"),
        ("postgresql://h/d?user=me&password=hush&sslpassword=hush", "postgresql://h/d?user=me"),
        ("postgresql://me:hu@hush@h/d", "postgresql://me@h/d"),
        ("postgresql://me:hu/hush@h/d", "postgresql://me@h/d"),
        ("postgresql://me:?hush@h/d", "postgresql://me@h/d"),
        ("postgresql:/me:hush@h/d", "postgresql:/me@h/d"),
        ("http://me:hush@mlflow:5000/x", "http://me@mlflow:5000/x"),
        ("https://h:80/@hush", "https://h:80/@hush"),
        ("sqlite:////var/lib/store.db", "sqlite:////var/lib/store.db"),
    ],
)
def test_a_url_loses_its_passwords_and_nothing_else(given: str, shown: str) -> None:
    assert without_password(given) == shown
    assert without_passwords(f'{{"store": "{given}"}} and {given}') == f'{{"store": "{shown}"}} and {shown}'


def test_no_command_says_the_password(
    leadlift_at: Callable[[], Any], postgres: Place, market: Any, tmp_path: Path
) -> None:
    leadlift, url = leadlift_at(), postgres("shop")
    assert SECRET in url
    folder, bad = str(market.dataset.path), f"postgresql://me:{SECRET}@127.0.0.1:1/d"
    runs = [
        (leadlift(*words, **more), code) for words, code, more in (
            (("store", "migrate", url, "--name", market.name), 0, {}),
            (("store", "check", url), 0, {}),
            (("import", folder, "--to", url), 0, {}),
            (("import", url, "--to", str(tmp_path / "back")), 0, {}),
            (("check", url), 3, {}),  # a market of 90 leads
            (("store", "backup", url, "--to", str(tmp_path / "copy.db")), 0, {}),
            (("import", folder, "--to", url), 1, {}),
            (("settings",), 0, {"LEADLIFT_SERVING__STORE": url}),
            (("check", bad), 1, {}),
            (("check", folder, bad), 2, {}),
            (("train", folder, "--seed", bad), 2, {}),
            (("store", "check", f"postgresql://me:{SECRET}@h:{SECRET}/d"), 2, {}),
            (("store", "check", f"postgresql://me:/{SECRET}@h/d"), 2, {}),
            (("store", "check", f"postgresql://me:{SECRET}/d"), 2, {}),
            (("store", "check", f"postgresql://me:@{SECRET}@h/d"), 2, {}),
        )
    ]  # fmt: skip
    assert [run[0] for run, _ in runs] == [code for _, code in runs]
    assert [run for run, _ in runs if SECRET in json.dumps(run[1]) + run[2]] == []
    assert open_dataset(tmp_path / "back").info.counts == market.dataset.info.counts


def test_neither_log_nor_report_names_the_password(url: str, market: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(home=market.settings.home, serving={"store": f"postgresql://me:{SECRET}@127.0.0.1:1/d"})  # type: ignore[arg-type]
    with caplog.at_level(logging.DEBUG):
        desk = desk_with_store(scorer_of(market.bundle), settings)
    assert "postgresql://me@127.0.0.1:1/d" in caplog.text
    assert SECRET not in caplog.text + repr(desk) + lasting(open_dataset(url).place)


def test_without_the_package_it_is_named_and_sqlite_works(tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["psycopg"] = None
from data.dataset import DatasetInfo
from data.errors import UsageError
from data.store.store import make
assert make("sqlite:///{tmp_path}/s.db", DatasetInfo(name="m")) == (0, 1)
try:
    make("postgresql://me:{SECRET}@h/d", DatasetInfo(name="m"))
except UsageError as absent:
    print(absent)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "leadlift[postgres]" in done.stdout
    assert SECRET not in done.stdout


def test_a_database_of_something_else_and_a_missing_table_are_found(url: str, postgres: Place) -> None:
    other = postgres("other")
    with connect(other) as db:
        db.run("CREATE TABLE t (x int)")
    with pytest.raises(InputError, match="a database of something else"):
        make(other, Store(url).info)
    assert faults(url) == []
    with connect(url) as db:
        db.run("DROP TABLE spend")
    assert faults(url) == ["no table spend"]
