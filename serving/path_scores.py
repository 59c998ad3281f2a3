"""What is said of people on a path: probability and points, from a published rescoring or the champion at the landmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from data.dataset import Dataset, People
from data.errors import InputError
from data.settings import Settings
from features.beside import Beside
from features.build import BLOCK, FeatureSet, moment_at
from features.family import Moment
from serving.champion import load_scorer
from serving.rescore_sets import read_current
from training.path_targets import LEAD, OUTCOME, Said
from training.rules import PointsTable, score_points
from training.rules_rows import encoder, rules_in_force

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Says = Callable[[Moment], tuple[F64, PointsTable]]

MOST_ASKED = 50_000  # people the champion is asked about: it is for means of groups, and reading is what takes its time


def said_by(settings: Settings, market: str, target: str, scores: Path | None, leads: int = 0) -> Said | None:
    """Who says it: the published set at `scores`, else the champion of the target; None where there is neither.

    leads: how many there are; above MOST_ASKED the champion is asked about an even share of them.

    Raises
    ------
    InputError
        where nothing was published there, or for another target.
    """
    outcome = OUTCOME.get(target)
    if scores is not None:
        return _published(read_current(scores), outcome or target, scores)
    if outcome not in ("converted", "accepted"):
        return None
    scorer = load_scorer(settings, market, outcome)
    return _asked(scorer.feature_set, scorer.said, _every(leads)) if scorer.bundle is not None else None


def said_on_paths(settings: Settings, dataset: Dataset, target: str, scores: Path | None) -> Said | None:
    """The same for means of groups, of an even share of more than MOST_ASKED leads; where no model answers, the points in
    force alone. None of visitors, of whom no profile is known."""
    market, leads = dataset.info.name, dataset.info.counts.get("leads", 0)
    found = said_by(settings, market, target, scores, leads)
    if found is not None or target == LEAD:
        return found
    rules, _ = rules_in_force(None, dataset, settings.home, market)

    def said(moment: Moment) -> tuple[F64, PointsTable]:
        table = score_points(rules, moment)
        return np.full(len(table), np.nan), table

    return _asked(encoder(dataset, context=False), said, _every(leads))


def _every(leads: int) -> int:
    return max(leads // MOST_ASKED, 1)


def _published(table: pa.Table, target: str, scores: Path) -> Said:
    """Probability and points as they were published, whenever that was; NaN of leads that are not in it."""
    targets = pc.unique(table.column("target")).to_pylist()
    if targets not in ([], [target]):
        raise InputError.of(
            where=str(scores), expected=f"scores for {target}", got=f"scores for {', '.join(map(str, targets))}",
            remedy="Choose another --target or rescore for this one.",
        )  # fmt: skip
    ids = table.column("lead_id").combine_chunks()
    columns = [np.append(table.column(n).cast(pa.float64()).to_numpy(), np.nan) for n in ("probability", "points")]

    def said(people: People, lead: I64, as_of: I64) -> tuple[F64, F64]:
        wanted = pa.array([people.lead_ids[i] for i in lead.tolist()], pa.string())
        row = pc.index_in(wanted, value_set=ids).fill_null(len(ids)).to_numpy(zero_copy_only=False)
        return columns[0][row], columns[1][row]

    return Said(said)


def _asked(features: FeatureSet, says: Says, every: int) -> Said:
    """What is said of each lead at its landmark, or of every so many-th of them, block by block."""

    def said(people: People, lead: I64, as_of: I64) -> tuple[F64, F64]:
        probability, points = np.full(len(lead), np.nan), np.full(len(lead), np.nan)
        some = np.arange(0, len(lead), every)
        if every > 1:  # nobody else's events are encoded
            people, lead, as_of = people.take(lead[some]), np.arange(len(some)), as_of[some]
        beside = Beside.of(people)
        beside = beside if features.context else beside.bare()
        encoded, created = features.encode(people.events), people.created_at[lead]
        for start in range(0, len(lead), BLOCK):
            rows = slice(start, start + BLOCK)
            moment = moment_at(people.leads, encoded, lead[rows], created[rows], as_of[rows], beside)
            probability[some[rows]], table = says(moment)
            points[some[rows]] = table.total
        return probability, points

    return Said(said, features.context)
