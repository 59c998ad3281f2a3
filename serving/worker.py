"""One worker of `leadlift serve`: the service in uvicorn, on a socket it is handed. `serving/keeper.py` starts it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import struct
import threading
import time

import uvicorn

from serving.joined import JoinedProtocol
from serving.service import LeadliftService, guarded

SETTLE_SECONDS = 0.3
_SO_ATTACH_FILTER = 26
_M_ARENA_MAX = -8
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte with the flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # then nothing of it
    (0x06, 0, 0, 0xFFFFFFFF),  # else all
)
_KEEPER_SECONDS = 1.0


class _Server(uvicorn.Server):
    """Uvicorn, but whoever has connected by the time it stops is answered."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in sockets or []:
            _take_no_more(listener)
        # Who was connecting is accepted meanwhile. Uvicorn hangs up where no request has been read yet; one may be on
        # its way.
        await asyncio.sleep(SETTLE_SECONDS)
        await super().shutdown(sockets)


def _take_no_more(listener: socket.socket) -> None:
    """Let the kernel drop requests for new connections; it finishes those that it has begun.

    Between the last accept and the close of a port that still takes connections there is always a moment, and who
    connects in it is cut off. A classic BPF program (Linux, socket(7), SO_ATTACH_FILTER) sees TCP segments from their
    header on. Elsewhere the moment stays.
    """
    program = b"".join(struct.pack("HBBI", *step) for step in _NO_SYN)
    kept = ctypes.create_string_buffer(program)
    with contextlib.suppress(OSError):
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_NO_SYN), ctypes.addressof(kept))
        )


def _stop_with_keeper(keeper: int) -> None:
    """A worker without its keeper would hold the port for ever."""
    while os.getppid() == keeper:
        time.sleep(_KEEPER_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _one_heap() -> None:
    """Threads share one heap of the C library (glibc, mallopt(3)); elsewhere nothing happens.

    With one for each thread, every thread's busiest moment stays in memory. Python runs one thread at a time, so nobody
    waits for the heap.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def answer(listener: socket.socket) -> None:
    """Answer until a signal says to stop."""
    _one_heap()
    threading.Thread(target=_stop_with_keeper, args=(os.getppid(),), daemon=True).start()
    listener.setblocking(False)
    app = guarded(LeadliftService.to_asgi())  # before all that BentoML puts before the service
    # On h11, also where httptools is there, which lets requests without a host, with two, or with endless headers pass.
    config = uvicorn.Config(
        app, http=JoinedProtocol, log_config=None, access_log=False, server_header=False, proxy_headers=False
    )
    _Server(config).run(sockets=[listener])
