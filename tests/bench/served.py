"""What the served bundle takes for one lead, in milliseconds of one core, everything warm."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from data.dataset import open_dataset
from features.build import FeatureTable, build_features
from serving.champion import scorer_of
from serving.known import Known, of_people
from serving.scorer import Wants
from training.bundle import Bundle, read_bundle
from training.rules import score_points

LEADS, TIMES = 300, 5
AS_OF = 2_000_000_000_000_000  # any moment: a table has no times
Given = TypeVar("Given")


def milliseconds(bundle_at: Path, dataset_at: Path) -> dict[str, float]:
    """Medians over calls with one lead each: `row` from its records to the probability, `explain` from its features,
    `reply` from its records to the whole reply with reasons."""
    bundle = read_bundle(bundle_at)
    scorer, leads = scorer_of(bundle), _leads(dataset_at)
    tables = [_table(bundle, known) for known in leads]
    points = [score_points(bundle.rules, known.moment(bundle.feature_set)).total for known in leads]
    return {
        "row": _median(lambda known: _row(bundle, known), leads),
        "explain": _median(lambda i: bundle.explain(tables[i], points[i]), range(len(leads))),
        "reply": _median(lambda known: scorer.score(known, Wants()).row(0), leads),
    }


def _leads(dataset_at: Path) -> list[Known]:
    """The records of some leads, each for itself, as a request would hand them over."""
    together = of_people(next(iter(open_dataset(dataset_at).people())), AS_OF)
    return [together.take(np.array([i])) for i in range(LEADS)]


def _table(bundle: Bundle, known: Known) -> FeatureTable:
    moment = known.moment(bundle.feature_set)
    return build_features(moment.leads, moment.journeys, bundle.feature_set)


def _row(bundle: Bundle, known: Known) -> float:
    """Encoding, features, model and calibration; the points too where the model leans on them."""
    moment = known.moment(bundle.feature_set)
    table = build_features(moment.leads, moment.journeys, bundle.feature_set)
    points = score_points(bundle.rules, moment).total if bundle.model_weight < 1.0 else None
    return float(bundle.predict(table, points).probability[0])


def _median(call: Callable[[Given], object], given: Sequence[Given]) -> float:
    """Milliseconds of processor time of one call; the first round only warms up."""
    spent = []
    for turn in range(TIMES + 1):
        for one in given:
            before = time.process_time_ns()
            call(one)
            spent += [time.process_time_ns() - before] if turn else []
    return float(np.median(spent)) / 1e6
