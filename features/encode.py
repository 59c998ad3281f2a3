"""Events as codes instead of text: once per distinct text, sorted by (lead, time), ready to be cut at any moment.

Left out are events of nobody, bots and outbound events. An `event_id` seen twice for one lead counts once. The order
in which events arrive never matters: ties in time are ordered by what the events say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from data.light import light
from data.records import DIRECTIONS, DWELL_BASES, EVENT_TYPES, Coded, Columns
from features.arrays import F64, I8, I32, I64, Mask, filled, rows_where, sorted_distinct
from features.channels import ChannelOf
from features.content import STAGES, Content, ContentMap
from features.lazy import cached_property

TYPE = {name: i for i, name in enumerate(EVENT_TYPES)}
BASIS = {name: i for i, name in enumerate(DWELL_BASES)}
TOUCH_COLUMNS = ("source", "medium", "campaign", "referrer_host", "click_id_kind")


@light
class Vocabulary:
    """What the codes of a journey mean: `contents[content]`, `CHANNELS[channel]`, `campaigns[campaign]`.

    Attributes per content are arrays with one more entry at the end, which is what code -1 finds. known_types: types
    that have a number whether or not they occur, ascending, so that what is looked up by all types together is found
    again.
    """

    contents: tuple[Content, ...]
    campaigns: tuple[str, ...]
    known_types: tuple[str, ...] = ()

    @cached_property
    def topics(self) -> tuple[str, ...]:
        return tuple(sorted({topic for topic in self.content_topics if topic}))

    @cached_property
    def types(self) -> tuple[str, ...]:
        """`known_types`, and those of contents that were named by an id of another map; ascending."""
        others = {c.type for c in self.contents}.difference(self.known_types)
        return tuple(sorted({*self.known_types, *others})) if others else self.known_types

    def type_number(self, name: str) -> int:
        """The number of a type; -2, which no content has, where there is no such type."""
        return self.types.index(name) if name in self.types else -2

    @cached_property
    def content_ids(self) -> list[str]:
        """The id of each content."""
        return [c.content_id for c in self.contents]

    @cached_property
    def content_topics(self) -> list[str | None]:
        """The topic of each content."""
        return [c.topic for c in self.contents]

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.content_ids)))

    @cached_property
    def id_of(self) -> I32:
        """Number of each content's id, -1 for code -1."""
        return self._numbers(self.ids, self.content_ids)

    @cached_property
    def topic_of(self) -> I32:
        """Topic number of each content, -1 = none."""
        return self._numbers(self.topics, self.content_topics)

    @cached_property
    def type_of(self) -> I32:
        """Type number of each content, -1 for code -1."""
        return self._numbers(self.types, [c.type for c in self.contents])

    @cached_property
    def stage_of(self) -> I32:
        """Stage number (position in STAGES) of each content, -1 = none."""
        return self._numbers(STAGES, [c.stage for c in self.contents])

    @cached_property
    def gated(self) -> Mask:
        return np.array([c.gated is not None for c in self.contents] + [False], dtype=np.bool_)

    @staticmethod
    def _numbers(names: tuple[str, ...], of_each: Sequence[str | None]) -> I32:
        number: dict[str | None, int] = {name: i for i, name in enumerate(names)}
        return np.array([*(number.get(name, -1) for name in of_each), -1], dtype=np.int32)


@light
class Encoded:
    """Events sorted by (lead, time); `known` is the moment from which we can see the event, never before `time`.

    page_view numbers the page view a heartbeat belongs to; -1 = none, and no rows at all where no event is a heartbeat.
    """

    lead: I64
    known: I64
    time: I64
    type: I8
    content: I32
    channel: I8
    campaign: I32
    session_key: I32
    page_view: I32
    dwell: F64
    basis: I8
    vocabulary: Vocabulary


def _nothing() -> Encoded:
    """No events."""
    i64, i32, i8 = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8)
    return Encoded(
        lead=i64, known=i64, time=i64, type=i8, content=i32, channel=i8, campaign=i32, session_key=i32, page_view=i32,
        dwell=np.zeros(0), basis=i8, vocabulary=Vocabulary((), ()),
    )  # fmt: skip


_NOTHING = _nothing()  # a table of leads has no events, and one row of it is to be quick


