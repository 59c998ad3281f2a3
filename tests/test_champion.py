"""Which scorer answers: the promoted bundle, else points of the last sound release, the home, the package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from data.errors import Verdict
from data.packaged import rules_text
from data.settings import Settings
from serving.champion import champion, load_scorer, market_of_environment, markets
from serving.desk import Desk
from serving.scorer import Wants
from training.registry import place

APPROVED = rules_text()
UNAPPROVED = "\n".join(line for line in APPROVED.splitlines() if "team: sales" not in line)


@pytest.fixture
def settings(market, tmp_path: Path) -> Settings:
    """A copy of the home, to be damaged."""
    shutil.copytree(market.settings.home, tmp_path / "home")
    return market.settings.model_copy(update={"home": tmp_path / "home"})


def _release(settings: Settings, market) -> Path:
    return place(settings.home, market.name, "converted") / "releases" / market.bundle.version


def _reply(scorer) -> dict:
    return json.loads(Desk(scorer).score({"title": "CEO", "country": "DE"}, Wants(), 0).body)


def test_the_promoted_bundle_answers(settings, market):
    scorer = load_scorer(settings, market.name)
    assert scorer.bundle.name == market.bundle.name
    assert scorer.warnings == ()
    assert champion(settings, market.name).bundle.name == market.bundle.name


@pytest.mark.parametrize("file", ["linear.json", "features.json", "rules.yaml", "manifest.json", "canary.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_bundle_is_never_used(settings, market, file, damage):
    target = _release(settings, market) / file
    content = bytearray(target.read_bytes())
    if damage == "remove":
        target.unlink()
    else:
        content[len(content) // 2] ^= 1
        target.write_bytes(bytes(content if damage == "flip" else content[: len(content) // 2]))
    scorer = load_scorer(settings, market.name)
    assert scorer.bundle is None
    assert scorer.warnings == ("model_broken",)
    reply = _reply(scorer)
    empty = ("probability", "probability_low", "probability_high", "expected_value", "agreement", "model_version")
    assert all(reply[k] is None for k in empty)
    assert (reply["points"] > 0, reply["data_quality"]) == (True, "profile_only")
    with pytest.raises(Verdict, match="no valid champion"):
        champion(settings, market.name)


def test_a_broken_pointer_degrades_but_the_last_sound_release_lends_its_points(settings, market):
    (place(settings.home, market.name, "converted") / "current.json").write_text("{")
    scorer = load_scorer(settings, market.name)
    assert scorer.warnings == ("model_broken",)
    assert {e.name for e in scorer.feature_set.extra} == {"plan wish", "trial_seconds", "old_score"}
    assert scorer.rules.text == market.bundle.rules.text


def test_without_a_release_the_rules_of_the_home_answer(settings, market):
    shutil.rmtree(place(settings.home, market.name, "converted"))
    home_rules = settings.home / market.name / "rules.yaml"
    home_rules.write_text(APPROVED.replace('version: "2026-1"', 'version: "mine"'))
    scorer = load_scorer(settings, market.name)
    assert (scorer.rules.version, scorer.warnings) == ("mine", ("no_model",))
    home_rules.write_text("version: [")
    assert load_scorer(settings, market.name).warnings == ("no_model", "rules_broken", "rules_packaged")
    home_rules.write_text(UNAPPROVED)
    assert load_scorer(settings, market.name).warnings == ("no_model", "rules_unapproved", "rules_packaged")


def test_rules_that_look_at_declared_columns_accept_them_without_a_model(settings):
    text = APPROVED.replace(
        "fit:\n",
        "fit:\n  - {code: plan, label: {en: a, de: b}, column: plan, equals: gold, points: 30}\n"
        "  - {code: seats, label: {en: a, de: b}, column: seats, at_least: 5, points: 20}\n",
        1,
    )
    folder = settings.home / "declared"
    folder.mkdir()
    (folder / "rules.yaml").write_text(text)
    desk = Desk(load_scorer(settings, "declared"))
    reply = json.loads(desk.score({"plan": "Gold", "seats": 7}, Wants(), 0).body)
    assert reply["points"] >= 50
    assert reply["reason_1"] == "a"


def test_an_expected_rate_per_grade_stands_in_for_the_probability(settings):
    folder = settings.home / "rated"
    folder.mkdir()
    (folder / "rules.yaml").write_text(APPROVED + "\nexpected_rate: {A4: 0.0, B4: 0.07, C4: 0.03, D4: 0.01}\n")
    reply = _reply(load_scorer(settings, "rated"))
    rates = {"A4": 1e-4, "B4": 0.07, "C4": 0.03, "D4": 0.01}
    assert reply["probability"] == rates[reply["grade"]]
    assert reply["agreement"] is None
    assert reply["probability_low"] is None


def test_the_only_market_of_a_home_is_found(settings, market, monkeypatch):
    monkeypatch.delenv("LEADLIFT_MARKET", raising=False)
    assert markets(settings.home) == [market.name]
    assert market_of_environment(settings) == (market.name, "converted")
    (settings.home / "second").mkdir()
    (settings.home / "second" / "rules.yaml").write_text(APPROVED)
    assert market_of_environment(settings) == (None, "converted")
    monkeypatch.setenv("LEADLIFT_MARKET", "second")
    assert market_of_environment(settings) == ("second", "converted")
    assert load_scorer(settings, None).warnings == ("no_market", "rules_packaged")
