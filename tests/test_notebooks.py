"""Notebooks run from top to bottom, define no functions of their own, and show what they promise."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("name", sorted(p.name for p in NOTEBOOKS.glob("*.py")))
def test_a_notebook_defines_no_functions_but_its_cells(name: str) -> None:
    tree = ast.parse((NOTEBOOKS / name).read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    assert functions
    assert {f.name for f in functions} == {"_"}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Mapping[str, Any]]:
    """Runs a notebook with a home of its own; the names its cells define."""

    def run(name: str) -> Mapping[str, Any]:
        settings = {
            "HOME": str(tmp_path),
            "TRAINING__REFITS": "2",
            "TRAINING__BOOTSTRAP": "20",
            "TRAINING__THREADS": "1",
        }
        for key, value in settings.items():
            monkeypatch.setenv(f"LEADLIFT_{key}", value)
        spec = importlib.util.spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # marimo's own
            spec.loader.exec_module(module)
            return dict(module.app.run()[1])

    return run


def test_the_retraining_notebook_compares_the_candidates_with_the_points(shown: Any) -> None:
    found = shown("retrain")
    assert list(found["table"].index) == ["points", "logistic", "lightgbm", "blend"]
    assert sum(b["rows"] for b in found["bars"]) == len(found["found"].rows)


def test_the_points_notebook_judges_points_model_and_suggestion_on_the_same_looks(shown: Any) -> None:
    found = shown("rules_vs_model")
    judgement, suggestion = found["found"], found["suggestion"]
    assert np.array_equal(judgement.rows, suggestion.judged.rows)
    assert np.array_equal(judgement.said["points"].score, suggestion.judged.totals[0])
    assert list(found["disagreeing"].index) == ["both_hot", "model_only", "points_only", "both_cold"]
    assert found["disagreeing"]["looks"].sum() == len(judgement.rows)
    assert all(curve[0] == (0, 0) and curve[-1] == (1, 1) for curve in found["curves"].values())
    assert len(found["curves"]) == 3


def test_the_paths_notebook_shows_the_paths_of_the_command(
    shown: Any, leadlift_at: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leadlift, folder = leadlift_at(), str(tmp_path / "market")
    assert leadlift("simulate", folder, "--leads", "4000", "--days", "300", "--seed", "1")[0] == 0
    code, told, _ = leadlift("paths", folder)
    assert code == 0
    monkeypatch.setenv("LEADLIFT_NOTEBOOK_DATASET", folder)
    rows = [r.document() for r in shown("content_paths")["report"].rows]
    figures = ("people", "conversions", "rate", "low", "high", "lift_low", "lift_high", "q", "claimed")
    assert [r["path"] for r in rows] == [r["path"] for r in told["rows"]]
    assert [[r[n] for n in figures] for r in rows] == [[r[n] for n in figures] for r in told["rows"]]


def test_the_paths_notebook_shows_that_paths_cut_at_the_purchase_invent_lift(shown: Any) -> None:
    found = shown("content_paths")
    trap = found["trap"]
    missing_1 = (trap["seem to sell"] + trap["seem to put off"]) / trap["paths"]
    assert missing_1["cut at the purchase"] > 0.5
    assert missing_1["at a landmark"] <= 0.15

    assert list(found["orders"].index) == [r.text for r in found["order"].rows]

    report, table = found["report"], found["table"]
    assert list(table.index) == [r.text for r in report.rows]
    assert table["people"].sum() + report.below_support == report.people
    assert (table["low"] <= table["rate"]).all()
    assert (table["rate"] <= table["high"]).all()
    assert table["low"].is_monotonic_decreasing
    assert table["lift_low"].iloc[0] > 1

    assert len(found["walked"]) == report.people
    assert found["effects"]["pass through"].between(0, 1).all()
    assert len(found["by_channel"]) > 1
    of_all = found["channels"].groupby(level="path")["people"].sum()
    assert (of_all <= table["people"].reindex(of_all.index)).all()
