"""How fast exports of trackers are imported, and in how much memory: the command itself, a fresh process each time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import tracker_files
from tests.bench.line import Line

EVENTS, FILES = 1_000_000, 8
A_SECOND = 30_000
# Flat but for 16 bytes an event that tell duplicates, some 60 more while they are told apart, and a part of the events
# (one in 64) that is completed at a time: about 60 MB for the 750,000 further events, on some 300 MB. An import that
# kept its events would need several hundred more.
GROWTH = 1.35
KINDS = {"Snowplow CSV": ("snowplow", tracker_files.snowplow), "GA4 JSON lines": ("ga4", tracker_files.ga4)}
# A small process between us and the command, for a child starts with the peak of the process it is forked from.
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def lines() -> Iterator[Line]:
    """A million events of each tracker in eight daily files, after the first quarter of them."""
    for name, (kind, events) in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            files = _made(Path(folder), kind, tracker_files.twice(events()))
            _, before = _imported(Path(folder), kind, files[: FILES // 4])
            seconds, peak = _imported(Path(folder), kind, files)
        yield Line(f"{name}: events a CPU-second, of {EVENTS:,}", EVENTS / seconds, low=A_SECOND)
        yield Line(f"{name}: peak memory, MB", peak)
        yield Line(f"{name}: peak over that of {EVENTS // 4:,}", peak / before, high=GROWTH)


def _made(folder: Path, kind: str, rows: Iterator[str]) -> list[Path]:
    suffix = {"snowplow": "csv", "ga4": "jsonl"}[kind]
    files = [folder / f"events_{20260301 + day}.{suffix}" for day in range(FILES)]
    for file in files:
        tracker_files.write(file, rows, EVENTS // FILES)
    return files


def _imported(folder: Path, kind: str, files: list[Path]) -> tuple[float, float]:
    """CPU seconds, user and system, and peak megabytes of one import, start-up included.

    Python's compiled modules are kept in the folder, as those of an installed package are: the first import makes them.
    """
    kept = {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-m", "serving.cli", "import", *map(str, files), "--format", kind]
    told = subprocess.run(
        [sys.executable, "-c", WATCH, *command, "--to", str(folder / f"{len(files)}-files")],
        check=True, stdout=subprocess.PIPE, text=True, env=os.environ | kept,
    )  # fmt: skip
    seconds, peak = map(float, told.stdout.split())
    return seconds, peak
