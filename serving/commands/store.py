"""`leadlift store migrate|check|backup`: the database that a running service keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from data.errors import InputError, UsageError, Verdict
from serving.console import JsonOption, Screen

UrlArgument = Annotated[str, typer.Argument(help="The store's URL, such as sqlite:///.leadlift/store.db.")]


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
        str | None, typer.Option(help="A new store's market; default the mapping's, or the file's name.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="How posted events are read: a tracker's mapping file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a store, or bring one to this program's version; with --mapping also say how its events are read."""
    from data.dataset import DatasetInfo
    from data.importers.tracker_mapping import tracker_mapping
    from data.store.database import path_of
    from data.store.store import make
    from serving.commands.tracker import check_texts

    screen = Screen(as_json)
    plan = tracker_mapping(mapping, name, path_of(url).with_suffix(""))
    check_texts(plan.rules, plan.content, mapping or path_of(url))
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
    """Is the file whole, and of this program's version? Exit 3 where it is not whole."""
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
    to: Annotated[Path | None, typer.Option("--to", help="A new file; default the store's name with the day.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a store while it is in use."""
    from datetime import UTC, datetime

    from data.store.database import path_of, url_of
    from data.store.store import backup as copy

    screen, file = Screen(as_json), path_of(url)
    target = to or file.with_name(f"{file.stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}{file.suffix}")
    if target.exists():
        raise UsageError(f"--to {target}: expected a new file, got one that is there. Name another.")
    if not target.absolute().parent.is_dir():
        raise InputError.of(
            where=f"--to {target}", expected="a folder that is there", got="none", remedy="Make it first."
        )
    copy(url, target)
    screen.say(f"{target}: a copy of {url}.")
    screen.next_steps(f"leadlift store check {url_of(target)}")
    screen.result({"store": url, "to": str(target)})
