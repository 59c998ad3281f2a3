"""The ledger adds up: for any rules and any lead its entries sum to the total the lead was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from data.packaged import rules_text
from data.records import DAY, EVENT_TYPES, Coded
from features.channels import CHANNELS
from features.content import STAGES, Content
from features.encode import Vocabulary
from features.family import Moment
from features.journeys import Journeys
from features.leads import Leads
from training.rules import HIGHEST, LOWEST, Rules, ledger, score_points

AS_OF = 1_000 * DAY
TYPES = ("pricing", "demo", "blog", "careers")
CONTENTS = tuple(Content(f"c{i}", t, None, STAGES[i % 3]) for i, t in enumerate(TYPES))
TITLES = ("CTO", "Sales Manager", "student", None)

# A lead: title, employees, and events of (type, content or -1, channel, age in microseconds).
EVENTS = st.tuples(
    st.integers(0, len(EVENT_TYPES) - 1),
    st.integers(-1, 3),
    st.integers(0, len(CHANNELS) - 1),
    st.integers(1, 90 * DAY),
)
LEADS = st.tuples(st.sampled_from(TITLES), st.sampled_from([np.nan, 3.0, 80.0, 900.0]), st.lists(EVENTS, max_size=12))

FIT_RULES = st.one_of(
    st.fixed_dictionaries({"column": st.just("title"), "contains": st.sampled_from(["cto", "manager", "stud*"])}),
    st.fixed_dictionaries({"column": st.just("employees"), "at_least": st.integers(0, 100)}),
    st.fixed_dictionaries({"column": st.sampled_from(["title", "industry"]), "known": st.booleans()}),
)
MATCHES = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(EVENT_TYPES)}),
    st.fixed_dictionaries({"content_type": st.lists(st.sampled_from(TYPES), min_size=1)}),
    st.fixed_dictionaries({"stage": st.sampled_from(STAGES), "type": st.just(["page_view", "form"])}),
    st.fixed_dictionaries({"channel": st.sampled_from(CHANNELS)}),
)
EVENT_RULES = st.fixed_dictionaries(
    {"event": MATCHES},
    optional={
        "cap": st.integers(1, 60), "half_life_days": st.floats(0.5, 60), "within_days": st.floats(0.5, 90),
    },
)  # fmt: skip


def _coded(prefix: str, entries: list[tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    names = [f"{prefix}_{i}" for i in range(len(entries))]
    return [
        {"code": n, "label": {"en": f"{n} en", "de": f"{n} de"}, "points": points, **given}
        for n, (given, points) in zip(names, entries, strict=True)
    ]


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    points = st.integers(-100, 100)
    document = yaml.safe_load(rules_text())
    document["fit"] = _coded("f", draw(st.lists(st.tuples(FIT_RULES, points), max_size=5)))
    document["engagement"] = _coded("e", draw(st.lists(st.tuples(EVENT_RULES, points), max_size=5)))
    return Rules.from_yaml(yaml.safe_dump(document))


def moment_of(leads: list[Any]) -> Moment:
    at = np.full(len(leads), AS_OF)
    columns = {"title": Coded.of(lead[0] for lead in leads), "employees": np.array([lead[1] for lead in leads])}
    people = [sorted(lead[2], key=lambda e: -e[3]) for lead in leads]
    e = np.array([e for person in people for e in person], dtype=np.int64).reshape(-1, 4)
    journeys = Journeys(
        as_of=at, offsets=np.cumsum([0, *map(len, people)]).astype(np.int64), time=AS_OF - e[:, 3],
        type=e[:, 0].astype(np.int8), content=e[:, 1].astype(np.int32), channel=e[:, 2].astype(np.int8),
        campaign=np.full(len(e), -1, dtype=np.int32), session=np.arange(len(e)), dwell=np.full(len(e), np.nan),
        basis=np.zeros(len(e), dtype=np.int8), vocabulary=Vocabulary(CONTENTS, ()),
    )  # fmt: skip
    return Moment(Leads(at, at - DAY, columns), journeys)


@settings(max_examples=60, deadline=None)
@given(rules(), st.lists(LEADS, min_size=1, max_size=4))
def test_the_ledger_adds_up_to_points_exactly(any_rules: Rules, leads: list[Any]) -> None:
    moment = moment_of(leads)
    table = score_points(any_rules, moment)
    for row in range(len(leads)):
        entries = ledger(any_rules, moment, row)
        sums = {d: sum(e.points for e in entries if e.dimension == d) for d in ("fit", "engagement", "total")}
        assert sum(sums.values()) == table.total[row]
        assert (sums["fit"], sums["engagement"]) == (table.fit[row], table.engagement[row])
        assert all(isinstance(e.points, int) and e.points for e in entries)


@settings(max_examples=40, deadline=None)
@given(rules(), st.lists(LEADS, min_size=1, max_size=6))
def test_points_of_a_lead_do_not_depend_on_other_leads(any_rules: Rules, leads: list[Any]) -> None:
    together = score_points(any_rules, moment_of(leads))
    for row, lead in enumerate(leads):
        alone = score_points(any_rules, moment_of([lead]))
        for name in ("fit", "engagement", "total", "fit_grade", "engagement_level"):
            assert getattr(alone, name)[0] == getattr(together, name)[row]


@settings(max_examples=40, deadline=None)
@given(rules(), st.lists(LEADS, max_size=4))
def test_totals_grades_and_caps_stay_in_their_bounds(any_rules: Rules, leads: list[Any]) -> None:
    moment = moment_of(leads)
    table = score_points(any_rules, moment)
    assert np.all((table.total >= LOWEST) & (table.total <= HIGHEST))
    assert np.all((table.fit_grade >= 0) & (table.fit_grade <= 3))
    assert np.all((table.engagement_level >= 1) & (table.engagement_level <= 4))
    caps = {r.code: r.cap for r in any_rules.file.engagement}
    for row in range(len(leads)):
        entries = ledger(any_rules, moment, row)
        for code, cap in caps.items():
            part = sum(e.points for e in entries if e.code in (code, f"{code}:cap"))
            assert cap is None or abs(part) <= cap


@settings(max_examples=20, deadline=None)
@given(LEADS)
def test_the_packaged_points_add_up(lead: Any) -> None:
    packaged, moment = Rules.from_yaml(rules_text()), moment_of([lead])
    assert sum(e.points for e in ledger(packaged, moment, 0)) == score_points(packaged, moment).total[0]


@pytest.mark.parametrize(("lang", "cap", "limit"), [("en", "Cap", "Limit"), ("de", "Obergrenze", "Begrenzung")])
def test_entries_say_what_they_are_in_both_languages(lang: str, cap: str, limit: str) -> None:
    document = yaml.safe_load(rules_text())
    form = {"event": {"type": "form"}, "cap": 70}
    document |= {"fit": _coded("f", [({"column": "title", "known": True}, 50)])}
    document |= {"engagement": _coded("e", [(form, 60)])}
    entries = ledger(
        Rules.from_yaml(yaml.safe_dump(document)),
        moment_of([("CTO", np.nan, [(EVENT_TYPES.index("form"), -1, 0, DAY)] * 2)]),
        0,
        lang,
    )
    assert [(e.dimension, e.code, e.points, e.count) for e in entries] == [
        ("fit", "f_0", 50, 0), ("engagement", "e_0", 120, 2), ("engagement", "e_0:cap", -50, 0),
        ("total", "limit", -20, 0),
    ]  # fmt: skip
    assert entries[0].label == f"f_0 {lang}"
    assert entries[2].label == f"{cap}: e_0 {lang}"
    assert entries[3].label.startswith(limit)
