"""The service goes on answering: through promotions, broken releases, a slow store, a stop and a killed worker."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.settings import Settings
from data.store.database import connect, url_of
from serving.canary import tried_bundle
from serving.champion import load_scorer
from serving.commands.serve import serve
from serving.desk import Desk
from serving.scorer import Wants
from serving.watch import REFUSED, STORE_EVERY, Watch
from tests.load import Load
from tests.releases import broken, flip, point_to, trees, variant
from tests.server import free_port, get, post, served
from training.registry import place

LEAD = {"title": "CEO", "country": "DE", "as_of": "2026-11-01T00:00:00Z"}
EACH_BREAK = pytest.mark.parametrize("kind", range(3), ids=("canary", "killer", "nothing"))


@pytest.fixture(scope="module")
def model(market: Any) -> str:
    return trees(market.bundle)


@pytest.fixture
def settings(market: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the home, in which the market is the only one."""
    monkeypatch.delenv("LEADLIFT_MARKET", raising=False)
    shutil.copytree(market.settings.home, tmp_path / "home", ignore=shutil.ignore_patterns("store.db*"))
    copy: Settings = market.settings.model_copy(update={"home": tmp_path / "home"})
    return copy


def _reply(desk: Desk) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(desk.score(LEAD, Wants(), 0).body)
    return document


def _until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- the watch -------------------------------------------------------------------------------------------------------
def test_a_promotion_is_noticed_and_nothing_else_is(settings: Settings, market: Any) -> None:
    watch = Watch(settings)
    desk = watch.first()
    assert watch.next(desk) is desk
    other = variant(market.bundle, 0.5)
    point_to(settings.home, other)
    new = watch.next(desk)
    assert (new.scorer.bundle.version, new.state()["status"]) == (other.version, "ready")  # type: ignore[union-attr]
    assert _reply(new)["probability"] > _reply(desk)["probability"]
    assert new.recall is desk.recall is not None
    assert watch.next(new) is new


