"""How long a rescoring takes, and how much memory: half a million leads with ten million events, and four times that.

Each measurement is a process of its own; ratios are of one run, one after the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.bench.line import Line
from tests.bench.rescore_data import many
from tests.postgres import running

LEADS, EVENTS = 500_000, 10_000_000
SAID = {"found": "leads of all events", "features": "features", "predict": "probabilities"}
WRITTEN = 50_000  # leads on their way into PostgreSQL
ONE = {"OMP_NUM_THREADS": "1", "LEADLIFT_TRAINING__THREADS": "1"}


def lines(folder: Path, leads: int = LEADS, events: int = EVENTS) -> Iterator[Line]:
    """folder: holds `market` and `demo`, as tests.bench.demo_home makes them."""
    for name, times in (("lake", 1), ("large", 4)):
        many(folder / "market", folder / name, times * leads, times * events)
    yield Line("rescore, million events", events / 1e6)
    whole, memory = measured("whole", folder, "lake")
    least, _ = measured("needed", folder, "lake")
    yield Line("rescore, leads", whole["leads"], low=leads)
    for name, seconds in least.items():
        yield Line(f"rescore, what must be, CPU s: {SAID[name]}", seconds)
    yield Line("rescore, whole job, CPU s", whole["cpu"])
    yield Line("rescore, processor's time of what must be", whole["cpu"] / sum(least.values()), high=1.8)
    told = least["features"] + least["predict"]
    yield Line("rescore, the same without finding leads of events", whole["cpu"] / told)
    yield Line("rescore, s", whole["s"], high=90)
    yield Line("rescore, most memory, GB", memory, high=1.5)
    two, _ = measured("whole", folder, "lake", 2)
    yield Line("rescore, two workers, times one", whole["s"] / two["s"], low=1.6)
    if find_spec("pyspark") and shutil.which("java"):
        spark, _ = measured("spark", folder, "lake", 2, str(folder / "scores-spark"))
        yield Line("rescore, Spark local[2], times the speed of two workers", two["s"] / spark["s"], low=0.6)
    _, larger = measured("whole", folder, "large")
    yield Line("rescore, memory with four times the events, times one", larger / memory, high=1.1)
    yield from _postgres(folder, min(leads, WRITTEN))


def _postgres(folder: Path, leads: int) -> Iterator[Line]:
    many(folder / "market", folder / "small", leads, 20 * leads)
    (folder / "server").mkdir()
    with running(folder / "server") as fresh:
        found, _ = measured("postgres", folder, "small", out=fresh("bench"))
    yield Line("rescore, leads a second into PostgreSQL", found["leads"] / found["s"], low=20_000)


def measured(
    what: str, folder: Path, name: str, workers: int = 1, out: str | None = None
) -> tuple[dict[str, float], float]:
    """What tests.bench.rescore_worker says, and the most memory its process ever held, in GB (10^9 bytes)."""
    out = out or str(folder / f"scores-{name}-{workers}")
    command = [sys.executable, "-m", "tests.bench.rescore_worker", what, str(folder / "demo"), str(folder / name)]
    process = subprocess.Popen([*command, out, str(workers)], stdout=subprocess.PIPE, text=True, env=os.environ | ONE)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # of this one process; getrusage would mix all children
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    document: dict[str, float] = json.loads(said)
    return document, used.ru_maxrss * 1024 / 1e9
