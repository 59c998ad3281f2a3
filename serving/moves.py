"""Why a score moved between two scorings: the lead is scored again at states that lie between the old and the new one.

    old  ->  rules  ->  model  ->  profile  ->  links  ->  events  ->  time = new

Each step takes one thing from the new side and leaves the rest as it was; its part is the difference of two scores,
never what is left over. So a part is exactly 0 where nothing of its kind changed, and the parts add up.
See docs/decisions/0022-why-a-score-moved.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.hybrids import Knowledge, moment_of
from serving.known import Known
from serving.scorer import Scorer
from training.calibration import logit

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """What answers, and what it knows."""

    scorer: Scorer
    knowledge: Knowledge


@dataclass(frozen=True)
class Moves:
    """Of n leads: probability and points (0-100) of the old and the new state, (n,); null (NaN) without a model.

    log_odds float64 and points_parts int64, (n, 6), by data.store.moves.STEPS: what each step adds to the log-odds of the calibrated
    probability, the one that people see, and to the points.
    """

    probability_old: F64
    probability: F64
    points_old: I64
    points: I64
    log_odds: F64
    points_parts: I64


def between(old: State, new: State) -> Iterator[State]:
    """The old state, then the state after each of STEPS; the last one is the new state."""
    scorer, known = old.scorer, old.knowledge
    yield old
    if scorer.rules.text != new.scorer.rules.text:
        scorer = replace(scorer, rules=new.scorer.rules)
    yield State(scorer, known)
    scorer = new.scorer if _model(scorer) != _model(new.scorer) else scorer
    yield State(scorer, known)
    for name in ("profile", "links", "events", "clock"):
        known = replace(known, **{name: getattr(new.knowledge, name)})
        yield State(scorer, known)


def moves(known: Known, old: State, new: State) -> Moves:
    """Score the people of `known` (their records as known at the later moment or after it) at every state."""
    said: list[tuple[F64, I64]] = []
    before: State | None = None
    for state in between(old, new):
        same = before is not None and state.scorer is before.scorer and state.knowledge == before.knowledge
        said.append(said[-1] if same else _said(known, state))
        before = state
    probability, points = (np.stack([s[i] for s in said], axis=1) for i in (0, 1))
    return Moves(
        probability[:, 0], probability[:, -1], points[:, 0], points[:, -1],
        np.diff(logit(probability), axis=1), np.diff(points, axis=1),
    )  # fmt: skip


def _said(known: Known, state: State) -> tuple[F64, I64]:
    probability, points = state.scorer.said(moment_of(known, state.knowledge, state.scorer.feature_set))
    return probability, points.total.astype(np.int64)


def _model(scorer: Scorer) -> tuple[str | None, str]:
    return scorer.bundle.name if scorer.bundle else None, scorer.feature_set.version
