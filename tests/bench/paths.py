"""Order on the path, in markets where it counts and in markets where it does not; then what paths and contents claim."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from threadpoolctl import threadpool_limits

from data.dataset import DatasetInfo, open_dataset
from data.settings import load_settings
from data.simulate.market import Market
from data.simulate.write import write_market
from tests.bench import fields, gates, path_claims, paths_speed
from tests.bench.line import Line
from training.path_order import path_order
from training.run import moment_of
from training.snapshots import policy_of

LEADS, DAYS, SEEDS, PROCESSES = 20_000, 365, range(1, 41), 2
PLANTED = "case > pricing"


def lines() -> Iterator[Line]:
    """40 markets with the planted effect and 40 without, 20,000 leads over 365 days each; see also `path_claims`, `gates`,
    `fields` and `paths_speed`."""
    asked = [(seed, effect) for effect in (True, False) for seed in SEEDS]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(_claims, asked))
    planted, none = found[: len(SEEDS)], found[len(SEEDS) :]
    yield Line("paths seeds in which the planted order is found", sum(PLANTED in c for c in planted), 36)
    yield Line("paths seeds with a claim where none is planted", sum(bool(c) for c in none), high=5)
    yield Line(
        "paths other claims per seed with the planted order", sum(len(c - {PLANTED}) for c in planted) / len(SEEDS)
    )
    yield from path_claims.lines()
    yield from gates.lines()
    yield from fields.lines()
    yield from paths_speed.lines()


def _claims(market: tuple[int, bool]) -> set[str]:
    """The pairs claimed in one market to convert more in this order; one claimed to convert less has a `-` before it."""
    seed, effect = market
    # One core each: threads of the linear algebra that wait for each other would take most of both.
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        path = Path(folder) / "market"
        write_market(path, Market(LEADS, DAYS, seed, effect), DatasetInfo(name="market"))
        dataset = open_dataset(path)
        policy = policy_of(load_settings(options={"home": folder}).snapshots)
        report = path_order(dataset, policy, "converted", moment_of(dataset, None))
    return {("" if r.ratio > 1 else "-") + r.text for r in report.claimed}
