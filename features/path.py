"""What the lead looked at, and in which order: families over contents, their types, topics and stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from data.records import Coded
from features.arrays import (
    F64,
    I32,
    I64,
    Mask,
    distinct_pairs,
    per_segment,
    pick,
    ratio,
    rows_where,
    run_starts,
)
from features.content import STAGES
from features.family import Family, Fitted, Moment
from features.journeys import Journeys
from features.onehot import (
    SHARE,
    enough,
    fit_texts,
    list_parts,
    most_frequent,
    numbers_in,
    one_hot_texts,
    text_parts,
)
from features.pairs import fit_grams, fit_orders, has_grams, has_orders

CONSIDERATION, DECISION = STAGES.index("consideration"), STAGES.index("decision")


def contents_distinct(m: Moment, _: Fitted) -> F64:
    """Different contents seen."""
    return m.journeys.pages.contents_distinct


def types_distinct(m: Moment, _: Fitted) -> F64:
    """Different types of content seen."""
    seen: I64 = np.count_nonzero(m.journeys.views_by_type, axis=1)
    return seen.astype(np.float64)


def topics_distinct(m: Moment, _: Fitted) -> F64:
    """Different topics seen."""
    return per_segment(m.journeys.pages.by_topic[0], len(m))


def path_length(m: Moment, _: Fitted) -> F64:
    """Steps of the content path; the same content twice in a row is one step."""
    return per_segment(m.journeys.pages.path[0], len(m))


def session_depth(m: Moment, _: Fitted) -> F64:
    """Different contents in the session that saw most of them."""
    j = m.journeys
    rows, _segment, content = j.pages.known
    depth = distinct_pairs(j.session[rows], content, len(j.session_starts))
    deepest = np.full(len(j), -1.0)
    np.maximum.at(deepest, j.session_segment, depth)
    return np.where(deepest >= 0, deepest, np.nan)


def loops(m: Moment, _: Fitted) -> F64:
    """Returns to a content seen before."""
    return path_length(m, _) - m.journeys.pages.contents_distinct


def stage_views(m: Moment, _: Fitted) -> F64:
    """Page views of each funnel stage, (n, 3)."""
    return m.journeys.views_by_stage


def decision_views_28d(m: Moment, _: Fitted) -> F64:
    """Page views of the decision stage in the last 28 days."""
    j = m.journeys
    return j.count(j.views & (j.stage == DECISION) & j.in_28d)


def days_since_decision(m: Moment, _: Fitted) -> F64:
    """Days since the last page view of the decision stage."""
    j = m.journeys
    return j.at(j.age_days, j.last(j.views & (j.stage == DECISION)))


def to_decision(m: Moment, _: Fitted) -> F64:
    """Steps of the path from a consideration page straight to a decision page."""
    j = m.journeys
    segment, content = j.pages.path
    stage = j.vocabulary.stage_of.take(content)
    step = (segment[1:] == segment[:-1]) & (stage[:-1] == CONSIDERATION) & (stage[1:] == DECISION)
    return per_segment(segment[1:][rows_where(step)], len(j))


def pricing_views(m: Moment, _: Fitted) -> F64:
    """Page views of prices."""
    return _views_of(m.journeys, "pricing")


def pricing_views_28d(m: Moment, _: Fitted) -> F64:
    """Page views of prices in the last 28 days."""
    j = m.journeys
    return j.count(j.views & j.on_type("pricing") & j.in_28d)


def steps_to_pricing(m: Moment, _: Fitted) -> F64:
    """Steps of the path before prices were seen for the first time."""
    j = m.journeys
    segment, content = j.pages.path
    hit = rows_where(j.vocabulary.type_of.take(content) == j.vocabulary.type_number("pricing"))
    seen = hit[run_starts(segment[hit])]
    starts = run_starts(segment)
    before = np.zeros(len(j), dtype=np.int64)
    before[segment[starts]] = starts
    steps = np.full(len(j), np.nan)
    steps[segment[seen]] = seen - before[segment[seen]]
    return steps


def demo_views(m: Moment, _: Fitted) -> F64:
    """Page views of the demo."""
    return _views_of(m.journeys, "demo")


def case_views(m: Moment, _: Fitted) -> F64:
    """Page views of customer stories."""
    return _views_of(m.journeys, "case")


def careers_views(m: Moment, _: Fitted) -> F64:
    """Page views of job offers."""
    return _views_of(m.journeys, "careers")


def gated_distinct(m: Moment, _: Fitted) -> F64:
    """Different contents behind a form that the lead reached."""
    j = m.journeys
    return j.distinct(j.content, j.vocabulary.gated.take(j.content))


def topic_concentration(m: Moment, _: Fitted) -> F64:
    """Share of the most viewed topic among the page views with a topic."""
    j = m.journeys
    segment, views = j.pages.by_topic
    most = np.zeros(len(j))
    np.maximum.at(most, segment, views)
    return ratio(most, per_segment(j.pages.topics[0], len(j)))


def topic_views(m: Moment, fitted: Fitted) -> F64:
    """Page views of each topic, (n, k)."""
    return views_by(m.journeys, m.journeys.topic, m.journeys.vocabulary.topics, list_parts(fitted))


def type_views(m: Moment, fitted: Fitted) -> F64:
    """Page views of each type of content, (n, k)."""
    return views_by(m.journeys, m.journeys.content_type, m.journeys.vocabulary.types, list_parts(fitted))


def entry_type(m: Moment) -> Coded:
    """Type of the first content seen."""
    j = m.journeys
    return _content_at(j.content_type, j.first(_mapped_views(j)), j.vocabulary.types)


def last_type(m: Moment) -> Coded:
    """Type of the last content seen."""
    j = m.journeys
    return _content_at(j.content_type, j.last(_mapped_views(j)), j.vocabulary.types)


def last_content(m: Moment) -> Coded:
    """The last content seen."""
    j = m.journeys
    return _content_at(j.vocabulary.id_of.take(j.content), j.last(_mapped_views(j)), j.vocabulary.ids)


def _mapped_views(j: Journeys) -> Mask:
    return j.views & (j.content >= 0)


def _content_at(codes: I32, position: I64, names: tuple[str, ...]) -> Coded:
    return Coded(pick(codes, position), names)


def _views_of(j: Journeys, content_type: str) -> F64:
    """Page views of one type of content."""
    number = j.vocabulary.type_number(content_type)
    return j.views_by_type[:, number] if number >= 0 else np.zeros(len(j))


def views_by(j: Journeys, codes: I32, names: tuple[str, ...], values: Sequence[str]) -> F64:
    """Page views whose code says one of these values, (n, k); the codes are numbers in `names`."""
    return j.table(numbers_in(values, names).take(codes), len(values), j.views)


def _fit_views(j: Journeys, codes: I32, names: tuple[str, ...]) -> Fitted:
    """The names that enough rows viewed."""
    rows = np.count_nonzero(j.table(codes, len(names), j.views), axis=0).tolist()
    return {"values": most_frequent(dict(zip(names, rows, strict=True)), enough(len(j), SHARE))}


def _texts(name: str, texts: Callable[[Moment], Coded], words_en: str, words_de: str) -> Family:
    """A family over one content of the journey."""
    return Family(
        name, "path", "category", "", "part `missing`", words_en, words_de, *NO_VIEW,
        lambda m, fitted: one_hot_texts(texts(m), fitted), lambda m: fit_texts(texts(m), SHARE), text_parts,
    )  # fmt: skip


NO_VIEW = ("No page view on record", "Kein Seitenaufruf bekannt")
_ZERO = "never null; 0 for none"

FAMILIES: tuple[Family, ...] = (
    Family("contents_distinct", "path", "contents", "", _ZERO,
           "Saw {value} different contents", "Sah {value} verschiedene Inhalte", *NO_VIEW, contents_distinct),
    Family("types_distinct", "path", "types", "", _ZERO,
           "Saw {value} types of content", "Sah {value} Arten von Inhalten", *NO_VIEW, types_distinct),
    Family("topics_distinct", "path", "topics", "", _ZERO,
           "Saw {value} different topics", "Sah {value} verschiedene Themen", *NO_VIEW, topics_distinct),
    Family("path_length", "path", "steps", "", _ZERO,
           "Content path of {value} steps", "Inhaltspfad mit {value} Schritten", *NO_VIEW, path_length),
    Family("session_depth", "path", "contents", "", "no visit",
           "Up to {value} contents in one visit", "Bis zu {value} Inhalte in einem Besuch", *NO_VIEW, session_depth),
    Family("loops", "path", "returns", "", _ZERO,
           "Came back {value} times to contents seen before", "Kam {value}-mal auf Gesehenes zurück", *NO_VIEW, loops),
    Family("stage_views", "path", "views", "", _ZERO,
           "{value} views of {part} pages", "{value} Aufrufe von Seiten der Phase {part}", *NO_VIEW,
           stage_views, None, lambda _: STAGES),
    Family("decision_views_28d", "path", "views", "28 days", _ZERO,
           "{value} views of decision pages in 28 days", "{value} Aufrufe von Entscheidungsseiten in 28 Tagen",
           *NO_VIEW, decision_views_28d),
    Family("days_since_decision", "path", "days", "", "no decision page seen",
           "Last decision page {value} days ago", "Letzte Entscheidungsseite vor {value} Tagen",
           "No decision page seen", "Keine Entscheidungsseite gesehen", days_since_decision),
    Family("to_decision", "path", "steps", "", _ZERO,
           "Went {value} times from comparing to deciding", "Ging {value}-mal vom Vergleichen zum Entscheiden",
           *NO_VIEW, to_decision),
    Family("pricing_views", "path", "views", "", _ZERO,
           "Saw prices {value} times", "Sah die Preise {value}-mal", *NO_VIEW, pricing_views),
    Family("pricing_views_28d", "path", "views", "28 days", _ZERO,
           "Saw prices {value} times in 28 days", "Sah die Preise {value}-mal in 28 Tagen", *NO_VIEW,
           pricing_views_28d),
    Family("steps_to_pricing", "path", "steps", "", "prices not seen",
           "Saw prices after {value} other steps", "Sah die Preise nach {value} anderen Schritten",
           "Prices not seen", "Preise nicht gesehen", steps_to_pricing),
    Family("demo_views", "path", "views", "", _ZERO,
           "Saw the demo page {value} times", "Sah die Demo-Seite {value}-mal", *NO_VIEW, demo_views),
    Family("case_views", "path", "views", "", _ZERO,
           "Read {value} customer stories", "Las {value} Kundenberichte", *NO_VIEW, case_views),
    Family("careers_views", "path", "views", "", _ZERO,
           "Saw job offers {value} times", "Sah Stellenangebote {value}-mal", *NO_VIEW, careers_views),
    Family("gated_distinct", "path", "contents", "", _ZERO,
           "Reached {value} contents behind a form", "Erreichte {value} Inhalte hinter einem Formular", *NO_VIEW,
           gated_distinct),
    Family("topic_concentration", "path", "share", "", "no topic seen",
           "{value} of the views on one topic", "{value} der Aufrufe zu einem Thema",
           "No topic seen", "Kein Thema gesehen", topic_concentration),
    Family("topic_views", "path", "views", "", _ZERO,
           "{value} views on {part}", "{value} Aufrufe zu {part}", *NO_VIEW, topic_views,
           lambda m: _fit_views(m.journeys, m.journeys.topic, m.journeys.vocabulary.topics), list_parts),
    Family("type_views", "path", "views", "", _ZERO,
           "{value} views of {part} pages", "{value} Aufrufe von Seiten der Art {part}", *NO_VIEW, type_views,
           lambda m: _fit_views(m.journeys, m.journeys.content_type, m.journeys.vocabulary.types), list_parts),
    _texts("entry_type", entry_type, "Entered on a {part} page", "Begann auf einer Seite der Art {part}"),
    _texts("last_type", last_type, "Last page was a {part} page", "Letzte Seite war von der Art {part}"),
    _texts("last_content", last_content, "Last looked at {part}", "Sah zuletzt {part}"),
    Family("path_2gram", "path", "flags", "", "never null; 0 where not on the path",
           "Went straight on: {part}", "Ging direkt weiter: {part}", *NO_VIEW, has_grams, fit_grams, list_parts),
    Family("path_order", "path", "flags", "", "never null; 0 where not in this order",
           "Saw one before the other: {part}", "Sah das eine vor dem anderen: {part}", *NO_VIEW,
           has_orders, fit_orders, list_parts),
)  # fmt: skip
