"""The wall before the service: only known routes, small, plain, strict JSON, not too many at once.

Everything that does not concern a lead is decided here, before the framework sees the request, so that no framework
error page, log line or traceback can repeat what somebody sent. What passes is parsed already: the document lies in
`scope[DOCUMENT]`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from data.settings import ServingSettings
from serving import strict_json
from serving.desk import Answer
from serving.metrics import Metrics
from serving.problem import Problem, RequestError, refuse

DOCUMENT = "leadlift.document"
BODY_SECONDS, FIRST_SECONDS, SLOWEST = 10.0, 1.0, 20_000  # for a body in all; before it flows; then bytes a second
DRAIN_SECONDS, DRAIN_BYTES = 1.0, 8_000_000
RETRY_AFTER_SECONDS = 1
_log = logging.getLogger("leadlift")

Page = Callable[[], Answer]
Door = Callable[[Scope], Awaitable[Answer | None]]


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    pages
        path -> what a GET answers, without the application.
    posts
        paths of POST requests that pass to the application.
    limits
        gives the settings in force.
    door
        gives the answer to who may not pass, None to who may.
    metrics
        counts what was answered.
    leaving
        whether the service is about to stop: callers are told to come back by a new connection.
    """

    def __init__(
        self, app: ASGIApp, *, pages: Mapping[str, Page], posts: Collection[str],
        limits: Callable[[], ServingSettings], door: Door, metrics: Metrics, leaving: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.app = app
        self.pages = pages
        self.posts = posts
        self.limits = limits
        self.door = door
        self.metrics = metrics
        self.leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and count; what goes wrong here or inside becomes an answer too."""
        started, warnings = time.perf_counter(), ""
        status: int | None = None

        async def noted(message: Message) -> None:
            nonlocal status, warnings
            if message["type"] == "http.response.start":
                status = message["status"]
                warnings = dict(message["headers"]).get(b"leadlift-warnings", b"").decode()
                if self.leaving():
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        try:
            await self._http(scope, receive, noted)
        except Exception as error:
            log_failure(error)
            if status is None:
                await _send(Answer.of(failure()), scope, noted)
        finally:
            self.metrics.count(scope["path"], status, time.perf_counter() - started, warnings)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if path not in self.pages and path not in self.posts:
            await _send(Answer.of(Problem(404, "See /openapi.json for the routes.")), scope, send)
        elif method not in (allowed := ("GET", "HEAD") if path in self.pages else ("POST",)):
            await _send(_not_allowed(", ".join(allowed)), scope, send)
        elif refused := await self.door(scope):
            await _send(refused, scope, send)
        elif path in self.pages:
            await _send(self.pages[path](), scope, send)
        elif self.metrics.active >= self.limits().max_concurrent:
            await _send(_busy(), scope, send)
        else:
            await self._admitted(scope, receive, send)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.metrics.active += 1
        body = _Body(receive)
        try:
            _check_headers(scope, self.limits().max_body_bytes)
            scope[DOCUMENT] = strict_json.loads(await body.read(self.limits().max_body_bytes))
            await self.app(scope, _nothing_more, send)
        except RequestError as refused:
            await self._refuse(refused.problem, body, scope, send)
        except _GoneError:  # nobody reads it, but what is around us waits for an answer
            await _send(Answer.of(Problem(408, "The body did not arrive.")), scope, send)
        finally:
            self.metrics.active -= 1

    async def _refuse(self, problem: Problem, body: _Body, scope: Scope, send: Send) -> None:
        with contextlib.suppress(_GoneError):
            if problem.status != 408 and not any(name == b"expect" for name, _ in scope["headers"]):
                await body.drain()
            await _send(Answer.of(problem), scope, send)


class _GoneError(Exception):
    """The caller hung up before the body was there."""


def failure() -> Problem:
    """What a caller sees of an error that is ours."""
    return Problem(500, "Nothing was stored. Try again; if it stays, look at the service's log.")


def log_failure(error: Exception) -> None:
    """Log what failed and where, never its message: it may hold values of the request."""
    frames = traceback.extract_tb(error.__traceback__)
    at = " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in reversed(frames[-4:]))
    _log.error("request failed: %s at %s", type(error).__name__, at)


# -- reading ---------------------------------------------------------------------------------------------------
def _check_headers(scope: Scope, limit: int) -> None:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"", b"identity"):
        raise refuse("Compressed bodies are not read.", status=415)
    media, _, parameters = headers.get(b"content-type", b"application/json").lower().partition(b";")
    if media.strip() != b"application/json" or (b"charset" in parameters and b"utf-8" not in parameters):
        raise refuse("Expected Content-Type: application/json in UTF-8.", status=415)
    if b"transfer-encoding" in headers and b"content-length" in headers:
        raise refuse("Expected one way to tell the body's length, got two.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > limit:
        raise _too_large(limit)


class _Body:
    """The body of one request, counted while it arrives: its headers may lie or be absent."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._more = True

    async def read(self, limit: int) -> bytes:
        """All of it; a 413 above the limit, a 408 where it takes too long, or drips."""
        parts: list[bytes] = []
        size, started = 0, asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(FIRST_SECONDS) as clock:
                while self._more:
                    parts.append(await self._next())
                    size += len(parts[-1])
                    if size > limit:
                        raise _too_large(limit)
                    if self._more:
                        clock.reschedule(started + min(BODY_SECONDS, FIRST_SECONDS + size / SLOWEST))
        except TimeoutError:
            detail = f"The body must arrive within {BODY_SECONDS:.0f} seconds, {SLOWEST} bytes or more in each."
            raise refuse(detail, status=408) from None
        return b"".join(parts)

    async def drain(self) -> None:
        """Read on for a moment and throw away: many clients send everything before they look at an answer."""
        left = DRAIN_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._more and left > 0:
                    left -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _GoneError
        self._more = message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part


async def _nothing_more() -> Message:
    """What the application may still receive: the body was read here."""
    return {"type": "http.request", "body": b"", "more_body": False}


# -- answers ---------------------------------------------------------------------------------------------------
def _too_large(limit: int) -> RequestError:
    return refuse(f"Expected a body of at most {limit} bytes.", status=413)


def _not_allowed(allowed: str) -> Answer:
    answer = Answer.of(Problem(405, f"Allowed: {allowed}."))
    return Answer(answer.status, answer.body, {**answer.headers, "Allow": allowed})


def _busy() -> Answer:
    answer = Answer.of(Problem(429, f"Try again in {RETRY_AFTER_SECONDS} second."))
    return Answer(answer.status, answer.body, {**answer.headers, "Retry-After": str(RETRY_AFTER_SECONDS)})


async def _send(answer: Answer, scope: Mapping[str, Any], send: Send) -> None:
    headers = {**answer.headers, "Content-Length": str(len(answer.body))}
    raw = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
