"""`leadlift rescore`: its speed and memory, what killing it does, what is held back before publishing and what is not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import rescore_gate, rescore_kills, rescore_speed
from tests.bench.demo_home import demo_home
from tests.bench.line import Line


def lines() -> Iterator[Line]:
    """All figures of rescoring."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo_home(folder)
        yield from rescore_speed.lines(folder)
        yield from rescore_kills.lines(folder)
    yield from rescore_gate.lines()
