"""`leadlift train` and `models`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset import open_dataset
from data.errors import UsageError, Verdict
from data.settings import Settings, load_settings
from serving.arguments import (
    ConfigOption,
    DatasetArgument,
    MarketOption,
    TargetOption,
    market_or_only,
    parse_time,
    settings_for,
)
from serving.commands.promote import AcceptOption, breaking_refusal, broken_inputs, look, put, refusal, refuse_blank
from serving.commands.train_report import show_evidence
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.calendar import Slice
    from training.result import Training

TABLE = (("AUC", "auc"), ("PR-AUC", "pr_auc"), ("log loss", "log_loss"), ("ECE", "ece"), ("lift at 10 %", "lift_at_10"))


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("models")(models)


def train(
    dataset: DatasetArgument,
    as_of: Annotated[
        str | None, typer.Option(help="Train as if it were this moment; default just after the last arrival.")
    ] = None,
    target: TargetOption = None,
    market: MarketOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Settings of LightGBM to try.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed and data, same bundle.")] = None,
    promote: Annotated[bool, typer.Option(help="Serve the model if the gate is open; exit 3 if it is closed.")] = False,
    accept_change: AcceptOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train, judge against the points, register in MLflow; with --promote also serve."""
    from training import run

    screen = Screen(as_json)
    refuse_blank(accept_change)
    opened = open_dataset(dataset)
    settings = settings_for(dataset, config)
    target = target or settings.training.target
    request = run.Request(
        market=run.market_of(opened, market),
        target=target,
        as_of=parse_time(as_of, "--as-of") if as_of else None,
        trials=trials or settings.training.trials,
        seed=settings.training.seed if seed is None else seed,
        progress=screen.advancing,
        calendar=lambda kind, slices, notes: _show_calendar(screen, kind, slices, notes),
    )
    training = run.train(opened, settings, request)
    _show(screen, training)
    change, refused = None, None
    if promote and training.verdict.open:
        broken = broken_inputs(screen, settings, training.bundle)
        change = look(screen, settings, training.bundle, dataset, request.as_of)
        refused = refusal(settings, change, accept_change) or breaking_refusal(broken, training.bundle.version)
        if refused is None:
            put(settings, request.market, target, training.bundle.version, accept_change)
    elif promote:
        refused = f"the gate is closed: {'; '.join(training.verdict.reasons)}. Everything was kept, nothing promoted."
    promoted = promote and refused is None
    screen.result(_document(training, request, promoted) | {"change": change.document() if change else None})
    _next(screen, training, dataset, promoted)
    if refused:
        raise Verdict(refused)


def _show_calendar(screen: Screen, kind: str, slices: Sequence[Slice], notes: Sequence[str]) -> None:
    from training.calendar import HEAD

    screen.table(f"Calendar of the split ({kind})", HEAD, [s.cells() for s in slices], left=3)
    for note in notes:
        screen.say(note)
    screen.say()


def _show(screen: Screen, training: Training) -> None:
    rows = [[name, *(_cell(metrics[m]) for _, m in TABLE)] for name, metrics in training.judgement.metrics.items()]
    judge, leads = len(training.judgement.rows), training.counts["judging_conversions"]
    title = f"Judged on {judge:,} snapshots with {leads:,} converted leads; 90 % intervals by lead"
    screen.table(title, ("candidate", *(t for t, _ in TABLE)), rows)
    show_evidence(screen, training.evidence, training.judgement.champion)
    screen.say(f"\nBundle {training.bundle.version}, MLflow version {training.number}.")
    for line in [*training.choice_lines(), *training.clusters.lines()]:
        screen.say(line)
    if training.trouble:
        screen.say(f"The release that serves now could not be compared: {training.trouble}")
    screen.say("Gate: open." if training.verdict.open else f"Gate: closed: {'; '.join(training.verdict.reasons)}.")
    if training.counts["train_conversions"] < 300:
        screen.say(
            f"{training.counts['converted_leads']} converted leads are few, with {training.counts['train_conversions']} "
            "of them to learn from: below 300 the model leans on the points."
        )


def _cell(interval: Any) -> str:
    digits = 2 if interval.value > 1 else 3 if interval.value > 0.1 else 4
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f}-{interval.high:.{digits}f})"


