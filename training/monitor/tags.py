"""Renamed utm tags: one ends where another begins, as often; and steady sources that fell silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from data.records import DAY
from training.monitor.alarm import Alarm, figure, shown
from training.monitor.feeds import DEAD, FEW, FEWEST, SILENT
from training.monitor.marks import Mark, Marks
from training.monitor.noise import WINDOWS, Level, least, level, weeks
from training.monitor.tally import TAGS, Tally
from training.periods import day

RENAMED = "renamed_tag"
NEW = 0.1  # a new tag had at most this share of its events in any week before
SAME = (0.4, 2.5)  # events of the new tag over those the old one lost


@dataclass(frozen=True)
class _Lost:
    value: str
    mark: Mark
    level: Level

    @property
    def missing(self) -> float:
        return self.level.before - self.level.now


def tag_alarms(tally: Tally, healthy: bool) -> list[Alarm]:
    """`healthy`: the feed of events itself has no alarm, so that a silent source is a cause of its own."""
    return [a for tag in TAGS for a in _of(tally, tag, healthy)]


def _of(tally: Tally, tag: str, healthy: bool) -> Iterator[Alarm]:
    marks, span = tally.tags[tag], tally.reach.get("events", 0)
    taken: set[str] = set()
    for lost in _lost(marks, span):
        new = _successor(marks, lost, span, taken)
        if new is not None:
            taken.add(new)
            yield _renamed(tally, tag, lost, new)
        elif (
            healthy and tag == "source" and lost.level.ratio <= SILENT and (weeks(lost.mark.counts, 7, span) > 0).all()
        ):
            yield _silent(lost)


def _lost(marks: Marks, span: int) -> list[_Lost]:
    """The tags that lost a good part of their events, each in its clearest window."""
    tests = [
        _Lost(value, mark, lv)
        for value, mark in marks.of.items()
        for window in WINDOWS
        if (lv := level(mark.counts, window, span)) is not None and lv.before >= FEWEST
    ]
    best: dict[str, _Lost] = {}
    for test, out in zip(tests, least([t.level.low for t in tests]), strict=True):
        if out and test.level.ratio <= FEW and (test.value not in best or test.level.low < best[test.value].level.low):
            best[test.value] = test
    return sorted(best.values(), key=lambda t: t.level.low)


def _successor(marks: Marks, lost: _Lost, span: int, taken: set[str]) -> str | None:
    """The new tag that came as often as the old one is missing; of several the one that is written most alike."""
    window, found = lost.level.window, []
    for value, mark in marks.of.items():
        now, before = float(mark.counts[:window].sum()), weeks(mark.counts, window, span)
        if value in taken or now < FEWEST / 2 or not len(before) or sorted(before)[len(before) // 2] > NEW * now:
            continue
        if SAME[0] <= now / max(lost.missing, 1e-9) <= SAME[1] and mark.first > 0:
            found.append((SequenceMatcher(None, value.lower(), lost.value.lower()).ratio(), value))
    return max(found)[1] if found else None


def _renamed(tally: Tally, tag: str, lost: _Lost, new: str) -> Alarm:
    mark, lv = tally.tags[tag].of[new], lost.level
    now = int(mark.counts[: lv.window].sum())
    days = "a day" if lv.window == 1 else "a week" if lv.window == 7 else f"in {lv.window} days"
    old, fresh = shown(lost.value), shown(new)
    says = (f"utm_{tag} '{old}' went from {figure(lv.before)} to {figure(lv.now)} {days} while '{fresh}' began on "
            f"{day(mark.first)} with {now:,}")  # fmt: skip
    numbers = {
        "old": old,
        "new": fresh,
        "old_before": round(lv.before, 1),
        "old_now": lv.now,
        "new_now": now,
        "days": lv.window,
    }
    remedy = "renamed? Map both to one, or correct the link"
    return Alarm(RENAMED, says, remedy, f"utm_{tag}", tag, mark.first, numbers, lv.low)


def _silent(lost: _Lost) -> Alarm:
    lv, old = lost.level, shown(lost.value)
    says = (f"{figure(lv.now)} events with utm_source '{old}' since {day(lost.mark.last)}; before "
            f"~{figure(lv.before * 7 / lv.window)} a week, in every week")  # fmt: skip
    numbers = {"value": old, "now": lv.now, "before": round(lv.before, 1), "days": lv.window}
    return Alarm(DEAD, says, "did the campaign end, or its tag break?", f"utm_source {old}", "source",
                 min(lost.mark.last, 2**62) // DAY * DAY, numbers, lv.low)  # fmt: skip
