"""How long `leadlift paths` takes on a million leads, and how much memory; each measurement is a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.line import Line
from tests.bench.rescore_data import many

LEADS, EVENTS = 1_000_000, 20_000_000
ONE = {"OMP_NUM_THREADS": "1", "LEADLIFT_TRAINING__THREADS": "1"}


def lines(leads: int = LEADS, events: int = EVENTS) -> Iterator[Line]:
    """Of a home without a champion; with one it is asked about 50,000 of them. Reading alone is the same files, arranged and
    read as they are for the analysis, in the same run: the ratio says what the analysis adds, on a busy machine too."""
    with tempfile.TemporaryDirectory() as name:
        folder, market = Path(name), Path(name) / "market"
        own = os.environ | {"LEADLIFT_HOME": str(folder / "home")}
        words = ["simulate", str(market), "--leads", "10000", "--days", "365", "--seed", "7"]
        subprocess.run(
            [sys.executable, "-m", "serving.cli", *words], check=True, stdout=subprocess.DEVNULL, env=own | ONE
        )
        many(market, folder / "lake", leads, events)
        whole = measured([sys.executable, "-m", "serving.cli", "paths", str(folder / "lake"), "--json"], own | ONE)
        read = measured([sys.executable, "-m", "tests.bench.paths_read", str(folder / "lake")], own | ONE)
        two = measured([sys.executable, "-m", "serving.cli", "paths", str(folder / "lake"), "--json"], own)
    everybody = whole.said["people"] + sum(whole.said[n] for n in ("not_reached", "closed_before", "censored"))
    yield Line("paths, leads", everybody, low=leads)
    yield Line("paths, processor's time of reading alone", whole.cpu / read.cpu, high=2.2)
    yield Line("paths, processor's s", whole.cpu, high=60)
    yield Line("paths, s, one thread", whole.seconds)
    yield Line("paths, s", two.seconds, high=60)
    yield Line("paths, most memory, GB", max(whole.memory, two.memory), high=4)


@dataclass(frozen=True)
class Measured:
    """What a process printed as JSON; its seconds of the processor and of the wall clock, and the most memory it held, GB."""

    said: dict[str, Any]
    cpu: float
    seconds: float
    memory: float


def measured(command: Sequence[str], environment: dict[str, str]) -> Measured:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)  # of this one process; getrusage would mix all children
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return Measured(json.loads(said), used.ru_utime + used.ru_stime, seconds, used.ru_maxrss * 1024 / 1e9)
