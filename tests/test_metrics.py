"""Counts for Prometheus: whole, readable by its own parser, and without anything of a request."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import Metrics

STATE = {"status": "degraded", "market": 'a"b\\c\nd', "target": "t", "model_version": None, "rules_version": "r"}


def _samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    text = metrics.text(STATE).decode()
    found: dict[tuple[str, str], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for s in family.samples:
            found[s.name, ",".join(s.labels.values())] = s.value
    return found


def test_prometheus_reads_what_was_counted() -> None:
    metrics = Metrics(("/v1/score",))
    metrics.count("/v1/score", 200, 0.001, "no_model,unknown_field:title,unknown_field")
    metrics.count("/v1/score", 200, 0.03)
    metrics.count("/v1/score", None, 60.0)
    metrics.count("/jane.doe@example.com", 404, 0.0)
    metrics.active = 3
    found = _samples(metrics)
    assert found["leadlift_requests_total", "/v1/score,200"] == 2
    assert found["leadlift_requests_total", "/v1/score,none"] == 1
    assert found["leadlift_requests_total", "other,404"] == 1
    assert found["leadlift_warnings_total", "no_model"] == 1
    assert found["leadlift_warnings_total", "unknown_field"] == 2
    assert found["leadlift_requests_active", ""] == 3
    assert found["leadlift_ready", ""] == 0
    assert found["leadlift_release", 'a"b\\c\nd,t,,r'] == 1
    bounds = ("0.001", "0.025", "0.05", "10.0", "+Inf")
    assert [found["leadlift_request_seconds_bucket", f"/v1/score,{b}"] for b in bounds] == [1, 1, 2, 2, 3]
    assert found["leadlift_request_seconds_count", "/v1/score"] == 3
    assert found["leadlift_request_seconds_sum", "/v1/score"] == 60.031


def test_a_service_that_just_began_is_readable_too() -> None:
    assert _samples(Metrics(()))["leadlift_requests_active", ""] == 0


def test_the_service_counts_its_answers(client: Any) -> None:
    def answered() -> float:
        text = client.get("/metrics").text
        (n,) = [s.value for f in text_string_to_metric_families(text) for s in f.samples
                if s.name == "leadlift_requests_total" and s.labels == {"route": "/v1/score", "status": "200"}]  # fmt: skip
        return float(n)

    client.post("/v1/score", json={"title": "CEO"})
    before = answered()
    for _ in range(3):
        client.post("/v1/score", json={"title": "CEO"})
    assert answered() == before + 3
