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
COMPARED = ("lead_id", *SHOWN)
PAIR = [*COMPARED, *(f"{name}_old" for name in SHOWN)]
ROWS = 50_000  # handed to the history at once
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Advance = Callable[[int], None]


@dataclass
class Summary:
    """How many leads moved or are new, and by largest cause: leads, and for how many of them it added (`up`)."""

    moved: int = 0
    first: int = 0
    leads: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    up: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))

    def add(self, table: pa.Table) -> None:
        old = table.column("as_of_old").is_valid()
        moved = table.filter(old)
        self.moved, self.first = self.moved + len(moved), self.first + len(table) - len(moved)
        for part in PARTS:
            own = moved.filter(pc.equal(moved.column("cause"), part))
            added = [pc.greater(own.column(f"{score}_{part}"), 0) for score in ("log_odds", "points")]
            self.leads[part] += len(own)
            self.up[part] += pc.sum(pc.or_(*added)).as_py() or 0

    def document(self) -> dict[str, Any]:
        """For `--json` and the manifest."""
        causes = {p: {"leads": self.leads[p], "up": self.up[p], "down": self.leads[p] - self.up[p]} for p in PARTS}
        return {"moved": self.moved, "first_scored": self.first, "causes": causes}


@dataclass(frozen=True)
class Changes:
    """Two sets of one market and the scorers that made them; before, old: None where nothing was published yet.

    least: how much a probability must have moved where neither grade nor readiness did.
    """

    dataset: Dataset
    before: Published | None
    now: Published
    old: Scorer | None
    new: Scorer
    least: float = 0.0

    def tables(self, advance: Advance = lambda rows: None) -> Iterator[pa.Table]:
        """Rows of SCHEMA: first who is scored for the first time, then who moved, group by group of leads."""
        moved = [SCHEMA.empty_table().select(PAIR)]
        for part in self.now.parts():
            now = self.now.read(part, COMPARED)
            before = self.before.read(part, COMPARED) if self.before else now.schema.empty_table()
            yield _first(now.filter(pc.invert(pc.is_in(now.column("lead_id"), value_set=_ids(before)))))
            moved.append(_pair(before, now, self.least))
        if self.before is not None and self.old is not None:
            yield from self._moved(pa.concat_tables(moved), advance)

    def _moved(self, pair: pa.Table, advance: Advance) -> Iterator[pa.Table]:
        for people in self.dataset.people():
            row = pc.index_in(pa.array(people.lead_ids, pa.string()), value_set=_ids(pair))
            wanted = np.flatnonzero(row.is_valid().to_numpy(zero_copy_only=False))
            if len(wanted):
                yield self._split(people.take(wanted), pair.take(row.drop_null()))
            advance(len(people.leads["lead"]))

    def _split(self, people: People, pair: pa.Table) -> pa.Table:
        """What each cause adds, for these people and their rows of both sets."""
        assert self.before is not None
        assert self.old is not None
        states = State(self.old, Knowledge.of(self.before.as_of)), State(self.new, Knowledge.of(self.now.as_of))
        found = moves(of_people(people, self.now.as_of), *states)
        restated = logit(found.probability_old) - logit(pair.column("probability_old").to_numpy())
        log_odds = np.column_stack([restated, found.log_odds])
        points = np.column_stack([found.points_old - pair.column("points_old").to_numpy(), found.points_parts])
        for name, values in (("log_odds", log_odds), ("points", points)):
            for i, part in enumerate(PARTS):
                pair = pair.append_column(f"{name}_{part}", pa.array(np.ascontiguousarray(values[:, i])))
        far = pc.greater(_step(pair), self.least).to_numpy()
        pair = pair.append_column("cause", _cause(log_odds, points, far))
        return pair.select(SCHEMA.names).cast(SCHEMA)


def _cause(log_odds: F64, points: I64, far: NDArray[np.bool_]) -> pa.Array:
    """The largest part of each lead: of the log-odds where the probability is far from what it was, else of the points,
    which moved the grade or readiness."""
    by_points = ~far & points.any(axis=1)
    size = np.where(by_points[:, np.newaxis], np.abs(points), np.abs(log_odds))
    return pa.array(np.array(PARTS)[size.argmax(axis=1)])


def _first(now: pa.Table) -> pa.Table:
    nulls = {f.name: pa.nulls(len(now), f.type) for f in SCHEMA}
    return pa.table({**nulls, **{n: now.column(n) for n in now.column_names}}, schema=SCHEMA)


def _pair(before: pa.Table, now: pa.Table, least: float) -> pa.Table:
    """Both rows of each lead that moved."""
    row = pc.index_in(now.column("lead_id"), value_set=_ids(before))
    now, old = now.filter(row.is_valid()), before.take(row.drop_null())
    pair = pa.table({**{n: now.column(n) for n in COMPARED}, **{f"{n}_old": old.column(n) for n in SHOWN}})
    return pair.filter(_strays(pair, least)).select(PAIR)


def _strays(pair: pa.Table, least: float) -> pa.Array:
    odd = pc.or_(pc.not_equal(pair.column("grade"), pair.column("grade_old")), pc.greater(_step(pair), least))
    return pc.or_(odd, pc.not_equal(pair.column("sales_ready"), pair.column("sales_ready_old")))


def _step(pair: pa.Table) -> pa.ChunkedArray:
    """How far each probability is from what it was."""
    return pc.abs(pc.subtract(pair.column("probability"), pair.column("probability_old")))


def _ids(table: pa.Table) -> pa.Array:
    return table.column("lead_id").combine_chunks()


# -- written ---------------------------------------------------------------------------------------------------
def write_changes(changes: Changes, advance: Advance = lambda rows: None) -> Summary:
    """Write `changes.parquet` into the new set's folder, whole or not at all."""
    found, target = Summary(), changes.now.folder / FILE
    staging = target.with_name(f".{FILE}")
    try:
        with staging.open("wb") as out, pq.ParquetWriter(out, SCHEMA, compression="zstd") as file:
            for table in changes.tables(advance):
                found.add(table)
                file.write_table(table)
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)
    return found


def tell(folder: Path, as_of: int, history: Path) -> None:
    """Put the changes of a published set into the history of a market and target; a second time it changes nothing.

    Parameters
    ----------
    folder, as_of
        the set and its moment.
    history
        the folder of the home where the history lies.
    """
    with pq.ParquetFile(folder / FILE) as file:
        History(history).add(as_of, (_rows(pa.Table.from_batches([b])) for b in file.iter_batches(ROWS)))


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain values, times in microseconds."""
    columns = [
        (c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist()
        for c in (table.column(name) for name in COLUMNS)
    ]
    return list(zip(*columns, strict=True))


def scorer_before(home: Path, before: Published, new: Scorer) -> Scorer:
    """The scorer that made a set, from the releases of the home; an InputError where it is no longer there."""
    name = before.about["bundle"]
    if new.bundle is not None and name == new.bundle.name:
        return new
    market, target = str(before.about["market"]), str(before.about["target"])
    folder = place(home, market, target) / "releases" / str(name)[:12]
    try:
        return scorer_of(read_bundle(folder, str(name)))
    except BundleError:
        raise InputError.of(
            where=str(folder), expected="the model of the last set, to tell --changes", got="none that is whole",
            remedy="Put it back, or run once without --changes; the run after that tells what moved since.",
        ) from None  # fmt: skip
