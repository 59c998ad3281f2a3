"""Callers that keep asking: several connections that stay open, each asking again as soon as it is answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}


@dataclass
class Load:
    """Use as a context manager: it asks while the block runs.

    pace: seconds from one request of a caller to its next; 0 = as soon as it is answered. answers: how often each (status, body) came. lost: requests that were sent and not answered. turned_away: callers
    whom nobody listened to any more; they stop asking, or with `again` go on. seconds: how long each answer took.
    """

    address: str
    document: dict[str, Any]
    callers: int
    again: bool = False
    pace: float = 0.0
    answers: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    turned_away: int = 0
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Until all callers have stopped."""
        for thread in self._threads:
            thread.join()

    @property
    def answered(self) -> int:
        """So far."""
        return len(self.seconds)

    def bodies(self) -> set[bytes]:
        """Every body that came with a 200."""
        return {body for status, body in self.answers if status == 200}

    def others(self) -> int:
        """Answers that are no 2xx."""
        return sum(n for (status, _), n in self.answers.items() if not 200 <= status < 300)

    def _ask(self) -> None:
        place, body = urlsplit(self.address), json.dumps(self.document).encode()
        mine: Counter[tuple[int, bytes]] = Counter()
        connection = http.client.HTTPConnection(str(place.hostname), int(place.port or 0), timeout=30)
        begun = 0.0
        while not self._stop.wait(max(0.0, begun + self.pace - time.perf_counter())):
            begun = time.perf_counter()
            try:
                if connection.sock is None:
                    connection.connect()
            except OSError:
                with self._lock:
                    self.turned_away += 1
                if self.again and not self._stop.wait(0.01):
                    continue
                break
            try:
                started = time.perf_counter()
                connection.request("POST", "/v1/score", body, JSON)
                response = connection.getresponse()
                mine[response.status, response.read()] += 1
                self.seconds.append(time.perf_counter() - started)
            except (OSError, http.client.HTTPException) as gone:
                connection.close()
                with self._lock:
                    self.lost.append(type(gone).__name__)
        connection.close()
        with self._lock:
            self.answers += mine
