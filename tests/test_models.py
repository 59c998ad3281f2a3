"""Models: the same bits for one row and many, contributions that add up, the same seed the same text."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest

from training.booster import Booster
from training.candidates import choose, fit, log_loss, steps
from training.gate import size_of
from training.models import MAX_DEPTH, MAX_LEAVES, Recipe, Rows, fit_all
from training.predictors import Predictor, predictor_of
from training.refits import half, recipes_of
from training.search import FIXED
from training.splits import Validation, by_lead, lead_hash

SETTINGS = {"learning_rate": 0.1, "min_data_in_leaf": 10, "rounds": 40}


def _rows(n: int = 1500, k: int = 12) -> Rows:
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, 20.0, (n, k))
    values[rng.random((n, k)) < 0.2] = np.nan
    signal = np.where(np.isnan(values[:, 0]), -1.0, np.log1p(values[:, 0]) - 2.5) + (np.nan_to_num(values[:, 1]) > 20)
    label = (rng.random(n) < 1 / (1 + np.exp(1.5 - signal))).astype(float)
    hashes = lead_hash([str(i // 3) for i in range(n)], "s")
    return Rows(tuple(f"f{i}" for i in range(k)), values, label, np.ones(n), hashes)


ROWS = _rows()
BY_LEAD = Validation(by_lead(ROWS.hashes))


@pytest.fixture(scope="module", params=["logistic", "lightgbm", "blend"])
def model(request: pytest.FixtureRequest) -> Predictor:
    trees = [{"kind": "lightgbm", "settings": SETTINGS | more} for more in ({}, {"extra_trees": True})]
    blend = {"parts": [{"kind": "logistic", "settings": {"C": 0.1}}, *trees], "weights": [0.5, 0.25, 0.25]}
    settings = {"logistic": {"C": 0.1}, "lightgbm": SETTINGS, "blend": blend}
    return Recipe(request.param, settings[request.param]).fit(ROWS)


def test_one_row_and_many_give_the_same_bits(model: Predictor) -> None:
    many = model.raw(ROWS.values)
    one = np.array([model.raw(ROWS.values[i : i + 1])[0] for i in range(200)])
    assert np.array_equal(many[:200], one)


def test_threads_that_ask_one_model_at_once_get_their_own_rows_answers(model: Predictor) -> None:
    many = model.raw(ROWS.values)
    with ThreadPoolExecutor(4) as threads:
        each = list(threads.map(lambda i: model.raw(ROWS.values[i : i + 1])[0], [*range(len(many))] * 3))
    assert np.array_equal(np.tile(many, 3), each)


def test_contributions_add_up_to_the_log_odds(model: Predictor) -> None:
    raw, parts, base = model.explained(ROWS.values)
    assert np.array_equal(raw, model.raw(ROWS.values))
    assert np.allclose(parts.sum(axis=1) + base, raw, rtol=0, atol=1e-9)
    alone, parts_alone, _ = model.explained(ROWS.values[7:8])
    assert np.array_equal(alone[0], raw[7])
    assert np.array_equal(parts_alone[0], parts[7])


def test_lines_and_forests_of_a_blend_become_one_of_each_and_say_the_same() -> None:
    parts: list[dict[str, Any]] = [{"kind": "logistic", "settings": {"C": c}} for c in (0.01, 0.5)]
    deep = {"extra_trees": True, "max_depth": 6, "num_leaves": 20, "rounds": 7}
    parts += [{"kind": "lightgbm", "settings": SETTINGS | more} for more in ({}, deep)]
    weights = (0.1, 0.3, 0.4, 0.2)
    blend = Recipe("blend", {"parts": parts, "weights": list(weights)})
    apart = sum(w * p.fit(ROWS).raw(ROWS.values) for p, w in zip(blend.parts, weights, strict=True))
    together = blend.fit(ROWS)
    assert size_of(together) == (SETTINGS["rounds"] + 7, 20, 6)
    assert np.allclose(together.raw(ROWS.values), apart, rtol=0, atol=1e-12)
    assert sorted(together.files()) == ["blend.json", "linear.json", "model.txt"]
    for some, named in (([0, 1], "linear.json"), ([2, 3], "model.txt")):
        alone = Recipe("blend", {"parts": [parts[i] for i in some], "weights": [0.5, 0.5]}).fit(ROWS)
        assert sorted(alone.files()) == ["blend.json", named]


def test_the_files_give_the_same_model_back(model: Predictor) -> None:
    again = predictor_of(model.files())
    assert np.array_equal(again.raw(ROWS.values), model.raw(ROWS.values))
    assert again.files() == model.files()


def test_the_same_rows_and_seed_give_the_same_text() -> None:
    for kind, settings in (("logistic", {"C": 0.1}), ("lightgbm", SETTINGS | {"extra_trees": True})):
        recipe = Recipe(kind, settings, seed=3)
        assert recipe.fit(ROWS).files() == recipe.fit(ROWS).files()


def test_the_ctypes_predictor_is_bit_equal_to_lightgbm() -> None:
    text = Recipe("lightgbm", SETTINGS).fit(ROWS).files()["model.txt"]
    ours, theirs = Booster(text), lgb.Booster(model_str=text)
    assert np.array_equal(ours.raw(ROWS.values), theirs.predict(ROWS.values, raw_score=True))


def test_rows_of_another_width_are_refused(model: Predictor) -> None:
    with pytest.raises(ValueError, match=r"expected rows|broadcast"):
        model.raw(ROWS.values[:, :5])


def test_candidates_are_chosen_by_held_out_loss_and_beat_the_base_rate() -> None:
    seen: list[int] = []
    found = choose(ROWS, BY_LEAD, trials=2, seed=0, threads=1, advance=lambda: seen.append(1))
    base = np.full(len(ROWS), ROWS.label.mean())
    assert {c.name for c in found} == {"logistic", "lightgbm", "blend"}
    assert [c.loss for c in found] == sorted(c.loss for c in found)
    assert found[0].loss < log_loss(base, ROWS.label, ROWS.weight) - 0.01
    assert len(seen) == steps(2)


def test_held_out_predictions_are_not_the_training_fit() -> None:
    noise = Rows(ROWS.columns, ROWS.values, np.random.default_rng(5).permutation(ROWS.label), ROWS.weight, ROWS.hashes)
    found = choose(noise, BY_LEAD, trials=1, seed=0, threads=1, advance=lambda: None)
    base = log_loss(np.full(len(noise), noise.label.mean()), noise.label, noise.weight)
    assert min(c.loss for c in found) > base - 0.004
    assert fit(found[-1:], noise, threads=1)[0].calibrator == found[-1].calibrator


def test_trees_stay_inside_the_size_an_explanation_can_afford() -> None:
    for settings in (trees.parameters() for trees in FIXED):
        trees, leaves, depth = size_of(Recipe("lightgbm", settings | {"rounds": 5}).fit(ROWS)) or (0, 0, 0)
        assert trees == 5
        assert leaves <= MAX_LEAVES
        assert depth <= MAX_DEPTH


def test_a_part_is_the_change_of_the_mean_along_the_path() -> None:
    text = Recipe("lightgbm", SETTINGS).fit(ROWS).files()["model.txt"]
    _, parts, base = Booster(text).explained(ROWS.values[:20])
    trees = [t["tree_structure"] for t in lgb.Booster(model_str=text).dump_model()["tree_info"]]
    for row, found in zip(ROWS.values[:20], parts, strict=True):
        slow = np.zeros(len(row))
        for node in trees:
            while "split_feature" in node:
                before, feature = _mean(node)[0], node["split_feature"]
                node = node["left_child" if _goes_left(node, row[feature]) else "right_child"]
                slow[feature] += _mean(node)[0] - before
        assert np.allclose(found, slow, rtol=0, atol=1e-12)
    assert np.allclose(base, sum(_mean(t)[0] for t in trees), rtol=0, atol=1e-12)


def _goes_left(node: dict[str, Any], value: float) -> bool:
    if np.isnan(value) and node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(np.nan_to_num(value) <= node["threshold"])


def _mean(node: dict[str, Any]) -> tuple[float, int]:
    """Mean of the leaves below a node, weighted by their rows, and how many rows these are."""
    if "leaf_value" in node:
        return node["leaf_value"], node["leaf_count"]
    (a, n), (b, m) = (_mean(node[side]) for side in ("left_child", "right_child"))
    return (a * n + b * m) / (n + m), n + m


def test_a_half_holds_whole_leads_and_half_of_them() -> None:
    drawn = half(ROWS, seed=4)
    leads = np.unique(drawn.hashes)
    assert len(leads) == (len(np.unique(ROWS.hashes)) + 1) // 2
    assert np.array_equal(drawn.hashes, ROWS.hashes[np.isin(ROWS.hashes, leads)])


def test_fits_beside_each_other_are_the_fits_one_by_one() -> None:
    recipes = [Recipe("lightgbm", SETTINGS), Recipe("logistic", {"C": 0.1}), Recipe("lightgbm", SETTINGS, seed=1)]
    together = fit_all(recipes, ROWS, threads=2)
    assert [m.files() for m in together] == [r.fit(ROWS).files() for r in recipes]


def test_refits_of_a_blend_take_its_parts_in_turn_and_never_the_same_chance_twice() -> None:
    parts = [{"kind": "logistic", "settings": {"C": 0.1}}, {"kind": "lightgbm", "settings": SETTINGS}]
    found = recipes_of(Recipe("blend", {"parts": parts, "weights": [0.5, 0.5]}), 5)
    assert [r.kind for r in found] == ["logistic", "lightgbm", "logistic", "lightgbm", "logistic"]
    assert len({str(r) for r in found}) == 5
