"""What paths and contents claim, in markets whose truth is drawn by lot: with one planted path, and with none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from data.settings import load_settings
from tests.bench.line import Line
from tests.planted_paths import PLANTED, POPULAR, Lot, lot, market
from training.calibration import Z90
from training.content_effect import effect_rows
from training.content_paths import PathRow, path_rows
from training.landmarks import Landmark
from training.snapshots import policy_of
from training.trails import Asked, Trails, trails_of

LEADS, SEEDS, PROCESSES = 6000, range(1, 51), 2
LANDMARKS = ("visit", "7", "30", "90", "step:3")


@dataclass(frozen=True)
class Claims:
    """Of one market. top: is the planted path first; flagged: is the popular page claimed; false_paths, false_contents:
    1 where something is claimed though nothing is planted; covers: of each landmark, lift intervals and how many hold 1."""

    top: bool
    flagged: bool
    false_paths: float
    false_contents: float
    covers: tuple[tuple[int, int], ...]


def lines(seeds: Sequence[int] = SEEDS) -> Iterator[Line]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(claims, seeds))
    n = len(found)
    yield Line(f"paths seeds of {n} with the planted path at the top", sum(c.top for c in found), low=0.9 * n)
    yield Line(f"paths seeds of {n} that claim a popular page", sum(c.flagged for c in found), high=0.1 * n)
    for name in ("paths", "contents"):
        share = np.array([getattr(c, f"false_{name}") for c in found])
        bound = share.mean() + Z90 * share.std(ddof=1) / np.sqrt(n)
        yield Line(f"paths 95 % bound of false claims, {name}, none planted", float(bound), high=0.10)
    for i, landmark in enumerate(LANDMARKS):
        rows, hold = np.sum([c.covers[i] for c in found], axis=0).tolist()
        yield Line(f"paths lift intervals that hold 1, none planted, {landmark}", hold / rows, low=0.94)


def claims(seed: int) -> Claims:
    """One market, drawn with a planted path and without."""
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        made = market(Path(folder) / "market", LEADS, seed)
        planted, none = (lot(made, seed, plant) for plant in (True, False))
        trails = walked(planted, "7")
        first, effects = path_rows(trails, 2)[0], effect_rows(trails)
        flagged = any(r.claimed and r.content == POPULAR for r in effects)
        at = {name: walked(none, name) for name in LANDMARKS}
        rows = {name: path_rows(t) for name, t in at.items()}
        return Claims(
            first.path == PLANTED, flagged, float(any(r.claimed for r in rows["7"])),
            float(any(r.claimed for r in effect_rows(at["7"]))), tuple(held(r) for r in rows.values()),
        )  # fmt: skip


def walked(dataset: Lot, landmark: str) -> Trails:
    policy = policy_of(load_settings(options={"home": "."}).snapshots)
    return trails_of(dataset, Asked("won", policy, dataset.end, Landmark.parse(landmark), "type"))


def held(rows: Sequence[PathRow]) -> tuple[int, int]:
    """How many lift intervals there are and how many hold 1."""
    return len(rows), sum(r.lift_low <= 1 <= r.lift_high for r in rows)
