"""Quality on the public data sets: default settings, the declared test part scored once per candidate.

Beside it what training and the served bundle take: seconds of the wall clock on two cores, milliseconds of one core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.settings import load_settings
from tests.bench.line import Line
from tests.bench.served import milliseconds

MAPPINGS = Path("data/mappings")
Limits = dict[str, tuple[float | None, float | None]]  # metric -> at least, at most
CASES: tuple[tuple[str, str, Limits], ...] = (
    ("x_education", "x_education_leads", {"log_loss": (None, 0.421), "auc": (0.870, None)}),
    ("online_shoppers", "uci_online_shoppers", {"log_loss": (None, 0.228)}),
    ("online_shoppers_no_pagevalues", "uci_online_shoppers", {"log_loss": (None, 0.36)}),
)
TWICE = "x_education"  # which one is trained twice


def lines() -> Iterator[Line]:
    """The champion against its limits, and the points and all candidates beside it."""
    data = load_settings().data.public_dir
    for mapping, folder, limits in CASES:
        if not (data / folder).is_dir():
            print(f"{mapping}: left out, {data / folder} is not there", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as home:
            dataset = f"{home}/dataset"
            mapped = ("--mapping", str(MAPPINGS / f"{mapping}.toml"), "--to", dataset)
            leadlift(home, "import", str(data / folder), *mapped)
            found, seconds = trained(home, dataset)
            yield from _quality(mapping, found, limits)
            yield Line(f"{mapping} training, s", seconds, high=90)
            spent = milliseconds(Path(found["bundle"]["path"]), Path(dataset))
            yield Line(f"{mapping} one row with encoding, ms", spent["row"], high=0.5)
            yield Line(f"{mapping} explain, ms a row", spent["explain"], high=0.8)
            yield Line(f"{mapping} one reply with points and reasons, ms", spent["reply"])
            if mapping == TWICE:
                again = trained(f"{home}/again", dataset)[0]
                same = found["bundle"]["sha256"] == again["bundle"]["sha256"]
                yield Line(f"{mapping} two trainings, one seed: the same bundle", float(same), low=1)


def _quality(mapping: str, found: dict[str, Any], limits: Limits) -> Iterator[Line]:
    for candidate in found["candidates"]:
        champion = candidate["name"] == found["champion"]
        own = limits | {"ece": (None, found["gate"]["ece_limit"])} if champion else {}
        for metric in ("log_loss", "auc", "ece"):
            name = f"{mapping} {candidate['name']}{' (champion)' if champion else ''} {metric}"
            yield Line(name, candidate["metrics"][metric]["value"], *own.get(metric, (None, None)))


def trained(home: str, dataset: str) -> tuple[dict[str, Any], float]:
    """Train from the command line, in a home of its own; what it says, and seconds of the wall clock."""
    start = time.perf_counter()
    found = leadlift(home, "train", dataset)
    return found, time.perf_counter() - start


def leadlift(home: str, *words: str) -> dict[str, Any]:
    """One command; its JSON object."""
    command = [sys.executable, "-m", "serving.cli", *words, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"LEADLIFT_HOME": f"{home}/home"}
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document
