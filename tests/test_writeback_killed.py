"""A write-back killed at every point and run again: every changed lead arrives, none twice with different content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from serving.writeback_state import State
from tests.crm_scores import LEADS, publish
from tests.crm_server import CrmServer, Organisation

OBJECTS = {"salesforce": "Lead", "hubspot": "Contact"}


def _killed(crms: CrmServer, crm: str, leads: set[str], scores: Path, then: Path, work: Path) -> list[Organisation]:
    """The organisations of all points; in each of them nothing is left under way, and everything is accepted."""
    words = [crm, crms.url(f"{crm}-{work.name}"), str(scores), str(then), str(work)]
    command = [sys.executable, "-m", "tests.killed_writeback", *words]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    there = []
    for n in range(1, int(done.stdout) + 1):
        name = f"{crm}-{work.name}-{n}"
        home = work / str(n) / "crm" / "converted"
        with State(home / "writeback.db", f"{crm} {crms.url(name)} {OBJECTS[crm]}") as state:
            assert state.under_way() == [], n
            assert set(state.accepted(list(LEADS))) == leads, n
        there.append(crms[name])
    return there


@pytest.mark.parametrize(("crm", "at_least"), [("salesforce", 50), ("hubspot", 20)])
def test_killed_at_each_point_every_changed_lead_arrives_with_one_content(crms, tmp_path, crm, at_least):
    scores = publish(tmp_path / "scores", LEADS)
    points = _killed(crms, crm, set(LEADS), scores, scores, tmp_path)
    assert len(points) >= at_least
    for n, there in enumerate(points, 1):
        assert set(there.applied) == set(LEADS), n
        for told in there.applied.values():
            assert all(one == told[0] for one in told), n
            assert len(told) == 1 or crm == "hubspot", n  # a job can be asked what became of it, a request cannot
    report = next(scores.glob("writeback/*.results.jsonl"))
    assert [json.loads(line)["lead_id"] for line in report.read_text().splitlines()] == list(LEADS)
    assert not list(Path(scores / "writeback").glob(".*"))


def test_killed_at_each_point_before_newer_scores_the_old_never_follow_the_new(crms, tmp_path):
    few = {lead: LEADS[lead] for lead in ("lead-1", "lead-2", "lead-3")}  # one job
    old = publish(tmp_path / "old", few)
    new = publish(tmp_path / "new", {lead: p + 0.1 for lead, p in few.items()}, "newer")
    crms.polls = 2
    for n, there in enumerate(_killed(crms, "salesforce", set(few), old, new, tmp_path), 1):
        there.finish()
        for lead, told in there.applied.items():
            points = [int(one["Leadlift_Points__c"]) for one in told]
            was = round(100 * LEADS[lead])
            assert points in ([was + 10], [was, was + 10]), n
