"""The service goes on answering: swaps, stops, killed workers, damaged bundles.

`endpoint.py` yields from `lines`. One market of the tests' kind, a service of its own for each figure.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import BundleError
from data.settings import ServingSettings
from serving.canary import tried_bundle
from serving.champion import load_scorer
from serving.desk import Desk
from serving.scorer import Wants
from tests.bench.line import Line
from tests.conftest import Market, _market
from tests.load import Load
from tests.releases import broken, point_to, trees, variant, with_texts
from tests.server import get, served, workers

SWAPS, STOPS, KILLS, DAMAGED, REHASHED = 50, 20, 20, 1_000, 100
CALLERS = ServingSettings().max_concurrent // 2
RATE = 400  # the limiter's during swaps, requests a second; the callers share the machine with the service
VIEW = {"type": "page_view", "url": "https://www.example.com/pricing", "dwell_seconds": 30.0}
LEAD: dict[str, Any] = {
    "title": "Head of Marketing", "country": "DE", "employees": 250, "as_of": "2026-11-01T00:00:00Z",
    "events": [{**VIEW, "occurred_at": f"2026-10-{day:02d}T09:00:00Z"} for day in range(1, 21)],
}  # fmt: skip


def lines() -> Iterator[Line]:
    """All of them."""
    with tempfile.TemporaryDirectory() as folder:
        market = _market(Path(folder), "shop", True)
        model = trees(market.bundle, 100)
        yield from damaged(market, model)
        yield from stopped(market, Path(folder))
        yield from killed(market, Path(folder))
        yield from swapped(market, model, Path(folder))


def swapped(market: Market, model: str, folder: Path) -> Iterator[Line]:
    """Promotions of good and of broken releases in turn, at half the limiter's rate."""
    home, one = market.settings.home, market.bundle
    two = variant(one, 0.5)
    expected = set()
    for bundle in (two, one):
        point_to(home, bundle)
        expected.add(Desk(load_scorer(market.settings, market.name)).score(LEAD, Wants(), 0).body)
    kept = 0
    seconds = []
    with (
        served(home, folder / "swaps.log", LEADLIFT_SERVING__MAX_RATE=str(RATE)) as (address, _),
        Load(address, LEAD, CALLERS, pace=2 * CALLERS / RATE) as load,
    ):
        for turn in range(SWAPS):
            good = (two, one)[turn % 2]
            started = time.monotonic()
            point_to(home, good)
            _until(lambda v=good.version: _state(address)["model_version"] == v)  # type: ignore[misc]
            seconds.append(time.monotonic() - started)
            point_to(home, list(broken(one, model, 0.001 * (turn + 1)))[turn % 3])
            _until(lambda: _state(address)["warnings"] == ["new_model_refused"])
            before = load.answered
            _until(lambda n=before: load.answered > n + 2 * CALLERS)  # type: ignore[misc]
            kept += _state(address)["model_version"] == good.version
    yield Line(f"{SWAPS} good and {SWAPS} broken swaps, requests", load.answered, low=20_000)
    yield Line("swaps, answers that are no 2xx, and requests lost", load.others() + len(load.lost), high=0)
    yield Line("swaps, replies that are of no one version", len(load.bodies() - expected), high=0)
    yield Line("swaps, versions seen", len(load.bodies()), low=2, high=2)
    yield Line("swaps, broken ones after which the old model answers", kept, low=SWAPS)
    yield Line("swaps, seconds until a promotion answers, median", float(np.median(seconds)))
    yield Line("swaps, slowest of all answers in ms", 1_000 * max(load.seconds))


