"""`leadlift store migrate|check|backup`: the database that a running service keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.errors import InputError, UsageError, Verdict
from serving.console import JsonOption, Screen

UrlArgument = Annotated[
    str, typer.Argument(help="The store's URL: sqlite:///.leadlift/store.db, postgresql://user@host/name.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    store = typer.Typer(name="store", help="The store of a running service.", no_args_is_help=True)
    store.command("migrate")(migrate)
    store.command("check")(check)
    store.command("backup")(backup)
    app.add_typer(store)


def migrate(
    url: UrlArgument,
    name: Annotated[
        str | None,
        typer.Option(help="A new store's market; default the mapping's, or the file's or the database's name."),
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="How posted events are read: a tracker's mapping file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a store, or bring one to this program's version; with --mapping also say how its events are read."""
    from data.dataset import DatasetInfo
    from data.importers.tracker_mapping import tracker_mapping
    from data.store.database import name_of
    from data.store.store import make
    from serving.commands.tracker import check_texts

    screen = Screen(as_json)
    own = Path(name_of(url))
    plan = tracker_mapping(mapping, name, own)
    check_texts(plan.rules, plan.content, mapping or own)
    about = plan.file.dataset
    info = DatasetInfo(name=about.name, timezone=about.timezone or "UTC", currency=about.currency)
    before, after = make(url, info, plan if mapping is not None else None)
    if before == after:
        screen.say(f"{url} is of version {after}: nothing to migrate.")
    else:
        screen.say(f"{url}: from version {before} to {after}." if before else f"{url}: made, version {after}.")
    screen.next_steps(f"leadlift serve --store {url}")
    screen.result({"store": url, "before": before, "after": after})


def check(url: UrlArgument, as_json: JsonOption = False) -> None:
    """Is the store whole, and of this program's version? Exit 3 where it is not whole."""
    from data.store.schema import VERSION
    from data.store.store import faults

    screen = Screen(as_json)
    found = faults(url)
    screen.result({"store": url, "version": VERSION if not found else None, "faults": found})
    if found:
        raise Verdict(f"{url}: expected a whole store, got: {'; '.join(found[:3])}. Restore a backup.")
    screen.say(f"{url} is whole, version {VERSION}.")
    screen.next_steps(f"leadlift store backup {url} --to store-backup.db")


def backup(
    url: UrlArgument,
    to: Annotated[
        Path | None, typer.Option("--to", help="A new file of SQLite; default the store's name with the day.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a store, as it is at one moment, into a file of SQLite while it is in use.

    The copy is a store: serve or train from it, or bring all of it back with leadlift import sqlite:///COPY --to URL, where
    URL is a new store, on SQLite or on an empty database (or schema) of PostgreSQL.
    """
    from datetime import UTC, datetime

    from data.store.database import is_file, name_of, path_of, url_of
    from data.store.store import backup as copy

    screen = Screen(as_json)
    file = path_of(url) if is_file(url) else Path(f"{name_of(url)}.db")
    target = to or file.with_name(f"{file.stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}{file.suffix}")
    if target.exists():
        raise UsageError(f"--to {target}: expected a new file, got one that is there. Name another.")
    if not target.absolute().parent.is_dir():
        raise InputError.of(
            where=f"--to {target}", expected="a folder that is there", got="none", remedy="Make it first."
        )
    copy(url, target)
    screen.say(f"{target}: a copy of {url}.")
    screen.next_steps(
        f"leadlift store check {url_of(target)}",
        f"leadlift import {url_of(target)} --to URL   (all of it in a new store)",
    )
    screen.result({"store": url, "to": str(target)})
