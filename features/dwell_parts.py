"""How long the lead looked at which kind of content, and where that time is known from.

As in `features/dwell.py`: 0 where nothing of the kind was seen, null where it was but no time is known, and where the
lead was never on the site.
"""

from __future__ import annotations

import numpy as np

from data.records import DWELL_BASES
from features.arrays import F64, I32, I64, ratio, rows_where
from features.content import STAGES
from features.dwell import NO_TIME
from features.family import Family, Fitted, Moment
from features.journeys import Journeys
from features.onehot import SHARE, enough, list_parts, most_frequent, numbers_in, numbers_of
from features.steps import MOST_CONTENTS, rows_with

BASES = tuple(b for b in DWELL_BASES if b != "none")
_BASE = np.array([BASES.index(b) if b in BASES else -1 for b in DWELL_BASES], dtype=np.int64)


def dwell_content(m: Moment, fitted: Fitted) -> F64:
    """Seconds on each content, (n, k)."""
    values = list_parts(fitted)
    return _by_name(m.journeys, numbers_of(values, m.journeys.vocabulary.content_ids), len(values))


def dwell_type(m: Moment, fitted: Fitted) -> F64:
    """Seconds on each type of content, (n, k)."""
    values, j = list_parts(fitted), m.journeys
    return j.seconds.by(numbers_in(values, j.vocabulary.types).take(j.content_type), len(values))


def dwell_topic(m: Moment, fitted: Fitted) -> F64:
    """Seconds on each topic, (n, k)."""
    values = list_parts(fitted)
    return _by_name(m.journeys, numbers_of(values, m.journeys.vocabulary.content_topics), len(values))


def dwell_stage_decayed(m: Moment, _: Fitted) -> F64:
    """Seconds on pages of each funnel stage, those 14 days old counting half, (n, 3)."""
    j = m.journeys
    return j.seconds.by(j.stage, len(STAGES), j.decay)


def dwell_basis(m: Moment, _: Fitted) -> F64:
    """Share of the known seconds that were measured, told by the tracker, or are gaps between page views, (n, 3)."""
    j = m.journeys
    segment, seconds = j.seconds.segment, j.seconds.known
    code = _BASE.take(j.basis[j.seconds.rows])
    told = rows_where(code >= 0)
    cell = segment[told] * len(BASES) + code[told]
    parts = np.bincount(cell, weights=seconds[told], minlength=len(j) * len(BASES)).reshape(len(j), len(BASES))
    whole = np.bincount(segment, weights=seconds, minlength=len(j)).astype(np.float64)
    return ratio(parts.astype(np.float64, copy=False), whole[:, np.newaxis])


def _by_name(j: Journeys, of_content: I64, k: int) -> F64:
    """Seconds by k names; `of_content` numbers that of each content."""
    return j.seconds.by(of_content.take(j.content), k)


def _fit(j: Journeys, codes: I32, names: tuple[str, ...]) -> Fitted:
    """The names on which enough rows have a known time."""
    code = codes[j.seconds.rows]
    named = rows_where(code >= 0)
    counts = rows_with(j.seconds.segment[named], code[named], names)
    return {"values": most_frequent(counts, enough(len(j), SHARE), MOST_CONTENTS)}


_NULL = "never on the site, or no time known"

FAMILIES: tuple[Family, ...] = (
    Family("dwell_content", "dwell", "s", "", _NULL, "{value} on {part}", "{value} bei {part}", *NO_TIME,
           dwell_content, lambda m: _fit(m.journeys, m.journeys.vocabulary.id_of[m.journeys.content],
                                         m.journeys.vocabulary.ids), list_parts),
    Family("dwell_type", "dwell", "s", "", _NULL,
           "{value} on {part} pages", "{value} auf Seiten der Art {part}", *NO_TIME,
           dwell_type, lambda m: _fit(m.journeys, m.journeys.content_type, m.journeys.vocabulary.types), list_parts),
    Family("dwell_topic", "dwell", "s", "", _NULL,
           "{value} on the topic {part}", "{value} beim Thema {part}", *NO_TIME,
           dwell_topic, lambda m: _fit(m.journeys, m.journeys.topic, m.journeys.vocabulary.topics), list_parts),
    Family("dwell_stage_decayed", "dwell", "s", "half-life 14 days", _NULL,
           "{value} on {part} pages, recent time counting more",
           "{value} auf Seiten der Phase {part}, Jüngeres zählt mehr", *NO_TIME,
           dwell_stage_decayed, None, lambda _: STAGES),
    Family("dwell_basis", "dwell", "share", "", "no time known",
           "{value} of the known time: {part}", "{value} der bekannten Zeit: {part}", *NO_TIME,
           dwell_basis, None, lambda _: BASES),
)  # fmt: skip
