"""Event rows under construction: numbers instead of texts, batch by batch, then one table of columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data.records import DIRECTIONS, DWELL_BASES, EVENT_TYPES, MICROS, Coded, Columns
from data.simulate import touches
from data.simulate.sessions import HAS_TOPIC, PAGES, TOPICS
from data.simulate.state import F64, I64, Mask

TYPE = {t: i for i, t in enumerate(EVENT_TYPES)}
SITE = "https://www.example.com"
VARIANTS = 3
_CUSTOMERS = ("bank", "hospital", "works")
_FIXED = {"home": ("/",), "pricing": ("/pricing",), "demo": ("/demo",), "contact": ("/contact",)}
_PLAIN = {
    "docs": ("/docs/start", "/docs/api", "/docs/reference"), "careers": ("/careers", "/careers/jobs", "/careers/team"),
    "thanks": ("/thank-you/guide", "/thank-you/webinar", "/thank-you/demo", "/thank-you/contact"),
}  # fmt: skip

Batch = dict[str, I64 | F64 | Mask]


def batch(n: int, type_: str, at: I64, received: I64, **columns: I64 | F64 | Mask) -> Batch:
    """n events of one type. Numbers that are not given are -1 (none), dwell NaN, flags False.

    visitor, lead, session: numbers; url: see `url`; touch: see `touches`; campaign texts come with the touch.
    """
    rows: Batch = {
        "type": np.full(n, TYPE[type_]), "at": at, "received": received, "dwell": np.full(n, np.nan),
        **{name: np.full(n, -1) for name in ("visitor", "lead", "session", "url", "touch")},
        **{name: np.zeros(n, dtype=np.bool_) for name in ("outbound", "bot")},
    }  # fmt: skip
    return {**rows, **columns}


def pick(rows: Batch, which: I64 | Mask) -> Batch:
    """Some rows."""
    return {name: values[which] for name, values in rows.items()}


def join(batches: Sequence[Batch]) -> Batch:
    """All batches as one, oldest arrival first."""
    joined: Batch = {n: np.concatenate([b[n] for b in batches]) for n in batches[0]}
    keys = [joined[n] for n in ("url", "type", "visitor", "lead", "at", "received")]
    return pick(joined, np.lexsort(keys))


def lag(rng: np.random.Generator, n: int) -> I64:
    """How long an event travels, us: 1 to 2 s."""
    return ((1.0 + rng.random(n)) * MICROS).astype(np.int64)


def url(page: I64, topic: I64, variant: I64) -> I64:
    """Number of a page's address; `variant` 0.. chooses among pages of one kind and topic."""
    return (page * (len(TOPICS) + 1) + topic + 1) * (VARIANTS + 1) + variant


def _address(number: int) -> str:
    rest, variant = divmod(number, VARIANTS + 1)
    page, topic = PAGES[rest // (len(TOPICS) + 1)], TOPICS[rest % (len(TOPICS) + 1) - 1]
    if page in _FIXED or page in _PLAIN:
        return SITE + (_FIXED.get(page) or _PLAIN[page])[variant % len(_FIXED.get(page) or _PLAIN[page])]
    by_kind = {
        "blog": f"/blog/{topic}/part-{variant + 1}", "product": f"/product/{topic}", "guide": f"/guides/{topic}",
        "case": f"/customers/{topic}-{_CUSTOMERS[variant % 3]}", "webinar": f"/webinars/{topic}",
    }  # fmt: skip
    return SITE + by_kind[page]


def _urls() -> tuple[tuple[str, ...], I64]:
    """All addresses, and for each number the position of its address."""
    width = (len(TOPICS) + 1) * (VARIANTS + 1)
    texts = [_address(i) if _exists(i) else SITE + "/" for i in range(len(PAGES) * width)]
    distinct = tuple(dict.fromkeys(texts))
    position = {t: i for i, t in enumerate(distinct)}
    return distinct, np.array([position[t] for t in texts] + [-1])


def _exists(number: int) -> bool:
    rest = number // (VARIANTS + 1)
    return bool(HAS_TOPIC[rest // (len(TOPICS) + 1)]) == (rest % (len(TOPICS) + 1) > 0)


def columns_of(rows: Batch, lead_ids: tuple[str, ...]) -> Columns:
    """The event record's columns of joined rows. Ids are numbers in another dress, the same in every run."""
    n, dwell = len(rows["at"]), rows["dwell"].astype(np.float64)
    texts, position = _urls()
    return {
        "event_id": Coded(np.arange(n, dtype=np.int32), tuple(f"e{i:07d}" for i in range(n))),
        "visitor_id": _ids(rows["visitor"].astype(np.int64), "v"), "lead_id": Coded(rows["lead"].astype(np.int32), lead_ids),
        "session_id": _ids(rows["session"].astype(np.int64), "s"),
        "occurred_at": rows["at"].astype(np.int64), "received_at": rows["received"].astype(np.int64),
        "type": Coded(rows["type"].astype(np.int32), EVENT_TYPES),
        "direction": Coded(rows["outbound"].astype(np.int32), DIRECTIONS),
        "url": Coded(position[rows["url"]].astype(np.int32), texts),
        **touches.columns_of(rows["touch"].astype(np.int64)),
        "dwell_seconds": dwell,
        "dwell_basis": Coded((~np.isnan(dwell)).astype(np.int32), DWELL_BASES), "is_bot": rows["bot"].astype(np.bool_),
    }  # fmt: skip


def _ids(numbers: I64, letter: str) -> Coded:
    """Texts of numbers; -1 is null. The factor is odd, so that different numbers have different texts."""
    distinct, codes = np.unique(numbers, return_inverse=True)
    null = int((distinct < 0).sum())
    return Coded(codes.astype(np.int32) - null, visitor_ids(distinct[null:], letter))


def visitor_ids(numbers: I64, letter: str = "v") -> tuple[str, ...]:
    """The ids of devices (or sessions) by number."""
    return tuple(f"{letter}{i * 2_654_435_761 % 2**32:08x}" for i in numbers.tolist())
