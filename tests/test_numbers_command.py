"""`leadlift numbers`, and the further tables of `leadlift paths`: what they print and what their documents say."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.simulate.market import Market
from tests.planted import bundle_saying, promoted

RATE = 0.07
MARKET = Market(400, 200, 2)


@pytest.fixture(scope="module")
def leadlift(leadlift_at: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command line on a small market, in a home whose champion says RATE of everybody."""
    run, folder = leadlift_at(), str(tmp_path_factory.mktemp("numbers") / "market")
    assert run("simulate", folder, "--leads", "400", "--days", "200", "--seed", "2")[0] == 0
    promoted(run.home, bundle_saying(RATE, MARKET.end))
    run.folder = folder
    return run


def test_the_document_adds_up_and_the_text_defines_what_it_counts(leadlift: Any, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    code, found, said = leadlift("numbers", leadlift.folder, "--csv", str(file))
    assert code == 0
    json.dumps(found, allow_nan=False)
    total = found["total"]
    assert total["leads"] > 20
    assert total["expected"] == pytest.approx(RATE * total["leads"])
    for rows in (found["channels"], found["campaigns"]):
        assert sum(r["leads"] for r in rows) == total["leads"]
        assert sum(r["spend"] for r in rows) == pytest.approx(total["spend"])
    assert found["period"]["days"] == found["before"]["period"]["days"] == 28
    assert all(f"{name}: {text}" in said for name, text in found["definitions"].items())
    assert f"{total['leads']:,} leads came" in said
    read = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert sum(int(r["leads"]) for r in read) == total["leads"]


def test_expected_is_held_against_what_came_in_a_period_whose_answers_are_final(leadlift: Any) -> None:
    _, found, said = leadlift("numbers", leadlift.folder, "--from", "2025-03-01", "--to", "2025-04-30")
    total = found["total"]
    assert found["period"] == {"from": "2025-03-01", "to": "2025-04-30", "days": 61}
    assert found["before"]["period"] == {"from": "2024-12-30", "to": "2025-02-28", "days": 61}
    assert total["told"] == total["scored"] == total["leads"] == total["looked_at"]
    assert total["told_low"] < total["told_expected"] < total["told_high"]
    assert f"customers were expected, {total['told_won']} came" in said


def test_a_published_rescoring_tells_of_the_leads_there_were_then(leadlift: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "scores")
    assert leadlift("rescore", leadlift.folder, "--as-of", "2025-06-20T00:00:00Z", "--out", out)[0] == 0
    _, found, said = leadlift("numbers", leadlift.folder, "--from", "2025-06-01", "--to", "2025-06-30", "--scores", out)
    assert 0 < found["total"]["scored"] < found["total"]["leads"]
    assert "published scores are of one moment" in said


def test_where_consent_is_asked_for_visitors_are_not_counted(leadlift: Any, tmp_path: Path) -> None:
    config = tmp_path / "leadlift.toml"
    config.write_text("[privacy]\nrequire_consent = true\n")
    code, found, said = leadlift("numbers", leadlift.folder, "--config", str(config))
    assert code == 0
    assert found["total"]["visitors"] is found["total"]["bounce_rate"] is found["channels"][0]["visitors"] is None
    assert found["total"]["leads"] > 0
    assert "Visitors are not counted" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "yesterday"), "--from: expected a moment"),
        (("--to", "2025-06-01T10:00:00Z"), "--to: expected a day such as 2026-10-01"),
        (("--from", "2025-06-02", "--to", "2025-06-01"), "--from: expected a day up to 2025-06-01"),
        (("--to", "2031-01-01"), "--to: expected a day up to the data's end"),
    ],
)
def test_what_is_no_period_is_refused_with_the_reason(leadlift: Any, words: tuple[str, ...], message: str) -> None:
    code, _, said = leadlift("numbers", leadlift.folder, *words)
    assert (code, message in said) == (2, True)


@pytest.mark.parametrize("target", ["won", "lead"])
def test_paths_tell_of_the_same_people_by_channel_topic_and_last_content(leadlift: Any, target: str) -> None:
    code, found, said = leadlift("paths", leadlift.folder, "--support", "5", "--landmark", "visit", "--target", target)
    assert code == 0
    people = found["people"]
    for topic in {r["topic"] for r in found["dwell_topics"]}:
        assert people - 5 * 4 <= sum(r["people"] for r in found["dwell_topics"] if r["topic"] == topic) <= people
    stages = found["drop_offs_by_stage"]
    assert people - 5 <= sum(r["stood"] for r in stages) <= people
    assert all(r["converted"] + r["came_back"] + r["gone"] == r["stood"] for r in (*stages, *found["drop_offs"]))
    assert sum(r["people"] for r in found["source_paths"]) <= people
    assert all(r["people"] >= 5 for r in (*found["source_paths"], *found["dwell_topics"]))
    assert "Where journeys end, by stage" in said
