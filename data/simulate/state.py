"""What is recorded of each person of a simulated market: the only thing the future depends on.

Every field can be recomputed from the records the market writes (profile, page views, forms, outcomes) at a person's
day boundary. A person's days run from its first look: boundary k is `created_at + 5 min + k days`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]

ANONYMOUS, OPEN, WON, LOST = 0, 1, 2, 3
NEVER = 400  # days since something that has not happened, and the cap of all such counts


@dataclass
class State:
    """Arrays of one length, one row per person (or per continuation of a person).

    Attributes
    ----------
    fit, reach
        Log-odds of the profile (`hazard.fit`) and factor of the visiting rate (`market.reach`); fixed.
    senior, regulated, free
        A title that decides; an industry under supervision; an address at a free mail host. Fixed.
    swayed
        The ordered path counts: the same for everybody of a market (`Market.path_effect`). Fixed.
    start, birth
        Day number of the first visit, and of the first day as a lead (a number beyond the market: never). Fixed.
    status
        ANONYMOUS, OPEN, WON or LOST.
    active
        Bit j is set where a page was viewed j whole days ago, j < 32.
    since, ordered_since, demo_since
        Whole days since the last page view; since the last pricing view that came after a case study; since the
        last demo request. NEVER = none.
    pricing, dwell
        Pricing views, and seconds of measured dwell, each fading by a constant factor per day.
    case, priced, warm, careers
        Ever viewed: a case study; prices; a product, case study or guide; careers.
    topics
        (n, 4) views per topic, in the order of `sessions.TOPICS`.
    downloads
        Guides downloaded.
    odd
        The last day with page views had an odd number of them.
    cancelled
        Converted before, and cancelled.
    cancel_in
        Days until a conversion is cancelled; 0 = it stays. Not recorded: it is 0 wherever status is OPEN.
    """

    fit: F64
    reach: F64
    senior: Mask
    regulated: Mask
    free: Mask
    swayed: Mask
    start: I64
    birth: I64
    status: NDArray[np.int8]
    active: NDArray[np.uint32]
    since: I64
    ordered_since: I64
    demo_since: I64
    pricing: F64
    dwell: F64
    case: Mask
    priced: Mask
    warm: Mask
    careers: Mask
    topics: F64
    downloads: I64
    odd: Mask
    cancelled: Mask
    cancel_in: I64

    def __len__(self) -> int:
        return len(self.fit)

    def take(self, rows: I64 | Mask) -> State:
        """A copy of some rows; a row may be asked for many times."""
        return State(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def put(self, rows: I64, other: State) -> None:
        """Overwrite some rows."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(other, f.name)


def fresh(fit: F64, reach: F64, senior: Mask, regulated: Mask, free: Mask, start: I64, birth: I64) -> State:
    """Everybody before the first visit, in a market where the ordered path counts."""
    n = len(fit)

    def flags() -> Mask:
        return np.zeros(n, dtype=np.bool_)

    def days() -> I64:
        return np.full(n, NEVER, dtype=np.int64)

    return State(
        fit, reach, senior, regulated, free, np.ones(n, dtype=np.bool_), start, birth,
        status=np.zeros(n, dtype=np.int8), active=np.zeros(n, dtype=np.uint32),
        since=days(), ordered_since=days(), demo_since=days(), pricing=np.zeros(n), dwell=np.zeros(n),
        case=flags(), priced=flags(), warm=flags(), careers=flags(), topics=np.zeros((n, 4)),
        downloads=np.zeros(n, dtype=np.int64), odd=flags(), cancelled=flags(), cancel_in=np.zeros(n, dtype=np.int64),
    )  # fmt: skip
