"""The small mapping of a tracker: what the dataset is called, which apps are ours, what its event names mean.

[dataset]  name, timezone, currency, rules, content      as in a table's mapping
[tracker]
apps = ["shop", "blog"]                      other app ids are left out and counted; default: all
types = { "Demo Requested" = "form" }        event name -> event type
received_at = "ignore"                       where the tracker's arrival is a load time
lead_id = "distinct_id"                      PostHog only: which id is the lead's; default person_id
[tracker.converted]
events = ["Order Completed"]                 each becomes an outcome `converted` of its lead
value = "revenue"                            the property (Snowplow: the column) with the value
unit = "major"                               or "minor"
currency = "currency"                        the property with the currency
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.errors import MappingError, UsageError
from data.mapping import DatasetSpec, Location, one_line, read_text
from data.records import EVENT_TYPES
from data.times import zone_named

EventType = Literal[EVENT_TYPES]  # type: ignore[valid-type]
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Converted(_Part):
    """Which events are conversions, and what they are worth."""

    events: list[str] = Field(min_length=1)
    value: str | None = Field(None, min_length=1)
    unit: Literal["major", "minor"] = "major"
    currency: str | None = Field(None, min_length=1)


class TrackerSpec(_Part):
    """What a tracker's own names mean here."""

    apps: list[str] = []
    types: dict[str, EventType] = {}
    received_at: Literal["keep", "ignore"] = "keep"
    lead_id: Literal["person_id", "distinct_id"] = "person_id"
    converted: Converted | None = None


class TrackerFile(_Part):
    """The whole file."""

    dataset: DatasetSpec
    tracker: TrackerSpec = TrackerSpec()

    @field_validator("dataset")
    @classmethod
    def _known_zone(cls, given: DatasetSpec) -> DatasetSpec:
        if given.timezone is not None:
            zone_named(given.timezone)
        if given.closed_at is not None:
            raise ValueError("closed_at is for tables, got one here")
        return given


@dataclass(frozen=True)
class TrackerMapping:
    """A mapping that was read and checked; `text` is null where there was no file."""

    file: TrackerFile
    text: str | None = None
    rules: str | None = None
    content: str | None = None


def tracker_mapping(path: Path | None, name: str | None, target: Path) -> TrackerMapping:
    """The mapping at `path`, or the defaults under `name`, or under the name of the target folder.

    Raises
    ------
    MappingError, UsageError
        one line that names file and key, with the nearest known name for a typing error.
    """
    if path is None:
        return TrackerMapping(TrackerFile(dataset=DatasetSpec(name=_name(name, target))))
    text = read_text(path, str(path), "a readable file")
    try:
        document = tomllib.loads(text)
        dataset = document.setdefault("dataset", {})
        if isinstance(dataset, dict) and (name is not None or "name" not in dataset):
            dataset["name"] = _name(name, target)
        file = TrackerFile.model_validate(document)
    except tomllib.TOMLDecodeError as bad:
        raise MappingError(f"{path}: expected TOML, got {bad}. Correct that line.") from None
    except ValidationError as bad:
        raise MappingError(one_line(path, bad, _keys)) from None
    named = (path.parent / n if n else None for n in (file.dataset.rules, file.dataset.content))
    rules, content = (read_text(n, str(n), "a readable file") if n else None for n in named)
    return TrackerMapping(file, text, rules, content)


def _name(name: str | None, target: Path) -> str:
    given = name if name is not None else re.sub(r"[^a-z0-9_-]+", "-", target.absolute().name.lower()).strip("-_")
    if NAME.fullmatch(given):
        return given
    if name is not None:
        raise UsageError(f"--name: expected small letters, digits, - and _, got {name!r}.")
    raise UsageError(f"--to {target}: expected a folder whose name can be the market's, got another. Give --name.")


def _keys(location: Location) -> list[str]:
    parents = location[:-1]
    models: dict[int | str, type[BaseModel]] = {
        "dataset": DatasetSpec, "tracker": TrackerSpec, "converted": Converted,
    }  # fmt: skip
    return list((models.get(parents[-1], TrackerFile) if parents else TrackerFile).model_fields)


def tracker_file(text: str, name: str) -> TrackerFile | None:
    """The mapping of a tracker from its text, of the market `name` where it names none; None for one of tables."""
    try:
        document = tomllib.loads(text)
        document.setdefault("dataset", {}).setdefault("name", name)
        return TrackerFile.model_validate(document)
    except (tomllib.TOMLDecodeError, ValidationError, AttributeError):
        return None
