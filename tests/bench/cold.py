"""Cold start: with few conversions a model must not say less than the points it leans on.

MARKETS simulated markets, each of its own seed. In each of them some leads teach: as many as give 0, 20, 100 or 1,000
converted leads among the training rows. Others, LEADS of them and the same for every number, judge. The difference is
the log loss of what the product would answer (the champion leaning on the points, or the points where training is
refused) minus that of the points, calibrated on the same training rows; below 0 the model is better.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset, DatasetInfo, open_dataset
from data.settings import Settings, load_settings
from data.simulate.market import Market
from data.simulate.write import write_market
from tests.bench.line import Line
from training import assemble
from training.assemble import Frame, Question
from training.history import shortfall
from training.judging import POINTS, judged
from training.rules import Rules
from training.run import question_of
from training.splits import ENOUGH_CONVERSIONS, Split, Turn, split_of
from training.work import Request, Work

MARKETS, LEADS, POOL, DAYS = 50, 2_500, 15_000, 450
NUMBERS = (0, 20, 100, 1_000)
TRIALS = {1_000: 1}  # fewer than by default, which is no better: a search is long where conversions are many
MOST_ROWS = 9_000  # of the training rows: [snapshots] max_snapshots of these trainings
T95 = 1.677  # one-sided 95 % quantile of Student's t, 49 degrees of freedom
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """One training: the conversions it learned from, whether it was refused, the log loss of the points on the judging
    rows (NaN where they have no probability), and how much larger that of the answer is."""

    conversions: int
    refused: bool
    points: float
    difference: float


def lines() -> Iterator[Line]:
    """Per number of conversions: the upper 95 % bound of the mean difference, and what it is made of."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(market, range(MARKETS)))
    for i, n in enumerate(NUMBERS):
        yield from _lines_of(n, [one[i] for one in found])


def _lines_of(n: int, found: list[Outcome]) -> Iterator[Line]:
    name = f"cold start, {n} conversions"
    difference = np.array([o.difference for o in found])
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    refused = sum(o.refused for o in found)
    if refused == len(found):
        name += ", all refused: points answer, 0 by construction"
    yield Line(f"{name}, upper bound", float(difference.mean()) + T95 * error, high=0.002)
    yield Line(f"cold start, {n} conversions, mean difference to the points", float(difference.mean()))
    yield Line(f"cold start, {n} conversions, standard error", error)
    yield Line(f"cold start, {n} conversions, worst market", float(difference.max()))
    yield Line(f"cold start, {n} conversions, log loss of the points", float(np.mean([o.points for o in found])))
    yield Line(f"cold start, {n} conversions, fewest learned from", min(o.conversions for o in found), low=n)
    yield Line(f"cold start, {n} conversions, trainings refused of {len(found)}", refused)


def market(seed: int) -> list[Outcome]:
    """One market, simulated once and asked with every number of conversions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market"
        write_market(path, Market(POOL, DAYS, 1_000 + seed), DatasetInfo(name="market"))
        options = {"home": folder, "training.threads": 1, "training.bootstrap": 1}
        dataset, settings = open_dataset(path), load_settings(options=options)
        request = Request("market", "converted", None, settings.training.trials, 0, lambda what, total: lambda by: None)
        question = question_of(dataset, settings, request)
        whole = assemble.frame_of(dataset, question)
        found = []
        for n in NUMBERS:
            frame, turn = _part(whole, *_rows(whole, n, question.policy.horizon, seed))
            found.append(_asked(dataset, settings, request, question, frame, turn))
        return found


def _asked(
    dataset: Dataset, settings: Settings, request: Request, question: Question, frame: Frame, turn: Turn
) -> Outcome:
    """What a training on the turn's rows would have the product answer on the rows that judge."""
    kind = "time" if frame.conversions(turn.train) >= ENOUGH_CONVERSIONS else "folds"
    split = Split(kind, (turn,), turn.train, None)
    if shortfall(frame, split) is not None:
        return Outcome(frame.conversions(turn.train), True, np.nan, 0.0)
    rules = Rules.from_yaml(dataset.rules_text() or "")
    features, crossed, clusters = assemble.fit_on(dataset, frame, turn.train, dataset.content_text(), kind == "time")
    table = assemble.table_of(dataset, frame, (features, crossed), rules, None, lambda rows: None)
    asked = replace(request, trials=TRIALS.get(frame.conversions(turn.train), request.trials))
    work = Work(dataset, settings, asked, question, rules, frame, split, table, clusters, None, None)
    found = judged(work, lambda: None)
    points, model = (found.metrics[name]["log_loss"].value for name in (POINTS, found.champion))
    return Outcome(frame.conversions(turn.train), False, points, model - points)


def _rows(frame: Frame, n: int, horizon: int, seed: int) -> tuple[I64, I64]:
    """Training rows with exactly n converted leads, of as few leads as that takes, and the judging rows.

    As in a training: below 500 conversions all matured rows teach, else those whose answers were final by the cut.
    """
    place = np.random.default_rng(seed).permutation(int(frame.lead.max()) + 1)[frame.lead]
    matured = ~np.isnan(frame.label)
    cut = split_of(frame.as_of, frame.label, frame.hashes, horizon, 0.5, ENOUGH_CONVERSIONS).cut
    assert cut is not None
    judge = np.flatnonzero(matured & (place < LEADS) & (frame.as_of >= cut))
    teach = matured & (place >= LEADS)
    if n >= ENOUGH_CONVERSIONS:
        teach &= frame.as_of + horizon <= cut
    won = np.unique(place[teach & (frame.label == 1)])
    end = won[min(n, len(won) - 1)]  # the first converted lead that is one too many
    return np.flatnonzero(teach & (place < end)), judge


def _part(frame: Frame, train: I64, judge: I64) -> tuple[Frame, Turn]:
    """The frame of these rows alone; of more than MOST_ROWS that teach all positives and a sample of the others."""
    positive = frame.label[train] == 1
    rate = min(1.0, (MOST_ROWS - positive.sum()) / max((~positive).sum(), 1))
    kept = positive | (np.random.default_rng(0).random(len(train)) < rate)
    weight = np.where(positive, 1.0, 1.0 / rate)[kept]
    rows = np.sort(np.concatenate([train[kept], judge]))
    teaches = np.searchsorted(rows, train[kept])
    weights = np.ones(len(rows))
    weights[teaches] = weight
    columns = ("lead", "as_of", "label", "cancelled", "hashes", "source_row", "first_look")
    part = replace(frame, weight=weights, **{name: getattr(frame, name)[rows] for name in columns})
    return part, Turn(teaches, np.searchsorted(rows, judge))
