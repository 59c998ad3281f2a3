"""Training end to end on a simulated market: honest counts, the same bundle twice, MLflow and the gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import DatasetInfo, ExtraColumn, open_dataset
from data.simulate.market import Market
from data.simulate.write import write_market
from serving.change import ALWAYS_ALLOWED
from training import registry
from training import run as training_run
from training.bundle import Bundle, make_bundle
from training.gate import GateVerdict
from training.result import Training

Found = tuple[int, dict[str, Any], str]
LEADS, DAYS = 500, 240


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "market"
    write_market(path, Market(LEADS, DAYS, 11), DatasetInfo(name="market", buckets=8))
    return path


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


@pytest.fixture(scope="module")
def trainings() -> list[Training]:
    """What `trained` made, as the command had it in hand."""
    return []


@pytest.fixture(scope="module")
def trained(run: Any, dataset: Path, trainings: list[Training]) -> Found:
    train = training_run.train

    def kept(*asked: Any) -> Training:
        trainings.append(train(*asked))
        return trainings[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_run, "train", kept)
        return run("train", str(dataset), "--trials", "1", "--seed", "5")


def test_the_json_has_the_keys_of_the_contract(trained: Found) -> None:
    code, found, _ = trained
    assert code == 0
    assert {"market", "target", "seed", "champion", "candidates", "counts", "bundle", "gate", "promoted"} <= set(found)
    assert [c["name"] for c in found["candidates"]] == ["points", "logistic", "lightgbm", "blend"]
    metrics = {"auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_5", "lift_at_10", "lift_at_20"}
    for candidate in found["candidates"]:
        assert set(candidate["metrics"]) == metrics
        for interval in candidate["metrics"].values():
            assert interval["low"] <= interval["value"] <= interval["high"]
    assert found["promoted"] is False


def test_clean_data_has_no_leak_and_judging_says_where_it_holds(trained: Found) -> None:
    _, found, said = trained
    assert found["leaks"]["found"] == []
    assert found["leaks"]["looked_at"]["shuffled"] > 100
    assert set(found["differences"]) == {"points", "logistic", "lightgbm", "blend"} - {found["champion"]}
    assert {s["slice"] for s in found["slices"]} >= {"channel", "country", "company_size", "age_weeks", "cold"}
    for name in ("cold", "channel"):
        assert sum(s["rows"] for s in found["slices"] if s["slice"] == name) == found["counts"]["judging"]
    assert set(found["ablation"]["adds"]) == {"profile", "source", "dwell", "rhythm", "path"}
    assert [m["slice"] for m in found["mix"]] == ["age_weeks", "channel"]
    for mix in found["mix"]:
        assert sum(mix["judged"].values()) == pytest.approx(1)
        assert sum(mix["now"].values()) == pytest.approx(1)
    lift = found["candidates"][0]["metrics"]["lift_at_20"]["value"]
    assert found["capture"]["points"]["capture_at_20"]["value"] == pytest.approx(0.2 * lift)
    card = (Path(found["bundle"]["path"]) / "card.md").read_text()
    for words in ("No leak found", "leads scored now by age_weeks"):
        assert words in said
        assert words in card
    assert "## Slices" in card
    assert "## What each group adds" in card


def test_what_became_of_behaviour_clusters_is_told_and_kept(trained: Found) -> None:
    """500 leads are judged in turns, where no feature may use labels."""
    _, found, said = trained
    assert (found["clusters"]["kept"], found["clusters"]["reason"]) == (False, "turns")
    assert "Behaviour clusters left out: the leads are judged in turns" in said
    assert "Behaviour clusters left out" in (Path(found["bundle"]["path"]) / "card.md").read_text()


def test_values_too_few_to_compare_kinds_are_answered_with_their_mean(trained: Found) -> None:
    folder = Path(trained[1]["bundle"]["path"])
    value = json.loads((folder / "value.json").read_text())
    assert value["count"] >= 50
    assert (value["kind"], value["errors"]) == ("mean", {})
    assert 0 < value["log_sd"] < 1
    assert f"Kind: **mean**, learned from {value['count']} known values." in (folder / "card.md").read_text()


def test_the_calendar_adds_up_and_leaves_a_horizon_between(trained: Found) -> None:
    _, found, _ = trained
    slices = found["split"]["slices"]
    assert sum(s["rows"] for s in slices) == found["counts"]["snapshots"]
    assert found["counts"]["censored"] > 0


def test_the_table_for_people_names_each_candidate_with_intervals(trained: Found) -> None:
    _, _, said = trained
    for word in (
        "points",
        "logistic",
        "lightgbm",
        "AUC",
        "PR-AUC",
        "log loss",
        "ECE",
        "lift at 10 %",
        "censored",
        "Next:",
    ):
        assert word in said


def test_the_same_data_and_seed_give_the_same_bundle(
    leadlift_at: Callable[[], Any], dataset: Path, trained: Found
) -> None:
    again = leadlift_at()("train", str(dataset), "--trials", "1", "--seed", "5")[1]
    assert again["bundle"]["sha256"] == trained[1]["bundle"]["sha256"]
    assert again["candidates"] == trained[1]["candidates"]


def test_as_of_an_earlier_day_uses_nothing_that_came_later(
    leadlift_at: Callable[[], Any], dataset: Path, trained: Found
) -> None:
    code, found, _ = leadlift_at()("train", str(dataset), "--trials", "1", "--as-of", "2025-08-01T00:00:00Z")
    assert code == 0
    assert found["counts"]["snapshots"] < trained[1]["counts"]["snapshots"]
    assert max(s["last"] for s in found["split"]["slices"] if s["last"]) < "2025-08-01"


def test_promote_roll_back_and_the_model_in_mlflow(run: Any, trained: Found) -> None:
    home = run.home
    version = trained[1]["bundle"]["sha256"][:12]
    judgement = home / "market" / "converted" / "bundles" / f"{version}.json"
    document = json.loads(judgement.read_text())
    closed = document | {"gate": {"open": False, "reasons": ["a reason"]}}
    judgement.write_text(json.dumps(closed))
    code, _, said = run("promote", version, "--market", "market")
    assert (code, "a reason" in said) == (3, True)
    judgement.write_text(json.dumps(document | {"gate": {"open": True, "reasons": []}}))
    assert run("promote", version[:6], "--market", "market")[0] == 0
    code, found, said = run("models", "--market", "market")
    assert "MLflow" in said
    assert (code, found["current"], found["alias"]) == (0, version, version)
    assert run("rollback", "--market", "market")[0] == 3
    _loads_from_mlflow(home, version)


def _loads_from_mlflow(home: Path, version: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import pandas as pd

        from training.bundle import read_bundle

        mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
        model = mlflow.pyfunc.load_model("models:/leadlift-market-converted@champion")
        bundle = read_bundle(home / "market" / "converted" / "releases" / version)
        rows = json.loads(bundle.files["canary.json"])["rows"]
        frame = pd.DataFrame(rows, columns=list(bundle.feature_set.columns), dtype=float)
        answer = model.predict(frame.assign(points=40.0)[["points", *frame.columns[::-1]]])["probability"].to_numpy()
    from features.build import FeatureTable

    values = np.ascontiguousarray(frame.to_numpy(dtype=float))
    ours = bundle.predict(FeatureTable(bundle.feature_set.columns, values), np.full(len(values), 40)).probability
    assert np.array_equal(answer, ours)


def test_a_closed_gate_with_promote_exits_3_and_keeps_everything(leadlift_at: Callable[[], Any], dataset: Path) -> None:
    run = leadlift_at()
    strict = {"LEADLIFT_GATE__MAX_AUC_SINGLE": "0.51"}
    code, found, said = run("train", str(dataset), "--trials", "1", "--promote", **strict)
    assert code == 3
    assert found["promoted"] is False
    assert "possible leak" in said
    assert Path(found["bundle"]["path"]).is_dir()
    assert not (run.home / "market" / "converted" / "current.json").exists()


def test_train_promote_stops_at_too_many_newly_ready_leads_unless_accepted(
    leadlift_at: Callable[[], Any], run: Any, dataset: Path, trained: Found, trainings: list[Training],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The training of this module again, where a release serves whose points call nobody ready."""
    (training,) = trainings
    again = leadlift_at()
    shutil.copytree(run.home, again.home, dirs_exist_ok=True)
    quiet = _calling_nobody_ready(training.bundle)
    registry.keep(again.home, quiet, {"gate": {"open": True, "reasons": []}, "bundle": {"sha256": quiet.name}})
    registry.promote(again.home, "market", "converted", quiet.version, "2026-01-01T00:00:00Z", lambda version: None)
    monkeypatch.setattr(training_run, "train", lambda *asked: replace(training, verdict=GateVerdict((), 0.02)))

    words = ("train", str(dataset), "--trials", "1", "--seed", "5", "--promote")
    code, found, said = again(*words)
    assert (code, found["promoted"], _serves(again.home)) == (3, False, quiet.version)
    assert sum(found["change"]["sales_ready"]["newly_ready"].values()) > ALWAYS_ALLOWED
    assert "max_newly_ready" in said
    assert again(*words, "--accept-change", " ")[0] == 2
    code, found, _ = again(*words, "--accept-change", "sales doubled")
    assert (code, found["promoted"], _serves(again.home)) == (0, True, training.bundle.version)
    assert registry.history(again.home, "market", "converted")[-1]["accepted_change"] == "sales doubled"


