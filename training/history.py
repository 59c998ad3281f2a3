"""Is there enough history to learn and to judge; and where not, what would fit.

The longest horizon is found by trying whole days downwards: a shorter horizon makes more answers final, but leaves fewer
of them positive, so that neither end of the range says anything about its middle.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from data.dataset import Dataset
from data.errors import Verdict
from data.records import DAY
from training.assemble import Frame, Question, looks_of
from training.snapshots import ACCEPTED, CONVERTED, NEXT_ORDER, Conversions, conversions_of, final_labels
from training.splits import Split, by_lead, split_of

FEWEST = 10
# The stage before: more leads reach it, and sooner.
EARLIER = {NEXT_ORDER: CONVERTED, CONVERTED: ACCEPTED}


def refuse_too_little(dataset: Dataset, frame: Frame, split: Split, question: Question, judging_share: float) -> None:
    """Enough of both answers to learn and to judge; below that nothing a model says could be trusted.

    Raises
    ------
    Verdict
        which names the longest horizon and the earlier target that would fit, where there are such.
    """
    lacking = shortfall(frame, split)
    if lacking is not None:
        fitting = _fitting(dataset, frame, question, judging_share) if dataset.info.has_times else []
        remedy = " ".join(fitting) or "Use the points, and import more."
        raise Verdict(f"too little history: {lacking}. {remedy}")


def shortfall(frame: Frame, split: Split) -> str | None:
    """What a split lacks in one of its turns, or None."""
    for turn in split.turns:
        converted, judged = frame.conversions(turn.train), frame.conversions(turn.judge)
        label, folds = frame.label[turn.train], by_lead(frame.hashes[turn.train])
        learnable = converted >= FEWEST and len(folds) > 1 and all(0 < label[t].mean() < 1 for t, _ in folds)
        if not learnable or not judged or judged == len(turn.judge):
            return (f"{converted} converted leads to learn from and {judged} to judge on, "
                    f"at least {FEWEST} and 1 are needed beside unconverted ones")  # fmt: skip
    return None


def longest_horizon(dataset: Dataset, frame: Frame, question: Question, judging_share: float) -> int | None:
    """The most whole days, at most those asked for, whose labels can be learned and judged; None = no such."""
    conversions = _conversions(dataset, question)
    for days in range(question.policy.horizon_days, 0, -1):
        policy = replace(question.policy, horizon=days * DAY)
        label, cancelled = final_labels(conversions, frame.lead, frame.as_of, policy, question.now)
        tried = replace(frame, label=label, cancelled=cancelled)
        converted = tried.conversions(np.arange(len(tried)))
        split = split_of(tried.as_of, label, tried.hashes, policy.horizon, judging_share, converted)
        if shortfall(tried, split) is None:
            return days
    return None


def _fitting(dataset: Dataset, frame: Frame, question: Question, judging_share: float) -> list[str]:
    """Sentences about what would fit."""
    asked, found = question.policy.horizon_days, []
    days = longest_horizon(dataset, frame, question, judging_share)
    if days is None:
        found.append(f"No horizon below {asked} days fits.")
    else:
        found.append(f"The longest horizon that fits is {_days(days)}: [snapshots] horizon_days = {days}.")
    earlier = EARLIER.get(question.target)
    if earlier is not None:
        other = replace(question, target=earlier)
        days = longest_horizon(dataset, looks_of(dataset, other), other, judging_share)
        if days is None:
            found.append(f"The earlier target {earlier} does not fit either: use the points, and import more.")
        else:
            shorter = "" if days == asked else f" with horizon_days = {days}"
            found.append(f"The earlier target {earlier} fits a horizon of {_days(days)}: --target {earlier}{shorter}.")
    return found


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _conversions(dataset: Dataset, question: Question) -> Conversions:
    """The target's conversions of the whole dataset, leads numbered as in its frame."""
    parts, offset = [], 0
    for people in dataset.people():
        part = conversions_of(people.outcomes, question.target, question.now)
        parts.append(replace(part, lead=part.lead + offset))
        offset += len(people)
    names = ("lead", "at", "cancelled_at", "value")
    return Conversions(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
