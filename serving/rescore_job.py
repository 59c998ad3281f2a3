"""What a rescoring is given and what it hands back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.dataset import Consenting, Dataset
from serving.rescore_claim import Waiting
from serving.rescore_history import Moves
from serving.rescore_parts import Counts, Part
from serving.scorer import Scorer, Wants

FORMAT = 2
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """What is to be scored, with what, as of when."""

    dataset: Dataset
    scorer: Scorer
    as_of: int
    wants: Wants

    def inputs(self) -> dict[str, Any]:
        """Everything that decides the content of a run.

        The dataset's digest is over all its files; of a store opened with `before=as_of`, over what was known then.
        """
        scorer = self.scorer
        return {
            "format": FORMAT,
            "dataset": {"name": self.dataset.info.name, "digest": self.dataset.info.digest},
            "market": scorer.market,
            "target": scorer.target,
            "bundle": scorer.bundle.name if scorer.bundle else None,
            "rules": hashlib.sha256(scorer.rules.text.encode()).hexdigest(),
            "features": scorer.feature_set.version,
            "as_of": self.as_of,
            "consenting": isinstance(self.dataset, Consenting),
            "reasons": self.wants.reasons,
            "lang": self.wants.lang,
        }

    @property
    def run(self) -> str:
        """The run's name: 16 hex digits of the SHA-256 of its inputs."""
        return hashlib.sha256(json.dumps(self.inputs(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Candidate:
    """A set that is whole and not published yet. folder: where it lies. before: the set published last, None = none.
    moves: None where there is none to compare with."""

    job: Job
    folder: Path
    counts: Counts
    before: Path | None
    moves: Moves | None


Engine = Callable[[Job, Sequence[int], Path, int], Iterator[Part]]
"""Writes the parts of buckets of a job into a folder by so many workers, and tells each as it is finished."""

Ready = Callable[[Job, Path | None], None]
"""Raises before anything is scored where the run could not be finished; given the set published last, None = none."""

Gate = Callable[[Candidate], Mapping[str, Any]]
"""Raises a Verdict where a candidate is not to be published; what it returns is kept in the manifest as `gate`."""


@dataclass(frozen=True)
class How:
    """How a run is done; none of it changes a score.

    engine: who makes the parts, None = this machine. workers: processes. keep: how many sets stay. step: how far a
    probability moves before history gets a row. reject_limit: share of leads in quarantine above which (and above
    1,000 of them) the run stops. ready: asked first. waiting: called once where another process has to finish first.
    finished_at: a text that is only noted.
    """

    engine: Engine | None = None
    workers: int = 1
    keep: int = 14
    step: float = 0.05
    reject_limit: float = 0.10
    ready: Ready = lambda job, before: None
    gate: Gate = lambda candidate: {}
    advance: Advance = lambda rows: None
    waiting: Waiting = lambda: None
    finished_at: str | None = None


@dataclass(frozen=True)
class Done:
    """A published run: its set, what its manifest says of leads and moves, whether it was there before, and whether it
    is the one readers take."""

    run: str
    path: Path
    leads: dict[str, Any]
    moves: dict[str, Any] | None
    again: bool = False
    current: bool = True
