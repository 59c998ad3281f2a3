"""Cells -> values: a text of the table becomes a text, number, time, flag or money, or the row is rejected."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from zoneinfo import ZoneInfo

from data import salesforce, times
from data.currency import exponent_of
from data.importers.rejects import RowError
from data.mapping import Extra, Source
from data.mapping_check import SECONDS
from data.records import Column

Value = str | int | float | bool | None
Convert = Callable[[str], Value]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_RANGE = re.compile(r"(\d+)\s*[-\u2013]\s*(\d+)|(\d+)\s*\+")
FLAGS = {**dict.fromkeys(("true", "t", "yes", "y", "1"), True), **dict.fromkeys(("false", "f", "no", "n", "0"), False)}
# A date alone is the start of its day where an early moment is the careful reading, else its last microsecond.
STARTS_DAY = frozenset({"created_at", "valid_from", "date", "withdrawn_at", "cut_over"})


def number(text: str) -> float:
    """A decimal number with a point; `1,5`, `nan`, `12 min` and the like are no numbers."""
    if not _NUMBER.fullmatch(text):
        raise RowError("bad_number")
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise RowError("bad_number")
    return value


def amount(text: str) -> float:
    """A number that cannot be negative."""
    value = number(text)
    if value < 0:
        raise RowError("negative_value")
    return value


def employees(text: str) -> float:
    """A head count, or a band such as `51-200` or `10000+`, of which the lower end counts."""
    band = _RANGE.fullmatch(text)
    if band is None:
        return amount(text)
    return float(band[1]) if band[1] else float(band[3]) + 1


def flag(text: str) -> bool:
    try:
        return FLAGS[text.lower()]
    except KeyError:
        raise RowError("bad_flag") from None


def money(unit: str, currency: str) -> Convert:
    """Whole minor units; what is finer is rejected, never rounded."""
    exponent = exponent_of(currency) if unit == "major" else 0

    def convert(text: str) -> float:
        number(text)
        minor = Decimal(text).scaleb(exponent)
        if minor != minor.to_integral_value():
            raise RowError("fraction_of_minor_unit")
        return float(minor)

    return convert


def seconds(unit: str) -> Convert:
    factor = SECONDS[unit]
    return amount if factor == 1.0 else lambda text: amount(text) * factor


def choice(choices: tuple[str, ...]) -> Convert:
    def convert(text: str) -> str:
        if text.lower() not in choices:
            raise RowError("unknown_value")
        return text.lower()

    return convert


def time(source: Source, target: str, zone: ZoneInfo | None) -> Convert:
    """Times of one column; its own zone wins over the dataset's."""
    own = times.zone_named(source.timezone) if source.timezone else zone
    rule = times.TimeRule(own, source.fold, target not in STARTS_DAY, source.unit, source.format)

    def convert(text: str) -> int:
        try:
            return times.parse(text, rule)
        except times.TimeError as bad:
            raise RowError(bad.reason) from None

    return convert


def converter(column: Column, source: Source, zone: ZoneInfo | None, currency: str) -> Convert:
    """How the cells of one standard column are read."""
    if column.kind == "time":
        return time(source, column.name, zone)
    if column.kind == "money":
        return money(source.unit or "minor", currency)
    if column.kind == "flag":
        return flag
    if column.kind == "code":
        return choice(column.choices)
    if column.kind == "number":
        return seconds(source.unit or "s") if column.unit == "s" else employees
    return str


def salesforce_id(text: str) -> str:
    """The 18 characters of a record's id."""
    try:
        return salesforce.long_id(text)
    except ValueError:
        raise RowError("bad_id") from None


def chained(first: Callable[[str], str], then: Convert) -> Convert:
    """One reading after another."""
    return lambda text: then(first(text))


def extra_converter(extra: Extra) -> Convert:
    """How the cells of a declared column are read. Durations become seconds; totals cannot be negative."""
    if extra.kind == "text":
        return str
    if extra.unit in SECONDS:
        return seconds(extra.unit)
    return amount if extra.role == "behaviour_total" else number
