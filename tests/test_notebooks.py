"""Notebooks run from top to bottom, define no functions of their own, and show what they promise."""

from __future__ import annotations

import ast
import importlib.util
import warnings
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("name", sorted(p.name for p in NOTEBOOKS.glob("*.py")))
def test_a_notebook_defines_no_functions_but_its_cells(name: str) -> None:
    tree = ast.parse((NOTEBOOKS / name).read_text(encoding="utf-8"))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    assert functions
    assert {f.name for f in functions} == {"_"}


def test_the_retraining_notebook_compares_the_candidates_with_the_points(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {"HOME": str(tmp_path), "TRAINING__REFITS": "2", "TRAINING__BOOTSTRAP": "20", "TRAINING__THREADS": "1"}
    for key, value in settings.items():
        monkeypatch.setenv(f"LEADLIFT_{key}", value)
    spec = importlib.util.spec_from_file_location("retrain", NOTEBOOKS / "retrain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # marimo's own
        spec.loader.exec_module(module)
        _, shown = module.app.run()
    assert list(shown["table"].index) == ["points", "logistic", "lightgbm", "blend"]
    assert sum(b["rows"] for b in shown["bars"]) == len(shown["found"].rows)
