"""The profile families: what a lead is, as far as it is known."""

from __future__ import annotations

import math

import pytest

from data.records import DAY, NULL_TIME
from features.titles import department, seniority
from tests.cases import NOW, values_of


def _parts(values: dict[str, float], family: str) -> set[str]:
    return {name for name, value in values.items() if name.startswith(f"{family}[") and value == 1.0}


@pytest.mark.parametrize(
    ("employees", "band"),
    [
        (0, 1),
        (1, 1),
        (10, 1),
        (11, 2),
        (50, 2),
        (51, 3),
        (200, 3),
        (500, 4),
        (1000, 5),
        (5000, 6),
        (10_000, 7),
        (10_001, 8),
    ],
)
def test_company_size_is_a_band_from_1_to_8(employees: float, band: int) -> None:
    assert values_of([], {"employees": float(employees)})["company_size"] == band


@pytest.mark.parametrize("employees", [math.nan, -5.0])
def test_an_impossible_company_size_is_unknown(employees: float) -> None:
    assert math.isnan(values_of([], {"employees": employees})["company_size"])


def test_texts_are_compared_without_capitals_and_blanks() -> None:
    values = values_of([], {"industry": "  SOFT ware "}, industry=["Soft Ware"])
    assert _parts(values, "industry") == {"industry[Soft Ware]"}


@pytest.mark.parametrize(
    ("text", "part"), [("mining", "other"), ("Other", "other"), (None, "missing"), (" ", "missing")]
)
def test_rare_and_missing_texts_have_parts_of_their_own(text: str | None, part: str) -> None:
    assert _parts(values_of([], {"industry": text}, industry=["software"]), "industry") == {f"industry[{part}]"}


def test_every_email_kind_is_one_part_and_none_is_missing() -> None:
    assert _parts(values_of([], {"email_kind": "free"}), "email_kind") == {"email_kind[free]"}
    assert _parts(values_of([]), "email_kind") == {"email_kind[missing]"}


@pytest.mark.parametrize(
    ("title", "level"),
    [
        ("CEO", 6), ("Chief Technology Officer", 6), ("Co-Founder", 6), ("Managing Director", 6), ("Geschäftsführer", 6),
        ("Geschaeftsfuehrerin", 6), ("Mitglied des Vorstands", 6), ("Vice President Sales", 5), ("SVP Finance", 5),
        ("Marketing Director", 5), ("Prokurist", 5), ("Head of IT", 4), ("Vertriebsleiter", 4), ("Leitung Einkauf", 4),
        ("Teamleiterin Support", 3), ("Product Owner", 2), ("Product Manager", 3), ("Senior Engineer", 3),
        ("International Buyer", 2), ("Werkstudent Marketing", 1), ("Assistenz der Geschäftsführung", 1), ("Intern", 1),
    ],
)  # fmt: skip
def test_titles_tell_a_level(title: str, level: int) -> None:
    assert seniority(title) == level
    assert values_of([], {"title": title})["title_seniority"] == level


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Head of Marketing", "marketing"), ("Leiter Vertrieb", "sales"), ("Account Executive", "sales"),
        ("Personalleiterin", "hr"), ("Einkäufer", "purchasing"), ("Controllerin", "finance"), ("IT-Leiter", "it"),
        ("Leiter Produktion", "operations"), ("Produktmanager", "product"), ("Inhaber", "management"),
        ("Teacher", "other"), ("Personal Assistant", "other"),
    ],
)  # fmt: skip
def test_titles_tell_a_department(title: str, name: str) -> None:
    assert department(title) == name
    assert _parts(values_of([], {"title": title}), "title_department") == {f"title_department[{name}]"}


def test_form_completeness_is_the_share_of_known_columns() -> None:
    assert values_of([])["form_completeness"] == 0.0
    assert values_of([], {"title": "CEO", "company": "Example", "employees": 5.0})["form_completeness"] == 3 / 9


def test_the_age_of_a_lead_counts_from_its_creation() -> None:
    assert values_of([], created_at=NOW - 36 * DAY // 24)["lead_age_days"] == 1.5


@pytest.mark.parametrize("created_at", [NULL_TIME, NOW, NOW + DAY])
def test_a_visitor_who_is_no_lead_yet_has_no_age(created_at: int) -> None:
    assert math.isnan(values_of([], created_at=created_at)["lead_age_days"])


def test_declared_columns_are_features_and_comparators_are_not() -> None:
    profile = {"plan": "Pro", "seats": 3.0, "trial_time": 90.0, "vendor_score": 99.0}
    values = values_of([], profile, extra_plan=["Pro"])
    assert (values["extra_plan[Pro]"], values["extra_seats"], values["extra_trial_time"]) == (1.0, 3.0, 90.0)
    assert not [name for name in values if "vendor_score" in name]
