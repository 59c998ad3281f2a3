"""The wall before the service: hostile requests get a quick, silent 4xx; good ones pass parsed."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.types import Message, Receive, Scope, Send

from data.settings import ServingSettings
from serving.desk import Answer
from serving.guard import Call, Door, Guard, Post
from serving.limiter import Limiter
from serving.metrics import Metrics
from serving.problem import refuse
from serving.routes import HISTORY

LIMITS = ServingSettings(max_body_bytes=1000, max_concurrent=2)
SECRET = "jane.doe@example.com"


async def echo(call: Call) -> Answer:
    """Answers with the parsed document."""
    if call.document == "fail":
        raise RuntimeError(SECRET)
    if call.document == "refuse":
        raise refuse("It cannot be used.")
    return Answer(200, json.dumps(call.document).encode())


async def open_to_all(scope: Scope) -> Answer | None:
    return None


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the guard gets no request."""
    raise AssertionError


def guard(
    post: Post = echo, door: Door = open_to_all, limits: ServingSettings = LIMITS, limiter: Limiter | None = None
) -> Guard:
    pages = {"/readyz": lambda: Answer(200, b"ok"), "/broken": broken_page}
    return Guard(
        nothing, pages=pages, posts=("/v1/score",), post=post, looks={HISTORY: name}, insights=nobody, limits=lambda: limits, door=door,
        metrics=Metrics(("/readyz", "/v1/score", HISTORY)), limiter=limiter or Limiter(), leaving=lambda: False,
    )  # fmt: skip


async def name(lead_id: str) -> Answer:
    """Answers with the lead of the path."""
    return Answer(200, lead_id.encode())


async def nobody(scope: Scope, body: bytes) -> Answer:
    raise AssertionError


def broken_page() -> Answer:
    raise RuntimeError(SECRET)


