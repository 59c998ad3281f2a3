"""The effects in a model card are those of the model: planted ones come first, with their sign."""

from __future__ import annotations

import numpy as np
import pytest

from training.coefficients import effects, table
from training.models import Recipe, Rows
from training.splits import lead_hash


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(2)
    n = 3000
    values = np.column_stack([rng.gamma(1, 20, n), rng.random(n) < 0.05, rng.normal(0, 1, n), np.full(n, 3.0)])
    values[rng.random(n) < 0.3, 2] = np.nan
    logit = 1.5 * np.log1p(values[:, 0]) - 2.0 * values[:, 1] - 4.0
    label = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float)
    hashes = lead_hash([str(i) for i in range(n)], "s")
    return Rows(("views", "student", "noise", "constant"), values.astype(float), label, np.ones(n), hashes)


def test_planted_effects_come_first_with_their_sign_and_a_constant_has_none(rows: Rows) -> None:
    found = effects(Recipe("logistic", {"C": 0.5}).fit(rows), rows.columns, rows.values)
    assert [e.column for e in found] == ["views", "student", "noise"]
    assert found[0].change > 2
    assert found[1].change < -1
    assert (found[1].low, found[1].high) == (0.0, 1.0)
    assert abs(found[2].change) < 0.5


def test_an_effect_is_the_change_of_the_log_odds_all_else_equal(rows: Rows) -> None:
    model = Recipe("logistic", {"C": 0.5}).fit(rows)
    first = effects(model, rows.columns, rows.values)[0]
    low, high = np.tile([0.0, 0.0, 0.0, 3.0], (2, 1))
    low[0], high[0] = first.low, first.high
    assert np.subtract(*model.raw(np.vstack([high, low]))) == pytest.approx(first.change, abs=1e-9)


def test_the_table_has_a_line_for_each_effect_shown(rows: Rows) -> None:
    found = effects(Recipe("logistic", {"C": 0.5}).fit(rows), rows.columns, rows.values)
    assert len(table(found).splitlines()) == 2 + len(found)
