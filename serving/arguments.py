"""What commands share when they read their arguments: moments, markets, the settings of a dataset."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from data.dataset import store_url
from data.errors import UsageError
from data.settings import Settings, load_settings

ConfigOption = Annotated[Path | None, typer.Option(help="Settings file; default ./leadlift.toml.")]
DatasetArgument = Annotated[str, typer.Argument(help="A dataset folder, or a store's URL.")]
MarketOption = Annotated[
    str | None, typer.Option(help="Market; default the dataset's name, or the only one in the home.")
]
TargetOption = Annotated[
    str | None,
    typer.Option(help="What is predicted: converted, accepted, next_order; default \\[training] target."),
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_time(text: str, option: str, assume_utc: bool = False) -> int:
    """`2026-11-01T09:30:00Z` (or a date: its start, UTC) -> microseconds since 1970 UTC.

    A time without zone is refused, or with `assume_utc` taken as UTC.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: expected a moment such as 2026-11-01T09:30:00Z, got {text!r}.") from None
    if moment.tzinfo is None:
        if len(text) > 10 and not assume_utc:
            raise UsageError(
                f"{option}: expected a moment with a zone, got {text!r}. Add Z or an offset such as +01:00."
            )
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def settings_for(dataset: str | Path, config: Path | None) -> Settings:
    """The settings, with what the dataset itself says ranking above the defaults only."""
    text = _dataset_toml(dataset)
    return load_settings(config, dataset_toml=tomllib.loads(text) if text is not None else None)


def _dataset_toml(dataset: str | Path) -> str | None:
    url = store_url(dataset)
    if url is not None:
        from data.store.store import dataset_toml

        return dataset_toml(url)
    file = Path(dataset) / "dataset.toml"
    return file.read_text(encoding="utf-8") if file.exists() else None


def market_or_only(settings: Settings, market: str | None) -> str:
    """`--market`, else the only market in the home."""
    if market:
        return market
    found = sorted(f.parent.name for f in settings.home.glob("*/rules.yaml"))
    if len(found) != 1:
        got = ", ".join(found) if found else "none in the home"
        raise UsageError(f"--market: expected one market, got {got}. Pass --market NAME, or train first.")
    return found[0]
