"""Writing a lake: records into buckets, in a staging folder that becomes the dataset by one rename."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data import arrow, dataset_file
from data.dataset import DatasetInfo
from data.errors import InputError
from data.records import NULL_TIME, RECORDS, Coded, Columns, bucket_of

HELD_ROWS = 1_000_000  # rows kept in memory over all buckets before they are written as row groups
ARRIVALS = {
    "events": ("received_at", "occurred_at"), "leads": ("valid_from", "created_at"), "outcomes": ("occurred_at",),
    "links": ("known_from",), "consents": ("given_at",),
}  # fmt: skip


def write_lake(
    path: Path,
    info: DatasetInfo,
    records: Mapping[str, Columns],
    files: Mapping[str, str | bytes],
    extra_tables: Mapping[str, pa.Table] | None = None,
) -> bool:
    """Write a dataset folder in one step; True if it was written, False if the same dataset is there already.

    Parameters
    ----------
    records
        by record name (`events`, `leads` ...); missing columns become null, `info.extra` are further lead columns.
    files
        texts to keep beside the records: `mapping.toml`, `rules.yaml`, `content.yaml`.
    extra_tables
        Arrow tables kept as they are in a folder of their name.

    Raises
    ------
    InputError
        for another dataset or foreign files at `path`, or columns that do not fit the records.
    """
    with LakeWriter(path, info) as writer:
        for name, columns in records.items():
            writer.add(name, columns)
        for name, table in (extra_tables or {}).items():
            writer.add_table(name, table)
        return writer.commit(files)


class LakeWriter:
    """Write a lake batch by batch: `with LakeWriter(path, info) as w: w.add(...); w.commit(files)`.

    Without `commit`, or after an error, nothing is left behind.
    """

    def __init__(self, path: Path, info: DatasetInfo) -> None:
        self.path, self.info = Path(os.path.abspath(path)), info
        self.counts = dict.fromkeys(RECORDS, 0)
        self.latest = NULL_TIME
        self._held: dict[str, list[pa.Table]] = defaultdict(list)
        self._held_rows = 0
        self._open: dict[str, pq.ParquetWriter] = {}
        refuse_foreign(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.staging = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".staging", dir=self.path.parent))

    def __enter__(self) -> LakeWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in self._open.values():
            writer.close()
        shutil.rmtree(self.staging, ignore_errors=True)

    def add(self, name: str, columns: Columns) -> None:
        """Some rows of one record."""
        record = RECORDS[name]
        table = arrow.to_arrow(columns, arrow.columns_of(record, self.info.extra), where=name)
        self.counts[name] += len(table)
        self.latest = max(self.latest, _latest_arrival(name, columns))
        if name == "spend":
            self.add_table(name, table)
            return
        self._hold(name, table, _buckets(name, columns, len(table), self.info.buckets))

    def add_table(self, name: str, table: pa.Table) -> None:
        """Rows of an unbucketed table."""
        self._keep(f"{name}/part-000.parquet", table)

    def _hold(self, name: str, table: pa.Table, buckets: NDArray[np.int64]) -> None:
        order = np.argsort(buckets, kind="stable")
        table, ends = table.take(order), np.cumsum(np.bincount(buckets, minlength=self.info.buckets))
        start = 0
        for bucket, end in enumerate(ends.tolist()):
            if end > start:
                self._keep(f"{name}/bucket={bucket:02d}/part-000.parquet", table.slice(start, end - start))
            start = end

    def _keep(self, part: str, table: pa.Table) -> None:
        self._held[part].append(table)
        self._held_rows += len(table)
        if self._held_rows > HELD_ROWS:
            self._flush()

    def _flush(self) -> None:
        for part, tables in self._held.items():
            table = pa.concat_tables(tables)
            if part not in self._open:
                (self.staging / part).parent.mkdir(parents=True, exist_ok=True)
                self._open[part] = pq.ParquetWriter(self.staging / part, table.schema, compression="zstd")
            self._open[part].write_table(table)
        self._held.clear()
        self._held_rows = 0

    def commit(self, files: Mapping[str, str | bytes]) -> bool:
        """Publish what was added; False if the very same dataset is there already."""
        self._flush()
        while self._open:
            self._open.popitem()[1].close()
        for name, content in files.items():
            (self.staging / name).write_bytes(content.encode() if isinstance(content, str) else content)
        info = self._final_info()
        if (self.path / "dataset.toml").exists():
            refuse_other(self.path, info.digest)
            return False
        (self.staging / "dataset.toml").write_text(dataset_file.dump(info), encoding="utf-8")
        _publish(self.staging, self.path)
        return True

    def _final_info(self) -> DatasetInfo:
        latest = self.info.latest_arrival
        if latest is None and self.latest != NULL_TIME:
            latest = self.latest
        counts = {**{k: n for k, n in self.counts.items() if n}, **self.info.counts}
        info = replace(self.info, digest="", counts=counts, latest_arrival=latest)
        return replace(info, digest=digest_of(self.staging, info))


def digest_of(folder: Path, info: DatasetInfo) -> str:
    """SHA-256 over names and hashes of a dataset's files and over its info without the digest itself."""
    total = hashlib.sha256(dataset_file.dump(replace(info, digest="")).encode())
    for file in sorted(f for f in folder.rglob("*") if f.is_file() and f.name != "dataset.toml"):
        with file.open("rb") as stream:
            part = hashlib.file_digest(stream, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()} {part}\n".encode())
    return total.hexdigest()