def encode(events: Columns, content_map: ContentMap, channel_of: ChannelOf) -> Encoded:
    """Turn event columns (data.records.EVENT with `lead` and `known_from`) into sorted codes.

    Of rows with one `event_id` and lead the one counts that could be seen first, whatever the others say: a row that
    comes later changes nothing about earlier moments.
    """
    lead = ints(events["lead"])
    if not len(lead):
        return _NOTHING
    rows = rows_where((lead >= 0) & ~(_is_outbound(events) | bools(events["is_bot"])))
    known = _seen_from(events)
    rows = _first_of_each_id(events, known, rows)
    rows = _in_order(events, rows)
    content, contents = _content_codes(events, content_map, rows)
    campaign, campaigns = _campaign_codes(events, rows)
    return Encoded(
        lead=lead[rows],
        known=known[rows],
        time=ints(events["occurred_at"])[rows],
        type=_type_codes(events, rows),
        content=content,
        channel=_channel_codes(events, channel_of, rows),
        campaign=campaign,
        session_key=coded(events["session_id"]).codes[rows],
        page_view=_page_views(events, rows),
        dwell=floats(events["dwell_seconds"])[rows],
        basis=_basis_codes(events, rows),
        vocabulary=Vocabulary(contents, campaigns, content_map.types),
    )


# -- which rows, in which order --------------------------------------------------------------------------------
def _is_outbound(events: Columns) -> Mask:
    return coded(events["direction"]).equals(DIRECTIONS[1])


def _seen_from(events: Columns) -> I64:
    """When an event had happened, had arrived and was known to be the lead's (NULL_TIME is before everything)."""
    time = ints(events["occurred_at"])
    return np.maximum(np.maximum(time, ints(events["received_at"])), ints(events["known_from"]))


def _first_of_each_id(events: Columns, known: I64, rows: I64) -> I64:
    """`rows` with one row per (lead, event_id): the one seen first. Rows without an id all stay."""
    ids = coded(events["event_id"]).codes[rows]
    times = np.bincount(ids + 1, minlength=1)
    times[0] = 0
    if times.max() < 2:
        return rows
    at = rows_where(times[ids + 1] > 1)
    lead, number, chosen = ints(events["lead"])[rows[at]], ids[at], rows[at]
    order = np.lexsort((*_tie_breakers(events, chosen), known[chosen], number, lead))
    again = np.zeros(len(rows), dtype=np.bool_)
    a, b = lead[order], number[order]
    again[at[order[1:]]] = (a[1:] == a[:-1]) & (b[1:] == b[:-1])
    return rows[~again]


def _in_order(events: Columns, rows: I64) -> I64:
    """`rows` by (lead, time); only where both are equal is it worth asking what the events say."""
    lead, time = ints(events["lead"])[rows], ints(events["occurred_at"])[rows]
    order = np.lexsort((time, lead))
    rows, lead, time = rows[order], lead[order], time[order]
    same = (lead[1:] == lead[:-1]) & (time[1:] == time[:-1])
    if same.any():
        tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
        by_content = np.lexsort((*_tie_breakers(events, rows[tied]), time[tied], lead[tied]))
        rows[tied] = rows[tied][by_content]
    return rows


def _tie_breakers(events: Columns, rows: I64) -> tuple[NDArray[np.generic], ...]:
    """Keys for lexsort (least important first): all that the events say, so that equal keys are equal events."""
    names = (*reversed(TOUCH_COLUMNS), "page_view_id", "session_id", "content_id", "url")
    ranks = [_rank(coded(events[name]), rows) for name in names]
    dwell = floats(events["dwell_seconds"])[rows]
    identity = _rank(coded(events["event_id"]), rows)
    time = ints(events["occurred_at"])[rows]
    return (
        identity,
        _basis_codes(events, rows),
        dwell,
        *ranks,
        _type_codes(events, rows),
        time,
    )


def _rank(texts: Coded, rows: I64) -> I32:
    """Alphabetical rank of each row's text: codes depend on arrival, ranks do not."""
    codes = texts.codes[rows]
    rank = np.full(len(texts.values) + 1, -1, dtype=np.int32)
    for position, code in enumerate(sorted(_distinct(codes), key=texts.values.__getitem__)):
        rank[code] = position
    return rank[codes]


def _distinct(codes: I32) -> list[int]:
    """The distinct codes >= 0, ascending."""
    found: list[int] = np.bincount(codes + 1, minlength=1)[1:].nonzero()[0].tolist()
    return found


