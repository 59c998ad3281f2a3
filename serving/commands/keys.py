"""`leadlift keys create|list|revoke`: who may call the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from data.settings import load_settings
from serving.arguments import ConfigOption
from serving.console import JsonOption, Screen

WAIT = "A running service sees it with the next request."


def register(app: typer.Typer) -> None:
    keys = typer.Typer(help="Keys of the service: make, list, revoke.", no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Option(help="What calls with it, such as crm; a name of its own.")],
    scope: Annotated[list[str], typer.Option(help="score, ingest, insights, leads or admin; may be repeated.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once; only a salted hash of it is kept."""
    from serving import keys

    screen = Screen(as_json)
    key, token = keys.create(load_settings(config).home, name, scope, _now())
    screen.say(f"Key {key.id} of {key.name}, for {', '.join(key.scopes)}. It is shown this once:")
    if not as_json:
        print(token)
    screen.say(f"From the first key on every caller needs one. {WAIT}")
    screen.result(key.shown() | {"key": token})
    screen.next_steps(f"Authorization: Bearer {keys.PREFIX}_{key.id}_...", f"leadlift keys revoke {key.id}")


def list_keys(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Keys with their scopes, the revoked ones too; never the keys themselves."""
    from serving import keys

    screen = Screen(as_json)
    found = keys.read_keys(load_settings(config).home)
    rows = [(k.id, k.name, ", ".join(k.scopes), k.created_at, k.revoked_at or "") for k in found]
    screen.table("Keys", ("id", "name", "scopes", "made", "revoked"), rows, left=5)
    screen.result({"keys": [k.shown() for k in found]})
    screen.next_steps("leadlift keys create --name NAME --scope score", "leadlift keys revoke ID")


def revoke(
    key: Annotated[str, typer.Argument(help="Id or name of a valid key.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a key at once, without a restart."""
    from serving import keys

    screen = Screen(as_json)
    ended = keys.revoke(load_settings(config).home, key, _now())
    screen.say(f"Key {ended.id} of {ended.name} is revoked. {WAIT}")
    screen.result(ended.shown())
    screen.next_steps("leadlift keys list")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
