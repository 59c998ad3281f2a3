"""A stale model, and its calibration month by month once the answers are final.

A look counts with the model that was live then; a look before the first promotion counts with the one that serves now,
if it is later than all that model learned from. One look for each lead and month, so that they are independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.errors import LeadliftError
from data.records import DAY, take
from data.times import to_micros
from features.build import build_features
from training import registry
from training.assemble import Question, excluded_events, moment_of
from training.bundle import Bundle, read_bundle
from training.calibration import Z90
from training.monitor.alarm import Alarm, figure
from training.monitor.noise import FLOOR, least, tails
from training.periods import day
from training.rules import score_points
from training.snapshots import snapshots_of

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MONTHS = 6
CHUNK = 20_000
FEWEST = 5.0  # conversions to expect in a month that is judged
LOW, HIGH = 0.7, 1.4
RATE = 1e-3  # of false alarms: months stay the same for many nights, so there are few independent chances
LEARNED, FEWEST_LEARNED = ("training", "five turns", "refit only"), 50


@dataclass(frozen=True)
class Live:
    """What served when: since (us), bundles, oldest first; the last one serves now. trouble: versions that cannot be read."""

    since: tuple[int, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    trouble: tuple[str, ...] = ()

    @staticmethod
    def of(home: Path, market: str, target: str) -> Live:
        """From the history of the home."""
        done = [e for e in registry.history(home, market, target) if e["step"] == "done"]
        found: dict[str, Bundle | None] = {}
        for version in dict.fromkeys(str(e["version"]) for e in done):
            try:
                found[version] = read_bundle(registry.place(home, market, target) / "releases" / version)
            except (LeadliftError, OSError, ValueError):
                found[version] = None
        kept = [
            (to_micros(datetime.fromisoformat(e["at"])), b) for e in done if (b := found[str(e["version"])]) is not None
        ]
        broken = tuple(v for v, b in found.items() if b is None)
        return Live(tuple(at for at, _ in kept), tuple(b for _, b in kept), broken)

    def at(self, as_of: I64) -> I64:
        """The place of the bundle that answers for each look, -1 = none that may."""
        if not self.bundles:
            return np.full(len(as_of), -1, dtype=np.int64)
        place = np.searchsorted(np.array(self.since), as_of, side="right") - 1
        place = np.where(place < 0, len(self.bundles) - 1, place)
        learned = np.array([trained(b) or since for b, since in zip(self.bundles, self.since, strict=True)])
        return np.where(as_of > learned[place], place, -1).astype(np.int64)


def trained(bundle: Bundle) -> int | None:
    """The end of the last day a bundle learned anything of, us; None where it does not say."""
    days = [s["last"] for s in bundle.manifest.get("split", []) if s.get("last")]
    return to_micros(datetime.fromisoformat(max(days) + "T00:00:00+00:00")) + DAY if days else None


def unsure(bundle: Bundle) -> float:
    """How far the level of a sound model may be off: as conversions it learned from are counted, and the floor."""
    learned = sum(s["conversions"] for s in bundle.manifest.get("split", []) if s["name"] in LEARNED)
    return float(np.hypot(1 / np.sqrt(max(learned, FEWEST_LEARNED)), FLOOR))


def model_alarms(live: Live, as_of: int, oldest_days: int) -> list[Alarm]:
    """Is the model that serves too old?"""
    if not live.bundles:
        return []
    bundle, learned = live.bundles[-1], trained(live.bundles[-1]) or live.since[-1]
    age = (as_of - learned) // DAY
    if age <= oldest_days:
        return []
    says = f"model {bundle.version} of {day(learned)} is {age} days old, {oldest_days} are the limit"
    numbers = {"age_days": age, "limit_days": oldest_days, "model_version": bundle.version}
    return [
        Alarm(
            "stale_model",
            says,
            "train again; the gate decides",
            bundle.version,
            "model_version",
            learned + oldest_days * DAY,
            numbers,
        )
    ]


# -- calibration -------------------------------------------------------------------------------------------------
@dataclass
class Month:
    """Looks of one month at distinct leads: how many, conversions, the sum of probabilities, its variance by chance
    (sum of p(1-p)), and the standard deviation of the sum by what the model could not learn."""

    looks: int = 0
    observed: float = 0.0
    expected: float = 0.0
    chance: float = 0.0
    unsure: float = 0.0

    @property
    def spread(self) -> float:
        return float(np.sqrt(self.chance + self.unsure**2))

    @property
    def interval(self) -> tuple[float, float]:
        """90 %: where the conversions of a month should lie."""
        return max(self.expected - Z90 * self.spread, 0.0), self.expected + Z90 * self.spread

    def plus(self, other: Month) -> Month:
        """Both together; what the model does not know is the same in both."""
        return Month(
            *(getattr(self, n) + getattr(other, n) for n in ("looks", "observed", "expected", "chance", "unsure"))
        )


@dataclass
class Calibration:
    """Months by name, such as 2026-09, oldest first; asked of all people group by group."""

    live: Live
    question: Question
    months: dict[str, Month] = field(default_factory=dict)

    def add(self, people: People) -> None:
        """Score the final looks of the last MONTHS months at these people."""
        if not self.live.bundles:
            return
        now, policy = self.question.now, self.question.policy
        looks = snapshots_of(people, policy, self.question.target, now, excluded_events(people.events, self.question))
        keep = ~np.isnan(looks.label) & (looks.as_of > now - policy.maturity - MONTHS * 31 * DAY)
        place = self.live.at(looks.as_of)
        rows = np.flatnonzero(keep & (place >= 0))
        month = looks.as_of[rows].view("datetime64[us]").astype("datetime64[M]")
        _, first = np.unique(np.stack([looks.lead[rows], month.astype(np.int64)], axis=1), axis=0, return_index=True)
        for i, bundle in enumerate(self.live.bundles):
            some = first[place[rows[first]] == i]
            self._score(
                people, bundle, looks.lead[rows[some]], looks.as_of[rows[some]], looks.label[rows[some]], month[some]
            )

    def _score(
        self, people: People, bundle: Bundle, lead: I64, as_of: I64, label: F64, month: NDArray[np.datetime64]
    ) -> None:
        doubt = unsure(bundle)
        for p, rows in _answers(people, bundle, lead, as_of):
            for name in np.unique(month[rows]):
                here = month[rows] == name
                sums = (label[rows][here].sum(), p[here].sum(), (p * (1 - p))[here].sum(), doubt * p[here].sum())
                told = Month(int(here.sum()), *map(float, sums))
                self.months[str(name)] = self.months.get(str(name), Month()).plus(told)

    def lines(self) -> list[tuple[str, Month]]:
        return sorted(self.months.items())


def _answers(people: People, bundle: Bundle, lead: I64, as_of: I64) -> Iterator[tuple[F64, slice]]:
    """Probabilities of looks, piece by piece; `lead` ascending."""
    owner = np.asarray(people.events["lead"], dtype=np.int64)
    for start in range(0, len(lead), CHUNK):
        rows = slice(start, start + CHUNK)
        mine = np.flatnonzero((owner >= lead[rows].min()) & (owner <= lead[rows].max()))
        some = replace(people, events=take(people.events, mine))
        moment = moment_of(some, bundle.feature_set, lead[rows], as_of[rows])
        table = build_features(moment.leads, moment.journeys, bundle.feature_set)
        yield bundle.predict(table, score_points(bundle.rules, moment).total).probability, rows


def calibration_alarms(months: Mapping[str, Month], versions: tuple[str, ...]) -> list[Alarm]:
    """One at most: the first month outside names it; all months together count as one more."""
    lines = [(n, m) for n, m in sorted(months.items()) if m.expected >= FEWEST or m.observed >= FEWEST]
    whole = Month()
    for _, month in lines:
        whole = whole.plus(month)
    tests = [*lines, ("all months", whole)] if len(lines) > 1 else lines
    p = [2 * min(tails(m.observed, m.expected, m.spread**2)) for _, m in tests]
    odd = [
        (name, m, chance)
        for (name, m), chance, out in zip(tests, p, least(p, RATE), strict=True)
        if out and not LOW < m.observed / m.expected < HIGH
    ]
    if not odd:
        return []
    name, month, chance = min(odd, key=lambda o: o[2])
    first = next((n for n, m in lines if not m.interval[0] <= m.observed <= m.interval[1]), lines[0][0])
    low, high = month.interval
    says = (f"calibration of model {versions[-1]}: {figure(month.observed)} conversions where {figure(month.expected)} were "
            f"predicted (90 % interval {figure(low)} to {figure(high)}), looks of {name}")  # fmt: skip
    numbers = {"month": name, "observed": month.observed, "predicted": round(month.expected, 2), "low": round(low, 2),
               "high": round(high, 2), "looks": month.looks}  # fmt: skip
    since = to_micros(datetime.fromisoformat(first + "-01T00:00:00+00:00"))
    return [
        Alarm(
            "calibration",
            says,
            "train again, and look at what changed since then",
            versions[-1],
            "probability",
            since,
            numbers,
            chance,
        )
    ]
