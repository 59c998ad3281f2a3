"""A store's database by URL: what SQLite (`sqlite.py`) and PostgreSQL (`postgres.py`) have in common.

    sqlite:///store.db                  a path from the working folder; sqlite:////var/lib/store.db one from the root
    postgresql://user@host:5432/shop    the tables lie in the first schema of the connection's search_path; the password
                                        is better left to PGPASSWORD or ~/.pgpass

Statements are plain SQL with `?` for values. Whatever the database says against one is a StoreError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from data.errors import StoreError, UsageError
from data.redact import without_password

SQLITE, POSTGRES = "sqlite:///", "postgresql://"
BUSY_SECONDS = 5.0  # how long a writer waits for another one
READ_BUSY_SECONDS = 0.2
_PARAMETERS = 500  # in one statement

Row = tuple[Any, ...]


def connect(url: str, create: bool = False, wait: float = BUSY_SECONDS) -> Database:
    """A connection of its own; a context manager.

    Parameters
    ----------
    create
        make the file of SQLite where there is none; else an absent one is an InputError.
    wait
        seconds a statement waits for another connection.

    Raises
    ------
    UsageError
        for a URL of another kind; the URL is not repeated, for it may hold a password.
    StoreError
        where the database does not answer.
    """
    if _kind(url) == SQLITE:
        from data.store.sqlite import Sqlite

        return Sqlite(path_of(url), create, wait)
    from data.store.postgres import Postgres

    return Postgres(url, wait)


def place_of(url: str) -> str:
    """Where a store is, for messages and to open it again: its file, or its URL without a password."""
    return str(path_of(url)) if _kind(url) == SQLITE else without_password(url)


def name_of(url: str) -> str:
    """What a store is called: its file without the ending, or its database."""
    if _kind(url) == SQLITE:
        return path_of(url).stem
    return without_password(url).removeprefix(POSTGRES).partition("?")[0].partition("/")[2]


def path_of(url: str) -> Path:
    """The file of an SQLite store."""
    return Path(url.removeprefix(SQLITE))


def url_of(path: Path) -> str:
    """The URL of a file, from the root."""
    return SQLITE + str(path.absolute())


def is_file(url: str) -> bool:
    """Is this the URL of an SQLite store?"""
    return _kind(url) == SQLITE


def _kind(url: str) -> str:
    for prefix in (SQLITE, POSTGRES):
        if url.startswith(prefix) and url != prefix:
            return prefix
    got = url.partition("://")[0]
    raise UsageError(
        f"store: expected a URL such as {SQLITE}store.db or {POSTGRES}user@host/name, got one of {got}://. Use one of these."
    )


class Database(ABC):
    """One connection. Use as a context manager; a thread has its own. `place`: where it is, for messages."""

    place: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...

    def replaced(self) -> bool:
        """Whether the place holds something else by now than what is open."""
        return False

    @abstractmethod
    def run(self, statement: str, values: Sequence[Any] = ()) -> None: ...

    @abstractmethod
    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]: ...

    @abstractmethod
    def stream(self, statement: str) -> Iterator[Row]:
        """The rows of a large answer one by one; until the last one the connection does nothing else."""

    @abstractmethod
    def add(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """New rows, in bulk."""

    @abstractmethod
    def columns(self, table: str) -> list[str]: ...

    @abstractmethod
    def tables(self) -> set[str]: ...

    @abstractmethod
    def faults(self) -> list[str]:
        """What the database itself finds broken."""

    @abstractmethod
    def _begin(self, writes: bool, seconds: float | None) -> None: ...

    @abstractmethod
    def _end(self, keep: bool) -> None: ...

    def rows_among(self, statement: str, values: Iterable[Any]) -> list[Row]:
        """The rows of a statement with `IN ({})`, asked for so many values at a time."""
        return [row for places, some in _some(values) for row in self.rows(statement.format(places), some)]

    def run_among(self, statement: str, values: Iterable[Any]) -> None:
        """The same for a statement without an answer."""
        for places, some in _some(values):
            self.run(statement.format(places), some)

    @contextmanager
    def writing(self, seconds: float | None = None) -> Iterator[None]:
        """All of it or nothing; one writer at a time. After so many seconds the next statement is a StoreError."""
        self._begin(True, seconds)
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self._end(keep=False)
            raise
        self._end(keep=True)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[None]:
        """One state of the store, whatever is written meanwhile; after so many seconds a read is a StoreError."""
        self._begin(False, seconds)
        try:
            yield
        finally:
            with suppress(StoreError):
                self._end(keep=False)

    def script(self, text: str) -> None:
        """Several statements inside the transaction that is open; comments are whole lines."""
        plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
        for statement in filter(str.strip, plain.split(";")):
            self.run(statement)

    def _trouble(self, said: object) -> StoreError:
        told = " ".join(str(said).split()).rstrip(".")
        return StoreError(f"{self.place}: expected an answer of the database, got: {told}. Try again, or see to it.")


def _some(values: Iterable[Any]) -> Iterator[tuple[str, list[Any]]]:
    asked = list(values)
    for start in range(0, len(asked), _PARAMETERS):
        some = asked[start : start + _PARAMETERS]
        yield ",".join("?" * len(some)), some
