"""What the served bundle takes for one lead, in milliseconds of one core, everything warm.

row       the columns of one record -> encoding, features, model, calibration -> its probability
explain   the features of one row -> what each column adds
reply     a request as parsed JSON -> the bytes of the whole reply: points, stage, interval, reasons
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from data.dataset import open_dataset, stored
from data.records import Coded
from features.build import FeatureTable, build_features
from features.family import Moment
from serving.champion import scorer_of
from serving.desk import Desk
from serving.gather import gather
from serving.known import Known, of_people
from serving.request import parse
from serving.scorer import Wants
from training.bundle import Bundle, read_bundle
from training.rules import score_points

LEADS, ROUNDS = 300, 5
NOW = 2_000_000_000_000_000  # any moment: a table has no times
Given = TypeVar("Given")


def milliseconds(bundle_at: Path, dataset_at: Path) -> dict[str, float]:
    """`row`, `explain` and `reply`: medians over calls with one lead of the table each."""
    bundle = read_bundle(bundle_at)
    desk = Desk(scorer_of(bundle))
    documents = _documents(dataset_at)
    extra = stored(bundle.feature_set.extra)
    leads = [gather([parse(d, desk.lead_model, 0)], extra, NOW) for d in documents]
    moments = [known.moment(bundle.feature_set) for known in leads]
    tables = [_table(bundle, moment) for moment in moments]
    points = [score_points(bundle.rules, moment).total for moment in moments]
    return {
        "row": _median(lambda known: _probability(bundle, known), leads),
        "explain": _median(lambda i: bundle.explain(tables[i], points[i]), range(LEADS)),
        "reply": _median(lambda document: desk.score(document, Wants(), NOW), documents),
    }


def _probability(bundle: Bundle, known: Known) -> float:
    moment = known.moment(bundle.feature_set)
    table = _table(bundle, moment)
    points = score_points(bundle.rules, moment).total if bundle.model_weight < 1.0 else None
    return float(bundle.predict(table, points).probability[0])


def _table(bundle: Bundle, moment: Moment) -> FeatureTable:
    return build_features(moment.leads, moment.journeys, bundle.feature_set)


def _documents(dataset_at: Path) -> list[dict[str, Any]]:
    """Requests with all that the table knows of its first leads."""
    known = of_people(next(iter(open_dataset(dataset_at).people())), NOW)
    columns = {
        name: column.texts() if isinstance(column, Coded) else column.tolist()
        for name, column in known.leads.items()
        if isinstance(column, Coded) or column.dtype.kind == "f"
    }
    of_one = ({n: column[i] for n, column in columns.items()} for i in range(LEADS))
    return [{n: v for n, v in one.items() if v is not None and v == v} for one in of_one]


def _median(call: Callable[[Given], object], given: Sequence[Given]) -> float:
    """Milliseconds of processor time of one call; the first round only warms up."""
    spent = []
    for turn in range(ROUNDS + 1):
        for one in given:
            before = time.process_time_ns()
            call(one)
            spent += [time.process_time_ns() - before] if turn else []
    return float(np.median(spent)) / 1e6
