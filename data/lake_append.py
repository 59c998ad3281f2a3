"""Appending to a dataset: new part files, then a new list of the live ones, then one replaced `dataset.toml`.

Until that last step the old generation is in force and untouched; a crash leaves files behind that nobody reads and
that the next import removes. One import at a time: a lock on the folder, which the system releases with the process.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data import arrow, dataset_file, lake_manifest
from data.dataset import DatasetInfo, ExtraColumn
from data.errors import InputError
from data.files import replace_text, sync
from data.lake_manifest import DAY_COLUMN, Manifest, Part, digest_of, sha256_of
from data.lake_merge import MARKS, SETTLED, Merged, merge
from data.lake_parts import read_parts, sync_tree, write_part
from data.records import NULL_TIME, RECORDS

_OURS = re.compile(r"(.*/)?part-\d{3}[^/]*\.parquet|parts-\d{3,}\.json|texts-\d{3,}/.*|\.(dataset\.toml|parts-).*")


@dataclass
class Append:
    """One import into an existing dataset, from the lock to its release.

    info, manifest: of the generation to come. known: rows by record that were there already. added: rows by record
    that are new. replaced: rows of restated days that went. restated: lead rows without a moment that changed.
    """

    path: Path
    info: DatasetInfo
    manifest: Manifest
    max_parts: int
    lock: int
    before: str
    texts: dict[str, str] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    added: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    replaced: int = 0
    restated: int = 0
    compacted: int = 0

    @staticmethod
    def begin(path: Path, info: DatasetInfo, max_parts: int) -> Append:
        """Lock the dataset, remove what earlier imports left behind, and check that the new rows belong here."""
        lock = _locked(path)
        try:
            there, manifest = lake_manifest.read(path)
            joined = _joined(path, there, info)
            _clean(path, manifest)
            manifest.generation += 1
            return Append(
                path, replace(joined, generation=manifest.generation), manifest, max_parts, lock, there.digest
            )
        except BaseException:
            os.close(lock)
            raise

    @property
    def staging(self) -> Path:
        return self.path / ".staging"

    def release(self) -> None:
        os.close(self.lock)

    def publish(self, staged: dict[str, Part], files: Mapping[str, str | bytes], latest: int) -> bool:
        """Merge the staged parts and put the new generation in force; False if the content is as it was."""
        parts = self._parts(staged)
        self._texts(files)
        for name, file in self.texts.items():
            self.manifest.texts[name] = file
        self.manifest.parts = parts
        info = self._final_info(latest)
        self._move()
        replace_text(self.path / lake_manifest.file_name(self.info.generation), self.manifest.to_json())
        replace_text(self.path / "dataset.toml", dataset_file.dump(info))
        self.info = info
        return info.digest != self.before

    # -- parts ---------------------------------------------------------------------------------------------------
    def _parts(self, staged: dict[str, Part]) -> dict[str, Part]:
        self._check_moments(staged)
        live = self._without_restated_days(staged)
        by_folder: dict[str, dict[str, Part]] = defaultdict(dict)
        for name, part in staged.items():
            by_folder[name.rpartition("/")[0]][name] = part
        held = Manifest(parts=live).folders()
        for folder, new in by_folder.items():
            self._merge_folder(folder, held.get(folder, []), new, live)
        for folder, names in Manifest(parts=live).folders().items():
            self._compact(folder, names, live)
        return {name: part if part.sha256 else self._hashed(name, part) for name, part in live.items()}

    def _hashed(self, name: str, part: Part) -> Part:
        return replace(part, sha256=sha256_of(self.staging / name))

    def _check_moments(self, staged: dict[str, Part]) -> None:
        """Before anything is written: rows without a moment of their own must not contradict those that are there."""
        held = self.manifest.folders()
        for name in (n for n in staged if n.startswith("leads/")):
            folder = name.rpartition("/")[0]
            new = read_staged(self.staging / name, self._schema("leads"))
            self.restated += merge("leads", self._read(folder, held.get(folder, [])), new).restated
        if self.restated:
            raise InputError.of(
                where=str(self.path), expected="a moment from which changed profiles hold",
                got=f"{self.restated} leads with other values and neither valid_from nor an export's moment of their own",
                remedy="Give the export's moment with --as-of, or map valid_from.",
            )  # fmt: skip

    def _without_restated_days(self, staged: dict[str, Part]) -> dict[str, Part]:
        days: dict[str, set[int]] = defaultdict(set)
        for part in staged.values():
            days[part.source] |= set(part.days)
        live = dict(self.manifest.parts)
        for name, part in self.manifest.parts.items():
            gone = days[part.source] & set(part.days) if part.source else set()
            if gone:
                del live[name]
                self.replaced += sum(part.days[d] for d in gone)
                left = {d: n for d, n in part.days.items() if d not in gone}
                if left:
                    rows = self._whole(name)
                    rows = rows.filter(pc.invert(pc.is_in(rows.column(DAY_COLUMN), pa.array(sorted(gone), pa.int32()))))
                    stem = Path(name).stem.split("~")[0]
                    self._write(
                        f"{name.rpartition('/')[0]}/{stem}~{self.info.generation:03d}.parquet", rows, part, live, left
                    )
        return live

    def _merge_folder(self, folder: str, held: list[str], new: dict[str, Part], live: dict[str, Part]) -> None:
        record = folder.partition("/")[0]
        if record not in (*SETTLED, "events"):
            self.added[record] += sum(p.rows for p in new.values())
            live.update(new)
            return
        schema = self._schema(record)
        for name, part in new.items():
            extra = [pa.field(DAY_COLUMN, pa.int32())] if part.source else []
            rows = read_staged(self.staging / name, pa.schema([*schema, *extra]))
            there = self._event_ids(held) if record == "events" else self._read(folder, held)
            merged = merge(record, there, rows)
            self.known[record] += merged.known
            self._put(record, folder, name, part, merged, held, live)
            held = [n for n in live if n.startswith(folder + "/")] if len(new) > 1 else held

    def _put(
        self, record: str, folder: str, name: str, part: Part, merged: Merged, held: list[str], live: dict[str, Part]
    ) -> None:
        self.added[record] += len(merged.added)
        (self.staging / name).unlink()
        if merged.whole is not None:
            for old in held:
                live.pop(old, None)
            self._write(f"{folder}/part-{self.info.generation:03d}-whole.parquet", merged.whole, part, live)
        elif len(merged.added):
            days = _days(merged.added)
            self._write(name, merged.added, part, live, days)

    def _compact(self, folder: str, names: list[str], live: dict[str, Part]) -> None:
        by_source: dict[str, list[str]] = defaultdict(list)
        for name in names:
            by_source[live[name].source].append(name)
        for source, parts in by_source.items():
            if len(parts) <= self.max_parts:
                continue
            rows = pa.concat_tables([self._whole(n) for n in parts], promote_options="default")
            first = live[parts[0]]
            for old in parts:
                del live[old]
                (self.staging / old).unlink(missing_ok=True)
            tag = f"-s{list(self.manifest.sources).index(source)}" if source else ""
            name = f"{folder}/part-{self.info.generation:03d}-all{tag}.parquet"
            self._write(name, rows, first, live, _days(rows))
            self.compacted += len(parts)

    def _write(
        self, name: str, rows: pa.Table, like: Part, live: dict[str, Part], days: dict[int, int] | None = None
    ) -> None:
        write_part(self.staging / name, rows)
        live[name] = Part(len(rows), "", like.source, days or {})

    def _whole(self, name: str) -> pa.Table:
        """One part with all its columns, from wherever it lies now."""
        staged = self.staging / name
        with pq.ParquetFile(staged if staged.exists() else self.path / name) as parquet:
            return parquet.read(use_threads=False)

    def _schema(self, record: str) -> pa.Schema:
        return arrow.schema_of(arrow.columns_of(RECORDS[record], self.info.extra))

    def _read(self, folder: str, names: list[str]) -> pa.Table:
        files = [s if (s := self.staging / n).exists() else self.path / n for n in names]
        return read_parts(files, self._schema(folder.partition("/")[0]))

    def _event_ids(self, names: list[str]) -> pa.Table:
        files = [s if (s := self.staging / n).exists() else self.path / n for n in names]
        return read_parts(files, pa.schema([pa.field("event_id", pa.string(), nullable=False)]))

    # -- texts, info, moving -------------------------------------------------------------------------------------
    def _texts(self, files: Mapping[str, str | bytes]) -> None:
        """Texts that are new or changed go into a folder of this generation."""
        for name, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            old = self.manifest.texts.get(name)
            if old is None or (self.path / old).read_bytes() != raw:
                self.texts[name] = f"texts-{self.info.generation:03d}/{name}"
                (self.staging / self.texts[name]).parent.mkdir(exist_ok=True)
                (self.staging / self.texts[name]).write_bytes(raw)

    def _final_info(self, latest: int) -> DatasetInfo:
        arrivals = [t for t in (self.info.latest_arrival, latest) if t is not None and t != NULL_TIME]
        counts = {r: n for r in RECORDS if (n := self.manifest.rows(r))}
        info = replace(self.info, digest="", counts=counts, latest_arrival=max(arrivals, default=None))
        texts = {}
        for name, file in self.manifest.texts.items():
            staged = self.staging / file
            texts[name] = sha256_of(staged if staged.exists() else self.path / file)
        return replace(info, digest=digest_of(self.manifest, texts, info))

    def _move(self) -> None:
        """Put the staged files in their places. They have new names, so nothing that is there changes."""
        sync_tree(self.staging)
        folders = set()
        for name in lake_manifest.walk(self.staging):
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.staging / name, target)
            folders |= {target.parent, target.parent.parent}
        for folder in folders:
            sync(folder)


def settle(staging: Path, staged: dict[str, Part], info: DatasetInfo) -> dict[str, Part]:
    """The parts of a new dataset, merged with nothing: rows of several exports and repeated links become one.

    Each is one piece then: in the small pieces they came in they are read at a third of the pace.
    """
    settled = dict(staged)
    for name, part in staged.items():
        record = name.partition("/")[0]
        if record not in SETTLED:
            continue
        schema = arrow.schema_of(arrow.columns_of(RECORDS[record], info.extra))
        rows = read_staged(staging / name, schema)
        if len(rows) == 0:
            continue
        merged = merge(record, schema.empty_table(), rows)
        kept = merged.added if merged.whole is None else merged.whole
        in_pieces = pq.read_metadata(staging / name).num_row_groups > 1
        if in_pieces or len(kept) < part.rows or not set(MARKS).isdisjoint(rows.schema.names):
            write_part(staging / name, kept)
            settled[name] = replace(part, rows=len(kept))
    return settled


def read_staged(file: Path, schema: pa.Schema) -> pa.Table:
    """A part of the staging folder: its record's columns, and the marks of how its rows are meant."""
    with pq.ParquetFile(file) as parquet:
        table = parquet.read(use_threads=False)
    names = [n for n in (*schema.names, *MARKS) if n in table.schema.names]
    return table.select(names).combine_chunks()


