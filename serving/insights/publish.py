"""Preparing the page: one edition of tables and columns, put into the home whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import Consenting, Dataset
from data.errors import InputError, Verdict
from data.files import replace_text, sync
from data.records import DAY
from data.settings import Settings
from features.channels import CHANNELS
from serving.champion import load_scorer
from serving.insights import prepared_tables
from serving.insights.choice import TARGETS
from serving.insights.edition import ABOUT, CELLS, CURRENT, FOLDER, FORMAT, LEADS, NUMBERS, OPEN, TABLES, WHOLE, part_in
from serving.insights.flow import most_seen
from serving.insights.number_tables import number_tables
from serving.insights.path_extras import Extras, extra_tables
from serving.insights.plan import PLAN, Plan
from serving.insights.rows import whole_of
from serving.insights.tables import Table
from serving.path_scores import said_on_paths
from serving.reply import time_text
from training import registry
from training.content_effect import effect_rows
from training.content_paths import NO_CHANNEL
from training.landmarks import Landmark
from training.path_targets import LEAD, OUTCOME, TARGET_MQL
from training.prepared import Columns, Judged, prepare
from training.prepared_names import BYS
from training.rules_rows import rules_in_force
from training.snapshots import policy_of
from training.trails import Asked


def publish(dataset: Dataset, settings: Settings, now: int, plan: Plan, advance: Callable[[int], None]) -> Path:
    """Prepare all targets of a dataset that can be told, and make them the ones that the page shows.

    Returns the folder. advance: hears of each target done.

    Raises
    ------
    Verdict
        where nothing has matured for any target.
    """
    market = dataset.info.name
    root = registry.place(settings.home, market, FOLDER)
    staged = root / ".staged"
    shutil.rmtree(staged, ignore_errors=True)
    write_edition(staged, dataset, settings, now, plan, TARGETS, advance)
    run = _digest(staged)
    if not (root / run).exists():
        staged.rename(root / run)
    shutil.rmtree(staged, ignore_errors=True)
    sync(root)
    before = _run_of(root)
    replace_text(root / PLAN, json.dumps(asdict(plan)))
    replace_text(root / CURRENT, json.dumps({"run": run}))
    for old in root.iterdir():  # the one before stays for who is reading it
        if old.is_dir() and old.name not in (run, before):
            shutil.rmtree(old)
    return root / run


def write_edition(
    folder: Path, dataset: Dataset, settings: Settings, now: int, plan: Plan, targets: Sequence[str],
    advance: Callable[[int], None],
) -> None:  # fmt: skip
    """The files of an edition. Targets that nobody has matured for, or that may not be told, are left out.

    Raises
    ------
    Verdict, InputError
        where no target is left: that of the last one.
    """
    folder.mkdir(parents=True)
    parts: dict[str, dict[str, Any]] = {}
    tables: list[Table] = []
    failed: Exception | None = None
    for target in targets:
        if not (target == LEAD and isinstance(dataset, Consenting)):
            try:
                parts[target], told = _part(folder / target, dataset, settings, now, plan, target)
                tables += told
            except (Verdict, InputError) as why:
                failed = why
        advance(1)
    if failed and not parts:
        raise failed
    told, known = number_tables(folder / NUMBERS, dataset, settings, now)
    about = _about(dataset, settings, now, plan) | {"targets": parts, "numbers": known}
    _write(folder / ABOUT, about)
    _write(folder / TABLES, [t.document() for t in (*tables, *told)])


def _part(
    folder: Path, dataset: Dataset, settings: Settings, now: int, plan: Plan, target: str
) -> tuple[dict[str, Any], list[Table]]:
    """One target into its folder: what is known of it, and its tables."""
    asked = _asked(dataset, settings, now, plan, target)
    extras, judged = Extras.of(dataset, asked), _judged(settings, dataset.info.name, target)
    found = prepare(dataset, asked, plan.steps, judged, extras.also, extras.stands)
    _write_columns(folder, found.columns)
    _write_columns(folder / OPEN, found.open_columns)
    _write(folder / LEADS, list(found.lead_ids))
    (folder / LEADS).chmod(0o600)
    landmark_days = asked.landmark.number if asked.landmark.kind == "day" else 0
    through = now - asked.policy.maturity - asked.policy.first_look - landmark_days * DAY
    about = {
        "people": len(found.trails), "conversions": found.trails.conversions, "matured_through": time_text(through)[:10],
        "first_month": found.first_month, "months": found.months, "counts": asdict(found.counts), "names": found.names, "start": {by: most_seen(found.columns[f"walk_{by}"]) for by in BYS},
        "values": {**found.values, "channel": [NO_CHANNEL, *CHANNELS]}, "paths": found.paths, "topics": extras.topics.bands()[0], "bands": extras.names,
    }  # fmt: skip
    _write_columns(folder / CELLS, extras.cells(found))
    _write(folder / WHOLE, whole_of(part_in(folder, about), plan.support))
    effects = effect_rows(found.trails, plan.support)
    tables = prepared_tables.of_target(target, found.trails, effects, extras.activation)
    return about, tables + extra_tables(
        extras, dataset, settings, asked, found.trails, effects, plan.steps, plan.support
    )


def _asked(dataset: Dataset, settings: Settings, now: int, plan: Plan, target: str) -> Asked:
    market = dataset.info.name
    rules = rules_in_force(None, dataset, settings.home, market)[0] if target == TARGET_MQL else None
    said = said_on_paths(settings, dataset, target, None)
    policy, landmark = policy_of(settings.snapshots), Landmark.parse(plan.landmark)
    return Asked(target, policy, now, landmark, "content", rules, said, settings.training.threads)


def _judged(settings: Settings, market: str, target: str) -> Judged:
    """The leads that the serving model has never seen; none where it was refitted on all."""
    outcome = OUTCOME.get(target, target)
    release = registry.current(settings.home, market, outcome)
    try:
        told = registry.judgement(settings.home, market, outcome, release.version) if release else {}
    except (InputError, ValueError, OSError):
        told = {}
    if told.get("split", {}).get("kind") != "time":
        return Judged()
    return Judged(settings.training.judging_salt + "/" + market, settings.training.judging_share)


def _about(dataset: Dataset, settings: Settings, now: int, plan: Plan) -> dict[str, Any]:
    scorer = load_scorer(settings, dataset.info.name)
    latest = dataset.info.latest_arrival
    policy = policy_of(settings.snapshots)
    return {
        "format": FORMAT, "market": dataset.info.name, "currency": dataset.info.currency, "as_of": time_text(now),
        "data_through": time_text(now - 1 if latest is None else min(latest, now - 1))[:10],
        "horizon_days": policy.horizon_days, **asdict(plan),
        "landmark_text": Landmark.parse(plan.landmark).text, "hot_probability": scorer.rules.hot_probability,
        "hot_points": scorer.rules.hot_points, "model": scorer.bundle.version if scorer.bundle else None,
    }  # fmt: skip


# -- files -----------------------------------------------------------------------------------------------------------
def _write_columns(folder: Path, columns: Columns) -> None:
    folder.mkdir(parents=True)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", column, allow_pickle=False)


def _write(file: Path, document: Any) -> None:
    file.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _digest(folder: Path) -> str:
    """A name for what is in the folder; everything is on the disk then."""
    total = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        total.update(str(file.relative_to(folder)).encode() + hashlib.sha256(file.read_bytes()).digest())
        sync(file)
    return total.hexdigest()[:16]


def _run_of(root: Path) -> str | None:
    try:
        return str(json.loads((root / CURRENT).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
