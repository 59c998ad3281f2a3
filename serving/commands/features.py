"""`leadlift features`: the catalogue, family by family."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from data.dataset import ExtraColumn, open_dataset
from features.catalog import families_for
from features.family import Family
from serving.console import JsonOption, Screen

COLUMNS = ("group", "family", "columns", "unit", "window", "null means")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("features")(features)


def features(
    dataset: Annotated[Path | None, typer.Argument(help="A dataset whose declared columns are listed too.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List what the models may look at: group, family, unit, window, and what an unknown value means."""
    screen = Screen(as_json)
    declared: tuple[ExtraColumn, ...] = open_dataset(dataset).info.extra if dataset else ()
    rows = [_row(family) for family in families_for(declared)]
    title = f"{len(rows)} families of features"
    screen.table(title, COLUMNS, [[str(row[key]) for key in _KEYS] for row in rows], left=len(COLUMNS))
    screen.say("columns: `fitted` means that training decides, by what its rows have.")
    screen.next_steps("leadlift train DATASET", "leadlift score --file lead.json --detail full")
    screen.result({"families": rows})


_KEYS = ("group", "name", "columns", "unit", "window", "null")


def _row(family: Family) -> dict[str, Any]:
    """What is told of a family; `columns` counts them, or says that training decides."""
    return {
        "group": family.group,
        "name": family.name,
        "columns": "fitted" if family.fit is not None or family.learn is not None else len(family.columns({})),
        "unit": family.unit,
        "window": family.window or "all",
        "null": family.null,
    }
