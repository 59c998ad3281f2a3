"""Path log-odds: what labels teach about paths, and that they teach nothing where they are random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.build import FeatureSet
from features.family import Family, Labels, Moment
from features.path_odds import FAMILIES, cross_fitted
from tests.cases import CATEGORIES, CONTENT, EXTRA, asking, moment, random_case
from tests.drawn import crossed_and_whole, drawn_by_lead
from training.assemble import fit_on

(FAMILY,) = FAMILIES
FOLDS, LEADS = 5, 2000
END = 2**62


@pytest.fixture(scope="module")
def leads() -> Moment:
    """Two thousand leads at the end of their journeys."""
    case = asking(random_case(31, leads=LEADS), [(i, END) for i in range(LEADS)])
    return moment(case, FeatureSet((), EXTRA, {}, CONTENT, CATEGORIES))


def _auc(values: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Area under the curve among known values, ties half, and its standard error under chance."""
    known = ~np.isnan(values)
    values, label = values[known], label[known]
    order = np.unique(values, return_inverse=True)[1]
    counts = np.bincount(order)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[order]
    p, n = int(label.sum()), int((1 - label).sum())
    return (rank[label == 1].sum() - p * (p + 1) / 2) / (p * n), float(np.sqrt((p + n + 1) / (12 * p * n)))


def _learned(family: Family, m: Moment, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values of parts that never saw the row, values of the part that saw all)."""
    assert family.learn is not None
    labels = Labels(label, np.ones(len(label)))
    fold = np.arange(len(label)) % FOLDS
    # A part that never saw a fold learns with weights of 0 there.
    parts = [family.learn(m, Labels(label, (fold != f).astype(float))) for f in range(FOLDS)]
    return cross_fitted(family, m, parts, fold), family.compute(m, family.learn(m, labels))


@pytest.mark.parametrize("seed", range(4))
def test_random_labels_leave_the_auc_at_one_half(leads: Moment, seed: int) -> None:
    label = (np.random.default_rng(seed).random(len(leads)) < 0.2).astype(float)
    crossed, _ = _learned(FAMILY, leads, label)
    auc, error = _auc(crossed, label)
    assert abs(auc - 0.5) < 3 * error


def test_a_part_that_saw_the_rows_would_fool_itself(leads: Moment) -> None:
    """Without cross-fitting random labels would look like knowledge: the test above can fail."""
    found = []
    for seed in range(4):
        label = (np.random.default_rng(seed).random(len(leads)) < 0.2).astype(float)
        auc, error = _auc(_learned(FAMILY, leads, label)[1], label)
        found.append((auc - 0.5) / error)
    assert np.mean(found) > 2


def test_a_path_that_converts_is_learned(leads: Moment) -> None:
    j = leads.journeys
    saw_prices = j.pages.by_type[:, j.vocabulary.types.index("pricing")] > 0
    label = (np.random.default_rng(0).random(len(leads)) < np.where(saw_prices, 0.5, 0.1)).astype(float)
    crossed, _ = _learned(FAMILY, leads, label)
    assert _auc(crossed, label)[0] > 0.6


def test_labels_of_one_kind_teach_nothing(leads: Moment) -> None:
    assert FAMILY.learn is not None
    assert FAMILY.learn(leads, Labels(np.zeros(len(leads)), np.ones(len(leads)))) == {"values": [], "weights": []}


def test_training_gives_no_lead_a_part_that_saw_its_label(tmp_path: Path) -> None:
    """From a dataset to the table: labels drawn by lead leave the column at one half, and other leads get the whole."""
    dataset, frame = drawn_by_lead(tmp_path / "m")
    train = np.flatnonzero(frame.lead % 4 > 0)
    feature_set, crossed, _ = fit_on(dataset, frame, train, None, learn=True)
    column = feature_set.columns.index("path_log_odds")
    found, whole = (v[:, column] for v in crossed_and_whole(dataset, frame, feature_set, crossed))
    ours = crossed.leads[frame.lead]
    assert np.array_equal(ours, np.isin(frame.lead, frame.lead[train]))
    assert np.array_equal(found[~ours], whole[~ours], equal_nan=True)
    assert (found[ours] != whole[ours]).mean() > 0.5
    first = np.flatnonzero(ours & frame.first_look)
    auc, error = _auc(found[first], frame.label[first])
    assert abs(auc - 0.5) < 3 * error
