"""The BentoML service: routes, errors, logs; once in this process and once as `leadlift serve` on a port."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from serving.reply import KEYS
from tests.server import get, post, serving

SECRETS = ("jane.doe@example.com", "Jane Doe", "+49 170 1234567", "192.0.2.7", "tok_4711")
LEAD = {"title": "CEO", "country": "DE", "plan wish": "basic"}


def test_a_bare_object_gives_a_flat_reply(client, market):
    response = client.post("/v1/score?lang=de", json=LEAD)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-language"] == "de"
    assert list(response.json()) == list(KEYS)
    assert response.json()["model_version"] == market.bundle.version


def test_a_batch_answers_in_order(client):
    leads = [{"lead_id": "a"}, {"x": 1}, {"lead_id": "b", "trial_seconds": 3.5}]
    response = client.post("/v1/score/batch", json={"leads": leads})
    assert response.status_code == 200
    assert [r["status"] for r in response.json()["results"]] == ["ok", "error", "ok"]
    assert client.post("/v1/score/batch", json={"leads": [{"lead_id": "a"}] * 201}).status_code == 413


def test_many_events_are_answered_too(client):
    events = [{"type": "page_view", "occurred_at": "2026-01-01T00:00:00Z"}] * 2000
    assert client.post("/v1/score", json={"events": events}).status_code == 200
    response = client.post("/v1/score", json={"events": [{}] * 10_001})
    assert response.status_code == 413


def test_health_says_with_what_it_answers(client, market):
    assert client.get("/livez").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert ready.json()["model_version"] == market.bundle.version


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/healthz", "/static_content/index.css"])
def test_the_frameworks_own_pages_are_closed(client, path):
    assert client.get(path).status_code == 404


def test_the_framework_describes_both_routes():
    from serving.service import LeadliftService

    document = LeadliftService.openapi_spec.asdict()
    assert {"/v1/score", "/v1/score/batch"} <= set(document["paths"])
    schema = document["components"]["schemas"]["LeadInput"]
    assert {"title", "events", "as_of", "email"} <= set(schema["properties"])


def test_pickle_is_gone(client):
    from _bentoml_impl.serde import ALL_SERDE

    assert not any("pickle" in media for media in ALL_SERDE)
    response = client.post("/v1/score", content=b"x", headers={"Content-Type": "application/vnd.bentoml+pickle"})
    assert response.status_code == 415


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T00:00:00-23:59"])
def test_far_away_moments_are_answered(client, moment):
    document = {"lead_id": "a", "as_of": moment, "created_at": moment}
    event = {"type": "form", "occurred_at": moment, "received_at": moment}
    response = client.post("/v1/score?detail=full", json=document | {"events": [event] * 3})
    assert response.status_code == 200
    assert json.loads(response.content)["as_of"].endswith("Z")


def test_nothing_of_a_request_reaches_log_or_error(client, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        said = ""
        for secret in SECRETS:
            for document in ({secret: 1}, {"title": [secret]}, {"lead_id": secret, "as_of": secret}, [secret],
                             {"events": [{"url": secret, "type": secret}]}, {"email": "x" + secret}):  # fmt: skip
                for path in ("/v1/score", "/v1/score/batch", f"/v1/score?lang={secret}", f"/{secret}"):
                    said += client.post(path, json=document).text
            said += client.post("/v1/score", content=f'{{"a":"{secret}"').text
    output = capfd.readouterr()
    for secret in SECRETS:
        assert secret not in said
        assert not any(secret in record.getMessage() for record in caplog.records if record.name.startswith("leadlift"))
        assert not any(secret in record.getMessage() for record in caplog.records if "bento" in record.name)
        assert secret not in output.out + output.err


# -- the real server -------------------------------------------------------------------------------------------
def test_leadlift_serve_answers_on_a_port_and_logs_no_values(market, client, tmp_path: Path):
    log = tmp_path / "log.txt"
    with serving(market.settings.home, log) as address:
        asked = {**LEAD, "as_of": "2026-11-01T00:00:00Z"}
        status, body = post(f"{address}/v1/score?detail=full", asked)
        assert (status, body) == (200, client.post("/v1/score?detail=full", json=asked).content)
        assert [get(address + path)[0] for path in ("/", "/docs.json")] == [404] * 2
        assert post(f"{address}/v1/score", {"title": [SECRETS[0]], SECRETS[1]: 1})[0] == 400
        assert post(f"{address}/v1/score", {"title": "x" * 1_000_001})[0] == 413
        assert post(f"{address}/v1/score", LEAD, **{"Content-Encoding": "gzip"})[0] == 415
    said = log.read_text()
    assert f"{address}/v1/score" in said
    assert not any(secret in said for secret in SECRETS)
    assert "Traceback" not in said


def test_connections_send_at_once_what_there_is(client):
    """Else the body of an answer waits until the caller has acknowledged its head: 40 ms."""
    from serving.keeper import listening  # after `client`: BentoML's import warns

    with listening("127.0.0.1", 0) as port, socket.create_connection(port.getsockname()), port.accept()[0] as taken:
        assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_more_requests_than_may_be_are_told_when_to_come_back_and_then_answered(market, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("LEADLIFT_SERVING__MAX_RATE", "0.5")
    with serving(market.settings.home, tmp_path / "log.txt") as address:
        found = [asked(address) for _ in range(5)]
        assert found[0] == (200, None)
        assert {*found[1:]} - {(200, None)}
        assert {*found} <= {(200, None), (429, "1"), (429, "2")}
        assert get(f"{address}/readyz")[0] == 200
        time.sleep(2)
        assert asked(address) == (200, None)


def asked(address: str) -> tuple[int, str | None]:
    """Status and Retry-After."""
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)) as connection:
        connection.request("POST", "/v1/score", json.dumps(LEAD), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Retry-After")
