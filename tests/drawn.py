"""A market whose labels say nothing: drawn by lead, so that whatever is learned from them is memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from data.dataset import Dataset, DatasetInfo, open_dataset
from data.packaged import rules_text
from data.settings import Settings
from data.simulate.market import Market
from data.simulate.write import write_market
from features.arrays import F64
from features.build import FeatureSet
from training.assemble import Crossed, Frame, Question, frame_of, table_of
from training.rules import Rules
from training.snapshots import policy_of


def drawn_by_lead(folder: Path) -> tuple[Dataset, Frame]:
    """700 simulated leads, and their rows with a label of one lead in three drawn for all its rows."""
    write_market(folder, Market(700, 200, 5), DatasetInfo(name="m", buckets=4))
    dataset = open_dataset(folder)
    assert dataset.info.latest_arrival is not None
    policy = policy_of(Settings().snapshots)
    frame = frame_of(dataset, Question("converted", policy, dataset.info.latest_arrival + 1, "s", 10**6))
    drawn = (np.random.default_rng(1).random(int(frame.lead.max()) + 1) < 0.3).astype(float)
    return dataset, replace(frame, label=drawn[frame.lead])


def crossed_and_whole(dataset: Dataset, frame: Frame, feature_set: FeatureSet, crossed: Crossed) -> tuple[F64, F64]:
    """The table with training rows from parts that did not see them, and with all rows from the whole."""
    rules = Rules.from_yaml(rules_text())
    found, whole = (
        table_of(dataset, frame, (feature_set, c), rules, None, lambda n: None).values
        for c in (crossed, Crossed.none())
    )
    return found, whole
