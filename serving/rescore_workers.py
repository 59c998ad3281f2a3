"""The parts of a run, by this process or by several: what each does is told by bucket, so bytes do not depend on it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from data.dataset import Dataset, bucket_groups
from data.errors import LeadliftError, UsageError
from serving.champion import scorer_of
from serving.rescore_parts import Part, write_parts
from serving.scorer import Wants
from training.bundle import Bundle

if TYPE_CHECKING:
    from serving.rescore import Job

GROUP_EVENTS = 2_500_000  # read at once by each process; its memory, not the bytes, depends on it


def parts_of(job: Job, buckets: Sequence[int], folder: Path, workers: int) -> Iterator[Part]:
    """Write the parts of these buckets, told as they are finished.

    Raises
    ------
    LeadliftError
        what a worker raised, or that one was killed.
    """
    groups = bucket_groups(job.dataset.info, buckets, GROUP_EVENTS, least=workers)
    if workers == 1 or len(groups) < 2:
        for group in groups:
            yield from write_parts(job, group, folder)
        return
    with _started(job, groups, folder, min(workers, len(groups))) as running:
        yield from _heard(running)


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
        return Portable(job.dataset, dict(job.scorer.bundle.files), job.as_of, job.wants)

    def job(self) -> Job:
        from serving.rescore import Job

        return Job(self.dataset, scorer_of(Bundle(self.files)), self.as_of, self.wants)


Running = dict[Connection, BaseProcess]


@contextmanager
def _started(job: Job, groups: Sequence[Sequence[int]], folder: Path, workers: int) -> Iterator[Running]:
    fresh, portable, running = get_context("spawn"), Portable.of(job), Running()
    try:
        for number in range(workers):
            ours, theirs = fresh.Pipe(duplex=False)
            process = fresh.Process(target=_work, args=(portable, groups[number::workers], folder, theirs), daemon=True)
            process.start()
            theirs.close()
            running[ours] = process
        yield running
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def _work(portable: Portable, groups: Sequence[Sequence[int]], folder: Path, out: Connection) -> None:
    """What another process does. It ends with the one that listens: then nothing can be sent any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that listens ends this one
    said: Part | Exception | None = None
    try:
        job = portable.job()
        for group in groups:
            for part in write_parts(job, group, folder):
                out.send(part)
    except BrokenPipeError:
        return
    except Exception as bad:
        said = bad
    out.send(said)


def _heard(running: Running) -> Iterator[Part]:
    """The parts of all workers as they come; None is the last word of each."""
    talking = list(running)
    while talking:
        for connection in wait(talking):
            assert isinstance(connection, Connection)
            try:
                said = connection.recv()
            except EOFError:
                raise LeadliftError(
                    f"rescore: expected a worker to finish, got its end (exit {_end_of(running[connection])}). Run "
                    "again: finished parts are kept; with fewer --workers if memory was short."
                ) from None
            if isinstance(said, Exception):
                raise said
            if said is None:
                talking.remove(connection)
            else:
                yield said


def _end_of(process: BaseProcess) -> int | None:
    process.join()
    return process.exitcode
