"""What the bench of features works on: leads and their events as plain columns, made up but shaped like a site's.

Visits of a few page views with pauses of minutes, then days of silence; one page in three seen twice in a row; one
visit in two with a session id of its own; page times measured for some; calls and webinars in between; some events
that arrive days late, and some after the moment everybody is asked about, which the cut must leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.records import DAY, DWELL_BASES, EVENT_TYPES, MICROS
from features.channels import CHANNELS
from features.content import STAGES, Content

AS_OF = 1_780_000_000 * MICROS
CAMPAIGNS = tuple(f"campaign {i}" for i in range(30))
TYPES = ("home", "blog", "case", "guide", "pricing", "demo", "careers", "product")
TOPICS = ("crm", "ads", "data", "email", "events", "forecast")
_STAGE_OF = {"blog": 0, "case": 1, "guide": 1, "product": 1, "pricing": 2, "demo": 2}
_TYPE_SHARE = {"page_view": 0.70, "engagement": 0.10, "form": 0.03, "download": 0.03, "video": 0.02, "email": 0.05,
               "call": 0.01, "meeting": 0.005, "webinar": 0.01, "fair": 0.005, "goal": 0.02, "custom": 0.02}  # fmt: skip
COLUMNS = ("lead", "known", "time", "type", "content", "channel", "campaign", "session_key", "dwell", "basis")
Arrays = dict[str, NDArray[np.generic]]


def contents() -> tuple[Content, ...]:
    """200 contents: of 8 types, most with a topic and a funnel stage, one in ten behind a form."""
    rng = np.random.default_rng(1)
    kinds = [*TYPES, *rng.choice(TYPES, 192, p=[0.02, 0.4, 0.15, 0.15, 0.04, 0.04, 0.05, 0.15]).tolist()]
    return tuple(
        Content(
            f"{kind}:{i}", kind,
            TOPICS[i % len(TOPICS)] if kind not in ("home", "careers") else None,
            STAGES[_STAGE_OF[kind]] if kind in _STAGE_OF else None,
            "/form" if i % 10 == 9 else None,
        )
        for i, kind in enumerate(kinds)
    )  # fmt: skip


def make(leads: int, events: int, seed: int = 0) -> Arrays:
    """Columns of `events` events of `leads` leads, sorted by lead and time; codes as in `Encoded`, NaN = no dwell."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(0.0, 0.8, leads)
    lead = np.repeat(np.arange(leads), np.bincount(rng.choice(leads, events, p=weight / weight.sum()), minlength=leads))
    opens = rng.random(events) < 0.25
    opens[1:] |= lead[1:] != lead[:-1]
    visit = np.cumsum(opens) - 1
    time = _times(rng, lead, opens)
    late = np.where(rng.random(events) < 0.02, rng.integers(0, 5 * DAY, events), 0)
    type_ = rng.choice(len(EVENT_TYPES), events, p=[_TYPE_SHARE[t] for t in EVENT_TYPES]).astype(np.int8)
    on_page = type_ <= EVENT_TYPES.index("video")
    content = np.minimum(rng.geometric(0.03, events) - 1, 199).astype(np.int32)
    again = np.flatnonzero((rng.random(events) < 0.3) & ~opens)
    content[again] = content[again - 1]
    content[~on_page | (rng.random(events) < 0.02)] = -1
    measured = (type_ == EVENT_TYPES.index("engagement")) | ((type_ == 0) & (rng.random(events) < 0.1))
    measured &= (visit % 3 == 0) & (rng.random(events) < 0.8)
    channel = np.where(opens, rng.integers(0, len(CHANNELS), events), CHANNELS.index("direct")).astype(np.int8)
    return {
        "lead": lead,
        "known": time + late,
        "time": time,
        "type": type_,
        "content": content,
        "channel": channel,
        "campaign": np.where(rng.random(events) < 0.1, rng.integers(0, len(CAMPAIGNS), events), -1).astype(np.int32),
        "session_key": np.where(visit % 2 == 0, visit, -1).astype(np.int32),
        "dwell": np.where(measured, np.round(rng.exponential(40.0, events), 1), np.nan),
        "basis": np.where(measured, DWELL_BASES.index("measured"), 0).astype(np.int8),
    }


def _times(rng: np.random.Generator, lead: NDArray[np.int64], opens: NDArray[np.bool_]) -> NDArray[np.int64]:
    """A pause before each event; the last of a lead's lies up to 40 days before AS_OF, or two days after it."""
    pause = np.where(opens, rng.exponential(6 * DAY, len(lead)), rng.exponential(120 * MICROS, len(lead)))
    along = np.cumsum(pause.astype(np.int64))
    ends = np.flatnonzero(np.append(lead[1:] != lead[:-1], True))
    rest = rng.integers(-2 * DAY, 40 * DAY, len(ends))
    return AS_OF - (along[ends] + rest)[np.cumsum(np.append(False, lead[1:] != lead[:-1]))] + along


@dataclass(frozen=True)
class Stored:
    """Columns on disk, one `.npy` each: what every engine starts from."""

    folder: Path
    leads: int

    @staticmethod
    def of(folder: Path, leads: int, events: int) -> Stored:
        folder.mkdir(parents=True, exist_ok=True)
        for name, column in make(leads, events).items():
            np.save(folder / f"{name}.npy", column)
        return Stored(folder, leads)

    def load(self) -> Arrays:
        return {name: np.load(self.folder / f"{name}.npy") for name in COLUMNS}

    def bytes(self) -> int:
        """Bytes of all columns."""
        return sum(np.load(self.folder / f"{name}.npy", mmap_mode="r").nbytes for name in COLUMNS)
