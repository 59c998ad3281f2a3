"""The parts of a run, by this process or by several: what each does is told by bucket, so bytes do not depend on it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

from data.dataset import Consenting, Dataset, bucket_groups, consenting
from data.errors import LeadliftError, UsageError
from data.lake_arrange import Arranged, arrange, chunks
from serving.champion import scorer_of
from serving.rescore_parts import Part, reading, write_parts
from serving.scorer import Wants
from training.bundle import Bundle

if TYPE_CHECKING:
    from serving.rescore_job import Job

GROUP_EVENTS = 500_000  # read at once by each process; its memory, not the bytes, depends on it
FEW_GROUPS = 2  # as many are read from the lake itself
OVER = "over"  # a worker's last word


def parts_of(job: Job, buckets: Sequence[int], folder: Path, workers: int) -> Iterator[Part]:
    """Write the parts of these buckets, told as they are finished.

    Raises
    ------
    LeadliftError
        what a worker raised, or that one was killed.
    """
    plan = Plan.of(job, buckets, folder, workers)
    workers = min(workers, len(plan.groups))
    if workers > 1:
        with _started(job, plan, workers) as running:
            yield from _heard(running)
    else:
        work = plan.share(job)
        next(work)
        yield from (part for part in work if part is not None)
    rmtree(plan.events, ignore_errors=True)


@dataclass(frozen=True)
class Plan:
    """What all workers do together: groups of buckets that are read at once, and where the parts go.

    Where there are many groups, events are arranged for them first: else each group would cost a look at all of them.
    """

    groups: Sequence[Sequence[int]]
    folder: Path

    @staticmethod
    def of(job: Job, buckets: Sequence[int], folder: Path, workers: int) -> Plan:
        groups = bucket_groups(job.dataset.info, buckets, GROUP_EVENTS, least=workers)
        if len(groups) > FEW_GROUPS:
            groups = [[bucket] for bucket in buckets]  # arranged events cost no more in small groups
        return Plan(groups, folder)

    @property
    def events(self) -> Path:
        """Where arranged events lie while the parts are made."""
        return self.folder / "events"

    @property
    def arranges(self) -> bool:
        return len(self.groups) > FEW_GROUPS

    def arrange(self, job: Job, number: int, workers: int) -> None:
        """One worker's share of the events; nothing is read before all shares are done."""
        self.events.mkdir(exist_ok=True)
        lake = job.dataset.lake
        with reading(job):
            arrange(lake, self.groups, self.events, range(number, len(chunks(lake)), workers))

    def arranged(self, job: Job) -> Job:
        """The job that reads what is arranged, where anything is."""
        if not self.arranges:
            return job
        lake = Arranged(job.dataset.lake, self.groups, self.events)
        return replace(job, dataset=consenting(lake, isinstance(job.dataset, Consenting)))

    def share(self, job: Job, number: int = 0, workers: int = 1) -> Iterator[Part | None]:
        """What one worker does: None when its share of the events is arranged, then, once all are, its parts."""
        if self.arranges:
            self.arrange(job, number, workers)
        job = self.arranged(job)
        yield None
        for group in self.groups[number::workers]:
            yield from write_parts(job, group, self.folder)


@dataclass(frozen=True)
class Portable:
    """A job that another process can make again: a scorer holds what cannot be sent, its bundle is text."""

    dataset: Dataset
    files: dict[str, str]
    as_of: int
    wants: Wants

    @staticmethod
    def of(job: Job) -> Portable:
        """Raises UsageError for a job without a model."""
        if job.scorer.bundle is None:
            raise UsageError("--workers: expected a model for more than one process, got points alone. Use 1.")
        lake = copy(job.dataset.lake)
        lake.path = lake.path.resolve()  # the other process may stand elsewhere
        dataset = consenting(lake, isinstance(job.dataset, Consenting))
        return Portable(dataset, dict(job.scorer.bundle.files), job.as_of, job.wants)

    def job(self) -> Job:
        from serving.rescore_job import Job

        return Job(self.dataset, scorer_of(Bundle(self.files)), self.as_of, self.wants)


Running = dict[Connection, BaseProcess]


@contextmanager
def _started(job: Job, plan: Plan, workers: int) -> Iterator[Running]:
    fresh, portable, running = get_context("spawn"), Portable.of(job), Running()
    try:
        for number in range(workers):
            ours, theirs = fresh.Pipe()
            process = fresh.Process(target=_work, args=(portable, plan, number, workers, theirs), daemon=True)
            process.start()
            theirs.close()
            running[ours] = process
        yield running
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _work(portable: Portable, plan: Plan, number: int, workers: int, other: Connection) -> None:
    """What another process does. It ends with the one that listens: then nothing can be sent or heard any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that listens ends this one
    try:
        for part in plan.share(portable.job(), number, workers):
            other.send(part)
            if part is None:
                other.recv()  # the others have arranged their share of the events as well
        other.send(OVER)
    except (BrokenPipeError, EOFError):
        return
    except Exception as bad:
        with suppress(BrokenPipeError):
            other.send(bad)


def _heard(running: Running) -> Iterator[Part]:
    """The parts of all workers as they come."""
    talking, arranged = list(running), 0
    while talking:
        for connection in wait(talking):
            assert isinstance(connection, Connection)
            said = _said(connection, running[connection])
            if said is None:
                arranged += 1
                if arranged == len(running):
                    for other in running:
                        with suppress(BrokenPipeError):  # a dead one is told of by what it does not say
                            other.send(None)
            elif said == OVER:
                talking.remove(connection)
            elif isinstance(said, Part):
                yield said


def _said(connection: Connection, process: BaseProcess) -> Part | str | None:
    try:
        said: Part | str | Exception | None = connection.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise LeadliftError(
            f"rescore: expected a worker to finish, got its end (exit {process.exitcode}). Run again: finished parts "
            "are kept; with fewer --workers if memory was short."
        ) from None
    if isinstance(said, Exception):
        raise said
    return said
