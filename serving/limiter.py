"""How many requests a second: a bucket that holds those of one second and fills up steadily."""

from __future__ import annotations

import time
from collections.abc import Callable


class Limiter:
    """One bucket for all callers. It holds one request at least, however low the rate.

    clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left = float("inf")  # full at the first look
        self._at = clock()

    def wait(self, rate: float) -> float:
        """0 where a request may pass now, which takes its place; else the seconds until one may.

        rate: requests a second, above 0.
        """
        now = self._clock()
        self._left = min(self._left + (now - self._at) * rate, max(rate, 1.0))
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / rate
        self._left -= 1.0
        return 0.0
