"""What is told of chosen people as plain rows. Those of everybody are prepared, for they are what most look at.

A row is a document: what is not known is null.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from serving.insights.edition import Part, People
from serving.insights.tables import sign, told_of
from training.groups import groups_of, plain
from training.intervals import rate, wilson
from training.prepared_names import BYS, LEAST

Rows = list[dict[str, Any]]


def whole_of(part: Part, support: int) -> dict[str, Any]:
    """Everything below for all matured people of a target; support: people of a path."""
    return {
        "support": support, "path": {by: _path_rows(part, part.people, by, support) for by in BYS},
        "source": _source_rows(part, part.people), "numbers": _numbers(part.people),
        "month": _month_rows(part, part.people),
    }  # fmt: skip


def path_rows(part: Part, people: People, by: str, support: int) -> Rows:
    """Paths of at least `support` of these people, by lower bound of the rate, as `leadlift paths` tells them."""
    if people is part.people and support == part.whole["support"]:
        return list(part.whole["path"][by])
    return _path_rows(part, people, by, support)


def source_rows(part: Part, people: People) -> Rows:
    """Channels of the first visit, by lower bound of the rate."""
    return list(part.whole["source"]) if people is part.people else _source_rows(part, people)


def numbers(part: Part, people: People) -> dict[str, Any]:
    """People, conversions, rate with interval, days to convert (median) and the share that took it back."""
    return dict(part.whole["numbers"]) if people is part.people else _numbers(people)


def month_rows(part: Part, people: People) -> Rows:
    """People and rate of each month that has LEAST of them."""
    return list(part.whole["month"]) if people is part.people else _month_rows(part, people)


# -- worked out ------------------------------------------------------------------------------------------------------
def _path_rows(part: Part, people: People, by: str, support: int) -> Rows:
    names = part.about["paths"][by]
    code = people.column(f"path_{by}").astype(np.int64)
    code[code == len(names) - 1] = -1  # rarer ones are no path
    found, kept = groups_of(people, code, len(names), support)
    rows = [_plain(g) | {"path": " > ".join(names[i]), "code": i} for g, i in zip(found, kept.tolist(), strict=True)]
    return sorted(rows, key=lambda r: (-r["low"], r["path"]))


def _source_rows(part: Part, people: People) -> Rows:
    names = part.about["values"]["channel"]
    found, kept = groups_of(people, people.column("channel").astype(np.int64), len(names), LEAST)
    rows = [
        _plain(g) | {"channel": names[i].replace("_", " "), "code": i}
        for g, i in zip(found, kept.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda r: (-r["low"], r["channel"]))


def _plain(group: dict[str, Any]) -> dict[str, Any]:
    """What is not known is null; so is a lift without an end, and what is told of fewer than LEAST who converted."""
    found = plain(group)
    found = told_of(found["conversions"], found, "days_to_convert")
    found = told_of(
        found["conversions"] + found["cancelled"], found, "cancelled_share", "cancelled_low", "cancelled_high"
    )
    return found | {"stands": sign(found["claimed"], found["lift_low"], found["lift_high"])}


def _numbers(people: People) -> dict[str, Any]:
    low, high = wilson(people.conversions, len(people))
    gone = int(people.cancelled.sum())
    days = people.days[~np.isnan(people.days)]
    found = {
        "people": len(people), "conversions": people.conversions, "rate": people.conversions / max(len(people), 1),
        "low": float(low), "high": float(high), "days": float(np.median(days)) if len(days) else None,
        "cancelled": gone / (gone + people.conversions) if gone + people.conversions else None,
    }  # fmt: skip
    return told_of(people.conversions + gone, told_of(people.conversions, found, "days"), "cancelled")


def _month_rows(part: Part, people: People) -> Rows:
    month = people.column("month")
    n = np.bincount(month, minlength=len(part.months))
    hits = np.bincount(month[people.label > 0], minlength=len(part.months))
    low, high = wilson(hits, n)
    shares = rate(hits, n)
    return [{"month": m, "people": int(n[i]), "rate": float(shares[i]), "low": float(low[i]), "high": float(high[i])}
            for i, m in enumerate(part.months) if n[i] >= LEAST]  # fmt: skip