def _numbers(texts: Coded, codes: I32, number: Callable[[int], int]) -> I32:
    """`number` of each code, asked once for each one in use; -1 for -1."""
    if not texts.values:
        return codes
    table = filled(len(texts.values) + 1, -1, np.int32)
    for code in _distinct(codes):
        table[code] = number(code)
    return table.take(codes)


# -- texts to codes --------------------------------------------------------------------------------------------
def _type_codes(events: Columns, rows: I64) -> I8:
    return coded(events["type"]).recode(TYPE).astype(np.int8)[rows]


def _basis_codes(events: Columns, rows: I64) -> I8:
    return coded(events["dwell_basis"]).recode(BASIS, 0).astype(np.int8)[rows]


def _page_views(events: Columns, rows: I64) -> I32:
    views = coded(events["page_view_id"])
    codes = views.codes[rows]
    return codes if views.values and (codes >= 0).any() else codes[:0]


def _content_codes(events: Columns, content_map: ContentMap, rows: I64) -> tuple[I32, tuple[Content, ...]]:
    """Content code of each row: its `content_id` where given, else its URL's content.

    Contents are told apart by all their attributes, so that what one person saw never changes what a page is for
    another.
    """
    number: dict[Content, int] = {}
    urls, ids = coded(events["url"]), coded(events["content_id"])
    by_url, by_id = urls.codes[rows], ids.codes[rows]
    if ids.values:
        by_url = np.where(by_id < 0, by_url, np.int32(-1))
    of_url = _numbers(urls, by_url, lambda c: number.setdefault(content_map.content(urls.values[c]), len(number)))
    of_id = _numbers(ids, by_id, lambda c: number.setdefault(content_map.by_id(ids.values[c]), len(number)))
    return np.maximum(of_url, of_id), tuple(number)  # one of the two is -1


def _campaign_codes(events: Columns, rows: I64) -> tuple[I32, tuple[str, ...]]:
    """Campaign code of each row; spelling in capitals and blanks around make no other campaign."""
    texts = coded(events["campaign"])
    number: dict[str, int] = {}

    def of(code: int) -> int:
        name = texts.values[code].strip().lower()
        return number.setdefault(name, len(number)) if name else -1

    return _numbers(texts, texts.codes[rows], of), tuple(number)


def _channel_codes(events: Columns, channel_of: ChannelOf, rows: I64) -> NDArray[np.int8]:
    """Channel code of each row, asked for once per distinct combination of its source columns."""
    texts = [coded(events[name]) for name in TOUCH_COLUMNS]
    which, width = _combinations(texts, rows)
    example = filled(width, -1, np.int64)
    example[which] = rows  # any row of the combination will do
    codes = np.zeros(width, dtype=np.int8)
    for i in rows_where(example >= 0).tolist():
        row = example.item(i)
        codes[i] = channel_of(*(t.values[code] if (code := t.codes.item(row)) >= 0 else None for t in texts))
    return codes.take(which)


def _combinations(columns: list[Coded], rows: I64) -> tuple[I64, int]:
    """Number of each row's combination of texts, and a bound that is above all of them and not much above their count."""
    room = 4 * len(rows) + 1024
    which, width = np.zeros(len(rows), dtype=np.int64), 1
    for texts in columns:
        if not texts.values:
            continue
        size = len(texts.values) + 1
        if width * size > room:
            which, width = _dense(which, width, room)
        which, width = which * size + (texts.codes[rows] + 1), width * size
    return _dense(which, width, room) if width > room else (which, width)


def _dense(numbers: I64, width: int, room: int) -> tuple[I64, int]:
    """The same distinctions with numbers from 0 without gaps; a table where it fits, else a sort."""
    if width > room:
        distinct, _ = sorted_distinct(numbers)
        return np.searchsorted(distinct, numbers), len(distinct)
    used = np.bincount(numbers, minlength=width) > 0
    return (np.cumsum(used) - 1)[numbers], int(used.sum())


# -- typed views of columns ------------------------------------------------------------------------------------
def coded(column: object) -> Coded:
    assert isinstance(column, Coded)
    return column


def ints(column: object) -> I64:
    assert isinstance(column, np.ndarray)
    return column.astype(np.int64, copy=False)


def floats(column: object) -> F64:
    assert isinstance(column, np.ndarray)
    return column.astype(np.float64, copy=False)


def bools(column: object) -> Mask:
    assert isinstance(column, np.ndarray)
    return column.astype(np.bool_, copy=False)
