"""Page views of journeys: contents, the path they make, and topics. What families over contents and paths start from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from features.arrays import F64, I32, I64, count_pairs, distinct_pairs, merge_repeats, rows_where
from features.encode import Vocabulary


@dataclass(frozen=True)
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
    def contents_distinct(self) -> F64:
        """Different contents of each journey."""
        _, segment, content = self.known
        return distinct_pairs(segment, content, self.journeys)

    @cached_property
    def path(self) -> tuple[I64, I32]:
        """The content path: (segment, content) in order, repeats in a row merged."""
        _, segment, content = self.known
        return merge_repeats(segment, content)

    @cached_property
    def type_path(self) -> tuple[I64, I32]:
        """The path of content types: (segment, type number) in order, repeats in a row merged."""
        segment, content = self.path
        return merge_repeats(segment, self.vocabulary.type_of.take(content))

    @cached_property
    def topics(self) -> tuple[I64, I32]:
        """(segment, topic) of those with a topic, in order."""
        topic = self.vocabulary.topic_of.take(self.content)
        kept = rows_where(topic >= 0)
        return self.segment[kept], topic[kept]

    @cached_property
    def by_topic(self) -> tuple[I64 | I32, I64]:
        """(segment, views) of each topic of each journey."""
        return count_pairs(*self.topics, self.journeys)
