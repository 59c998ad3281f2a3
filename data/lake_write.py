"""Writing a lake: records into buckets, in a staging folder that is published in one step.

A new dataset appears by one rename of the staging folder. An existing one is appended to: see `data/lake_append.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data import arrow, dataset_file, lake_manifest
from data.dataset import DatasetInfo
from data.errors import InputError
from data.files import sync
from data.lake_append import Append, settle
from data.lake_manifest import DAY_COLUMN, Manifest, Part, SourceState, digest_of, sha256_of
from data.lake_merge import MARKS
from data.lake_parts import kept_as, read_parts, sync_tree
from data.records import DAY, NULL_TIME, RECORDS, Coded, Columns, bucket_of
from data.times import EPOCH

HELD_ROWS = 1_000_000  # rows kept in memory over all buckets before they are written as row groups
MAX_PARTS = 8
SETTLING_DAYS = 3  # a day of a source that restates days may change for that long
ARRIVALS = {
    "events": ("received_at", "occurred_at"), "leads": ("valid_from", "created_at"), "outcomes": ("occurred_at",),
    "links": ("known_from",), "consents": ("given_at",),
}  # fmt: skip
DAYS_OF = {"events": "occurred_at", "spend": "date"}  # records whose days a source can restate


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


@dataclass
class Staged:
    """What one part of the staging folder holds."""

    rows: int = 0
    source: str = ""
    days: Counter[int] = field(default_factory=Counter)


class LakeWriter:
    """Write a lake batch by batch: `with LakeWriter(path, info) as w: w.add(...); w.commit(files)`.

    Without `commit`, or after an error, nothing is left behind and what was there is as it was. With `append` an
    existing dataset of the same market takes the new rows, held under a lock from here on; without it, only the very
    same content is accepted. `info` and `manifest` are then those of the dataset with what comes new.
    """

    def __init__(self, path: Path, info: DatasetInfo, append: bool = False, max_parts: int = MAX_PARTS) -> None:
        self.path, self.info = Path(os.path.abspath(path)), info
        self.counts = dict.fromkeys(RECORDS, 0)
        self.latest = NULL_TIME
        self.manifest = Manifest()
        self.outcome: Append | None = None
        self._held: dict[str, list[pa.Table]] = defaultdict(list)
        self._held_rows = 0
        self._open: dict[str, pq.ParquetWriter] = {}
        self._staged: dict[str, Staged] = defaultdict(Staged)
        self._source, self._restates, self._tag = "", False, ""
        self._begun: dict[str, bool] = {}
        self._append: Append | None = None
        refuse_foreign(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if append and (self.path / "dataset.toml").exists():
            self._append = Append.begin(self.path, info, max_parts)
            self.info, self.manifest, self.staging = self._append.info, self._append.manifest, self._append.staging
        else:
            folder = tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".staging", dir=self.path.parent)
            self.staging = Path(folder)

    def __enter__(self) -> LakeWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for writer in self._open.values():
            writer.close()
        shutil.rmtree(self.staging, ignore_errors=True)
        if self._append is not None:
            self._append.release()

    @property
    def appends(self) -> bool:
        """Is there a dataset that takes the new rows?"""
        return self._append is not None

    def lead_ids(self) -> list[str]:
        """The leads of the dataset that is appended to, once per profile row."""
        ids: list[str] = self.held("leads", pa.schema([("lead_id", pa.string())])).column("lead_id").to_pylist()
        return ids

    def held(self, name: str, schema: pa.Schema) -> pa.Table:
        """These columns of a record or table of the dataset that is appended to; no rows where there is none."""
        files = [] if self._append is None else [self.path / f for f in self._append.manifest.of(name)]
        return read_parts(files, schema)

    def begin(self, source: str, record: str = "", restates: bool = False) -> SourceState:
        """Rows added from here on are of this source; one that restates replaces the days it brings again."""
        self._flush()
        state = self.manifest.sources.setdefault(source, SourceState(record))
        self._begun[source] = restates
        self._source, self._restates = source, restates
        self._tag = f"-s{list(self.manifest.sources).index(source)}" if restates else ""
        return state

    def add(self, name: str, columns: Columns) -> None:
        """Some rows of one record.

        Beside the record's columns `events` may have `source_day` (int64 days since 1970, of sources that restate;
        else the local day of occurred_at) and `leads` two flags: `exported` (valid_from is the moment of an export, so
        the row counts only where something changed) and `told` (the row says what changed; null = as before).
        """
        record = RECORDS[name]
        own = {n: c for n, c in columns.items() if n not in (DAY_COLUMN, *MARKS)}
        table = arrow.to_arrow(own, arrow.columns_of(record, self.info.extra), where=name)
        if not len(table):
            return
        self._note(name, own, len(table))
        if name == "leads" and self._source:
            for mark in MARKS:
                flags = np.asarray(columns.get(mark, np.zeros(len(table))), dtype=np.bool_)
                table = table.append_column(mark, pa.array(flags))
        if name in DAYS_OF and self._restates:
            days = np.asarray(columns.get(DAY_COLUMN, local_days(own[DAYS_OF[name]], self.info.timezone)))
            table = table.append_column(DAY_COLUMN, pa.array(days.astype(np.int32)))
        if name == "spend":
            self._keep(self._part(name), table)
        else:
            self._hold(name, table, _buckets(name, own, len(table), self.info.buckets))

    def add_table(self, name: str, table: pa.Table) -> None:
        """Rows of an unbucketed table."""
        self._keep(f"{name}/part-{self.info.generation:03d}.parquet", table)

    def _note(self, name: str, columns: Columns, n: int) -> None:
        self.counts[name] += n
        latest = _latest_arrival(name, columns)
        self.latest = max(self.latest, latest)
        state = self.manifest.sources.get(self._source)
        if state is not None:
            state.rows += n
            if latest != NULL_TIME:
                state.latest = max(latest, state.latest if state.latest is not None else latest)

    def _note_complete_days(self) -> None:
        """The last whole day before the latest arrival; of a source that restates, SETTLING_DAYS earlier."""
        for source, restates in self._begun.items():
            state = self.manifest.sources[source]
            if state.latest is not None:
                day = int(local_days([state.latest], self.info.timezone)[0]) - 1 - SETTLING_DAYS * restates
                state.complete_through = (EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")

    def _part(self, folder: str) -> str:
        tag = self._tag if folder.partition("/")[0] in DAYS_OF else ""
        return f"{folder}/part-{self.info.generation:03d}{tag}.parquet"

    def _hold(self, name: str, table: pa.Table, buckets: NDArray[np.int64]) -> None:
        if (buckets[1:] < buckets[:-1]).any():
            order = np.argsort(buckets, kind="stable")
            table, buckets = table.take(order), buckets[order]
        ends = np.cumsum(np.bincount(buckets, minlength=self.info.buckets))
        start = 0
        for bucket, end in enumerate(ends.tolist()):
            if end > start:
                self._keep(self._part(f"{name}/bucket={bucket:02d}"), table.slice(start, end - start))
            start = end

    def _keep(self, part: str, table: pa.Table) -> None:
        staged = self._staged[part]
        staged.rows += len(table)
        if DAY_COLUMN in table.schema.names:
            staged.source = self._source
            days, counts = np.unique(table.column(DAY_COLUMN).to_numpy(), return_counts=True)
            staged.days.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))
        self._held[part].append(table)
        self._held_rows += len(table)
        if self._held_rows > HELD_ROWS:
            self._flush()

    def _flush(self) -> None:
        for part, tables in self._held.items():
            table = pa.concat_tables(tables)
            if part not in self._open:
                (self.staging / part).parent.mkdir(parents=True, exist_ok=True)
                self._open[part] = pq.ParquetWriter(self.staging / part, table.schema, **kept_as(table.schema))
            self._open[part].write_table(table)
        self._held.clear()
        self._held_rows = 0

    def commit(self, files: Mapping[str, str | bytes]) -> bool:
        """Publish what was added; False if the content is the same as before."""
        self._flush()
        while self._open:
            self._open.popitem()[1].close()
        self._note_complete_days()
        staged = {name: Part(s.rows, "", s.source, dict(s.days)) for name, s in self._staged.items()}
        if self._append is not None:
            self.outcome = self._append
            return self._append.publish(staged, files, self.latest)
        return self._create(staged, files)

    def _create(self, staged: dict[str, Part], files: Mapping[str, str | bytes]) -> bool:
        settled = settle(self.staging, staged, self.info)
        self.manifest.parts = {n: replace(p, sha256=sha256_of(self.staging / n)) for n, p in settled.items()}
        for name, content in files.items():
            (self.staging / name).write_bytes(content.encode() if isinstance(content, str) else content)
        self.manifest.texts = {name: name for name in files}
        info = self._final_info()
        if (self.path / "dataset.toml").exists():
            refuse_other(self.path, info.digest)
            return False
        (self.staging / lake_manifest.file_name(0)).write_text(self.manifest.to_json(), encoding="utf-8")
        (self.staging / "dataset.toml").write_text(dataset_file.dump(info), encoding="utf-8")
        _publish(self.staging, self.path)
        return True

    def _final_info(self) -> DatasetInfo:
        latest = self.info.latest_arrival
        if latest is None and self.latest != NULL_TIME:
            latest = self.latest
        counts = {r: n for r in RECORDS if (n := self.manifest.rows(r))}
        info = replace(self.info, digest="", counts={**counts, **self.info.counts}, latest_arrival=latest)
        texts = {name: sha256_of(self.staging / file) for name, file in self.manifest.texts.items()}
        return replace(info, digest=digest_of(self.manifest, texts, info))


def local_days(times: object, timezone: str) -> NDArray[np.int64]:
    """The local day of each moment, in days since 1970."""
    moments = pa.array(np.asarray(times, dtype=np.int64), pa.timestamp("us", tz="UTC"))
    local = pc.local_timestamp(moments.cast(pa.timestamp("us", tz=timezone))).cast(pa.int64()).to_numpy()
    return np.floor_divide(local, DAY)


def refuse_foreign(path: Path) -> None:
    """Refuse a target that holds something else than a dataset."""
    if path.exists() and not (path / "dataset.toml").exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError.of(
            where=str(path), expected="a new folder or a dataset", got="something else", remedy="Choose a new folder."
        )


def refuse_other(path: Path, digest: str) -> None:
    """Refuse to replace a dataset by another one."""
    there = lake_manifest.read_info(path)
    if there.digest != digest:
        raise InputError.of(
            where=str(path), expected="a new folder or the same data again", got="a dataset with other content",
            remedy="Choose a new folder, or remove this one first.",
        )  # fmt: skip


def _publish(staging: Path, path: Path) -> None:
    sync_tree(staging)
    staging.chmod(0o755)
    staging.rename(path)
    sync(path.parent)


def _buckets(name: str, columns: Columns, n: int, buckets: int) -> NDArray[np.int64]:
    """Bucket of each row: of the lead; for events and outcomes of the visitor where there is one."""
    chosen = _bucket_by_text(columns.get("lead_id"), "", n, buckets)
    if name in ("events", "outcomes"):
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
