"""Hostile requests to the running service: how long the slowest 4xx takes, and what they leave behind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.demo_home import demo_home
from tests.bench.line import Line
from tests.hostile import MARK, ask, cases, stored
from tests.server import serving


def lines(home: Path | None = None) -> Iterator[Line]:
    """Over all cases of tests/hostile.py, one after the other. home: of a promoted model; None = the demo's, made here."""
    with tempfile.TemporaryDirectory() as folder:
        own, log = Path(folder) / "home", Path(folder) / "log.txt"
        shutil.copytree(home or demo_home(Path(folder)), own)
        with serving(own, log) as address:
            before = stored(own / "store.db")
            answers = [ask(address, case) for case in cases()]
            rows = sum(abs(n - before[table]) for table, n in stored(own / "store.db").items())
        said = log.read_text() + "".join(a.text for a in answers)
    yield Line("hostile requests", len(answers), low=30)
    yield Line("hostile requests: answers that are no 4xx", sum(a.status // 100 != 4 for a in answers), high=0)
    yield Line("hostile requests: seconds of the slowest answer", max(a.seconds for a in answers), high=2)
    yield Line("hostile requests: rows stored", rows, high=0)
    yield Line(
        "hostile requests: tracebacks and canaries in log and answers",
        said.count("Traceback") + said.count(MARK),
        high=0,
    )
