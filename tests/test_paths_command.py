"""`leadlift paths`: what it prints and what its document says, for every target, and who says a probability."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.simulate.market import Market
from serving import path_scores
from tests.planted import bundle_saying, promoted

RATE = 0.07


@pytest.fixture(scope="module")
def paths(leadlift_at: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command on a small market, in a home whose champion says RATE of everybody."""
    leadlift, folder = leadlift_at(), str(tmp_path_factory.mktemp("paths") / "market")
    assert leadlift("simulate", folder, "--leads", "400", "--days", "200", "--seed", "2")[0] == 0
    promoted(leadlift.home, bundle_saying(RATE, Market(400, 200).end))

    def run(*words: str) -> tuple[int, Any, str]:
        code, found, said = leadlift("paths", folder, "--support", "5", *words)
        return code, found, said

    run.leadlift, run.folder = leadlift, folder  # type: ignore[attr-defined]
    return run


@pytest.mark.parametrize("target", ["lead", "mql", "accepted", "won", "cancelled"])
def test_every_target_adds_up_and_says_that_it_is_no_cause(paths: Any, target: str) -> None:
    code, found, said = paths("--target", target, "--landmark", "visit")
    assert code == 0
    assert sum(r["people"] for r in found["rows"]) + found["below_support"] == found["people"] > 100
    assert found["note"] == "associated with, not caused by"
    assert "associated with, not caused by" in said
    assert (found["order"] is None) == (target in ("lead", "mql"))
    assert (len(found.get("activation", [])) > 0) == (target == "lead")
    assert (found["gates"] is None) == (target not in ("won", "accepted"))
    assert all(0 <= r["effect"] <= 1 for r in found["removal"])
    json.dumps(found, allow_nan=False)


def test_what_forms_cost_is_told_of_every_gated_content_and_adds_up(paths: Any) -> None:
    _, found, said = paths()
    rows = found["gates"]["gates"]
    assert {r["gate"].partition(":")[0] for r in rows} == {"guide", "webinar"}
    assert all(r["verdict"] in said and r["sentence"].startswith(r["gate"]) for r in rows)
    whole = [r for r in rows if r["met"] and r["left"]]
    assert whole
    assert all(r["left"]["people"] + r["filled"]["people"] == r["met"]["people"] <= r["reached"] for r in whole)
    assert all(r["filled"]["leads"] <= r["filled"]["people"] for r in whole)


def test_the_champion_says_a_probability_at_the_landmark_and_the_points_beside_it(paths: Any) -> None:
    _, found, _ = paths()
    assert {round(r["probability"], 3) for r in found["rows"]} == {RATE}
    assert all(0 <= r["points"] <= 100 for r in found["rows"])


def test_of_many_leads_the_champion_is_asked_about_some_and_says_the_same(
    paths: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, all_asked, _ = paths()
    monkeypatch.setattr(path_scores, "MOST_ASKED", 100)
    _, found, _ = paths()
    assert {round(r["probability"], 3) for r in found["rows"] if r["probability"] is not None} == {RATE}
    assert [r["people"] for r in found["rows"]] == [r["people"] for r in all_asked["rows"]]
    assert [r["points"] for r in found["rows"]] != [r["points"] for r in all_asked["rows"]]


@pytest.mark.parametrize("target", ["mql", "accepted", "cancelled"])
def test_where_no_model_says_a_probability_it_is_null_and_the_points_are_told_all_the_same(
    paths: Any, target: str
) -> None:
    _, found, _ = paths("--target", target)
    assert {r["probability"] for r in found["rows"]} == {None}
    assert all(0 <= r["points"] <= 100 for r in found["rows"])


def test_of_visitors_neither_is_told(paths: Any) -> None:
    _, found, _ = paths("--target", "lead")
    assert {(r["probability"], r["points"]) for r in found["rows"]} == {(None, None)}


def test_scores_are_for_one_target_and_not_for_the_page_of_all(paths: Any, tmp_path: Path) -> None:
    code, _, said = paths("--scores", str(tmp_path), "--html", str(tmp_path / "x.html"))
    assert (code, "--scores: expected neither --html nor --publish beside it" in said) == (2, True)


def test_a_published_rescoring_is_asked_instead_where_it_is_of_the_target(paths: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "scores")
    as_of = "2025-07-20T00:00:00Z"
    assert paths.leadlift("rescore", paths.folder, "--as-of", as_of, "--out", out)[0] == 0
    _, found, _ = paths("--scores", out)
    known = [r for r in found["rows"] if r["probability"] is not None]
    assert {round(r["probability"], 3) for r in known} == {RATE}
    code, _, said = paths("--scores", out, "--target", "accepted")
    assert (code, "expected scores for accepted, got scores for converted" in said) == (1, True)


def test_the_csv_has_every_row_and_nothing_a_spreadsheet_would_run(paths: Any, tmp_path: Path) -> None:
    _, found, _ = paths("--csv", str(tmp_path / "paths.csv"), "--by", "content")
    rows = list(csv.DictReader((tmp_path / "paths.csv").read_text(encoding="utf-8").splitlines()))
    assert [r["path"].split(" > ") for r in rows] == [r["path"] for r in found["rows"]]
    assert [int(r["people"]) for r in rows] == [r["people"] for r in found["rows"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--landmark", "conversion"), "a path cannot be cut at the conversion"),
        (("--landmark", "week"), "expected visit, a number of days"),
        (("--target", "sold"), "expected one of lead, mql, accepted, won, cancelled"),
        (("--by", "colour"), "expected one of content, type, topic, stage"),
        (("--lang", "fr"), "--lang: expected en or de, got 'fr'"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(paths: Any, words: tuple[str, ...], message: str) -> None:
    code, _, said = paths(*words)
    assert (code, message in said) == (2, True)
