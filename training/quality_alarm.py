"""The alarm "volume up, quality down": a channel or campaign brings more leads than chance allows, and worse ones.

volume    leads of the period against those of the period before: negative binomial, so that what both counts may do
          by chance, and the tenth by which periods of a healthy market differ, is no news
quality   mean probability at the first look, less than before: Welch's t-test (1947)
alarm     both at once: the larger p of the two counts, at a false-discovery rate of LEVEL over all sources looked at
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.arrays import rows_where
from training.intervals import LEVEL, discoveries
from training.monitor.alarm import Alarm, percent, shown
from training.monitor.noise import FLOOR, tails
from training.number_facts import LeadFacts
from training.numbers import ALL_CAMPAIGNS
from training.periods import Period
from training.sources import NO_CAMPAIGN

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
FEWEST, FEWEST_BEFORE = 20, 10  # scored leads of the period, and of the one before
MORE, WORSE = 1.25, 0.8  # an alarm is of at least so many times the leads, and at most such a part of the quality
KIND = "volume_up_quality_down"
REMEDY = "look at what it aims at and at the page it leads to, before more is spent on it"


def quality_alarms(period: Period, names: Sequence[tuple[str, str]], facts: LeadFacts) -> list[Alarm]:
    """At most one of each channel: that of the channel or campaign which chance explains least. Probabilities must be of
    first looks."""
    tests = [t for key, sources in _groups(names).items() if (t := _test(key, period, facts, sources)) is not None]
    q = discoveries(np.array([t.p for t in tests]))
    worst: dict[str, Alarm] = {}
    for test, value in sorted(zip(tests, q.tolist(), strict=True), key=lambda t: t[0].p):
        numbers = test.numbers
        large = numbers["leads"] >= MORE * numbers["leads_before"] and numbers["mean"] <= WORSE * numbers["mean_before"]
        if value <= LEVEL and large:
            worst.setdefault(numbers["channel"], test)
    return list(worst.values())


def _groups(names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """The sources of each channel, and of each campaign that has a name."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, (channel, campaign) in enumerate(names):
        found.setdefault((channel, ALL_CAMPAIGNS), []).append(number)
        if campaign != NO_CAMPAIGN:
            found.setdefault((channel, campaign), []).append(number)
    return found


def _test(key: tuple[str, str], period: Period, facts: LeadFacts, sources: list[int]) -> Alarm | None:
    """The alarm this source would be; None where there are too few leads to tell."""
    mine = np.isin(facts.source, sources) & ~np.isnan(facts.probability)
    now, before = (facts.probability[rows_where(mine & p.holds(facts.created))] for p in (period, period.before))
    if len(now) < FEWEST or len(before) < FEWEST_BEFORE:
        return None
    usual = float(len(before))
    up = tails(float(len(now)), usual, 2 * usual + (FLOOR * usual) ** 2)[1]
    name = key[0] if key[1] == ALL_CAMPAIGNS else f"{key[0]} / {shown(key[1])}"
    says = (
        f"volume up, quality down: {name} brought {len(now):,} leads in the {period.days} days since {_day(period)} "
        f"against {len(before):,} before, and {percent(now.mean())} of them are expected to be customers against "
        f"{percent(before.mean())}"
    )
    numbers = {
        "channel": key[0], "campaign": key[1], "leads": len(now), "leads_before": len(before),
        "mean": float(now.mean()), "mean_before": float(before.mean()),
    }  # fmt: skip
    return Alarm(KIND, says, REMEDY, name, "probability", period.start, numbers, max(up, _lower(now, before)))


def _day(period: Period) -> str:
    return str(period.document()["from"])


def _lower(now: F64, before: F64) -> float:
    """The chance of a mean so much lower, were both alike."""
    from scipy.stats import ttest_ind_from_stats

    parts = [(p.mean(), p.std(ddof=1), len(p)) for p in (now, before)]
    if parts[0][1] == parts[1][1] == 0:  # all the same probability, then and now
        return 0.0 if now[0] < before[0] else 1.0
    return float(ttest_ind_from_stats(*parts[0], *parts[1], equal_var=False, alternative="less").pvalue)