def _days(table: pa.Table) -> dict[int, int]:
    if DAY_COLUMN not in table.schema.names:
        return {}
    counts = pc.value_counts(table.column(DAY_COLUMN).combine_chunks())
    return {int(c["values"]): int(c["counts"]) for c in counts.to_pylist()}


def _locked(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise InputError.of(
            where=str(path), expected="no other import into this dataset", got="one that is running",
            remedy="Wait until it is done.",
        ) from None  # fmt: skip
    return handle


def _clean(path: Path, manifest: Manifest) -> None:
    """Remove what no generation in use needs: of crashed imports, and of the generation before the last."""
    keep = manifest.live()
    previous = path / lake_manifest.file_name(manifest.generation - 1)
    if previous.exists():
        keep |= Manifest.from_json(previous.read_text(encoding="utf-8")).live()
    shutil.rmtree(path / ".staging", ignore_errors=True)
    for file in [f for f in path.rglob("*") if f.is_file()]:
        name = file.relative_to(path).as_posix()
        if name not in keep and _OURS.fullmatch(name):
            file.unlink()
    (path / ".staging").mkdir()


def _joined(path: Path, there: DatasetInfo, new: DatasetInfo) -> DatasetInfo:
    """The dataset's own info with further extra columns; an InputError where the rows do not belong together."""
    for name in ("name", "currency", "has_times"):
        if getattr(there, name) != getattr(new, name):
            what = {"name": "market", "currency": "currency", "has_times": "kind of data (with or without times)"}[name]
            raise _other(path, f"the {what} {_said(name, there)}", _said(name, new))
    if not there.has_times:
        raise _other(path, "a new folder for a table without times", "a dataset")
    known = {e.name: e for e in there.extra}
    for extra in new.extra:
        old = known.setdefault(extra.name, extra)
        if _shape(old) != _shape(extra):
            raise _other(path, f"column {extra.name} as before", "another kind, role or unit")
    return replace(there, extra=tuple(known.values()))


def _said(name: str, info: DatasetInfo) -> str:
    return ("with times" if info.has_times else "without times") if name == "has_times" else str(getattr(info, name))


def _shape(extra: ExtraColumn) -> tuple[str, str, str]:
    return extra.kind, extra.role, extra.unit


def _other(path: Path, expected: str, got: str) -> InputError:
    return InputError.of(where=str(path), expected=expected, got=got, remedy="Choose a new folder.")
