"""Leads at their first look, as forms tell them: with all they answered, and with each answer hidden in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.records import Coded
from data.settings import Settings
from features.build import FeatureSet, build_features
from features.family import Moment
from features.leads import Leads
from training.ablation import some_leads
from training.assemble import Frame, fit_on, frame_of, moments_of
from training.history import refuse_too_little
from training.models import Rows
from training.run import question_of, split_for
from training.work import Request

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]
Answers = NDArray[np.object_]

# What people are asked in forms. Not the e-mail address, without which nobody could be written to.
ASKED = ("title", "company", "industry", "employees", "country", "state", "self_reported_source")
MOST_LEADS = 12_000


@dataclass(frozen=True)
class Looks:
    """n leads: what a model learns from (rows), and by field its answers (n,), None = not known, and the values
    (n, k) of all features with that answer hidden. behaviour: which columns say nothing of the profile."""

    rows: Rows
    behaviour: I64
    answers: dict[str, Answers]
    hidden: dict[str, F64]

    def __len__(self) -> int:
        return len(self.rows)

    def without(self, field: str) -> Rows:
        """The rows with the answer of a field hidden."""
        return replace(self.rows, values=self.hidden[field])

    def known(self, field: str) -> Mask:
        return given(self.answers[field])


def looks_of(dataset: Dataset, settings: Settings, request: Request) -> Looks:
    """One row a lead, its first look, with a final answer; leads that judge models are left to that.

    Raises
    ------
    InputError, Verdict
        where nothing could be learned, as in training.
    """
    question = question_of(dataset, settings, request)
    frame = frame_of(dataset, question)
    split = split_for(dataset, frame, settings, question)
    refuse_too_little(dataset, frame, split, question, settings.training.judging_share)
    rows = split.refit[frame.first_look[split.refit]]
    mine = frame.take(rows[some_leads(frame.hashes[rows], MOST_LEADS)])
    everything = np.arange(len(mine), dtype=np.int64)
    feature_set, _, _ = fit_on(dataset, mine, everything, dataset.content_text())
    extra = [e.name for e in dataset.info.extra if e.role == "attribute" and not (e.sum or e.product)]
    return _told(dataset, mine, feature_set, (*ASKED, *extra))


def _told(dataset: Dataset, frame: Frame, feature_set: FeatureSet, fields: Sequence[str]) -> Looks:
    values = np.empty((len(frame), len(feature_set.columns)))
    answers = {f: np.full(len(frame), None, dtype=object) for f in fields}
    hidden = {f: np.empty_like(values) for f in fields}
    for rows, moment in moments_of(dataset, frame, feature_set):
        values[rows] = build_features(moment.leads, moment.journeys, feature_set).values
        for name in fields:
            answers[name][rows] = answers_of(moment.leads, name)
            without = _hiding(moment, name)
            hidden[name][rows] = build_features(without.leads, without.journeys, feature_set).values
    known = {f: a for f, a in answers.items() if any(x is not None for x in a)}
    groups = [feature_set.families[i].group for i in feature_set.family_of]
    behaviour = np.flatnonzero(np.array(groups) != "profile")
    learned = Rows(feature_set.columns, values, frame.label, frame.weight, frame.hashes)
    return Looks(learned, behaviour, known, {f: hidden[f] for f in known})


def answers_of(leads: Leads, name: str) -> Answers:
    """The answers of a field, a text or a number each, None = not known, (n,)."""
    column = leads.columns.get(name)
    if isinstance(column, Coded) or column is None:
        return np.array([*leads.text(name).texts(), None], dtype=object)[:-1]
    numbers = leads.number(name).tolist()
    return np.array([*(None if n != n else n for n in numbers), None], dtype=object)[:-1]


def given(answers: Answers) -> Mask:
    """Which answers are known."""
    return np.array([a is not None for a in answers], dtype=np.bool_)


def _hiding(moment: Moment, name: str) -> Moment:
    """The same, had nobody answered."""
    columns, column = dict(moment.leads.columns), moment.leads.columns.get(name)
    if column is not None:
        n = len(moment.leads)
        columns[name] = Coded.nulls(n) if isinstance(column, Coded) else np.full(n, np.nan)
    return replace(moment, leads=replace(moment.leads, columns=columns))
