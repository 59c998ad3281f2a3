"""What a rescoring changed against the last published set, lead by lead with the causes: `rescore --changes`.

OUT/<run>/changes.parquet     a row for each lead that moved: both scores, and what each cause adds
HOME/<market>/<target>/       the same rows, and leads scored for the first time, for GET /v1/leads/{id}/history
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from data.dataset import Dataset, People
from data.errors import BundleError, InputError
from data.store.moves import COLUMNS, PARTS, History
from serving.champion import scorer_of
from serving.hybrids import Knowledge
from serving.known import of_people
from serving.moves import State, moves
from serving.published import Published
from serving.rescore_columns import arrow_type
from serving.scorer import Scorer
from training.bundle import read_bundle
from training.calibration import logit
from training.registry import place

FILE = "changes.parquet"
SCHEMA = pa.schema([(name, arrow_type(kind)) for name, kind in COLUMNS.items()])
SHOWN = ("as_of", "probability", "points", "grade", "sales_ready", "model_version", "rules_version")
ROWS = 50_000  # handed to the history at once
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Advance = Callable[[int], None]


@dataclass
class Summary:
    """How many leads moved or are new, and by largest cause: leads, and the mean of its part in log-odds."""

    moved: int = 0
    first: int = 0
    leads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    up: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))

    def add(self, table: pa.Table) -> None:
        old = table.column("as_of_old").is_valid()
        moved = table.filter(old)
        self.moved, self.first = self.moved + len(moved), self.first + len(table) - len(moved)
        for part in PARTS:
            own = moved.filter(pc.equal(moved.column("cause"), part)).column(f"log_odds_{part}")
            self.leads[part] += len(own)
            self.up[part] += int(pc.sum(pc.greater(own, 0)).as_py() or 0)

    def document(self) -> dict[str, Any]:
        """For `--json` and the manifest."""
        causes = {p: {"leads": self.leads[p], "up": self.up[p], "down": self.leads[p] - self.up[p]} for p in PARTS}
        return {"moved": self.moved, "first_scored": self.first, "causes": causes}


@dataclass(frozen=True)
class Changes:
    """Two sets of one market and the scorers that made them. before, old: None where nothing was published yet.

    least: how much a probability must have moved where neither grade nor readiness did.
    """

    dataset: Dataset
    before: Published | None
    now: Published
    old: Scorer | None
    new: Scorer
    least: float = 0.0

    def tables(self, advance: Advance = lambda rows: None) -> Iterator[pa.Table]:
        """Rows of SCHEMA, group by group of leads; those scored for the first time have nulls for what was before."""
        now = self.now.columns(["lead_id", *SHOWN])
        if self.before is None or self.old is None:
            yield _first(now)
            return
        before = self.before.columns(["lead_id", *SHOWN])
        fresh = pc.invert(pc.is_in(now.column("lead_id"), value_set=before.column("lead_id").combine_chunks()))
        yield _first(now.filter(fresh))
        for people in self.dataset.people():
            pair = _pair(people, before, now, self.least)
            if len(pair):
                yield self._moved(people, pair)
            advance(len(people.leads["lead"]))

    def _moved(self, people: People, pair: pa.Table) -> pa.Table:
        """The rows of a group's leads that moved."""
        assert self.before is not None
        assert self.old is not None
        known = of_people(people.take(_numbers(pair, people)), self.now.as_of)
        found = moves(
            known, State(self.old, Knowledge.of(self.before.as_of)), State(self.new, Knowledge.of(self.now.as_of))
        )
        published = pair.column("probability_old").to_numpy()
        restated = logit(found.probability_old) - logit(published)
        log_odds = np.column_stack([restated, found.log_odds])
        points = np.column_stack([found.points_old - pair.column("points_old").to_numpy(), found.points_parts])
        for name, values in (("log_odds", log_odds), ("points", points)):
            for i, part in enumerate(PARTS):
                pair = pair.append_column(f"{name}_{part}", pa.array(np.ascontiguousarray(values[:, i])))
        pair = pair.append_column("cause", _cause(log_odds, points))
        return pair.select(SCHEMA.names).cast(SCHEMA)


