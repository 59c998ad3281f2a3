"""What the lead looked at, and in which order: families over contents, their types, topics and stages."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data.records import Coded
from features.arrays import (
    F64,
    I32,
    I64,
    Mask,
    distinct_pairs,
    nans,
    per_segment,
    ratio,
    rows_where,
    table,
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
    numbers_of,
    one_hot_listed,
    text_parts,
)
from features.pairs import fit_grams, fit_orders, has_grams, has_orders

CONSIDERATION, DECISION = STAGES.index("consideration"), STAGES.index("decision")


def contents_distinct(m: Moment, _: Fitted) -> F64:
    """Different contents seen."""
    return m.journeys.pages.contents_distinct


def types_distinct(m: Moment, _: Fitted) -> F64:
    """Different types of content seen."""
    seen: F64 = (m.journeys.pages.by_type > 0).sum(axis=1, dtype=np.float64)
    return seen


def topics_distinct(m: Moment, _: Fitted) -> F64:
    """Different topics seen."""
    return per_segment(m.journeys.pages.by_topic[0], len(m))


def path_length(m: Moment, _: Fitted) -> F64:
    """Steps of the content path; the same content twice in a row is one step."""
    return m.journeys.pages.path_length


def session_depth(m: Moment, _: Fitted) -> F64:
    """Different contents in the session that saw most of them."""
    j = m.journeys
    rows, _segment, content = j.pages.known
    depth = distinct_pairs(j.session[rows], content, len(j.session_starts), len(j.vocabulary.contents))
    deepest = nans(len(j))
    np.fmax.at(deepest, j.session_segment, depth)
    return deepest


def loops(m: Moment, _: Fitted) -> F64:
    """Returns to a content seen before."""
    pages = m.journeys.pages
    return pages.path_length - pages.contents_distinct


def stage_views(m: Moment, _: Fitted) -> F64:
    """Page views of each funnel stage, (n, 3)."""
    return m.journeys.pages.by_stage


def decision_views_28d(m: Moment, _: Fitted) -> F64:
    """Page views of the decision stage in the last 28 days."""
    return _in_28d(m.journeys, m.journeys.pages.stages == DECISION)


def days_since_decision(m: Moment, _: Fitted) -> F64:
    """Days since the last page view of the decision stage."""
    j = m.journeys
    rows, segment, _content = j.pages.known
    seen = rows_where(j.pages.stages == DECISION)
    days = nans(len(j))
    days[segment[seen]] = j.age_days[rows[seen]]  # of several the last one written stays
    return days


def to_decision(m: Moment, _: Fitted) -> F64:
    """Steps of the path from a consideration page straight to a decision page."""
    pages = m.journeys.pages
    stage = pages.stages
    step = (stage[:-1] == CONSIDERATION) & (stage[1:] == DECISION) & ~pages.opens[1:]
    return per_segment(pages.known[1][1:][rows_where(step)], len(m))


def pricing_views(m: Moment, _: Fitted) -> F64:
    """Page views of prices."""
    return _views_of(m.journeys, "pricing")


def pricing_views_28d(m: Moment, _: Fitted) -> F64:
    """Page views of prices in the last 28 days."""
    j = m.journeys
    return _in_28d(j, j.pages.types == j.vocabulary.type_number("pricing"))


def steps_to_pricing(m: Moment, _: Fitted) -> F64:
    """Steps of the path before prices were seen for the first time."""
    j = m.journeys
    segment, content = j.pages.path
    length = j.pages.path_length
    starts = length.cumsum() - length
    seen = rows_where(j.vocabulary.type_of.take(content) == j.vocabulary.type_number("pricing"))[::-1]
    steps = nans(len(j))
    steps[segment[seen]] = seen - starts[segment[seen]]  # of several the last one written stays, which is the first
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
    rows = rows_where(j.vocabulary.gated.take(j.content))
    return distinct_pairs(j.segment[rows], j.content[rows], len(j), len(j.vocabulary.contents))


def topic_concentration(m: Moment, _: Fitted) -> F64:
    """Share of the most viewed topic among the page views with a topic."""
    j = m.journeys
    segment, views = j.pages.by_topic
    most = np.zeros(len(j))
    np.maximum.at(most, segment, views)
    return ratio(most, per_segment(j.pages.topics[0], len(j)))


def topic_views(m: Moment, fitted: Fitted) -> F64:
    """Page views of each topic, (n, k)."""
    pages, values = m.journeys.pages, list_parts(fitted)
    _rows, segment, content = pages.known
    return table(segment, numbers_of(values, pages.vocabulary.content_topics).take(content), len(m), len(values))


def type_views(m: Moment, fitted: Fitted) -> F64:
    """Page views of each type of content, (n, k)."""
    pages = m.journeys.pages
    return views_by(pages.known[1], pages.types, len(m), pages.vocabulary.types, list_parts(fitted))


def entry_type(m: Moment) -> Coded:
    """Type of the first content seen."""
    v = m.journeys.vocabulary
    return Coded(v.type_of.take(m.journeys.pages.first), v.types)


def last_type(m: Moment) -> Coded:
    """Type of the last content seen."""
    v = m.journeys.vocabulary
    return Coded(v.type_of.take(m.journeys.pages.last), v.types)


def last_content(m: Moment) -> Coded:
    """The last content seen."""
    contents, last = m.journeys.vocabulary.contents, m.journeys.pages.last.tolist()
    return Coded.of(contents[code].content_id if code >= 0 else None for code in last)


def _in_28d(j: Journeys, seen: Mask) -> F64:
    """Page views of the last 28 days; `seen`: which of those whose content is known."""
    rows, segment, _content = j.pages.known
    return per_segment(segment[rows_where(seen & j.in_28d[rows])], len(j))


def _views_of(j: Journeys, content_type: str) -> F64:
    """Page views of one type of content."""
    number = j.vocabulary.type_number(content_type)
    return j.pages.by_type[:, number] if number >= 0 else np.zeros(len(j))


def views_by(segment: I64, codes: I32, n: int, names: tuple[str, ...], values: tuple[str, ...]) -> F64:
    """Page views of n segments whose code says one of these values, (n, k); the codes are numbers in `names`."""
    return table(segment, numbers_in(values, names).take(codes), n, len(values))


def _fit_views(segment: I64, codes: I32, n: int, names: tuple[str, ...]) -> Fitted:
    """The names that enough rows viewed."""
    rows = np.count_nonzero(table(segment, codes, n, len(names)), axis=0).tolist()
    return {"values": most_frequent(dict(zip(names, rows, strict=True)), enough(n, SHARE))}


def _fit_topics(m: Moment) -> Fitted:
    segment, topic = m.journeys.pages.topics
    return _fit_views(segment, topic, len(m), m.journeys.vocabulary.topics)


def _fit_types(m: Moment) -> Fitted:
    pages = m.journeys.pages
    return _fit_views(pages.known[1], pages.types, len(m), pages.vocabulary.types)


def _texts(name: str, texts: Callable[[Moment], Coded], words_en: str, words_de: str) -> Family:
    """A family over one content of the journey."""
    return Family(
        name, "path", "category", "", "part `missing`", words_en, words_de, *NO_VIEW,
        lambda m, fitted: one_hot_listed(texts(m), fitted), lambda m: fit_texts(texts(m), SHARE), text_parts,
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
           "{value} views on {part}", "{value} Aufrufe zu {part}", *NO_VIEW, topic_views, _fit_topics,
           list_parts),
    Family("type_views", "path", "views", "", _ZERO,
           "{value} views of {part} pages", "{value} Aufrufe von Seiten der Art {part}", *NO_VIEW, type_views,
           _fit_types, list_parts),
    _texts("entry_type", entry_type, "Entered on a {part} page", "Begann auf einer Seite der Art {part}"),
    _texts("last_type", last_type, "Last page was a {part} page", "Letzte Seite war von der Art {part}"),
    _texts("last_content", last_content, "Last looked at {part}", "Sah zuletzt {part}"),
    Family("path_2gram", "path", "flags", "", "never null; 0 where not on the path",
           "Went straight on: {part}", "Ging direkt weiter: {part}", *NO_VIEW, has_grams, fit_grams, list_parts),
    Family("path_order", "path", "flags", "", "never null; 0 where not in this order",
           "Saw one before the other: {part}", "Sah das eine vor dem anderen: {part}", *NO_VIEW,
           has_orders, fit_orders, list_parts),
)  # fmt: skip
