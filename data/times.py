"""Times as text or numbers -> UTC microseconds. Nothing is guessed: a missing zone, a gap or a fold is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MICRO = timedelta(microseconds=1)
EPOCH_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,](?P<fraction>\d{1,9}))?\s?(?P<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?"
)
_NUMBER = re.compile(r"-?\d{1,17}(?:\.\d{1,9})?")


class TimeError(ValueError):
    """A time that cannot be used; `reason` is a reject code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class TimeRule:
    """How one column writes its times.

    zone: for times and dates that name none; None refuses them. fold: 0 or 1 takes the earlier or later of two
    readings of a local time (and the shifted one of a time that does not exist); None refuses both.
    end_of_day: a date alone means its last microsecond. unit: numbers since 1970 UTC in s, ms or us.
    format: a `strptime` pattern; None = ISO 8601.
    """

    zone: ZoneInfo | None = None
    fold: int | None = None
    end_of_day: bool = False
    unit: str | None = None
    format: str | None = None


def to_micros(moment: datetime) -> int:
    """A zoned time in microseconds since 1970 UTC, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def parse(text: str, rule: TimeRule) -> int:
    """Microseconds since 1970 UTC.

    Raises
    ------
    TimeError
        bad_time, time_without_zone, time_does_not_exist, time_occurs_twice.
    """
    if rule.unit is not None:
        return _from_number(text, EPOCH_UNITS[rule.unit])
    try:
        local, date_only = _iso(text) if rule.format is None else _formatted(text, rule.format)
        if local.tzinfo is not None:
            return to_micros(local)
        if rule.zone is None:
            raise TimeError("time_without_zone")
        return _day(local, rule.zone, rule.end_of_day) if date_only else _moment(local, rule.zone, rule.fold)
    except TimeError:
        raise
    except (ValueError, OverflowError):
        raise TimeError("bad_time") from None


def _from_number(text: str, scale: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise TimeError("bad_time")
    whole, _, fraction = text.partition(".")
    digits = len(str(scale)) - 1
    sub = int((fraction + "0" * digits)[:digits] or 0)
    value = abs(int(whole)) * scale + sub
    micros = -value if whole.startswith("-") else value
    if abs(micros) > to_micros(datetime(9999, 1, 1, tzinfo=UTC)):
        raise TimeError("bad_time")
    return micros


def _iso(text: str) -> tuple[datetime, bool]:
    found = _ISO.fullmatch(text)
    if found is None:
        raise TimeError("bad_time")
    if found["time"] is None:
        return datetime.fromisoformat(found["date"]), True
    fraction = ((found["fraction"] or "") + "000000")[:6]
    seconds = found["time"] if found["time"].count(":") == 2 else found["time"] + ":00"
    zone = {"Z": "+00:00", "UTC": "+00:00", None: ""}.get(found["zone"], found["zone"])
    return datetime.fromisoformat(f"{found['date']}T{seconds}.{fraction}{zone}"), False


def _formatted(text: str, pattern: str) -> tuple[datetime, bool]:
    return datetime.strptime(text, pattern), not re.search(r"%[HIMScXfs]", pattern)


def _day(local: datetime, zone: ZoneInfo, end: bool) -> int:
    """Start or last microsecond of a local day; a day that starts in a gap starts after it."""
    if not end:
        return to_micros(local.replace(tzinfo=zone).astimezone(UTC))
    return to_micros((local + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC) - LAST_MICRO)


def _moment(local: datetime, zone: ZoneInfo, fold: int | None) -> int:
    first, second = (to_micros(local.replace(tzinfo=zone, fold=f).astimezone(UTC)) for f in (0, 1))
    if first == second:
        return first
    if fold is None:
        raise TimeError("time_occurs_twice" if first < second else "time_does_not_exist")
    return (first, second)[fold]


@lru_cache(maxsize=64)
def zone_named(name: str) -> ZoneInfo:
    """The IANA zone; a ValueError for an unknown name."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"unknown time zone {name!r}") from None
