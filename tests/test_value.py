"""The value of a won lead: the kind that errs least on later conversions, from text, with bounds, or unknown."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.errors import BundleError
from data.records import DAY
from features.build import FeatureTable
from serving.champion import scorer_of
from serving.known import of_people
from serving.scorer import Wants
from training.bundle import Bundle, Prediction, make_bundle, read_bundle, write_bundle
from training.card import value_text
from training.value import Value, value_of
from training.value_fit import Kind, Won, deviance, errors_of, fit, spread_of, value_model

COLUMNS = ("employees", "noise", "visits")


def _won(n: int, seed: int, by: str) -> Won:
    """Values that depend on nothing, on the band of one feature, or smoothly on two."""
    rng = np.random.default_rng(seed)
    values = np.column_stack([np.exp(rng.normal(4, 1.5, n)), rng.random(n), rng.poisson(4, n).astype(float)])
    level = {
        "nothing": np.zeros(n),
        "band": 2.0 * (values[:, 0] > 60),
        "smooth": 0.5 * np.log(values[:, 0]) + 0.3 * values[:, 2],
    }[by]
    values[rng.random(n) < 0.1, 0] = np.nan
    minor = np.round(np.exp(10 + level + rng.normal(0, 0.3, n)))
    return Won(COLUMNS, values, minor, rng.permutation(n) * DAY, rng.random(n))


def _chosen(won: Won) -> str:
    errors = errors_of(won, 0, 1)
    return min(errors, key=errors.__getitem__)


@pytest.mark.parametrize(("by", "kind"), [("nothing", "mean"), ("smooth", "boosted")])
def test_the_kind_that_errs_least_on_the_later_conversions_is_found(by: str, kind: str) -> None:
    assert sum(_chosen(_won(1000, seed, by)) == kind for seed in range(5)) >= 3


def test_segments_are_of_the_feature_that_explains_most_and_shrink_to_the_mean() -> None:
    won = _won(2000, 1, "band")
    model = fit("segments", won, 0, 1)
    assert model.column == "employees"
    errors = errors_of(won, 0, 1)
    assert errors["segments"] < 0.8 * errors["mean"]
    few = fit("segments", won.take(np.arange(60)), 0, 1)
    overall = won.minor[:60].mean()
    assert max(abs(np.log(np.array(few.means) / overall))) < max(abs(np.log(np.array(model.means) / won.minor.mean())))


@pytest.mark.parametrize("kind", ["mean", "segments", "boosted"])
def test_each_kind_is_text_answers_one_as_many_and_keeps_the_mean(kind: Kind) -> None:
    won = _won(600, 2, "smooth")
    model = fit(kind, won, 0, 1)
    files = model.files()
    assert all(isinstance(text, str) for text in files.values())
    again = value_of(files)
    many = again.of(COLUMNS, won.values)
    assert np.array_equal(many, model.of(COLUMNS, won.values))
    assert np.array_equal(many, np.concatenate([again.of(COLUMNS, won.values[i : i + 1]) for i in range(len(won))]))
    assert many.mean() == pytest.approx(won.minor.mean(), rel=0.03)
    assert fit(kind, won, 0, 1).files() == files


@pytest.mark.parametrize("kind", ["mean", "boosted"])
def test_fewer_values_make_the_answer_less_sure(kind: Kind) -> None:
    won = _won(1600, 3, "band")
    sure, unsure = (spread_of(kind, won.take(np.arange(n)), 10, 0, 1) for n in (1600, 100))
    assert 0 < sure < unsure


def test_values_of_nothing_are_no_reason_for_trees() -> None:
    won = _won(300, 4, "band")
    free = replace(won, minor=np.where(np.arange(300) % 9 == 0, 0.0, won.minor))
    assert set(errors_of(free, 0, 1)) == {"mean", "segments"}
    assert deviance(np.array([0.0, 5.0]), np.array([0.0, 5.0])) == pytest.approx(1.0)


# -- from frame to value model -----------------------------------------------------------------------------------
def _work(won_values: np.ndarray[Any, Any], judging: int = 0) -> Any:
    """Leads looked at on day 0 and 7 who convert on day 10; the last `judging` of them judge."""
    n = len(won_values)
    lead = np.repeat(np.arange(n), 2)
    hashes = np.random.default_rng(0).random(n)
    frame = SimpleNamespace(
        lead=lead, as_of=np.tile([0, 7 * DAY], n), label=np.ones(2 * n), hashes=hashes[lead],
        won_values=won_values, won_hashes=hashes, won_lead=np.arange(n), won_at=np.full(n, 10 * DAY),
    )  # fmt: skip
    features = SimpleNamespace(columns=("look",))
    train = np.arange(2 * (n - judging))
    return SimpleNamespace(
        frame=frame, table=SimpleNamespace(feature_set=features, values=np.tile([0.0, 7.0], n)[:, None]),
        request=SimpleNamespace(seed=0), question=SimpleNamespace(policy=SimpleNamespace(horizon=30 * DAY)),
        settings=SimpleNamespace(training=SimpleNamespace(threads=1, refits=3)),
        split=SimpleNamespace(turns=[SimpleNamespace(train=train)], refit=train),
    )  # fmt: skip


def test_below_50_known_values_nothing_is_answered() -> None:
    for known, answered in ((49, False), (50, True)):
        work = _work(np.full(known, 1000.0))
        said = value_model(work, work.split.refit).of(("look",), np.zeros((2, 1)))
        assert (~np.isnan(said)).all() == answered


def test_values_of_judging_leads_change_nothing() -> None:
    values = np.exp(np.random.default_rng(5).normal(10, 1, 200))
    other = np.concatenate([values[:160], values[160:] * 1000])
    found = [value_model(w, w.split.refit).files() for w in (_work(values, 40), _work(other, 40))]
    assert found[0] == found[1]


# -- in the model card -------------------------------------------------------------------------------------------
def test_the_card_names_the_kind_the_known_values_and_how_far_each_kind_erred() -> None:
    values = np.exp(np.random.default_rng(5).normal(10, 1, 200))
    work = _work(values)
    model = value_model(work, work.split.refit)
    assert model.errors is not None
    said = value_text(model)
    assert f"Kind: **{model.kind}**" in said
    assert "200 known values" in said
    assert set(model.errors) == {"mean", "segments", "boosted"}
    assert model.kind == min(model.errors, key=model.errors.__getitem__)
    for kind, error in model.errors.items():
        assert f"| {kind} | {error:,.1f} |" in said
    assert "**segments** by `visits`" in value_text(replace(model, kind="segments", column="visits"))


def test_below_50_known_values_the_card_says_that_no_expected_value_is_given() -> None:
    few, enough = (value_text(value_model(w, w.split.refit)) for w in (_work(np.full(n, 1000.0)) for n in (49, 50)))
    assert few == "No expected value is given: 49 won leads have a known value, 50 are needed."
    assert enough == "Kind: **mean**, learned from 50 known values. They are too few to compare kinds."


# -- in the reply ------------------------------------------------------------------------------------------------
def _with_value(bundle: Bundle, value: Value) -> Bundle:
    texts = {n: t for n, t in bundle.files.items() if n != "manifest.json"} | value.files()
    return make_bundle(texts, {k: v for k, v in bundle.manifest.items() if k not in ("files", "format")})


@pytest.fixture(scope="module")
def boosted(market: Any) -> Bundle:
    columns = market.bundle.feature_set.columns
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (200, len(columns)))
    won = Won(columns, values, np.round(np.exp(12 + values[:, 0])), np.arange(200), rng.random(200))
    return _with_value(market.bundle, replace(fit("boosted", won, 0, 1), log_sd=0.2))


def test_full_detail_has_the_interval_around_the_expected_value(market: Any, boosted: Bundle) -> None:
    (people,) = market.dataset.people()
    scores = scorer_of(boosted).score(of_people(people, market.as_of), Wants(detail=True))
    value, p = scores.columns["expected_value"], scores.columns["probability"]
    assert scores.details is not None
    assert len(np.unique(value / p)) > 10  # leads differ in value, not in probability alone
    for i, detail in enumerate(scores.details):
        assert detail["expected_value_low"] < value[i] < detail["expected_value_high"]
    old = scorer_of(market.bundle).score(of_people(people, market.as_of), Wants(detail=True))
    assert all(d["expected_value_low"] != d["expected_value_low"] for d in old.details or ())


def test_the_bounds_join_both_errors(market: Any) -> None:
    table = FeatureTable(market.bundle.feature_set.columns, np.zeros((1, len(market.bundle.feature_set.columns))))
    said = Prediction(*(np.array([p]) for p in (0.2, 0.1, 0.3, 0.0)))
    sure, unsure = (
        _with_value(market.bundle, Value("mean", 100, 1e6, log_sd=sd)).expected_value(table, said) for sd in (0.0, 0.5)
    )
    assert (sure.value, sure.low, sure.high) == (2000.0, 1000.0, 3000.0)
    assert (unsure.value, unsure.low < 1000, unsure.high > 3000) == (2000.0, True, True)


def test_a_value_model_of_another_feature_set_is_refused(market: Any, tmp_path: Path) -> None:
    wrong = _with_value(market.bundle, Value("segments", 100, 1.0, column="shoe size", edges=(1.0,), means=(1.0,) * 3))
    with pytest.raises(BundleError, match="shoe size"):
        read_bundle(write_bundle(wrong, tmp_path / "wrong"))
    unknown = {"value.json": json.dumps({"kind": "dice", "count": 60, "mean_minor": 1.0})}
    texts = {n: t for n, t in market.bundle.files.items() if n != "manifest.json"} | unknown
    with pytest.raises(BundleError, match="known kind"):
        read_bundle(write_bundle(make_bundle(texts, market.bundle.manifest), tmp_path / "unknown"))


def test_a_boosted_value_is_answered_without_its_trainer(boosted: Bundle, tmp_path: Path) -> None:
    folder = write_bundle(boosted, tmp_path / "boosted")
    program = f"""
import sys
from pathlib import Path
import numpy as np
from training.bundle import read_bundle
bundle = read_bundle(Path({str(folder)!r}))
k = len(bundle.feature_set.columns)
assert bundle.value.of(bundle.feature_set.columns, np.zeros((1, k)))[0] > 0
print([name for name in ("pandas", "lightgbm", "sklearn") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
