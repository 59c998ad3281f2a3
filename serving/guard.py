"""The wall before the service: only known routes, small, plain, strict JSON, not too many, and not too fast.

Everything that does not concern a lead is decided here, so that no framework error page, log line or traceback can
repeat what somebody sent. What passes is parsed already and becomes an answer at once: the framework around it sees
starts and stops, but no request. See docs/decisions/0020-the-guard-answers.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from data.settings import ServingSettings
from serving import strict_json
from serving.desk import Answer
from serving.limiter import Limiter
from serving.metrics import Metrics
from serving.problem import Problem, RequestError, refuse
from serving.routes import INSIGHTS, route_of

BODY_SECONDS, FIRST_SECONDS, SLOWEST = 10.0, 1.0, 20_000  # for a body in all; before it flows; then bytes a second
DRAIN_SECONDS, DRAIN_BYTES = 1.0, 8_000_000
FORM_BYTES = 8_192
RETRY_AFTER_SECONDS = 1.0
_log = logging.getLogger("leadlift")


@dataclass(frozen=True)
class Call:
    """One request that may be answered: its route, the parsed body, and what the reply is to be like."""

    route: str
    document: Any
    query: Mapping[str, str]
    accept_language: str


Page = Callable[[], Answer]
Post = Callable[[Call], Awaitable[Answer]]
Look = Callable[[str], Awaitable[Answer]]
Insights = Callable[[Scope, bytes], Awaitable[Answer]]
Door = Callable[[Scope], Awaitable[Answer | None]]


class Guard:
    """ASGI middleware that answers every request; what is behind it only starts and stops.

    Parameters
    ----------
    pages
        path -> what a GET answers.
    posts
        paths of POST requests.
    post
        what such a request answers; a RequestError is an answer too.
    looks
        route with a lead in its path -> what a GET answers for that lead.
    insights
        what the page answers, who may see it included; given the request and its body.
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
        self, app: ASGIApp, *, pages: Mapping[str, Page], posts: Collection[str], post: Post, looks: Mapping[str, Look],
        insights: Insights, limits: Callable[[], ServingSettings], door: Door, metrics: Metrics, limiter: Limiter, leaving: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.app = app
        self.pages = pages
        self.posts = posts
        self.post = post
        self.looks = looks
        self.insights = insights
        self.limits = limits
        self.door = door
        self.metrics = metrics
        self.limiter = limiter
        self.leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            route, lead_id = route_of(scope["path"])
            await self._counted({**scope, "path": route} if lead_id else scope, lead_id, receive, send)

    async def _counted(self, scope: Scope, lead_id: str, receive: Receive, send: Send) -> None:
        """Answer and count; what goes wrong inside becomes an answer too."""
        started = time.perf_counter()
        answer: Answer | None = None
        try:
            answer = await self._answer(scope, lead_id, receive)
        except Exception as error:
            log_failure(error)
            answer = Answer.of(failure())
        finally:
            warnings = answer.headers.get("Leadlift-Warnings", "") if answer else ""
            status = answer.status if answer else None
            self.metrics.count(scope["path"], status, time.perf_counter() - started, warnings)
        await _send(answer, scope, send, self.leaving())

    async def _answer(self, scope: Scope, lead_id: str, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path == INSIGHTS:
            return await self._shown({**scope, "path": lead_id}, receive)
        if not any(path in routes for routes in (self.pages, self.posts, self.looks)):
            return Answer.of(Problem(404, "See /openapi.json for the routes."))
        if method not in (allowed := ("POST",) if path in self.posts else ("GET", "HEAD")):
            return _not_allowed(", ".join(allowed))
        if refused := await self.door(scope):
            return refused
        if path in self.pages:
            return self.pages[path]()
        if self.metrics.active >= self.limits().max_concurrent:
            return _busy(RETRY_AFTER_SECONDS)
        if seconds := self.limiter.wait(self.limits().max_rate):
            return _busy(seconds)
        if path in self.looks:
            return await self._looked_up(path, lead_id)
        return await self._admitted(scope, receive)

    async def _shown(self, scope: Scope, receive: Receive) -> Answer:
        """The page: GET, and the small forms of signing in and out."""
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return _not_allowed("GET, HEAD, POST")
        if self.metrics.active >= self.limits().max_concurrent:
            return _busy(RETRY_AFTER_SECONDS)
        if seconds := self.limiter.wait(self.limits().max_rate):
            return _busy(seconds)
        self.metrics.active += 1
        try:
            body = await _Body(receive).read(FORM_BYTES) if scope["method"] == "POST" else b""
            return await self.insights(scope, body)
        except RequestError as refused:
            return Answer.of(refused.problem)
        except _GoneError:
            return Answer.of(Problem(408, "The body did not arrive."))
        finally:
            self.metrics.active -= 1

    async def _looked_up(self, route: str, lead_id: str) -> Answer:
        self.metrics.active += 1
        try:
            return await self.looks[route](lead_id)
        finally:
            self.metrics.active -= 1

    async def _admitted(self, scope: Scope, receive: Receive) -> Answer:
        self.metrics.active += 1
        body, headers = _Body(receive), dict(scope["headers"])
        try:
            _check_headers(headers, self.limits().max_body_bytes)
            document = strict_json.loads(await body.read(self.limits().max_body_bytes))
            return await self.post(Call(scope["path"], document, _query(scope), _language(headers)))
        except RequestError as refused:
            if refused.problem.status != 408 and b"expect" not in headers:
                await body.drain()
            return Answer.of(refused.problem)
        except _GoneError:  # nobody reads it, but what is around us waits for an answer
            return Answer.of(Problem(408, "The body did not arrive."))
        finally:
            self.metrics.active -= 1


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
def _query(scope: Scope) -> dict[str, str]:
    """The parameters of the query, the last where one is there twice."""
    text = scope.get("query_string", b"").decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True)) if text else {}


def _language(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"accept-language", b"").decode("latin-1")


def _check_headers(headers: Mapping[bytes, bytes], limit: int) -> None:
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
        with contextlib.suppress(TimeoutError, _GoneError):
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


# -- answers ---------------------------------------------------------------------------------------------------
def _too_large(limit: int) -> RequestError:
    return refuse(f"Expected a body of at most {limit} bytes.", status=413)


def _not_allowed(allowed: str) -> Answer:
    answer = Answer.of(Problem(405, f"Allowed: {allowed}."))
    return Answer(answer.status, answer.body, {**answer.headers, "Allow": allowed})


def _busy(seconds: float) -> Answer:
    """seconds: until it makes sense to come back."""
    whole = math.ceil(seconds)
    answer = Answer.of(Problem(429, f"Try again in {whole} second{'s' * (whole > 1)}."))
    return Answer(answer.status, answer.body, {**answer.headers, "Retry-After": str(whole)})


async def _send(answer: Answer, scope: Scope, send: Send, last: bool) -> None:
    """last: of this connection."""
    headers = {**answer.headers, "Content-Length": str(len(answer.body))} | ({"Connection": "close"} if last else {})
    raw = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
