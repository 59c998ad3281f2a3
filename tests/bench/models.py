"""Quality on the public data sets: default settings, the declared test part scored once per candidate."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data.settings import load_settings
from tests.bench.line import Line

MAPPINGS = Path("data/mappings")
CASES = (
    ("x_education", "x_education_leads", {"log_loss": (None, 0.432), "auc": (0.870, None)}),
    ("online_shoppers", "uci_online_shoppers", {"log_loss": (None, 0.235)}),
    ("online_shoppers_no_pagevalues", "uci_online_shoppers", {"log_loss": (None, 0.367)}),
)


def lines() -> Iterator[Line]:
    """The champion against its limits, and the points and all candidates beside it."""
    data = load_settings().data.public_dir
    for mapping, folder, limits in CASES:
        if not (data / folder).is_dir():
            print(f"{mapping}: left out, {data / folder} is not there", file=sys.stderr)
            continue
        found = trained(data / folder, mapping)
        by_name = {c["name"]: {m: i["value"] for m, i in c["metrics"].items()} for c in found["candidates"]}
        for name, metrics in by_name.items():
            champion = name == found["champion"]
            for metric in ("log_loss", "auc", "ece"):
                low, high = limits.get(metric, (None, None)) if champion else (None, None)
                yield Line(f"{mapping} {name}{' (champion)' if champion else ''} {metric}", metrics[metric], low, high)


def trained(data: Path, mapping: str) -> dict[str, Any]:
    """Import and train from the command line, in a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = ("import", str(data), "--mapping", str(MAPPINGS / f"{mapping}.toml"), "--to", f"{folder}/dataset")
        leadlift(folder, *run)
        return leadlift(folder, "train", f"{folder}/dataset")


def leadlift(home: str, *words: str) -> dict[str, Any]:
    """One command; its JSON object."""
    import os

    command = [sys.executable, "-m", "serving.cli", *words, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"LEADLIFT_HOME": f"{home}/home"}
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document
