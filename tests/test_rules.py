"""The points file: what it means, and how it says what is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data.errors import InputError
from data.packaged import content_text, rules_text
from data.records import DAY, EVENT_TYPES, NULL_TIME, PROFILE_NUMBER, PROFILE_TEXT, Coded
from features.channels import CHANNELS
from features.content import Content, ContentMap
from features.encode import Vocabulary
from features.family import Moment
from features.journeys import Journeys
from features.leads import Leads
from training.rules import MQL, SALES_READY, PointsTable, Rules, Standing, ledger, score_points

AS_OF = 1_000 * DAY
CONTENTS = (
    Content("pricing", "pricing", None, "decision"),
    Content("blog:crm", "blog", "crm", "awareness"),
    Content("docs:crm", "docs", "crm", "decision"),
)
MINIMAL: dict[str, Any] = {
    "version": "1",
    "approvals": [{"team": "marketing", "date": yaml.safe_load("2026-10-05")}],
    "lead_birth": {"en": "a form", "de": "ein Formular"},
    "stages": {"below_mql": "lead", "mql": "warm", "sales_ready": "hot"},
    "hot_probability": 0.2,
    "fit": [],
    "engagement": [],
    "fit_grades": {"A": 30, "B": 20, "C": 10},
    "engagement_levels": {1: 30, 2: 20, 3: 10},
    "mql": {"total_at_least": 40},
    "sales_ready": {"total_at_least": 60},
}


def rule(code: str = "r", points: int = 5, **given: Any) -> dict[str, Any]:
    return {"code": code, "label": {"en": code, "de": code}, "points": points, **given}


def rules(**changes: Any) -> Rules:
    return Rules.from_yaml(yaml.safe_dump(MINIMAL | changes, sort_keys=False))


def profiles(**columns: Sequence[str | None] | Sequence[float]) -> Moment:
    """Leads without events; texts and numbers by column."""
    n = len(next(iter(columns.values())))
    made = {c: _column(v) for c, v in columns.items()}
    at = np.full(n, AS_OF)
    return Moment(Leads(at, at - DAY, made), _journeys([[]] * n))


def _column(values: Sequence[Any]) -> Coded | np.ndarray:
    numbers = all(isinstance(v, int | float) for v in values)
    return np.array(values, dtype=np.float64) if numbers else Coded.of(values)


def journeys(*events: tuple[str, int, str, float]) -> Moment:
    """One lead with events (type, content number or -1, channel, age in days), oldest first."""
    at = np.array([AS_OF])
    return Moment(Leads(at, at - DAY, {}), _journeys([list(events)]))


def _journeys(people: list[list[tuple[str, int, str, float]]]) -> Journeys:
    events = [e for person in people for e in person]
    return Journeys(
        as_of=np.full(len(people), AS_OF),
        offsets=np.cumsum([0, *map(len, people)]).astype(np.int64),
        time=np.array([AS_OF - round(e[3] * DAY) for e in events], dtype=np.int64),
        type=np.array([EVENT_TYPES.index(e[0]) for e in events], dtype=np.int8),
        content=np.array([e[1] for e in events], dtype=np.int32),
        channel=np.array([CHANNELS.index(e[2]) for e in events], dtype=np.int8),
        campaign=np.full(len(events), -1, dtype=np.int32),
        session=np.arange(len(events)),
        dwell=np.full(len(events), np.nan),
        basis=np.zeros(len(events), dtype=np.int8),
        vocabulary=Vocabulary(CONTENTS, ()),
    )


def fit_points(moment: Moment, **condition: Any) -> list[int]:
    return score_points(rules(fit=[rule(points=1, **condition)]), moment).fit.tolist()


def event_points(moment: Moment, points: int = 10, **given: Any) -> int:
    return int(score_points(rules(engagement=[rule(points=points, **given)]), moment).engagement[0])


# -- conditions ------------------------------------------------------------------------------------------------
TITLES = ["CTO", "Director of Sales", "vice  president", "Intern", "International Manager", None, "Vertriebsleiterin"]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"contains": "cto"}, [1, 0, 0, 0, 0, 0, 0]),
        ({"contains": ["vice president", "intern"]}, [0, 0, 1, 1, 0, 0, 0]),
        ({"contains": ["*leiter*", "intern*"]}, [0, 0, 0, 1, 1, 0, 1]),
        ({"equals": " cto "}, [1, 0, 0, 0, 0, 0, 0]),
        ({"in": ["INTERN", "CTO"]}, [1, 0, 0, 1, 0, 0, 0]),
        ({"known": True}, [1, 1, 1, 1, 1, 0, 1]),
        ({"known": False}, [0, 0, 0, 0, 0, 1, 0]),
        ({"at_least": 0}, [0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_text_conditions(condition: dict[str, Any], expected: list[int]) -> None:
    assert fit_points(profiles(title=TITLES), column="title", **condition) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"at_least": 50}, [0, 1, 1, 0]),
        ({"between": [0, 50]}, [1, 1, 0, 0]),
        ({"equals": 50}, [0, 1, 0, 0]),
        ({"in": [49, 200]}, [1, 0, 1, 0]),
        ({"known": False}, [0, 0, 0, 1]),
        ({"equals": "50"}, [0, 0, 0, 0]),
    ],
)
def test_number_conditions(condition: dict[str, Any], expected: list[int]) -> None:
    assert fit_points(profiles(employees=[49, 50, 200, np.nan]), column="employees", **condition) == expected


def test_a_number_meets_a_text_column_that_spells_it() -> None:
    assert fit_points(profiles(traffic=["2", "20", None]), column="traffic", equals=2) == [1, 0, 0]


def test_a_column_the_table_has_not_is_unknown() -> None:
    assert fit_points(profiles(title=["CTO"]), column="industry", known=False) == [1]
    assert fit_points(profiles(title=["CTO"]), column="industry", equals="x") == [0]


# -- events ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "page_view"}, 30),
        ({"type": ["form", "page_view"]}, 40),
        ({"content_type": "pricing"}, 10),
        ({"content_id": "blog:crm"}, 10),
        ({"topic": "crm"}, 20),
        ({"stage": "decision", "type": "page_view"}, 20),
        ({"topic": "crm", "stage": "decision"}, 10),
        ({"channel": "email"}, 10),
        ({"type": "webinar"}, 0),
    ],
)
def test_which_events_count(event: dict[str, Any], expected: int) -> None:
    seen = journeys(
        ("page_view", 1, "email", 4),
        ("page_view", 2, "direct", 3),
        ("page_view", 0, "direct", 2),
        ("form", -1, "direct", 1),
    )
    assert event_points(seen, event=event) == expected


@pytest.mark.parametrize(("age", "expected"), [(0.001, 10), (7, 5), (14, 3), (21, 1), (70, 0)])
def test_points_halve_with_every_half_life_and_halves_round_up(age: float, expected: int) -> None:
    assert event_points(journeys(("form", -1, "direct", age)), event={"type": "form"}, half_life_days=7) == expected


def test_negative_points_round_away_from_zero_too() -> None:
    aged = journeys(("form", -1, "direct", 14))
    assert event_points(aged, points=-10, event={"type": "form"}, half_life_days=7) == -3


def test_each_event_is_rounded_by_itself() -> None:
    two = journeys(("form", -1, "direct", 14), ("form", -1, "direct", 14))
    assert event_points(two, event={"type": "form"}, half_life_days=7) == 6


def test_older_events_than_within_days_do_not_count() -> None:
    two = journeys(("form", -1, "direct", 8), ("form", -1, "direct", 7))
    assert event_points(two, event={"type": "form"}, within_days=7) == 10


@pytest.mark.parametrize(("points", "expected"), [(10, 15), (-10, -15), (5, 10)])
def test_a_cap_bounds_the_rule_on_both_sides(points: int, expected: int) -> None:
    two = journeys(("form", -1, "direct", 2), ("form", -1, "direct", 1))
    assert event_points(two, points=points, event={"type": "form"}, cap=15) == expected


# -- total, grade, stage ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("points", "total", "grade"), [(100, 100, "A4"), (30, 30, "A4"), (29, 29, "B4"), (10, 10, "C4"), (-9, 0, "D4")]
)
def test_total_is_limited_and_thresholds_are_the_lowest_points_of_a_grade(points: int, total: int, grade: str) -> None:
    table = score_points(rules(fit=[rule(points=points, column="title", known=True)]), profiles(title=["x"]))
    assert (table.total.tolist(), table.grades()) == ([total], [grade])
    assert (table.total.dtype, table.fit_grade.dtype, table.engagement_level.dtype) == (np.int64, np.int8, np.int8)


def test_a_total_above_100_is_limited() -> None:
    both = [rule("a", 90, column="title", known=True), rule("b", 90, column="title", known=True)]
    assert score_points(rules(fit=both), profiles(title=["x", None])).total.tolist() == [100, 0]


def test_stage_follows_total_grade_and_probability() -> None:
    strict = rules(
        mql={"total_at_least": 40, "grades": ["A1", "B2"]},
        sales_ready={"total_at_least": 60, "probability_at_least": 0.1},
    )
    assert strict.verdict(39, "A1", 0.9) == Standing("lead", mql=False, sales_ready=False)
    assert strict.verdict(60, "A2", 0.9) == Standing("lead", mql=False, sales_ready=False)
    assert strict.verdict(59, "A1", 0.9) == Standing("warm", mql=True, sales_ready=False)
    assert strict.verdict(60, "B2", 0.1) == Standing("hot", mql=True, sales_ready=True)
    assert strict.verdict(60, "B2", 0.09) == Standing("warm", mql=True, sales_ready=False)
    assert strict.verdict(60, "B2", None) == Standing("warm", mql=True, sales_ready=False)
    assert strict.hot_points == 60


def test_many_standings_agree_with_one_verdict() -> None:
    strict = rules(mql={"total_at_least": 20, "grades": ["A1", "D4", "C2"]}, sales_ready={"total_at_least": 50})
    rng = np.random.default_rng(0)
    fit, engagement = rng.integers(-5, 40, (2, 200))
    grade, level = rng.integers(0, 4, 200).astype(np.int8), rng.integers(1, 5, 200).astype(np.int8)
    table = PointsTable(fit, engagement, np.clip(fit + engagement, 0, 100), grade, level)
    codes = strict.standings(table)
    singles = [strict.verdict(t, g) for t, g in zip(table.total.tolist(), table.grades(), strict=True)]
    assert [strict.standing(c) for c in codes.tolist()] == singles
    assert {0, MQL, SALES_READY} == set(codes.tolist())


# -- the file --------------------------------------------------------------------------------------------------
def test_both_teams_must_approve() -> None:
    day = MINIMAL["approvals"][0]["date"]
    assert not rules().approved
    assert rules(approvals=[{"team": t, "date": day} for t in ("sales", "marketing")]).approved


def test_what_others_read_off_the_rules() -> None:
    r = rules(expected_rate={"A1": 0.2, "D4": 0}, fit=[rule("b", column="title", known=True)])
    assert (r.version, r.hot_probability, r.expected_rate) == ("1", 0.2, {"A1": 0.2, "D4": 0})
    assert r.columns == {"title": "b"}
    assert Rules.from_yaml(r.text) == r


EVENT_RULE = rule(event={"type": "form"})
BROKEN = [
    ({"hot_probabilty": 0.2}, "(hot_probabilty)", "Did you mean 'hot_probability'?"),
    ({"version": 1}, "line 1 (version)", "expected a text in quotes, got 1."),
    ({"fit": [rule(colum="title", known=True)]}, "(fit rule r colum)", "Did you mean 'column'?"),
    ({"fit": [rule(column="title")]}, "(fit rule r)", "exactly one condition of equals"),
    ({"fit": [rule(column="title", known=True, equals="x")]}, "(fit rule r)", "got equals, known."),
    ({"fit": [rule(known=True)]}, "(fit rule r)", "expected a column"),
    ({"fit": [rule(column="country", equals=False)]}, "(fit rule r equals)", "got false."),
    ({"fit": [rule(column="country", **{"in": ["DE", False]})]}, "(fit rule r in 1)", "NO or yes need quotes"),
    ({"fit": [rule(column="employees", between=[9, 1])]}, "(fit rule r between)", "Swap the bounds."),
    ({"fit": [rule(points=2.5, column="x", known=True)]}, "(fit rule r points)", "expected a whole number, got 2.5."),
    ({"fit": [rule(column="x", known=True)] * 2}, "(fit rule r)", "'r' a second time"),
    ({"fit": [rule(column="x", known=True)], "engagement": [EVENT_RULE]}, "(engagement rule r)", "'r' a second time"),
    ({"engagement": [rule()]}, "(engagement rule r)", "a column or an event, got nothing to look at"),
    ({"engagement": [rule(event={})]}, "(engagement rule r event)", "Say which events count."),
    ({"engagement": [rule(event={"type": "pageview"})]}, "(engagement rule r event type)", "Did you mean 'page_view'?"),
    ({"engagement": [rule(event={"typ": "form"})]}, "(engagement rule r event typ)", "Did you mean 'type'?"),
    ({"engagement": [EVENT_RULE | {"column": "title"}]}, "(engagement rule r)", "Make two rules of it."),
    ({"engagement": [rule(column="x", at_least=1, cap=3)]}, "(engagement rule r)", "on events only"),
    ({"engagement": [EVENT_RULE | {"half_life_days": 0}]}, "(engagement rule r half_life_days)", "greater than 0"),
    ({"fit_grades": {"A": 10, "B": 20, "C": 5}}, "(fit_grades)", "falling points from best to worst"),
    ({"engagement_levels": {1: 10, 2: 5}}, "(engagement_levels)", "expected the keys 1, 2, 3"),
    ({"mql": {"total_at_least": 40, "grades": ["a1"]}}, "(mql.grades)", "Did you mean 'A1'?"),
    ({"sales_ready": {"total_at_least": 39}}, "(sales_ready.total_at_least)", "at least the MQL total 40"),
    ({"expected_rate": {"A1": 1.2}}, "(expected_rate.A1)", "less than or equal to 1"),
    (
        {"approvals": [{"team": "sales", "date": "soon"}]},
        "(approvals.0.date)",
        "expected a date such as 2026-10-05, got 'soon'.",
    ),
    ({"approvals": MINIMAL["approvals"] * 2}, "(approvals.1)", "one approval per team"),
    ({"approvals": [MINIMAL["approvals"][0] | {"person": "x"}]}, "(approvals.0.person)", "Known: team, date."),
]


@pytest.mark.parametrize(("change", "where", "what"), BROKEN)
def test_a_mistake_is_one_line_that_names_entry_and_remedy(change: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(InputError) as error:
        rules(**change)
    message = str(error.value)
    assert where in message
    assert what in message
    assert message.startswith("rules.yaml line ")
    assert "\n" not in message


def test_the_line_is_that_of_the_mistake() -> None:
    lines = yaml.safe_dump(MINIMAL).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("hot_probability"))
    lines[at] = "hot_probability: 2"
    with pytest.raises(InputError, match=rf"line {at + 1} \(hot_probability\): expected less than 1, got 2\."):
        Rules.from_yaml("\n".join(lines))


def test_a_missing_key_is_named() -> None:
    text = yaml.safe_dump({k: v for k, v in MINIMAL.items() if k != "mql"})
    with pytest.raises(InputError, match="expected the key 'mql', got nothing"):
        Rules.from_yaml(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "points.yaml: expected a list of keys and values, got nothing"),
        ("- a\n- b", "got a list of 2"),
        ("version: '1'\nfit: [\n", "points.yaml line 3: expected YAML"),
        ("version: '1'\nfit: []\nversion: '2'\n", "points.yaml line 3: expected each key once, got 'version'"),
        ("fit:\n  - {code: a, points: 1, points: 2}", "points.yaml line 2: expected each key once, got 'points'"),
        ("a: &a\n  - *a\n", "expected a known key, got 'a'"),
        ("!!python/object/apply:os.getcwd []", "points.yaml line 1: expected YAML"),
    ],
)
def test_a_file_that_is_no_points_file(text: str, what: str) -> None:
    with pytest.raises(InputError) as error:
        Rules.from_yaml(text, "points.yaml")
    assert what in str(error.value)
    assert "\n" not in str(error.value)


# -- the files that ship ---------------------------------------------------------------------------------------
def test_the_packaged_points_fit_the_packaged_content_and_the_profile() -> None:
    r = Rules.from_yaml(rules_text())
    content = ContentMap.of(yaml.safe_load(content_text()))
    types = {str(c.entry.get("type")) for c in content.rules}
    wanted = {t for e in r.file.engagement if e.event is not None for t in e.event.content_type or ()}
    assert wanted <= types
    assert set(r.columns) <= {*PROFILE_TEXT, *PROFILE_NUMBER}
    assert r.approved


@pytest.mark.parametrize("name", ["x_education", "online_shoppers"])
def test_the_points_of_public_data_look_only_at_mapped_columns(name: str) -> None:
    folder = Path(str(files("data"))) / "mappings"
    r = Rules.from_yaml((folder / f"{name}_rules.yaml").read_text(encoding="utf-8"))
    assert r.approved
    for mapping in folder.glob(f"{name}*.toml"):
        table = tomllib.loads(mapping.read_text(encoding="utf-8"))["table"][0]
        assert set(r.columns) <= {*table.get("columns", {}), *table["extra"]}
    assert all(e.event is None for e in r.file.engagement)


def test_a_table_without_times_scores_too() -> None:
    moment = profiles(title=["CTO"])
    untimed = Moment(Leads(moment.leads.as_of, np.array([NULL_TIME]), moment.leads.columns), moment.journeys)
    assert [e.code for e in ledger(Rules.from_yaml(rules_text()), untimed, 0)] == ["decision_maker"]
