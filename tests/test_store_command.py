"""`leadlift store`, and stores where commands take a dataset; events and outcomes over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import Dataset, open_dataset
from data.settings import Settings
from data.store.store import Store
from tests.calls import MAPPING
from training.assemble import Frame, Question, frame_of
from training.snapshots import policy_of

VIEW = {"type": "page", "messageId": "p1", "anonymousId": "web-1", "timestamp": "2026-03-02T10:00:00Z",
        "properties": {"url": "https://www.example.com/pricing"}}  # fmt: skip
WHO = {"type": "identify", "messageId": "i1", "anonymousId": "web-1", "userId": "crm-1",
       "timestamp": "2026-03-02T10:05:00Z", "traits": {"title": "CEO", "email": "jane.doe@example.com"}}  # fmt: skip


# -- HTTP ------------------------------------------------------------------------------------------------------------
def test_what_is_told_over_http_counts_in_the_next_call(client: Any) -> None:
    asked = {"lead_id": "crm-1"}
    assert client.post("/v1/score", json=asked).json()["data_quality"] == "none"
    told = client.post("/v1/events", json={"batch": [VIEW, WHO], "sentAt": "2026-03-02T10:05:01Z"})
    assert (told.status_code, told.json()["accepted"]) == (200, 2)
    assert client.post("/v1/score", json=asked).json()["data_quality"] == "full"
    assert client.post("/v1/events", json={"batch": [VIEW, WHO]}).json()["duplicate"] == 2
    won = {"lead_id": "crm-1", "kind": "converted", "occurred_at": "2026-03-09T10:00:00Z", "value": 99}
    assert client.post("/v1/outcomes", json={"outcomes": [won, won]}).json()["accepted"] == 1


def test_a_clock_years_ahead_does_not_end_the_dataset_then(client: Any) -> None:
    ahead = "2161-03-02T10:00:00Z"
    rows = [
        {**VIEW, "timestamp": ahead},
        {**VIEW, "receivedAt": ahead},
        {**WHO, "timestamp": ahead},
        {**WHO, "receivedAt": ahead},
    ]
    told = client.post("/v1/events", json={"batch": rows}).json()
    assert (told["accepted"], [r["reason"] for r in told["rejects"]]) == (0, ["ahead_of_arrival"] * 4)


@pytest.mark.parametrize("path", ["/v1/events", "/v1/outcomes"])
def test_what_is_no_batch_is_a_problem(client: Any, path: str) -> None:
    for body in (b"[]", b"{}", b'{"batch":1}', b'{"outcomes":{}}', b"NaN", b'{"batch":[],"batch":[]}',
                 b'{"batch":[],"outcomes":[]}', b""):  # fmt: skip
        response = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")
    name = path.rpartition("/")[2].replace("events", "batch")
    assert client.post(path, json={name: [1] * 10_001}).status_code == 413
    assert client.get(path).status_code == 405


def test_hostile_rows_are_refused_and_leave_no_trace(client: Any, capfd: Any) -> None:
    secret = "jane.doe@example.com"
    rows = [{**VIEW, "messageId": "h", "timestamp": t} for t in (10**30, -(10**30), 1e300, True, "9" * 400, [secret])]
    rows += [{**WHO, "messageId": "h", "traits": {"createdAt": 10**30}}, {**WHO, "messageId": "h", "timestamp": -1},
             {**VIEW, "messageId": {secret: 1}}, {**VIEW, "messageId": "h", "properties": {"url": [secret]}},
             {**VIEW, "messageId": "h", "receivedAt": secret}, {"type": secret}]  # fmt: skip
    response = client.post("/v1/events", json={"batch": rows})
    assert (response.status_code, response.json()["rejected"]) == (200, len(rows))
    won = {"lead_id": "h", "kind": "converted", "occurred_at": "2026-03-09T10:00:00Z"}
    outcomes = [{**won, "value": v} for v in (1e300, -1, True, "1", 10**30)] + [
        {**won, "lead_id": [secret]},
        {secret: 1},
    ]
    response = client.post("/v1/outcomes", json={"outcomes": outcomes})
    assert (response.status_code, response.json()["rejected"]) == (200, len(outcomes))
    said = capfd.readouterr()
    assert "jane" not in response.text + said.out + said.err
    assert client.post("/v1/score", json={"lead_id": "h"}).json()["data_quality"] == "none"


# -- the command -----------------------------------------------------------------------------------------------------
def test_a_store_is_made_checked_and_copied(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    leadlift = leadlift_at()
    url = f"sqlite:///{tmp_path}/s.db"
    (tmp_path / "calls.toml").write_text(MAPPING, encoding="utf-8")
    made = leadlift("store", "migrate", url, "--mapping", str(tmp_path / "calls.toml"))
    assert made[:2] == (0, {"store": url, "before": 0, "after": 1})
    assert leadlift("store", "migrate", url)[1] == {"store": url, "before": 1, "after": 1}
    assert Store(url).info.name == "calls"
    assert leadlift("store", "check", url)[:2] == (0, {"store": url, "version": 1, "faults": []})
    assert leadlift("store", "backup", url, "--to", str(tmp_path / "b.db"))[0] == 0
    assert leadlift("store", "check", f"sqlite:///{tmp_path}/b.db")[0] == 0
    code, _, said = leadlift("store", "backup", url, "--to", str(tmp_path / "b.db"))
    assert (code, "expected a new file" in said) == (2, True)
    assert leadlift("store", "check", f"sqlite:///{tmp_path}/none.db")[0] == 1
    code, _, said = leadlift("store", "check", "mysql://u:hush@h/d")
    assert (code, "hush" in said) == (2, False)
    code, _, said = leadlift("store", "migrate", f"sqlite:///{tmp_path}/b.db/s.db")
    assert (code, "Check the path and who may write there." in said) == (1, True)


def _frame(dataset: Dataset) -> Frame:
    """The rows a training learns and judges by."""
    assert dataset.info.latest_arrival is not None
    policy = policy_of(Settings().snapshots)
    return frame_of(dataset, Question("converted", policy, dataset.info.latest_arrival + 1, "s", 10**6))


def test_commands_read_a_store_as_the_folder_it_came_from(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    leadlift = leadlift_at()
    folder, url = str(tmp_path / "shop"), f"sqlite:///{tmp_path}/shop.db"
    assert leadlift("simulate", folder, "--leads", "500", "--days", "240", "--seed", "3")[0] == 0
    assert leadlift("import", folder, "--to", url)[0] == 0
    assert leadlift("import", url, "--to", str(tmp_path / "back"))[0] == 0
    assert open_dataset(tmp_path / "back").info.counts == open_dataset(folder).info.counts
    for words in (("check",), ("paths", "--support", "5")):
        (code, of_folder, _), (again, of_store, _) = (leadlift(words[0], name, *words[1:]) for name in (folder, url))
        assert (code, of_folder) == (again, of_store)
    of_folder, of_store = (_frame(open_dataset(name)) for name in (folder, url))
    assert len(of_folder) > 1000
    for name, column in vars(of_folder).items():
        np.testing.assert_array_equal(column, getattr(of_store, name), err_msg=name)
    code, _, said = leadlift("import", folder, "--to", url)
    assert (code, "expected a store without rows" in said) == (1, True)


def test_a_training_on_a_store_learns_from_posted_outcomes(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    from serving.intake import Intake

    leadlift = leadlift_at()
    url = f"sqlite:///{tmp_path}/shop.db"
    assert leadlift("store", "migrate", url)[0] == 0
    intake = Intake(url, 10_000)
    leads = [f"L{i}" for i in range(40)]
    born = [{**WHO, "messageId": f"i{lead}", "anonymousId": f"v{lead}", "userId": lead} for lead in leads]
    assert json.loads(intake.events({"batch": born}, 10**16))["accepted"] == 40
    won = [{"lead_id": lead, "kind": "converted", "occurred_at": "2026-03-09T10:00:00Z"} for lead in leads[::2]]
    assert json.loads(intake.outcomes({"outcomes": won}, 10**16))["accepted"] == 20
    last = {**VIEW, "messageId": "last", "timestamp": "2026-09-01T10:00:00Z"}
    intake.events({"batch": [last]}, 10**16)
    code, found, _ = leadlift("check", url)
    assert (code, found["leads"], found["conversions"], found["matured"]) == (0, 40, 20, 20)
