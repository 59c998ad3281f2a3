"""Who the lead is: families over its profile as it was known at `as_of`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.records import EMAIL_KINDS, Coded
from features.family import F64, Family, Fitted, Moment
from features.onehot import MISSING, fit_texts, one_hot, one_hot_texts, text_parts
from features.titles import DEPARTMENTS, department, seniority

# Upper ends of the bands 1-10, 11-50, 51-200, 201-500, 501-1,000, 1,001-5,000, 5,001-10,000; more is band 8.
SIZE_BANDS = np.array([10.0, 50, 200, 500, 1000, 5000, 10_000])
FORM_COLUMNS = (
    "title", "company", "industry", "country", "state", "email_domain", "lead_source", "self_reported_source",
)  # fmt: skip
_EMAIL_KIND = {kind: i for i, kind in enumerate(EMAIL_KINDS)}
_DEPARTMENT = {name: i for i, name in enumerate(DEPARTMENTS)}


def email_kind(m: Moment, _: Fitted) -> F64:
    """Kind of the e-mail address, one-hot."""
    return one_hot(m.leads.text("email_kind").recode(_EMAIL_KIND, len(EMAIL_KINDS)), len(EMAIL_KINDS) + 1)


def company_size(m: Moment, _: Fitted) -> F64:
    """Band of the number of employees, 1 to 8; null for unknown or negative numbers."""
    employees = m.leads.number("employees")
    band = 1.0 + SIZE_BANDS.searchsorted(employees, side="left")
    return np.where(employees >= 0, band, np.nan)


def title_seniority(m: Moment, _: Fitted) -> F64:
    """Level from 1 (in training) to 6 (owner, board) by the words of the title; null without a title."""
    return _of_each(m.leads.text("title"), seniority, np.nan)


def title_department(m: Moment, _: Fitted) -> F64:
    """Department by the words of the title, one-hot."""
    position = _of_each(m.leads.text("title"), lambda title: _DEPARTMENT[department(title)], len(DEPARTMENTS))
    return one_hot(position, len(DEPARTMENTS) + 1)


def form_completeness(m: Moment, _: Fitted) -> F64:
    """Share of the columns a form asks for that are known."""
    texts = np.array([m.leads.text(name).codes for name in FORM_COLUMNS]) >= 0
    known: F64 = np.add.reduce(texts, axis=0, dtype=np.float64) + ~np.isnan(m.leads.number("employees"))
    return known / (len(FORM_COLUMNS) + 1)


def lead_age_days(m: Moment, _: Fitted) -> F64:
    """Days since the lead was created; null for a visitor who is none yet and in a table without times."""
    return m.leads.age_days


def has_account(m: Moment, _: Fitted) -> F64:
    """1 where the lead belongs to a known account, else 0."""
    return m.leads.text("account_id").known().astype(np.float64)


def _of_each(texts: Coded, number: Callable[[str], int], missing: float) -> NDArray[Any]:
    """A number for each row, worked out once per distinct text."""
    texts = texts.compact()
    return np.array([*map(number, texts.values), missing]).take(texts.codes)


def _text_family(name: str, words_en: str, words_de: str) -> Family:
    """A family over a text column of the profile."""
    return Family(
        name, "profile", "category", "", "part `missing`",
        f"{words_en}: {{part}}", f"{words_de}: {{part}}", f"{words_en} not known", f"{words_de} nicht bekannt",
        lambda m, fitted: one_hot_texts(m.leads.text(name), fitted),
        lambda m: fit_texts(m.leads.text(name)), text_parts,
    )  # fmt: skip


FAMILIES: tuple[Family, ...] = (
    Family("email_kind", "profile", "category", "", "part `missing`",
           "E-mail address: {part}", "E-Mail-Adresse: {part}", "No e-mail address", "Keine E-Mail-Adresse",
           email_kind, None, lambda _: (*EMAIL_KINDS, MISSING)),
    _text_family("industry", "Industry", "Branche"),
    _text_family("country", "Country", "Land"),
    _text_family("lead_source", "Lead source", "Lead-Quelle"),
    _text_family("self_reported_source", "Says they found us by", "Nach eigener Angabe gefunden über"),
    Family("company_size", "profile", "band", "", "employees not known",
           "Company size: band {value} of 8", "Firmengröße: Stufe {value} von 8",
           "Company size not known", "Firmengröße nicht bekannt", company_size),
    Family("title_seniority", "profile", "level", "", "no title",
           "Seniority: level {value} of 6", "Verantwortung: Stufe {value} von 6",
           "No job title", "Keine Berufsbezeichnung", title_seniority),
    Family("title_department", "profile", "category", "", "part `missing`",
           "Department: {part}", "Abteilung: {part}", "Department not known", "Abteilung nicht bekannt",
           title_department, None, lambda _: (*DEPARTMENTS, MISSING)),
    Family("form_completeness", "profile", "share", "", "never null",
           "{value} of the profile is filled in", "{value} des Profils ist ausgefüllt",
           "Profile not known", "Profil nicht bekannt", form_completeness),
    Family("lead_age_days", "profile", "days", "", "not created yet, or no times",
           "A lead for {value} days", "Seit {value} Tagen ein Lead",
           "Age of the lead not known", "Alter des Leads nicht bekannt", lead_age_days),
    Family("has_account", "profile", "flag", "", "never null",
           "Belongs to a known account: {value}", "Gehört zu einem bekannten Kundenkonto: {value}",
           "No account", "Kein Kundenkonto", has_account),
)  # fmt: skip
