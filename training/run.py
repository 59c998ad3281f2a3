"""One training, told from start to end."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from data import packaged
from data.dataset import Dataset
from data.errors import UsageError
from data.settings import Settings
from features.golden import DIGESTS
from training import assemble, calendar, card, figures, gate, registry, tracking
from training.bundle import Bundle, canary_text, make_bundle
from training.calibration import Spread, to_json
from training.candidates import FittedCandidate, fit, refit_log_odds, steps
from training.evaluate import ece_limit, log_loss_gain, reliability, slices
from training.judging import POINTS, Judgement, judged, rows_of
from training.models import Recipe, Rows
from training.rules import Rules
from training.snapshots import policy_of
from training.splits import Split, declared_split, split_of

SPREAD_ROWS = 4_000
CANARY_ROWS = 5


@dataclass(frozen=True)
class Request:
    """What a person asked for; `progress(what, total)` gives a function that advances."""

    market: str
    target: str
    as_of: int | None
    trials: int
    seed: int
    progress: Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True)
class Training:
    """What came out: the bundle, its folder and MLflow number, and everything that was found."""

    bundle: Bundle
    folder: Path
    number: int
    judgement: Judgement
    calendar: list[calendar.Slice]
    split: Split
    verdict: gate.GateVerdict
    counts: dict[str, int]

    def candidates(self) -> list[dict[str, Any]]:
        """The rows of the table, points first."""
        return [{"name": name, "metrics": {m: i.document() for m, i in metrics.items()}}
                for name, metrics in self.judgement.metrics.items()]  # fmt: skip


def train(dataset: Dataset, settings: Settings, request: Request) -> Training:
    """Snapshots, split, features, candidates, judging, gate, bundle, registry. Nothing is promoted here."""
    question = _question(dataset, settings, request)
    rules = Rules.from_yaml(
        dataset.rules_text() or registry.home_rules(settings.home, request.market) or packaged.rules_text()
    )
    frame = assemble.frame_of(dataset, question)
    split = _split(dataset, frame, settings, question)
    feature_set = assemble.fit_on(dataset, frame, split.turns[0].train, dataset.content_text())
    serving = registry.current_bundle(settings.home, request.market, request.target)
    table = assemble.table_of(dataset, frame, feature_set, rules, serving, request.progress("features", len(frame)))
    advance = request.progress("candidates", steps(request.trials) * len(split.turns))
    found = judged(
        frame, table, split, request.trials, request.seed, settings.training.threads, settings.training.bootstrap,
        _recipe_of(serving), lambda: advance(1),
    )  # fmt: skip
    rows = rows_of(frame, table, split.refit)
    fitted = found.fitted[0] if split.refit is split.turns[-1].train else fit(found.chosen[0], rows)
    spread = _spread(fitted, rows, settings.training.refits, request)
    verdict = _gate(frame, table, split, found, fitted, rules, settings)
    plan = calendar.calendar_of(frame, split, dataset.info.has_times)
    bundle = _bundle(dataset, request, question, rules, table, found, fitted, spread, rows, frame, plan, settings)
    training = Training(bundle, Path(), 0, found, plan, split, verdict, _counts(frame, split))
    return _record(dataset, settings, request, training, frame, table)


def _question(dataset: Dataset, settings: Settings, request: Request) -> assemble.Question:
    policy = policy_of(settings.snapshots)
    now = request.as_of if request.as_of is not None else (dataset.info.latest_arrival or 0) + 1
    salt = settings.training.judging_salt + "/" + request.market
    return assemble.Question(request.target, policy, now, salt, settings.snapshots.max_snapshots)


def _split(dataset: Dataset, frame: assemble.Frame, settings: Settings, question: assemble.Question) -> Split:
    if not dataset.info.has_times:
        order = assemble.order_column(dataset, dataset.info.split.order_by)
        return declared_split(dataset.info.split, frame.source_row, order)
    converted = frame.conversions(np.arange(len(frame)))
    share = settings.training.judging_share
    return split_of(frame.as_of, frame.label, frame.hashes, question.policy.horizon, share, converted)


def _recipe_of(bundle: Bundle | None) -> Recipe | None:
    if bundle is None:
        return None
    recipe = bundle.manifest["recipe"]
    return Recipe(recipe["kind"], recipe["settings"], bundle.manifest["seed"], recipe["threads"])


def _spread(fitted: FittedCandidate, rows: Rows, refits: int, request: Request) -> Spread:
    some = np.linspace(0, len(rows) - 1, min(SPREAD_ROWS, len(rows))).astype(np.int64)
    values = np.ascontiguousarray(rows.values[some])
    p = fitted.calibrator.apply(fitted.model.raw(values))
    advance = request.progress("refits for the interval", refits)
    return Spread.of(
        np.log(p / (1 - p)), refit_log_odds(fitted, rows, values, refits, request.seed, lambda: advance(1))
    )


def _gate(
    frame: assemble.Frame, table: assemble.Table, split: Split, found: Judgement, fitted: FittedCandidate,
    rules: Rules, settings: Settings,
) -> gate.GateVerdict:  # fmt: skip
    model = found.said[found.champion]
    bench, draws = found.bench, found.draws
    serving = found.said.get("champion")
    train = split.turns[0].train
    findings = gate.Findings(
        conversions=frame.conversions(train),
        gain_over_points=log_loss_gain(found.said[POINTS], model, bench, draws),
        gain_over_champion=log_loss_gain(serving, model, bench, draws) if serving else None,
        ece=found.metrics[found.champion]["ece"].value,
        ece_limit=ece_limit(model.probability, bench.weight, settings.training.seed),
        slices=slices(model, bench, {n: s[found.rows] for n, s in table.slices.items()}),
        suspects=gate.suspects(
            table.values[train], frame.label[train], table.feature_set.columns, settings.gate.max_auc_single
        ),
        size=gate.size_of(fitted.model),
        rules_approved=rules.approved,
    )
    return gate.verdict(findings, settings.gate)


def _bundle(
    dataset: Dataset, request: Request, question: assemble.Question, rules: Rules, table: assemble.Table,
    found: Judgement, fitted: FittedCandidate, spread: Spread, rows: Rows, frame: assemble.Frame,
    plan: list[calendar.Slice], settings: Settings,
) -> Bundle:  # fmt: skip
    import json

    learners = np.isin(frame.won_hashes, np.unique(rows.hashes))
    values = frame.won_values[learners]
    horizon = question.policy.horizon_days
    texts = fitted.model.files() | {
        "calibrator.json": to_json(fitted.calibrator, found.points, spread),
        "features.json": table.feature_set.to_json(),
        "rules.yaml": rules.text,
        "content.yaml": yaml.safe_dump(dict(table.feature_set.content), sort_keys=False, allow_unicode=True),
        "value.json": json.dumps({"count": len(values), "mean_minor": float(values.mean()) if len(values) else 0.0}),
        "canary.json": canary_text(fitted.model, rows.values[:CANARY_ROWS]),
        "card.md": _card(request, table, found, plan, horizon, settings),
    }
    about = {
        "market": request.market, "target": request.target, "horizon_days": horizon, "currency": dataset.info.currency,
        "candidate": found.champion, "seed": request.seed,
        "recipe": {"kind": fitted.recipe.kind, "settings": dict(fitted.recipe.settings), "threads": fitted.recipe.threads},
        "families": {n: DIGESTS[n] for n in table.feature_set.names if n in DIGESTS},
        "split": [vars(s) for s in plan],
    }  # fmt: skip
    return make_bundle(texts, about)


def _card(
    request: Request, table: assemble.Table, found: Judgement, plan: list[calendar.Slice], horizon: int, settings: Settings
) -> str:  # fmt: skip
    about = {
        "market": request.market, "target": request.target, "horizon_days": horizon, "candidate": found.champion,
        "refits": settings.training.refits, "features": len(table.feature_set.columns),
        "families": len(table.feature_set.names), "channels": table.feature_set.channel_rules_version,
        "content": table.feature_set.content_map.version,
        "explanation": "coefficients times standardised values" if found.champion == "logistic" else "TreeSHAP values",
    }  # fmt: skip
    lines = [
        f"{s.name}: {s.rows} rows of {s.leads} leads, {s.positives} positive, as_of {s.first} to {s.last}" for s in plan
    ]
    rows = [(name, {m: i.document() for m, i in metrics.items()}) for name, metrics in found.metrics.items()]
    return card.card_of(about, lines, rows)


def _counts(frame: assemble.Frame, split: Split) -> dict[str, int]:
    every = np.arange(len(frame))
    judge = np.concatenate([t.judge for t in split.turns])
    return {
        "snapshots": len(frame), "leads": len(np.unique(frame.lead)), "censored": int(np.isnan(frame.label).sum()),
        "cancelled": int(frame.cancelled.sum()), "conversions": frame.conversions(every),
        "train": len(split.turns[0].train), "train_conversions": frame.conversions(split.turns[0].train),
        "judging": len(judge), "judging_conversions": frame.conversions(judge), "refit": len(split.refit),
    }  # fmt: skip


def _record(
    dataset: Dataset, settings: Settings, request: Request, training: Training, frame: assemble.Frame, table: assemble.Table
) -> Training:  # fmt: skip
    """Keep the bundle in the home and everything else in MLflow."""
    found, bundle = training.judgement, training.bundle
    candidates = training.candidates()
    report = {
        "market": request.market, "target": request.target, "seed": request.seed, "champion": found.champion,
        "candidates": candidates, "counts": training.counts, "gate": training.verdict.document(),
        "split": {"kind": training.split.kind, "slices": [vars(s) for s in training.calendar]},
        "dataset": dataset.info.digest, "bundle": {"sha256": bundle.name},
    }  # fmt: skip
    folder = registry.keep(settings.home, bundle, report)
    registry.keep_rules(settings.home, request.market, bundle.files["rules.yaml"])
    bars = reliability(found.said[found.champion], found.bench, found.draws)
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    number = tracking.log(
        uri, settings.home, bundle, folder,
        params={"seed": request.seed, "trials": request.trials, "candidate": found.champion, "split": training.split.kind,
                "recipe": str(dict(found.chosen[0].recipe.settings))[:500], **_calibration_params(found)},
        metrics=_flat(candidates) | {f"count_{n}": float(c) for n, c in training.counts.items()},
        tags={"leadlift.bundle": bundle.name, "leadlift.dataset": dataset.info.digest, "leadlift.commit": _commit(),
              "leadlift.gate": "open" if training.verdict.open else "closed"},
        figures={"reliability": figures.reliability_figure(bars, found.champion),
                 "log_loss": figures.metrics_figure(candidates, "log_loss"),
                 "lift_at_10": figures.metrics_figure(candidates, "lift_at_10")},
        report=report,
    )  # fmt: skip
    return Training(bundle, folder, number, found, training.calendar, training.split, training.verdict, training.counts)


def _calibration_params(found: Judgement) -> dict[str, Any]:
    return {f"calibration_{k}": v for k, v in found.chosen[0].calibrator.document().items() if k in ("kind", "a", "b")}


def _flat(candidates: list[dict[str, Any]]) -> dict[str, float]:
    """MLflow metrics: `<candidate>.<metric>` with its `_low` and `_high`."""
    flat: dict[str, float] = {}
    for c in candidates:
        for metric, interval in c["metrics"].items():
            for part, value in interval.items():
                flat[f"{c['name']}.{metric}" + ("" if part == "value" else f"_{part}")] = value
    return flat


def _commit() -> str:
    """The commit of the checkout, or `unknown` outside of one."""
    here = Path(__file__).resolve().parent
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "unknown"


def market_of(dataset: Dataset, market: str | None) -> str:
    """`--market`, else the dataset's name."""
    name = market or dataset.info.name
    if not name:
        raise UsageError("--market: expected a name, got none, and the dataset has none. Pass --market NAME.")
    return name
