"""`leadlift serve`: the BentoML service in this process's place."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from data.errors import StoreError, UsageError
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption, TargetOption
from serving.console import Screen


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; default 3000.")] = None,
    market: Annotated[str | None, typer.Option(help="Market; default the only one in the home.")] = None,
    target: TargetOption = None,
    store: Annotated[str | None, typer.Option(help="URL of the store; default store.db in the home.")] = None,
    config: ConfigOption = None,
) -> None:
    """Answer POST /v1/score over HTTP with BentoML until stopped."""
    from serving.champion import market_of_environment, markets
    from serving.counter import open_store, store_url

    settings = load_settings(config, options={"serving.host": host, "serving.port": port, "serving.store": store})
    name = market or market_of_environment(settings)[0]
    if name is None and markets(settings.home):
        raise UsageError(f"--market: expected one of {', '.join(markets(settings.home))}, got none.")
    screen = Screen()
    try:
        open_store(settings, name)
    except StoreError as silent:  # a server that is down, a file that is locked: it comes back
        screen.say(f"The store does not answer; only what requests bring is used until it does. {silent}")
    address, number = settings.serving.host, settings.serving.port
    _refuse_taken(address, number)
    screen.say(f"Leadlift answers for {name or 'no market yet: points only'} on http://{address}:{number} in a moment.")
    screen.say(_who_may_call(settings))
    screen.next_steps(
        f"curl http://{address}:{number}/readyz",
        f"curl http://{address}:{number}/v1/score?detail=full -H 'Content-Type: application/json' "
        '-d \'{"title":"Head of Marketing","employees":250}\'',
        "Ctrl-C stops it",
    )
    sys.stdout.flush()
    os.execve(
        sys.executable,
        [sys.executable, "-m", "serving.keeper", address, str(number)],
        _environment(settings, name, target or settings.training.target, config, store_url(settings)),
    )


def _who_may_call(settings: Settings) -> str:
    from serving.access import is_local
    from serving.keys import ever_created

    if ever_created(settings.home):
        return "Callers need a key: Authorization: Bearer KEY. See leadlift keys list."
    if is_local(settings.serving.host):
        return (
            "No key was ever made: whoever is on this machine is answered. "
            "leadlift keys create --name NAME --scope score ends that at once."
        )
    return "No key was ever made and others can reach the address: nobody is answered before leadlift keys create."


def _refuse_taken(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as bad:
            raise UsageError(f"--host {host} --port {port}: cannot listen there: {bad.strerror}.") from None


def _environment(
    settings: Settings, market: str | None, target: str, config: Path | None, store: str
) -> dict[str, str]:
    """What the service process reads; the checkout is on its path wherever it is started from."""
    checkout = str(Path(__file__).resolve().parents[2])
    extra = {
        "LEADLIFT_HOME": str(settings.home.resolve()),
        "LEADLIFT_TARGET": target,
        "LEADLIFT_SERVING__HOST": settings.serving.host,
        "LEADLIFT_SERVING__STORE": store,
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONPATH": os.pathsep.join(filter(None, [checkout, os.environ.get("PYTHONPATH", "")])),
    }
    if market is not None:
        extra["LEADLIFT_MARKET"] = market
    if config is not None:
        extra["LEADLIFT_CONFIG"] = str(config.resolve())
    return {**os.environ, **extra}
