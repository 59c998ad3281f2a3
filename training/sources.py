"""Sources: a channel and a campaign. What is not known is a source of its own, so that all of them add up to everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data import arrow
from data.dataset import Dataset
from data.records import SPEND, Coded
from features.arrays import rows_where
from features.channels import CHANNELS
from training.content_paths import NO_CHANNEL

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
NO_CAMPAIGN = "(no campaign)"


class Sources:
    """Numbers of sources, the same in all groups of a dataset."""

    def __init__(self) -> None:
        self._number: dict[tuple[str, str], int] = {}

    def number(self, channel: str, campaign: str) -> int:
        return self._number.setdefault((channel, campaign), len(self._number))

    def codes(self, channel: NDArray[np.integer], campaign: NDArray[np.integer], campaigns: Sequence[str]) -> I64:
        """The number of each pair of a channel of CHANNELS and one of these campaigns; -1 = none of either."""
        width = len(campaigns) + 1
        cells, which = np.unique((channel.astype(np.int64) + 1) * width + campaign + 1, return_inverse=True)
        channels, named = (NO_CHANNEL, *CHANNELS), (NO_CAMPAIGN, *campaigns)
        numbers = [self.number(channels[c // width], named[c % width]) for c in cells.tolist()]
        return np.array(numbers, dtype=np.int64)[which]

    @property
    def all(self) -> tuple[tuple[str, str], ...]:
        """(channel, campaign) of each number."""
        return tuple(self._number)


def spend_of(dataset: Dataset, sources: Sources, now: int) -> tuple[I64, I64, F64]:
    """(source, date us, amount in minor units) of each row of spend dated before `now`.

    Channel and campaign are compared without blanks around and capitals, as those of visits are; a channel of another
    name is a source of its own, which nobody came by.
    """
    if not dataset.info.counts.get("spend"):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    table = dataset.lake.table("spend")
    columns = arrow.from_arrow(table.select([c.name for c in SPEND.columns]), SPEND.columns)
    date, amount = np.asarray(columns["date"], dtype=np.int64), np.asarray(columns["amount"], dtype=np.float64)
    channel, campaign = columns["channel"], columns["campaign"]
    assert isinstance(channel, Coded)
    assert isinstance(campaign, Coded)
    rows = rows_where(date < now)
    texts = zip(channel.take(rows).texts(), campaign.take(rows).texts(), strict=True)
    source = [sources.number(_channel(c), (m or "").strip().lower() or NO_CAMPAIGN) for c, m in texts]
    return np.array(source, dtype=np.int64), date[rows], amount[rows]


def _channel(text: str | None) -> str:
    plain = (text or "").strip().lower()
    ours = plain.replace(" ", "_").replace("-", "_")
    return ours if ours in CHANNELS else plain or NO_CHANNEL