def refuse_foreign(path: Path) -> None:
    """Refuse a target that holds something else than a dataset."""
    if path.exists() and not (path / "dataset.toml").exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError.of(
            where=str(path), expected="a new folder or a dataset", got="something else", remedy="Choose a new folder."
        )


def refuse_other(path: Path, digest: str) -> None:
    """Refuse to replace a dataset by another one."""
    there = dataset_file.parse((path / "dataset.toml").read_text(encoding="utf-8"), str(path / "dataset.toml"))
    if there.digest != digest:
        raise InputError.of(
            where=str(path), expected="a new folder or the same data again", got="a dataset with other content",
            remedy="Choose a new folder, or remove this one first.",
        )  # fmt: skip


def _publish(staging: Path, path: Path) -> None:
    folders = [staging, *(d for d in staging.rglob("*") if d.is_dir())]
    for entry in [*(f for f in staging.rglob("*") if f.is_file()), *folders]:
        _sync(entry)
    staging.chmod(0o755)
    staging.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _buckets(name: str, columns: Columns, n: int, buckets: int) -> NDArray[np.int64]:
    """Bucket of each row: of the lead; for events of the visitor where there is one."""
    chosen = _bucket_by_text(columns.get("lead_id"), "", n, buckets)
    if name == "events":
        by_visitor = _bucket_by_text(columns.get("visitor_id"), "v:", n, buckets)
        chosen = np.where(by_visitor >= 0, by_visitor, chosen)
    if (chosen < 0).any():
        raise InputError.of(
            where=name, expected="a visitor_id or a lead_id in every row", got=f"{int((chosen < 0).sum())} without",
            remedy="Reject those rows.",
        )  # fmt: skip
    return chosen


def _bucket_by_text(column: object, prefix: str, n: int, buckets: int) -> NDArray[np.int64]:
    """-1 where there is no text."""
    if not isinstance(column, Coded):
        return np.full(n, -1, dtype=np.int64)
    of = np.array([bucket_of(prefix + v, buckets) for v in column.values] + [-1], dtype=np.int64)
    return of[column.codes]


def _latest_arrival(name: str, columns: Columns) -> int:
    """The latest time these rows were known from; NULL_TIME where they have no times."""
    times = [columns[c] for c in ARRIVALS.get(name, ()) if c in columns]
    if not times or not len(times[0]):
        return NULL_TIME
    first = np.asarray(times[0])
    for other in times[1:]:
        first = np.where(first == NULL_TIME, np.asarray(other), first)
    return int(first.max())
