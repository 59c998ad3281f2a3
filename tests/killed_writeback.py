"""`python -m tests.killed_writeback CRM URL SCORES THEN WORK`: a write-back killed at each of its points, then run again.

SCORES are written back until it dies, THEN (perhaps the same) by the run after it.

A point lies before and after each request and each transaction, and around the report. For point n the organisation at
URL-n and the home WORK/n are used; the number of points is printed at the end. One process that imports once and forks.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpcore  # noqa: F401  imported here once, and not late in each child
import httpx
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401
import typer

import serving.writeback
import training.registry  # noqa: F401
from serving.commands import writeback as command
from serving.writeback_http import Http
from serving.writeback_hubspot import HubSpot
from serving.writeback_salesforce import Salesforce
from serving.writeback_state import State

ROWS = 5  # leads in a batch, so that there are two


def main(crm: str, url: str, scores: str, then: str, work: str) -> None:
    Salesforce.rows = HubSpot.rows = ROWS
    httpx.Client = partial(httpx.Client, verify=ssl.create_default_context())  # type: ignore[misc]  made once: 50 ms
    made = Http.__init__
    Http.__init__ = lambda self, *words: made(self, *words, sleep=lambda seconds: None)  # type: ignore[method-assign]
    n = 0
    while True:
        n += 1
        home = Path(work) / str(n)
        if not _in_child(lambda n=n, home=home: _run(crm, f"{url}-{n}", scores, home, die_at=n)):
            break
        if _in_child(lambda n=n, home=home: _run(crm, f"{url}-{n}", then, home, die_at=None)):
            raise SystemExit(f"the run after point {n} was killed")
    print(n - 1)


def _in_child(work: Callable[[], None]) -> bool:
    """Whether it was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as bad:
            print(repr(bad), file=sys.stderr, flush=True)
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not killed and os.waitstatus_to_exitcode(status):
        raise SystemExit(f"a run failed with {os.waitstatus_to_exitcode(status)}")
    return killed


def _run(crm: str, url: str, scores: str, home: Path, die_at: int | None) -> None:
    os.environ |= {
        "LEADLIFT_HOME": str(home), f"LEADLIFT_WRITEBACK__{crm.upper()}_URL": url, f"LEADLIFT_{crm.upper()}_TOKEN": "a-token",
    }  # fmt: skip
    if die_at is not None:
        _points(die_at)
    app = typer.Typer()
    command.register(app)
    with contextlib.redirect_stdout(io.StringIO()):
        app([scores, "--for", crm, "--send"], standalone_mode=False)


def _points(die_at: int) -> None:
    """Each call passes two points; the process dies at the one asked for."""
    left = die_at

    def point() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    ask, writing, replacing = Http.ask, State._writing, serving.writeback.replacing

    def asked(self: Http, *words: Any, **content: Any) -> Any:
        point()
        answer = ask(self, *words, **content)
        point()
        return answer

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def held(*words: Any) -> Iterator[Any]:
            point()
            with real(*words) as one:
                yield one
                point()
            point()

        return held

    Http.ask = asked  # type: ignore[method-assign]
    State._writing = around(writing)  # type: ignore[method-assign]
    serving.writeback.replacing = around(replacing)


if __name__ == "__main__":
    main(*sys.argv[1:])
