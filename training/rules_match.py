"""Which leads and events a rule of the points file is about, on whole arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.records import EVENT_TYPES, Coded
from features.channels import CHANNELS
from features.content import Content
from features.family import Moment
from features.journeys import Journeys
from features.leads import Leads, select
from training.rules_file import EngagementRule, EventMatch, FitRule

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


# -- columns ---------------------------------------------------------------------------------------------------
def matches(rule: FitRule, leads: Leads) -> Mask:
    """bool (n,): leads that meet the rule's condition. An unknown value meets `known: false` and nothing else.

    Texts are compared without regard to case and outer spaces. A number in `equals` or `in` also meets a text
    column that spells it ("2"), because codes are numbers in one table and texts in the next.
    """
    assert rule.column is not None
    column = leads.columns.get(rule.column)
    if rule.known is not None:
        found = _known(column, len(leads))
        return found if rule.known else ~found
    if isinstance(column, Coded):
        return _text_matches(rule, column)
    return _number_matches(rule, leads.number(rule.column))


def _known(column: object, n: int) -> Mask:
    if isinstance(column, Coded):
        return column.known()
    if isinstance(column, np.ndarray):
        return ~np.isnan(column.astype(np.float64))
    return np.zeros(n, dtype=np.bool_)


def _text_matches(rule: FitRule, column: Coded) -> Mask:
    met = text_test(rule)
    return np.array([*(bool(met(v)) for v in column.values), False], dtype=np.bool_)[column.codes]


def text_test(rule: FitRule) -> Callable[[str], object]:
    """Tells of a known text whether it meets the rule's condition, by something true or false."""
    if rule.known is not None:
        return lambda _: rule.known
    if rule.contains is not None:
        return _pattern(rule.contains).search
    wanted = {_plain(v) for v in _wanted(rule)}
    return lambda text: _plain(text) in wanted


def _number_matches(rule: FitRule, values: F64) -> Mask:
    if rule.at_least is not None:
        return values >= rule.at_least
    if rule.between is not None:
        return (values >= rule.between[0]) & (values <= rule.between[1])
    numbers = [float(v) for v in _wanted(rule) if not isinstance(v, str)]
    return np.isin(values, numbers)


def _wanted(rule: FitRule) -> list[str | float]:
    if rule.in_ is not None:
        return rule.in_
    return [] if rule.equals is None else [rule.equals]


def _plain(value: str | float) -> str:
    return value.strip().casefold() if isinstance(value, str) else f"{value:g}"


@lru_cache(maxsize=256)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Whole words, so that `cto` is not found in `director`; a `*` at an end lets the word go on there."""
    return re.compile("|".join(map(_phrase, phrases)), re.IGNORECASE)


def _phrase(text: str) -> str:
    words = r"\s+".join(re.escape(w) for w in text.strip("* ").split())
    return ("" if text.startswith("*") else r"(?<!\w)") + words + ("" if text.endswith("*") else r"(?!\w)")


# -- events ----------------------------------------------------------------------------------------------------
def counted_events(rule: EngagementRule, journeys: Journeys) -> int:
    """Events the rule counts in all segments together; 0 for a rule about a column."""
    return 0 if rule.event is None else int(np.count_nonzero(_counts(rule, journeys)))


def _counts(rule: EngagementRule, journeys: Journeys) -> Mask:
    assert rule.event is not None
    mask = _event_mask(rule.event, journeys)
    return mask if rule.within_days is None else mask & (journeys.age_days <= rule.within_days)


def _event_mask(event: EventMatch, journeys: Journeys) -> Mask:
    hits = [about(event, c) for c in (*journeys.vocabulary.contents, None)]
    mask: Mask = np.array(hits, dtype=np.bool_)[journeys.content]
    if event.type is not None:
        mask &= _flags(EVENT_TYPES, event.type)[journeys.type]
    if event.channel is not None:
        mask &= _flags(CHANNELS, event.channel)[journeys.channel]
    return mask


def about(event: EventMatch, content: Content | None) -> bool:
    """Whether an event on this content can be meant; None = on none."""
    wanted = (event.content_type, event.content_id, event.topic, event.stage)
    if content is None:
        return not any(wanted)
    has = (content.type, content.content_id, content.topic, content.stage)
    return all(w is None or h in w for w, h in zip(wanted, has, strict=True))


@lru_cache(maxsize=256)
def _flags(names: tuple[str, ...], wanted: tuple[str, ...]) -> Mask:
    return np.array([n in wanted for n in names], dtype=np.bool_)


def rounded(values: F64) -> F64:
    """Whole numbers, halves away from zero."""
    whole: F64 = np.copysign(np.floor(np.abs(values) + 0.5), values)
    return whole


# -- one row ---------------------------------------------------------------------------------------------------
def row_of(moment: Moment, row: int) -> Moment:
    """Row `row` as a moment of one."""
    j = moment.journeys
    here = slice(int(j.offsets[row]), int(j.offsets[row + 1]))
    journey = Journeys(
        as_of=j.as_of[row : row + 1], offsets=np.array([0, here.stop - here.start], dtype=np.int64), time=j.time[here],
        type=j.type[here], content=j.content[here], channel=j.channel[here], campaign=j.campaign[here],
        session=j.session[here], dwell=j.dwell[here], basis=j.basis[here], vocabulary=j.vocabulary,
    )  # fmt: skip
    return Moment(select(moment.leads, np.array([row], dtype=np.int64)), journey)
