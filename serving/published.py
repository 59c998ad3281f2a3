"""A set of scores as it lies in its folder, published or about to be: what decided it, and its columns part by part."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from serving.rescore_columns import SCHEMA


@dataclass(frozen=True)
class Published:
    """about: the inputs of the run (its manifest has them too): `as_of` in microseconds, market, target, bundle, rules."""

    folder: Path
    about: Mapping[str, Any]

    @staticmethod
    def at(folder: Path) -> Published:
        """A published set; an unreadable manifest is an InputError."""
        try:
            return Published(folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise InputError.of(
                where=str(folder), expected="a set of scores with its manifest", got="none",
                remedy="Run leadlift rescore again.",
            ) from None  # fmt: skip

    @property
    def as_of(self) -> int:
        """The moment it was scored at, microseconds."""
        return int(self.about["as_of"])

    def parts(self) -> list[str]:
        """Names of the files of scores, one for each bucket."""
        return sorted(f.name for f in self.folder.glob("part-*.parquet"))

    def read(self, part: str, names: Sequence[str]) -> pa.Table:
        """Some columns of one part; no rows where it has no such part."""
        schema = pa.schema([SCHEMA.field(name) for name in names])
        file = self.folder / part
        return pq.ParquetFile(file).read(list(names)).cast(schema) if file.exists() else schema.empty_table()

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all rows, part after part."""
        schema = pa.schema([SCHEMA.field(name) for name in names])
        return pa.concat_tables([schema.empty_table(), *(self.read(part, names) for part in self.parts())])


def pairs(before: Published, now: Published, names: Sequence[str]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """The rows of both sets part by part: a lead is in the same part of both, for a part is a bucket."""
    for part in now.parts():
        yield before.read(part, names), now.read(part, names)
