"""One training, told from start to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data import packaged
from data.dataset import Dataset, consenting
from data.errors import InputError, LeadliftError, UsageError
from data.settings import Settings, TrainingSettings
from training import assemble, calendar, gate, history, registry, search
from training.bundle import Bundle
from training.calibration import Spread, logit
from training.candidates import FittedCandidate, fit, steps
from training.evaluate import ece_limit, log_loss_gain
from training.evidence import Evidence, evidence_of
from training.judging import POINTS, SERVING, Judgement, judged, rows_of
from training.leaks import SINGLE, scan
from training.models import Rows
from training.packing import bundle_of
from training.periods import day
from training.recording import record
from training.refits import refit_log_odds
from training.result import Training
from training.rules import Rules
from training.selection import Selection, selected
from training.snapshots import policy_of
from training.splits import Split, declared_split, split_of
from training.work import Request, Work

SPREAD_ROWS = 4_000


def train(dataset: Dataset, settings: Settings, request: Request) -> Training:
    """Snapshots, split, features, candidates, judging, gate, bundle, registry. Nothing is promoted here.

    Raises
    ------
    InputError, SettingsError, UsageError
        for data or settings that cannot be used.
    Verdict
        where there is too little history to learn and judge.
    """
    search.check(request.trials)
    work = prepared(consenting(dataset, settings.privacy.require_consent), settings, request)
    advance = request.progress("candidates", steps(request.trials) * len(work.split.turns))
    found = judged(work, lambda: advance(1))
    rows = rows_of(work.frame, work.table, work.split.refit)
    again = work.split.refit is not work.split.turns[-1].train
    threads = settings.training.threads
    fitted = fit(found.chosen[:1], rows, threads)[0] if again else found.fitted[0]
    spread = _spread(fitted, rows, settings.training, request)
    evidence = evidence_of(work, found, scan(work))
    verdict = _gate(work, found, fitted, evidence)
    bundle = bundle_of(work, found, fitted, spread, rows, work.plan, evidence)
    low, high = spread.bounds(found.said[found.champion].probability)
    training = Training(
        bundle=bundle, folder=Path(), number=0, judgement=found, calendar=work.plan, split=work.split, verdict=verdict,
        counts=_counts(work.frame, work.split), clusters=work.clusters, trouble=work.trouble, evidence=evidence,
        refits=settings.training.refits, mean_width=float((high - low).mean()), notes=work.notes,
    )  # fmt: skip
    return record(work, training)


def prepared(dataset: Dataset, settings: Settings, request: Request) -> Work:
    question = question_of(dataset, settings, request)
    texts = (dataset.rules_text(), registry.home_rules(settings.home, request.market), packaged.rules_text())
    rules = Rules.from_yaml(next(t for t in texts if t))
    frame = assemble.frame_of(dataset, question)
    split = split_for(dataset, frame, settings, question)
    plan = calendar.calendar_of(frame, split, dataset.info.has_times)
    notes = calendar.notes_of(frame, split, question) if dataset.info.has_times else []
    request.calendar(split.kind, plan, notes)
    history.refuse_too_little(dataset, frame, split, question, settings.training.judging_share)
    # In fold turns every lead is judged by rows that others learned from: no part of the features may use labels.
    train, content, learn = split.turns[0].train, dataset.content_text(), split.kind == "time"
    feature_set, crossed, clusters = assemble.fit_on(dataset, frame, train, content, learn, settings.training.context)
    serving, trouble = _serving(settings, request)
    advance = request.progress("features", len(frame))
    table = assemble.table_of(dataset, frame, (feature_set, crossed), rules, serving, advance)
    kept = Selection()
    if learn:
        table, kept = selected(table, rows_of(frame, table, train), request.seed, settings.training.threads)
    return Work(
        dataset, settings, request, question, rules, frame, split, table, clusters, serving, trouble, plan, notes, kept
    )


def question_of(dataset: Dataset, settings: Settings, request: Request) -> assemble.Question:
    """What is asked of a dataset under these settings."""
    now = moment_of(dataset, request.as_of)
    salt = settings.training.judging_salt + "/" + request.market
    policy = policy_of(settings.snapshots)
    content = assemble.content_map(dataset) if policy.exclude_if_seen else None
    return assemble.Question(request.target, policy, now, salt, settings.snapshots.max_snapshots, content)


def moment_of(dataset: Dataset, as_of: int | None) -> int:
    """`--as-of`, else one microsecond after the latest arrival. A later moment would call the unknown "not converted"."""
    end = (dataset.info.latest_arrival or 0) + 1
    if as_of is not None and dataset.info.has_times and as_of > end:
        raise UsageError(
            f"--as-of: expected a moment up to the data's end, {day(end)}, got {day(as_of)}. "
            "Import newer data, or leave it out."
        )
    return end if as_of is None else as_of


def split_for(dataset: Dataset, frame: assemble.Frame, settings: Settings, question: assemble.Question) -> Split:
    """Who learns and who judges; a Verdict where there is too little of either."""
    if dataset.info.has_times:
        converted = frame.conversions(np.arange(len(frame)))
        share = settings.training.judging_share
        split = split_of(frame.as_of, frame.label, frame.hashes, question.policy.horizon, share, converted)
    else:
        order = _order_column(dataset, dataset.info.split.order_by)
        split = declared_split(dataset.info.split, frame.source_row, order)
    return split


def _serving(settings: Settings, request: Request) -> tuple[Bundle | None, str | None]:
    """The bundle that serves, to be beaten; one that cannot be read must not stand in the way of a new one."""
    try:
        return registry.current_bundle(settings.home, request.market, request.target), None
    except LeadliftError as trouble:
        return None, str(trouble)


def _spread(fitted: FittedCandidate, rows: Rows, how: TrainingSettings, request: Request) -> Spread:
    some = np.linspace(0, len(rows) - 1, min(SPREAD_ROWS, len(rows))).astype(np.int64)
    values = np.ascontiguousarray(rows.values[some])
    advance = request.progress("refits for the interval", how.refits)
    refits = refit_log_odds(fitted, rows, values, how.refits, request.seed, how.threads, lambda: advance(1))
    return Spread.of(logit(fitted.probability(values)), refits)


def _gate(work: Work, found: Judgement, fitted: FittedCandidate, evidence: Evidence) -> gate.GateVerdict:
    model, bench, draws = found.said[found.champion], found.bench, found.draws
    serving = found.said.get(SERVING)
    leaks = evidence.scan.leaks
    findings = gate.Findings(
        conversions=work.frame.conversions(work.split.turns[0].train),
        gain_over_points=log_loss_gain(found.said[POINTS], model, bench, draws),
        gain_over_champion=log_loss_gain(serving, model, bench, draws) if serving else None,
        ece=found.metrics[found.champion]["ece"].value,
        ece_limit=ece_limit(model.probability, bench, work.request.seed),
        slices=evidence.slices,
        suspects={leak.name: leak.figures["auc"] for leak in leaks if leak.kind == SINGLE},
        size=gate.size_of(fitted.model),
        rules_approved=work.rules.approved,
        leaks=[leak.reason for leak in leaks if leak.kind != SINGLE],
    )
    return gate.verdict(findings, work.settings.gate)


def _counts(frame: assemble.Frame, split: Split) -> dict[str, int]:
    every = np.arange(len(frame))
    judge = np.concatenate([t.judge for t in split.turns])
    return {
        "snapshots": len(frame), "leads": len(np.unique(frame.lead)), "converted_leads": frame.converted,
        **frame.left_out, "censored": int(np.isnan(frame.label).sum()), "sampled_out": frame.sampled_out,
        "cancelled": int(frame.cancelled.sum()), "conversions": frame.conversions(every),
        "train": len(split.turns[0].train), "train_conversions": frame.conversions(split.turns[0].train),
        "judging": len(judge), "judging_conversions": frame.conversions(judge), "refit": len(split.refit),
    }  # fmt: skip


def _order_column(dataset: Dataset, name: str) -> assemble.F64 | None:
    """A numeric lead column in the order of the frame of a table without times, or None where `name` is empty."""
    if not name:
        return None
    parts: list[assemble.F64] = []
    for people in dataset.people():
        column = people.leads.get(name)
        if not isinstance(column, np.ndarray):
            raise InputError.of(
                where="[split] order_by", expected="a declared number or time column", got=name,
                remedy="Declare it in [table.extra].",
            )  # fmt: skip
        parts.append(column.astype(np.float64))
    return np.concatenate(parts)


def market_of(dataset: Dataset, market: str | None) -> str:
    """`--market`, else the dataset's name."""
    name = market or dataset.info.name
    if not name:
        raise UsageError("--market: expected a name, got none, and the dataset has none. Pass --market NAME.")
    return name
