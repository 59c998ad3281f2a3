"""One system call for an answer, where uvicorn makes two: it writes the head, and then the body.

The second took as much of a processor as parsing the request, and until the caller had acknowledged the head it waited.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD, _INTERIM = b"HTTP/1.1 ", b"HTTP/1.1 1"


class JoinedProtocol(H11Protocol):
    """HTTP/1.1 whose heads go out with what follows them."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_Joined(transport))  # type: ignore[arg-type]


class _Joined:
    """The transport, but the head of an answer waits for the next write, which always comes: the body, or its end.

    An interim answer (100 Continue) does not wait: the caller does.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._head and data.startswith(_HEAD) and not data.startswith(_INTERIM):
            self._head = data
            return
        self._transport.write(self._head + data)
        self._head = b""

    def close(self) -> None:
        self.write(b"")
        self._transport.close()