def _next(screen: Screen, training: Training, dataset: str, promoted: bool) -> None:
    market = training.bundle.market
    if promoted:
        moment = "" if training.calendar[0].first else " --as-of 2026-01-01T00:00:00Z"
        screen.next_steps(f"leadlift serve --market {market}", f"leadlift rescore {dataset} --out scores{moment}")
    elif training.verdict.open:
        screen.next_steps(f"leadlift promote {training.bundle.version} --market {market}")
    else:
        screen.next_steps(f"leadlift models --market {market}", "more data, or other points: data/rules.yaml")


def _document(training: Training, request: Any, promoted: bool) -> dict[str, Any]:
    bundle = {"path": str(training.folder), "sha256": training.bundle.name}
    return training.document(request.seed) | {"bundle": bundle, "mlflow_version": training.number, "promoted": promoted}


def models(
    market: MarketOption = None,
    target: TargetOption = None,
    at: Annotated[
        str | None, typer.Option(help="Which model was live then, such as 2026-11-17T10:00; UTC, or with +01:00.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trained versions, their judgement, which one serves, and the history of promotions."""
    from training import registry, tracking

    screen = Screen(as_json)
    settings = load_settings(config)
    name, target = market_or_only(settings, market), target or settings.training.target
    if at is not None:
        _live_at(screen, settings, name, target, at)
        return
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    registered = tracking.versions(uri, settings.home, name, target)
    serving = registry.current(settings.home, name, target)
    rows = [_row(settings, name, target, r, serving.version if serving else None) for r in registered]
    screen.table(f"Models of {name}, target {target}", ("version", "MLflow", "alias", "serves", "gate", "candidate", "log loss"),
                 [[str(c) for c in r.values()] for r in rows], left=6)  # fmt: skip
    history = registry.history(settings.home, name, target)
    for entry in (e for e in history if e["step"] == "done"):
        why = f"  accepted: {entry['accepted_change']}" if "accepted_change" in entry else ""
        screen.say(f"{entry['at']}  {entry['action']}  {entry['version']}{why}")
    aliased = next((r.version for r in registered if r.champion), None)
    if serving and aliased != serving.version:
        screen.say(
            f"The alias champion was moved by hand to {aliased}; {serving.version} serves until the next promote."
        )
    screen.result({"market": name, "target": target, "models": rows, "history": history,
                   "current": serving.version if serving else None, "alias": aliased})  # fmt: skip
    screen.next_steps(f"leadlift promote VERSION --market {name}", f"leadlift rollback --market {name}")


def _live_at(screen: Screen, settings: Settings, market: str, target: str, at: str) -> None:
    """What the history says of one moment. A promotion that was begun and not finished is not live."""
    from training import registry

    moment = datetime.fromtimestamp(parse_time(at, "--at", assume_utc=True) / 1e6, UTC)
    entry = registry.live_at(registry.history(settings.home, market, target), moment)
    when = moment.isoformat(timespec="seconds")
    if entry is None:
        screen.say(f"At {when} no model of {market}, target {target}, was live: points answered.")
    else:
        screen.say(f"At {when} {entry['version']} was live, since {entry['at']} ({entry['action']}).")
    screen.result({"market": market, "target": target, "at": when, "live": entry["version"] if entry else None,
                   "since": entry["at"] if entry else None, "action": entry["action"] if entry else None})  # fmt: skip
    screen.next_steps(f"leadlift models --market {market}")


def _row(settings: Settings, market: str, target: str, one: Any, serving: str | None) -> dict[str, Any]:
    from training import registry

    try:
        found = registry.judgement(settings.home, market, target, one.version)
    except UsageError:
        found = {"gate": {"open": False}, "champion": "not in this home", "candidates": []}
    loss = next(
        (c["metrics"]["log_loss"]["value"] for c in found["candidates"] if c["name"] == found["champion"]), None
    )
    return {
        "version": one.version, "mlflow_version": one.number, "alias": "champion" if one.champion else "",
        "serves": "yes" if one.version == serving else "", "gate": "open" if found["gate"]["open"] else "closed",
        "candidate": found["champion"], "log_loss": None if loss is None else round(loss, 4),
    }  # fmt: skip
