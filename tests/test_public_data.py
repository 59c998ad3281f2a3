"""The public data sets, from the file to a rescoring: the figures of the README hold on the declared test part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MAPPINGS = Path(__file__).parents[1] / "data" / "mappings"
AS_OF = "2026-11-01T00:00:00Z"


def _metrics(found: dict[str, Any], name: str) -> dict[str, float]:
    candidate = next(c for c in found["candidates"] if c["name"] == name)
    return {m: i["value"] for m, i in candidate["metrics"].items()}


def _train(run: Any, data: Path, mapping: str, dataset: Path) -> dict[str, Any]:
    code, _, said = run("import", str(data), "--mapping", str(MAPPINGS / f"{mapping}.toml"), "--to", str(dataset))
    assert code == 0, said
    code, found, said = run("train", str(dataset), "--trials", "2", "--promote")
    assert code == 0, said
    return found  # type: ignore[no-any-return]


@pytest.mark.public_data
def test_x_education_is_learned_promoted_scored_and_rescored(
    leadlift_at: Callable[[], Any], public_data: Path, tmp_path: Path
) -> None:
    run, dataset = leadlift_at(), tmp_path / "x_education"
    found = _train(run, public_data / "x_education_leads", "x_education", dataset)
    champion, points = _metrics(found, found["champion"]), _metrics(found, "points")
    assert champion["log_loss"] <= 0.432
    assert champion["auc"] >= 0.870
    assert champion["log_loss"] < points["log_loss"]
    assert (found["counts"]["train"], found["counts"]["judging"]) == (6468, 2772)
    code, summary, said = run("rescore", str(dataset), "--as-of", AS_OF, "--out", str(tmp_path / "scores"))
    assert code == 0, said
    assert json.dumps(summary).count("9240") >= 1


@pytest.mark.public_data
def test_a_leaky_column_is_refused_by_name_with_the_reason(
    leadlift_at: Callable[[], Any], public_data: Path, tmp_path: Path
) -> None:
    text = (MAPPINGS / "x_education.toml").read_text(encoding="utf-8")
    leaky = text.replace(
        "[table.extra]\n", '[table.extra]\ntags = { from = "Tags", kind = "text", role = "attribute" }\n'
    )
    mapping = tmp_path / "leaky.toml"
    mapping.write_text(leaky, encoding="utf-8")
    (tmp_path / "x_education_rules.yaml").write_bytes((MAPPINGS / "x_education_rules.yaml").read_bytes())
    data = str(public_data / "x_education_leads")
    code, _, said = leadlift_at()("import", data, "--mapping", str(mapping), "--to", str(tmp_path / "d"))
    assert code == 1
    assert "Tags" in said
    assert "salespeople" in said
    assert not (tmp_path / "d").exists()


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("mapping", "limit"), [("online_shoppers", 0.235), ("online_shoppers_no_pagevalues", 0.367)]
)  # fmt: skip
def test_online_shoppers_are_learned(
    leadlift_at: Callable[[], Any], public_data: Path, tmp_path: Path, mapping: str, limit: float
) -> None:
    found = _train(leadlift_at(), public_data / "uci_online_shoppers", mapping, tmp_path / mapping)
    assert _metrics(found, found["champion"])["log_loss"] <= limit
