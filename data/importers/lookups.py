"""Columns that point into another file: its rows by key, read once and held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data import salesforce
from data.errors import MappingError
from data.importers.rejects import RowError, RowPassedOver
from data.importers.rows import TableFile
from data.mapping import MappingFile, TableSpec, Via, nearest

Table = dict[str, str]


class Lookups:
    """The look-ups of an import. `ambiguous`: per look-up how many keys had rows with different values."""

    def __init__(self, file: MappingFile, files: Mapping[str, Sequence[Path]]) -> None:
        self._specs = {t.match: t for t in reversed(file.table)}
        self._files = files
        self._tables: dict[tuple[str, str, str, str | None], Table] = {}
        self.ambiguous: dict[str, int] = {}

    def reader(self, via: Via, id_kind: str | None) -> Callable[[str], str]:
        """What the cells of a column become."""
        table = self._table(via, id_kind)

        def read(text: str) -> str:
            found = table.get(text)
            if found is not None:
                return found
            if via.missing == "skip":
                raise RowPassedOver
            if via.missing == "reject":
                raise RowError("unknown_key")
            return text

        return read

    def _table(self, via: Via, id_kind: str | None) -> Table:
        name = (via.match, via.key, via.value, id_kind)
        if name not in self._tables:
            self._tables[name] = self._load(via, id_kind)
        return self._tables[name]

    def _load(self, via: Via, id_kind: str | None) -> Table:
        spec = self._specs.get(via.match, TableSpec(match=via.match, record="link"))
        table: Table = {}
        twice: set[str] = set()
        for path in self._files[via.match]:
            with TableFile(path, spec) as rows:
                key, value = (_index(path, rows.header, name) for name in (via.key, via.value))
                for row in rows.rows():
                    pair = _pair(row.fields[key], row.fields[value], id_kind) if row.problem is None else None
                    if pair is not None and table.setdefault(*pair) != pair[1]:
                        twice.add(pair[0])
        if twice:
            self.ambiguous[f"{via.match}, {via.key}"] = len(twice)
        return table


def _pair(key: str, value: str, id_kind: str | None) -> tuple[str, str] | None:
    """Both cells as they are compared and handed on; None where one is empty or no id."""
    pair = (key.strip(), value.strip())
    if not all(pair):
        return None
    try:
        return (salesforce.long_id(pair[0]), salesforce.long_id(pair[1])) if id_kind else pair
    except ValueError:
        return None


def _index(path: Path, header: tuple[str, ...], name: str) -> int:
    if name not in header:
        raise MappingError(
            f'{path}: expected a column "{name}" (for via), got none. {nearest(name, list(header))} '
            "Correct the mapping or the table."
        )
    return header.index(name)
