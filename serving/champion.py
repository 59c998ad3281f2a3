"""Which scorer answers for a market: the promoted bundle, or the points rules where there is no sound one."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from data.dataset import ExtraColumn, Role
from data.errors import BundleError, InputError, LeadliftError, Verdict
from data.packaged import content_text, rules_text, source_categories
from data.records import EVENT, LEAD
from data.settings import Settings
from features.build import FeatureSet
from serving.scorer import Scorer
from training.bundle import Bundle, read_texts
from training.registry import current_bundle, history, home_rules, place
from training.rules import Rules

DEFAULT_TARGET = "converted"
BundleOf = Callable[[Path, str, str], Bundle | None]
_log = logging.getLogger("leadlift")


def scorer_of(bundle: Bundle) -> Scorer:
    """The scorer of a sound bundle."""
    return Scorer(
        target=bundle.target, horizon_days=bundle.horizon_days, currency=bundle.currency, rules=bundle.rules,
        feature_set=bundle.feature_set, bundle=bundle, market=bundle.market,
    )  # fmt: skip


def load_scorer(
    settings: Settings, market: str | None, target: str = DEFAULT_TARGET, bundle_of: BundleOf = current_bundle
) -> Scorer:
    """The scorer in force. Always answers: what is wrong with the model becomes a warning, never an error.

    bundle_of: reads the serving bundle of a home, market and target.
    """
    if market is None:
        return _points_scorer(settings, None, target, "no_market")
    try:
        bundle = bundle_of(settings.home, market, target)
    except (LeadliftError, OSError, ValueError) as broken:
        _log.error("market %s: %s", market, broken)
        return _points_scorer(settings, market, target, "model_broken")
    if bundle is None:
        return _points_scorer(settings, market, target, "no_model")
    if not bundle.rules.approved:
        return _points_scorer(settings, market, target, "rules_unapproved")
    return scorer_of(bundle)


def champion(settings: Settings, market: str, target: str = DEFAULT_TARGET) -> Scorer:
    """The scorer of the promoted bundle, for work that must not fall back to the points.

    Raises
    ------
    Verdict
        where nothing is promoted, or what is promoted is broken or has unapproved points.
    """
    remedy = "Run leadlift train and leadlift promote; nothing was written."
    try:
        bundle = current_bundle(settings.home, market, target)
    except (BundleError, InputError) as broken:
        raise Verdict(f"market {market}, target {target}: no valid champion. {broken}") from None
    if bundle is None:
        raise Verdict(f"market {market}, target {target}: expected a promoted model, got none. {remedy}")
    if not bundle.rules.approved:
        raise Verdict(f"market {market}, target {target}: the champion's points file is not approved. {remedy}")
    return scorer_of(bundle)


def markets(home: Path) -> list[str]:
    """The markets of a home: folders with rules or a target."""
    folders = [f for f in home.glob("*") if f.is_dir() and not f.name.startswith(".")] if home.is_dir() else []
    return sorted(f.name for f in folders if (f / "rules.yaml").exists() or any(f.glob("*/current.json")))


def market_of_environment(settings: Settings) -> tuple[str | None, str]:
    """Market and target a service answers for: LEADLIFT_MARKET, LEADLIFT_TARGET, else the only market of the home
    and the configured target."""
    target = os.environ.get("LEADLIFT_TARGET") or settings.training.target
    named = os.environ.get("LEADLIFT_MARKET")
    if named:
        return named, target
    known = markets(settings.home)
    return (known[0] if len(known) == 1 else None), target


def _points_scorer(settings: Settings, market: str | None, target: str, reason: str) -> Scorer:
    warnings = [reason]
    for rules, feature_set in _rules_in_order(settings.home, market, target, warnings):
        if rules.approved:
            return Scorer(
                target=target, horizon_days=settings.snapshots.horizon_days, currency=None, rules=rules,
                feature_set=feature_set, warnings=tuple(dict.fromkeys(warnings)), market=market,
            )  # fmt: skip
        warnings.append("rules_unapproved")
    raise AssertionError("the packaged points file is approved")


def _rules_in_order(
    home: Path, market: str | None, target: str, warnings: list[str]
) -> Iterator[tuple[Rules, FeatureSet]]:
    """Rules of the last sound release, else the home's, else the packaged ones; what is skipped becomes a warning."""
    if market is not None:
        for bundle in _sound_releases(home, market, target):
            kept = bundle.feature_set
            yield bundle.rules, FeatureSet((), kept.extra, {}, kept.content, kept.categories)
        try:
            text = home_rules(home, market)
            if text is not None:
                rules = Rules.from_yaml(text)
                yield rules, _packaged_features(rules)
        except (LeadliftError, OSError, ValueError):
            warnings.append("rules_broken")
    warnings.append("rules_packaged")
    rules = Rules.from_yaml(rules_text())
    yield rules, _packaged_features(rules)


def _sound_releases(home: Path, market: str, target: str) -> Iterator[Bundle]:
    """Promoted bundles whose texts can still be read, the latest first; their models are not touched."""
    try:
        versions = [e["version"] for e in history(home, market, target) if e["step"] == "done"]
    except (LeadliftError, OSError, ValueError, KeyError):
        return
    for version in dict.fromkeys(reversed(versions)):
        try:
            yield read_texts(place(home, market, target) / "releases" / str(version))
        except (LeadliftError, OSError, ValueError):
            continue


def _packaged_features(rules: Rules) -> FeatureSet:
    """No features, only what points need: the packaged content map, and the declared columns the rules look at."""
    content: dict[str, Any] = yaml.safe_load(content_text())
    return FeatureSet((), tuple(_declared_by(rules)), {}, content, source_categories())


def _declared_by(rules: Rules) -> Iterator[ExtraColumn]:
    standard = {c.name for c in (*LEAD.columns, *EVENT.columns)}
    engagement = {r.column for r in rules.file.engagement}
    for name in rules.columns:
        if name not in standard:
            role: Role = "behaviour_total" if name in engagement else "attribute"
            yield ExtraColumn(name, "number" if _is_number(rules, name) else "text", role)


def _is_number(rules: Rules, column: str) -> bool:
    """Whether the rules compare the column with numbers."""
    found = False
    for rule in (*rules.file.fit, *rules.file.engagement):
        if rule.column == column:
            compared = [rule.equals, *(rule.in_ or [])]
            found |= rule.at_least is not None or rule.between is not None
            found |= any(isinstance(c, int | float) for c in compared)
    return found
