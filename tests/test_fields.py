"""`leadlift fields`: an answer that says who buys is asked for, one drawn by lot is not, and what forms cost adds up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import Dataset, People, consenting, open_dataset
from data.errors import Verdict
from data.records import Coded
from data.settings import SnapshotSettings, load_settings
from serving.insights.field_table import WHY, field_tables
from serving.insights.tables import GERMAN
from tests.planted_fields import PLANTED, Telling
from tests.planted_paths import Lot, market
from training.activation import ALL_CHANNELS, activation_rows
from training.field_costs import Cost, Forms, cost_of, forms_of
from training.field_looks import ASKED
from training.field_worth import Figure, Worth, kinds_of
from training.fields import ASK, LATER, NOT, UNTOLD, VERDICTS, FieldReport, field_report, verdict_of
from training.snapshots import policy_of
from training.work import Request

POLICY = policy_of(SnapshotSettings())
Made = tuple[Dataset, int]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return market(tmp_path_factory.mktemp("fields") / "market", 4000, 1)


def asked(dataset: Dataset) -> FieldReport:
    settings = load_settings(options={"home": "."})
    return field_report(dataset, settings, Request("m", "converted", None, 1, 0, lambda what, n: lambda k: None))


def test_an_answer_that_says_who_buys_is_asked_for_and_one_drawn_by_lot_is_not(made: Made) -> None:
    report = asked(Telling(*made, 1, False))
    verdict = {r.field: r.verdict for r in report.rows}
    assert report.rows[0].field == PLANTED
    assert [f for f, v in verdict.items() if v == ASK] == [PLANTED]
    assert verdict["country"] in (NOT, UNTOLD)
    state, country = (next(r for r in report.rows if r.field == f) for f in (PLANTED, "country"))
    assert state.worth.low > 0.1 * report.base
    assert state.caught.low > 0
    assert country.worth.high < 0.02 * report.base
    assert report.all < report.base
    json.dumps(report.document(), allow_nan=False)


@pytest.fixture(scope="module")
def by_lot(made: Made) -> list[FieldReport]:
    return [asked(Lot(*made, seed, False)) for seed in (1, 2)]


def test_where_buyers_are_drawn_by_lot_no_field_is_asked_for(by_lot: list[FieldReport]) -> None:
    assert not [r.field for f in by_lot for r in f.rows if r.verdict in (ASK, LATER)]


def test_behaviour_tells_where_people_heard_of_us_and_not_their_industry(by_lot: list[FieldReport]) -> None:
    report = by_lot[0]
    told = {r.field: r.told for r in report.rows}
    assert told["self_reported_source"].low > 0.5
    assert told["industry"].high < 0.05
    assert next(r.verdict for r in report.rows if r.field == "self_reported_source") == NOT


def figure(low: float, high: float) -> Figure:
    return Figure((low + high) / 2, low, high, 0.01)


@pytest.mark.parametrize(
    ("worth", "told", "cost", "q", "fill", "verdict"),
    [
        (figure(0.01, 0.02), figure(0.0, 0.1), Cost(0, 0), 0.001, 0.9, ASK),
        (figure(0.01, 0.02), figure(0.3, 0.4), Cost(0, 0), 0.001, 0.9, LATER),
        (figure(0.01, 0.02), figure(0.0, 0.1), Cost(2, 2, 0.1, 0.2, -0.1, -0.15, -0.05), 0.001, 0.9, LATER),
        (figure(-0.01, 0.02), figure(0.3, 0.4), Cost(0, 0), 0.5, 0.9, NOT),
        (figure(-0.01, 0.0004), figure(0.0, 0.1), Cost(0, 0), 0.5, 0.9, NOT),
        (figure(-0.01, 0.02), figure(0.0, 0.1), Cost(0, 0), 0.5, 0.9, UNTOLD),
        (figure(0.01, 0.02), figure(0.0, 0.1), Cost(0, 0), 0.2, 0.9, UNTOLD),
        (figure(0.01, 0.02), figure(0.0, 0.1), Cost(0, 0), 0.001, 0.01, UNTOLD),
        (Figure(), Figure(), Cost(0, 0), np.nan, 0.5, UNTOLD),
    ],
)
def test_the_verdict_follows_intervals(
    worth: Figure, told: Figure, cost: Cost, q: float, fill: float, verdict: str
) -> None:
    assert verdict_of(fill, Worth(worth, Figure(), told), cost, q, base=0.1)[0] == verdict


def test_the_cost_is_completions_of_forms_that_ask_less_those_of_forms_that_do_not() -> None:
    forms = Forms(
        ("long", "short", "rare"), np.array([1000, 500, 20]), np.array([100, 100, 10]), {"title": np.array([90, 1, 10])}
    )
    cost = cost_of(forms, "title")
    assert (cost.forms_with, cost.forms_without) == (1, 1)
    assert (cost.rate_with, cost.rate_without, cost.cost) == pytest.approx((0.1, 0.2, -0.1))
    assert cost.low < cost.cost < cost.high < 0
    every = cost_of(replace(forms, answered={"title": np.array([90, 90, 10])}), "title")
    assert np.isnan(every.cost)


def test_completions_are_the_leads_that_forms_made_and_answers_are_theirs(made: Made) -> None:
    dataset, now = made
    forms = forms_of(dataset, POLICY, now, ASKED)
    assert forms is not None
    points = [
        r for r in activation_rows(dataset, POLICY, now, least=1) if r.action == "form" and r.channel == ALL_CHANNELS
    ]
    assert dict(zip(forms.names, forms.completions.tolist(), strict=True)) == {r.content: r.leads for r in points}
    assert (forms.completions <= forms.starts).all()
    assert all((a <= forms.completions).all() for a in forms.answered.values())
    assert 0.8 < forms.answered["title"].sum() / forms.completions.sum() < 1
    assert forms_of(consenting(dataset, True), POLICY, now, ASKED) is None


def test_answers_are_told_apart_where_some_are_common_and_numbers_by_bands() -> None:
    kind, kinds = kinds_of(np.array(["a"] * 5 + ["b"] * 4 + ["c"], dtype=object))
    assert (kinds, len(set(kind.tolist()))) == (3, 3)
    assert kinds_of(np.array([f"company {i}" for i in range(100)], dtype=object))[1] == 1
    kind, kinds = kinds_of(np.arange(100, dtype=np.float64).astype(object))
    assert (kinds, np.bincount(kind).tolist()) == (4, [25, 25, 25, 25])


def test_the_command_says_every_field(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    leadlift, folder = leadlift_at(), str(tmp_path / "market")
    assert leadlift("simulate", folder, "--leads", "900", "--days", "200", "--seed", "2")[0] == 0
    code, found, said = leadlift("fields", folder, "--publish")
    assert code == 0
    assert {r["field"] for r in found["rows"]} == set(ASKED)
    assert all(r["verdict"] in said for r in found["rows"])
    (table,) = field_tables(leadlift.home, open_dataset(folder).info.name, "won")
    assert [(r["field"], r["verdict"]) for r in table.rows] == [(r["field"], r["verdict"]) for r in found["rows"]]
    assert field_tables(leadlift.home, open_dataset(folder).info.name, "accepted") == []


def test_every_reason_of_a_verdict_has_german_words() -> None:
    some = [Figure(v, v, v) for v in (-1.0, 0.1, 1.0)]
    worths = [Worth(worth, Figure(), told) for worth in [*some, Figure(0.1, -1.0, 1.0)] for told in some]
    costs = [Cost(1, 1, high=h) for h in (-0.1, 0.1)]
    found = {verdict_of(fill, w, c, q, 1.0) for fill in (0.0, 0.5) for w in worths for c in costs for q in (0.0, 1.0)}
    assert {why for _, why in found} == set(WHY)
    assert {verdict for verdict, _ in found} == set(VERDICTS)
    assert set(VERDICTS) <= set(GERMAN)


def test_an_interval_is_said_to_hold_both_only_where_it_does() -> None:
    worths = {low: Worth(Figure(0.5, low, 1.0), Figure(), Figure(0.0, 0.0, 0.0)) for low in (-0.1, 0.1)}
    why = {low: verdict_of(0.5, w, Cost(1, 1, high=0.1), 1.0, 1.0)[1] for low, w in worths.items()}
    assert "holds both" in why[-0.1]
    assert "may be chance" in why[0.1]


def test_where_nobody_answered_anything_it_is_a_verdict(made: Made) -> None:
    @dataclass(frozen=True)
    class Silent(Lot):
        def _drawn(self, people: People) -> People:
            drawn, n = super()._drawn(people), len(np.asarray(people.leads["lead"]))
            nothing = {f: np.full(n, np.nan) if f == "employees" else Coded.nulls(n) for f in ASKED}
            return replace(drawn, leads={**people.leads, **nothing})

    with pytest.raises(Verdict, match="no answer of any field"):
        asked(Silent(*made, 1, False))
