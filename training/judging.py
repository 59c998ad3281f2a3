"""Points and candidates judged on the same rows, each scored there once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.assemble import Frame, Table
from training.calibration import Isotonic, fit_isotonic
from training.candidates import Candidate, FittedCandidate, again, choose, fit
from training.evaluate import Bench, Interval, Judged, judge
from training.models import Recipe, Rows
from training.splits import Split, Turn

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
POINTS = "points"


@dataclass(frozen=True)
class Judgement:
    """What judging said.

    rows: the judged rows as positions in the frame. said: per candidate (points first) its answers for these rows.
    chosen: the candidates of the last turn, best on its training rows first; fitted: the same, fitted there.
    """

    rows: I64
    bench: Bench
    said: dict[str, Judged]
    metrics: dict[str, dict[str, Interval]]
    draws: F64
    chosen: list[Candidate]
    fitted: list[FittedCandidate]
    points: Isotonic

    @property
    def champion(self) -> str:
        """The candidate chosen on training rows."""
        return self.chosen[0].name


def rows_of(frame: Frame, table: Table, rows: I64) -> Rows:
    return Rows(
        table.feature_set.columns, np.ascontiguousarray(table.values[rows]), frame.label[rows], frame.weight[rows],
        frame.hashes[rows],
    )  # fmt: skip


def judged(
    frame: Frame, table: Table, split: Split, trials: int, seed: int, threads: int, bootstrap: int,
    champion_recipe: Recipe | None, advance: Callable[[], None],
) -> Judgement:  # fmt: skip
    """Judge turn by turn; with several turns the answers are put together, each row judged by what never saw its lead."""
    rows = np.concatenate([t.judge for t in split.turns])
    answers: dict[str, list[Judged]] = {}
    for turn in split.turns:
        chosen, fitted, points = _one_turn(frame, table, turn, trials, seed, threads, advance)
        for name, one in _answers(frame, table, turn, fitted, points).items():
            answers.setdefault(name, []).append(one)
        if len(split.turns) > 1 and champion_recipe is not None:
            answers.setdefault("champion", []).append(_refitted(frame, table, turn, champion_recipe))
    said = {name: _joined(parts) for name, parts in answers.items()}
    if table.champion is not None and "champion" not in said:
        said["champion"] = Judged(table.champion[0][rows], table.champion[1][rows])
    bench = Bench(frame.label[rows], frame.weight[rows], frame.lead[rows])
    draws = bench.draws(bootstrap, seed)
    metrics = {name: judge(j, bench, draws) for name, j in said.items()}
    return Judgement(rows, bench, said, metrics, draws, chosen, fitted, points)


def _one_turn(
    frame: Frame, table: Table, turn: Turn, trials: int, seed: int, threads: int, advance: Callable[[], None]
) -> tuple[list[Candidate], list[FittedCandidate], Isotonic]:
    rows = rows_of(frame, table, turn.train)
    chosen = choose(rows, trials, seed, threads, advance)
    points = fit_isotonic(table.points[turn.train].astype(np.float64), rows.label, rows.weight)
    return chosen, [fit(c, rows) for c in chosen], points


def _answers(
    frame: Frame, table: Table, turn: Turn, fitted: list[FittedCandidate], points: Isotonic
) -> dict[str, Judged]:
    values = np.ascontiguousarray(table.values[turn.judge])
    total = table.points[turn.judge].astype(np.float64)
    said = {POINTS: Judged(total, points.apply(total))}
    for candidate in sorted(fitted, key=lambda f: ("logistic", "lightgbm", "blend").index(f.name)):
        raw = candidate.model.raw(values)
        said[candidate.name] = Judged(raw, candidate.calibrator.apply(raw))
    return said


def _refitted(frame: Frame, table: Table, turn: Turn, recipe: Recipe) -> Judged:
    """The serving champion's recipe, fitted and calibrated in the same fold."""
    fitted = again(recipe, rows_of(frame, table, turn.train))
    raw = fitted.model.raw(np.ascontiguousarray(table.values[turn.judge]))
    return Judged(raw, fitted.calibrator.apply(raw))


def _joined(parts: list[Judged]) -> Judged:
    return Judged(np.concatenate([p.score for p in parts]), np.concatenate([p.probability for p in parts]))
