"""The simulated market against its plan: base rate, AUC of the truth, and what points and champion reach of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset, DatasetInfo, open_dataset
from data.settings import load_settings
from data.simulate.market import Market
from data.simulate.truth import truth
from data.simulate.write import write_market
from features.build import FeatureTable
from tests.bench.line import Line
from training.bundle import Prediction
from training.evaluate import Judged, measures
from training.judging import POINTS
from training.run import prepared, train
from training.work import Request, Work

LEADS, SNAPSHOTS = 20_000, 3000
CONTINUATIONS = 4000  # the error of the truth itself must be small beside an interval
F64 = NDArray[np.float64]


def lines(seed: int = 7) -> Iterator[Line]:
    """20,000 leads over 365 days, seed 7; the truth at 3,000 judging snapshots, 4,000 continuations each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market"
        write_market(path, Market(LEADS, 365, seed), DatasetInfo(name="market"))
        dataset, settings = open_dataset(path), load_settings(options={"home": folder})
        quiet = Request("market", "converted", None, 3, 0, lambda what, total: lambda by: None)
        training = train(dataset, settings, quiet)
        work, found = prepared(dataset, settings, quiet), training.judgement
        rows, true = _truth(dataset, work, found.rows)
        frame = found.rows[rows]
        table = FeatureTable(work.table.feature_set.columns, np.ascontiguousarray(work.table.values[frame]))
        served = training.bundle.predict(table, work.table.points[frame])
    label = work.frame.label
    yield Line("market snapshots with truth", len(true), low=SNAPSHOTS)
    yield Line("market base rate", float(np.nanmean(label)), 0.03, 0.08)
    scores = Judged(true, np.clip(true, 1e-4, 1 - 1e-4))
    yield Line(
        "market AUC of the truth", measures(scores, label[found.rows][rows], np.ones(len(rows)))["auc"], 0.78, 0.88
    )
    for name in (POINTS, found.champion):
        low = 0.80 if name == found.champion else None
        skill = _skill(found.said[name].probability[rows], true)
        yield Line(f"market skill of {name}, share of the truth's", skill, low)
    yield from _intervals(served, true)


def _intervals(served: Prediction, true: F64) -> Iterator[Line]:
    """How often the 90 % interval holds the truth, overall and in each tenth of the predictions."""
    inside = ((served.low <= true) & (true <= served.high)).astype(np.float64)
    tenths = np.array_split(np.argsort(served.probability, kind="stable"), 10)
    yield Line("market intervals that hold the truth", float(inside.mean()), 0.87)
    yield Line("market intervals that hold it, worst tenth", min(float(inside[t].mean()) for t in tenths), 0.80)
    yield Line("market mean width of the intervals", float((served.high - served.low).mean()))


def _truth(dataset: Dataset, work: Work, judging: NDArray[np.int64]) -> tuple[NDArray[np.int64], F64]:
    """Positions among the judging rows, and the truth there."""
    ids = [i for people in dataset.people() for i in people.lead_ids]
    rows = np.sort(np.random.default_rng(0).choice(len(judging), SNAPSHOTS, replace=False))
    frame = judging[rows]
    who = [ids[lead] for lead in work.frame.lead[frame].tolist()]
    return rows, truth(dataset.path, who, work.frame.as_of[frame], CONTINUATIONS, 0)


def _skill(probability: F64, true: F64) -> float:
    """Log loss saved over the base rate, as a share of what the truth saves; expected over the truth's outcomes."""

    def loss(p: F64) -> float:
        p = np.clip(p, 1e-4, 1 - 1e-4)
        return float(-(true * np.log(p) + (1 - true) * np.log(1 - p)).mean())

    base = loss(np.full(len(true), true.mean()))
    return (base - loss(probability)) / (base - loss(true))
