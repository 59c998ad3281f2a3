"""A retraining of the size that a busy team has: 100,000 leads with five million events, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from tests.bench.line import Line
from tests.bench.models import leadlift

LEADS, DAYS, SEED, EVENTS = 100_000, 1_350, 7, 5_000_000


def lines() -> Iterator[Line]:
    """Seconds of the wall clock on two cores, and the most memory that the process ever held."""
    with tempfile.TemporaryDirectory() as home:
        market = f"{home}/market"
        size = ("--leads", str(LEADS), "--days", str(DAYS), "--seed", str(SEED))
        counts = leadlift(home, "simulate", market, *size)["counts"]
        found, seconds, gigabytes = _trained(home, market)
        champion = next(c for c in found["candidates"] if c["name"] == found["champion"])
    yield Line("retrain, leads", counts["leads"], low=LEADS)
    yield Line("retrain, million events", counts["events"] / 1e6, low=EVENTS / 1e6)
    yield Line("retrain, snapshots learned from or judged", found["counts"]["snapshots"])
    yield Line("retrain, s", seconds, high=480)
    yield Line("retrain, most memory, GB", gigabytes, high=6)
    yield Line(f"retrain, log loss of {found['champion']}", champion["metrics"]["log_loss"]["value"])


def _trained(home: str, dataset: str) -> tuple[dict[str, Any], float, float]:
    """What `leadlift train` says, its seconds, and the peak of its resident memory in GB (10^9 bytes)."""
    command = [sys.executable, "-m", "serving.cli", "train", dataset, "--json"]
    own = {"LEADLIFT_HOME": f"{home}/home", "LEADLIFT_TRAINING__THREADS": "2"}
    with open(f"{home}/out.json", "w+") as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, env=os.environ | own)
        _, status, used = os.wait4(process.pid, 0)  # of this one process; getrusage would mix all children
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)
        out.seek(0)
        return json.load(out), seconds, used.ru_maxrss * 1024 / 1e9
