"""The BentoML service. The only file that knows BentoML.

    leadlift serve                                     or
    bentoml serve serving.service:LeadliftService      market by LEADLIFT_MARKET, home by LEADLIFT_HOME

BentoML runs the process and its workers, starts and stops the service and describes its APIs. Requests are read by
`serving/guard.py`, which hands them to the API methods; they are answered by `serving/desk.py` and written by
`serving/reply.py`, so that the bytes are those of the command line and the batch.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from _bentoml_impl import serde
from bentoml import IODescriptor
from bentoml._internal.server.http import traffic
from pydantic import create_model as make_model
from starlette.types import ASGIApp, Receive, Scope, Send

from data.errors import LeadliftError
from data.settings import ServingSettings, Settings, load_settings
from serving.access import Access
from serving.desk import Answer, Desk, wants_of
from serving.guard import Call, Guard, Post, log_failure
from serving.insights.routes import Insights
from serving.intake import Outcome
from serving.leave import before_leaving
from serving.limiter import Limiter
from serving.metrics import MEDIA_TYPE, Metrics
from serving.problem import Problem
from serving.reply import KEYS
from serving.request import Lead
from serving.routes import HISTORY, INSIGHTS, ROUTES
from serving.scorer import Wants
from serving.watch import SECONDS, Watch

SCORE, BATCH, EVENTS, OUTCOMES = "/v1/score", "/v1/score/batch", "/v1/events", "/v1/outcomes"
HEAVY_EVENTS = 500
NOT_READY = Answer.of(Problem(503, "Not ready yet."))
_log = logging.getLogger("leadlift")

# A body of this type would be unpickled; nobody may even ask for it.
serde.ALL_SERDE.pop("application/vnd.bentoml+pickle", None)


class _Untimed:
    """In the place of BentoML's timer, which keeps the state of each request until it would have gone off: collecting
    that garbage made the slowest answers. Nothing here waits unbounded: bodies, the store and sizes have limits."""

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


traffic.TimeoutMiddleware = _Untimed  # type: ignore[assignment, misc]


class LeadInput(IODescriptor, Lead):
    """What the caller knows of one lead; every field is optional, null means not known."""


class LeadsInput(IODescriptor):
    """Up to 200 leads."""

    leads: list[Lead]


class EventsInput(IODescriptor):
    """Calls as Segment's clients send them: identify, page, track."""

    batch: list[dict[str, Any]]


class OutcomesInput(IODescriptor):
    """What became of leads: converted, lost, cancelled, accepted, rejected."""

    outcomes: list[Outcome]


for _input in (LeadInput, LeadsInput, EventsInput, OutcomesInput):
    _input.__root_input__ = True  # the bare object, not {"lead": {...}}

_TYPES: dict[str, Any] = {"text": str, "number": float, "integer": int, "flag": bool, "time": str}
Reply = make_model("Reply", __base__=IODescriptor, **{k: (_TYPES[kind] | None, None) for k, kind in KEYS.items()})


class Replies(IODescriptor):
    """One result per lead, in order: {"status": "ok", "reply"} or {"status": "error", "error"}."""

    results: list[dict[str, Any]]


class Taken(IODescriptor):
    """read = accepted + duplicate + rejected + passed_over; rejects name index, reason and field of each bad row."""

    read: int
    accepted: int
    duplicate: int
    rejected: int
    passed_over: int
    rejects: list[dict[str, Any]]


class _Front:
    """What is behind the counter now: read by the guard, set by the service. One assignment swaps it."""

    desk: Desk | None = None
    access: Access | None = None
    leaving = False
    watching: asyncio.Task[None] | None = None
    threads: ThreadPoolExecutor | None = None
    posts: Mapping[str, Post] | None = None
    insights: Insights | None = None
    metrics = Metrics((*ROUTES, INSIGHTS))
    limiter = Limiter()

    def limits(self) -> ServingSettings:
        return self.desk.limits if self.desk else ServingSettings()

    def market(self) -> str | None:
        return self.desk.scorer.market if self.desk else None

    def live(self) -> Answer:
        return _page(200, {"status": "alive"})

    def ready(self) -> Answer:
        if self.leaving:
            return Answer.of(Problem(503, "About to stop."))
        if self.desk is None:
            return NOT_READY
        return _page(200, self.desk.state())

    def openapi(self) -> Answer:
        if self.desk is None:
            return NOT_READY
        return Answer(200, self.desk.openapi, {"Content-Type": "application/json"})

    def counts(self) -> Answer:
        if self.desk is None:
            return NOT_READY
        return Answer(200, self.metrics.text(self.desk.state()), {"Content-Type": MEDIA_TYPE})

    def leave(self) -> None:
        self.leaving = True

    async def watch(self, watch: Watch) -> None:
        """Swap the desk whenever the home says something else."""
        while self.desk is not None:
            await asyncio.sleep(SECONDS)
            try:
                before = self.desk
                found = await asyncio.to_thread(watch.next, before)
                if found is not before:
                    self.desk = found
            except Exception as error:
                log_failure(error)

    async def door(self, request: Scope) -> Answer | None:
        if self.access is None:
            return NOT_READY
        return await self.access.refusal(request)

    async def history(self, lead_id: str) -> Answer:
        if self.desk is None:
            return NOT_READY
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.desk.history_of, lead_id)

    async def page(self, request: Scope, body: bytes) -> Answer:
        if self.insights is None or self.desk is None:
            return NOT_READY
        return await self.insights.answer(request, body, self.threads)

    async def post(self, call: Call) -> Answer:
        if self.posts is None:
            return NOT_READY
        return await self.posts[call.route](call)