def test_train_promote_stops_where_callers_would_lose_an_input(
    leadlift_at: Callable[[], Any], run: Any, dataset: Path, trained: Found, trainings: list[Training],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The training of this module again, where a release serves that takes one more column."""
    (training,) = trainings
    again = leadlift_at()
    shutil.copytree(run.home, again.home, dirs_exist_ok=True)
    wider = _with_a_column_more(training.bundle)
    registry.keep(again.home, wider, {"gate": {"open": True, "reasons": []}, "bundle": {"sha256": wider.name}})
    registry.promote(again.home, "market", "converted", wider.version, "2026-01-01T00:00:00Z", lambda version: None)
    monkeypatch.setattr(
        training_run, "train", lambda *asked: replace(training, verdict=replace(training.verdict, reasons=()))
    )
    code, found, said = again("train", str(dataset), "--trials", "1", "--seed", "5", "--promote")
    assert (code, found["promoted"], _serves(again.home)) == (3, False, wider.version)
    assert "Lead loses spare_score" in said
    assert f"leadlift promote {training.bundle.version} --breaking" in said


def _with_a_column_more(bundle: Bundle) -> Bundle:
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"}
    spare = ExtraColumn("spare_score", "number", "comparator")
    extra = (*bundle.feature_set.extra, spare)
    texts["features.json"] = replace(bundle.feature_set, extra=extra).to_json()
    return make_bundle(texts, {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")})


def _calling_nobody_ready(bundle: Bundle) -> Bundle:
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"}
    head, ready = texts["rules.yaml"].split("\nsales_ready:\n")
    assert ready.count("total_at_least: 70") == 1
    texts["rules.yaml"] = f"{head}\nsales_ready:\n{ready.replace('total_at_least: 70', 'total_at_least: 100')}"
    return make_bundle(texts, {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")})


def _serves(home: Path) -> str | None:
    release = registry.current(home, "market", "converted")
    return release.version if release else None


def test_a_target_nobody_reached_is_one_line(run: Any, dataset: Path) -> None:
    code, _, said = run("train", str(dataset), "--target", "accepted_twice")
    assert code == 1
    assert "accepted_twice" in said
    assert "Traceback" not in said


def test_another_target_has_its_own_model(run: Any, dataset: Path) -> None:
    code, found, _ = run("train", str(dataset), "--target", "accepted", "--trials", "1")
    assert code == 0
    assert found["target"] == "accepted"
    assert (run.home / "market" / "accepted" / "bundles").is_dir()


def test_paths_are_printed_with_everybody_in_the_denominator(run: Any, dataset: Path, tmp_path: Path) -> None:
    code, found, said = run("paths", str(dataset), "--support", "10", "--csv", str(tmp_path / "paths.csv"))
    assert code == 0
    assert sum(r["people"] for r in found["rows"]) + found["below_support"] == found["people"]
    assert found["people"] + found["censored"] + found["closed_before"] == len(_created(dataset))
    assert "95 % interval" in said
    assert found["order"]["looks"] >= found["order"]["leads"] > 0
    assert "Order " in said
    assert len((tmp_path / "paths.csv").read_text().splitlines()) == len(found["rows"]) + 1


def _created(dataset: Path) -> list[int]:
    return [t for people in open_dataset(dataset).people() for t in people.created_at.tolist()]
