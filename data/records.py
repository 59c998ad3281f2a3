"""The records: what Leadlift keeps, column by column, and how columns look in memory.

On disk a record is Parquet (see `data/lake.py`, which alone turns these definitions into Arrow schemas); in
memory it is NumPy, so that the service can hold one without pandas or pyarrow:

    text      -> Coded            (codes into a tuple of distinct values, -1 = null)
    code      -> Coded            (a text from a closed list; anything else is rejected at import)
    time      -> int64            microseconds since 1970 UTC, NULL_TIME = null
    number    -> float64          NaN = null
    money     -> float64          whole minor units of the dataset's currency, NaN = null
    flag      -> bool             never null
    integer   -> int64            never null

Times are points, not days: see DATE ends in `data/importers`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.light import light

Kind = Literal["text", "code", "time", "number", "money", "flag", "integer"]

MICROS = 1_000_000
DAY = 86_400 * MICROS
NULL_TIME = int(np.iinfo(np.int64).min)

EVENT_TYPES = (
    "page_view", "engagement", "form", "download", "video", "email",
    "call", "meeting", "webinar", "fair", "goal", "custom",
)  # fmt: skip
WEB_TYPES = ("page_view", "engagement", "form", "download", "video", "goal", "custom")  # what belongs to a session
DIRECTIONS = ("inbound", "outbound")
DWELL_BASES = ("none", "measured", "timespent", "gap")
OUTCOME_KINDS = ("converted", "lost", "cancelled", "accepted", "rejected")
LINK_KINDS = ("identify", "form", "table", "merge")
PURPOSES = ("tracking", "scoring", "contact")
EMAIL_KINDS = ("business", "free", "disposable", "role")


_ONE = np.zeros(1, dtype=np.int32)
_ONE.flags.writeable = False


@light
class Coded:
    """A text column: `values[codes[i]]` is row i's text, code -1 is null. Values are distinct; order means nothing."""

    codes: NDArray[np.int32]
    values: Sequence[str]

    @staticmethod
    def of(texts: Iterable[str | None]) -> Coded:
        if isinstance(texts, list) and len(texts) == 1 and texts[0] is not None:
            return Coded(_ONE, (texts[0],))
        seen: dict[str | None, int] = {None: -1}
        codes = [seen.setdefault(t, len(seen) - 1) for t in texts]
        del seen[None]
        return Coded(np.array(codes, dtype=np.int32), tuple(seen))  # type: ignore[arg-type]

    @staticmethod
    def nulls(n: int) -> Coded:
        codes = np.empty(n, dtype=np.int32)
        codes.fill(-1)  # `np.full` without its detours, which one lead would feel
        return Coded(codes, ())

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[np.int64], unknown: NDArray[np.int64] | None = None) -> Coded:
        """Rows by position; a position of -1 gives null. unknown: where these are, for callers who have many columns."""
        if not len(self.codes):
            return Coded.nulls(len(rows))
        codes = self.codes[rows]
        missing = (rows < 0).nonzero()[0] if unknown is None else unknown
        if len(missing):
            codes[missing] = -1
        return Coded(codes, self.values)

    def compact(self) -> Coded:
        """The same texts with no more values than rows."""
        return Coded.of(self.texts()) if len(self.codes) < len(self.values) else self

    def known(self) -> NDArray[np.bool_]:
        return self.codes >= 0

    def texts(self) -> list[str | None]:
        return [self.values[c] if c >= 0 else None for c in self.codes.tolist()]

    def equals(self, text: str) -> NDArray[np.bool_]:
        """Rows of this text; a null is none."""
        if text not in self.values:
            return np.zeros(len(self.codes), dtype=np.bool_)
        return self.codes == self.values.index(text)

    def recode(self, table: Mapping[str, int], default: int = -1) -> NDArray[np.int32]:
        """Each row's number in `table`; unknown texts and nulls give `default`."""
        lookup = np.array([table.get(v, default) for v in self.values] + [default], dtype=np.int32)
        return lookup.take(self.codes)


Array = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]
Columns = dict[str, Coded | Array]


@dataclass(frozen=True)
class Column:
    """One column of a record; `unit` and `null` are printed by the documentation and by import errors."""

    name: str
    kind: Kind
    required: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""
    null: str = "not known"


@dataclass(frozen=True)
class Record:
    """One record: its name on disk and its columns in order."""

    name: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(n, "text") for n in names)


PROFILE_TEXT = (
    "email_domain", "email_kind", "title", "company", "industry",
    "country", "state", "lead_source", "self_reported_source",
)  # fmt: skip
PROFILE_NUMBER = ("employees",)

