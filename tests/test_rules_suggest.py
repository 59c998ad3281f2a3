"""`leadlift rules suggest`: points fitted from data beside the hand-made ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data.dataset import DatasetInfo
from data.packaged import rules_text
from data.simulate.market import Market
from data.simulate.write import write_market
from training.rules import Rules
from training.rules_edit import edited
from training.rules_fit import fit_factors


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suggest") / "market"
    write_market(path, Market(300, 240, 11), DatasetInfo(name="market", buckets=4))
    return path


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


@pytest.fixture(scope="module")
def out(dataset: Path) -> Path:
    return dataset.parent / "suggested.yaml"


@pytest.fixture(scope="module")
def found(run: Any, dataset: Path, out: Path) -> dict[str, Any]:
    code, document, said = run("rules", "suggest", "--dataset", str(dataset), "--out", str(out))
    assert code == 0
    for word in ("hand-made", "suggested", "AUC", "paired by lead", "not served before both teams approve", "Next:"):
        assert word in said
    return dict(document)


def test_the_file_is_complete_passes_the_check_and_is_not_approved(run: Any, found: dict[str, Any], out: Path) -> None:
    code, checked, _ = run("rules", "check", str(out))
    assert (code, checked["problems"], checked["approved"]) == (0, 0, False)
    suggested = Rules.from_yaml(out.read_text(encoding="utf-8"))
    assert suggested.text == found["rules"]
    assert suggested.version == "2026-1-suggested"
    assert suggested.file.approvals == []


def test_words_order_and_comments_stay(found: dict[str, Any]) -> None:
    comments = [line for line in rules_text().splitlines() if line.startswith("#")]
    lines = found["rules"].splitlines()
    assert lines[0].startswith("# Suggested by leadlift rules suggest: points of ")
    assert [line for line in lines if line in comments] == comments
    old, new = yaml.safe_load(rules_text()), yaml.safe_load(found["rules"])
    for part in ("fit", "engagement"):
        strip = [[{k: v for k, v in r.items() if k not in ("points", "cap")} for r in d[part]] for d in (old, new)]
        assert strip[0] == strip[1]


def test_no_rule_is_turned_round(found: dict[str, Any]) -> None:
    assert len(found["points"]) == 26
    assert all(line["hand_made"] * line["suggested"] >= 0 and line["factor"] >= 0 for line in found["points"])


def test_as_many_looks_as_before_reach_the_thresholds(found: dict[str, Any]) -> None:
    ready = found["ready"]["training"]
    for name in ("mql", "sales_ready"):
        assert ready["suggested"][name] == pytest.approx(ready["hand_made"][name], rel=0.05)


def test_the_difference_of_each_measure_is_paired(found: dict[str, Any]) -> None:
    assert {"auc", "capture_at_10", "mql_rate", "sales_ready_rate", "sales_ready_capture"} <= set(found["judged"])
    for pair in found["judged"].values():
        assert pair["difference"]["value"] == pytest.approx(pair["suggested"] - pair["hand_made"])
        assert pair["difference"]["low"] <= pair["difference"]["high"]
    gain = found["judged"]["auc"]["difference"]
    expected = "better" if gain["low"] > 0 else "worse" if gain["high"] < 0 else "no different"
    assert found["verdict"] == expected


def test_the_same_data_give_the_same_points(run: Any, dataset: Path, found: dict[str, Any]) -> None:
    code, again, said = run("rules", "suggest", "--dataset", str(dataset))
    assert code == 0
    assert {**again, "out": found["out"]} == found
    assert "--out suggested.yaml" in said


def test_points_alone_are_not_overwritten(run: Any, dataset: Path, found: dict[str, Any], out: Path) -> None:
    code, _, said = run("rules", "suggest", "--dataset", str(dataset), "--out", str(out))
    assert (code, "expected a new file, got one that exists" in said) == (1, True)
    assert out.read_text(encoding="utf-8") == found["rules"]


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("none.yaml",), 2, "expected a points file, got none there"),
        (("--target", "sold"), 1, "target sold: expected some that converted"),
        (("--as-of", "2025-04-01"), 3, "too little history"),
    ],
)
def test_what_cannot_be_learned_is_one_line(
    run: Any, dataset: Path, tmp_path: Path, words: tuple[str, ...], code: int, what: str
) -> None:
    new = tmp_path / "new.yaml"
    got, found, said = run("rules", "suggest", *words, "--dataset", str(dataset), "--out", str(new))
    assert (got, found, new.exists()) == (code, {}, False)
    assert what in said
    assert len(said.strip().splitlines()) == 1


# -- the fit -----------------------------------------------------------------------------------------------------
def _rows(n: int, truth: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points of rules that each give 10 to a third of the leads, and outcomes by the true log-odds of one point."""
    rng = np.random.default_rng(seed)
    entries = 10 * (rng.random((n, len(truth))) < 1 / 3).astype(np.int32)
    z = -3 + entries @ np.array(truth)
    label = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(np.float64)
    return entries, label, np.ones(n), rng.random(n)


def test_with_much_data_the_data_decide() -> None:
    fitted = fit_factors(*_rows(40_000, [0.1, 0.2, 0.0, -0.1]))
    assert fitted.factor[:2] == pytest.approx([0.1, 0.2], rel=0.1)
    assert fitted.factor[2] < 0.01
    assert fitted.factor[3] == 0


def test_with_few_data_and_fair_points_the_hand_made_ones_stay() -> None:
    """Every rule is worth the same, as the file says: 25 markets of 200 leads must not invent differences."""
    spread = [f.factor / f.common - 1 for f in (fit_factors(*_rows(200, [0.1] * 8, seed)) for seed in range(25))]
    assert np.sqrt(np.mean(np.square(spread))) < 0.4


def test_a_rule_nobody_met_keeps_its_worth() -> None:
    entries, label, weight, hashes = _rows(4_000, [0.1, 0.2])
    fitted = fit_factors(np.column_stack([entries, np.zeros(4_000, dtype=np.int32)]), label, weight, hashes)
    assert fitted.factor[2] == pytest.approx(fitted.common)


# -- the file ----------------------------------------------------------------------------------------------------
def test_only_what_is_asked_for_changes_in_the_text() -> None:
    text = "# a\nlist:  # b\n  - {n: 1, m: [2]}\n  - n: 3  # c\n\n# d\nlast: 'x'  # e\n"
    assert edited(text, {("list", 1, "n"): 30, ("last",): "y"}) == text.replace("n: 3 ", "n: 30 ").replace("'x'", '"y"')
    assert (
        edited(text, {("list",): []}, "one\ntwo") == "# one\n# two\n# a\nlist:  # b\n  []  # c\n\n# d\nlast: 'x'  # e\n"
    )


def test_a_shared_value_is_changed_at_its_own_place_only() -> None:
    text = "a: &n 5\nb: *n\n"
    assert yaml.safe_load(edited(text, {("b",): 6})) == {"a": 5, "b": 6}
    assert yaml.safe_load(edited(text, {("a",): 7, ("b",): 6})) == {"a": 7, "b": 6}
