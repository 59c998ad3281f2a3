"""Which fields are asked for, in markets whose buyers are drawn by lot: one answer says who buys, or none does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from threadpoolctl import threadpool_limits

from data.settings import load_settings
from tests.bench.line import Line
from tests.planted_fields import PLANTED, Telling
from tests.planted_paths import Lot, market
from training.fields import ASK, LATER, field_report
from training.work import Request

LEADS, SEEDS, PROCESSES = 5000, range(1, 21), 2


def lines(seeds: Sequence[int] = SEEDS) -> Iterator[Line]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(asked_for, seeds))
    n = len(found)
    yield Line(
        f"fields seeds of {n} with the telling field asked for", sum(PLANTED in f[0] for f in found), low=0.9 * n
    )
    yield Line(
        f"fields seeds of {n} with another field asked for", sum(bool(f[0] - {PLANTED}) for f in found), high=0.1 * n
    )
    yield Line(f"fields seeds of {n} with one asked for, none tells", sum(bool(f[1]) for f in found), high=0.1 * n)


def asked_for(seed: int) -> tuple[set[str], set[str]]:
    """The fields asked for in one market, drawn with a field that tells and without."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        made = market(Path(folder) / "market", LEADS, seed)
        return _asked(Telling(*made, seed, False)), _asked(Lot(*made, seed, False))


def _asked(dataset: Lot) -> set[str]:
    request = Request("m", "converted", None, 1, 0, lambda what, n: lambda k: None)
    report = field_report(dataset, load_settings(options={"home": "."}), request)
    return {r.field for r in report.rows if r.verdict in (ASK, LATER)}
