"""How long a rescoring takes, and how much memory: half a million leads with ten million events, and four times that.

Each measurement is a process of its own; ratios are of one run, one after the other. Figures of one process are medians
of three rounds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from tests.bench.line import Line
from tests.bench.rescore_data import many
from tests.postgres import running

LEADS, EVENTS, ROUNDS = 500_000, 10_000_000, 3
SAID = {"found": "leads of all events", "features": "features", "predict": "probabilities"}
WRITTEN = 50_000  # leads on their way into PostgreSQL
ONE = {"OMP_NUM_THREADS": "1", "LEADLIFT_TRAINING__THREADS": "1"}


def lines(folder: Path, leads: int = LEADS, events: int = EVENTS) -> Iterator[Line]:
    """folder: holds `market` and `demo`, as tests.bench.demo_home makes them."""
    for name, times in (("lake", 1), ("large", 4)):
        many(folder / "market", folder / name, times * leads, times * events)
    os.sync()  # else the system is still busy with writing these when rescoring begins
    yield Line("rescore, million events", events / 1e6)
    whole, least = _rounds(folder)
    yield Line("rescore, leads", whole["leads"], low=leads)
    for name, said in SAID.items():
        yield Line(f"rescore, what must be, CPU s: {said}", least[name])
    yield Line("rescore, whole job, CPU s", whole["cpu"])
    told = least["features"] + least["predict"]
    yield Line("rescore, processor's time of what must be", whole["cpu"] / (told + least["found"]), high=1.8)
    yield Line("rescore, the same without finding leads of events", whole["cpu"] / told, high=1.8)
    yield Line("rescore, s", whole["s"], high=90)
    yield Line("rescore, most memory, GB", whole["gb"], high=1.5)
    two = measured("whole", folder, "lake", 2)
    yield Line("rescore, two workers, times one", whole["s"] / two["s"], low=1.6)
    if find_spec("pyspark") and shutil.which("java"):
        spark = measured("spark", folder, "lake", 2, str(folder / "scores-spark"))
        yield Line("rescore, Spark local[2], times the speed of two workers", two["s"] / spark["s"], low=0.6)
    larger = measured("whole", folder, "large")
    yield Line("rescore, memory with four times the events, times one", larger["gb"] / whole["gb"], high=1.1)
    yield from _postgres(folder, min(leads, WRITTEN))


def _rounds(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """A whole rescoring, and what must be."""
    found = [
        (measured("whole", folder, "lake", out=str(folder / f"scores-{turn}")), measured("needed", folder, "lake"))
        for turn in range(ROUNDS)
    ]
    return _median([whole for whole, _ in found]), _median([needed for _, needed in found])


def _median(found: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: median(one[name] for one in found) for name in found[0]}


def _postgres(folder: Path, leads: int) -> Iterator[Line]:
    many(folder / "market", folder / "small", leads, 20 * leads)
    (folder / "server").mkdir()
    with running(folder / "server") as fresh:
        found = measured("postgres", folder, "small", out=fresh("bench"))
    yield Line("rescore, leads a second into PostgreSQL", found["leads"] / found["s"], low=20_000)


def measured(what: str, folder: Path, name: str, workers: int = 1, out: str | None = None) -> dict[str, float]:
    """What tests.bench.rescore_worker says."""
    out = out or str(folder / f"scores-{name}-{workers}")
    command = [sys.executable, "-m", "tests.bench.rescore_worker", what, str(folder / "demo"), str(folder / name)]
    done = subprocess.run(
        [*command, out, str(workers)], stdout=subprocess.PIPE, text=True, env=os.environ | ONE, check=True
    )
    document: dict[str, float] = json.loads(done.stdout)
    return document
