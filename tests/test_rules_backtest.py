"""`leadlift rules backtest`: thresholds on past leads, with intervals that hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import DatasetInfo, open_dataset
from data.packaged import rules_text
from data.settings import SnapshotSettings
from data.simulate.market import Market
from data.simulate.write import write_market
from tests.conftest import Market as Fixture
from training.assemble import Question, frame_of
from training.rules import MQL, SALES_READY, Rules
from training.rules_backtest import Past
from training.rules_rows import points_of, standings
from training.run import moment_of
from training.snapshots import policy_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backtest") / "market"
    write_market(path, Market(300, 240, 11), DatasetInfo(name="market", buckets=4))
    return path


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


@pytest.fixture(scope="module")
def found(run: Any, dataset: Path) -> dict[str, Any]:
    code, document, said = run("rules", "backtest", "--dataset", str(dataset))
    assert code == 0
    for word in ("sales_ready", "false alarms", "capture", "90 % intervals by lead", "few", "Next:"):
        assert word in said
    return dict(document)


def test_grades_add_up_to_everybody(found: dict[str, Any]) -> None:
    everybody, grades = found["everybody"], [g for g in found["grades"] if g["looks"]]
    assert sum(g["looks"] for g in grades) == everybody["looks"]
    rate = sum(g["looks"] * g["rate"]["value"] for g in grades) / everybody["looks"]
    assert rate == pytest.approx(everybody["rate"]["value"])
    assert sum(g["capture"]["value"] for g in grades) == pytest.approx(1)


def test_every_group_tells_its_false_alarms_and_its_intervals_hold_the_figure(found: dict[str, Any]) -> None:
    for group in (*found["grades"], *found["thresholds"]):
        assert group["leads"] == group["converted"] + group["false_alarms"]
        assert group["few"] == (min(group["converted"], group["false_alarms"]) < 10)
        for name in ("rate", "lift", "capture"):
            if group[name]:
                assert group[name]["low"] <= group[name]["value"] <= group[name]["high"]


def test_thresholds_are_counted_on_the_looks_of_training(found: dict[str, Any], dataset: Path) -> None:
    opened = open_dataset(dataset)
    question = Question("converted", policy_of(SnapshotSettings()), moment_of(opened, None), "x", 10**6)
    frame, rules = frame_of(opened, question), Rules.from_yaml(rules_text())
    final = ~np.isnan(frame.label)
    standing = standings(rules, points_of(opened, frame, [rules], False)[0])
    for group, least in zip(found["thresholds"], (MQL, SALES_READY), strict=True):
        inside = final & (standing >= least)
        assert group["looks"] == int(inside.sum())
        assert group["leads"] == len(set(frame.lead[inside].tolist()))
        assert group["converted"] == frame.conversions(np.flatnonzero(inside))
        assert group["rate"]["value"] == pytest.approx(frame.label[inside].mean())
    assert found["censored"] == int((~final).sum())


@pytest.mark.parametrize("rate", [0.03, 0.3])
def test_the_interval_holds_the_true_rate_where_the_looks_of_a_lead_share_one_fate(rate: float) -> None:
    """90 % intervals in 300 markets of 120 leads with 1 to 12 looks; independent looks would make them too narrow."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(300):
        lead = np.repeat(np.arange(120), rng.integers(1, 13, 120))
        label = (rng.random(120) < rate).astype(float)[lead]
        everything = np.ones(len(lead), dtype=bool)
        interval = Past(label, np.ones(len(lead)), lead).share(label == 1, everything)
        assert interval is not None
        held += interval.low <= rate <= interval.high
    assert held >= 0.86 * 300


def test_another_file_target_and_moment_are_used(
    run: Any, dataset: Path, found: dict[str, Any], tmp_path: Path
) -> None:
    strict = tmp_path / "strict.yaml"
    strict.write_text(rules_text().replace("total_at_least: 70", "total_at_least: 90"), encoding="utf-8")
    words = (str(strict), "--dataset", str(dataset), "--target", "accepted", "--as-of", "2025-07-01")
    code, other, _ = run("rules", "backtest", *words)
    assert code == 0
    assert (other["file"], other["target"]) == (str(strict), "accepted")
    assert other["last"] < found["last"]
    assert other["thresholds"][1]["looks"] < found["thresholds"][1]["looks"]


def test_too_few_leads_are_a_verdict_and_still_shown(run: Any, dataset: Path) -> None:
    code, found, said = run("rules", "backtest", "--dataset", str(dataset), "--as-of", "2025-04-01")
    assert code == 3
    assert found["everybody"]["few"]
    assert "too few leads to judge thresholds" in said


def test_a_condition_on_the_probability_is_left_aside_and_said(run: Any, dataset: Path, tmp_path: Path) -> None:
    asking = tmp_path / "asking.yaml"
    text = rules_text().replace("total_at_least: 70", "total_at_least: 70\n  probability_at_least: 0.2")
    asking.write_text(text, encoding="utf-8")
    _, plain, _ = run("rules", "backtest", "--dataset", str(dataset))
    _, found, said = run("rules", "backtest", str(asking), "--dataset", str(dataset))
    assert found["thresholds"] == plain["thresholds"]
    assert "left aside" in said


def test_a_table_without_times_has_one_look_a_lead(run: Any, tmp_path: Path) -> None:
    samples = Path(__file__).parent / "samples" / "labelled"
    words = (
        "import",
        str(samples / "leads.csv"),
        "--mapping",
        str(samples / "labelled.toml"),
        "--to",
        str(tmp_path / "t"),
    )
    assert run(*words)[0] == 0
    code, found, _ = run("rules", "backtest", "--dataset", str(tmp_path / "t"))
    assert code == 3
    assert found["everybody"]["looks"] == found["everybody"]["leads"] == 5
    assert found["first"] is None


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("none.yaml",), 2, "expected a points file, got none there"),
        (("--target", "sold"), 1, "target sold: expected some that converted"),
        (("--as-of", "2036-01-01"), 2, "expected a moment up to the data's end"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    run: Any, dataset: Path, words: tuple[str, ...], code: int, what: str
) -> None:  # fmt: skip
    got, found, said = run("rules", "backtest", *words, "--dataset", str(dataset))
    assert (got, found) == (code, {})
    assert what in said
    assert len(said.strip().splitlines()) == 1


def test_a_dataset_without_final_answers_is_one_line(run: Any, market: Fixture) -> None:
    code, _, said = run("rules", "backtest", "--dataset", str(market.dataset.path))
    assert (code, len(said.strip().splitlines())) == (3, 1)
