"""`make bench ONLY=rescore_large`: five million leads with a hundred million events, rescored by two workers. It takes an
hour and 30 GB of disk, so that it is no part of what `make bench` runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.demo_home import demo_home
from tests.bench.line import Line
from tests.bench.rescore_data import many
from tests.bench.rescore_speed import measured

LEADS, EVENTS = 5_000_000, 100_000_000


def lines() -> Iterator[Line]:
    """Minutes, and the most memory that one of the processes ever held."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo_home(folder)
        lake = many(folder / "market", folder / "lake", LEADS, EVENTS)
        yield Line("rescore, large: million events", lake.info.counts["events"] / 1e6, low=EVENTS / 1e6)
        found = measured("whole", folder, "lake", 2)
        yield Line("rescore, large: million leads", found["leads"] / 1e6, low=LEADS / 1e6)
        yield Line("rescore, large: minutes", found["s"] / 60, high=60)
        yield Line("rescore, large: most memory of a process, GB", max(found["gb"], found["worker_gb"]), high=2)
