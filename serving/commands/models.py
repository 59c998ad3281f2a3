"""`leadlift train`, `models`, `promote`, `rollback`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset import open_dataset
from data.errors import UsageError, Verdict
from data.settings import Settings, load_settings
from serving.arguments import market_or_only, parse_time, settings_for
from serving.commands.train_report import show_evidence
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.result import Training

ConfigOption = Annotated[Path | None, typer.Option(help="Settings file; default ./leadlift.toml.")]
MarketOption = Annotated[
    str | None, typer.Option(help="Market; default the dataset's name, or the only one in the home.")
]
TargetOption = Annotated[str, typer.Option(help="Which outcome is predicted.")]

TABLE = (("AUC", "auc"), ("PR-AUC", "pr_auc"), ("log loss", "log_loss"), ("ECE", "ece"), ("lift at 10 %", "lift_at_10"))


def register(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("models")(models)
    app.command("promote")(promote)
    app.command("rollback")(rollback)


def train(
    dataset: Annotated[Path, typer.Argument(help="A dataset folder.")],
    as_of: Annotated[
        str | None, typer.Option(help="Train as if it were this moment; default just after the last arrival.")
    ] = None,
    target: TargetOption = "converted",
    market: MarketOption = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Settings of LightGBM to try.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed and data, same bundle.")] = None,
    promote: Annotated[bool, typer.Option(help="Serve the model if the gate is open; exit 3 if it is closed.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train, judge against the points, register in MLflow; with --promote also serve."""
    from training import run

    screen = Screen(as_json)
    opened = open_dataset(dataset)
    settings = settings_for(dataset, config)
    request = run.Request(
        market=run.market_of(opened, market),
        target=target,
        as_of=parse_time(as_of, "--as-of") if as_of else None,
        trials=trials or settings.training.trials,
        seed=settings.training.seed if seed is None else seed,
        progress=screen.advancing,
    )
    training = run.train(opened, settings, request)
    _show(screen, training)
    if promote and training.verdict.open:
        _promote(settings, request.market, target, training.bundle.version)
    screen.result(_document(training, request, promoted=promote and training.verdict.open))
    _next(screen, training, dataset, promote)
    if promote and not training.verdict.open:
        raise Verdict(
            f"the gate is closed: {'; '.join(training.verdict.reasons)}. Everything was kept, nothing promoted."
        )


def _show(screen: Screen, training: Training) -> None:
    from training.calendar import HEAD

    screen.table(f"Calendar of the split ({training.split.kind})", HEAD, [s.cells() for s in training.calendar], left=3)
    screen.say()
    rows = [[name, *(_cell(metrics[m]) for _, m in TABLE)] for name, metrics in training.judgement.metrics.items()]
    judge, leads = len(training.judgement.rows), training.counts["judging_conversions"]
    title = f"Judged on {judge:,} snapshots with {leads:,} converted leads; 90 % intervals by lead"
    screen.table(title, ("candidate", *(t for t, _ in TABLE)), rows)
    show_evidence(screen, training.evidence, training.judgement.champion)
    screen.say(f"\nChosen on training rows: {training.judgement.champion}. Bundle {training.bundle.version}, "
               f"MLflow version {training.number}.")  # fmt: skip
    for line in training.clusters.lines():
        screen.say(line)
    if training.trouble:
        screen.say(f"The release that serves now could not be compared: {training.trouble}")
    screen.say("Gate: open." if training.verdict.open else f"Gate: closed: {'; '.join(training.verdict.reasons)}.")
    if training.counts["train_conversions"] < 300:
        screen.say(
            f"{training.counts['converted_leads']} converted leads are few, with {training.counts['train_conversions']} "
            "of them to learn from: below 300 the points are the safer score."
        )


def _cell(interval: Any) -> str:
    digits = 2 if interval.value > 1 else 3 if interval.value > 0.1 else 4
    return f"{interval.value:.{digits}f} ({interval.low:.{digits}f}-{interval.high:.{digits}f})"


