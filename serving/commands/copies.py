"""`leadlift import STORE_URL --to FOLDER`, and `leadlift import FOLDER --to STORE_URL`: the same data kept otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.errors import UsageError
from serving.console import Screen


def asked(files: Sequence[str], to: str) -> bool:
    """Is a store among what is read or written?"""
    return "://" in to or any("://" in f for f in files)


def copy(files: Sequence[str], to: str, screen: Screen, options: Sequence[object]) -> None:
    """Copy one dataset into another kind of place; none of the `options` of an import means anything here."""
    source = files[0]
    from_store = "://" in source
    if len(files) != 1 or not (from_store or Path(source).is_dir()):
        raise UsageError(
            "--to: expected a store and a dataset folder, as in `import sqlite:///store.db --to FOLDER` or "
            "`import FOLDER --to sqlite:///store.db`, or two stores, got others. Import files into a folder first."
        )
    if any(option is not None for option in options):
        raise UsageError("--to: expected no other option where a store is copied, got some. Leave them out.")
    if from_store and "://" in to:
        from data.store.store import restore

        counts = restore(source, to)
    else:
        counts = _write(source, Path(to)) if from_store else _fill(Path(source), to)
    screen.table(f"copied to {to}", ("record", "rows"), [(name, f"{n:,}") for name, n in counts.items() if n])
    screen.next_steps(f"leadlift check {to}", f"leadlift train {to} --promote")
    screen.result({"to": to, "counts": counts})


def _fill(folder: Path, url: str) -> dict[str, int]:
    from data.lake import Lake
    from data.store.copies import read_folder
    from data.store.database import connect
    from data.store.store import make

    make(url, Lake(folder).info)
    with connect(url) as db:
        return read_folder(db, folder)


def _write(url: str, folder: Path) -> dict[str, int]:
    from data.lake import Lake
    from data.store import schema
    from data.store.copies import write_folder
    from data.store.database import connect

    with connect(url) as db:
        schema.refuse_other(db)
        write_folder(db, folder)
    return Lake(folder).info.counts
