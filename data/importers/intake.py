"""What an import takes in: files by their content, the source they are of, the moment an export was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from data.dataset_file import time_text
from data.errors import InputError
from data.lake_manifest import SourceState, sha256_of
from data.lake_write import LakeWriter
from data.times import TimeError, TimeRule, parse


def split_known(
    writer: LakeWriter, files: Sequence[Path], moment_of: Callable[[Path], int | None] = lambda file: None
) -> tuple[list[Path], list[Path]]:
    """(files to read, files whose very content was imported before or is given twice).

    Two exports of different moments are two, even with the same content: something may have changed back.
    """
    new, known, seen = [], [], set(writer.manifest.files)
    for file in files:
        key = _key(file, moment_of(file))
        (known if key in seen else new).append(file)
        seen.add(key)
    return new, known


def note_file(writer: LakeWriter, file: Path, source: str, moment: int | None = None, restates: bool = False) -> None:
    """Remember a file that was read, so that the same content is not read again.

    Of a source that restates days the last content under a name counts: the first one may come back.
    """
    files, own = writer.manifest.files, (file.name, source)
    if restates:
        for key in [k for k, known in files.items() if known == own]:
            del files[key]
    files[_key(file, moment)] = own
    writer.manifest.sources[source].files += 1


def _key(file: Path, moment: int | None) -> str:
    stat = file.stat()
    return _digest(file, stat.st_size, stat.st_mtime_ns) + ("" if moment is None else f"@{moment}")


@lru_cache(maxsize=4096)
def _digest(file: Path, size: int, changed: int) -> str:
    """Asked for before and after the file is read; `size` and `changed` tell another content under its name."""
    return sha256_of(file)


def refuse_known_names(writer: LakeWriter, files: Sequence[Path], source: str) -> None:
    """Rows without an id are named file:row: another content under a name that was imported before is refused."""
    there = {Path(name).stem for name, of in writer.manifest.files.values() if of == source}
    twice = next((f for f in files if f.stem in there), None)
    if twice is not None:
        raise InputError.of(
            where=str(twice), expected="a new file name, for rows without an id are named file:row",
            got="the name of a file imported before", remedy="Rename it, or map an id column.",
        )  # fmt: skip


def export_moment(file: Path, pattern: str | None, as_of: int | None, zone: ZoneInfo | None) -> int | None:
    """When an export was made, in microseconds: as said, else by its file name; a day alone means its end.

    Raises
    ------
    InputError
        for a file whose name does not fit the pattern.
    """
    if as_of is not None or pattern is None:
        return as_of
    try:
        return parse(file.stem, TimeRule(zone or ZoneInfo("UTC"), end_of_day=True, format=pattern))
    except TimeError:
        example = datetime(2026, 3, 1, 2, tzinfo=UTC).strftime(pattern)
        raise InputError.of(
            where=str(file), expected=f'a name that says when it was exported, such as "{example}"', got=repr(file.stem),
            remedy="Rename it, correct exported in the mapping, or give --as-of.",
        ) from None  # fmt: skip


def note_export(file: Path, state: SourceState, moment: int | None) -> None:
    """Exports without a history of their own build one only in the order in which they were made."""
    if moment is None:
        return
    if state.exported_at is not None and moment < state.exported_at:
        raise InputError.of(
            where=str(file), expected=f"an export made at {time_text(state.exported_at)} or later, like the last one",
            got=time_text(moment), remedy="Import exports in the order of their moments, the missing one into a new folder.",
        )  # fmt: skip
    state.exported_at = moment
