"""Families for the columns a dataset declares beyond the standard profile: one family each, named `extra_<name>`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from data.dataset import ExtraColumn
from features.family import F64, Family, Fitted, Group, Moment
from features.leads import Leads
from features.onehot import fit_texts, one_hot_texts, text_parts

SHARE = 0.002
SECONDS = ("s", "sec", "second", "seconds")
LONGER = ("min", "minute", "minutes", "h", "hour", "hours")


def family_for(column: ExtraColumn, declared: Sequence[ExtraColumn] = ()) -> Family | None:
    """The family of a declared column; None for a comparator, which is judged beside ours and never a feature.

    declared: all columns of the dataset, of which a derived one is made.
    """
    if column.role == "comparator":
        return None
    return _text(column) if column.kind == "text" else _number(column, {e.name: e for e in declared})


def group_of(column: ExtraColumn) -> Group:
    """Attributes say who the lead is; totals how long it was there (units of time) or how often."""
    if column.role == "attribute":
        return "profile"
    return "dwell" if _unit(column) in ("s", *LONGER) else "rhythm"


def _unit(column: ExtraColumn) -> str:
    unit = column.unit.strip().lower()
    return "s" if unit in SECONDS else unit


def _values(leads: Leads, name: str, declared: Mapping[str, ExtraColumn]) -> F64:
    """A number column; a derived one is unknown where a part of it is."""
    column = declared.get(name)
    if column is None or column.role != "derived":
        return leads.number(name)
    parts = [_values(leads, part, declared) for part in column.sum or column.product]
    return reduce(np.add if column.sum else np.multiply, parts)


def _number(column: ExtraColumn, declared: Mapping[str, ExtraColumn]) -> Family:
    def compute(m: Moment, _: Fitted) -> F64:
        return _values(m.leads, column.name, declared)

    (en, de), unit = _labels(column), _unit(column) or "number"
    value = f"{{value}} {unit}" if unit in LONGER else "{value}"
    return Family(
        f"extra_{column.name}", group_of(column), unit, "", "not known",
        f"{en}: {value}", f"{de}: {value}", f"{en} not known", f"{de} nicht bekannt", compute,
    )  # fmt: skip


def _text(column: ExtraColumn) -> Family:
    def compute(m: Moment, fitted: Fitted) -> F64:
        return one_hot_texts(m.leads.text(column.name), fitted)

    def fit(m: Moment) -> Fitted:
        return fit_texts(m.leads.text(column.name), SHARE)

    en, de = _labels(column)
    return Family(
        f"extra_{column.name}", group_of(column), "category", "", "part `missing`",
        f"{en}: {{part}}", f"{de}: {{part}}", f"{en} not known", f"{de} nicht bekannt", compute, fit, text_parts,
    )  # fmt: skip


def _labels(column: ExtraColumn) -> tuple[str, str]:
    """The column's names for people, braces doubled so that they survive formatting."""
    en = column.label_en or column.name.replace("_", " ")
    de = column.label_de or column.label_en or column.name.replace("_", " ")
    return en.replace("{", "{{").replace("}", "}}"), de.replace("{", "{{").replace("}", "}}")
