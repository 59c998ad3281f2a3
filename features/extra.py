"""Families for the columns a dataset declares beyond the standard profile: one family each, named `extra_<name>`."""

from __future__ import annotations

from data.dataset import ExtraColumn
from features.family import F64, Family, Fitted, Group, Moment
from features.onehot import fit_texts, one_hot_texts, text_parts

SHARE = 0.002
SECONDS = ("s", "sec", "second", "seconds")
LONGER = ("min", "minute", "minutes", "h", "hour", "hours")


def family_for(column: ExtraColumn) -> Family | None:
    """The family of a declared column; None for a comparator, which is judged beside ours and never a feature."""
    if column.role == "comparator":
        return None
    return _text(column) if column.kind == "text" else _number(column)


def group_of(column: ExtraColumn) -> Group:
    """Attributes say who the lead is; totals how long it was there (units of time) or how often."""
    if column.role == "attribute":
        return "profile"
    return "dwell" if _unit(column) in ("s", *LONGER) else "rhythm"


def _unit(column: ExtraColumn) -> str:
    unit = column.unit.strip().lower()
    return "s" if unit in SECONDS else unit


def _number(column: ExtraColumn) -> Family:
    def compute(m: Moment, _: Fitted) -> F64:
        return m.leads.number(column.name)

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
