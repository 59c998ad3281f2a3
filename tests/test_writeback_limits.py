"""Write-back and a CRM's limits, tokens and hiccups: obeyed, told in one line, waited out; nothing is lost by any."""

from __future__ import annotations

import pytest

from data.errors import CrmError
from tests.crm_scores import LEADS, customer, publish, results
from tests.crm_server import Fault

REQUESTS = {
    "salesforce": [
        ("POST", "ingest"), ("PUT", "batches"), ("PATCH", ""), ("GET", "failedResults"), ("GET", "successfulResults"),
        ("GET", "unprocessedrecords"),
    ],
    "hubspot": [("POST", "upsert")],
}  # fmt: skip


@pytest.mark.parametrize("status", [429, 500, 503, 0])
def test_hiccups_at_any_request_are_waited_out(either, waits, status):
    either.there.faults += [Fault(method, end, status) for method, end in REQUESTS[either.crm]]
    assert set(results(either.send()).values()) == {"sent"}
    assert not either.there.faults
    assert all(len(set(told)) == 1 for told in either.told("points").values())
    assert set(either.told("points")) == set(LEADS)


def test_retry_after_is_obeyed_and_too_long_a_wait_ends_the_run(either, waits):
    method, end = REQUESTS[either.crm][0]
    either.there.faults.append(Fault(method, end, 429, {"Retry-After": "7"}))
    either.send()
    assert waits == [7.0]
    publish(either.scores, {"x": 0.5}, "second")
    either.there.faults.append(Fault(method, end, 429, {"Retry-After": "86400"}))
    assert "86400 seconds" in either.stopped(CrmError)[1]
    assert results(either.send())["x"] == "sent"


def test_a_crm_that_never_answers_ends_the_run_and_loses_nothing(either, waits):
    method, end = REQUESTS[either.crm][-1]
    either.there.faults += [Fault(method, end, 503)] * 6
    document, said = either.stopped(CrmError)
    assert "did not answer" in said
    assert document["stopped"] == "unreachable"
    assert set(results(document).values()) == {"failed:unreachable"}
    assert set(results(either.send()).values()) == {"sent"}
    assert set(map(len, either.told("grade").values())) == {1}


def test_an_expired_token_is_one_line_and_nothing_is_lost(either):
    either.there.token = "renewed"
    document, said = either.stopped(CrmError)
    assert f"LEADLIFT_{either.crm.upper()}_TOKEN" in said
    assert set(results(document).values()) == {"failed:token_expired"}
    renewed = {f"LEADLIFT_{either.crm.upper()}_TOKEN": "renewed"}
    assert set(results(either.send(**renewed)).values()) == {"sent"}
    assert set(map(len, either.told("grade").values())) == {1}


def test_a_token_that_expires_while_a_job_runs_loses_no_result(salesforce):
    salesforce.there.faults.append(Fault("GET", "failedResults", 401, {}, [{"errorCode": "INVALID_SESSION_ID"}]))
    salesforce.stopped(CrmError)
    assert set(results(salesforce.send()).values()) == {"sent"}
    assert len(salesforce.there.jobs) == 1


def test_a_page_instead_of_an_answer_ends_the_run(either):
    either.there.faults.append(Fault(*REQUESTS[either.crm][0], 200, {}, "<html>Log in</html>"))
    assert "Check its address" in either.stopped(CrmError)[1]
    assert set(results(either.send()).values()) == {"sent"}


@pytest.mark.parametrize(
    ("crm", "status", "headers", "body"),
    [
        ("salesforce", 403, {}, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "x"}]),
        ("hubspot", 429, {}, {"errorType": "RATE_LIMIT", "policyName": "DAILY"}),
    ],
)
def test_a_used_up_day_ends_the_run(crms, tmp_path, request, crm, status, headers, body):
    there = customer(crm, crms, tmp_path, request)
    there.there.faults.append(Fault("POST", REQUESTS[crm][0][1], status, headers, body))
    assert "daily limit" in there.stopped(CrmError)[1]
    assert set(results(there.send()).values()) == {"sent"}


def test_the_last_request_of_a_day_is_not_followed_by_another(hubspot, salesforce, waits):
    publish(hubspot.scores, {f"c{i}": 0.3 for i in range(150)}, "many")
    hubspot.there.headers = {"X-HubSpot-RateLimit-Daily-Remaining": "0"}
    document, _ = hubspot.stopped(CrmError)
    assert (document["sent"], len(hubspot.there.requests)) == (100, 1)
    salesforce.there.headers = {"Sforce-Limit-Info": "api-usage=15000/15000"}
    assert "daily limit" in salesforce.stopped(CrmError)[1]
    assert len(salesforce.there.requests) == 1


def test_a_used_up_interval_is_rested_out(hubspot, waits):
    publish(hubspot.scores, {f"c{i}": 0.3 for i in range(150)}, "many")
    hubspot.there.headers = {"X-HubSpot-RateLimit-Remaining": "0", "X-HubSpot-RateLimit-Interval-Milliseconds": "3000"}
    assert hubspot.send()["sent"] == 150
    assert waits == [3.0]


def test_a_job_is_waited_for_with_growing_pauses(salesforce, waits):
    salesforce.there.polls = 5
    assert set(results(salesforce.send()).values()) == {"sent"}
    assert waits == sorted(waits)
    assert len(waits) == 4
