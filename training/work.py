"""What one training has in its hands: passed from step to step instead of a dozen arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from data.dataset import Dataset
from data.settings import Settings
from training.assemble import Frame, Question, Table
from training.bundle import Bundle
from training.calendar import Slice
from training.clusters import Clustering
from training.rules import Rules
from training.selection import Selection
from training.splits import Split


@dataclass(frozen=True)
class Request:
    """What a person asked for; `progress(what, total)` gives a function that advances, `calendar(kind, slices, notes)`
    is told who teaches and who judges before any work begins."""

    market: str
    target: str
    as_of: int | None
    trials: int
    seed: int
    progress: Callable[[str, int], Callable[[int], None]]
    calendar: Callable[[str, Sequence[Slice], Sequence[str]], None] = lambda kind, slices, notes: None


@dataclass(frozen=True)
class Work:
    """Everything before judging. `serving` is the bundle that answers now, `trouble` why it could not be read,
    `plan` and `notes` the calendar."""

    dataset: Dataset
    settings: Settings
    request: Request
    question: Question
    rules: Rules
    frame: Frame
    split: Split
    table: Table
    clusters: Clustering
    serving: Bundle | None
    trouble: str | None
    plan: list[Slice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    selection: Selection = field(default_factory=Selection)

    @property
    def held_out(self) -> str:
        """Which leads were held out: two models with the same text were judged on leads neither has seen."""
        if self.split.kind == "folds":
            return "folds"
        if self.split.kind == "time":
            return f"leads {self.settings.training.judging_share} {self.question.salt}"
        return str(self.dataset.info.split)
