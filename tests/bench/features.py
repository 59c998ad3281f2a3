"""Speed of features beside Polars and DuckDB, every engine in a fresh process of its own, ratios within one run.

Large: 10 million events of 500,000 leads, sorted by lead and time, as columns that lie in memory in each engine's own
form; out comes the table of the 50 columns of `features_columns`, (500,000, 50) float64, equal on all sides (counts
exactly, sums and times to 1e-9). Cutting at `as_of` and finding sessions and gaps is part of the work everywhere; for
all features so are a profile of each lead and its past. Imports, loading and, for all features, fitting are not. Every
engine may use both cores.

    first call    ours, in a process that made no table yet, against the better of Polars' and DuckDB's first calls
    second call   ours, the same work again in the same process, nothing kept from the first, against the better of
                  their second calls
    all features  our second call for every column of the catalogue, against the better of their second calls for 50
    peak memory   growth of the resident size over the loaded inputs in our first call, against the bytes of the inputs
    growth        our second call for 10 million events against that for 1 million of 50,000 leads

Each engine runs ROUNDS times, taking turns, and its best times count. One lead: 20 events of one lead, in each
engine's own form; the fastest of many calls in a warm process. There is no account and no outcome in this data, so
families over them have nothing to count.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.bench import imports
from tests.bench.features_data import Stored
from tests.bench.line import Line

LEADS, EVENTS, ROUNDS = 500_000, 10_000_000, 2
ENGINES = ("polars", "duckdb")
Run = dict[str, float]


def lines() -> Iterator[Line]:
    """The large table, one lead, growth, imports."""
    with tempfile.TemporaryDirectory() as home:
        large = Stored.of(Path(home) / "large", LEADS, EVENTS)
        small = Stored.of(Path(home) / "small", LEADS // 10, EVENTS // 10)
        yield from _large(large, small)
        yield from _one_lead(small)
    yield from imports.lines()


def _large(large: Stored, small: Stored) -> Iterator[Line]:
    home = large.folder.parent
    rounds = [
        {
            "ours": _run("ours", large, home / "ours.npy", "50"),
            **{engine: _run(engine, large, home / f"{engine}.npy") for engine in ENGINES},
            "all": _run("ours", large, None, "all"),
            "small": _run("ours", small, None, "50"),
        }
        for _ in range(ROUNDS)
    ]
    found = {who: {what: min(r[who][what] for r in rounds) for what in rounds[0][who]} for who in rounds[0]}
    for engine in ENGINES:
        yield Line(f"features equal to {engine}, columns of 50", _equal(home / "ours.npy", home / f"{engine}.npy"), 50)
    for who in ("ours", *ENGINES, "all"):
        name = "ours, all features" if who == "all" else who
        yield Line(f"features of 10 million events, {name}, s, first call", found[who]["first"])
        yield Line(f"features of 10 million events, {name}, s, second call", found[who]["second"])
    best = {call: min(found[engine][call] for engine in ENGINES) for call in ("first", "second")}
    yield Line("features, first call, of the better engine's", found["ours"]["first"] / best["first"], high=0.45)
    yield Line("features, second call, of the better engine's", found["ours"]["second"] / best["second"], high=0.25)
    yield Line("all features, of the better engine's for 50", found["all"]["second"] / best["second"], high=1.0)
    yield Line("features, peak memory of the inputs' bytes", found["ours"]["peak"] / large.bytes(), high=2.5)
    yield Line("features, time for 10 times the events", found["ours"]["second"] / found["small"]["second"], high=11)


def _one_lead(stored: Stored) -> Iterator[Line]:
    ours = _run("one", stored, None, "ours")
    others = {engine: _run("one", stored, None, engine)["seconds"] for engine in ENGINES}
    for name, seconds in {"ours": ours["seconds"], "ours, all features": ours["all"], **others}.items():
        yield Line(f"features of one lead with 20 events, {name}, ms", seconds * 1e3)
    yield Line("one lead, all features, of the time for 50", ours["all"] / ours["seconds"], high=2)
    yield Line("one lead, faster engine's time over ours", min(others.values()) / ours["seconds"], low=10)


def _run(module: str, stored: Stored, out: Path | None, *words: str) -> Run:
    """One engine in a process of its own; what it prints."""
    command = [sys.executable, "-m", f"tests.bench.features_{module}", *words, str(stored.folder), str(stored.leads)]
    done = subprocess.run([*command, str(out or "-")], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stderr}")
    document: Run = json.loads(done.stdout)
    return document


def _equal(ours: Path, theirs: Path) -> int:
    """Columns of which every value is equal; NaN is their NULL."""
    a, b = np.load(ours), np.load(theirs)
    return int(np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True).all(axis=0).sum())
