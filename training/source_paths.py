"""Source x path: which paths convert better than others of the same channel, so that a good channel makes no good path."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.arrays import rows_where
from features.channels import CHANNELS
from training.content_paths import NO_CHANNEL, USUAL_STEPS, PathRow, path_rows
from training.intervals import LEVEL, discoveries
from training.trails import Trails


@dataclass(frozen=True)
class SourcePathRow(PathRow):
    """One path of people who first came by one channel; lift, p and claimed are against that channel's people."""

    channel: str

    def document(self) -> dict[str, Any]:
        return {"channel": self.channel, **super().document()}


def source_path_rows(trails: Trails, steps: int = USUAL_STEPS, support: int = 30) -> tuple[SourcePathRow, ...]:
    """The paths of at least `support` people by channel, by channel and lower bound of the rate; claims are at a
    false-discovery rate of LEVEL over all of them."""
    rows: list[SourcePathRow] = []
    for number, channel in enumerate((*CHANNELS, NO_CHANNEL)):
        people = rows_where(trails.channel == (number if number < len(CHANNELS) else -1))
        if len(people):
            found = path_rows(trails.take(people), steps, support)
            rows += [SourcePathRow(**vars(r), channel=channel) for r in found]
    q = discoveries(np.array([r.p for r in rows])).tolist()
    again = [replace(r, q=v, claimed=v <= LEVEL) for r, v in zip(rows, q, strict=True)]
    return tuple(sorted(again, key=lambda r: (r.channel, -r.low, r.path)))
