"""The gate is closed by each single reason, and says which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.settings import GateSettings
from training.evaluate import Interval
from training.gate import Findings, size_of, suspects, verdict
from training.models import Recipe, Rows

GOOD = Findings(
    conversions=400,
    gain_over_points=Interval(0.02, 0.01, 0.03),
    gain_over_champion=Interval(0.0, -0.001, 0.001),
    ece=0.01,
    ece_limit=0.015,
    slices=({"slice": "country", "value": "DE", "rows": 500, "predicted": 0.1, "observed": 0.12, "z": 1.0},),
    suspects={},
    size=(300, 15, 4),
)
OFF = {"slice": "country", "value": "DE", "rows": 500, "predicted": 0.1, "observed": 0.3, "z": 9.0}
SETTINGS = GateSettings()


def test_nothing_against_it_opens_the_gate() -> None:
    assert verdict(GOOD, SETTINGS).open


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gain_over_points": Interval(0.01, -0.001, 0.02)}, "does not beat the points"),
        ({"conversions": 299, "gain_over_points": Interval(-0.01, -0.02, -0.001)}, "worse than the points"),
        ({"gain_over_champion": Interval(-0.01, -0.02, -0.001)}, "worse than the champion"),
        ({"ece": 0.05}, "not calibrated"),
        ({"slices": (OFF,)}, "off for country DE"),
        ({"suspects": {"tags": 0.98}}, "possible leak: tags"),
        ({"leaks": ("column contract is filled for 100% of converted leads",)}, "possible leak: column contract"),
        ({"size": (9000, 15, 4)}, "too large to explain"),
        ({"rules_approved": False}, "not approved"),
    ],
)
def test_each_finding_alone_closes_it(change: dict[str, object], reason: str) -> None:
    found = verdict(replace(GOOD, **change), SETTINGS)  # type: ignore[arg-type]
    assert not found.open
    assert len(found.reasons) == 1
    assert reason in found.reasons[0]


def test_few_conversions_only_need_not_be_worse_than_the_points() -> None:
    assert verdict(replace(GOOD, conversions=299, gain_over_points=Interval(0.0, -0.01, 0.01)), SETTINGS).open


def test_the_ece_of_a_perfect_model_on_few_rows_is_allowed() -> None:
    found = verdict(replace(GOOD, ece=0.04, ece_limit=0.05), SETTINGS)
    assert found.open
    assert (found.document()["ece_limit"], verdict(GOOD, SETTINGS).document()["ece_limit"]) == (0.05, 0.02)


def test_a_column_that_holds_the_answer_is_named_also_when_only_its_absence_tells() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(2000) < 0.3).astype(float)
    values = np.column_stack([rng.random(2000), label + rng.normal(0, 0.05, 2000), np.where(label == 1, 5.0, np.nan)])
    assert set(suspects(values, label, ("clean", "leak", "filled_after"), 0.95)) == {"leak", "filled_after"}


def test_the_size_is_read_from_the_model_text() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3))
    rows = Rows(("a", "b", "c"), values, (values[:, 0] > 0).astype(float), np.ones(500), rng.random(500))
    trees, leaves, depth = size_of(Recipe("lightgbm", {"rounds": 7}).fit(rows))  # type: ignore[misc]
    assert (trees, depth) == (7, 4)
    assert 1 < leaves <= 15
