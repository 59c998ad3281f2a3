"""The endpoint beside what it is built of: processor time of a reply, and what it does under more than it can take.

A request is a profile with 20 events of the demo's market, answered by the demo's champion with three reasons. Beside it
BentoML alone, an async api of default settings that returns the same object, and `mlflow models serve` of the same
champion, which gets ready features. Each server is a process of its own with all its children counted; ROUNDS rounds of
REQUESTS requests each (of MLflow's server a tenth, for it takes some fifty times as long), the servers taking turns;
ratios are medians over the rounds.

Live swaps, hostile bodies and memory have modules of their own, which follow: endpoint_swaps, endpoint_hostile,
endpoint_memory.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from http.client import HTTPException
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.bench import endpoint_hostile, endpoint_memory, endpoint_swaps
from tests.bench.demo_home import demo_home
from tests.bench.endpoint_requests import documents, feature_rows
from tests.bench.endpoint_servers import JSON, Server, running
from tests.bench.line import Line
from tests.bench.models import leadlift
from training.registry import current_bundle
from training.tracking import ALIAS, model_name, tracking_uri

ROUNDS, REQUESTS, WARMING = 5, 2_000, 500
CALLERS, LOAD_SECONDS = 64, 60.0
UNLIMITED = {"LEADLIFT_SERVING__MAX_RATE": "1000000"}  # where one caller asks for all that the machine can do
CROWDED = {"LEADLIFT_SERVING__MAX_RATE": "200"}  # less than the machine can do, so that callers are turned away
OURS, ECHO, MLFLOW = "/v1/score", "/echo", "/invocations"


def lines() -> Iterator[Line]:
    """Processor time and its ratios, the slowest replies, 64 callers at once; then swaps, hostile bodies and memory."""
    with tempfile.TemporaryDirectory() as folder:
        demo = demo_home(Path(folder))
        yield from _compared(Path(folder), demo)
        yield from endpoint_swaps.lines()
        yield from endpoint_hostile.lines(demo)
        yield from endpoint_memory.lines(demo)


def _compared(folder: Path, demo: Path) -> Iterator[Line]:
    """What needs servers side by side; ours asks for a key, in a copy of the home."""
    shutil.copytree(demo, folder / "home")
    key = leadlift(str(folder), "keys", "create", "--name", "bench", "--scope", "score")["key"]
    requests = documents(folder / "market", REQUESTS)
    ours = partial(
        running, ("serving.cli", "serve"), folder, "/readyz", OURS, [json.dumps(r).encode() for r in requests],
        JSON | {"Authorization": f"Bearer {key}"}, LEADLIFT_HOME=str(folder / "home"),
    )  # fmt: skip
    with ExitStack() as ends:
        servers = [ends.enter_context(s) for s in (ours(**UNLIMITED), *_others(folder, demo, requests))]
        yield from _costs({s.path: s for s in servers})
    with ours(**CROWDED) as server:
        yield from _crowd(server)


def _others(folder: Path, demo: Path, requests: list[dict[str, Any]]) -> Iterator[AbstractContextManager[Server]]:
    """BentoML's echo, and MLflow's server of the demo's champion."""
    champion = current_bundle(demo, "market", "converted")
    assert champion is not None
    registered = f"models:/{model_name('market', 'converted')}@{ALIAS}"
    bento, mlflow = ("bentoml", "serve", "tests.bench.endpoint_echo:Echo"), ("mlflow", "models", "serve")
    yield running(bento, folder, "/readyz", ECHO, [json.dumps(r).encode() for r in requests])
    yield running((*mlflow, "-m", registered, "--env-manager", "local"), folder, "/ping", MLFLOW,
                  feature_rows(champion, requests), MLFLOW_TRACKING_URI=tracking_uri(None, demo))  # fmt: skip


def _costs(servers: dict[str, Server]) -> Iterator[Line]:
    spent: dict[str, list[float]] = {path: [] for path in servers}
    seconds: list[float] = []
    for server in servers.values():
        server.ask(WARMING // 10 if server.path == MLFLOW else WARMING)
    for _ in range(ROUNDS):
        for path, server in servers.items():
            cost, each = server.cost(REQUESTS // 10 if path == MLFLOW else REQUESTS)
            spent[path].append(cost)
            seconds += each if path == OURS else []
    for path, name in ((OURS, "Leadlift"), (ECHO, "BentoML's echo"), (MLFLOW, "mlflow models serve")):
        yield Line(f"endpoint, CPU of {name}, ms", median(spent[path]))
    for path, name, high in ((ECHO, "BentoML's echo", 1.6), (MLFLOW, "mlflow models serve", 0.2)):
        ratios = [a / b for a, b in zip(spent[OURS], spent[path], strict=True)]
        yield Line(f"endpoint, CPU of that of {name}", median(ratios), high=high)
    percent = quantiles(seconds, n=100)
    yield Line("endpoint, ms of the median reply, one caller", percent[49] * 1000)
    yield Line("endpoint, p99 of p50, one caller", percent[98] / percent[49], high=8)


def _crowd(server: Server) -> Iterator[Line]:
    """CALLERS who never wait: the limiter must turn some away, and nobody else."""
    until = time.monotonic() + LOAD_SECONDS
    with ThreadPoolExecutor(CALLERS) as pool:
        found = sum(pool.map(lambda i: _calling(server, i, until), range(CALLERS)), Counter[str]())
    yield Line(f"endpoint, {CALLERS} callers: answered", found["200"], low=1)
    yield Line(f"endpoint, {CALLERS} callers: turned away with Retry-After", found["429"], low=1)
    failed = found.total() - found["200"] - found["429"]
    yield Line(f"endpoint, {CALLERS} callers: other answers or none", failed, high=0)


def _calling(server: Server, caller: int, until: float) -> Counter[str]:
    """How often each status came; a 429 without Retry-After, and no answer, have names of their own."""
    client, found, at = server.connect(), Counter[str](), caller
    while time.monotonic() < until:
        at += 1
        try:
            client.request("POST", server.path, server.bodies[at % len(server.bodies)], dict(server.headers))
            answer = client.getresponse()
            answer.read()
            told = answer.status != 429 or answer.getheader("Retry-After")
            found[str(answer.status) if told else "429 alone"] += 1
        except (OSError, HTTPException):
            client.close()
            found["none"] += 1
    return found
