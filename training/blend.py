"""Models of the same rows become one: lines add up to a line, forests to a forest. What is asked twice costs twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from training.predictors import BlendModel, LinearModel, Predictor, TreeModel

if TYPE_CHECKING:
    import lightgbm

_OF_FIT = ("coefficient", "missing", "bends", "offset", "intercept")  # of a line; the others belong to the rows


def blended(models: Sequence[Predictor], weights: Sequence[float]) -> BlendModel:
    """The mean in log-odds of models fitted to the same rows, with one line and one forest at most."""
    pairs = list(zip(models, weights, strict=True))
    lines = [(m, w) for m, w in pairs if isinstance(m, LinearModel)]
    forests = [(m, w) for m, w in pairs if isinstance(m, TreeModel)]
    parts = ([_one_line(lines)] if lines else []) + ([_one_forest(forests)] if forests else [])
    return BlendModel(tuple(m for m, _ in parts), tuple(w for _, w in parts))


def _one_line(lines: Sequence[tuple[LinearModel, float]]) -> tuple[Predictor, float]:
    if len(lines) == 1:
        return lines[0]
    whole = sum(w for _, w in lines)
    means = {name: sum(w / whole * getattr(m, name) for m, w in lines) for name in _OF_FIT}
    return replace(lines[0][0], **means), whole


def _one_forest(forests: Sequence[tuple[TreeModel, float]]) -> tuple[Predictor, float]:
    """All trees, the values of their leaves weighted; the text names the settings of the deepest."""
    if len(forests) == 1:
        return forests[0]
    from lightgbm.basic import _LIB, _safe_call  # its Python interface merges only while it trains

    whole = sum(w for _, w in forests)
    deepest, *others = sorted((_scaled(m.text, w / whole) for m, w in forests), key=_depth, reverse=True)
    for other in others:
        _safe_call(_LIB.LGBM_BoosterMerge(deepest._handle, other._handle))
    return TreeModel(deepest.model_to_string()), whole


def _scaled(text: str, factor: float) -> lightgbm.Booster:
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    for tree in booster.dump_model()["tree_info"]:
        for leaf in range(tree["num_leaves"]):
            value = booster.get_leaf_output(tree["tree_index"], leaf)
            booster.set_leaf_output(tree["tree_index"], leaf, factor * value)
    return booster


def _depth(booster: lightgbm.Booster) -> int:
    return int(booster.params.get("max_depth", -1))