def _page(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


FRONT = _Front()


@bentoml.service(
    name="leadlift",
    workers=1,
    traffic={"timeout": 30},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    tracing={"excluded_urls": [".*"]},  # all: what a span would hold of a request is nobody's business
)
class LeadliftService:
    """Probability, points and reasons for one lead, or for up to 200."""

    def __init__(self) -> None:
        self._settings = _settings()
        FRONT.access = Access(self._settings.home, self._settings.serving.host)
        FRONT.insights = Insights(self._settings.home, FRONT.access, FRONT.market)
        FRONT.posts = {api.route: partial(api.func, self) for api in LeadliftService.apis.values()}

    @bentoml.on_startup
    async def begin(self) -> None:
        """Open the desk, then watch for promotions."""
        before_leaving(FRONT.leave)
        # As many as may be answered at once: one that waits for the store must not keep another from waiting.
        FRONT.threads = ThreadPoolExecutor(self._settings.serving.max_concurrent, "leadlift-answer")
        watch = Watch(self._settings)
        FRONT.desk = await asyncio.to_thread(watch.first)
        FRONT.watching = asyncio.create_task(FRONT.watch(watch))
        # What is there now stays: the collector need not look at it again with every few thousand requests.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)

    @bentoml.on_shutdown
    async def end(self) -> None:
        """Stop watching."""
        if FRONT.watching is not None:
            FRONT.watching.cancel()

    @bentoml.api(route=SCORE, input_spec=LeadInput, output_spec=Reply)
    async def score(self, lead: Call, /) -> Answer:
        """One lead: a flat object in, a flat reply out. Query: detail=full, reasons=none|ready|all, lang=en|de."""
        return await _answer(lead, Desk.score, _many_events(lead.document))

    @bentoml.api(route=BATCH, input_spec=LeadsInput, output_spec=Replies)
    async def score_batch(self, leads: Call, /) -> Answer:
        """Up to 200 leads: {"leads": [...]} in, {"results": [{"status", "reply"|"error"}]} out, in order."""
        return await _answer(leads, Desk.score_batch, True)

    @bentoml.api(route=EVENTS, input_spec=EventsInput, output_spec=Taken)
    async def events(self, events: Call, /) -> Answer:
        """Segment-style calls: {"batch": [...]}. Idempotent by messageId; after the answer they count."""
        return await _answer(events, Desk.take_events, True)

    @bentoml.api(route=OUTCOMES, input_spec=OutcomesInput, output_spec=Taken)
    async def outcomes(self, outcomes: Call, /) -> Answer:
        """Outcomes: {"outcomes": [...]}, the labels of the next training. One told again counts once."""
        return await _answer(outcomes, Desk.take_outcomes, True)


async def _answer(call: Call, act: Callable[[Desk, Any, Wants, int], Answer], heavy: bool) -> Answer:
    """From one desk from beginning to end. heavy: worth a thread of its own, so that short requests need not wait."""
    desk = FRONT.desk
    if desk is None:
        return NOT_READY
    wants, now = wants_of(call.query, call.accept_language), time.time_ns() // 1000
    if heavy or desk.asks_store(call.document):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(FRONT.threads, act, desk, call.document, wants, now)
    return act(desk, call.document, wants, now)


def _many_events(document: Any) -> bool:
    events = document.get("events") if isinstance(document, dict) else None
    return isinstance(events, list) and len(events) > HEAVY_EVENTS


def _settings() -> Settings:
    """The settings; where they cannot be read the defaults, but to nobody without a key."""
    config = os.environ.get("LEADLIFT_CONFIG")
    try:
        return load_settings(Path(config) if config else None)
    except LeadliftError as wrong:
        _log.error("settings are not used: %s", wrong)
        home = Path(os.environ.get("LEADLIFT_HOME") or ".leadlift")
        return Settings(home=home, serving=ServingSettings(host="not known"))


PAGES = {"/livez": FRONT.live, "/readyz": FRONT.ready, "/openapi.json": FRONT.openapi, "/metrics": FRONT.counts}
POSTS = (SCORE, BATCH, EVENTS, OUTCOMES)
LOOKS = {HISTORY: FRONT.history}


def guarded(app: ASGIApp) -> Guard:
    """The service behind its guard, which answers; the application only starts and stops."""
    return Guard(
        app, pages=PAGES, posts=POSTS, post=FRONT.post, looks=LOOKS, insights=FRONT.page, limits=FRONT.limits, door=FRONT.door,
        metrics=FRONT.metrics, limiter=FRONT.limiter, leaving=lambda: FRONT.leaving,
    )  # fmt: skip


LeadliftService.add_asgi_middleware(guarded)  # where BentoML serves it
