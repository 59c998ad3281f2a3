"""Before a rescoring is published: is it what the market did, or what a broken feed did?

The new set is compared with the last published one, and the feeds with their own past (the checks of `leadlift
monitor`). Beyond the limits nothing is published: a Verdict with the cause. What was accepted once, with a reason, is
not held back again as long as it stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import Verdict
from data.lake import Lake
from data.records import DAY
from data.settings import PublishSettings
from serving.published import Published, pairs
from serving.reply import time_text
from training.monitor.alarm import Alarm, percent
from training.monitor.feeds import DEAD, DOUBLED, THIN, feed_alarms, repeat_alarms
from training.monitor.tags import RENAMED, tag_alarms
from training.monitor.tally import Tally, tally
from training.periods import day
from training.rules_file import GRADES

ALWAYS_ALLOWED = 10  # leads that may change their grade or be gone, however few there are
WEEK, SILENCE = 7 * DAY, 14 * DAY
KINDS = (DEAD, THIN, DOUBLED, RENAMED)


@dataclass(frozen=True)
class Shift:
    """The leads of both sets. worse, better: by grade. mean_before, mean: of their probability; 0 where there is none.
    gone: leads of the set before that the new one lacks."""

    leads: int
    worse: int
    better: int
    mean_before: float
    mean: float
    gone: int = 0

    @property
    def words(self) -> str:
        """How many leads would move, in the direction most of them go."""
        cool = self.worse >= self.better
        return (
            f"{percent(max(self.worse, self.better) / max(self.leads, 1))} of leads would {'cool' if cool else 'warm'}"
        )

    def missing(self, limits: PublishSettings, nights: float) -> list[str]:
        """Whether more leads are gone than may change, in words: none where not."""
        all_before = self.leads + self.gone
        if self.gone <= max(ALWAYS_ALLOWED, limits.max_grade_changes * _wide(nights) * all_before):
            return []
        return [f"{percent(self.gone / all_before)} of the leads of the last set would be gone"]

    def too_far(self, limits: PublishSettings, nights: float) -> list[str]:
        """What is beyond the limits of leads that are in both sets, in words."""
        wide = _wide(nights)
        changed, found = self.worse + self.better, []
        if changed > max(ALWAYS_ALLOWED, limits.max_grade_changes * wide * self.leads):
            found.append(f"{percent(changed / self.leads)} of leads would change their grade")
        if self.leads > ALWAYS_ALLOWED and abs(self.mean / self.mean_before - 1) > limits.max_mean_change * wide:
            found.append(f"the mean probability would be {percent(self.mean)} after {percent(self.mean_before)}")
        return found


def _wide(nights: float) -> float:
    """How many times the limits of one night."""
    return max(nights, 1.0) ** 0.5


def shift_of(before: Published, now: Published) -> Shift:
    """Compare the leads that both sets have."""
    leads, worse, better, gone, sums = 0, 0, 0, 0, np.zeros(2)
    for then, tonight in pairs(before, now, ("lead_id", "probability", "grade")):
        row = pc.index_in(tonight.column("lead_id"), value_set=then.column("lead_id").combine_chunks())
        gone += len(then) - len(row.drop_null())
        then, tonight = then.take(row.drop_null()), tonight.filter(row.is_valid())
        old, new = (pc.index_in(t.column("grade"), value_set=pa.array(GRADES)).to_numpy() for t in (then, tonight))
        leads, worse, better = leads + len(old), worse + int((new > old).sum()), better + int((new < old).sum())
        sums += [t.column("probability").to_numpy().sum() for t in (then, tonight)]
    return Shift(leads, worse, better, *(sums / max(leads, 1)).tolist(), gone=gone)


# -- feeds -------------------------------------------------------------------------------------------------------
def feed_causes(lake: Lake, as_of: int, before: int) -> list[Alarm]:
    """What is wrong tonight with what leads do: dead, thin, doubled feeds, and renamed tags. None without times.

    before: the moment of the set published last.
    """
    if not lake.info.has_times:
        return []
    counted = tally(lake, as_of, behaviour=True)
    found = feed_alarms(counted, watermarks(lake)) + repeat_alarms(counted)
    found += [] if any(a.kind == DEAD and a.source != "links" for a in found) else _silence(counted, before)
    sound = not any(a.kind in (DEAD, THIN) for a in found)
    found += tag_alarms(counted, sound)
    return [a for a in found if a.kind in KINDS and not str(a.source).startswith("utm_source ")]  # a campaign's end


def _silence(counted: Tally, before: int) -> list[Alarm]:
    """No event for two weeks, where the last set still had some: after four, the weeks before are as silent."""
    last = counted.latest.get("events")
    if last is None or not before - WEEK <= last < counted.as_of - SILENCE:
        return []
    return [Alarm(DEAD, f"0 events since {day(last)}", "look at their import", "events", since=last)]


def watermarks(lake: Lake) -> dict[str, int | None]:
    """When something last arrived, by source of events."""
    return {name: s.latest for name, s in lake.manifest.sources.items() if s.record == "event"}


def _cause(alarm: Alarm, marks: Mapping[str, int | None], as_of: int) -> str:
    """The alarm in words; where one of several sources has stopped, that source is the cause."""
    stopped = {name: at for name, at in marks.items() if at is not None and at < as_of - DAY}
    if alarm.kind in (DEAD, THIN) and len(stopped) == 1 and len(marks) > 1:
        ((name, at),) = stopped.items()
        return f"0 {name} events since {day(at)}"
    return alarm.says


# -- the verdict -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class PublishGate:
    """Judges a set before it is published. accepted: why a change beyond the limits is published all the same."""

    lake: Lake
    limits: PublishSettings
    accepted: str | None = None

    def judge(self, before: Published | None, now: Published) -> dict[str, Any]:
        """What the new set's manifest keeps as `gate`. before: the last published set, None = nothing to compare with.

        Raises
        ------
        Verdict
            where the set must not be published; with its cause.
        """
        if before is None:
            return {"verdict": "first"}
        marks, shift, nights = watermarks(self.lake), shift_of(before, now), (now.as_of - before.as_of) / DAY
        alarms = feed_causes(self.lake, now.as_of, before.as_of)
        known = {tuple(key) for key in before.about.get("gate", {}).get("accepted", [])}
        causes = [_cause(a, marks, now.as_of) for a in alarms if _key(a) not in known]
        causes += shift.missing(self.limits, nights)
        if _same_scorer(before, now):  # what a promotion moves was judged before it
            causes += shift.too_far(self.limits, nights)
        if causes and self.accepted is None:
            raise Verdict(
                f"{'; '.join(dict.fromkeys([*causes, shift.words]))}. Nothing was published: the set of "
                f"{time_text(before.as_of)} stays. See leadlift monitor, or publish with --accept-change REASON."
            )
        return {
            "verdict": "accepted" if causes else "passed", "causes": causes, "reason": self.accepted if causes else None,
            "accepted": [list(_key(a)) for a in alarms], "against": before.folder.name, "shift": asdict(shift),
            "watermarks": {name: None if at is None else time_text(at) for name, at in sorted(marks.items())},
        }  # fmt: skip


def _key(alarm: Alarm) -> tuple[str, ...]:
    """The same as long as the same thing is wrong."""
    tag = [str(alarm.numbers[n]) for n in ("old", "new")] if alarm.kind == RENAMED else []
    return (alarm.kind, str(alarm.source), str(alarm.field), *tag)


def _same_scorer(before: Published, now: Published) -> bool:
    return all(before.about.get(name) == now.about.get(name) for name in ("bundle", "rules"))
