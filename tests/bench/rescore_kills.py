"""A rescoring killed before each change of a file, and at random moments: every one ends with the bytes of one that
nothing happened to."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from unittest import mock

from serving.rescore import How, rescore
from serving.rescore_targets import Target
from tests.bench.line import Line
from tests.bench.rescore_data import many
from tests.bench.rescore_worker import job_of
from tests.crash import ended, forked, killed_at

KILLS, SEED = 200, 6


def lines(folder: Path, kills: int = KILLS) -> Iterator[Line]:
    """folder: holds `market` and `demo`, as tests.bench.demo_home makes them."""
    with mock.patch("serving.rescore_workers.GROUP_EVENTS", 1):  # many groups: events are arranged for them
        yield from _lines(folder, kills)


def _lines(folder: Path, kills: int) -> Iterator[Line]:
    many(folder / "market", folder / "few", 10_000, 40_000, buckets=4)
    job = job_of(folder / "demo", folder / "few")

    def work(out: Path) -> object:
        return rescore(job, Target(out), How())

    start = time.perf_counter()
    work(folder / "whole")
    seconds, whole = time.perf_counter() - start, _hash(folder / "whole")
    points = sum(1 for _ in _steps(folder / "killed", work, whole))
    yield Line("rescore, points at which it was killed", points, low=30)
    rng = random.Random(SEED)
    same = sum(_killed_after(rng.uniform(0, seconds), folder / "killed", work) == whole for _ in range(kills))
    yield Line(f"rescore, of {kills} killed at random, those that end alike", same, low=kills)


def _steps(out: Path, work: Callable[[Path], object], whole: str) -> Iterator[int]:
    """Each change of a file before which it was killed; an AssertionError where it ends otherwise than it should."""
    step, lived = 0, False
    while not lived:
        lived = killed_at(step, partial(work, out), out)
        work(out)
        assert _hash(out) == whole, step
        shutil.rmtree(out)
        yield step
        step += 1


def _killed_after(seconds: float, out: Path, work: Callable[[Path], object]) -> str:
    child = forked(partial(work, out), out, -1, lambda: None)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    ended(child)
    work(out)
    found = _hash(out)
    shutil.rmtree(out)
    return found


def _hash(out: Path) -> str:
    """Of all files that readers may see."""
    found = hashlib.sha256()
    for file in sorted(f for f in out.rglob("*") if f.is_file() and "/.work." not in str(f) and f.name != ".lock"):
        found.update(str(file.relative_to(out)).encode() + file.read_bytes())
    return found.hexdigest()
