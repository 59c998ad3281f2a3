"""One bucket scored and written: a part. The same function serves one process, several, and other engines.

    part-00007.parquet   bucket 7: the reply's keys in its order, and `rank_score`; leads sorted by id
    ledger.jsonl         a line for each finished part, with its hash; what it does not name, or names with another
                         hash, is not there

Bytes depend on the bucket alone, never on the group it was read with or the process that wrote it.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.dataset import People
from data.errors import InputError, LeadliftError
from data.files import sync
from data.lake_manifest import sha256_of
from data.records import NULL_TIME, bucket_of
from serving.known import Known, of_people
from serving.rescore_columns import SCHEMA, to_arrow

if TYPE_CHECKING:
    from serving.rescore_job import Job

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
LEDGER, NEW = "ledger.jsonl", "ledger.new"
SLICE_EVENTS = 250_000  # looked at at once; the bytes do not depend on it


@dataclass(frozen=True)
class Refused:
    """A lead that could not be scored. reason: a code, `lead_id_missing`, `event_without_time`, `not_a_number` or
    `scoring_failed:<kind of error>`."""

    lead_id: str | None
    reason: str


@dataclass(frozen=True)
class Counts:
    """What happened to the leads: leads = scored + quarantined + not_yet_created. By value: grades, data_quality."""

    leads: int = 0
    scored: int = 0
    quarantined: int = 0
    not_yet_created: int = 0
    sales_ready: int = 0
    grades: dict[str, int] = field(default_factory=dict)
    data_quality: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """The sums, values in their order."""
        numbers = ("leads", "scored", "quarantined", "not_yet_created", "sales_ready")
        tallies: dict[str, dict[str, int]] = {"grades": {}, "data_quality": {}}
        for name, tally in tallies.items():
            for value in sorted({v for p in parts for v in getattr(p, name)}):
                tally[value] = sum(getattr(p, name).get(value, 0) for p in parts)
        return Counts(**{n: sum(getattr(p, n) for p in parts) for n in numbers}, **tallies)


@dataclass(frozen=True)
class Part:
    """A finished part. profile_rows: how many were read for it."""

    bucket: int
    sha256: str
    profile_rows: int
    counts: Counts
    refused: tuple[Refused, ...] = ()

    @property
    def file(self) -> str:
        return f"part-{self.bucket:05d}.parquet"

    def sound(self, folder: Path) -> bool:
        """Is its file there as it was written?"""
        file = folder / self.file
        return file.is_file() and sha256_of(file) == self.sha256

    @staticmethod
    def of(document: dict[str, Any]) -> Part:
        refused = tuple(Refused(**r) for r in document.pop("refused"))
        return Part(**document | {"counts": Counts(**document["counts"]), "refused": refused})


# -- writing ---------------------------------------------------------------------------------------------------
def write_parts(job: Job, buckets: Sequence[int], folder: Path) -> Iterator[Part]:
    """Read some buckets at once, write the part of each.

    Raises
    ------
    InputError
        where the dataset cannot be read.
    """
    people = _read(job, buckets)
    if len(buckets) == 1:
        yield _write_part(job, people, buckets[0], folder)
        return
    bucket = np.array([_bucket_of(i, job.dataset.info.buckets, buckets) for i in people.lead_ids], dtype=np.int64)
    for number in buckets:
        yield _write_part(job, people.take(np.flatnonzero(bucket == number)), number, folder)


def _bucket_of(lead_id: str | None, count: int, buckets: Sequence[int]) -> int:
    """A row without an id lies in some bucket of those that were read; it is told of with the first one."""
    return bucket_of(lead_id, count) if lead_id is not None else buckets[0]


def _read(job: Job, buckets: Sequence[int]) -> People:
    beside = job.scorer.feature_set.context
    with reading(job):
        return job.dataset.people_in(buckets, accounts=beside, outcomes=beside)


@contextmanager
def reading(job: Job) -> Iterator[None]:
    """What is wrong with the dataset is told as that; no room to write is another matter."""
    try:
        yield
    except (OSError, pa.ArrowException) as bad:
        if getattr(bad, "errno", None) in NO_ROOM:
            raise
        raise InputError.of(
            where=job.dataset.place, expected="a dataset that can be read", got=" ".join(str(bad).split()),
            remedy="See to that file, or import the data again; finished parts are kept.",
        ) from None  # fmt: skip


def _write_part(job: Job, people: People, bucket: int, folder: Path) -> Part:
    known = of_people(people, job.as_of)
    tables, refused = [SCHEMA.empty_table()], list[Refused]()
    for some in _slices(known):
        found, bad = scored(job, some)
        tables, refused = [*tables, *found], [*refused, *bad]
    table = pa.concat_tables(tables).combine_chunks()
    counts = Counts(
        leads=len(people), scored=len(table), quarantined=len(refused), not_yet_created=len(people) - len(known),
        sales_ready=pc.sum(table.column("sales_ready")).as_py() or 0,
        grades=_tally(table, "grade"), data_quality=_tally(table, "data_quality"),
    )  # fmt: skip
    part = Part(bucket, "", len(people.leads["lead"]), counts, tuple(refused))
    return Part(**vars(part) | {"sha256": write_table(table, folder / part.file)})


def _slices(known: Known) -> Iterator[Known]:
    """The same people, few enough at once that what is worked out about their events takes little memory."""
    count = -(-len(known.events["lead"]) // SLICE_EVENTS)
    yield from [known] if count < 2 else (known.take(rows) for rows in np.array_split(known.everyone, count))


def write_table(table: pa.Table, path: Path) -> str:
    """Write a table so that it is on the disk; its SHA-256."""
    with path.open("wb") as out:
        pq.write_table(table, out, compression="zstd", use_dictionary=_few_valued(table.schema))
        out.flush()
        os.fsync(out.fileno())
    return sha256_of(path)


def _few_valued(schema: pa.Schema) -> list[str]:
    """The columns of texts that say the same of many leads: no dictionary would be shorter than the others."""
    return [f.name for f in schema if pa.types.is_string(f.type) and f.name != "lead_id"]


def _tally(table: pa.Table, name: str) -> dict[str, int]:
    counted = pc.value_counts(table.column(name)).to_pylist()
    return {str(c["values"]): c["counts"] for c in sorted(counted, key=lambda c: str(c["values"]))}


# -- quarantine ------------------------------------------------------------------------------------------------
def scored(job: Job, known: Known) -> tuple[list[pa.Table], list[Refused]]:
    """The scores of those that have one, in order, and who has none and why. A bad lead costs the others nothing but
    time: they are scored again without it."""
    if not len(known):
        return [], []
    broken = _broken(known)
    if broken:
        kept = np.array([i for i in range(len(known)) if i not in broken], dtype=np.int64)
        tables, refused = scored(job, known.take(kept))
        return tables, [*(Refused(known.lead_ids[i], reason) for i, reason in sorted(broken.items())), *refused]
    try:
        table = to_arrow(job.scorer.score(known, job.wants))
    except (LeadliftError, MemoryError):
        raise
    except Exception as bad:
        if len(known) == 1:
            return [], [Refused(known.lead_ids[0], f"scoring_failed:{type(bad).__name__}")]
        halves = [scored(job, known.take(rows)) for rows in np.array_split(known.everyone, 2)]
        return [t for tables, _ in halves for t in tables], [r for _, refused in halves for r in refused]
    return _with_probability(table) if job.scorer.bundle else ([table], [])


def _broken(known: Known) -> dict[int, str]:
    """Leads whose rows cannot mean anything, by number."""
    events = known.events
    timeless = np.asarray(events["lead"])[np.asarray(events["occurred_at"]) == NULL_TIME] if len(events) else ()
    broken = {int(lead): "event_without_time" for lead in timeless}
    return broken | {i: "lead_id_missing" for i, lead_id in enumerate(known.lead_ids) if not lead_id}


def _with_probability(table: pa.Table) -> tuple[list[pa.Table], list[Refused]]:
    """A model answers with a number, or not at all."""
    fine = pc.and_(pc.is_valid(table.column("probability")), pc.is_finite(table.column("rank_score")))
    fine = pc.fill_null(fine, False)
    without = table.filter(pc.invert(fine)).column("lead_id").to_pylist()
    return [table.filter(fine) if without else table], [Refused(i, "not_a_number") for i in without]


# -- the ledger ------------------------------------------------------------------------------------------------
def resumed(folder: Path) -> list[Part]:
    """The finished parts of an earlier attempt, in the order of buckets; all else goes.

    Files go rather than being written over, and the ledger is a new file: an attempt that stands still may have them
    open.
    """
    folder.mkdir(exist_ok=True)
    parts = {p.bucket: p for p in _entered(folder / LEDGER) if p.sound(folder)}
    kept = [parts[bucket] for bucket in sorted(parts)]
    in_order(folder, kept)
    for file in folder.iterdir():
        if file.name not in {LEDGER, *(p.file for p in kept)}:
            rmtree(file) if file.is_dir() else file.unlink()
    return kept


def in_order(folder: Path, parts: Sequence[Part]) -> None:
    """The ledger anew, in the order of parts: its bytes do not tell who finished first."""
    (folder / NEW).unlink(missing_ok=True)
    _add(folder / NEW, parts)
    (folder / NEW).replace(folder / LEDGER)


def enter(folder: Path, part: Part) -> None:
    """Add a finished part to the ledger."""
    sync(folder)
    _add(folder / LEDGER, [part])


def _add(ledger: Path, parts: Sequence[Part]) -> None:
    with ledger.open("a", encoding="utf-8") as out:
        for part in parts:
            out.write("\n" + json.dumps(asdict(part)))  # a line that broke off ends here
        out.flush()
        os.fsync(out.fileno())


def _entered(ledger: Path) -> Iterator[Part]:
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):  # the last line of a process that was killed
            yield Part.of(json.loads(line))
