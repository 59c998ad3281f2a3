"""Page views of journeys: contents, the path they make, and topics. What families over contents and paths start from."""

from __future__ import annotations

import numpy as np

from data.light import light
from features.arrays import (
    F64,
    I32,
    I64,
    Mask,
    count_pairs,
    differs,
    distinct_pairs,
    filled,
    merge_repeats,
    per_segment,
    rows_where,
    table,
)
from features.content import STAGES
from features.encode import Vocabulary
from features.lazy import cached_property


@light
class Pages:
    """The page views of `journeys` many journeys, in order: position among all events, segment, content code."""

    journeys: int
    rows: I64
    segment: I64
    content: I32
    vocabulary: Vocabulary

    @cached_property
    def known(self) -> tuple[I64, I64, I32]:
        """(position, segment, content) of those whose content is known."""
        kept = rows_where(self.content >= 0)
        return self.rows[kept], self.segment[kept], self.content[kept]

    @cached_property
    def opens(self) -> Mask:
        """Of those whose content is known: is it the first of its journey?"""
        return differs(self.known[1])

    @cached_property
    def types(self) -> I32:
        """Type number of those whose content is known."""
        return self.vocabulary.type_of.take(self.known[2])

    @cached_property
    def stages(self) -> I32:
        """Stage number of those whose content is known, -1 = none."""
        return self.vocabulary.stage_of.take(self.known[2])

    @cached_property
    def by_type(self) -> F64:
        """Page views of each type of content, (n, types)."""
        n, width = self.journeys, len(self.vocabulary.types)
        return per_segment(self.known[1] * width + self.types, n * width).reshape(n, width)

    @cached_property
    def by_stage(self) -> F64:
        """Page views of each funnel stage, (n, 3)."""
        return table(self.known[1], self.stages, self.journeys, len(STAGES))

    @cached_property
    def first(self) -> I32:
        """The first known content of each journey, -1 = none."""
        _, segment, content = self.known
        first, rows = filled(self.journeys, -1, np.int32), rows_where(self.opens)
        first[segment[rows]] = content[rows]
        return first

    @cached_property
    def last(self) -> I32:
        """The last known content of each journey, -1 = none."""
        _, segment, content = self.known
        last = filled(self.journeys, -1, np.int32)
        last[segment] = content  # of several the last one written stays
        return last

    @cached_property
    def contents_distinct(self) -> F64:
        """Different contents of each journey."""
        _, segment, content = self.known
        return distinct_pairs(segment, content, self.journeys, len(self.vocabulary.contents))

    @cached_property
    def path(self) -> tuple[I64, I32]:
        """The content path: (segment, content) in order, repeats in a row merged."""
        _, segment, content = self.known
        rows = rows_where(self.opens | differs(content))
        return segment[rows], content[rows]

    @cached_property
    def path_length(self) -> F64:
        """Steps of the content path of each journey."""
        return per_segment(self.path[0], self.journeys)

    @cached_property
    def type_path(self) -> tuple[I64, I32]:
        """The path of content types: (segment, type number) in order, repeats in a row merged."""
        segment, content = self.path
        return merge_repeats(segment, self.vocabulary.type_of.take(content))

    @cached_property
    def topics(self) -> tuple[I64, I32]:
        """(segment, topic) of those with a topic, in order."""
        _, segment, content = self.known
        topic = self.vocabulary.topic_of.take(content)
        kept = rows_where(topic >= 0)
        return segment[kept], topic[kept]

    @cached_property
    def by_topic(self) -> tuple[I64 | I32, I64]:
        """(segment, views) of each topic of each journey."""
        return count_pairs(*self.topics, self.journeys, len(self.vocabulary.topics))
