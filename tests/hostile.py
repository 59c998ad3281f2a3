"""Requests that nobody means well with, as the bytes that are sent, and how to send them. Each must get a 4xx.

`tests/test_hostile.py` looks at the answers, `tests/bench/endpoint_hostile.py` at the time they take.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SCORE, BATCH, EVENTS, OUTCOMES = "/v1/score", "/v1/score/batch", "/v1/events", "/v1/outcomes"
MARK = "jane.canary@example.com"  # in every request that can hold it; never to be seen again
LIMIT = 1_000_000
WHEN = '"occurred_at":"2026-01-01T00:00:00Z"'
VIEW = f'{{"type":"page_view",{WHEN},"url":"https://www.example.com/{MARK}"}}'
HANDED_OUT = 30.0  # seconds after which a request counts as never answered


@dataclass(frozen=True)
class Case:
    """One request. parts: its bytes, sent with `pause` seconds between them, the last of them perhaps never."""

    name: str
    parts: tuple[bytes, ...]
    pause: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What came back (status 0 = nothing), and the seconds from the first byte sent to the answer's end."""

    status: int
    text: str
    seconds: float


def cases() -> list[Case]:
    return [*_bodies(), *_wrong_types(), *_headers(), *_cut(), *_routes()]


def _request(
    path: str, body: bytes = b"", *more: str, method: str = "POST", media: str | None = "application/json",
    length: str | None = "", host: str = "127.0.0.1",
) -> bytes:  # fmt: skip
    """A whole request. length: "" = the true one, None = no header."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *more]
    if media is not None:
        lines.append(f"Content-Type: {media}")
    if length is not None:
        lines.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _bodies() -> Iterator[Case]:
    """Bodies that are no JSON, no JSON object, or too much of one."""
    deep, long = 200_000, "9" * 5000
    bodies: dict[str, str | bytes] = {
        "empty body": "",
        "blanks": " \n\t ",
        "half an object": f'{{"title":"{MARK}"',
        "two documents": f'{{"title":"{MARK}"}}{{}}',
        "trailing comma": f'{{"title":"{MARK}",}}',
        "single quotes": f"{{'title':'{MARK}'}}",
        "a comment": f'{{"title":"CEO"/*{MARK}*/}}',
        "byte order mark": b"\xef\xbb\xbf{}",
        "UTF-16": f'{{"title":"{MARK}"}}'.encode("utf-16"),
        "invalid UTF-8": f'{{"title":"{MARK}'.encode() + b'\xff\xfe"}',
        "overlong UTF-8": b'{"title":"\xc0\xaf"}',
        "lone surrogate": f'{{"title":"{MARK}\\ud800"}}',
        "surrogates reversed": f'{{"title":"{MARK}\\udc00\\ud800"}}',
        "NUL byte": f'{{"title":"{MARK}\0"}}',
        "escaped NUL": f'{{"title":"{MARK}\\u0000"}}',
        "control character": f'{{"title":"{MARK}\x01"}}',
        "NaN": f'{{"title":"{MARK}","employees":NaN}}',
        "Infinity": f'{{"title":"{MARK}","employees":-Infinity}}',
        "number beyond a float": f'{{"title":"{MARK}","employees":1e999}}',
        "number of 5,000 digits": f'{{"title":"{MARK}","employees":{long}}}',
        "integer beyond a float": f'{{"title":"{MARK}","employees":{"9" * 400}}}',
        "duplicate key": f'{{"title":"CEO","title":"{MARK}"}}',
        "duplicate key, escaped": f'{{"title":"CEO","titl\\u0065":"{MARK}"}}',
        "duplicate key of an event": f'{{"events":[{{"type":"form","type":"{MARK}",{WHEN}}}]}}',
        "deep arrays": "[" * deep + "]" * deep,
        "deep arrays without end": "[" * 900_000,
        "deep objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
        "deep value of a field": f'{{"title":{"[" * deep}"{MARK}"{"]" * deep}}}',
        "an array": f'["{MARK}"]',
        "a text": f'"{MARK}"',
        "a number": "4711",
        "null": "null",
        "empty object": "{}",
        "only nulls": '{"title":null,"events":null}',
        "unknown field": f'{{"title":"CEO","{MARK}":1}}',
        "80,000 unknown fields": "{" + ",".join(f'"a{i}":1' for i in range(80_000)) + "}",
        "one key of a megabyte": f'{{"{MARK}{"k" * 990_000}":1}}',
        "prototype keys": f'{{"__proto__":{{"{MARK}":1}},"constructor":{{}},"__class__":"os"}}',
        "very long text": f'{{"title":"{MARK}{"x" * 900_000}"}}',
        "very long id": f'{{"lead_id":"{MARK}{"x" * 10_000}"}}',
        "10,001 events": f'{{"events":[{",".join(["{}"] * 10_001)}]}}',
        "190,000 nulls as events": f'{{"events":[{",".join(["null"] * 190_000)}]}}',
        "a megabyte and a byte": f'{{"title":"{MARK}"}}'.ljust(LIMIT + 1),
        "eight megabytes": f'{{"title":"{MARK}{"x" * 8_000_000}"}}',
        "a pickle as JSON": b"\x80\x04\x95\x1a\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x94\x8c\x04true\x85R.",
    }  # fmt: skip
    for name, body in bodies.items():
        yield Case(name, (_request(SCORE, body if isinstance(body, bytes) else body.encode()),))
    nested = {"leads": {"leads": [{"title": MARK}]}}
    for name, path, document in (
        ("batch of a batch", BATCH, nested), ("batch as a lead", SCORE, {"leads": [{"title": MARK}]}),
        ("array as a batch", BATCH, [{"title": MARK}]), ("201 leads", BATCH, {"leads": [{"title": MARK}] * 201}),
        ("batch with more beside it", BATCH, {"leads": [], MARK: 1}),
        ("10,001 calls", EVENTS, {"batch": [{}] * 10_001}), ("calls as an object", EVENTS, {"batch": {MARK: 1}}),
        ("calls with more beside them", EVENTS, {"batch": [], MARK: 1}), ("calls as a list", EVENTS, [MARK]),
        ("outcomes as a text", OUTCOMES, {"outcomes": MARK}), ("10,001 outcomes", OUTCOMES, {"outcomes": [{}] * 10_001}),
    ):  # fmt: skip
        yield Case(name, (_request(path, json.dumps(document).encode()),))


def _wrong_types() -> Iterator[Case]:
    """Something else in every place where something is expected."""
    wrong = {
        "lead_id": [1, True, [MARK], {MARK: 1}], "title": [4711, False, {"$ne": MARK}], "employees": ["12", True, -1, [1]],
        "email": ["@", MARK + "@@", 1], "created_at": ["now", 0, "2026-02-30T00:00:00Z", "2026-01-01T00:00:00"],
        "as_of": ["9999-99-99T00:00:00Z", "10000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T25:00:00Z",
                  "2026-01-01T00:00:60Z", "2026-01-01T00:00:00+99:00", "", "2026-01-01", 1e18, f"2026-01-01T00:00:00Z{MARK}"],
        "events": [MARK, 1, {}, [MARK], [[{}]], [None], [{}]],
    }  # fmt: skip
    for field, values in wrong.items():
        for i, value in enumerate(values):
            yield Case(
                f"{field} of a wrong kind, {i}",
                (_request(SCORE, json.dumps({"country": "DE", field: value}).encode()),),
            )
    of_event = {
        "type": ["pageview", 1, None], "occurred_at": [None, "yesterday", 1767222000], "dwell_seconds": [-1, "3", True],
        "url": [["x"], 1], "is_bot": [1, "false"], "direction": ["sideways"], "lead_id": [MARK], MARK: [1],
    }  # fmt: skip
    for field, values in of_event.items():
        for i, value in enumerate(values):
            event = {"type": "form", "occurred_at": "2026-01-01T00:00:00Z", field: value}
            yield Case(f"an event's {field} of a wrong kind, {i}".replace(MARK, "unknown field"),
                       (_request(SCORE, json.dumps({"events": [event]}).encode()),))  # fmt: skip


def _headers() -> Iterator[Case]:
    """Headers that promise something else than a small JSON body."""
    good = f'{{"title":"{MARK}"}}'.encode()
    bomb = gzip.compress(b'{"title":"' + b"x" * 50_000_000 + b'"}')
    chunked, body = "Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(good), good)
    yield Case("gzip bomb", (_request(SCORE, bomb, "Content-Encoding: gzip"),))
    yield Case("gzip, not said so", (_request(SCORE, gzip.compress(good)),))
    yield Case("said to be brotli", (_request(SCORE, good, "Content-Encoding: br"),))
    for media in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
        "application/vnd.bentoml+pickle", "application/octet-stream", "application/json; charset=latin-1",
        "application/x-python-serialize", "application/jsonx", f"text/{MARK.replace('@', '')}",
    ):  # fmt: skip
        yield Case(
            f"media type {media}".replace(MARK.replace("@", ""), "of a canary"), (_request(SCORE, good, media=media),)
        )
    yield Case("length and chunks", (_request(SCORE, body, chunked),))
    yield Case("chunks and another length", (_request(SCORE, body, chunked, length="5"),))
    yield Case(
        "chunks, then a hidden request",
        (_request(SCORE, b"0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", chunked, length=None),),
    )
    yield Case("two lengths", (_request(SCORE, good, f"Content-Length: {len(good) - 1}"),))
    yield Case("length with a sign", (_request(SCORE, good, length=f"+{len(good)}"),))
    yield Case("length of a hundred digits", (_request(SCORE, good, length="9" * 100),))
    yield Case("length below zero", (_request(SCORE, good, length="-1"),))
    yield Case("length in words", (_request(SCORE, good, length=MARK),))
    yield Case("a gigabyte promised", (_request(SCORE, good, length="1000000000"),))
    yield Case(
        "unknown transfer encoding", (_request(SCORE, body, "Transfer-Encoding: chunked, identity", length=None),)
    )
    yield Case("transfer encoding twice", (_request(SCORE, body, chunked, chunked, length=None),))
    yield Case("space before the colon", (_request(SCORE, good, "Transfer-Encoding : chunked"),))
    yield Case("no host", (_request(SCORE, good).replace(b"Host: 127.0.0.1\r\n", b""),))
    yield Case("two hosts", (_request(SCORE, good, f"Host: {MARK}"),))
    yield Case("a header of 200 KB", (_request(SCORE, good, f"X-Much: {MARK * 9000}"),))
    yield Case("no HTTP", (f"{MARK}\r\n\r\n".encode(),))
    yield Case("a bare line feed in the head", (f"POST {SCORE} HTTP/1.1\nHost: x\n{MARK}\n\n".encode(),))


def _cut() -> Iterator[Case]:
    """Bodies that come in pieces: too much of them, too slowly, or not at all."""
    head = _request(SCORE, b"", "Transfer-Encoding: chunked", length=None)
    piece = b"%x\r\n%b\r\n" % (100_000, MARK.encode().ljust(100_000))
    yield Case("two megabytes in chunks", (head, *[piece] * 20, b"0\r\n\r\n"))
    yield Case("a chunk of a negative size", (head, b"-5\r\nabcde\r\n"))
    yield Case("a chunk of a huge size", (head, b"f" * 40 + b"\r\n"))
    yield Case("a chunk that is none", (head, MARK.encode() + b"\r\n"))
    yield Case("chunks one byte at a time, broken", (head, *[b"1\r\n[\r\n"] * 200, b"0\r\n\r\n"))
    slow = _request(SCORE, b"", length="500")
    yield Case("a byte every fifth of a second", (slow, b"{", *[b" "] * 100), 0.2)
    yield Case("a body that never comes", (slow,), 0.0)
    yield Case("a body that stops", (slow, f'{{"title":"{MARK}'.encode()), 0.1)


def _routes() -> Iterator[Case]:
    """Where nothing is, and what nothing does."""
    good = f'{{"title":"{MARK}"}}'.encode()
    for path in (
        "/", "/metrics/", "/docs.json", "/v1/score/", "/v1/score/../../../etc/passwd", "/v1/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd", "//v1/score", "/v1/score%00", f"/v1/leads/{MARK}", "/v1/score;x=1", "/V1/SCORE",
        "/static_content/..%5c..%5cserving%5ckeys.py", "/v1/score\\..\\..", "/" + "a" * 30_000,
    ):  # fmt: skip
        yield Case(f"path {path[:40]}", (_request(path, good),))
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "HEAD", "BREW"):
        yield Case(f"method {method}", (_request(SCORE, good, method=method),))
    yield Case("method in lower case", (_request(SCORE, good, method="post"),))
    yield Case("method of 5,000 letters", (_request(SCORE, good, method="P" * 5000),))
    yield Case("long query", (_request(f"{SCORE}?lang=" + "d" * 30_000, good),))
    yield Case("very long query", (_request(f"{SCORE}?detail=" + "f" * 300_000, good),))
    yield Case("1,000 query parameters", (_request(f"{SCORE}?" + "&".join(f"a{i}=1" for i in range(1000)), good),))
    yield Case("unknown query parameter", (_request(f"{SCORE}?email={MARK}", good),))
    yield Case("unknown language", (_request(f"{SCORE}?lang={MARK}", good),))
    yield Case("broken escapes in the query", (_request(f"{SCORE}?lang=%ZZ%ff", good),))
    yield Case("a websocket", (_request(SCORE, b"", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                                        "Sec-WebSocket-Key: eA==", method="GET", media=None, length=None),))  # fmt: skip


# -- sending -----------------------------------------------------------------------------------------------------------
def ask(address: str, case: Case) -> Answer:
    """Send the case's bytes as they are and read until the service has answered."""
    at = urlsplit(address)
    assert at.hostname is not None
    with socket.create_connection((at.hostname, at.port or 80), timeout=HANDED_OUT) as plain:
        started = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            for i, part in enumerate(case.parts):
                if i and case.pause and _readable(plain, case.pause):
                    break
                plain.sendall(part)
        raw = _read(plain)
    found = re.match(rb"HTTP/1\.1 (\d{3})", raw)
    return Answer(int(found[1]) if found else 0, raw.decode("latin-1"), time.monotonic() - started)


def _readable(plain: socket.socket, seconds: float) -> bool:
    """Wait; True where an answer came meanwhile."""
    plain.settimeout(seconds)
    try:
        return bool(plain.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False
    finally:
        plain.settimeout(HANDED_OUT)


def _read(plain: socket.socket) -> bytes:
    """All of one answer: to its Content-Length, or to where the service hangs up."""
    raw = b""
    with suppress(TimeoutError, ConnectionResetError):
        while part := plain.recv(65_536):
            raw += part
            head, _, body = raw.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            if length and len(body) >= int(length[1]):
                break
    return raw


def stored(file: Path) -> dict[str, int]:
    """Rows of each table of an SQLite store."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: db.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}
