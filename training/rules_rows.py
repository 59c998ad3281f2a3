"""Points over a whole dataset: at the looks of a frame, or of everybody at one moment; which points file counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from data import packaged
from data.dataset import Dataset
from data.errors import InputError, UsageError
from data.records import NULL_TIME
from features.beside import Beside
from features.build import FeatureSet, moment_at
from features.catalog import CONTEXT
from features.family import Moment
from training import registry
from training.assemble import Frame, moments_of
from training.rules import PointsTable, Rules, entry_points, graded, score_points

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]


def read_rules(file: Path) -> Rules:
    """A points file by its path.

    Raises
    ------
    UsageError, InputError
        where there is no such file, or it is no points file.
    """
    if not file.is_file():
        raise UsageError(f"{file}: expected a points file, got none there. Check the path.")
    try:
        return Rules.from_yaml(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError:
        raise InputError.of(
            where=str(file), expected="a text in UTF-8", got="something else", remedy="Save it as UTF-8."
        ) from None


def rules_in_force(file: Path | None, dataset: Dataset | None, home: Path, market: str | None) -> tuple[Rules, str]:
    """The points asked about and what they are called: the file, else the dataset's, the market's, the packaged."""
    if file is not None:
        return read_rules(file), str(file)
    if dataset is not None and (text := dataset.rules_text()):
        name = f"{dataset.place}/rules.yaml"
        return Rules.from_yaml(text, name), name
    if market and (text := registry.home_rules(home, market)):
        return Rules.from_yaml(text, f"points of market {market}"), f"points of market {market}"
    return Rules.from_yaml(packaged.rules_text()), "data/rules.yaml"


def encoder(dataset: Dataset, context: bool) -> FeatureSet:
    """No features: the dataset's content map and channel rules, and whether other records than a lead's own count."""
    content = yaml.safe_load(dataset.content_text() or packaged.content_text())
    return FeatureSet(tuple(CONTEXT) if context else (), dataset.info.extra, {}, content, packaged.source_categories())


def everybody(dataset: Dataset, as_of: int, context: bool) -> Iterator[tuple[Sequence[str], Moment]]:
    """Ids and moments of all leads there were just before `as_of`, group by group, as a rescoring takes them."""
    asked = encoder(dataset, context)
    for people in dataset.people():
        rows = np.flatnonzero((people.created_at == NULL_TIME) | (people.created_at < as_of))
        beside = Beside.of(people) if context else Beside.of(people).bare()
        moment = moment_at(
            people.leads, asked.encode(people.events), rows, people.created_at[rows],
            np.full(len(rows), as_of, dtype=np.int64), beside,
        )  # fmt: skip
        yield [people.lead_ids[i] for i in rows.tolist()], moment


def entries_of(dataset: Dataset, frame: Frame, rules: Rules, context: bool) -> I32:
    """Points of each rule at every look of a frame, int32 (n, k)."""
    found = np.zeros((len(frame), len(rules.file.fit) + len(rules.file.engagement)), dtype=np.int32)
    for rows, moment in moments_of(dataset, frame, encoder(dataset, context)):
        found[rows] = entry_points(rules, moment)
    return found


def points_of(dataset: Dataset, frame: Frame, files: Sequence[Rules], context: bool) -> list[PointsTable]:
    """Points at every look of a frame by each of some points files; one walk for all."""
    sums = [np.zeros((2, len(frame)), dtype=np.int64) for _ in files]
    for rows, moment in moments_of(dataset, frame, encoder(dataset, context)):
        for rules, table in zip(files, sums, strict=True):
            points = score_points(rules, moment)
            table[0, rows], table[1, rows] = points.fit, points.engagement
    return [graded(rules, *table) for rules, table in zip(files, sums, strict=True)]


def standings(rules: Rules, points: PointsTable) -> NDArray[np.int8]:
    """BELOW_MQL, MQL or SALES_READY by the points alone: a condition on the probability counts as met."""
    return rules.standings(points, np.ones(len(points)))


def asks_for_probability(rules: Rules) -> bool:
    """Whether MQL or sales-readiness has a condition on the probability, which `standings` leaves aside."""
    return any(c.probability_at_least is not None for c in (rules.file.mql, rules.file.sales_ready))