def stopped(market: Market, folder: Path) -> Iterator[Line]:
    """SIGTERM while half as many call as may; a request counts from the moment its caller was connected."""
    lost = total = 0
    seconds = []
    for _ in range(STOPS):
        with (
            served(market.settings.home, folder / "stop.log") as (address, keeper),
            Load(address, LEAD, CALLERS) as load,
        ):
            _until(lambda: load.answered > 20 * CALLERS)
            os.kill(keeper, signal.SIGTERM)
            started = time.monotonic()
            load.wait()
            seconds.append(time.monotonic() - started)
        lost += len(load.lost) + load.others()
        total += load.answered
    yield Line(f"SIGTERM under load, {STOPS} times, requests", total)
    yield Line("SIGTERM under load, requests lost", lost, high=0)
    yield Line("SIGTERM under load, seconds until nobody listens, most", max(seconds))


def killed(market: Market, folder: Path) -> Iterator[Line]:
    """kill -9 of the worker while half as many call as may."""
    seconds = []
    with (
        served(market.settings.home, folder / "kill.log") as (address, keeper),
        Load(address, LEAD, CALLERS, again=True) as load,
    ):
        for _ in range(KILLS):
            before = load.answered
            _until(lambda n=before: load.answered > n + 100)  # type: ignore[misc]
            (worker,) = workers(keeper)
            os.kill(worker, signal.SIGKILL)
            seconds.append(_answering_again(load))
    yield Line(f"kill -9 of a worker, {KILLS} times, seconds until it answers again, most", max(seconds), high=5)
    yield Line("kill -9 of a worker, seconds until it answers again, median", float(np.median(seconds)))
    yield Line("kill -9 of a worker, wrong scores", len(load.bodies()) - 1 + load.others(), high=0)
    yield Line("kill -9 of a worker, requests cut off by it", len(load.lost))


def damaged(market: Market, model: str) -> Iterator[Line]:
    """Bit flips and truncations of a release's files; then of model texts whose hashes were made anew."""
    home, rng = market.settings.home, np.random.default_rng(0)
    tree = with_texts(market.bundle, {"model.txt": model})
    folder = point_to(home, tree)
    files = sorted(folder.iterdir())
    refused = sum(_refusal(market, files[int(rng.integers(len(files)))], rng) != "" for _ in range(DAMAGED))
    yield Line(f"{DAMAGED} damaged bundles, refused", refused, low=DAMAGED)
    said = []
    for _ in range(REHASHED):
        worse = with_texts(tree, {"model.txt": _damaged(model.encode(), rng).decode()}, canary=False)
        at = point_to(home, worse)
        said.append(_said(market))
        shutil.rmtree(at)
    ended = sum("killed by" in text or "none in" in text for text in said)
    yield Line(f"{REHASHED} damaged models with right hashes, refused", sum(text != "" for text in said))
    yield Line(f"{REHASHED} damaged models with right hashes, those that kill or hang", ended)
    yield Line("damaged bundles, processes alive", 1, low=1)  # this one: it read them all
    point_to(home, market.bundle)


def _refusal(market: Market, file: Path, rng: np.random.Generator) -> str:
    """What is said of the release while one file is damaged; empty where it is taken."""
    content = file.read_bytes()
    file.write_bytes(_damaged(content, rng))
    said = _said(market)
    file.write_bytes(content)
    return said


def _said(market: Market) -> str:
    try:
        tried_bundle(market.settings.home, market.name, "converted")
    except BundleError as refused:
        return str(refused)
    return ""


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """One bit changed (ASCII stays ASCII), or the end cut off."""
    at = int(rng.integers(len(content)))
    if rng.random() < 0.5:
        return content[:at]
    return content[:at] + bytes([content[at] ^ (1 << int(rng.integers(7)))]) + content[at + 1 :]


def _answering_again(load: Load) -> float:
    """Seconds until a caller is answered."""
    started, before = time.monotonic(), load.answered + CALLERS  # some answers were on their way
    _until(lambda: load.answered > before)
    return time.monotonic() - started


def _state(address: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(get(f"{address}/readyz")[1])
    return document


def _until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not said():
        assert time.monotonic() < deadline
        time.sleep(0.02)
