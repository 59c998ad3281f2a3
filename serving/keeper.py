"""Keeps a worker of the service alive: one that dies is started again at once.

    python -m serving.keeper HOST PORT

The port stays open meanwhile: who calls between two workers waits for the new one instead of being turned away. Workers
are forked after all imports, which take longer than the rest. BentoML's own keeper looks every ten seconds, and in a
container not at all.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing.context import ForkProcess
from types import FrameType

from serving import worker

BACKLOG = 2048
LEAST_SECONDS = 1.0  # between two starts: one that dies at once must not take the machine
SIGNALS = (signal.SIGTERM, signal.SIGINT)
_log = logging.getLogger("leadlift")


class _Keeper:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._worker: ForkProcess | None = None
        self._stopping = False

    def run(self) -> int:
        """Until a signal says to stop; the exit code."""
        for number in SIGNALS:
            signal.signal(number, self._stop)
        while not self._stopping:
            started = time.monotonic()
            made = self._started()
            made.join()
            if self._stopping:
                return 0 if made.exitcode in (0, *(-n for n in SIGNALS)) else 1
            _log.error("the worker ended (%s) and is started again", made.exitcode)
            time.sleep(max(0.0, started + LEAST_SECONDS - time.monotonic()))
        return 0

    def _started(self) -> ForkProcess:
        """A new worker. No signal comes while it still has the keeper's handlers."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._worker = multiprocessing.get_context("fork").Process(target=self._work)
            self._worker.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self._worker

    def _work(self) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker.answer(self._listener)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """From here on the port is the worker's alone: when it closes it, callers are turned away, not left waiting."""
        self._stopping = True
        self._listener.close()
        if self._worker is not None and self._worker.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker.pid, signal.SIGTERM)


def listening(host: str, port: int) -> socket.socket:
    """The port, open."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Connections inherit it. asyncio sets it only where a socket knows its protocol, and this one does not; then an
    # answer's body would wait until the caller has acknowledged its head, which many do 40 ms later.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def main() -> int:
    """Listen and keep."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with listening(sys.argv[1], int(sys.argv[2])) as listener:
        return _Keeper(listener).run()


if __name__ == "__main__":
    sys.exit(main())
