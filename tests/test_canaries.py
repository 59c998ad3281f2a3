"""Canaries: personal data sent on every route in every place is found in no log, no count and no error body.

A real process, reached by others (`--host 0.0.0.0`), started before a key was made.
"""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import httpx
import pytest

from serving import keys
from serving.routes import ROUTES
from tests.server import get, post, serving

CANARIES = ("jane.doe@example.com", "Jane Canary", "+49 170 1234567", "192.0.2.77", "tok_4711_canary")
PATHS = (*ROUTES, "/", "/docs.json", "/v1/events", "/v1/outcomes", "/insights/", "/nothing")


@dataclass
class Told:
    """What the service said: of each refused request status, headers and body; replies; and its files."""

    before: list[int]
    refused: list[tuple[int, str]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    counts: str = ""
    log: str = ""
    files: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def take(self, response: httpx.Response) -> None:
        if response.status_code >= 400:
            self.refused.append((response.status_code, f"{dict(response.headers)} {response.text}"))
        else:
            self.answered.append(response.text)


@pytest.fixture(scope="module")
def told(market: Any, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("canaries")
    home, log = folder / "home", folder / "log.txt"
    shutil.copytree(market.settings.home, home)
    with serving(home, log, "--host", "0.0.0.0") as address:
        found = Told([get(address + path)[0] for path in ("/livez", "/openapi.json", "/metrics")])
        found.before.append(post(f"{address}/v1/score", {"title": "CEO"})[0])
        found.tokens = {s: keys.create(home, s, (s,), "now")[1] for s in ("score", "ingest", "leads", "admin")}
        with httpx.Client(base_url=address, timeout=10) as client:
            for canary in CANARIES:
                for token in (None, *found.tokens.values()):
                    for request in _requests(client, canary, token):
                        found.take(client.send(request))
                _raw(address, canary)
        found.counts = get(f"{address}/metrics", Authorization=f"Bearer {found.tokens['admin']}")[1].decode()
    found.log = log.read_text()
    kept = [f for f in folder.rglob("*") if f.is_file() and home not in f.parents]
    found.files = "".join(f.read_text(errors="replace") for f in kept)
    return found


def _requests(client: httpx.Client, canary: str, token: str | None) -> Iterator[httpx.Request]:
    """One canary in every place of requests to every route."""
    allowed = {} if token is None else {"Authorization": f"Bearer {token}"}
    latin = quote(canary)  # a header holds no other characters
    bodies: list[Any] = [
        {canary: 1}, {"title": [canary]}, {"email": "no address " + canary, "lead_id": canary, "as_of": canary}, [canary],
        {"events": [{"url": canary, "type": canary, canary: 1}]}, {"leads": [{canary: canary}]}, {"lead_id": canary}, canary,
    ]  # fmt: skip
    yield client.build_request("GET", f"/v1/leads/{latin}/history", headers=allowed)
    for path in PATHS:
        for body in bodies:
            yield client.build_request("POST", path, json=body, headers=allowed)
        broken = f'{{"lead_id": "{canary}'.encode()
        yield client.build_request("POST", path, content=broken, headers={"Content-Type": "application/json"} | allowed)
        yield client.build_request("POST", path, data={"email": canary}, headers=allowed)
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
            yield client.build_request(method, path, params={"lang": canary, canary: "x"}, headers=allowed)
            yield client.build_request(method, f"{path.rstrip('/')}/{quote(canary)}", headers=allowed)
        for name in ("Authorization", "Cookie", "User-Agent", "Content-Type", "X-Forwarded-For", "Accept-Language", "Host",
                     "Referer", "Content-Encoding", "X-Request-Id", "traceparent"):  # fmt: skip
            value = f"Bearer {latin}" if name == "Authorization" else latin
            yield client.build_request("POST", path, json={"title": "CEO"}, headers=allowed | {name: value})


def _raw(address: str, canary: str) -> None:
    """What no client sends: requests that are no HTTP."""
    at = urlsplit(address)
    for line in (
        f"GET /{canary} HTTP/1.1\r\n{canary}\r\n\r\n",
        f"{canary}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {canary}\x00\r\n\r\n",
    ):
        with socket.create_connection((at.hostname, at.port), timeout=5) as plain:
            plain.sendall(line.encode())
            plain.settimeout(1)
            try:
                plain.recv(1000)
            except TimeoutError:
                continue


def _forms(canary: str) -> set[str]:
    """A canary as it is, and as a URL or JSON would write it."""
    return {canary, quote(canary), quote_plus(canary), quote(canary, safe=""), json.dumps(canary)[1:-1]}


def _found(text: str) -> list[str]:
    return [f for c in CANARIES for f in _forms(c) if f.lower() in text.lower()]


def test_the_canaries_were_sent_and_read(told: Told) -> None:
    """The others could not fail if nothing had come in: replies name the lead that was asked about."""
    assert set(CANARIES) <= {json.loads(a).get("lead_id") for a in told.answered if a.startswith('{"lead_id"')}
    assert {s for s, _ in told.refused} >= {400, 401, 403, 404, 405, 415}
    assert len(told.refused) > 1000


def test_no_error_body_or_header_holds_one(told: Told) -> None:
    assert [(s, _found(text)) for s, text in told.refused if _found(text)] == []
    assert max(s for s, _ in told.refused) < 500


def test_no_count_holds_one(told: Told) -> None:
    assert 'route="other",status="404"' in told.counts
    assert _found(told.counts) == []


def test_no_log_holds_one(told: Told) -> None:
    assert "market shop" in told.log
    assert _found(told.log) == _found(told.files) == []
    assert "Traceback" not in told.log


def test_no_log_holds_a_key(told: Told) -> None:
    assert [s for s, t in told.tokens.items() if t[20:] in told.log + told.counts] == []


def test_whom_others_can_reach_answers_nobody_before_a_key_was_made(told: Told) -> None:
    assert told.before == [200, 200, 401, 401]
    assert "nobody is answered before leadlift keys create" in " ".join(told.log.split())


def test_the_newcomers_service_says_that_it_is_open_and_closes_with_the_first_key(market: Any, tmp_path: Path) -> None:
    home, log, lead = tmp_path / "home", tmp_path / "log.txt", {"title": "CEO"}
    shutil.copytree(market.settings.home, home)
    with serving(home, log) as address:
        assert post(f"{address}/v1/score", lead)[0] == 200
        key, token = keys.create(home, "crm", ("score",), "now")
        allowed = {"Authorization": f"Bearer {token}"}
        assert [post(f"{address}/v1/score", lead, **h)[0] for h in ({}, allowed)] == [401, 200]
        keys.revoke(home, key.id, "now")
        assert [post(f"{address}/v1/score", lead, **h)[0] for h in ({}, allowed)] == [401, 401]
        assert get(f"{address}/readyz")[0] == 200
    assert "No key was ever made: whoever is on this machine is answered" in " ".join(log.read_text().split())
