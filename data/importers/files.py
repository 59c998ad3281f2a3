"""Which file belongs to which table of the mapping."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from data.errors import InputError, MappingError, UsageError
from data.mapping import Mapping


def assign_files(given: Sequence[str], mapping: Mapping) -> list[list[Path]]:
    """The files of each table of the mapping, in name order.

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
    for path, named in _expand(given):
        index = next((i for i, t in enumerate(tables) if fnmatch(path.name, t.match)), None)
        if index is None and named:
            index = 0 if len(tables) == 1 else None
            if index is None:
                _refuse(path, [t.match for t in tables])
        if index is not None:
            of_table[index].append(path)
    for table, files in zip(tables, of_table, strict=True):
        if not files:
            raise MappingError(
                f'{mapping.path}: no file matches "{table.match}" ({table.record}) among those given. '
                "Name the file, or correct match."
            )
        files.sort(key=lambda p: (p.name, str(p)))
        _refuse_same_stems(files, derived="lead_id" not in table.columns and "event_id" not in table.columns)
    return of_table


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


def _refuse(path: Path, patterns: Sequence[str]) -> None:
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
