"""`leadlift import FILES --suggest`: a first mapping, printed or written."""

from __future__ import annotations

import re
from pathlib import Path

from data.errors import UsageError
from data.files import replace_text
from serving.console import Screen


def draft(files: list[str], to: str | None, mapping: Path | None, screen: Screen) -> None:
    """Draft a mapping of these tables on standard output, or into `--mapping`, which must not be there yet."""
    from data.importers.files import named_files
    from data.importers.suggest import open_choices, suggest

    if mapping is not None and mapping.exists():
        raise UsageError(f"--mapping {mapping}: expected a new file for the draft, got one that exists. Name another.")
    paths = named_files(files)
    text = suggest(paths, _name(to, paths))
    choices = open_choices(text)
    if mapping is not None:
        replace_text(mapping, text)
    elif not screen.as_json:
        print(text)
    _say(choices, files, to, mapping, screen)
    screen.result({"mapping": text, "choices": choices, "written": str(mapping) if mapping else None})


def _say(choices: list[str], files: list[str], to: str | None, mapping: Path | None, screen: Screen) -> None:
    if screen.as_json or mapping is not None:
        for line in choices:
            screen.say(f"to fill in: {line}")
        place = mapping or "MAPPING.toml"
        screen.next_steps(f"leadlift import {' '.join(files)} --mapping {place} --to {to or 'DATASET'}")


def _name(to: str | None, paths: list[Path]) -> str:
    stem = Path(to).name if to else paths[0].parent.resolve().name
    return re.sub(r"[^a-z0-9_-]+", "_", stem.lower()).strip("_-")[:64] or "market"
