"""What each engine's process does: load the columns, make the table twice, tell how long it took and how much room."""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.features_data import Arrays, Stored


def serve(
    words: Sequence[str], load: Callable[[Arrays, int], Any], table: Callable[[Any], NDArray[np.float64]]
) -> None:
    """FOLDER LEADS OUT: `table(load(columns, leads))` twice; prints seconds and bytes, keeps the table in OUT.

    `-` for OUT keeps nothing.
    """
    folder, leads, out = words
    stored = Stored(Path(folder), int(leads))
    native = load(stored.load(), stored.leads)
    _forget_peak()
    before = _memory("VmRSS")
    seconds = []
    for call in range(2):
        start = time.perf_counter()
        values = table(native)
        seconds.append(time.perf_counter() - start)
        if call == 0:
            own, others = _memory("VmHWM") - before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
            peak = own + max(others - before, 0)
    if out != "-":
        np.save(out, np.ascontiguousarray(values))
    print(json.dumps({"first": seconds[0], "second": seconds[1], "peak": peak}))


def best(call: Callable[[], object], seconds: float = 2.0) -> float:
    """The fastest of as many calls as fit, in seconds."""
    fastest, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        start = time.perf_counter()
        call()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def _forget_peak() -> None:
    """Let the kernel count the largest resident size anew (proc(5), clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _memory(name: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024