EVENT = Record(
    "events",
    (
        Column("event_id", "text", required=True),
        *_text("visitor_id", "lead_id", "session_id"),
        Column("page_view_id", "text", null="no heartbeat of a page view"),
        Column("occurred_at", "time", required=True),
        Column("received_at", "time", null="as occurred_at"),
        Column("type", "code", required=True, choices=EVENT_TYPES),
        Column("direction", "code", choices=DIRECTIONS, null="inbound"),
        *_text("url", "content_id", "referrer_host", "source", "medium", "campaign", "click_id_kind"),
        Column("dwell_seconds", "number", unit="s", null="not known, never 0"),
        Column("dwell_basis", "code", choices=DWELL_BASES, null="none"),
        Column("is_bot", "flag"),
    ),
)
LEAD = Record(
    "leads",
    (
        Column("lead_id", "text", required=True),
        Column("account_id", "text"),
        Column("created_at", "time", null="a table without times"),
        Column("valid_from", "time", null="as created_at"),
        *_text(*PROFILE_TEXT[:2]),
        *_text(*PROFILE_TEXT[2:5]),
        Column("employees", "number", unit="people"),
        *_text(*PROFILE_TEXT[5:]),
        Column("email_hash", "text"),
        Column("source_row", "integer", unit="data row of the source, from 1"),
    ),
)
OUTCOME = Record(
    "outcomes",
    (
        Column("lead_id", "text", null="of whom visitor_id is linked to"),
        Column("visitor_id", "text"),
        Column("occurred_at", "time", required=True),
        Column("kind", "code", required=True, choices=OUTCOME_KINDS),
        Column("value", "money", unit="minor units"),
        Column("reason", "text"),
    ),
)
LINK = Record(
    "links",
    (
        Column("visitor_id", "text", required=True),
        Column("lead_id", "text", required=True),
        Column("known_from", "time", required=True),
        Column("kind", "code", required=True, choices=LINK_KINDS),
    ),
)
CONSENT = Record(
    "consents",
    (
        Column("lead_id", "text", required=True),
        Column("purpose", "code", required=True, choices=PURPOSES),
        Column("given_at", "time", required=True),
        Column("confirmed_at", "time", null="no double opt-in"),
        Column("withdrawn_at", "time", null="still given"),
        Column("text_version", "text"),
    ),
)
SPEND = Record(
    "spend",
    (
        Column("date", "time", required=True, unit="start of day, UTC"),
        Column("channel", "text", required=True),
        Column("campaign", "text"),
        Column("amount", "money", required=True, unit="minor units"),
    ),
)
# The answer of a table without times, kept apart from the lead so that it cannot be taken for a feature.
LABEL = Record("labels", (Column("lead_id", "text", required=True), Column("label", "integer", required=True)))

RECORDS: dict[str, Record] = {r.name: r for r in (EVENT, LEAD, OUTCOME, LINK, CONSENT, SPEND, LABEL)}


def bucket_of(key: str, buckets: int) -> int:
    """The bucket of a person: first 8 bytes of blake2b(key), big-endian, mod the bucket count.

    key: the lead's id; of an event's visitor `v:` and the visitor's id.
    """
    return int.from_bytes(hashlib.blake2b(key.encode()).digest()[:8], "big") % buckets


def filled(kind: Kind, cells: Sequence[str | float | None]) -> Coded | Array:
    """Plain values as a column; None is null (flags false, integers 0)."""
    if kind in ("text", "code"):
        return Coded.of([None if c is None else str(c) for c in cells])
    if kind == "time":
        return np.array([NULL_TIME if c is None else c for c in cells], dtype=np.int64)
    if kind == "flag":
        return np.array([bool(c) for c in cells], dtype=np.bool_)
    if kind == "integer":
        return np.array([0 if c is None else c for c in cells], dtype=np.int64)
    return np.array([np.nan if c is None else c for c in cells], dtype=np.float64)


def take(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """The given rows of every column."""
    return {name: c.take(rows) if isinstance(c, Coded) else c[rows] for name, c in columns.items()}


def concat(parts: Sequence[Columns]) -> Columns:
    """The rows of several tables of the same columns, one below the other."""
    return {name: _concat_column([p[name] for p in parts]) for name in parts[0]}


def _concat_column(columns: Sequence[Coded | Array]) -> Coded | Array:
    coded = [c for c in columns if isinstance(c, Coded)]
    if len(coded) < len(columns):
        return np.concatenate([np.asarray(c) for c in columns])
    number: dict[str, int] = {}
    recoded = []
    for column in coded:
        table = {v: number.setdefault(v, len(number)) for v in column.values}
        recoded.append(column.recode(table))
    return Coded(np.concatenate(recoded).astype(np.int32), tuple(number))
