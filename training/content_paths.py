"""Which content paths convert.

A landmark keeps the comparison fair (see `landmarks`): the path is what a person saw up to it, of the people who had
not converted by then; the conversions are those in the horizon after it. Everybody stands on exactly one path, so
people and conversions of all paths add up. Who did not convert is in every denominator. An association, not a cause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from features.arrays import rows_where
from features.channels import CHANNELS
from training.groups import Group, groups_of, plain
from training.landmarks import DAY_7, Landmark
from training.path_targets import known_target
from training.prepared_names import NO_PATH
from training.rules import Rules
from training.snapshots import Policy
from training.trails import Asked, By, Counts, Trails, trails_of

I64 = NDArray[np.int64]
NO_CHANNEL = "(no visit)"
ASSOCIATED = "associated with, not caused by"
USUAL_STEPS = 3


@dataclass(frozen=True)
class PathRow(Group):
    """One content path."""

    path: tuple[str, ...]

    @property
    def text(self) -> str:
        return " > ".join(self.path)

    def document(self) -> dict[str, Any]:
        return plain({"path": list(self.path), **{k: v for k, v in vars(self).items() if k != "path"}})


@dataclass(frozen=True)
class SourceRow(Group):
    """People by the channel of their first visit."""

    channel: str

    def document(self) -> dict[str, Any]:
        return plain({"channel": self.channel, **{k: v for k, v in vars(self).items() if k != "channel"}})


@dataclass(frozen=True)
class PathReport:
    """Paths by lower bound of the rate, and the counts they add up to: `people` = everybody before the support limit."""

    rows: tuple[PathRow, ...]
    sources: tuple[SourceRow, ...]
    target: str
    landmark: str
    horizon_days: int
    people: int
    conversions: int
    rate: float
    below_support: int
    counts: Counts
    note: str = ASSOCIATED

    @property
    def claimed(self) -> tuple[PathRow, ...]:
        return tuple(r for r in self.rows if r.claimed)

    def document(self) -> dict[str, Any]:
        lists = {name: [r.document() for r in getattr(self, name)] for name in ("rows", "sources")}
        return plain({**{k: v for k, v in vars(self).items() if k != "counts"}, **vars(self.counts), **lists})


def content_paths(
    dataset: Dataset, policy: Policy, target: str, now: int, landmark: Landmark = DAY_7, by: By = "content",
    steps: int = USUAL_STEPS, support: int = 30, rules: Rules | None = None,
) -> PathReport:  # fmt: skip
    """The report for one dataset; the path is the last `steps` steps (1-5) before the landmark, by default day 7.

    rules: the points in force, for the target mql.

    Raises
    ------
    InputError, UsageError, Verdict
        see `trails.trails_of` and `path_targets.known_target`.
    """
    asked = Asked(known_target(target), policy, now, landmark, by, rules)
    return path_report(trails_of(dataset, asked), asked, steps, support)


def path_report(trails: Trails, asked: Asked, steps: int = USUAL_STEPS, support: int = 30) -> PathReport:
    """The report on trails."""
    rows = path_rows(trails, steps, support)
    shown = sum(r.people for r in rows)
    return PathReport(
        rows, source_rows(trails), asked.target, asked.landmark.text, asked.policy.horizon_days, len(trails),
        trails.conversions, trails.conversions / len(trails), len(trails) - shown, trails.counts,
    )  # fmt: skip


def path_rows(trails: Trails, steps: int = USUAL_STEPS, support: int = 30) -> tuple[PathRow, ...]:
    """The paths of at least `support` of these people, by lower bound of the rate; lift is over the rate of them all."""
    table = last_steps(trails, steps)
    group, first = distinct_rows(table)
    found, kept = groups_of(trails, group, len(first), support)
    names = (*trails.names, "")
    paths = [tuple(names[c] for c in table[first[i]].tolist() if c >= 0) or (NO_PATH,) for i in kept.tolist()]
    return tuple(
        sorted((PathRow(**g, path=p) for g, p in zip(found, paths, strict=True)), key=lambda r: (-r.low, r.path))
    )


def source_rows(trails: Trails, support: int = 5) -> tuple[SourceRow, ...]:
    """People by the channel of their first visit, by lower bound of the rate; fewer than `support` have no row."""
    found, kept = groups_of(trails, trails.channel.astype(np.int64) + 1, len(CHANNELS) + 1, support)
    channels = [(NO_CHANNEL, *CHANNELS)[i] for i in kept.tolist()]
    rows = (SourceRow(**g, channel=c) for g, c in zip(found, channels, strict=True))
    return tuple(sorted(rows, key=lambda r: (-r.low, r.channel)))


def last_steps(trails: Trails, steps: int) -> NDArray[np.int32]:
    """The last `steps` step codes of each person, (n, steps), -1 in front where there are fewer."""
    end = np.cumsum(trails.length)
    table = np.full((len(trails), steps), -1, dtype=np.int32)
    place = steps - (end[trails.person] - np.arange(len(trails.person)))
    kept = rows_where(place >= 0)
    table[trails.person[kept], place[kept]] = trails.step[kept]
    return table


def distinct_rows(table: NDArray[np.int32]) -> tuple[I64, I64]:
    """Number of each row's distinct row, and a row of each; numbers stay small, however many columns there are."""
    group, width = np.zeros(len(table), dtype=np.int64), int(table.max(initial=-1)) + 2
    for column in table.T:
        _, group = np.unique(group * width + column + 1, return_inverse=True)
    _, first = np.unique(group, return_index=True)
    return group.astype(np.int64), first.astype(np.int64)
