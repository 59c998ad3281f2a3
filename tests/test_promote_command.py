"""`promote` shows who would change before anything changes, and too many newly ready leads stop it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import ExtraColumn
from data.files import replace_text
from data.packaged import rules_text
from serving.champion import load_scorer, scorer_of
from serving.change import Change, change_of
from serving.known import of_people
from serving.scorer import Wants
from training import registry, tracking
from training.bundle import Bundle, canary_text, make_bundle, read_bundle
from training.predictors import LinearModel

EVERYBODY = "  total_at_least: 5\n"
READY_EARLY = rules_text().split("\nmql:\n")[0] + f"\nmql:\n{EVERYBODY}\nsales_ready:\n{EVERYBODY}"


def _variant(bundle: Bundle, shift: float = 0.0, rules: str | None = None, column: str | None = None) -> Bundle:
    """The bundle with all (or one column's) coefficients moved and other points."""
    model, rows = bundle.model, json.loads(bundle.files["canary.json"])["rows"]
    assert isinstance(model, LinearModel)
    values = np.array([[np.nan if v is None else v for v in r] for r in rows], dtype=float)
    moved = np.where([column in (None, c) for c in model.columns], shift, 0.0)
    other = replace(model, coefficient=model.coefficient + moved, missing=model.missing + moved)
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"}
    texts |= other.files() | {
        "canary.json": canary_text(other, values),
        "rules.yaml": rules or bundle.files["rules.yaml"],
    }
    return make_bundle(texts, {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")})


@pytest.fixture(scope="module")
def eager(market: Any) -> Bundle:
    """Points that call almost everybody sales-ready."""
    assert rules_text() != READY_EARLY
    return _variant(market.bundle, rules=READY_EARLY)


@pytest.fixture(scope="module")
def calm(market: Any) -> Bundle:
    """One column counts for more; the points stay."""
    return _variant(market.bundle, 0.5, column=market.bundle.feature_set.columns[0])


@pytest.fixture(scope="module")
def wider(market: Any) -> Bundle:
    """The served bundle with one more input, a score that is judged and never a feature."""
    texts = {n: t for n, t in market.bundle.files.items() if n != "manifest.json"}
    features = market.bundle.feature_set
    spare = ExtraColumn("spare_score", "number", "comparator")
    texts["features.json"] = replace(features, extra=(*features.extra, spare)).to_json()
    return make_bundle(texts, {k: v for k, v in market.bundle.manifest.items() if k not in ("files", "format")})


def _change(market: Any, bundle: Bundle, as_of: int | None = None) -> Change:
    return change_of(
        market.dataset, as_of or market.as_of, load_scorer(market.settings, market.name), scorer_of(bundle)
    )


def test_transitions_are_those_between_the_two_sets_of_replies(market: Any, eager: Bundle) -> None:
    (people,) = market.dataset.people()
    known = of_people(people, market.as_of)
    old, new = (scorer_of(b).score(known, Wants("none")) for b in (market.bundle, eager))
    found = _change(market, eager)
    for name in ("grade", "stage", "agreement"):
        pairs = list(zip(old.columns[name].texts(), new.columns[name].texts(), strict=True))
        assert found.moves[name] == {p: pairs.count(p) for p in pairs if p[0] != p[1]}
    before, after = (s.columns["sales_ready"] for s in (old, new))
    assert (found.leads, found.ready_before, found.ready_after) == (len(known), before.sum(), after.sum())
    assert found.newly_ready.total() == (after & ~before).sum() > 0
    assert found.fallen.total() == 0
    assert found.probability_before == pytest.approx(old.columns["probability"].mean())


def test_the_same_release_moves_nobody(market: Any) -> None:
    found = _change(market, market.bundle)
    assert not any(found.moves.values())
    assert not found.movers
    assert not found.newly_ready


def test_the_cause_of_a_move_is_the_family_that_was_changed(market: Any, calm: Bundle) -> None:
    found = _change(market, calm)
    family = market.bundle.feature_set.names[0]
    assert 0 < len(found.movers) <= 20
    sizes = [abs(m.change) for m in found.movers]
    assert sizes == sorted(sizes, reverse=True)
    for mover in found.movers:
        named = {c.family: c for c in mover.causes}
        assert set(named) & {family, "calibration"}
        assert family in named
        assert named[family].text
        # Only that family and what calibration makes of it have moved.
        assert sum(c.change for c in mover.causes) == pytest.approx(mover.change, abs=1e-9)


def test_who_rises_one_way_falls_the_other_by_the_same_channels(market: Any, eager: Bundle) -> None:
    found = change_of(market.dataset, market.as_of, scorer_of(eager), scorer_of(market.bundle))
    assert found.fallen == _change(market, eager).newly_ready
    assert {"paid_search", "email"} <= set(found.fallen)


def test_the_limit_is_a_share_of_the_ready_leads_or_a_number() -> None:
    found = Change("a", "b", 0, ready_before=200)
    assert [found.allowed(limit) for limit in (0.5, 0.01, 0.0, 1, 25)] == [100, 10, 10, 1, 25]


# -- the commands ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def registered(
    market: Any, eager: Bundle, calm: Bundle, wider: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home in which the market's bundle serves and three others are registered."""
    home = tmp_path_factory.mktemp("registered") / "home"
    shutil.copytree(market.settings.home, home)
    for bundle in (market.bundle, eager, calm, wider):
        report = {
            "gate": {"open": True, "reasons": []}, "bundle": {"sha256": bundle.name}, "champion": "logistic",
            "candidates": [], "dataset_path": str(market.dataset.path),
        }  # fmt: skip
        folder = registry.keep(home, bundle, report)
        tracking.log(f"sqlite:///{home / 'mlflow.db'}", home, bundle, folder, {}, {}, {}, {}, {})
    return home


@pytest.fixture
def run(registered: Path, leadlift_at: Callable[[], Any], tmp_path: Path) -> Any:
    """The command line in a copy of that home's releases; MLflow's database is shared."""
    leadlift = leadlift_at()
    shutil.copytree(registered, leadlift.home, dirs_exist_ok=True)
    return leadlift


def _serves(home: Path, market: Any) -> str:
    return str(registry.current(home, market.name, "converted").version)  # type: ignore[union-attr]


def test_a_dry_run_shows_and_changes_nothing(run: Any, market: Any, eager: Bundle) -> None:
    before = registry.history(run.home, market.name, "converted")
    code, found, said = run("promote", eager.version, "--dry-run")
    assert (code, found["promoted"], found["current"]) == (0, False, market.bundle.version)
    assert found["change"] == _change(market, eager, market.dataset.info.latest_arrival + 1).document()
    for word in ("grade", "stage", "newly ready", "Mean probability", "Next:"):
        assert word in said
    assert registry.history(run.home, market.name, "converted") == before


def test_too_many_newly_ready_leads_are_refused_unless_accepted_with_a_reason(
    run: Any, market: Any, eager: Bundle
) -> None:
    code, found, said = run("promote", eager.version)
    assert (code, found["promoted"], _serves(run.home, market)) == (3, False, market.bundle.version)
    assert "max_newly_ready" in said
    assert run("promote", eager.version, "--accept-change", " ")[0] == 2
    assert run("promote", eager.version, "--accept-change", "sales doubled")[0] == 0
    assert _serves(run.home, market) == eager.version
    assert registry.history(run.home, market.name, "converted")[-1]["accepted_change"] == "sales doubled"
    assert "sales doubled" in run("models")[2]


def test_an_input_that_callers_may_send_is_not_taken_away_without_a_word(run: Any, market: Any, wider: Bundle) -> None:
    code, found, _ = run("promote", wider.version)
    assert (code, found["breaks"], _serves(run.home, market)) == (0, [], wider.version)
    for options in ((), ("--accept-change", "sales doubled")):
        code, found, said = run("promote", market.bundle.version, *options)
        assert (code, found["promoted"], _serves(run.home, market)) == (3, False, wider.version)
        assert found["breaks"] == ["Lead loses spare_score"]
        assert "--breaking" in said
    assert run("promote", market.bundle.version, "--dry-run")[1]["breaks"] == ["Lead loses spare_score"]
    code, found, _ = run("promote", market.bundle.version, "--breaking")
    assert (code, found["breaks"], _serves(run.home, market)) == (0, ["Lead loses spare_score"], market.bundle.version)


def test_the_limit_is_a_setting(run: Any, market: Any, eager: Bundle) -> None:
    assert run("promote", eager.version, LEADLIFT_GATE__MAX_NEWLY_READY="1000")[0] == 0


def test_a_change_within_the_limit_is_shown_and_promoted(run: Any, market: Any, calm: Bundle) -> None:
    code, found, said = run("promote", calm.version)
    assert (code, found["promoted"], _serves(run.home, market)) == (0, True, calm.version)
    assert "largest moves" in said
    assert found["change"]["from"] == market.bundle.version


def test_without_the_dataset_of_the_training_it_says_that_it_cannot_tell(run: Any, market: Any, calm: Bundle) -> None:
    judgement = registry.place(run.home, market.name, "converted") / "bundles" / f"{calm.version}.json"
    document = json.loads(judgement.read_text())
    replace_text(judgement, json.dumps(document | {"dataset_path": str(run.home / "gone")}))
    code, found, said = run("promote", calm.version, "--dry-run")
    assert (code, found["change"]) == (0, None)
    assert "Cannot tell who would change" in said
    assert "--dataset" in said
    code, found, _ = run("promote", calm.version, "--dry-run", "--dataset", str(market.dataset.path))
    assert (code, found["change"]["leads"]) == (0, 90)


def test_as_of_is_the_moment_compared(run: Any, market: Any, calm: Bundle) -> None:
    earlier = run("promote", calm.version, "--dry-run", "--as-of", "2026-08-01T00:00:00Z")[1]["change"]
    assert earlier["as_of"] == "2026-08-01T00:00:00.000000Z"
    assert run("promote", calm.version, "--dry-run", "--as-of", "2030-01-01T00:00:00Z")[0] == 2


def test_which_model_was_live_is_answered_from_the_history(run: Any, market: Any, calm: Bundle) -> None:
    lines = [
        {"at": "2026-11-10T09:00:00+00:00", "action": "promote", "step": "intent", "version": "a" * 12},
        {"at": "2026-11-10T09:00:00+00:00", "action": "promote", "step": "done", "version": "a" * 12},
        {"at": "2026-11-17T09:30:00+00:00", "action": "promote", "step": "intent", "version": "b" * 12},
        {"at": "2026-11-17T10:30:00+00:00", "action": "promote", "step": "intent", "version": "c" * 12},
        {"at": "2026-11-17T10:30:00+00:00", "action": "promote", "step": "done", "version": "c" * 12},
        {"at": "2026-11-18T10:00:00+00:00", "action": "rollback", "step": "done", "version": "a" * 12},
    ]
    file = registry.place(run.home, market.name, "converted") / "history.jsonl"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    live = {
        "2026-11-10T08:59:59": None,
        "2026-11-10T09:00": "a" * 12,
        "2026-11-17T10:00": "a" * 12,  # begun at 9:30 and not finished: not live
        "2026-11-17T11:00+01:00": "a" * 12,
        "2026-11-17T11:30+01:00": "c" * 12,
        "2026-11-19": "a" * 12,
    }
    for at, version in live.items():
        code, found, said = run("models", "--at", at)
        assert (code, found["live"]) == (0, version), at
        assert (version or "points answered") in said
    assert run("models", "--at", "last Tuesday")[0] == 2


def test_the_bundle_of_a_promotion_is_the_one_that_was_compared(run: Any, market: Any, calm: Bundle) -> None:
    run("promote", calm.version)
    release = registry.current(run.home, market.name, "converted")
    assert release is not None
    assert read_bundle(release.path, calm.name).version == calm.version
