"""`leadlift openapi`: the document the service answers at /openapi.json, without a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from data.errors import UsageError
from data.settings import load_settings
from serving.arguments import ConfigOption, MarketOption, TargetOption
from serving.console import JsonOption, Screen


def register(app: typer.Typer) -> None:
    app.command("openapi")(openapi)


def openapi(
    market: MarketOption = None,
    target: TargetOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write; default standard output.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The OpenAPI 3.0 document of what serves now, declared columns included: the bytes of /openapi.json."""
    from data.files import replace_text
    from serving.champion import load_scorer, market_of_environment, markets
    from serving.desk import Desk

    settings = load_settings(config)
    known, (only, configured) = markets(settings.home), market_of_environment(settings)
    name = market or only
    if name is None and known:
        raise UsageError(f"--market: expected one of {', '.join(known)}, got none.")
    document = Desk(load_scorer(settings, name, target or configured), settings.serving).openapi
    if out is None:
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
        return
    replace_text(out, document.decode())
    screen = Screen(as_json)
    screen.say(f"The interface of {name or 'no market yet'} is in {out}.")
    screen.result({"out": str(out), "market": name})
    screen.next_steps(f"give {out} to whoever builds the CRM's side; the service answers the same at /openapi.json")
