"""What a form costs, in markets whose truth is drawn by lot: with a form that turns away and an open page that leads to
wins, and with neither."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data.dataset import Dataset
from data.settings import load_settings
from tests.bench.line import Line
from tests.planted_gates import GATE, OPEN, GateLot
from tests.planted_paths import market
from training.calibration import Z90
from training.gate_rows import LEADS_ON, TURNS_AWAY
from training.gates import GateReport, content_gates
from training.snapshots import policy_of

LEADS, SEEDS, PROCESSES = 16_000, range(1, 41), 2
DRAWS = 5  # without a plant, of each market's buyers
TOPICS = tuple(name.partition(":")[2] for name in (GATE, OPEN))


@dataclass(frozen=True)
class Named:
    """Of one market. gate, page: are they named for what they do; others: claims about other topics; false_share: of
    the draws with nothing planted, those with a claim."""

    gate: bool
    page: bool
    others: int
    false_share: float


def lines(seeds: Sequence[int] = SEEDS) -> Iterator[Line]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(named, seeds))
    n = len(found)
    yield Line(f"gates seeds of {n} with both named", sum(f.gate and f.page for f in found), low=0.9 * n)
    yield Line(f"gates seeds of {n} with the form named", sum(f.gate for f in found))
    yield Line(f"gates seeds of {n} with the open page named", sum(f.page for f in found))
    yield Line("gates claims per seed about topics without a plant", sum(f.others for f in found) / n)
    share = np.array([f.false_share for f in found])
    bound = share.mean() + Z90 * share.std(ddof=1) / np.sqrt(n)
    yield Line("gates 95 % bound of false claims, none planted", float(bound), high=0.10)


def named(seed: int) -> Named:
    """One market, drawn with the plants and without."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        made = market(Path(folder) / "market", LEADS, seed)
        claims = claimed(asked(made, seed, planted=True))
        others = [name for name, _ in claims if name.partition(":")[2] not in TOPICS]
        false = [bool(asked(made, seed * 100 + i, planted=False).claimed) for i in range(DRAWS)]
        return Named((GATE, TURNS_AWAY) in claims, (OPEN, LEADS_ON) in claims, len(others), float(np.mean(false)))


def asked(made: tuple[Dataset, int], seed: int, planted: bool) -> GateReport:
    policy = policy_of(load_settings(options={"home": "."}).snapshots)
    return content_gates(GateLot(*made, seed, planted), policy, "won", made[1])


def claimed(report: GateReport) -> set[tuple[str, str]]:
    """Name and verdict of what is claimed."""
    gates = {(r.gate, r.compared.verdict) for r in report.gates if r in report.claimed}
    return gates | {(r.content, r.compared.verdict) for r in report.opens if r in report.claimed}
