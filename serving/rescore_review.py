"""What happens between scoring and publishing: the publish gate, and, where asked for, why leads moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.dataset import Consenting, Dataset
from data.lake import Lake
from data.settings import Settings
from data.store.store import Store
from serving.changes import FILE, Changes, Summary, scorer_before, tell, write_changes
from serving.publish_gate import PublishGate
from serving.published import Published
from serving.rescore import Candidate, Job
from training.registry import place


@dataclass(frozen=True)
class Review:
    """The gate of a rescoring. accepted: why what is beyond the limits is published all the same. changes: also write
    `changes.parquet`. advance: hears of profile rows while that is done."""

    settings: Settings
    accepted: str | None = None
    changes: bool = False
    advance: Callable[[int], None] = lambda rows: None

    def ready(self, job: Job, before: Path | None) -> None:
        """Raise the InputError of a set whose changes could not be told, before anything is scored. before: the set
        published last, None = none."""
        if self.changes and before is not None:
            scorer_before(self.settings.home, Published.at(before), job.scorer)

    def __call__(self, candidate: Candidate) -> Mapping[str, Any]:
        """What the manifest keeps as `gate`; with `changes` also how many leads moved, by cause.

        Raises
        ------
        Verdict
            where the set must not be published.
        InputError
            where the model of the set before is not there any more, to tell changes: as `ready` says beforehand.
        """
        before = Published.at(candidate.before) if candidate.before else None
        now = Published(candidate.folder, candidate.job.inputs())
        gate = PublishGate(_lake(candidate.job.dataset), self.settings.publish, self.accepted)
        said = gate.judge(before, now)
        return said | {"changes": self._told(candidate.job, before, now).document()} if self.changes else said

    def _told(self, job: Job, before: Published | None, now: Published) -> Summary:
        old = scorer_before(self.settings.home, before, job.scorer) if before else None
        if before is None:
            self.advance(job.dataset.info.counts.get("leads", 0))  # nothing to read again
        step = self.settings.rescore.history_step
        return write_changes(Changes(job.dataset, before, now, old, job.scorer, step), self.advance)

    def keep(self, folder: Path) -> dict[str, Any] | None:
        """Put the changes of a published set into the history that the service reads; what the manifest says of them,
        None where the set has none."""
        found = Published.at(folder)
        if not (self.changes and (folder / FILE).exists()):
            return None
        tell(folder, found.as_of, place(self.settings.home, found.about["market"], found.about["target"]))
        return dict(found.about["gate"]["changes"])


def _lake(dataset: Dataset) -> Lake:
    """The records as they are kept, whatever may be used of them: feeds are counted, not people."""
    inner = dataset.dataset if isinstance(dataset, Consenting) else dataset
    if isinstance(inner, Store):
        return inner.lake
    assert isinstance(inner, Lake)
    return inner