def _next(screen: Screen, training: Training, dataset: Path, promoted: bool) -> None:
    market = training.bundle.market
    if promoted and training.verdict.open:
        moment = "" if training.calendar[0].first else " --as-of 2026-01-01T00:00:00Z"
        screen.next_steps(f"leadlift serve --market {market}", f"leadlift rescore {dataset} --out scores{moment}")
    elif training.verdict.open:
        screen.next_steps(f"leadlift promote {training.bundle.version} --market {market}")
    else:
        screen.next_steps(f"leadlift models --market {market}", "more data, or other points: data/rules.yaml")


def _document(training: Training, request: Any, promoted: bool) -> dict[str, Any]:
    return {
        "market": request.market, "target": request.target, "seed": request.seed,
        "champion": training.judgement.champion, "candidates": training.candidates(), "counts": training.counts,
        "split": {"kind": training.split.kind, "slices": [vars(s) for s in training.calendar]},
        "bundle": {"path": str(training.folder), "sha256": training.bundle.name},
        "clusters": training.clusters.document(), "mlflow_version": training.number, "gate": training.verdict.document(), "promoted": promoted,
        "serving": training.serving(), "comparators": training.comparators(), **training.evidence.document(),
    }  # fmt: skip


def _promote(settings: Settings, market: str, target: str, version: str) -> None:
    from training import registry

    registry.promote(settings.home, market, target, version, _now(), _alias(settings, market, target))


def _alias(settings: Settings, market: str, target: str) -> Callable[[str], None]:
    from training import tracking

    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    return lambda version: tracking.set_alias(uri, settings.home, market, target, version)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def models(market: MarketOption = None, target: TargetOption = "converted", config: ConfigOption = None,
           as_json: JsonOption = False) -> None:  # fmt: skip
    """Trained versions, their judgement, which one serves, and the history of promotions."""
    from training import registry, tracking

    screen = Screen(as_json)
    settings = load_settings(config)
    name = market_or_only(settings, market)
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    registered = tracking.versions(uri, settings.home, name, target)
    serving = registry.current(settings.home, name, target)
    rows = [_row(settings, name, target, r, serving.version if serving else None) for r in registered]
    screen.table(f"Models of {name}, target {target}", ("version", "MLflow", "alias", "serves", "gate", "candidate", "log loss"),
                 [[str(c) for c in r.values()] for r in rows], left=6)  # fmt: skip
    history = registry.history(settings.home, name, target)
    for entry in (e for e in history if e["step"] == "done"):
        screen.say(f"{entry['at']}  {entry['action']}  {entry['version']}")
    aliased = next((r.version for r in registered if r.champion), None)
    if serving and aliased != serving.version:
        screen.say(
            f"The alias champion was moved by hand to {aliased}; {serving.version} serves until the next promote."
        )
    screen.result({"market": name, "target": target, "models": rows, "history": history,
                   "current": serving.version if serving else None, "alias": aliased})  # fmt: skip
    screen.next_steps(f"leadlift promote VERSION --market {name}", f"leadlift rollback --market {name}")


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


def promote(
    version: Annotated[str, typer.Argument(help="Version (first digits) or MLflow's number.")],
    market: MarketOption = None,
    target: TargetOption = "converted",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a trained version whose gate is open. Can be run again."""
    from training import tracking

    screen = Screen(as_json)
    settings = load_settings(config)
    name = market_or_only(settings, market)
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    wanted = tracking.resolve(tracking.versions(uri, settings.home, name, target), version)
    _promote(settings, name, target, wanted)
    screen.say(f"{wanted} serves {name}, target {target}.")
    screen.result({"market": name, "target": target, "current": wanted})
    screen.next_steps(f"leadlift serve --market {name}", f"leadlift rollback --market {name}")


def rollback(market: MarketOption = None, target: TargetOption = "converted", config: ConfigOption = None,
             as_json: JsonOption = False) -> None:  # fmt: skip
    """Serve the release before the current one again."""
    from training import registry

    screen = Screen(as_json)
    settings = load_settings(config)
    name = market_or_only(settings, market)
    release = registry.rollback(settings.home, name, target, _now(), _alias(settings, name, target))
    screen.say(f"{release.version} serves {name}, target {target}, again.")
    screen.result({"market": name, "target": target, "current": release.version})
    screen.next_steps(f"leadlift models --market {name}")
