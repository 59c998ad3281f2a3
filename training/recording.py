"""What is kept of a training: the bundle in the home, everything else in MLflow."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.dataset import lasting
from training import figures, registry, tracking
from training.evaluate import reliability
from training.judging import Judgement
from training.result import Training, candidate_rows, comparator_rows, serving_row
from training.work import Work


def record(work: Work, training: Training) -> Training:
    """Keep the bundle and its judgement, log the run, register the model; gives folder and MLflow number."""
    settings, request, bundle = work.settings, work.request, training.bundle
    report = training.document(request.seed) | {"dataset": work.dataset.info.digest}
    # Where the data lies is for this home alone: neither bundle nor MLflow name a path.
    folder = registry.keep(settings.home, bundle, report | {"dataset_path": lasting(work.dataset.place)})
    registry.keep_rules(settings.home, request.market, bundle.files["rules.yaml"])
    uri = tracking.tracking_uri(settings.mlflow.tracking_uri, settings.home)
    number = tracking.log(
        uri, settings.home, bundle, folder,
        params=_params(work, training), metrics=_metrics(training), tags=_tags(work, training),
        figures=_figures(training), report=report,
    )  # fmt: skip
    return replace(training, folder=folder, number=number)


def _params(work: Work, training: Training) -> dict[str, Any]:
    chosen = training.judgement.chosen[0]
    calibration = {f"calibration_{k}": v for k, v in chosen.calibrator.document().items() if k in ("kind", "a", "b")}
    return {
        "seed": work.request.seed, "trials": work.request.trials, "candidate": chosen.name,
        "split": training.split.kind, "recipe": str(dict(chosen.recipe.settings))[:500], **calibration,
    }  # fmt: skip


def _metrics(training: Training) -> dict[str, float]:
    """`<candidate>.<metric>` with its `_low` and `_high`, and the counts."""
    flat = {f"count_{name}": float(count) for name, count in training.counts.items()}
    flat["interval_mean_width"] = training.mean_width
    serving = serving_row(training.judgement)
    rows = candidate_rows(training.judgement) + ([{"name": "serving", "metrics": serving}] if serving else [])
    for row in rows:
        for metric, interval in row["metrics"].items():
            for part, value in interval.items():
                flat[f"{row['name']}.{metric}" + ("" if part == "value" else f"_{part}")] = value
    return flat


def _tags(work: Work, training: Training) -> dict[str, str]:
    return {
        "leadlift.bundle": training.bundle.name, "leadlift.dataset": work.dataset.info.digest,
        "leadlift.commit": _commit(), "leadlift.gate": "open" if training.verdict.open else "closed",
    }  # fmt: skip


def _figures(training: Training) -> dict[str, Any]:
    found: Judgement = training.judgement
    bars = reliability(found.said[found.champion], found.bench, found.draws)
    rows = [*candidate_rows(found), *comparator_rows(found)]
    return {
        "reliability": figures.reliability_figure(bars, found.champion),
        "log_loss": figures.metrics_figure(rows, "log_loss"),
        "lift_at_10": figures.metrics_figure(rows, "lift_at_10"),
        **figures.evidence_figures(training.evidence.document()),
    }


def _commit() -> str:
    """The commit of the checkout; `unknown` outside of one or without git."""
    command = ["git", "rev-parse", "HEAD"]
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
