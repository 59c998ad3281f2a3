"""`dataset.toml`: what a dataset says of itself, written and read back without loss."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any

from data.dataset import DatasetInfo, ExtraColumn, SnapshotSpec, SplitSpec
from data.errors import InputError
from data.records import DAY, MICROS
from data.times import EPOCH, to_micros

UNITS = {"d": DAY, "h": 3600 * MICROS, "min": 60 * MICROS, "s": MICROS, "us": 1}
DURATIONS = ("delay", "every", "horizon", "reporting_delay", "cancellation_window")
_DURATION = re.compile(r"\s*(\d+)\s*([a-z]+)\s*")


def duration(text: str) -> int:
    """`"30d"`, `"5min"`, `"12h"`, `"90s"` in microseconds; anything else is a ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or found[2] not in UNITS:
        raise ValueError(f"expected a duration such as 30d, 12h, 5min or 90s, got {text!r}")
    return int(found[1]) * UNITS[found[2]]


def duration_text(micros: int) -> str:
    """The shortest exact writing of a duration."""
    unit = next(name for name, size in UNITS.items() if micros % size == 0)
    return f"{micros // UNITS[unit]}{unit}"


def time_text(micros: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return (EPOCH + timedelta(microseconds=micros)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def dump(info: DatasetInfo) -> str:
    """The text of `dataset.toml`; absent keys are nulls."""
    own = {k: v for k, v in asdict(info).items() if k not in ("extra", "split", "snapshots", "counts")}
    own["generation"] = info.generation or None
    for key in ("closed_at", "latest_arrival"):
        own[key] = None if own[key] is None else _Raw(time_text(own[key]))
    looks = asdict(info.snapshots)
    looks.update({k: None if looks[k] is None else duration_text(looks[k]) for k in DURATIONS})
    parts = [_table("[dataset]", own), _table("[split]", asdict(info.split)), _table("[snapshots]", looks)]
    parts.append(_table("[counts]", dict(sorted(info.counts.items()))))
    parts += [_table("[[extra]]", asdict(e)) for e in info.extra]
    return "\n".join(parts)


class _Raw(str):
    """Text that is TOML already."""


def _table(head: str, values: Mapping[str, Any]) -> str:
    return "".join([head + "\n", *(f"{k} = {_value(v)}\n" for k, v in values.items() if v is not None)])


def _value(value: Any) -> str:
    if isinstance(value, _Raw):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return quote(value) if isinstance(value, str) else repr(value)


def quote(text: str) -> str:
    """A TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\x00-\x1f\x7f]", lambda c: f"\\u{ord(c[0]):04x}", escaped) + '"'


def parse(text: str, where: str = "dataset.toml") -> DatasetInfo:
    """The info of a `dataset.toml`; unreadable text or unknown keys are an InputError."""
    try:
        document = tomllib.loads(text)
        own = dict(document["dataset"])
        for key in ("closed_at", "latest_arrival"):
            own[key] = to_micros(own[key]) if key in own else None
        own["extra"] = tuple(ExtraColumn.of(e) for e in document.get("extra", []))
        own["split"] = SplitSpec(**document.get("split", {}))
        own["snapshots"] = _snapshots(document.get("snapshots", {}))
        return DatasetInfo(**own, counts=document.get("counts", {}))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as bad:
        raise InputError.of(
            where=where, expected=f"the keys {', '.join(f.name for f in fields(DatasetInfo))}", got=str(bad),
            remedy="Import the data again into a new folder.",
        ) from None  # fmt: skip


def _snapshots(table: Mapping[str, Any]) -> SnapshotSpec:
    values: dict[str, Any] = {k: duration(v) if k in DURATIONS else v for k, v in table.items()}
    values["exclude_if_seen"] = tuple(values.get("exclude_if_seen", ()))
    return SnapshotSpec(**values)
