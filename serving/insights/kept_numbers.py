"""The counts that the shared numbers follow from, of each month by source and by segment, put beside the page's tables: so that
any months, channel or segment can be told. And which of these may not be told, for a difference of two would be a few people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import per_segment, rows_where
from serving.insights.edition import VISITS_AT
from training.lead_facts import created_before
from training.number_facts import Sums, VisitMonths
from training.number_figures import COUNTS
from training.numbers import counts_by, too_few
from training.numbers_report import Counted
from training.path_targets import Crowd
from training.periods import Period, month_of, month_period
from training.prepared import codes_of, texts_of
from training.prepared_names import ATTRIBUTES

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Columns = dict[str, NDArray[Any]]
Counts = dict[str, F64]
NOTHING = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))


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
        return {n: c[rows].astype(np.int64) for n, (c, _) in coded.items()}, {n: list(v) for n, (_, v) in coded.items()}


def keep_numbers(folder: Path, found: Counted, visits: VisitMonths, segments: Segments) -> dict[str, Any]:
    """Write the counts of all months, and of the two windows, into a folder; what is known of them."""
    columns, values = segments.found()
    seen, n = found.seen, len(found.names)
    periods = list(_periods(found, visits))
    tables = {"source": [counts_by(found.facts.source, p, n, found.facts, s, found.spend) for _, p, s in periods]}
    for name, code in columns.items():
        tables[name] = [counts_by(code, p, len(values[name]), found.facts, None, NOTHING) for _, p, _ in periods]
    (folder / VISITS_AT).mkdir(parents=True)
    for name, table in tables.items():
        np.save(folder / f"{name}.npy", np.array([[t[c] for c in COUNTS] for t in table]), allow_pickle=False)
    for name, column in vars(visits).items():
        np.save(folder / VISITS_AT / f"{name}.npy", column, allow_pickle=False)
    keys, windows = [key for key, _, _ in periods], [(p.start, p.end) for _, p, _ in periods[:2]]
    return {
        "names": found.names, "values": values, "currency": found.currency, "seen": seen, "end": found.asked.period.end,
        "periods": keys, "windows": windows, "untold": _untold(keys, tables, [c for c, _ in found.names], values),
    }  # fmt: skip


def _untold(
    keys: Sequence[str], tables: Mapping[str, Sequence[Counts]], channel: Sequence[str], values: Mapping[str, list[str]]
) -> dict[str, dict[str, list[Any]]]:  # fmt: skip
    """What may not be told of, by month and window: channels, sources (numbers), values; or anything at all."""
    names, of_source = np.unique(np.array(channel, dtype=np.str_), return_inverse=True)
    channels: list[str] = names.tolist()
    sources = tables["source"]
    groups: list[tuple[str, Sequence[Any], Sequence[Counts]]] = [
        ("all", [""], [_grouped(t, of_source * 0, 1) for t in sources]),
        ("channel", channels, [_grouped(t, of_source, len(channels)) for t in sources]),
        *((name, values[name], tables[name]) for name in ATTRIBUTES),
    ]  # fmt: skip
    found = {
        name: {key: [known[i] for i in few] for key, t in zip(keys, table, strict=True) if (few := too_few(t))}
        for name, known, table in groups
    }
    return found | {"source": {key: _few_of_each(t, of_source) for key, t in zip(keys, sources, strict=True)}}


def _few_of_each(table: Counts, of_source: I64) -> list[int]:
    """Sources that may not be told of beside others of their channel, whose numbers are told as a whole."""
    own = [rows_where(of_source == i) for i in np.unique(of_source).tolist()]
    return [int(rows[i]) for rows in own for i in too_few({n: c[rows] for n, c in table.items()})]


def _grouped(table: Counts, group: I64, n: int) -> Counts:
    return {name: per_segment(group, n, counts) for name, counts in table.items()}


def _periods(found: Counted, visits: VisitMonths) -> Iterator[tuple[str, Period, Sums | None]]:
    """The windows and all months: key, period, visits by source."""
    end = found.asked.period.end
    both = zip(("now", "before"), (found.asked.period, found.asked.period.before), found.visits.sums, strict=True)
    yield from ((key, period, sums if found.seen else None) for key, period, sums in both)
    known = np.concatenate([getattr(found.facts, n) for n in ("created", "mql", "accepted", "won", "cancelled")])
    known = np.concatenate([known, found.spend[1]])
    for month in np.unique(np.concatenate([month_of(known[known < end]), visits.month])).tolist():
        yield str(month), month_period(month, month, end), visits.sums(month, month) if found.seen else None
