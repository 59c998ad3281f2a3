"""How large an experiment has to be, and what it says once it is over.

    planned(...)    people per arm and weeks for the smallest effect worth seeing
    reading_of(...) the arms compared, or why they cannot be

It speaks once, when everybody who came until the end has matured: who looks every day and stops when it pleases would find
an effect that is not there. Arms are broken, and nothing is said,

    where they are not even     exact binomial p below SAMPLE_RATIO_LEVEL: somebody loses people of one arm
    where they differed before  the same hash on people who came, and whose answers were given, before there was a change
                                (A/A check): exact p below BEFORE_LEVEL
    where the page disagrees    more than MOST_OTHER of the delivered arms are not those of the hash
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, sqrt
from typing import Any

import numpy as np

from data.dataset import Dataset
from data.errors import UsageError, Verdict
from data.records import DAY
from training.assignment import ARMS, arms_of
from training.calendar import WEEK
from training.experiments import BROKEN, EARLY, READ, Arm, Plan, Reading
from training.exposures import Exposed, exposed_in
from training.intervals import difference, exact_p, rate, ratio, wilson
from training.periods import day
from training.rules import Rules
from training.snapshots import Policy

SAMPLE_RATIO_LEVEL, BEFORE_LEVEL, MOST_OTHER = 0.001, 0.01, 0.01
LOOK_BACK = 8 * WEEK  # of people whose answers are final, for the plan
FEWEST = 30  # of them, or there is nothing to plan with
LEAST = 5  # people of an arm that is shown


def per_arm(baseline: float, better: float, level: float, power: float) -> int:
    """People in each arm to see a rate of `better` instead of `baseline` in a two-sided test (Fleiss, Levin and Paik 2003,
    formula 4.14, without correction for continuity)."""
    from scipy.stats import norm

    mean = (baseline + better) / 2
    alike, apart = sqrt(2 * mean * (1 - mean)), sqrt(baseline * (1 - baseline) + better * (1 - better))
    z, w = float(norm.isf(level / 2)), float(norm.isf(1 - power))
    return ceil(((z * alike + w * apart) / (better - baseline)) ** 2)


def planned(
    dataset: Dataset, draft: Plan, policy: Policy, now: int, rules: Rules | None = None, threads: int = 1
) -> Plan:  # fmt: skip
    """The draft with baseline, people per week, people per arm, weeks and end, from who came lately.

    Raises
    ------
    Verdict
        where too few came or none of them converted: nothing to plan with.
    UsageError
        for an effect above a rate of 1, or none.
    InputError
        see `exposures.exposed_in`.
    """
    end = now - policy.maturity
    (found,) = exposed_in(dataset, draft, policy, now, [(end - LOOK_BACK, end)], rules, threads)
    people, won = len(found), int(found.conversions().sum())
    if people < FEWEST or not won:
        raise Verdict(
            f"experiment: expected {FEWEST} people who came to {draft.first} before {draft.then} in the eight weeks up to "
            f"{day(end)}, and some who converted; got {people} and {won}. Check both names with `leadlift paths --by "
            f"{draft.by}`, or choose a page that more people see."
        )
    weeks, baseline = max(end - int(found.at.min()), WEEK) / WEEK, won / people
    if not baseline < baseline * draft.ratio < 1:
        raise UsageError(
            f"--effect: expected a rate between {baseline:.2%} and 100 %, got {baseline * draft.ratio:.2%}."
        )
    need = per_arm(baseline, baseline * draft.ratio, draft.level, draft.power)
    last = ceil(2 * need / (people / weeks))
    return replace(
        draft,
        baseline=baseline,
        people_per_week=people / weeks,
        per_arm=need,
        weeks=last,
        until=draft.start + last * WEEK,
    )


def reading_of(
    dataset: Dataset, plan: Plan, policy: Policy, now: int, rules: Rules | None = None, threads: int = 1,
    delivered: Mapping[str, str] | None = None,
) -> Reading:  # fmt: skip
    """What the experiment says at `now`. delivered: arms by id as the page gave them, where that was written down.

    Raises
    ------
    InputError
        see `exposures.exposed_in`.
    """
    policy = replace(policy, horizon=plan.horizon_days * DAY)
    before = plan.start - policy.horizon
    windows = [(plan.start, plan.until), (before - (plan.until - plan.start), before)]
    during, earlier = exposed_in(dataset, plan, policy, now, windows, rules, threads)
    return compared(plan, policy, now, during, earlier, delivered)


def compared(
    plan: Plan, policy: Policy, now: int, during: Exposed, before: Exposed, delivered: Mapping[str, str] | None = None
) -> Reading:
    """The reading of people who came during the experiment, and before it."""
    people = during.people()
    alike = _p(before.final)
    reading = Reading(
        now, BROKEN, "", _pair(people), sample_ratio_p(*people.tolist()), _pair(before.final.people()), alike
    )
    over = plan.until + policy.maturity
    if why := _broken(reading, plan, delivered):
        return replace(reading, why=why)
    if now < over:
        return replace(reading, verdict=EARLY, why=f"Answers are final on {day(over)}; until then nothing is said.")
    if people.min() < LEAST:
        return replace(reading, verdict=EARLY, why=f"An arm has fewer than {LEAST} people; nothing is said of so few.")
    return replace(reading, verdict=READ, why="Halves, alike before, matured.", **_effect(during))


def sample_ratio_p(control: int, treatment: int) -> float:
    """How likely two arms of one half each are as uneven, exact; 1 where nobody came."""
    from scipy.stats import binomtest

    return float(binomtest(treatment, control + treatment, 0.5).pvalue) if control + treatment else 1.0


def _broken(reading: Reading, plan: Plan, delivered: Mapping[str, str] | None) -> str | None:
    control, treatment = reading.people
    if reading.sample_ratio_p < SAMPLE_RATIO_LEVEL:
        return (f"Arms are not even: {control:,} to {treatment:,} people (p {reading.sample_ratio_p:.1g}). People of one arm "
                "are lost, by the page, the tracker or a filter: find out where, mend it and plan anew.")  # fmt: skip
    if reading.before_p is not None and reading.before_p < BEFORE_LEVEL:
        return (f"The arms differed before anything was changed (A/A check, p {reading.before_p:.1g}): what they show now "
                "is not the change. Plan anew, under another name.")  # fmt: skip
    if delivered and (other := _other(plan, delivered)) > MOST_OTHER:
        return (f"The page gave {other:.1%} of {len(delivered):,} ids another arm than the hash does. Use the script of the "
                "plan, with the id the tracker sends, and plan anew.")  # fmt: skip
    return None


def _other(plan: Plan, delivered: Mapping[str, str]) -> float:
    """Share of ids that were given another arm."""
    given = np.array([ARMS.index(arm) for arm in delivered.values()])
    return float((given != arms_of(plan.name, list(delivered))).mean())


def _effect(during: Exposed) -> dict[str, Any]:
    """The fields of `Reading` that say what came of it."""
    people, won = during.people(), during.conversions()
    columns = (people, won, rate(won, people), *wilson(won, people))
    arms = tuple(Arm(n, *row) for n, row in zip(ARMS, zip(*(c.tolist() for c in columns), strict=True), strict=True))
    apart = [_known(f) for f in difference(won[1], people[1], won[0], people[0])]
    times = [_known(f) for f in ratio(won[1], people[1], won[0], people[0])]
    names = ("difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high")
    return {"arms": arms, **dict(zip(names, [*apart, *times], strict=True)), "p": _p(during)}


def _p(found: Exposed) -> float | None:
    """How likely arms drawn by lot are as far apart, exact; None where nobody converted."""
    people, won = found.people(), found.conversions()
    return float(exact_p(won[1], people[1], int(won.sum()), int(people.sum()))) if won.sum() else None


def _known(figure: Any) -> float | None:
    return float(figure) if np.isfinite(figure) else None


def _pair(counts: Any) -> tuple[int, int]:
    first, second = counts.tolist()
    return first, second
