"""`leadlift rescore`: what is held back before publishing, and what is not."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench import rescore_gate
from tests.bench.line import Line


def lines() -> Iterator[Line]:
    """All figures of rescoring."""
    yield from rescore_gate.lines()
