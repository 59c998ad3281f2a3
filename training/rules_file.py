"""The points file in types. `data/rules.yaml` explains the format in its header; `training/rules_read.py` reads it."""

from __future__ import annotations

import datetime
import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

FIT_GRADES = ("A", "B", "C", "D")
LEVELS = (1, 2, 3, 4)
GRADES = tuple(f"{g}{n}" for g in FIT_GRADES for n in LEVELS)
TEAMS = ("marketing", "sales")
CONDITIONS = ("equals", "in", "at_least", "between", "known", "contains")


def _scalar(value: object) -> str | float:
    """A text or a number. `NO` and `yes` are false and true to YAML, which is never what was meant."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("a text or a number (texts such as NO or yes need quotes)")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a finite number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """One text or a list of texts."""
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(t, str) and t.strip("* ") for t in texts):
        raise ValueError("a text or a list of texts (texts such as NO or yes need quotes)")
    return tuple(texts)


Scalar = Annotated[str | float, PlainValidator(_scalar)]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
Text = Annotated[str, Field(min_length=1)]
Rate = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Words(_Part):
    """A text in both languages."""

    en: Text
    de: Text

    def of(self, lang: str) -> str:
        """German for `de`, else English."""
        return self.de if lang == "de" else self.en


class Approval(_Part):
    """That a team agreed to this version, and when. No person."""

    team: Literal["marketing", "sales"]
    date: datetime.date


class Stages(_Part):
    """Names of the stages the points decide on; `others` are set by people (accepted ...) and only named here."""

    below_mql: Text
    mql: Text
    sales_ready: Text
    others: dict[str, Text] = {}


class EventMatch(_Part):
    """Which events count: all given keys must hold, one of the texts each."""

    type: Texts | None = None
    content_id: Texts | None = None
    content_type: Texts | None = None
    topic: Texts | None = None
    stage: Texts | None = None
    channel: Texts | None = None


class FitRule(_Part):
    """Points for what a column says. Exactly one of CONDITIONS is given.

    equals, in: a text (case and outer spaces do not matter) or a number. at_least, between: numbers, both bounds
    included. contains: whole words in a text; `*` at an end lets the word go on. known: whether there is a value.
    """

    code: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]
    label: Words
    points: Annotated[int, Field(ge=-100, le=100)]
    column: Text | None = None
    equals: Scalar | None = None
    in_: Annotated[list[Scalar] | None, Field(alias="in", min_length=1)] = None
    at_least: float | None = None
    between: Annotated[list[float] | None, Field(min_length=2, max_length=2)] = None
    known: bool | None = None
    contains: Texts | None = None

    def conditions(self) -> tuple[str, ...]:
        """Names of the given conditions."""
        return tuple(c for c in CONDITIONS if getattr(self, "in_" if c == "in" else c) is not None)


class EngagementRule(FitRule):
    """Points for events (`event`), or for a behaviour total of a table without events (`column`).

    cap: the most the rule can add or take away. half_life_days: days after which an event counts half.
    within_days: older events do not count at all.
    """

    event: EventMatch | None = None
    cap: Annotated[int | None, Field(ge=1)] = None
    half_life_days: Days | None = None
    within_days: Days | None = None


class Condition(_Part):
    """When a lead is an MQL or sales-ready: everything that is given must hold."""

    total_at_least: Annotated[int, Field(ge=0, le=100)]
    grades: Annotated[list[str] | None, Field(min_length=1)] = None
    probability_at_least: Rate | None = None


class RulesFile(_Part):
    """A points file.

    fit_grades, engagement_levels: lowest points of A, B, C and of 1, 2, 3; what is below is D and 4.
    expected_rate: grade -> conversion rate both teams expect, for markets without a model.
    """

    version: Text
    approvals: list[Approval]
    lead_birth: Words
    stages: Stages
    hot_probability: Annotated[float, Field(gt=0, lt=1)]
    fit: list[FitRule]
    engagement: list[EngagementRule]
    fit_grades: dict[str, int]
    engagement_levels: dict[int, int]
    mql: Condition
    sales_ready: Condition
    expected_rate: dict[str, Rate] = {}
