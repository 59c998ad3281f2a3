"""Files that readers see whole or not at all, and cells that a spreadsheet does not run."""

from __future__ import annotations

import os
from pathlib import Path

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def replace_text(file: Path, text: str, mode: int = 0o666) -> None:
    """Write a file so that readers see the old or the new one, also after a crash.

    mode: its permissions, less what the umask takes; 0o600 is for the owner alone.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    staging = file.with_name(f".{file.name}.{os.getpid()}")
    staging.unlink(missing_ok=True)  # what a killed process of this number left behind has permissions of its own
    try:
        with open(staging, "x", encoding="utf-8", newline="\n", opener=lambda f, flags: os.open(f, flags, mode)) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        staging.replace(file)
        sync(file.parent)
    finally:
        staging.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Force a file to the disk; for a folder, the names and renames inside it."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def safe_cell(text: str) -> str:
    """A text cell for a CSV: an apostrophe goes before what a spreadsheet would take for a formula."""
    return "'" + text if text.startswith(_FORMULA_STARTS) else text
