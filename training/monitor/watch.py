"""All checks of one market at one moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from data.dataset import consenting
from data.errors import InputError
from data.lake import Lake
from data.records import DAY
from data.settings import Settings
from training.assemble import Question, content_map
from training.monitor.alarm import Alarm
from training.monitor.bursts import burst_alarms
from training.monitor.feeds import DEAD, OUTCOMES, THIN, Feed, feed_alarms, feeds_of, repeat_alarms
from training.monitor.fields import field_alarms
from training.monitor.model import Calibration, Live, Month, calibration_alarms, model_alarms
from training.monitor.noise import FEWEST_WEEKS
from training.monitor.rate import Lives, Rate, rate_alarms, rates_of
from training.monitor.tags import tag_alarms
from training.monitor.tally import Tally, tally
from training.monitor.units import unit_alarms
from training.periods import day
from training.snapshots import NEXT_ORDER, Policy, policy_of

QUIET, ALARM, SKIPPED = "quiet", "alarm", "not checked"
ELSEWHERE = ("leads", "links", "spend", "outcomes")  # feeds whose silence says nothing of tags
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Check:
    """One check: whether it is quiet, or why it could not be made."""

    name: str
    state: str
    note: str = ""


@dataclass
class Watch:
    """What was found. feeds: with their counts by day; rates and months: as far as there are any."""

    market: str
    target: str
    as_of: int
    alarms: list[Alarm]
    checks: list[Check]
    feeds: list[Feed]
    rates: list[Rate] = field(default_factory=list)
    months: list[tuple[str, Month]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        months = [
            {"month": n, "looks": m.looks, "observed": m.observed, "predicted": round(m.expected, 3),
             "low": round(m.interval[0], 3), "high": round(m.interval[1], 3)}
            for n, m in self.months
        ]  # fmt: skip
        return {"market": self.market, "target": self.target, "as_of": day(self.as_of), "alarm": bool(self.alarms),
                "alarms": [a.document() for a in self.alarms], "checks": [vars(c) for c in self.checks],
                "base_rate": [r.document() for r in self.rates], "calibration": months}  # fmt: skip


def watch(
    lake: Lake, settings: Settings, market: str, target: str, as_of: int, advance: Advance = lambda by: None
) -> Watch:
    """Every check at one moment; only what was known before it counts.

    Raises
    ------
    InputError
        for a table without times.
    """
    if not lake.info.has_times:
        raise InputError.of(
            where=lake.info.name, expected="records with times", got="a table without times",
            remedy="Only what happens can be watched.",
        )  # fmt: skip
    counted, live = tally(lake, as_of), Live.of(settings.home, market, target)
    advance(1)
    lives, calibration = _labels(lake, settings, market, target, as_of, live)
    advance(1)
    policy = policy_of(settings.snapshots)
    rates = rates_of(lives, as_of - policy.reporting_delay) if target != NEXT_ORDER else []
    groups = _alarms(lake, counted) | {
        "base rate": rate_alarms(rates, target),
        "age of the model": model_alarms(live, as_of, settings.monitor.max_model_age_days),
        "calibration": calibration_alarms(calibration.months, tuple(b.version for b in live.bundles)),
    }
    reasons = _reasons(counted, rates, calibration, live, policy)
    checks = [
        Check(n, ALARM if a else SKIPPED if n in reasons else QUIET, "" if a else reasons.get(n, ""))
        for n, a in groups.items()
    ]
    alarms = _told_once([a for found in groups.values() for a in found], target)
    return Watch(market, target, as_of, alarms, checks, feeds_of(counted), rates, calibration.lines())


def _alarms(lake: Lake, counted: Tally) -> dict[str, list[Alarm]]:
    """What the records say, by check."""
    loads = {name: s.latest for name, s in lake.manifest.sources.items() if s.record == "event"}
    feeds = feed_alarms(counted, loads)
    healthy = not any(a.kind in (DEAD, THIN) and not str(a.source).startswith(ELSEWHERE) for a in feeds)
    return {
        "feeds": feeds, "feeds told twice": repeat_alarms(counted), "bots": burst_alarms(counted),
        "utm tags": tag_alarms(counted, healthy), "answers of forms": field_alarms(counted), "units": unit_alarms(counted),
    }  # fmt: skip


def _told_once(alarms: list[Alarm], target: str) -> list[Alarm]:
    """A dead feed of the target's outcomes is the cause of the base rate it moves."""
    dead = any(a.kind == DEAD and a.source in ("outcomes", OUTCOMES + target) for a in alarms)
    return [a for a in alarms if not (dead and a.kind == "base_rate")]


def _labels(
    lake: Lake, settings: Settings, market: str, target: str, as_of: int, live: Live
) -> tuple[Lives, Calibration]:  # fmt: skip
    """One walk over people for everything that needs outcomes."""
    policy = policy_of(settings.snapshots)
    content = content_map(lake) if policy.exclude_if_seen else None
    calibration = Calibration(live, Question(target, policy, as_of, "", 1, content))
    parts = []
    for people in consenting(lake, settings.privacy.require_consent).people():
        parts.append(Lives.of(people, target, as_of))
        calibration.add(people)
    return Lives.joined(parts), calibration


def _reasons(counted: Tally, rates: list[Rate], calibration: Calibration, live: Live, policy: Policy) -> dict[str, str]:
    """Why a check could not be made, by its name."""
    out: dict[str, str] = {}
    if counted.reach.get("events", 0) < 7 * FEWEST_WEEKS + 1:
        out |= dict.fromkeys(("feeds", "bots", "utm tags"), f"less than {FEWEST_WEEKS} weeks of events to compare with")
    if not rates:
        out["base rate"] = "too few conversions to compare"
    if not live.bundles:
        out |= dict.fromkeys(("age of the model", "calibration"), "no model was promoted")
    elif not calibration.months:
        out["calibration"] = f"no look after its training is final; one is {policy.maturity // DAY} days later"
    return out
