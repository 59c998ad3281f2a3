"""How good anybody could be at a simulated market: base rate, AUC of the truth, and the truth against what happened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import People, open_dataset
from data.errors import InputError
from data.identity import by_the_lead
from data.records import DAY, Coded
from data.simulate.market import FIRST_LOOK
from data.simulate.state import F64, I64, Mask
from data.simulate.truth import HORIZON_DAYS, truth
from data.simulate.write import read_market

EVERY_DAYS, MOST, IDLE_DAYS, CANCEL_DAYS = 7, 26, 90, 14
FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Looks:
    """Matured weekly snapshots, from the records alone: lead_id (n,), as_of us (n,), label 0 or 1 (n,)."""

    lead_ids: tuple[str, ...]
    as_of: I64
    label: F64


def looks(path: Path) -> Looks:
    """All matured weekly snapshots of a dataset, as the default settings define them.

    From created_at + 5 min weekly, at most 26, while the lead is neither converted (a cancellation reopens it) nor
    lost nor 90 days without an event; the label is 1 if a conversion within 30 days is not cancelled within 14.
    """
    market, _ = read_market(path)
    parts = [_looks(people, market.end) for people in open_dataset(path).people()]
    ids = tuple(i for p in parts for i in p.lead_ids)
    return Looks(ids, np.concatenate([p.as_of for p in parts]), np.concatenate([p.label for p in parts]))


def _looks(people: People, end: int) -> Looks:
    as_of = people.created_at[:, None] + FIRST_LOOK + np.arange(MOST) * EVERY_DAYS * DAY
    keep = as_of + (HORIZON_DAYS + CANCEL_DAYS) * DAY <= end
    keep &= as_of - _last_event(people, as_of) <= IDLE_DAYS * DAY
    label = np.zeros(as_of.shape)
    for lead, at, gone in _conversions(people):
        keep[lead] &= (as_of[lead] <= at) | (as_of[lead] > gone)
        if gone - at > CANCEL_DAYS * DAY:
            label[lead] = np.maximum(label[lead], (as_of[lead] <= at) & (at < as_of[lead] + HORIZON_DAYS * DAY))
    for lead, at in _of_kind(people, "lost"):
        keep[lead] &= as_of[lead] <= at
    lead_of = np.nonzero(keep)[0].tolist()
    return Looks(tuple(people.lead_ids[i] for i in lead_of), as_of[keep], label[keep])


def _last_event(people: People, as_of: I64) -> I64:
    """When each lead's last own event was known before each as_of, (leads, looks)."""
    events = people.events
    mine = by_the_lead(events)
    seen = np.max([np.asarray(events[n]) for n in ("occurred_at", "received_at", "known_from")], axis=0)
    owner, at = np.asarray(events["lead"])[mine], seen[mine]
    order = np.lexsort((at, owner))
    bounds = np.searchsorted(owner[order], np.arange(len(people) + 1))
    last = np.empty_like(as_of)
    for i in range(len(people)):
        mine = at[order[bounds[i] : bounds[i + 1]]]
        found = np.searchsorted(mine, as_of[i]) - 1
        last[i] = np.where(found >= 0, np.append(mine, 0)[found], people.created_at[i])
    return last


def _of_kind(people: People, kind: str) -> list[tuple[int, int]]:
    """(lead, time) of outcomes of a kind, in order of time."""
    kinds = people.outcomes["kind"]
    assert isinstance(kinds, Coded)
    hit = np.flatnonzero(kinds.recode({kind: 1}, 0) == 1)
    lead, at = np.asarray(people.outcomes["lead"])[hit], np.asarray(people.outcomes["occurred_at"])[hit]
    order = np.lexsort((lead, at))
    return list(zip(lead[order].tolist(), at[order].tolist(), strict=True))


def _conversions(people: People) -> list[tuple[int, int, int]]:
    """(lead, time, when cancelled or FAR) of conversions."""
    cancelled = _of_kind(people, "cancelled")
    won = _of_kind(people, "converted")
    nexts = {(lead, at): min((c for who, c in cancelled if who == lead and c >= at), default=FAR) for lead, at in won}
    return [(lead, at, nexts[lead, at]) for lead, at in won]


def auc(score: F64, positive: Mask | F64) -> float:
    """Share of (positive, negative) pairs that the score orders rightly, ties half (Mann-Whitney); NaN for one class."""
    yes = np.asarray(positive, dtype=np.float64) > 0
    pairs = int(yes.sum()) * int((~yes).sum())
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[inverse]
    n = int(yes.sum())
    return float((rank[yes].sum() - n * (n + 1) / 2) / pairs) if pairs else float("nan")


def expected_auc(p: F64) -> float:
    """The AUC that probabilities expect of themselves: the mean of `auc` over labels drawn from them."""
    _, inverse = np.unique(p, return_inverse=True)
    against = np.bincount(inverse, weights=1 - p)
    below = (np.cumsum(against) - against / 2)[inverse] - (1 - p) / 2
    pairs = p.sum() * (1 - p).sum() - (p * (1 - p)).sum()
    return float((p * below).sum() / pairs) if pairs > 0 else float("nan")


def truth_report(path: Path, n_snapshots: int = 3000, continuations: int = 500, seed: int = 0) -> dict[str, Any]:
    """The truth at a random sample of matured snapshots, beside what happened.

    Keys: snapshots, base_rate (all matured ones); sampled, continuations, label_rate, mean_truth, gap_in_se (of the
    two, in standard errors by lead), auc (of the truth against the labels; None for one class), auc_expected (of the
    truth against itself), deciles [{n, truth, observed}] of rising truth.

    Raises
    ------
    InputError
        where no snapshot has matured, or the dataset is not a simulated market.
    """
    all_ = looks(path)
    if not len(all_.label):
        raise InputError.of(
            where=str(path),
            expected="matured snapshots",
            got="none",
            remedy="Simulate more leads over 60 days or more.",
        )
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(all_.label), min(n_snapshots, len(all_.label)), replace=False))
    ids = [all_.lead_ids[i] for i in rows.tolist()]
    p, label = truth(path, ids, all_.as_of[rows], continuations, seed), all_.label[rows]
    return {
        "snapshots": len(all_.label), "base_rate": float(all_.label.mean()), "sampled": len(rows),
        "continuations": continuations, "label_rate": float(label.mean()), "mean_truth": float(p.mean()),
        "gap_in_se": gap_in_se(p, label, ids), "auc": _known(auc(p, label)), "auc_expected": _known(expected_auc(p)),
        "deciles": _deciles(p, label),
    }  # fmt: skip


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _deciles(p: F64, label: F64) -> list[dict[str, float]]:
    parts = [d for d in np.array_split(np.argsort(p, kind="stable"), 10) if len(d)]
    return [{"n": len(d), "truth": float(p[d].mean()), "observed": float(label[d].mean())} for d in parts]


def gap_in_se(p: F64, label: F64, ids: list[str]) -> float:
    """(observed - expected) positives in standard errors; snapshots of one lead are one draw."""
    _, lead = np.unique(ids, return_inverse=True)
    by_lead = np.bincount(lead, weights=label - p)
    spread = float(np.sqrt((by_lead**2).sum()))
    return float(by_lead.sum()) / spread if spread > 0 else 0.0
