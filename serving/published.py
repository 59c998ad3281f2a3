"""A set of scores as it lies in its folder, finished or about to be published: its manifest and the columns asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from serving.rescore_columns import SCHEMA

MANIFEST, CURRENT = "manifest.json", "current.json"


@dataclass(frozen=True)
class Published:
    """The folder of one run and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @staticmethod
    def at(folder: Path) -> Published:
        """The set in a folder; an unreadable manifest is an InputError."""
        try:
            return Published(folder, json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise InputError.of(
                where=str(folder), expected="a set of scores with its manifest", got="none",
                remedy="Run leadlift rescore again.",
            ) from None  # fmt: skip

    @staticmethod
    def current(out: Path) -> Published | None:
        """The set that readers take now, None where nothing was published yet."""
        try:
            pointer = (out / CURRENT).read_text(encoding="utf-8")
        except OSError:
            return None
        return Published.at(out / str(json.loads(pointer)["run"]))

    @property
    def run(self) -> str:
        return str(self.manifest["run"])

    @property
    def as_of(self) -> int:
        """The moment it was scored at, microseconds."""
        return int(self.manifest["as_of"])

    def columns(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all rows, part after part."""
        schema = pa.schema([SCHEMA.field(name) for name in names])
        parts = [
            pq.read_table(self.folder / p["file"], columns=list(names), partitioning=None)
            for p in self.manifest["parts"]
        ]
        return pa.concat_tables([p.cast(schema) for p in parts])
