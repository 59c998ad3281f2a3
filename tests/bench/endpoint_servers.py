"""Servers as processes of their own: started, asked, and what processor time they took."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.server import free_port, get

START_SECONDS = 120
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Server:
    """A running server: its first process, and what a client sends it, one body for each request."""

    process: int
    port: int
    path: str
    bodies: Sequence[bytes]
    headers: Mapping[str, str]

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def processor_seconds(self) -> float:
        """User and system time so far, of the process and all below it."""
        found = _processes()
        below, ticks = {self.process}, 0
        while below:
            ticks += sum(found[p][1] for p in below)
            below = {p for p, (parent, _) in found.items() if parent in below}
        return ticks / os.sysconf("SC_CLK_TCK")

    def ask(self, requests: int) -> list[float]:
        """Seconds of each of so many requests, one after the other over one connection; all must be answered."""
        client, seconds = self.connect(), []
        for i in range(requests):
            start = time.perf_counter()
            client.request("POST", self.path, self.bodies[i % len(self.bodies)], dict(self.headers))
            answer = client.getresponse()
            body = answer.read()
            seconds.append(time.perf_counter() - start)
            if answer.status != 200:
                raise RuntimeError(f"{self.path}: expected 200, got {answer.status}: {body[:300]!r}")
        client.close()
        return seconds

    def cost(self, requests: int) -> tuple[float, list[float]]:
        """Milliseconds of processor time for each of so many requests, and the seconds each of them took."""
        before = self.processor_seconds()
        seconds = self.ask(requests)
        return (self.processor_seconds() - before) * 1000 / requests, seconds


def _processes() -> dict[int, tuple[int, int]]:
    """Every process: its parent, and ticks of user and system time, its own and those of children that have ended."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = file.read_text().rpartition(")")[2].split()  # from the third field on: a name may hold blanks
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[int(file.parent.name)] = (int(told[1]), sum(map(int, told[11:15])))
    return found


@contextmanager
def running(
    words: Sequence[str], home: Path, ready: str, path: str, bodies: Sequence[bytes],
    headers: Mapping[str, str] = JSON, **environment: str,
) -> Iterator[Server]:  # fmt: skip
    """A server from `python -m WORDS --port N`, once it answers `ready`; ended with all its children."""
    port = free_port()
    own = {
        "PYTHONPATH": os.getcwd(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # MLflow calls uvicorn by its name
        "BENTOML_HOME": str(home / "bentoml"),
        "OMP_NUM_THREADS": "1",
    }
    command, log = (
        [sys.executable, "-m", *words, "--port", str(port)],
        home / f"{path.strip('/').replace('/', '-')}.log",
    )
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | own | environment, stdout=out, stderr=out, start_new_session=True
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}{ready}", log)
            yield Server(process.pid, port, path, bodies, headers)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(timeout=30)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while get(url)[0] != 200:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{url}: the server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.2)
