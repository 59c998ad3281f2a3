"""`leadlift status`: when each step of the nightly chain was last done; exit 3 where one needs attention."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset_file import duration
from data.errors import UsageError, Verdict
from data.records import DAY, MICROS
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption, MarketOption, TargetOption, market_or_only, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from serving.status import Step

UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
NEXT = {
    "import": "leadlift import FILES --to DATASET",
    "train": "leadlift train DATASET --promote",
    "rescore": "leadlift rescore DATASET --out SCORES",
    "publish": "leadlift rescore DATASET --out SCORES",
    "write-back": "leadlift writeback SCORES --for salesforce|hubspot --send",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status")(status)


def status(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset folder, or a store's URL; default the one of the latest training.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="What --out of leadlift rescore is; default where it wrote last.")
    ] = None,
    max_age: Annotated[
        str, typer.Option(help="The age above which a nightly step is stale: 26h, 90min, 2d. Training: \\[monitor].")
    ] = "26h",
    market: MarketOption = None,
    target: TargetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """When data was imported, a model trained, leads rescored, scores published and written back. Exit 3 when stale."""
    from serving.status import Where, steps

    screen, limit = Screen(as_json), _limit(max_age)
    settings = load_settings(config) if dataset is None else settings_for(dataset, config)
    name, target = market_or_only(settings, market), target or settings.training.target
    where = Where(settings.home, name, target, dataset, _scores(out, settings, name, target))
    found, now = steps(where, limit, settings.monitor.max_model_age_days * DAY), time.time_ns() // 1000
    rows = [(s.name, _age(s, now), _counts(s), s.state(now), s.note) for s in found]
    screen.table(f"Market {name}, target {target}", ("step", "age", "counts", "verdict", "what"), rows, left=5)
    bad = [s for s in found if s.state(now) not in ("fresh", "not used")]
    screen.result({
        "market": name, "target": target, "max_age_seconds": limit // MICROS, "ok": not bad,
        "steps": [_document(s, now) for s in found],
    })  # fmt: skip
    screen.next_steps(*(dict.fromkeys(NEXT[s.name.partition(" ")[0]] for s in bad) or ["nothing: all is fresh"]))
    if bad:
        raise Verdict(f"{name}: " + "; ".join(_said(s, now) for s in bad) + ". Each line above says what was found.")


def _limit(text: str) -> int:
    try:
        return duration(text)
    except ValueError as bad:
        raise UsageError(f"--max-age: {bad}.") from None


def _scores(out: str | None, settings: Settings, market: str, target: str) -> Any:
    from serving.commands.rescore import goal_of

    return None if out is None else goal_of(out, settings, market, target).folder


def _age(step: Step, now: int) -> str:
    """In its two largest units, `1d 2h`; `-` = never."""
    age = step.age(now)
    if age is None:
        return "-"
    return _written(age // MICROS)


def _written(seconds: int) -> str:
    parts, rest = [], seconds
    for unit, size in UNITS:
        count, rest = divmod(rest, size)
        if count or (parts and len(parts) < 2):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def _counts(step: Step) -> str:
    shown: Sequence[tuple[str, int]] = list(step.counts.items())[:4]
    return ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in shown)


def _said(step: Step, now: int) -> str:
    state = step.state(now)
    return f"{step.name} is stale: {_age(step, now)} old" if state == "stale" else f"{step.name}: {state}"


def _document(step: Step, now: int) -> dict[str, Any]:
    age = step.age(now)
    return {
        "step": step.name,
        "at": None if step.at is None else datetime.fromtimestamp(step.at / 1e6, UTC).isoformat(timespec="seconds"),
        "age_seconds": None if age is None else age // MICROS,
        "limit_seconds": step.limit // MICROS,
        "counts": step.counts,
        "verdict": step.state(now),
        "what": step.note,
    }
