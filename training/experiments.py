"""Experiments as they are kept: what was planned and what was read, one file each, for hypotheses and the page.

    HOME/<market>/experiments/<name>.json     {"plan": {...}, "reading": {...} or null}

The plan is fixed before anybody is assigned: whom it is about, when it begins and ends, what would be worth seeing. So a
reading has nothing left to choose.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError, UsageError
from data.files import replace_text
from training.assignment import known_name

UNITS = ("visitor", "lead")
BROKEN, EARLY, READ = "broken", "too early", "read"


@dataclass(frozen=True)
class Plan:
    """People who come to `first` before they have seen `then`, half of them with the change.

    by: content, type, topic or stage, what both are names of. kinds: the types of both. unit: whose id is hashed. start,
    until: us; who comes in [start, until) is in it. baseline: share that converts in the horizon; people_per_week: who come;
    ratio: smallest effect worth seeing, times the baseline; per_arm: people needed for it; level, power: of its test.
    """

    name: str
    target: str
    first: str
    then: str
    by: str
    kinds: tuple[str, str]
    unit: str
    start: int
    until: int
    horizon_days: int
    baseline: float
    people_per_week: float
    ratio: float
    level: float
    power: float
    per_arm: int
    weeks: int

    def document(self) -> dict[str, Any]:
        return {**vars(self), "kinds": list(self.kinds)}


@dataclass(frozen=True)
class Arm:
    """One arm: people, conversions, rate with its 95 % Wilson interval."""

    arm: str
    people: int
    conversions: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Reading:
    """What an experiment says at the moment `now` (us).

    verdict: `read`, `too early` or `broken`, and why in a sentence; but for `read` there are no arms and no effect.
    people: assigned so far, control first. sample_ratio_p: exact, for halves. before: people of both arms who came when
    there was no change yet; before_p: exact, for no difference between them, null where nobody converted. difference, ratio:
    treatment against control, with 95 % intervals; p: exact, two-sided.
    """

    now: int
    verdict: str
    why: str
    people: tuple[int, int]
    sample_ratio_p: float
    before: tuple[int, int]
    before_p: float | None
    arms: tuple[Arm, ...] = ()
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    p: float | None = None

    def document(self) -> dict[str, Any]:
        lists = {"people": list(self.people), "before": list(self.before), "arms": [vars(a) for a in self.arms]}
        return {**vars(self), **lists}


@dataclass(frozen=True)
class Experiment:
    """One that was planned; reading: None until somebody has read it."""

    plan: Plan
    reading: Reading | None = None

    @property
    def known(self) -> bool:
        """Was an effect read?"""
        return self.reading is not None and self.reading.verdict == READ

    def document(self) -> dict[str, Any]:
        return {"plan": self.plan.document(), "reading": self.reading.document() if self.reading else None}

    @staticmethod
    def of(document: dict[str, Any]) -> Experiment:
        plan, reading = document["plan"], document["reading"]
        return Experiment(
            Plan(**{**plan, "kinds": tuple(plan["kinds"])}), _reading(reading) if reading is not None else None
        )


def _reading(document: dict[str, Any]) -> Reading:
    pairs = {n: tuple(document[n]) for n in ("people", "before")}
    return Reading(**{**document, **pairs, "arms": tuple(Arm(**a) for a in document["arms"])})


# -- files -----------------------------------------------------------------------------------------------------------
def folder_of(home: Path, market: str) -> Path:
    return home / market / "experiments"


def keep(home: Path, market: str, experiment: Experiment) -> Path:
    """Write it; readers see the old or the new one."""
    file = folder_of(home, market) / f"{experiment.plan.name}.json"
    replace_text(file, json.dumps(experiment.document(), indent=1, allow_nan=False) + "\n")
    return file


def experiment_of(home: Path, market: str, name: str) -> Experiment:
    """One experiment by its name.

    Raises
    ------
    UsageError, InputError
        where none has that name; where its file cannot be understood.
    """
    file = folder_of(home, market) / f"{known_name(name)}.json"
    if not file.is_file():
        there = ", ".join(e.plan.name for e in experiments_of(home, market)) or "none"
        raise UsageError(f"NAME: expected an experiment of {market} ({there}), got {name}. Plan it first.")
    return _read(file)


def experiments_of(home: Path, market: str) -> tuple[Experiment, ...]:
    """All experiments of a market, by name; empty where there is none."""
    return tuple(_read(file) for file in sorted(folder_of(home, market).glob("*.json")))


def _read(file: Path) -> Experiment:
    try:
        return Experiment.of(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError.of(
            where=str(file), expected="an experiment as `leadlift experiment plan` writes it", got="something else",
            remedy="Restore the file, or delete it and plan again.",
        ) from None  # fmt: skip
