"""What the shared numbers are counted from, put beside the page's tables: so that any months, channel or segment of them can
be told. And which of these may not be told, for a difference of two would be a few people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.edition import LEADS_AT, SPEND_AT, VISITS_AT
from training.lead_facts import created_before
from training.number_facts import VisitMonths
from training.number_figures import VISIT_COUNTS
from training.numbers import too_few
from training.numbers_report import Counted
from training.path_targets import Crowd
from training.periods import Period, month_of, month_period
from training.prepared import codes_of, texts_of
from training.prepared_names import ATTRIBUTES

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]


class Segments:
    """The attributes of all leads that have facts, in their order."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._texts: dict[str, list[str]] = {a: [] for a in ATTRIBUTES}
        self._rows: list[I64] = []
        self._people = 0

    def __call__(self, crowd: Crowd) -> None:
        assert crowd.leads is not None
        for name, texts in zip(ATTRIBUTES, texts_of(crowd.leads, len(crowd)), strict=True):
            self._texts[name] += texts
        self._rows.append(created_before(crowd.leads, self._now) + self._people)
        self._people += len(crowd)

    def found(self) -> tuple[Columns, dict[str, list[str]]]:
        """Codes by attribute, and what they mean: the same as those of targets."""
        rows = np.concatenate([np.zeros(0, dtype=np.int64), *self._rows])
        coded = {name: codes_of(texts) for name, texts in self._texts.items()}
        return {n: c[rows].astype(np.int8) for n, (c, _) in coded.items()}, {n: list(v) for n, (_, v) in coded.items()}


def keep_numbers(folder: Path, found: Counted, visits: VisitMonths, segments: Segments) -> dict[str, Any]:
    """Write the columns into a folder; what is known of them. Leads lie in the order of their creation, so that those of
    some months lie together."""
    columns, values = segments.found()
    order = np.argsort(found.facts.created, kind="stable")
    leads = {name: column[order] for name, column in (vars(found.facts) | columns).items()}
    windows = np.array([[s.of(name, len(found.names)) for name in VISIT_COUNTS] for s in found.visits.sums])
    date = dict(zip(("source", "date", "amount"), found.spend, strict=True))
    for place, table in (
        (LEADS_AT, leads), (VISITS_AT, vars(visits) | {"windows": windows}), (SPEND_AT, date),
    ):  # fmt: skip
        (folder / place).mkdir(parents=True)
        for name, column in table.items():
            np.save(folder / place / f"{name}.npy", column, allow_pickle=False)
    period = found.asked.period
    return {
        "names": found.names, "values": values, "currency": found.currency, "seen": found.seen, "end": period.end,
        "windows": [[p.start, p.end] for p in (period, period.before)],
        "untold": dict(_untold(found, visits, columns, values)),
    }  # fmt: skip


def _untold(
    found: Counted, visits: VisitMonths, columns: Columns, values: dict[str, list[str]]
) -> Iterator[tuple[str, dict[str, list[Any]]]]:  # fmt: skip
    """What may not be told of, by month and of the two windows: channels, sources (numbers), values; or anything at all."""
    facts, n = found.facts, len(found.names)
    channels = sorted({c for c, _ in found.names})
    of_source = np.array([channels.index(c) for c, _ in found.names], dtype=np.int64)
    groups = [
        ("all", np.zeros(len(facts), dtype=np.int64), [""], np.zeros(n, dtype=np.int64)),
        ("channel", of_source[facts.source], channels, of_source),
        ("source", facts.source, list(range(n)), np.arange(n)),
        *((name, columns[name].astype(np.int64), values[name], None) for name in ATTRIBUTES),
    ]
    for name, group, names, source in groups:
        table = {}
        for key, period, seen in _periods(found, visits):
            counted = None if source is None else np.bincount(source, seen, len(names))
            if few := too_few(period, facts, group, len(names), counted):
                table[key] = [names[i] for i in few]
        yield name, table


def _periods(found: Counted, visits: VisitMonths) -> Iterator[tuple[str, Period, F64]]:
    """The windows and all months: key, period, visitors by source."""
    end, n = found.asked.period.end, len(found.names)
    for key, period, sums in zip(
        ("now", "before"), (found.asked.period, found.asked.period.before), found.visits.sums, strict=True
    ):
        yield key, period, sums.of("visitors", n)
    known = np.concatenate([getattr(found.facts, n) for n in ("created", "mql", "accepted", "won", "cancelled")])
    for month in np.unique(np.concatenate([month_of(known[known < end]), visits.month])).tolist():
        yield str(month), month_period(month, month, end), visits.sums(month, month).of("visitors", n)
