"""A store in a file of SQLite, written ahead, so that readers never wait. Only this file knows SQLite."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from data.errors import InputError, StoreError
from data.files import sync
from data.store.database import Database, Row

_LOGGED = 18  # the byte of the file that is 2 where it is written ahead, else 1
_STEPS = 5_000  # of SQLite's machine, between two looks at the deadline
_seen: set[tuple[int, int] | None] = set()  # files this process has opened and may hold locks on
_looking = Lock()


class Sqlite(Database):
    """One connection to a file."""

    def __init__(self, path: Path, create: bool, wait: float) -> None:
        self.place = str(path)
        self._path = path
        if not create and not path.is_file():
            raise InputError.of(
                where=self.place, expected="a store", got="no file", remedy="Make one with leadlift store migrate."
            )
        with _looking:
            if _identity(path) not in _seen:
                _refuse_foreign_log(path)
            self._connection = _opened(path, wait)
            self._file = _identity(path)
            _seen.add(self._file)
        try:
            # Written ahead, so that readers never wait; synchronous: what was committed survives a power cut.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.OperationalError as bad:  # locked, say; nothing is wrong with the file
            self.close()
            raise self._trouble(bad) from None
        except sqlite3.DatabaseError as bad:
            self.close()
            raise _unreadable(self.place, bad) from None

    def replaced(self) -> bool:
        """Also where the file is gone: what is open then is kept by nobody else."""
        return _identity(self._path) != self._file

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self._asking():
            self._connection.execute(statement, values)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._asking():
            return self._connection.execute(statement, values).fetchall()

    def stream(self, statement: str) -> Iterator[Row]:
        with self._asking():
            yield from self._connection.execute(statement)

    def add(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        places = ",".join("?" * len(columns))
        with self._asking():
            self._connection.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({places})", rows)

    def columns(self, table: str) -> list[str]:
        return [name for (name,) in self.rows("SELECT name FROM pragma_table_info(?) ORDER BY cid", [table])]

    def tables(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def faults(self) -> list[str]:
        """What SQLite finds broken in the file."""
        try:
            told = [str(text) for (text,) in self.rows("PRAGMA integrity_check")]
        except StoreError as bad:
            return [str(bad)]
        return [] if told == ["ok"] else told

    def backup(self, target: Path) -> None:
        """A consistent copy while others read and write; it appears under its name when it is whole."""
        part = target.with_name(f".{target.name}.part")
        part.unlink(missing_ok=True)
        try:
            with closing(_opened(part)) as copy, self._asking():
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            sync(part)
            part.replace(target)
            sync(target.absolute().parent)
        finally:
            part.unlink(missing_ok=True)

    def _begin(self, writes: bool, seconds: float | None) -> None:
        if seconds is not None:
            deadline = time.monotonic() + seconds
            self._connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            self.run("BEGIN IMMEDIATE" if writes else "BEGIN")
        except StoreError:
            self._connection.set_progress_handler(None, 0)
            raise

    def _end(self, keep: bool) -> None:
        self._connection.set_progress_handler(None, 0)
        self.run("COMMIT" if keep else "ROLLBACK")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as bad:
            raise self._trouble(bad) from None


def _opened(path: Path, wait: float = 0.0) -> sqlite3.Connection:
    """The file, which is made where there is none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as bad:
        raise InputError.of(
            where=str(path), expected="a file that can be opened and written", got=str(bad),
            remedy="Check the path and who may write there.",
        ) from None  # fmt: skip


def _refuse_foreign_log(path: Path) -> None:
    """A copy by `backup` says that no log belongs to it. One that lies there is of the file that was there before;
    SQLite would put its pages among the copy's. The log is looked for first: it comes after the file says that it has one.

    Only for a file that this process has not opened: one that closes a file loses all its locks on it, and another process
    could take the log away.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) == 20 and head[_LOGGED] == 1:
        raise InputError.of(
            where=str(path), expected="a store with a log of its own, or none", got=f"{log.name} of the file before it",
            remedy=f"If a backup was put here: remove {log.name} and {path.name}-shm, then try again.",
        )  # fmt: skip


def _identity(path: Path) -> tuple[int, int] | None:
    """Another one for another file under the same name; None where there is none."""
    try:
        known = os.stat(path)
    except OSError:
        return None
    return known.st_dev, known.st_ino


def _unreadable(place: str, bad: sqlite3.DatabaseError) -> InputError:
    return InputError.of(
        where=place, expected="an SQLite file", got=str(bad), remedy="Check the URL, or restore a backup."
    )
