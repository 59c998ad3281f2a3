"""`leadlift serve` as a process of its own, and requests to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as answered:
        return answered.code, answered.read()
    except OSError:
        return 0, b""


def post(url: str, document: object, **headers: str) -> tuple[int, bytes]:
    body = json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as answered:
        return answered.code, answered.read()


@contextmanager
def serving(home: Path, log: Path, *options: str) -> Iterator[str]:
    """The address on this machine once it is ready; what it says goes to `log`."""
    with served(home, log, *options) as (address, _):
        yield address


@contextmanager
def served(home: Path, log: Path, *options: str, **environment: str) -> Iterator[tuple[str, int]]:
    """The same, with the number of the process. Unlimited, but for who sets a limit in the environment."""
    env = {
        "LEADLIFT_SERVING__MAX_RATE": "1000000",
        **os.environ,
        **environment,
        "LEADLIFT_HOME": str(home),
        "PYTHONPATH": os.getcwd(),
        "BENTOML_HOME": str(log.parent / "bentoml"),
    }
    with started([sys.executable, "-m", "serving.cli", "serve", *options], env, log) as found:
        yield found


def workers(keeper: int) -> list[int]:
    """The processes that answer."""
    return [int(pid) for pid in Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()]


@contextmanager
def started(words: list[str], env: dict[str, str], log: Path, cwd: Path | None = None) -> Iterator[tuple[str, int]]:
    """The address on this machine of a service once it is ready, and its process; `--port` is added to the command."""
    port = free_port()
    command = [*words, "--port", str(port)]
    with log.open("wb") as out, subprocess.Popen(command, env=env, stdout=out, stderr=out, cwd=cwd) as process:
        try:
            deadline = time.monotonic() + 120
            while get(f"http://127.0.0.1:{port}/readyz")[0] != 200:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            # A signal that comes while it is ending already ends it at once.
            assert process.wait(timeout=60) in (0, -signal.SIGTERM)