@EACH_BREAK
def test_a_broken_release_replaces_nothing_until_a_sound_one_comes(
    settings: Settings, market: Any, model: str, kind: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch(settings)
    desk = watch.first()
    bad = list(broken(market.bundle, model, 0.1))[kind]
    point_to(settings.home, bad)
    kept = watch.next(desk)
    assert _reply(kept) == _reply(desk)
    assert kept.state() == {**desk.state(), "status": "degraded", "warnings": [REFUSED]}
    assert "refused" in caplog.text
    assert watch.next(kept) is kept
    point_to(settings.home, market.bundle)
    assert watch.next(kept).state() == desk.state()


@EACH_BREAK
def test_a_broken_release_at_the_start_leaves_the_points(
    settings: Settings, market: Any, model: str, kind: int
) -> None:
    point_to(settings.home, list(broken(market.bundle, model, 0.2))[kind])
    watch = Watch(settings)
    desk = watch.first()
    state, reply = desk.state(), _reply(desk)
    assert (state["status"], state["warnings"], state["model_version"]) == ("degraded", ["model_broken"], None)
    assert (reply["points"] > 0, reply["probability"], reply["data_quality"]) == (True, None, "profile_only")
    point_to(settings.home, market.bundle)
    assert watch.next(desk).state()["status"] == "ready"


def test_a_bundle_that_hangs_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.canary.SECONDS", 0.001)
    assert Watch(settings).first().state()["warnings"] == ["model_broken"]


def test_damaged_bundles_are_refused(settings: Settings, market: Any) -> None:
    rng = np.random.default_rng(1)
    folder = place(settings.home, market.name, "converted") / "releases" / market.bundle.version
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        flip(file, int(rng.integers(len(content))), int(rng.integers(8)))
        assert load_scorer(settings, market.name, "converted", tried_bundle).warnings == ("model_broken",)
        file.write_bytes(content[: int(rng.integers(len(content)))])
        assert load_scorer(settings, market.name, "converted", tried_bundle).warnings == ("model_broken",)
        file.write_bytes(content)
    assert load_scorer(settings, market.name, "converted", tried_bundle).warnings == ()


def test_a_first_promotion_reaches_a_service_that_began_without_a_market(
    market: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADLIFT_MARKET", raising=False)
    watch = Watch(Settings(home=tmp_path / "home"))
    desk = watch.first()
    assert "no_market" in desk.state()["warnings"]
    point_to(tmp_path / "home", market.bundle)
    assert watch.next(desk).scorer.bundle is not None


# -- a slow store ----------------------------------------------------------------------------------------------------
def _hold(store: sqlite3.Connection) -> None:
    """Nobody else may read it from now on; SQLite does not wait here for a reader who is just leaving."""
    store.execute("PRAGMA locking_mode = EXCLUSIVE")
    deadline = time.monotonic() + 20
    while True:
        try:
            store.execute("BEGIN EXCLUSIVE")
            store.execute("CREATE TABLE held (x)")
            return
        except sqlite3.OperationalError:
            assert time.monotonic() < deadline
            store.rollback()
            gc.collect()  # a connection of a thread that has ended
            time.sleep(0.1)


def test_a_store_that_another_program_holds_is_given_up_and_found_again(settings: Settings) -> None:
    quick = settings.model_copy(update={"serving": settings.serving.model_copy(update={"store_seconds": 0.1})})
    desk = Watch(settings).first()
    asked = {**LEAD, "lead_id": "L1"}
    whole = desk.score(asked, Wants(), 0)
    other = sqlite3.connect(settings.home / "store.db")
    try:
        desk.recall._threads.shutdown()  # type: ignore[union-attr]
        desk = Watch(quick).first()
        _hold(other)
        started = time.monotonic()
        given_up = desk.score(asked, Wants(), 0)
        assert time.monotonic() - started < 20
        assert given_up.headers["Leadlift-Warnings"] == "store_unavailable"
        assert json.loads(given_up.body)["data_quality"] == "profile_only"
        assert (desk.state()["status"], desk.state()["warnings"]) == ("degraded", ["store_unavailable"])
        assert "Leadlift-Warnings" not in desk.score(LEAD, Wants(), 0).headers
    finally:
        other.close()
    deadline = time.monotonic() + 60
    while desk.score(asked, Wants(), 0) != whole:
        assert time.monotonic() < deadline
    assert desk.state()["status"] == "ready"


def test_a_store_that_could_not_be_opened_is_opened_when_it_can(settings: Settings) -> None:
    file = settings.home / "store.db"
    file.write_bytes(b"no store" * 200)
    watch = Watch(settings)
    desk = watch.first()
    assert (desk.recall, desk.state()["warnings"]) == (None, ["store_unavailable"])
    file.unlink()
    for _ in range(STORE_EVERY):
        desk = watch.next(desk)
    assert (desk.recall is None, desk.state()["status"]) == (False, "ready")


def test_a_store_that_nobody_can_open_leaves_the_requests(settings: Settings) -> None:
    (settings.home / "file").write_text("")
    elsewhere = settings.serving.model_copy(update={"store": url_of(settings.home / "file" / "store.db")})
    desk = Watch(settings.model_copy(update={"serving": elsewhere})).first()
    assert desk.score({**LEAD, "lead_id": "L1"}, Wants(), 0).headers["Leadlift-Warnings"] == "store_unavailable"


@pytest.mark.parametrize("kept", [b"", b"no store" * 200], ids=("taken away", "broken"))
def test_where_consent_is_required_and_no_store_tells_nothing_of_a_lead_is_used(
    settings: Settings, kept: bytes
) -> None:
    asking = settings.model_copy(update={"privacy": settings.privacy.model_copy(update={"require_consent": True})})
    file = settings.home / "store.db"
    file.write_bytes(kept)
    desk = Watch(asking).first()
    if not kept:
        file.unlink()
    asked = ({**LEAD, "lead_id": "L1"}, {**LEAD, "title": "Owner", "country": "US", "lead_id": "L1"}, LEAD)
    told, other, stranger = (desk.score(one, Wants(), 0) for one in asked)
    assert told.body == other.body
    assert told.headers["Leadlift-Warnings"] == "store_unavailable"
    assert [json.loads(a.body)["data_quality"] for a in (told, stranger)] == ["none", "profile_only"]


def test_a_store_that_is_silent_at_the_start_does_not_keep_the_service_from_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[object] = []
    monkeypatch.setattr("os.execve", lambda *told: started.append(told[1]))
    monkeypatch.setenv("LEADLIFT_HOME", str(settings.home))
    monkeypatch.setattr("serving.counter.connect", lambda url, create=False: connect(url, create, 0.05))
    other = sqlite3.connect(settings.home / "store.db")
    try:
        _hold(other)
        serve(port=free_port())
    finally:
        other.close()
    assert (len(started), "database is locked" in capsys.readouterr().out) == (1, True)


# -- the real server -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def running(market: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, Settings]]:
    """Address, process and settings of a service that the tests leave running."""
    folder = tmp_path_factory.mktemp("running")
    shutil.copytree(market.settings.home, folder / "home", ignore=shutil.ignore_patterns("store.db*"))
    with served(folder / "home", folder / "log.txt") as (address, keeper):
        yield address, keeper, market.settings.model_copy(update={"home": folder / "home"})
    assert "Traceback" not in (folder / "log.txt").read_text()


def _state(address: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(get(f"{address}/readyz")[1])
    return document


def _expected(settings: Settings, *bundles: Any) -> set[bytes]:
    """The bytes each bundle answers with."""
    found = set()
    for bundle in bundles:
        point_to(settings.home, bundle)
        found.add(Desk(load_scorer(settings, bundle.market)).score(LEAD, Wants(), 0).body)
    return found


def test_swaps_fail_no_request_and_each_reply_is_of_one_version(
    market: Any, model: str, running: tuple[str, int, Settings]
) -> None:
    address, _, settings = running
    one, two = market.bundle, variant(market.bundle, 0.5)
    with Load(address, LEAD, 8) as load:
        for good, bad in zip((two, one), broken(one, model, 0.3), strict=False):
            point_to(settings.home, good)
            _until(lambda v=good.version: _state(address)["model_version"] == v)  # type: ignore[misc]
            point_to(settings.home, bad)
            _until(lambda: _state(address)["warnings"] == [REFUSED])
            assert _state(address)["model_version"] == good.version
    assert (load.others(), load.lost) == (0, [])
    assert load.bodies() == _expected(settings, one, two)


def test_a_worker_that_is_killed_is_back_with_the_same_answer(market: Any, running: tuple[str, int, Settings]) -> None:
    address, keeper, settings = running
    point_to(settings.home, market.bundle)
    _until(lambda: _state(address)["model_version"] == market.bundle.version)
    before = post(f"{address}/v1/score", LEAD)
    (worker,) = Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    _until(lambda: get(f"{address}/readyz")[0] == 200)
    assert post(f"{address}/v1/score", LEAD) == before
    assert Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split() != [worker]


def test_a_stop_answers_every_request_that_was_sent(settings: Settings, tmp_path: Path) -> None:
    with served(settings.home, tmp_path / "log.txt") as (address, keeper), Load(address, LEAD, 8) as load:
        _until(lambda: load.answered > 50)
        os.kill(keeper, signal.SIGTERM)
        load.wait()
    assert (load.others(), load.lost, load.turned_away) == (0, [], 8)
    assert len(load.bodies()) == 1


def test_who_asks_while_it_stops_is_answered_and_told_to_come_back_elsewhere(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.service import FRONT

    monkeypatch.setattr(FRONT, "leaving", False)
    assert "connection" not in client.post("/v1/score", json=LEAD).headers
    FRONT.leave()
    assert (client.get("/readyz").status_code, client.get("/livez").status_code) == (503, 200)
    answer = client.post("/v1/score", json=LEAD)
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
