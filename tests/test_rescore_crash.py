"""Whatever a rescoring dies of, or is stopped at: readers see the old set or the new one, and the next attempt ends with
the bytes of one that nothing happened to."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from data.errors import LeadliftError
from data.records import DAY
from serving.champion import champion
from serving.rescore import How, Job, Target, read_current, rescore
from serving.rescore_targets import Sqlite, target_of
from serving.scorer import Wants
from tests.crash import ended, forked, killed_at, stopped_at

TARGETS = {"folder": "scores", "csv": "scores.csv", "sqlite": "sqlite:///{}/store.db"}


@pytest.fixture
def job(market: Any) -> Job:
    return Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants("none"))


def tree(folder: Path) -> dict[str, str]:
    """Every file but the lock and the work folder, by its hash."""
    files = [f for f in sorted(folder.rglob("*")) if f.is_file() and "/.work." not in str(f) and f.name != ".lock"]
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def aim(folder: Path, kind: str = "folder") -> Target:
    out = TARGETS[kind].format(folder)
    return target_of(out if "://" in out else str(folder / out), folder)


def seen(folder: Path, kind: str) -> str:
    """What readers find."""
    if kind == "csv":
        return (folder / "scores.csv").read_text()
    return str(read_current(aim(folder, kind).folder).to_pylist())


@pytest.mark.parametrize("kind", TARGETS)
def test_killed_before_any_change_of_a_file_it_ends_as_if_nothing_had_happened(
    job: Job, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = How(keep=1)
    if kind != "folder":
        monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", 1)  # many groups: events are arranged for them
    rescore(replace(job, as_of=job.as_of - DAY), aim(tmp_path / "old", kind), how)
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    rescore(job, aim(tmp_path / "new", kind), how)
    after, views = tree(tmp_path / "new"), [seen(tmp_path / n, kind) for n in ("old", "new")]
    step, finished, views_found = 0, False, []
    while not finished:
        folder = tmp_path / f"d{step}"
        shutil.copytree(tmp_path / "old", folder)
        finished = killed_at(step, partial(rescore, job, aim(folder, kind), how), folder)
        views_found.append(views.index(seen(folder, kind)))
        rescore(job, aim(folder, kind), how)
        assert tree(folder) == after, step
        shutil.rmtree(folder)
        step += 1 if kind == "folder" else 7
    assert views_found == sorted(views_found)
    assert set(views_found) == {0, 1}


def test_killed_while_workers_write_it_goes_on_with_what_they_finished(job: Job, tmp_path: Path) -> None:
    seen = []

    def die(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    rescore(job, aim(tmp_path / "whole"), How(workers=2))
    dying = partial(rescore, job, aim(tmp_path / "d"), How(workers=2, advance=die))
    assert ended(forked(dying, tmp_path, -1, lambda: None)) == -signal.SIGKILL
    (ledger,) = (tmp_path / "d").glob("scores/.work.*/*/ledger.jsonl")
    assert len(ledger.read_text().splitlines()) == 1 + 2
    rescore(job, aim(tmp_path / "d"), How(workers=2))
    assert tree(tmp_path / "d") == tree(tmp_path / "whole")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.rescore_claim.BEAT", 0.02)
    monkeypatch.setattr("serving.rescore_claim.PATIENCE", 0.15)


def test_a_rival_that_stood_still_and_wakes_up_changes_nothing(job: Job, tmp_path: Path, impatient: None) -> None:
    step, codes = 0, []
    later = replace(job, as_of=job.as_of + DAY)
    while True:
        folder = tmp_path / f"d{step}"
        rescore(replace(job, as_of=job.as_of - DAY), aim(folder))
        child = stopped_at(step, partial(rescore, job, aim(folder)), folder)
        if child is None:
            break
        rescore(job, aim(folder))
        rescore(later, aim(folder))
        before = tree(folder)
        os.kill(child, signal.SIGCONT)
        codes.append(ended(child))
        assert tree(folder) == before, step
        assert rescore(later, aim(folder)).again
        step += 11
    assert codes.count(1) > len(codes) / 2


def test_two_at_once_give_one_effect(job: Job, tmp_path: Path) -> None:
    one, two = (forked(partial(rescore, job, aim(tmp_path / "both")), tmp_path, -1, lambda: None) for _ in range(2))
    assert (ended(one), ended(two)) == (0, 0)
    rescore(job, aim(tmp_path / "one"))
    assert tree(tmp_path / "both") == tree(tmp_path / "one")


@pytest.mark.parametrize(("kind", "limit"), [("folder", 9_000), ("csv", 15_000), ("sqlite", 15_000)])
def test_a_full_disk_leaves_the_old_scores_and_says_so(job: Job, tmp_path: Path, kind: str, limit: int) -> None:
    rescore(replace(job, as_of=job.as_of - DAY), aim(tmp_path, kind))
    before = tree(tmp_path)
    assert ended(forked(partial(_limited, job, aim(tmp_path, kind), limit), tmp_path, -1, lambda: None)) == 0
    assert tree(tmp_path) == before
    assert not rescore(job, aim(tmp_path, kind)).again


def _limited(job: Job, target: Target, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    with pytest.raises(LeadliftError, match=r"got: (File too large|disk I/O error|database or disk is full)") as told:
        rescore(job, target)
    assert told.value.exit_code == 1
    assert isinstance(target, Sqlite) or "What was published before is as it was. Make room" in str(told.value)


def test_a_target_that_cannot_be_written_to_says_so(job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rescore(replace(job, as_of=job.as_of - DAY), aim(tmp_path))
    before, mkdir = tree(tmp_path), Path.mkdir

    def refused(self: Path, *given: Any, **more: Any) -> None:
        if ".work." in self.name:
            raise PermissionError(30, "Read-only file system", str(self))
        mkdir(self, *given, **more)

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(LeadliftError, match=r"got: Read-only file system.*Check the path"):
        rescore(job, aim(tmp_path))
    assert tree(tmp_path) == before
