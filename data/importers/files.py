"""Which file belongs to which table of the mapping."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NoReturn

from data.errors import InputError, MappingError, UsageError
from data.mapping import Mapping


def assign_files(given: Sequence[str], mapping: Mapping, partial: bool = False) -> list[list[Path]]:
    """The files of each table of the mapping, in name order; with `partial` a table may have none.

    A file goes to the first table it matches and to all tables with the same `match`.

    `given` are files, folders or globs. A mapping with one table takes a file that was named, whatever its name.

    Raises
    ------
    UsageError
        for a path that is not there.
    MappingError
        for a named file no table matches, or a table no file matches.
    """
    tables = mapping.file.table
    of_table: list[list[Path]] = [[] for _ in tables]
    looked_up = lookup_patterns(mapping)
    for path, named in _expand(given):
        match = next((t.match for t in tables if fnmatch(path.name, t.match)), None)
        if match is None and named and not any(fnmatch(path.name, pattern) for pattern in looked_up):
            match = tables[0].match if len(tables) == 1 else _refuse(path, [t.match for t in tables])
        for index, table in enumerate(tables):
            if table.match == match:
                of_table[index].append(path)
    for table, files in zip(tables, of_table, strict=True):
        if not files and not table.optional and not (partial and any(of_table)):
            raise MappingError(
                f'{mapping.path}: no file matches "{table.match}" ({table.record}) among those given. '
                "Name the file, or correct match."
            )
        files.sort(key=lambda p: (p.name, str(p)))
        _refuse_same_stems(files, derived="lead_id" not in table.columns and "event_id" not in table.columns)
    return of_table


def lookup_patterns(mapping: Mapping) -> list[str]:
    """The globs of the files that columns are looked up in."""
    return list(dict.fromkeys(s.via.match for t in mapping.file.table for s in t.columns.values() if s.via))


def lookup_files(given: Sequence[str], mapping: Mapping) -> dict[str, list[Path]]:
    """The files of each look-up, in name order; a look-up without a file is a MappingError."""
    found: dict[str, list[Path]] = {}
    for pattern in lookup_patterns(mapping):
        files = sorted((p for p, _ in _expand(given) if fnmatch(p.name, pattern)), key=lambda p: (p.name, str(p)))
        if not files:
            raise MappingError(
                f'{mapping.path}: no file matches "{pattern}" (via) among those given. Name the file, or correct match.'
            )
        found[pattern] = files
    return found


def given_files(given: Sequence[str]) -> list[Path]:
    """All files given, in name order; a path that is not there is a UsageError."""
    return sorted((p for p, _ in _expand(given)), key=lambda p: (p.name, str(p)))


def named_files(given: Sequence[str]) -> list[Path]:
    """The files that these paths, folders and globs name, in name order."""
    return sorted(path for path, _ in _expand(given))


def _expand(given: Sequence[str]) -> list[tuple[Path, bool]]:
    """(file, was it named itself) without repetition."""
    found: dict[Path, bool] = {}
    for text in given:
        path = Path(text)
        if path.is_file():
            found[path.resolve()] = True
            continue
        inside = path.iterdir() if path.is_dir() else map(Path, glob.glob(text, recursive=True))
        files = [p for p in inside if p.is_file() and not p.name.startswith(".")]
        if not files:
            raise UsageError(
                f"{text}: expected a file, a folder with files or a glob, got nothing there. Check the path."
            )
        for file in files:
            found.setdefault(file.resolve(), False)
    return list(found.items())


def _refuse(path: Path, patterns: Sequence[str]) -> NoReturn:
    raise MappingError(
        f"{path}: expected a name that matches {', '.join(patterns)}, got {path.name}. Rename it, or correct match."
    )


def _refuse_same_stems(files: Sequence[Path], derived: bool) -> None:
    stems = [f.stem for f in files]
    twice = next((s for s in stems if stems.count(s) > 1), None)
    if derived and twice is not None:
        raise InputError.of(
            where=twice, expected="files of different names, for rows are named file:row", got="this name twice",
            remedy="Rename one of them.",
        )  # fmt: skip