async def call(
    wall: Guard,
    parts: list[bytes],
    headers: dict[str, str] | None = None,
    method: str = "POST",
    path: str = "/v1/score",
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request whose body arrives in these parts."""
    incoming: list[Message] = [
        {"type": "http.request", "body": p, "more_body": i < len(parts) - 1} for i, p in enumerate(parts)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    await wall({"type": "http", "method": method, "path": path, "headers": raw}, receive, send)
    if not sent:
        return 0, {}, b""
    found = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent[1:])


def status(*parts: bytes, headers: dict[str, str] | None = None, method: str = "POST", path: str = "/v1/score") -> int:
    return asyncio.run(call(guard(), list(parts), headers, method, path))[0]


def test_a_good_body_passes_parsed_however_it_is_cut():
    assert asyncio.run(call(guard(), [b'{"a"', b":1", b"}"]))[2] == b'{"a": 1}'
    assert status(b"{}", headers={"Content-Type": "application/json; charset=UTF-8", "Content-Length": "2"}) == 200


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Length": "1001"}, 413), ({"Content-Length": "9" * 400}, 413), ({"Content-Length": "x"}, 413),
        ({"Content-Encoding": "gzip"}, 415), ({"Content-Encoding": "identity"}, 200),
        ({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/vnd.bentoml+pickle"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=latin-1"}, 415),
    ],
)  # fmt: skip
def test_headers_decide_before_the_body_is_read(headers, expected):
    assert status(b"{}", headers=headers) == expected


def test_two_ways_to_tell_the_length_are_one_too_many():
    assert status(b"{}", headers={"Content-Length": "2", "Transfer-Encoding": "chunked"}) == 400
    assert status(b"{}", headers={"Transfer-Encoding": "chunked"}) == 200


@pytest.mark.parametrize(("bytes_each", "expected"), [(0, 408), (1, 408), (200, 200)])
def test_a_body_that_drips_is_given_up_and_one_that_flows_is_not(monkeypatch, bytes_each, expected):
    """Five parts, each some time after the other; together longer than a body may take that does not flow."""
    monkeypatch.setattr("serving.guard.FIRST_SECONDS", 0.1)
    monkeypatch.setattr("serving.guard.SLOWEST", 100)
    parts = [b"[" + b" " * bytes_each, *[b" " * bytes_each] * 3, b"]"]

    async def drip() -> int:
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.sleep(0.06 if len(parts) < 5 else 0)
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        async def send(message: Message) -> None:
            sent.append(message)

        await guard()({"type": "http", "method": "POST", "path": "/v1/score", "headers": []}, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(drip()) == expected


def test_a_body_that_lies_about_its_length_is_counted():
    assert status(b'"' + b"x" * 600, b"x" * 600 + b'"', headers={"Content-Length": "10"}) == 413


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b"[" * 900])
def test_what_is_not_strict_json_is_a_400(body):
    assert status(body) == 400


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/metrics", "/healthz", "/v1/score/", "/v1/scor"])
def test_unknown_routes_and_the_frameworks_pages_are_closed(path):
    assert status(b"{}", path=path) == 404
    assert status(method="GET", path=path) == 404


def test_other_methods_name_the_allowed_ones():
    code, headers, _ = asyncio.run(call(guard(), [], method="GET"))
    assert (code, headers["allow"], headers["content-type"]) == (405, "POST", "application/problem+json")
    assert status(b"{}", path="/readyz") == 405
    assert asyncio.run(call(guard(), [], method="HEAD", path="/readyz"))[2] == b""


@pytest.mark.parametrize("lead_id", ["L1", "a/b", "history", "Größe 1", SECRET])
def test_a_lead_in_a_path_is_seen_by_its_answer_alone(lead_id: str) -> None:
    seen: list[str] = []

    async def noted(scope: Scope) -> Answer | None:
        seen.append(scope["path"])
        return None

    wall = guard(door=noted)
    assert asyncio.run(call(wall, [], method="GET", path=f"/v1/leads/{lead_id}/history"))[::2] == (
        200,
        lead_id.encode(),
    )
    assert seen == [HISTORY]
    state = {"status": "ready", "market": None, "target": "t", "model_version": "m", "rules_version": "r"}
    assert f'leadlift_requests_total{{route="{HISTORY}",status="200"}} 1' in wall.metrics.text(state).decode()
    assert status(path=f"/v1/leads/{lead_id}/history") == 405
    for path in ("/v1/leads//history", "/v1/leads/history", f"/v1/leads/{lead_id}", f"/v1/leads/{lead_id}/history/"):
        assert status(method="GET", path=path) == 404


def test_too_many_at_once_are_told_when_to_come_back():
    async def crowd() -> list[tuple[int, dict[str, str], bytes]]:
        wall = guard()
        first = await asyncio.gather(*(call(wall, [b"{", b"}"]) for _ in range(5)))
        return [*first, await call(wall, [b"{}"])]

    answers = asyncio.run(crowd())
    assert [a[0] for a in answers] == [200, 200, 429, 429, 429, 200]
    assert answers[2][1]["retry-after"] == "1"


def test_who_asks_too_fast_is_turned_away_before_the_body_is_read_and_told_when_to_come_back():
    """Two a second, then one every four seconds; the clock is the test's."""
    moment, sent = 0.0, []
    limits = ServingSettings(max_rate=2.0)

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        sent.append(message)

    async def refused(wall: Guard) -> str:
        await wall({"type": "http", "method": "POST", "path": "/v1/score", "headers": []}, receive, send)
        head = sent[-2]
        return f"{head['status']} {dict(head['headers'])[b'retry-after'].decode()}"

    wall = guard(limits=limits, limiter=Limiter(lambda: moment))
    assert [asyncio.run(call(wall, [b"{}"]))[0] for _ in range(2)] == [200, 200]
    assert asyncio.run(refused(wall)) == "429 1"
    moment = 0.5
    assert asyncio.run(call(wall, [b"{}"]))[0] == 200
    wall.limits = lambda: ServingSettings(max_rate=0.25)
    assert asyncio.run(refused(wall)) == "429 4"
    moment = 2.0
    assert asyncio.run(refused(wall)) == "429 3"
    moment = 4.5
    assert asyncio.run(call(wall, [b"{}"]))[0] == 200
    assert asyncio.run(call(wall, [], method="GET", path="/readyz"))[0] == 200


def test_a_caller_that_hangs_up_frees_its_place():
    async def gone() -> int:
        wall = guard()
        for _ in range(5):
            incomplete = [{"type": "http.disconnect"}]

            async def receive(left: list[Message] = incomplete) -> Message:
                return left[0]

            scope = {"type": "http", "method": "POST", "path": "/v1/score", "headers": []}
            sent: list[Message] = []

            async def send(message: Message, into: list[Message] = sent) -> None:
                into.append(message)

            await wall(scope, receive, send)
            assert [m.get("status") for m in sent] == [408, None]
        return wall.metrics.active

    assert asyncio.run(gone()) == 0


def test_a_request_that_cannot_be_used_is_a_400():
    assert status(b'"refuse"') == 400


def test_an_answer_is_made_of_route_body_query_and_language():
    calls = []

    async def noted(call: Call) -> Answer:
        calls.append(call)
        return Answer(200, b"")

    scope = {"type": "http", "method": "POST", "path": "/v1/score", "query_string": b"lang=de&lang=en&detail=",
             "headers": [(b"accept-language", b"de-AT")]}  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b'{"a":1}', "more_body": False}

    async def send(message: Message) -> None:
        pass

    asyncio.run(guard(noted)(scope, receive, send))
    assert calls == [Call("/v1/score", {"a": 1}, {"lang": "en", "detail": ""}, "de-AT")]


