"""One worker of `leadlift serve`: the service in uvicorn, on a socket it is handed. `serving/keeper.py` starts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time

import uvicorn

from serving.service import LeadliftService, guarded

SETTLE_SECONDS = 0.3
_KEEPER_SECONDS = 1.0


class _Server(uvicorn.Server):
    """Uvicorn, but whoever has connected by the time it stops is answered."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        late = [one for listener in sockets or [] for one in _waiting(listener)]
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for one in late:
            await loop.connect_accepted_socket(self._protocol, one)
        # Uvicorn hangs up where no request has been read yet; one may be on its way.
        await asyncio.sleep(SETTLE_SECONDS)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _waiting(listener: socket.socket) -> list[socket.socket]:
    """Connections that the kernel has made and nobody has taken yet."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(listener.accept()[0])
    return found


def _stop_with_keeper(keeper: int) -> None:
    """A worker without its keeper would hold the port for ever."""
    while os.getppid() == keeper:
        time.sleep(_KEEPER_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def answer(listener: socket.socket) -> None:
    """Answer until a signal says to stop."""
    threading.Thread(target=_stop_with_keeper, args=(os.getppid(),), daemon=True).start()
    listener.setblocking(False)
    app = guarded(LeadliftService.to_asgi())  # before all that BentoML puts before the service
    # h11, also where httptools is there, which lets requests without a host, with two, or with endless headers pass.
    config = uvicorn.Config(
        app, http="h11", log_config=None, access_log=False, server_header=False, proxy_headers=False
    )
    _Server(config).run(sockets=[listener])
