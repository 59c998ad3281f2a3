"""Points, candidates, the serving release and comparators judged on the same rows, each scored there once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training import cold, comparators
from training.assemble import Frame, Table
from training.calibration import Isotonic, fit_isotonic
from training.candidates import Candidate, FittedCandidate, again, choose, fit
from training.evaluate import Bench, Draws, Interval, Judged, Sampled
from training.models import Recipe, Rows
from training.sampling import thinned
from training.splits import Turn, Validation, validation_of
from training.work import Work

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Searched = tuple[Rows, Validation]
POINTS, SERVING = "points", "serving"
SEARCH_ROWS = 60_000  # settings are chosen on no more: their order does not change any more, their cost does


@dataclass(frozen=True)
class Judgement:
    """What judging said.

    rows: the judged rows as positions in the frame. said: per candidate (points first) its answers for these rows,
    and those of the release that serves and of the comparators. sampled: their measures draw by draw.
    chosen: the candidates of the last turn, best on its training rows first; fitted: the same, fitted there.
    validation: what they were chosen on.
    """

    rows: I64
    bench: Bench
    said: dict[str, Judged]
    sampled: dict[str, Sampled]
    metrics: dict[str, dict[str, Interval]]
    draws: Draws
    chosen: list[Candidate]
    fitted: list[FittedCandidate]
    points: Isotonic
    validation: Validation

    @property
    def champion(self) -> str:
        """The candidate chosen on training rows."""
        return self.chosen[0].name


def rows_of(frame: Frame, table: Table, rows: I64) -> Rows:
    return Rows(
        table.feature_set.columns, np.ascontiguousarray(table.values[rows]), frame.label[rows], frame.weight[rows],
        frame.hashes[rows],
    )  # fmt: skip


def judged(work: Work, advance: Callable[[], None]) -> Judgement:
    """Judge turn by turn; with several turns the answers are put together, each row judged by what never saw its lead."""
    frame, table, split = work.frame, work.table, work.split
    rows = np.concatenate([t.judge for t in split.turns])
    answers: dict[str, list[Judged]] = {}
    for turn in split.turns:
        learned = rows_of(frame, table, turn.train)
        searched = _searched(work, turn, learned)
        chosen, fitted, points = _one_turn(work, turn, learned, searched, advance)
        weight = cold.weight_of(frame.conversions(turn.train))
        turn_said = _answers(table, turn, fitted, points, weight)
        turn_said |= _serving(work, turn, learned, searched, points, weight)
        turn_said |= comparators.judged(table.comparators, frame.label, frame.weight, turn)
        for name, one in turn_said.items():
            answers.setdefault(name, []).append(one)
    said = {name: _joined(parts) for name, parts in answers.items()}
    bench = Bench.of(frame.label[rows], frame.weight[rows], frame.lead[rows])
    draws = bench.draws(work.settings.training.bootstrap, work.request.seed)
    sampled = {name: Sampled.of(j, bench, draws) for name, j in said.items()}
    metrics = {name: s.intervals() for name, s in sampled.items()}
    return Judgement(rows, bench, said, sampled, metrics, draws, chosen, fitted, points, searched[1])


def _serving(
    work: Work, turn: Turn, learned: Rows, searched: Searched, points: Isotonic, weight: float
) -> dict[str, Judged]:
    """The release that serves now, on the judged rows.

    Its own answers where it was trained without the leads that are held out here; else its recipe, fitted and
    calibrated on this turn's training rows: its own answers for leads it has seen would be too good.
    """
    bundle, said = work.serving, work.table.champion
    if bundle is None or said is None:
        return {}
    if len(work.split.turns) == 1 and bundle.manifest.get("held_out") == work.held_out:
        return {SERVING: Judged(said[0][turn.judge], said[1][turn.judge])}
    recipe = bundle.manifest["recipe"]
    known = Recipe(recipe["kind"], recipe["settings"], bundle.manifest["seed"])
    fitted = again(known, learned, searched, work.settings.training.threads)
    return {SERVING: _answer(fitted, work.table, turn, points, weight)}


def _searched(work: Work, turn: Turn, learned: Rows) -> Searched:
    """The training rows that settings are chosen on, a sample where there are many, and how."""
    frame, horizon = work.frame, work.question.policy.horizon
    as_of = frame.as_of[turn.train]
    keep, weight = thinned(learned.label, learned.hashes, as_of, SEARCH_ROWS, turn=1)
    some = learned
    if len(keep) < len(learned):
        some = rows_of(frame, work.table, turn.train[keep])
        some = replace(some, weight=some.weight * weight)
    return some, validation_of(work.split, as_of[keep], some.label, some.hashes, horizon)


def _one_turn(
    work: Work, turn: Turn, learned: Rows, searched: Searched, advance: Callable[[], None]
) -> tuple[list[Candidate], list[FittedCandidate], Isotonic]:
    request, threads = work.request, work.settings.training.threads
    chosen = choose(*searched, request.trials, request.seed, threads, advance)
    points = fit_isotonic(work.table.points[turn.train].astype(np.float64), learned.label, learned.weight)
    return chosen, fit(chosen, learned, threads), points


def _answers(
    table: Table, turn: Turn, fitted: list[FittedCandidate], points: Isotonic, weight: float
) -> dict[str, Judged]:
    total = table.points[turn.judge].astype(np.float64)
    said = {POINTS: Judged(total, points.apply(total))}
    for candidate in sorted(fitted, key=lambda f: ("logistic", "lightgbm", "blend").index(f.name)):
        said[candidate.name] = _answer(candidate, table, turn, points, weight)
    return said


def _answer(fitted: FittedCandidate, table: Table, turn: Turn, points: Isotonic, weight: float) -> Judged:
    """What a candidate says of the judged rows, leaning on the points while conversions are few."""
    raw = fitted.model.raw(np.ascontiguousarray(table.values[turn.judge]))
    by_points = points.apply(table.points[turn.judge].astype(np.float64))
    return Judged(*cold.leaned(weight, raw, fitted.calibrator.apply(raw), by_points))


def _joined(parts: list[Judged]) -> Judged:
    return Judged(np.concatenate([p.score for p in parts]), np.concatenate([p.probability for p in parts]))