def test_a_failure_inside_is_a_500_and_its_message_stays_inside(caplog):
    with caplog.at_level(logging.DEBUG):
        code, headers, body = asyncio.run(call(guard(), [b'"fail"']))
    assert code == 500
    assert headers["content-type"] == "application/problem+json"
    assert SECRET not in body.decode() + caplog.text
    assert "RuntimeError at test_guard.py" in caplog.text


def test_a_page_that_fails_is_a_500_too(caplog):
    code, headers, body = asyncio.run(call(guard(), [], method="GET", path="/broken"))
    assert (code, headers["content-type"]) == (500, "application/problem+json")
    assert SECRET not in body.decode() + caplog.text


def test_who_may_not_pass_reaches_neither_pages_nor_application():
    async def shut(scope: Scope) -> Answer | None:
        return Answer(401, b"no")

    for method, path in (("POST", "/v1/score"), ("GET", "/readyz")):
        assert asyncio.run(call(guard(door=shut), [b'"fail"'], method=method, path=path))[::2] == (401, b"no")
    assert asyncio.run(call(guard(door=shut), [b"{}"], path="/v1/nothing"))[0] == 404


def test_every_answer_is_counted_once_by_route_and_status():
    wall = guard()

    async def some() -> None:
        for path in ("/v1/score", "/v1/score", "/readyz", "/of/jane.doe@example.com"):
            await call(wall, [b"{}"], path=path)
        await call(wall, [b"{"])

    asyncio.run(some())
    said = wall.metrics.text(
        {"status": "ready", "market": None, "target": "t", "model_version": "m", "rules_version": "r"}
    )
    for line in ('{route="/v1/score",status="200"} 2', '{route="/v1/score",status="400"} 1',
                 '{route="/readyz",status="405"} 1', '{route="other",status="404"} 1'):  # fmt: skip
        assert f"leadlift_requests_total{line}\n" in said.decode()
    assert SECRET not in said.decode()


@pytest.mark.parametrize("body", [f'{{"a":"{SECRET}"', f'{{"{SECRET}":1,"{SECRET}":2}}', f'["{SECRET}",NaN]'])
def test_no_error_body_repeats_the_request(body):
    _, headers, answer = asyncio.run(call(guard(), [body.encode()], {"Content-Type": "application/json"}))
    assert headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.decode()
    assert json.loads(answer)["status"] == 400


def test_websockets_are_refused():
    async def knock() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await guard()({"type": "websocket", "path": "/v1/score"}, send, send)
        return sent

    assert asyncio.run(knock()) == [{"type": "websocket.close", "code": 1008}]