def _cause(log_odds: F64, points: I64) -> pa.Array:
    """The largest part of each lead: of the log-odds, or of the points where only these moved."""
    size = np.where(log_odds.any(axis=1, keepdims=True), np.abs(log_odds), np.abs(points))
    return pa.array(np.array(PARTS)[size.argmax(axis=1)])


def _first(now: pa.Table) -> pa.Table:
    nulls = {f.name: pa.nulls(len(now), f.type) for f in SCHEMA}
    return pa.table({**nulls, **{n: now.column(n) for n in now.column_names}}, schema=SCHEMA)


def _pair(people: People, before: pa.Table, now: pa.Table, least: float) -> pa.Table:
    """Both rows of each lead of the group that moved, in the group's order."""
    ids = pa.array(people.lead_ids, pa.string())
    rows = [pc.index_in(ids, value_set=t.column("lead_id").combine_chunks()) for t in (before, now)]
    both = pc.and_(pc.is_valid(rows[0]), pc.is_valid(rows[1]))
    old, new = (t.take(r.filter(both)) for t, r in zip((before, now), rows, strict=True))
    old = old.rename_columns(["lead_id", *(f"{n}_old" for n in SHOWN)])
    pair = pa.table({**{n: new.column(n) for n in new.column_names}, **{n: old.column(n) for n in old.column_names}})
    return pair.filter(_strays(pair, least))


def _strays(pair: pa.Table, least: float) -> pa.Array:
    step = pc.abs(pc.subtract(pair.column("probability"), pair.column("probability_old")))
    odd = pc.or_(pc.not_equal(pair.column("grade"), pair.column("grade_old")), pc.greater(step, least))
    return pc.or_(odd, pc.not_equal(pair.column("sales_ready"), pair.column("sales_ready_old")))


def _numbers(pair: pa.Table, people: People) -> I64:
    number = {lead_id: i for i, lead_id in enumerate(people.lead_ids)}
    return np.array([number[i] for i in pair.column("lead_id").to_pylist()], dtype=np.int64)


# -- written ---------------------------------------------------------------------------------------------------
def write_changes(changes: Changes, history: Path, advance: Advance = lambda rows: None) -> Summary:
    """Write `changes.parquet` into the new set's folder, whole or not at all, and the history of the folder `history`."""
    found, target = Summary(), changes.now.folder / FILE
    staging = target.with_name(f".{FILE}")

    def parts() -> Iterator[list[tuple[Any, ...]]]:
        with pq.ParquetWriter(staging, SCHEMA, compression="zstd") as file:
            for table in changes.tables(advance):
                found.add(table)
                file.write_table(table.filter(table.column("as_of_old").is_valid()))
                yield from (_rows(table.slice(start, ROWS)) for start in range(0, len(table), ROWS))

    try:
        History(history).add(changes.now.as_of, parts())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)
    return found


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain values, times in microseconds."""
    columns = [
        (c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist()
        for c in (table.column(name) for name in COLUMNS)
    ]
    return list(zip(*columns, strict=True))


def scorer_before(home: Path, before: Published, new: Scorer) -> Scorer:
    """The scorer that made a set, from the releases of the home; an InputError where it is no longer there."""
    name = before.manifest["bundle"]
    if new.bundle is not None and name == new.bundle.name:
        return new
    market, target = str(before.manifest["market"]), str(before.manifest["target"])
    try:
        return scorer_of(read_bundle(place(home, market, target) / "releases" / str(name)[:12], str(name)))
    except BundleError as broken:
        raise InputError(
            f"--changes: expected the model of the last set ({str(name)[:12]}) among the releases. {broken} "
            "Without --changes the leads are scored all the same."
        ) from None
