"""A promoted bundle tried in a process of its own: a damaged model text can kill or hang whoever reads it.

python -P -m serving.canary FOLDER SHA256          0: sound · 1: refused, why is on standard error
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from data.errors import BundleError
from serving.champion import scorer_of
from serving.desk import Desk
from training.bundle import Bundle, read_bundle, read_texts
from training.registry import current

SECONDS = 20.0  # a sound bundle takes about one
_CHECKOUT = str(Path(__file__).resolve().parents[1])


def tried_bundle(home: Path, market: str, target: str) -> Bundle | None:
    """The serving bundle, once another process has read it and answered its canary rows and a request; None where none
    is promoted.

    Raises
    ------
    BundleError
        for another content than was promoted, other answers than in training, or a process that died or hung.
    """
    release = current(home, market, target)
    if release is None:
        return None
    read_texts(release.path, release.sha256)  # costs little, and most damage ends here
    _try(release.path, release.sha256)
    return read_bundle(release.path, release.sha256)


def _try(folder: Path, sha256: str) -> None:
    command = [sys.executable, "-P", "-m", "serving.canary", str(folder), sha256]
    path = os.pathsep.join(filter(None, [_CHECKOUT, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise _refused(folder, f"none in {SECONDS:.0f} s") from None
    if done.returncode < 0:
        raise _refused(folder, f"a process killed by {signal.Signals(-done.returncode).name}")
    if done.returncode > 0:
        raise _refused(folder, done.stderr.decode(errors="replace").strip().rpartition("\n")[2])


def _refused(folder: Path, got: str) -> BundleError:
    return BundleError.of(
        where=f"bundle {folder.name}", expected="answers to the canary rows, as in training", got=got,
        remedy="It is not loaded; promote another version or train again.",
    )  # fmt: skip


if __name__ == "__main__":
    try:
        Desk(scorer_of(read_bundle(Path(sys.argv[1]), sys.argv[2]))).warmed()
    except BundleError as broken:
        sys.exit(str(broken))
