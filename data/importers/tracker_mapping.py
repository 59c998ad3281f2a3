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
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.errors import MappingError, UsageError
from data.mapping import DatasetSpec, nearest
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
    text = _read(path)
    try:
        document = tomllib.loads(text)
        if name is not None:
            document.setdefault("dataset", {})["name"] = _name(name, target)
        document.setdefault("dataset", {}).setdefault("name", _name(None, target))
        file = TrackerFile.model_validate(document)
    except tomllib.TOMLDecodeError as bad:
        raise MappingError(f"{path}: expected TOML, got {bad}. Correct that line.") from None
    except ValidationError as bad:
        raise MappingError(_one_line(path, bad)) from None
    rules, content = (
        _read(path.parent / n) if n else None for n in (file.dataset.rules, file.dataset.content)
    )  # fmt: skip
    return TrackerMapping(file, text, rules, content)


def _name(name: str | None, target: Path) -> str:
    given = name if name is not None else re.sub(r"[^a-z0-9_-]+", "-", target.absolute().name.lower()).strip("-_")
    if NAME.fullmatch(given):
        return given
    if name is not None:
        raise UsageError(f"--name: expected small letters, digits, - and _, got {name!r}.")
    raise UsageError(f"--to {target}: expected a folder whose name can be the market's, got another. Give --name.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as bad:
        raise MappingError(f"{path}: expected a readable file, got {bad.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: expected UTF-8 text, got other bytes. Save it as UTF-8.") from None


def _one_line(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    where = f"{path}, {'.'.join(str(p) for p in first['loc'])}"
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key {first['loc'][-1]}. {nearest(str(first['loc'][-1]), _keys(first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"{where}: expected a value, got none. Add it to the mapping."
    got: Any = first["input"] if isinstance(first["input"], (str, int, float, bool)) else type(first["input"]).__name__
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}, got {got!r}. Correct the mapping."


def _keys(parents: tuple[int | str, ...]) -> list[str]:
    models: dict[int | str, type[BaseModel]] = {
        "dataset": DatasetSpec, "tracker": TrackerSpec, "converted": Converted,
    }  # fmt: skip
    return list((models.get(parents[-1], TrackerFile) if parents else TrackerFile).model_fields)
