"""Which content paths convert.

A landmark keeps the comparison fair: the path is what a lead saw up to day k after it became a lead (all anonymous
visits before included), of the leads still open at that moment; the conversions are those in the `horizon` after it.
Paths cut at the conversion for converters and at the last visit for the others would not be comparable. Leads that
did not convert are in every denominator. An association, not a cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.errors import InputError, Verdict
from data.records import DAY, Coded
from features.arrays import pick
from features.beside import Beside
from features.build import journeys_at
from features.channels import CHANNELS
from features.journeys import Journeys
from training.calibration import Z95
from training.rules_rows import encoder
from training.snapshots import Policy, conversions_of, is_open, labels_of

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
By = Literal["content", "type", "topic", "stage"]
NO_PATH = "(no page view)"
MAX_STEPS, USUAL_STEPS = 5, 3


@dataclass(frozen=True)
class PathRow:
    """One content path: people who took it, how many converted, the rate with its Wilson 95 % interval, and lift:
    the rate over the rate of all leads, with the interval of the rate divided by it."""

    path: tuple[str, ...]
    leads: int
    conversions: int
    rate: float
    low: float
    high: float
    lift: float
    lift_low: float
    lift_high: float

    @property
    def text(self) -> str:
        return " > ".join(self.path)

    def document(self) -> dict[str, Any]:
        return {**vars(self), "path": list(self.path)}


@dataclass(frozen=True)
class PathReport:
    """Paths by lower bound of the rate, and the counts they add up to: `leads` = all rows before the support limit."""

    rows: tuple[PathRow, ...]
    leads: int
    conversions: int
    rate: float
    below_support: int
    censored: int
    closed_before: int
    landmark_days: int
    horizon_days: int


@dataclass(frozen=True)
class Taken:
    """One lead at its landmark: the path it had taken, whether it converted afterwards (1 or 0), and the channel of its
    first session, None without one."""

    path: tuple[str, ...]
    label: float
    channel: str | None = None


def content_paths(
    dataset: Dataset, policy: Policy, target: str, now: int, landmark_days: int = 7, by: By = "content",
    steps: int = USUAL_STEPS, support: int = 30,
) -> PathReport:  # fmt: skip
    """The report for one dataset: each lead stands on exactly one path, the last `steps` steps (1-5) it took.

    Raises
    ------
    InputError
        for a table without times: it has no paths.
    Verdict
        where no lead has matured yet.
    """
    refuse_without_times(dataset)
    taken, censored, before = taken_at_landmark(dataset, policy, target, now, landmark_days, by, steps)
    if not taken:
        raise Verdict(f"paths: no lead has matured {landmark_days} + {policy.horizon_days} days after it came. Wait, or "
                      "shorten --landmark.")  # fmt: skip
    return _report(taken, support, censored, before, landmark_days, policy.horizon_days)


def refuse_without_times(dataset: Dataset) -> None:
    """A table without times has no paths: an InputError."""
    if not dataset.info.has_times:
        raise InputError.of(
            where=dataset.place, expected="events with times", got="a table without times",
            remedy="Paths need a tracker's events: leadlift import.",
        )  # fmt: skip


def taken_at_landmark(
    dataset: Dataset, policy: Policy, target: str, now: int, landmark_days: int = 7, by: By = "content",
    steps: int = USUAL_STEPS,
) -> tuple[list[Taken], int, int]:  # fmt: skip
    """The leads that matured, how many are censored, how many were won or lost before their landmark."""
    taken, censored, before = [], 0, 0
    for rows, late, early in _groups(dataset, policy, target, now, landmark_days, by, steps):
        taken += rows
        censored, before = censored + late, before + early
    return taken, censored, before


def _groups(
    dataset: Dataset, policy: Policy, target: str, now: int, landmark_days: int, by: By, steps: int
) -> Iterator[tuple[list[Taken], int, int]]:
    """`taken_at_landmark` per group of leads."""
    blank = encoder(dataset, context=False)
    for people in dataset.people():
        landmark = people.created_at + policy.first_look + landmark_days * DAY
        conversions = conversions_of(people.outcomes, target, now)
        lead = np.arange(len(people), dtype=np.int64)
        here = people.created_at < now
        open_ = here & is_open(people, conversions, lead, landmark)
        mature = landmark + policy.maturity <= now
        rows = np.flatnonzero(open_ & mature)
        journeys = journeys_at(blank.encode(people.events), lead[rows], landmark[rows], Beside.of(people))
        label, _ = labels_of(conversions, lead[rows], landmark[rows], policy)
        paths = paths_of(journeys, by, steps)
        channel = Coded(pick(journeys.session_channel, journeys.first_session), CHANNELS).texts()
        taken = [Taken(p, y, c) for p, y, c in zip(paths, label.tolist(), channel, strict=True)]
        yield taken, int((open_ & ~mature).sum()), int((here & ~open_).sum())


def paths_of(journeys: Journeys, by: By = "content", steps: int = USUAL_STEPS) -> list[tuple[str, ...]]:
    """The content path of each segment: names in order, repeats in a row merged, the last `steps` of them."""
    segment, content = journeys.pages.path
    names = [_name(journeys, c, by) for c in range(len(journeys.vocabulary.contents))]
    paths: list[list[str]] = [[] for _ in range(len(journeys))]
    for s, c in zip(segment.tolist(), content.tolist(), strict=True):
        name = names[c]
        if name is not None and (not paths[s] or paths[s][-1] != name):
            paths[s].append(name)
    return [tuple(p[-steps:]) or (NO_PATH,) for p in paths]


def _name(journeys: Journeys, content: int, by: By) -> str | None:
    item = journeys.vocabulary.contents[content]
    return {"content": item.content_id, "type": item.type, "topic": item.topic, "stage": item.stage}[by]


def _report(
    taken: Sequence[Taken], support: int, censored: int, before: int, landmark_days: int, horizon_days: int
) -> PathReport:
    total = sum(t.label == 1 for t in taken)
    rows = path_rows(taken, support)
    shown = sum(r.leads for r in rows)
    return PathReport(
        rows, len(taken), total, total / len(taken), len(taken) - shown, censored, before, landmark_days, horizon_days
    )


def path_rows(taken: Sequence[Taken], support: int = 30) -> tuple[PathRow, ...]:
    """The paths of at least `support` of these leads, by lower bound of the rate; lift is over the rate of them all."""
    leads = Counter(t.path for t in taken)
    won = Counter(t.path for t in taken if t.label == 1)
    rows = [_row(path, n, won[path], won.total() / len(taken)) for path, n in leads.items() if n >= support]
    return tuple(sorted(rows, key=lambda r: (-r.low, r.path)))


def _row(path: tuple[str, ...], leads: int, conversions: int, base: float) -> PathRow:
    low, high = wilson(conversions, leads)
    rate = conversions / leads
    lift = [v / base if base > 0 else float("nan") for v in (rate, low, high)]
    return PathRow(path, leads, conversions, rate, low, high, *lift)


def wilson(hits: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval for a rate of `hits` in `n` > 0 (Wilson 1927), 95 % by default."""
    centre = (hits + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * float(np.sqrt(hits * (n - hits) / n + z * z / 4))
    return max(0.0, centre - half), min(1.0, centre + half)
