"""A write-back killed at every point and run again: every changed lead arrives, none twice with different content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.writeback_state import State
from tests.crm_scores import publish
from tests.crm_server import CrmServer, crm_server

LEADS = {f"lead-{i}": i / 10 for i in range(9)}


@pytest.fixture(scope="module")
def server() -> Iterator[CrmServer]:
    with crm_server() as crm:
        yield crm


@pytest.mark.parametrize(("crm", "at_least"), [("salesforce", 50), ("hubspot", 20)])
def test_killed_at_each_point_every_changed_lead_arrives_with_one_content(server, tmp_path, crm, at_least):
    scores = publish(tmp_path / "scores", LEADS)
    command = [sys.executable, "-m", "tests.killed_writeback", crm, server.url(crm), str(scores), str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    points = int(done.stdout)
    assert points >= at_least
    for n in range(1, points + 1):
        there = server[f"{crm}-{n}"]
        assert set(there.applied) == set(LEADS), n
        for told in there.applied.values():
            assert all(one == told[0] for one in told), n
            assert len(told) == 1 or crm == "hubspot", n  # a job can be asked what became of it, a request cannot
        with State(
            tmp_path / str(n) / "crm" / "converted" / "writeback.db", f"{crm} {server.url(f'{crm}-{n}')} {OBJECTS[crm]}"
        ) as state:
            assert state.under_way() == []
            assert set(state.accepted(list(LEADS))) == set(LEADS)
    report = next(scores.glob("writeback/*.results.jsonl"))
    assert [json.loads(line)["lead_id"] for line in report.read_text().splitlines()] == list(LEADS)
    assert not list(Path(scores / "writeback").glob(".*"))


OBJECTS = {"salesforce": "Lead", "hubspot": "Contact"}
