"""Stopping without losing a request: callers hear of it first, the server stops a moment later."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

SECONDS = 1.0  # for callers and balancers to turn away; requests are answered meanwhile


def before_leaving(tell: Callable[[], None]) -> None:
    """Let SIGTERM and SIGINT call `tell`, and SECONDS later what they would have called at once.

    To be called on the event loop, after the server has set its own handlers. A second SIGINT does not wait. Outside
    the main thread, where nobody gets signals, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):
            signal.signal(number, _Leaving(loop, tell, before))


class _Leaving:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[], None],
        before: Callable[[int, FrameType | None], object],
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._before = before
        self._told = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._told:
            self._told = True
            self._tell()
            self._loop.call_soon_threadsafe(self._loop.call_later, SECONDS, self._before, number, None)
        elif number == signal.SIGINT:
            self._before(number, frame)
