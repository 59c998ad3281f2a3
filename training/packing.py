"""From what training found to a bundle of texts. Nothing here depends on the clock, the machine or what serves now."""

from __future__ import annotations

import numpy as np
import yaml

from features.golden import DIGESTS
from training import card, coefficients, cold
from training.bundle import Bundle, canary_text, make_bundle
from training.calendar import Slice
from training.calibration import WIDER, Spread, to_json
from training.candidates import FittedCandidate
from training.evidence import Evidence
from training.judging import Judgement
from training.models import Rows
from training.result import candidate_rows, comparator_rows
from training.snapshots import LEFT_OUT
from training.value import Value
from training.value_fit import value_model
from training.work import Work

_HOW = {
    "logistic": "coefficients times standardised values",
    "lightgbm": "path attribution: the change of the mean along each row's path, summed over trees",
    "blend": "the weighted mean of its parts: coefficients times standardised values, and path attribution of trees",
}


def bundle_of(
    work: Work, found: Judgement, fitted: FittedCandidate, spread: Spread, rows: Rows, plan: list[Slice],
    evidence: Evidence,
) -> Bundle:  # fmt: skip
    """The bundle of the chosen candidate; `rows` are those it was fitted on."""
    value = value_model(work, work.split.refit)
    texts = (
        fitted.model.files()
        | {
            "calibrator.json": to_json(fitted.calibrator, found.points, spread),
            "features.json": work.table.feature_set.to_json(),
            "rules.yaml": work.rules.text,
            "content.yaml": yaml.safe_dump(dict(work.table.feature_set.content), sort_keys=False, allow_unicode=True),
            "canary.json": canary_text(fitted.model, canary_rows(rows.values)),
            "card.md": _card(work, found, plan, evidence, value),
        }
        | value.files()
    )
    recipe = fitted.recipe
    about = {
        "market": work.request.market, "target": work.request.target, "currency": work.dataset.info.currency,
        "horizon_days": work.question.policy.horizon_days, "candidate": found.champion, "seed": work.request.seed,
        "recipe": {"kind": recipe.kind, "settings": dict(recipe.settings)},
        "families": {n: DIGESTS[n] for n in work.table.feature_set.names if n in DIGESTS},
        "model_weight": cold.weight_of(work.frame.conversions(work.split.turns[0].train)), "held_out": work.held_out, "split": [vars(s) for s in plan],
    }  # fmt: skip
    return make_bundle(texts, about)


def canary_rows(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> np.ndarray[
    tuple[int, int], np.dtype[np.float64]
]:  # fmt: skip
    """Quantiles of each column and a row of unknowns: they reach every part of a model and are nobody's."""
    quantiles = coefficients.known_quantiles(values, (0.0, 0.25, 0.5, 0.75, 1.0))
    return np.vstack([quantiles, np.full(values.shape[1], np.nan)])


def _effects(work: Work, found: Judgement) -> list[coefficients.Effect]:
    """What the logistic candidate of the last turn says, on the rows it learned from."""
    model = next(f.model for f in found.fitted if f.name == "logistic")
    return coefficients.effects(model, work.table.feature_set.columns, work.table.values[work.split.turns[-1].train])


def _card(work: Work, found: Judgement, plan: list[Slice], evidence: Evidence, value: Value) -> str:
    features = work.table.feature_set
    about = {
        "market": work.request.market, "target": work.request.target, "candidate": found.champion,
        "horizon_days": work.question.policy.horizon_days, "refits": work.settings.training.refits, "wider": WIDER,
        "features": len(features.columns), "families": len(features.names),
        "channels": features.channel_rules_version, "content": features.content_map.version,
        "effects": coefficients.table(_effects(work, found)), "explanation": _HOW[found.champion], "clusters": "\n".join(work.clusters.lines()), "selection": work.selection.text(), "value": card.value_text(value),
        "evidence": card.evidence_text(evidence.document(), evidence.scan.lines(), [m.line() for m in evidence.mix]),
    }  # fmt: skip
    lines = [
        f"{s.name}: {s.leads} leads" if s.name in LEFT_OUT.values() else
        f"{s.name}: {s.rows} rows of {s.leads} leads, {s.positives} positive, as_of {s.first} to {s.last}" for s in plan
    ] + work.notes  # fmt: skip
    judged = [*candidate_rows(found), *comparator_rows(found)]
    return card.card_of(about, lines, [(c["name"], c["metrics"]) for c in judged])
