"""Steps of the content path: its first and last ones, the time between them, how they keep to a topic."""

from __future__ import annotations

import numpy as np

from data.records import MICROS
from features.arrays import (
    F64,
    I32,
    I64,
    count_pairs,
    merge_repeats,
    nans,
    per_segment,
    ratio,
    rows_where,
    run_starts,
    sorted_distinct,
)
from features.content import STAGES
from features.family import Family, Fitted, Moment
from features.journeys import Journeys
from features.onehot import SHARE, enough, list_parts, most_frequent, multi_hot, numbers_of

FIRST_STEPS = LAST_STEPS = 3
MOST_CONTENTS = 15
DECISION = STAGES.index("decision")


def path_first_3(m: Moment, fitted: Fitted) -> F64:
    """1 where a content is among the first three steps of the path, (n, k)."""
    return _contents(m.journeys, *_first_steps(m.journeys), fitted)


def path_last_3(m: Moment, fitted: Fitted) -> F64:
    """1 where a content is among the last three steps of the path, (n, k)."""
    return _contents(m.journeys, *_last_steps(m.journeys), fitted)


def fit_first_3(m: Moment) -> Fitted:
    """Contents that enough rows have among their first steps."""
    return _fit_contents(m.journeys, *_first_steps(m.journeys))


def fit_last_3(m: Moment) -> Fitted:
    """Contents that enough rows have among their last steps."""
    return _fit_contents(m.journeys, *_last_steps(m.journeys))


def step_seconds(m: Moment, _: Fitted) -> F64:
    """Mean seconds between two page views in a row of one session."""
    j = m.journeys
    rows, of_segment = j.pages.rows, j.pages.segment
    session = j.session[rows]
    after = rows_where(session[1:] == session[:-1])
    segment, rows, before = of_segment[1:][after], rows[1:][after], rows[:-1][after]
    seconds = (j.time[rows] - j.time[before]) / MICROS
    total = np.bincount(segment, weights=seconds, minlength=len(j)).astype(np.float64)
    return ratio(total, per_segment(segment, len(j)))


def days_to_decision(m: Moment, _: Fitted) -> F64:
    """Days from the first page view to the first one of the decision stage."""
    j = m.journeys
    opens = run_starts(j.pages.segment)
    first = nans(len(j))
    first[j.pages.segment[opens]] = j.age_days[j.pages.rows[opens]]
    return first - j.at(j.age_days, j.first(j.views & (j.stage == DECISION)))


def topic_switches(m: Moment, _: Fitted) -> F64:
    """Changes of topic from one page view with a topic to the next."""
    steps = per_segment(merge_repeats(*m.journeys.pages.topics)[0], len(m))
    return np.maximum(steps - 1.0, 0.0)


def topics_effective(m: Moment, _: Fitted) -> F64:
    """Number of equally viewed topics that would be as spread: 1 / sum of squared shares (Herfindahl)."""
    segment, views = m.journeys.pages.by_topic
    squares = np.bincount(segment, weights=(views * views).astype(np.float64), minlength=len(m)).astype(np.float64)
    whole = per_segment(m.journeys.pages.topics[0], len(m))
    return ratio(whole * whole, squares)


def topic_concentration_28d(m: Moment, _: Fitted) -> F64:
    """Share of the most viewed topic among the page views with a topic of the last 28 days."""
    j = m.journeys
    rows = rows_where(j.views & j.in_28d & (j.topic >= 0))
    segment = j.segment[rows]
    pair, views = count_pairs(segment, j.topic[rows], len(m), len(j.vocabulary.topics))
    most = np.zeros(len(m))
    np.maximum.at(most, pair, views)
    return ratio(most, per_segment(segment, len(m)))


def rows_with(segment: I64, codes: I32 | I64, names: tuple[str, ...]) -> dict[str, int]:
    """How many segments have each code, by its name."""
    width = len(names)
    once = sorted_distinct(segment * width + codes)[0] % max(width, 1)
    return dict(zip(names, np.bincount(once, minlength=width).tolist(), strict=True))


def _first_steps(j: Journeys) -> tuple[I64, I32]:
    """(segment, content) of the first steps: those whose path had not begun FIRST_STEPS before."""
    segment, content = j.pages.path
    far = np.ones(len(segment), dtype=np.bool_)
    np.not_equal(segment[FIRST_STEPS:], segment[:-FIRST_STEPS], out=far[FIRST_STEPS:])
    rows = rows_where(far)
    return segment[rows], content[rows]


def _last_steps(j: Journeys) -> tuple[I64, I32]:
    """(segment, content) of the last steps: those whose path is over LAST_STEPS later."""
    segment, content = j.pages.path
    far = np.ones(len(segment), dtype=np.bool_)
    np.not_equal(segment[LAST_STEPS:], segment[:-LAST_STEPS], out=far[: max(len(segment) - LAST_STEPS, 0)])
    rows = rows_where(far)
    return segment[rows], content[rows]


def _contents(j: Journeys, segment: I64, content: I32, fitted: Fitted) -> F64:
    values = list_parts(fitted)
    return multi_hot(segment, numbers_of(values, j.vocabulary.content_ids).take(content), len(j), len(values))


def _fit_contents(j: Journeys, segment: I64, content: I32) -> Fitted:
    counts = rows_with(segment, j.vocabulary.id_of[content], j.vocabulary.ids)
    return {"values": most_frequent(counts, enough(len(j), SHARE), MOST_CONTENTS)}


NO_VIEW = ("No page view on record", "Kein Seitenaufruf bekannt")
NO_TOPIC = ("No topic seen", "Kein Thema gesehen")
_ZERO = "never null; 0 for none"

FAMILIES: tuple[Family, ...] = (
    Family("path_first_3", "path", "flags", "first 3 steps", "never null; 0 where not among them",
           "Began with {part}", "Begann mit {part}", *NO_VIEW, path_first_3, fit_first_3, list_parts),
    Family("path_last_3", "path", "flags", "last 3 steps", "never null; 0 where not among them",
           "Looked at {part} of late", "Sah zuletzt auch {part}", *NO_VIEW, path_last_3, fit_last_3, list_parts),
    Family("step_seconds", "path", "s", "", "no two pages in one visit",
           "{value} from page to page", "{value} von Seite zu Seite", *NO_VIEW, step_seconds),
    Family("days_to_decision", "path", "days", "", "no decision page seen",
           "Reached a decision page after {value} days", "Kam nach {value} Tagen auf eine Entscheidungsseite",
           "No decision page seen", "Keine Entscheidungsseite gesehen", days_to_decision),
    Family("topic_switches", "path", "steps", "", _ZERO,
           "Changed the topic {value} times", "Wechselte {value}-mal das Thema", *NO_TOPIC, topic_switches),
    Family("topics_effective", "path", "topics", "", "no topic seen",
           "Interest spread over {value} topics", "Interesse an {value} Themen", *NO_TOPIC, topics_effective),
    Family("topic_concentration_28d", "path", "share", "28 days", "no topic seen in 28 days",
           "{value} of the views of 28 days on one topic", "{value} der Aufrufe aus 28 Tagen zu einem Thema",
           *NO_TOPIC, topic_concentration_28d),
)  # fmt: skip
