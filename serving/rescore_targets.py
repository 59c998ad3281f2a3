"""Where scores go: a folder of sets, or from such a folder on into a CSV, a file of SQLite or PostgreSQL.

scores/                         sets of Parquet (rescore_sets)
scores.csv                      the last set as one file; `.scores.csv.sets/` beside it has its manifest and history
sqlite:///store.db              `store.db.scores/` beside the store: sets, each with `scores.db`; the store itself is
                                not touched, so that nobody waits who writes to it
postgresql://user@host/name     rescore_postgres
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError, UsageError
from data.store.database import connect, is_file, path_of, url_of
from serving.rescore_claim import Claim
from serving.rescore_columns import SCHEMA, csv_of, written
from serving.rescore_parts import Part

SCORES_DB = "scores.db"
SQLITE_TYPES = {pa.string(): "TEXT", pa.float64(): "REAL", pa.int64(): "INTEGER", pa.bool_(): "INTEGER"}


class Target:
    """A folder of sets. keeps: earlier sets are kept there too."""

    keeps = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def shown(self) -> str:
        """Where readers look."""
        return str(self.folder / "current.json")

    def told(self, run: str) -> str:
        """The same for people, after a run."""
        return f"{self.shown} names the set to read: {self.folder / run}/part-*.parquet"

    def refuse(self) -> None:
        """Raise an InputError where no scores can be put there."""
        if (self.folder / "dataset.toml").exists() or self.folder.is_file():
            raise InputError.of(
                where=f"--out {self.folder}", expected="a folder for scores", got="a dataset or a file",
                remedy="Choose another.",
            )  # fmt: skip

    def render(self, folder: Path, parts: Sequence[Part]) -> Sequence[str]:
        """Add what else a set holds, before it is published; the names of these files."""
        return ()

    def put(self, claim: Claim, run: str, parts: Sequence[Part], keep: int) -> None:
        """Publish the finished set of the work folder elsewhere; a second time it changes nothing."""

    def holds(self, run: str, current: bool) -> bool:
        """Is a run that was published still where readers look? current: it was the last one."""
        return True


class Csv(Target):
    """One CSV, UTF-8, with a header; texts that a spreadsheet would run as formulas have a leading apostrophe."""

    keeps = False

    def __init__(self, file: Path) -> None:
        super().__init__(file.with_name(f".{file.name}.sets"))
        self.file = file

    @property
    def shown(self) -> str:
        return str(self.file)

    def told(self, run: str) -> str:
        return f"{self.file} has the scores; {self.folder / run}/manifest.json says what they are made of."

    def refuse(self) -> None:
        if self.file.is_dir():
            raise InputError.of(
                where=f"--out {self.file}", expected="a file", got="a folder", remedy="Choose another name."
            )

    def put(self, claim: Claim, run: str, parts: Sequence[Part], keep: int) -> None:
        with (claim.work / self.file.name).open("wb") as out:
            out.write(csv_of(SCHEMA.empty_table(), header=True))
            for part in parts:
                out.write(csv_of(read_part(claim.work / run, part), safe=True))
        claim.put(self.file.name, self.file)

    def holds(self, run: str, current: bool) -> bool:
        return self.file.is_file()


class Sqlite(Target):
    """Sets beside a store's file; each holds its scores in a database of their own, table `scores`."""

    def __init__(self, url: str) -> None:
        store = path_of(url)
        super().__init__(store.with_name(f"{store.name}.scores"))

    def told(self, run: str) -> str:
        return f"{self.shown} names the set to read: {self.folder / run / SCORES_DB}, table scores"

    def render(self, folder: Path, parts: Sequence[Part]) -> Sequence[str]:
        columns = ",".join(f"{f.name} {SQLITE_TYPES.get(f.type, 'TEXT')}" for f in SCHEMA)
        with connect(url_of(folder / SCORES_DB), create=True) as db:
            db.run("PRAGMA journal_mode = DELETE")  # one file, which readers open without writing beside it
            with db.writing():
                db.run(f"CREATE TABLE scores ({columns}, PRIMARY KEY (lead_id)) WITHOUT ROWID")
                for part in parts:
                    db.add("scores", SCHEMA.names, _rows(read_part(folder, part)))
        return [SCORES_DB]


def target_of(out: str, workshop: Path) -> Target:
    """What `--out` names; a UsageError for nothing. workshop: where sets are made that end up on a server."""
    if not out.strip():
        raise UsageError("--out: expected a folder, a .csv file or a store's URL, got nothing. Is a variable empty?")
    if "://" in out:
        if is_file(out):
            return Sqlite(out)
        from serving.rescore_postgres import Postgres

        return Postgres(out, workshop)
    return Csv(Path(out)) if Path(out).suffix == ".csv" else Target(Path(out))


def read_part(folder: Path, part: Part) -> pa.Table:
    """The scores of one bucket."""
    return pq.ParquetFile(folder / part.file).read()


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as SQLite keeps them: times as in replies, flags 0 and 1."""
    columns = [written(c) for c in table.itercolumns()]
    return list(zip(*(c.to_pylist() for c in columns), strict=True))
