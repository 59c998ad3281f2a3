"""The publish gate over simulated markets: broken feeds that it holds back, and nights on which nothing is wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.line import Line
from tests.nights import FAULTS, faulty, market_of, ordinary
from tests.planted import written

SEEDS = range(21, 41)  # the monitor's thresholds were chosen on markets of the seeds 1 to 3
NIGHTS = 30


def lines() -> Iterator[Line]:
    """20 markets with four faults each, begun on all days of the week; 30 nights of one market, with a promotion."""
    firsts = {name: [] for name in FAULTS}  # type: dict[str, list[int]]
    for seed in SEEDS:
        market, found = market_of(seed)
        for name, plant in FAULTS.items():
            with tempfile.TemporaryDirectory() as folder:
                firsts[name] += faulty(market, found, plant, Path(folder)).held
    for name, nights in firsts.items():
        yield Line(f"publish gate, {name} feed: markets of {len(SEEDS)} held back", len(nights), low=len(SEEDS))
        yield Line(f"publish gate, {name} feed: first night held back, mean", sum(nights) / max(len(nights), 1))
    market, found = market_of(SEEDS[0])
    with tempfile.TemporaryDirectory() as folder:
        quiet = ordinary(market, written(Path(folder) / "market", found), Path(folder) / "sets", NIGHTS)
    yield Line(f"publish gate: of {NIGHTS} ordinary nights, one with a promotion, held back", len(quiet.held), high=0)
