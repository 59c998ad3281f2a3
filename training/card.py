"""The model card: what a bundle is, what it was judged on, what it must not be used for. Text, the same for the same run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.value import ENOUGH, Value

_CARD = """# Leadlift model card

Market **{market}**, target **{target}**, horizon {horizon_days} days. Candidate: **{candidate}**.

## What it answers
The probability that a lead converts within {horizon_days} days of being asked about, and stays converted through the
cancellation window. It is advice to people who decide about their next call; it decides nothing by itself.

## What it must not be used for
Credit, jobs, insurance, housing, or any verdict on a person. With fewer than 300 conversions: use the points.

## What it was judged on
{split}

{table}

{evidence}

## What the logistic regression says
The largest effects of the candidate that can be read, all else equal. Columns that tell the same share theirs.

{effects}

## How bounds are made
{refits} refits, each on half of the leads and by one part of the model, differ from the model by a deviation in log-odds
that is taken {wider:g} times, since no refit sees what all of them overlook. `probability_low` and `probability_high` span
90 % of what the truth may be, if the probability is its mean. In simulated markets they hold it that often; yours may
differ. Explanations are {explanation}; their sum is the uncalibrated log-odds.

## What a won lead is worth
{value}

## Inputs
{features} feature columns in {families} families; channel rules {channels}; content map {content}.
{selection}

{clusters}
"""


def card_of(about: Mapping[str, Any], calendar: Sequence[str], rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """`about` fills the template; `calendar` are the lines of the split; `rows` are (candidate, metrics)."""
    lines = "\n".join(f"- {line}" for line in calendar)
    return _CARD.format(**about, split=lines, table=_table(rows))


def _table(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    names = ("auc", "pr_auc", "log_loss", "brier", "ece", "lift_at_10")
    head = "| candidate | " + " | ".join(names) + " |\n|---|" + "---|" * len(names)
    body = ["| " + name + " | " + " | ".join(_cell(metrics[m]) for m in names) + " |" for name, metrics in rows]
    return "\n".join([head, *body])


def evidence_text(found: Mapping[str, Any], leaks: Sequence[str], mixes: Sequence[str]) -> str:
    """Slices, what each group adds, for whom it holds and leaks; `found` as in `train --json`.

    Nothing of the release that serves: a bundle does not depend on it.
    """
    parts = [_ablation(found["ablation"]), "\n".join(mixes), "## Leaks\n" + "\n".join(leaks), _slices(found["slices"])]
    return "\n\n".join(p for p in parts if p)


def value_text(value: Value) -> str:
    """Which kind of value model answers, from how many known values, and how far each kind erred."""
    if value.count < ENOUGH:
        return f"No expected value is given: {value.count} won leads have a known value, {ENOUGH} are needed."
    column = f" by `{value.column}`" if value.column else ""
    chosen = f"Kind: **{value.kind}**{column}, learned from {value.count} known values."
    if not value.errors:
        return f"{chosen} They are too few to compare kinds."
    head = f"{chosen} It errs least on the later conversions of the training leads; mean Poisson deviance of each kind:"
    rows = [f"| {kind} | {error:,.1f} |" for kind, error in value.errors.items()]
    return "\n".join([head, "", "| kind | deviance |", "|---|---|", *rows])


def _ablation(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    head = (f"## What each group adds\nHeld-out log loss without the group minus with all, {found['rows']} training rows; "
            f"base rate {found['log_loss_base_rate']:.4f}, all groups {found['log_loss_all']:.4f}.\n")  # fmt: skip
    return "\n".join(
        [head, "| group | adds |", "|---|---|", *(f"| {g} | {_cell(i)} |" for g, i in found["adds"].items())]
    )


def _slices(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    head = [
        "## Slices",
        "",
        "| slice | part | rows | predicted | observed | AUC | log loss |",
        "|---|---|---|---|---|---|---|",
    ]
    body = [
        f"| {s['slice']} | {s['value']} | {s['rows']} | {s['predicted']:.4f} | {s['observed']:.4f} | "
        f"{'-' if s['auc'] is None else format(s['auc'], '.3f')} | {s['log_loss']:.4f} |" for s in found
    ]  # fmt: skip
    return "\n".join(head + body)


def _cell(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.4f} ({interval['low']:.4f} to {interval['high']:.4f})"
