"""`leadlift rules check`: what a points file says that it cannot mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.packaged import rules_text
from tests.conftest import Market
from tests.test_ledger import LEADS, moment_of
from tests.test_ledger import rules as any_rules
from tests.test_rules import MINIMAL, rule, rules
from training.rules import Rules, score_points
from training.rules_check import check
from training.rules_finding import Located, located
from training.rules_reach import FARTHEST, engagement_sums, fit_sums

HIGH = [rule("high", 50, column="title", known=True), rule("mail", 3, column="email_kind", equals="business")]
ENGAGED = [rule("form", 40, event={"type": "form"}, half_life_days=30)]
SOUND = {"fit": HIGH, "engagement": ENGAGED, "fit_grades": {"A": 50, "B": 3, "C": 1}}


def _found(**changes: Any) -> list[Located]:
    made = rules(**(SOUND | changes))
    return located(check(made), made)


EVENTS = [rule("a", 9, event={"type": "form"}, half_life_days=9)]
BETWEEN = [rule("a", 50, column="employees", between=[0, 50]), rule("b", 3, column="employees", between=[50, 99])]
CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"fit": [rule(points=50, column="titel", known=True)]}, "problem", "column 'titel'", "Did you mean 'title'?"),
    ({"fit": [rule(points=50, column="email_kind", equals="busines")]}, "problem", "'busines'", "mean 'business'?"),
    ({"fit": [*HIGH, rule("x", 2, column="title", known=True)]}, "problem", "asks the same of title as high: +52", ""),
    ({"fit": [*HIGH, rule("x", 2, column="title", at_least=3), rule("y", 1, column="title", contains="cto")]},
     "problem", "compared with texts here and with bounds elsewhere", "one kind"),
    ({"fit": BETWEEN}, "note", "overlaps with a in employees", "Both count"),
    ({"fit": [*BETWEEN[:1], rule("b", 3, column="employees", at_least=10), rule("c", 1, column="employees", at_least=40)]},
     "note", "whoever meets c meets b too", ""),
    ({"fit": [*HIGH, rule("x", 2, column="title", contains=["vice president", "president"])]},
     "note", "'vice president' is covered by 'president'", ""),
    ({"fit": [*HIGH, rule("x", 2, column="country", **{"in": ["DE", "de "]})]}, "note", "'de ' is there twice", ""),
    ({"engagement": [*ENGAGED, rule("x", 5, event={"type": ["form"]}, cap=9)]}, "problem", "same events as form", ""),
    ({"engagement": [*ENGAGED, rule("x", 5, event={"type": "form", "topic": "crm"})]}, "note", "events of x too", ""),
    ({"engagement": [rule("x", 50, event={"type": "form"}, cap=30)]}, "note", "cap 30 is below the 50 points", ""),
    ({"fit": [*HIGH, rule("x", 0, column="country", known=True)]}, "note", "gives no points", ""),
    ({"fit_grades": {"A": 60, "B": 50, "C": 1}}, "problem", "A: nobody can have it; fit is 0 to 53", ""),
    ({"fit_grades": {"A": 53, "B": 52, "C": 51}}, "note", "C: nobody can have it", ""),
    ({"mql": {"total_at_least": 0, "grades": ["C1"]}, "fit_grades": {"A": 50, "B": 2, "C": 1}},
     "problem", "C: nobody can have it", ""),
    ({"mql": {"total_at_least": 0}}, "note", "everybody reaches it", ""),
    ({"engagement": [*EVENTS, rule("b", -9, event={"type": "video"})], "fit": [], "mql": {"total_at_least": 40, "grades": ["C1"]},
      "sales_ready": {"total_at_least": 100, "grades": ["A1"]}}, "problem", "nobody can reach it: the highest total", ""),
    ({"sales_ready": {"total_at_least": 70, "grades": ["A1", "A4"]}}, "note", "A4 can never reach the total", ""),
    ({"fit": [], "mql": {"total_at_least": 9}}, "note", "no rule: everybody has fit 0", ""),
    ({}, "note", "not approved by sales", "approval"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "level", "what", "remedy"), CASES)
def test_what_a_file_cannot_mean_is_found_and_named(
    changes: dict[str, Any], level: str, what: str, remedy: str
) -> None:  # fmt: skip
    found = [f for f in _found(**changes) if f.level == level and what in f.what and remedy in f.remedy]
    assert found, _found(**changes)
    assert all(f.line >= 1 and f.entry for f in found)


def test_a_sound_file_has_no_problem() -> None:
    assert [f for f in _found() if f.level == "problem"] == []


@pytest.mark.parametrize("file", sorted(Path("data").rglob("*rules.yaml"), key=str), ids=str)
def test_the_files_that_ship_have_no_problem(file: Path) -> None:
    shipped = Rules.from_yaml(file.read_text(encoding="utf-8"))
    assert [f for f in check(shipped) if f.level == "problem"] == []


@settings(max_examples=40, deadline=None)
@given(any_rules(), st.lists(LEADS, min_size=1, max_size=3))
def test_no_lead_ever_has_points_that_were_called_out_of_reach(made: Rules, leads: list[Any]) -> None:
    points = score_points(made, moment_of(leads))
    for got, able in ((points.fit, fit_sums(made)), (points.engagement, engagement_sums(made))):
        assert {n for n in got.tolist() if abs(n) < FARTHEST} <= set(able.tolist())


# -- the command -------------------------------------------------------------------------------------------------
@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str | None = None, **changes: Any) -> Path:
        made = tmp_path / "points.yaml"
        document = MINIMAL | SOUND | changes
        made.write_text(text if text is not None else yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return made

    return write


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


def test_the_packaged_points_pass(run: Any) -> None:
    code, found, said = run("rules", "check")
    assert (code, found["problems"], found["approved"]) == (0, 0, True)
    assert found["notes"] == len(found["findings"]) > 0
    assert "Next:" in said
    assert "leadlift rules backtest" in said


def test_a_problem_is_exit_3_with_line_and_remedy(run: Any, file: Callable[..., Path]) -> None:
    path = file(fit=[rule(points=50, column="titel", known=True)])
    code, found, said = run("rules", "check", str(path))
    assert (code, found["problems"]) == (3, 1)
    (problem,) = [f for f in found["findings"] if f["level"] == "problem"]
    assert "titel" in path.read_text(encoding="utf-8").splitlines()[problem["line"] - 1]
    assert "Did you mean 'title'?" in said


@pytest.mark.parametrize(
    ("text", "code", "what"),
    [
        (rules_text().replace("hot_probability", "hot_probabilty"), 1, "Did you mean 'hot_probability'?"),
        ("", 1, "expected a list of keys and values, got nothing"),
        (None, 2, "expected a points file, got none there"),
    ],
)
def test_what_is_no_points_file_is_one_line(
    run: Any, tmp_path: Path, text: str | None, code: int, what: str
) -> None:  # fmt: skip
    path = tmp_path / "p.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    got, found, said = run("rules", "check", str(path))
    assert (got, found) == (code, {})
    assert what in said
    assert len(said.strip().splitlines()) == 1


def test_a_file_that_is_no_text_is_one_line(run: Any, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_bytes(b"\xff\xfe\x00version")
    code, _, said = run("rules", "check", str(tmp_path / "p.yaml"))
    assert (code, "expected a text in UTF-8" in said) == (1, True)


TYPOS = [
    ({"fit": [*HIGH, rule("x", 1, column="industri_name", known=True)]}, "no column 'industri_name'", ""),
    ({"fit": [*HIGH, rule("x", 1, column="industry", equals="sofware")]}, "never 'sofware'", "mean 'software'?"),
    ({"fit": [*HIGH, rule("x", 1, column="employees", equals="many")]}, "holds numbers, the rule asks for texts", ""),
    ({"engagement": [*ENGAGED, rule("x", 1, event={"content_type": "pricng"})]}, "'pricng'", "mean 'pricing'?"),
    ({"engagement": [*ENGAGED, rule("x", 1, event={"topic": "securty"})]}, "'securty'", "mean 'security'?"),
    ({"engagement": [*ENGAGED, rule("x", 1, event={"content_id": "prices"})]}, "content_id 'prices' is neither", ""),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "what", "remedy"), TYPOS)
def test_names_that_a_dataset_has_not_are_problems(
    run: Any, market: Market, file: Callable[..., Path], changes: dict[str, Any], what: str, remedy: str
) -> None:
    code, found, _ = run("rules", "check", str(file(**changes)), "--dataset", str(market.dataset.path))
    assert code == 3
    assert any(f["level"] == "problem" and what in f["what"] and remedy in f["remedy"] for f in found["findings"])


def test_content_ids_made_by_the_map_and_points_nobody_was_given_are_no_problem(
    run: Any, market: Market, file: Callable[..., Path]
) -> None:
    lonely = [*HIGH, rule("lonely", 1, column="country", equals="Atlantis")]
    engaged = [
        *ENGAGED,
        rule("x", 1, event={"content_id": "blog:integration"}),
        rule("y", 1, event={"content_type": "docs"}),
    ]
    path = file(fit=lonely, engagement=engaged)
    code, found, _ = run("rules", "check", str(path), "--dataset", str(market.dataset.path))
    assert (code, found["problems"]) == (0, 0)
    said = {f["entry"]: f["what"] for f in found["findings"] if f["level"] == "note"}
    assert said["fit rule lonely"] == "no lead of the dataset meets it"
    assert said["engagement rule y"] == "no event of the dataset is one of these"


def test_grades_that_need_a_lost_rule_are_out_of_reach_in_that_dataset(
    run: Any, market: Market, file: Callable[..., Path]
) -> None:
    path = file(
        fit=[rule("lost", 50, column="not_there", known=True), rule("mail", 3, column="email_kind", known=True)]
    )
    _, found, _ = run("rules", "check", str(path), "--dataset", str(market.dataset.path))
    assert any("A: nobody can have it in this dataset; fit is 0 to 3" in f["what"] for f in found["findings"])


def test_events_in_a_table_without_times_are_a_problem(run: Any, timeless: Market, file: Callable[..., Path]) -> None:
    code, found, _ = run("rules", "check", str(file()), "--dataset", str(timeless.dataset.path))
    assert code == 3
    assert any("a table without times has none" in f["what"] for f in found["findings"])


def test_a_dataset_that_is_not_there_is_one_line(run: Any, tmp_path: Path) -> None:
    code, _, said = run("rules", "check", "--dataset", str(tmp_path / "none"))
    assert (code, len(said.strip().splitlines())) == (1, 1)
