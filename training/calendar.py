"""The calendar of a split: dates, rows, positives, censored and cancelled of each slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.records import DAY
from training.assemble import Frame, Question
from training.periods import day
from training.snapshots import LEFT_OUT
from training.splits import Split

I64 = NDArray[np.int64]
WEEK = 7 * DAY


@dataclass(frozen=True)
class Slice:
    """One line of the calendar; dates are of `as_of`, days (UTC, both counted) from first to last; null for a table without times."""

    name: str
    first: str | None
    last: str | None
    days: int | None
    leads: int
    rows: int
    positives: int
    conversions: int
    cancelled: int

    def cells(self) -> list[str]:
        figures = (self.leads, self.rows, self.positives, self.conversions, self.cancelled)
        return [self.name, self.first or "-", self.last or "-", "-" if self.days is None else f"{self.days:,}",
                *(f"{f:,}" for f in figures)]  # fmt: skip


HEAD = ("slice", "first as_of", "last as_of", "days", "leads", "rows", "positives", "converted leads", "cancelled")


def calendar_of(frame: Frame, split: Split, has_times: bool) -> list[Slice]:
    """Training, judging, what only the refit after judging uses, what nobody uses, and the censored rows.

    The rows of all slices add up to the frame. Leads that were left out follow by reason, without rows.
    """
    if split.kind == "folds":
        parts = {"five turns": np.concatenate([t.judge for t in split.turns])}
    else:
        parts = {"training": split.turns[0].train, "judging": split.turns[0].judge}
    seen = np.concatenate(list(parts.values()))
    parts["refit only"] = np.setdiff1d(split.refit, seen)
    parts["censored"] = np.flatnonzero(np.isnan(frame.label))
    rest = np.setdiff1d(np.arange(len(frame)), np.concatenate([seen, parts["refit only"], parts["censored"]]))
    parts["not used"] = rest
    left_out = [Slice(LEFT_OUT[reason], None, None, None, leads, *(0,) * 4) for reason, leads in frame.left_out.items()]
    return [_slice(name, frame, rows, has_times) for name, rows in parts.items()] + left_out


def notes_of(frame: Frame, split: Split, question: Question) -> list[str]:
    """What the calendar of a dataset with times leaves out and why: horizon, cancellations, sampling; in sentences."""
    policy = question.policy
    open_ = np.flatnonzero(np.isnan(frame.label))
    sooner = frame.as_of[open_] + policy.maturity - WEEK <= question.now
    share = len(open_) / max(len(frame), 1)
    lines = [
        f"The horizon of {policy.horizon_days} days costs: an answer is final {policy.maturity // DAY} days after the "
        f"look, so {len(open_):,} snapshots ({share:.0%}) of {len(np.unique(frame.lead[open_])):,} leads are censored"
        f"{'' if policy.horizon <= WEEK else f'; with 7 days less {int(sooner.sum()):,} of them would be final'}."
    ]
    if split.cut is not None:
        gap = np.setdiff1d(split.refit, split.turns[0].train)
        gap = gap[frame.as_of[gap] < split.cut]
        lines.append(f"Judging begins on {day(split.cut)}; training ends {policy.horizon_days} days before, so that no "
                     f"answer lies in both: {len(gap):,} snapshots between are used by the refit only.")  # fmt: skip
    cancelled = np.flatnonzero(frame.cancelled)
    lines.append(f"Cancelled within {policy.cancellation_window // DAY} days: {len(cancelled):,} snapshots of "
                 f"{len(np.unique(frame.lead[cancelled])):,} leads count as not converted.")  # fmt: skip
    if frame.sampled_out:
        lines.append(f"Sampled: {frame.sampled_out:,} snapshots are left out, those without conversion first; the others "
                     f"weigh up to {frame.weight.max():.2f} ([snapshots] max_snapshots {question.max_snapshots:,}).")  # fmt: skip
    else:
        lines.append(f"Nothing was sampled: all {len(frame):,} snapshots are used.")
    return lines


def _slice(name: str, frame: Frame, rows: I64, has_times: bool) -> Slice:
    dated = has_times and len(rows) > 0
    return Slice(
        name,
        day(int(frame.as_of[rows].min())) if dated else None,
        day(int(frame.as_of[rows].max())) if dated else None,
        int(np.ptp(frame.as_of[rows] // DAY)) + 1 if dated else None,
        len(np.unique(frame.lead[rows])),
        len(rows),
        int((frame.label[rows] == 1).sum()),
        frame.conversions(rows),
        int(frame.cancelled[rows].sum()),
    )
