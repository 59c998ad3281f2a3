"""The home of `make demo`: a simulated market, trained and promoted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def demo_home(folder: Path) -> Path:
    """Make it below `folder`; takes minutes."""
    market, home = folder / "market", folder / "demo"
    for words in (
        ["simulate", str(market), "--leads", "10000", "--days", "365", "--seed", "7"],
        ["train", str(market), "--trials", "3", "--promote"],
    ):
        command = [sys.executable, "-m", "serving.cli", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"LEADLIFT_HOME": str(home)})
    return home
