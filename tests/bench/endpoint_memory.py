"""Memory of a worker that answers: after 20,000 requests, and how much more after 100,000.

One run of `leadlift serve` with the demo's champion, eight callers at a time, each with a profile and twenty events.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.demo_home import demo_home
from tests.bench.line import Line
from tests.server import get, served, workers
from tests.test_service_imports import PROGRAM

FIRST, LAST, CALLERS = 20_000, 100_000, 8
MEGABYTES, MORE = 300, 1.05
WAYS = ("?detail=full&lang=de", "", "?reasons=none", "?lang=de")


def lines(home: Path | None = None) -> Iterator[Line]:
    """home: of a promoted model; None = the demo's, made here."""
    with tempfile.TemporaryDirectory() as folder:
        own, log = Path(folder) / "home", Path(folder) / "log.txt"
        shutil.copytree(home or demo_home(Path(folder)), own)
        with served(own, log) as (address, keeper):
            assert json.loads(get(f"{address}/readyz")[1])["status"] == "ready"
            pids = workers(keeper)
            failed = _asked(address, FIRST)
            first = [resident(pid) for pid in pids]
            failed += _asked(address, LAST - FIRST)
            last = [resident(pid) for pid in pids]
            same = pids == workers(keeper)
    yield Line("memory: answers that are no 200", failed, high=0)
    yield Line("memory: workers that did not live to the end", float(not same), high=0)
    yield Line(f"memory of a worker after {FIRST:,} requests, MB", max(first), high=MEGABYTES)
    yield Line(f"memory of a worker after {LAST:,}, MB", max(last))
    yield Line(
        "memory: the most that a worker grew by", max(b / a for a, b in zip(first, last, strict=True)), high=MORE
    )
    yield Line("memory: heavy modules that the service imports", _heavy(), high=0)


def resident(pid: int) -> float:
    """Megabytes of a process that are in memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


def _asked(address: str, requests: int) -> int:
    """Ask so many times; how many were not answered with 200."""
    with ThreadPoolExecutor(CALLERS) as pool:
        return sum(pool.map(lambda i: _caller(address, i, requests // CALLERS), range(CALLERS)))


def _caller(address: str, number: int, requests: int) -> int:
    at = urlsplit(address)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=30)
    failed = 0
    for i in range(requests):
        body = json.dumps(_lead(number * requests + i))
        connection.request("POST", f"/v1/score{WAYS[i % len(WAYS)]}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        failed += response.status != 200
    connection.close()
    return failed


def _lead(i: int) -> dict[str, Any]:
    """A profile and twenty events; no two leads are the same, so that nothing is answered from memory."""
    pages = ("/", "/pricing", "/blog/automation/x", "/product/analytics", f"/blog/security/{i}")
    events = [
        {"type": "page_view", "occurred_at": f"2026-10-{1 + k:02}T{i % 24:02}:{k:02}:00Z", "dwell_seconds": i % 97 + k,
         "url": f"https://www.example.com{pages[k % 5]}", "source": "google", "medium": "cpc", "campaign": f"c{i % 500}"}
        for k in range(20)
    ]  # fmt: skip
    return {
        "lead_id": f"lead-{i}", "title": f"Head of Team {i}", "company": f"Company {i}", "country": ("DE", "US", "AT")[i % 3],
        "employees": i % 5000, "email": f"p{i}@example{i % 1000}.com", "as_of": "2026-11-01T00:00:00Z", "events": events,
    }  # fmt: skip


def _heavy() -> int:
    """As tests/test_service_imports.py looks at it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return len(json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"')))
