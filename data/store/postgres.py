"""A store on PostgreSQL. Only this file knows psycopg, which the extra `postgres` brings.

Reading is one snapshot (repeatable read). Writing is read committed under a lock of the store's schema, taken first:
writers come one after the other, as on SQLite, and each sees what the one before has committed. What is large goes by
COPY. Time-outs are the server's, and the client's for a server that is silent.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from data.errors import StoreError, UsageError
from data.redact import without_password
from data.store.database import POSTGRES, Database, Row

try:
    import psycopg
except ImportError:
    raise UsageError(
        "store: expected the package psycopg for a URL of postgresql://, got none. Install leadlift[postgres]."
    ) from None

CONNECT_SECONDS = 2  # the least that libpq takes
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('leadlift ' || current_schema(), 0))"
_URL = re.compile(rf"{POSTGRES}(?:[^@/]*@)?(?P<hosts>[^@/?]*)(?P<name>[^?]*)(?:\?.*)?", re.DOTALL)
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:]*)(?::\d*)?")
_OF_VALUES = ("22", "23")  # classes of errors whose words repeat what was sent
_T = TypeVar("_T")


class Postgres(Database):
    """One connection to a server."""

    def __init__(self, url: str, wait: float) -> None:
        self.place, self._wait = without_password(url), wait
        _refuse_unclear(url)
        try:
            self._connection = _Connection.connect(
                url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="leadlift"
            )
        except psycopg.OperationalError as bad:
            raise self._trouble(bad) from None
        except psycopg.Error:  # its words repeat the URL
            raise _unclear() from None

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self.close()

    def close(self) -> None:
        self._connection.close()

    def run(self, statement: str, values: Sequence[Any] = ()) -> None:
        with self._asking():
            self._connection.execute(statement.replace("?", "%s"), values or None)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        with self._asking():
            return self._connection.execute(statement.replace("?", "%s"), values or None).fetchall()

    def stream(self, statement: str) -> Iterator[Row]:
        with self._asking(), self._connection.cursor() as cursor:
            columns = cursor.execute(f"{statement} LIMIT 0").description or ()
            with cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT BINARY)") as copy:
                copy.set_types([c.type_code for c in columns])
                yield from copy.rows()

    def add(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if rows == []:
            return
        statement = f"COPY {table} ({','.join(columns)}) FROM STDIN"
        with self._asking(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def add_csv(self, table: str, columns: Sequence[str], chunks: Iterable[bytes]) -> None:
        """New rows from CSV in UTF-8 without a header: an empty cell is null, a pair of quotes an empty text."""
        statement = f"COPY {table} ({','.join(columns)}) FROM STDIN (FORMAT CSV)"
        with self._asking(), self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for chunk in chunks:
                copy.write(chunk)

    def columns(self, table: str) -> list[str]:
        with self._asking():
            return [c.name for c in self._connection.execute(f"SELECT * FROM {table} LIMIT 0").description or ()]

    def tables(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}

    def faults(self) -> list[str]:
        """The tables that cannot be read to their ends."""
        found = []
        for table in sorted(self.tables()):
            try:
                self.rows(f"SELECT count(*) FROM {table}")
            except StoreError as bad:
                found.append(f"table {table}: {bad}")
        return found

    def script(self, text: str) -> None:
        super().script(re.sub(r"\bTEXT\b", 'TEXT COLLATE "C"', text))  # the order of bytes, as SQLite has it

    def _begin(self, writes: bool, seconds: float | None) -> None:
        self._connection.deadline = None if seconds is None else time.monotonic() + seconds
        limit = 0 if seconds is None else max(math.ceil(seconds * 1000), 1)
        with self._asking():
            self._connection.execute(
                f"BEGIN ISOLATION LEVEL {'READ COMMITTED' if writes else 'REPEATABLE READ, READ ONLY'};"
                f"SET LOCAL lock_timeout = {math.ceil(self._wait * 1000)}; SET LOCAL statement_timeout = {limit};"
                f"SET LOCAL idle_in_transaction_session_timeout = {limit}",
                prepare=False,
            )
        if writes:
            try:
                self.run(_LOCK)
            except StoreError:
                self._end(keep=False)
                raise

    def _end(self, keep: bool) -> None:
        try:
            self.run("COMMIT" if keep else "ROLLBACK")
        except StoreError:
            self.close()  # in what state it is nobody knows
            raise
        finally:
            self._connection.deadline = None

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as bad:
            raise self._trouble(_said(bad)) from None


class _Connection(psycopg.Connection[Row]):
    """A connection that after a deadline waits for its server no longer."""

    deadline: float | None = None

    def wait(self, gen: Generator[Any, Any, _T], *args: Any, **named: Any) -> _T:
        return super().wait(gen if self.deadline is None else _until(gen, self.deadline), *args, **named)


def _until(gen: Generator[Any, Any, _T], deadline: float) -> Generator[Any, Any, _T]:
    """psycopg's own conversation with the server; it is given a look every tenth of a second, ready or not."""
    ready: Any = None
    while time.monotonic() <= deadline or ready:
        try:
            wanted = gen.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        ready = yield wanted
    raise psycopg.OperationalError("no answer in time")


def _said(bad: psycopg.Error) -> str:
    """What the server said, without the values that were sent."""
    state = bad.sqlstate or ""
    if state.startswith(_OF_VALUES):
        return f"{type(bad).__name__} ({state})"
    return bad.diag.message_primary or str(bad)


def _refuse_unclear(url: str) -> None:
    """A password with a bare @ or / would be taken for a host or a port, and named in messages."""
    parts = _URL.fullmatch(url)
    if parts is None or "@" in parts["name"] or not all(_HOST.fullmatch(host) for host in parts["hosts"].split(",")):
        raise _unclear()


def _unclear() -> UsageError:
    return UsageError(
        "store: expected a URL such as postgresql://user:password@host:5432/name, got one that cannot be read. "
        "Write @ / : ? # and spaces of a password as %40 %2F %3A %3F %23 %20, or leave it to PGPASSWORD."
    )
