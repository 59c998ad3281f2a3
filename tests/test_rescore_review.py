"""`leadlift rescore` between scoring and publishing: nothing ill is published, and who moved is told with causes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from data.records import DAY, take
from data.store.moves import PARTS, History
from serving.champion import champion, scorer_of
from serving.changes import Changes
from serving.reply import time_text
from serving.rescore import How, Job, Target, rescore
from serving.rescore_review import Review
from serving.scorer import Wants
from tests.crash import killed_at
from tests.nights import market_of, scored, warm_model
from tests.planted import doubled, promoted, written
from tests.test_rescore_crash import tree
from training.registry import place


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, int]:
    """A market whose events came twice on its last day, a home with a model, and the end of that day."""
    market, found = market_of(3, leads=1500)
    folder = tmp_path_factory.mktemp("review")
    planted = doubled(found, market.end - DAY, np.random.default_rng(1))
    written(folder / "market", planted)
    promoted(folder / "home", warm_model())
    return folder / "market", folder / "home", market.end


def test_an_ill_night_is_held_back_with_exit_3_and_one_line_until_it_is_accepted(
    scene: Any, tmp_path: Path, leadlift_at: Callable[[], Any]
) -> None:
    dataset, home, end = scene
    out, run = tmp_path / "out", leadlift_at()

    def rescore(as_of: int, *more: str) -> tuple[int, dict[str, Any], str]:
        words = ("rescore", str(dataset), "--out", str(out), "--reasons", "none", "--as-of", str(time_text(as_of)))
        found: tuple[int, dict[str, Any], str] = run(*words, *more, LEADLIFT_HOME=str(home))
        return found

    assert rescore(end - DAY)[0] == 0
    before = (out / "current.json").read_text()
    code, document, said = rescore(end)
    assert (code, document) == (3, {})
    assert "events told twice since" in said.splitlines()[-1]
    assert "of leads would" in said.splitlines()[-1]
    assert (out / "current.json").read_text() == before
    assert rescore(end, "--accept-change", " ")[0] == 2
    code, document, _ = rescore(end, "--accept-change", "tested twice")
    assert code == 0
    gate = json.loads((out / document["run"] / "manifest.json").read_text())["gate"]
    assert (gate["verdict"], gate["reason"]) == ("accepted", "tested twice")
    assert "told twice" in gate["causes"][0]


@pytest.mark.parametrize("kind", ["folder", "store"])
def test_changes_are_written_told_and_kept_for_the_service(
    kind: str, scene: Any, tmp_path: Path, leadlift_at: Callable[[], Any]
) -> None:
    dataset, old_home, end = scene
    home, run = tmp_path / "home", leadlift_at()
    shutil.copytree(old_home, home)
    place_ = str(dataset)
    if kind == "store":
        place_ = f"sqlite:///{tmp_path / 'store.db'}"
        assert run("import", str(dataset), "--to", place_)[0] == 0
    words = ("rescore", place_, "--market", "market", "--out", str(tmp_path / "out"), "--reasons", "none", "--changes")
    as_of = [str(time_text(end - days * DAY)) for days in (8, 1)]
    first = run(*words, "--as-of", as_of[0], LEADLIFT_HOME=str(home))[1]["changes"]
    promoted(home, warm_model(0.5))
    code, document, said = run(*words, "--as-of", as_of[1], LEADLIFT_HOME=str(home))
    assert (code, first["moved"]) == (0, 0)
    changes = document["changes"]
    rows = pq.read_table(Path(document["path"]) / "changes.parquet").to_pylist()
    moved = [r for r in rows if r["as_of_old"] is not None]
    assert changes["moved"] == len(moved) > 100
    assert changes["first_scored"] == len(rows) - len(moved) > 0
    for row in moved:
        assert row["log_odds_restated"] == 0
        assert row["log_odds_model"] == pytest.approx(0.5)
        far = abs(row["probability"] - row["probability_old"]) > 0.05
        assert far or row["grade"] != row["grade_old"] or row["sales_ready"] != row["sales_ready_old"]
    assert {r["cause"] for r in moved} >= {"model", "events", "time"}
    assert "leads moved" in said
    history = History(place(home, "market", "converted"))
    assert [m["cause"] for m in history.of(moved[0]["lead_id"])] == [moved[0]["cause"], None]
    assert sum(abs(history.of(moved[0]["lead_id"])[0][f"log_odds_{p}"]) for p in PARTS) > 0
    # Killed after the set was published, before the history was: the next call makes up for it.
    for file in place(home, "market", "converted").glob("history.db*"):
        file.unlink()
    assert run(*words, "--as-of", as_of[1], LEADLIFT_HOME=str(home))[1]["changes"] == changes
    assert [m["cause"] for m in history.of(moved[0]["lead_id"])] == [moved[0]["cause"]]


def test_killed_before_any_change_of_a_file_the_changes_end_up_with_the_set(market: Any, tmp_path: Path) -> None:
    """And the manifest, with what was accepted and counted, is the same."""
    settings = market.settings.model_copy(update={"home": tmp_path / "home"})
    shutil.copytree(market.settings.home, settings.home)
    review = Review(settings, accepted="a test", changes=True)
    job = Job(market.dataset, champion(settings, market.name), market.as_of, Wants("none"))
    how = How(gate=review)

    def work(folder: Path) -> None:
        review.keep(rescore(job, Target(folder), how).path)

    rescore(replace(job, as_of=job.as_of - 40 * DAY), Target(tmp_path / "old"), how)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    work(tmp_path / "new")
    after, step, finished = tree(tmp_path / "new"), 0, False
    assert f"{job.run}/changes.parquet" in after
    rows = History(place(settings.home, market.name, "converted"))
    told = rows.of("lead-0001")
    assert len(told) == 1
    while not finished:
        folder = tmp_path / f"d{step}"
        shutil.copytree(tmp_path / "old", folder)
        finished = killed_at(step, partial(work, folder), folder)
        work(folder)
        assert tree(folder) == after, step
        assert rows.of("lead-0001") == told
        step += 5
    assert step > 20


def test_a_set_published_without_changes_says_so_when_asked_for_them(
    scene: Any, tmp_path: Path, leadlift_at: Callable[[], Any]
) -> None:
    dataset, home, end = scene
    words = ("rescore", str(dataset), "--out", str(tmp_path), "--reasons", "none", "--as-of", str(time_text(end - DAY)))
    assert leadlift_at()(*words, LEADLIFT_HOME=str(home))[0] == 0
    code, document, said = leadlift_at()(*words, "--changes", LEADLIFT_HOME=str(home))
    assert (code, document["again"], document["changes"]) == (0, True, None)
    assert "published without --changes" in said


def test_changes_that_cannot_be_told_are_refused_before_anything_is_scored(
    scene: Any, tmp_path: Path, leadlift_at: Callable[[], Any]
) -> None:
    dataset, old_home, end = scene
    home, out, run = tmp_path / "home", tmp_path / "out", leadlift_at()
    shutil.copytree(old_home, home)
    words = ("rescore", str(dataset), "--out", str(out), "--reasons", "none", "--changes", "--as-of")
    days = [str(time_text(end - days * DAY)) for days in (8, 1)]
    assert run(*words, days[0], LEADLIFT_HOME=str(home))[0] == 0
    (gone,) = (place(home, "market", "converted") / "releases").iterdir()
    promoted(home, warm_model(0.5))
    shutil.rmtree(gone)
    before = sorted(out.rglob("*"))
    code, document, said = run(*words, days[1], LEADLIFT_HOME=str(home))
    assert (code, document) == (1, {})
    assert f"{gone}: expected the model of the last set" in said.splitlines()[-1]
    assert "profile rows scored" not in said
    assert sorted(out.rglob("*")) == before
    assert run(*(w for w in words if w != "--changes"), days[1], LEADLIFT_HOME=str(home))[0] == 0


def test_the_old_state_is_made_again_from_all_that_came_later(tmp_path: Path) -> None:
    """What was published from the records of that day is what they say of it, bit for bit, two weeks later."""
    market, found = market_of(4, leads=1500)
    then = market.end - 14 * DAY
    known_from = {"events": "received_at", "leads": "valid_from", "links": "known_from", "outcomes": "occurred_at",
                  "consents": "given_at", "spend": "date"}  # fmt: skip
    early = {
        n: take(c, np.flatnonzero(np.asarray(c[known_from[n]]) < then)) for n, c in found.items() if n in known_from
    }
    scorer = scorer_of(warm_model())
    before = scored(written(tmp_path / "early", early), scorer, then, tmp_path / "0")
    lake = written(tmp_path / "late", found)
    now = scored(lake, scorer, market.end, tmp_path / "1")
    tables = list(Changes(lake, before, now, scorer, scorer).tables())
    rows = [r for t in tables for r in t.to_pylist() if r["as_of_old"] is not None]
    assert len(rows) > 1000
    assert all(r["log_odds_restated"] == r["points_restated"] == 0 for r in rows)
    assert {p for p in PARTS if any(r[f"log_odds_{p}"] for r in rows)} >= {"events", "time"}
