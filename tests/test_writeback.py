"""Write-back: what is news arrives, once; what cannot arrive is named and tried again; files hold the same."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from data.errors import CrmError, InputError, SettingsError, UsageError
from data.files import safe_cell
from data.leaks import OURS, leak_reason
from data.settings import load_settings
from serving.champion import champion
from serving.commands.rescore import goal_of
from serving.reply import KEYS
from serving.rescore import Job, Target, read_current, rescore
from serving.scorer import Wants
from serving.writeback_fields import hubspot_name, salesforce_name
from serving.writeback_salesforce import Salesforce
from serving.writeback_state import State
from tests.crm_scores import LEADS, publish, refused, results, run


# -- what arrives ----------------------------------------------------------------------------------------------
def test_every_lead_arrives_once_and_a_second_run_sends_nothing(either):
    first = either.send()
    assert set(results(first).values()) == {"sent"}
    assert {lead: len(told) for lead, told in either.told("grade").items()} == dict.fromkeys(LEADS, 1)
    before = len(either.there.requests)
    assert set(results(either.send()).values()) == {"unchanged"}
    assert len(either.there.requests) == before


def test_the_fields_arrive_as_the_crm_reads_them(either):
    publish(either.scores, {"a": 0.12345}, "other", interest_1="=1+1", reason_2="x" * 300)
    either.send()
    (told,) = either.there.applied["a"]
    by = {name.lower().removeprefix("leadlift_").removesuffix("__c"): value for name, value in told.items()}
    assert (by["probability"], by["sales_ready"], by["points"]) == ("0.1235", "false", "12")
    assert by["scored_at"] == "2026-11-20T06:00:00.000Z"
    assert by["reason_1"] == 'Saw "prices", twice\nand more'
    assert (by["interest_1"], len(by["reason_2"])) == ("=1+1", 255)
    assert by["reason_3"] == ("#N/A" if either.crm == "salesforce" else "")


def test_changed_is_against_what_the_crm_accepted(either):
    either.send()
    moved = {**LEADS, "lead-1": 0.105, "lead-2": 0.22, "new": 0.1}
    publish(either.scores, moved, "second")
    second = results(either.send())
    assert {lead for lead, result in second.items() if result == "sent"} == {"lead-2", "new"}
    publish(either.scores, {**moved, "lead-1": 0.111}, "third")  # small steps add up
    assert {lead for lead, result in results(either.send()).items() if result == "sent"} == {"lead-1"}
    publish(either.scores, {**moved, "lead-1": 0.111}, "fourth", model_version="m2")
    assert set(results(either.send()).values()) == {"sent"}


@pytest.mark.parametrize("out", ["scores", "scores.csv", "sqlite:///{}/store.db", "postgresql://me:hush@host/name"])
def test_scores_are_found_wherever_rescore_was_told_to_put_them(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEADLIFT_HOME", str(tmp_path / "home"))
    out = out.format(tmp_path)
    publish(goal_of(out, load_settings(), "crm", "converted").folder, LEADS)
    assert run(tmp_path / "home", out, "--for", "csv")["changed"] == len(LEADS)


def test_the_names_written_are_refused_as_features():
    for key in KEYS:
        assert leak_reason(hubspot_name(key)) == leak_reason(salesforce_name(key)) == OURS


def test_an_own_id_of_the_crm_updates_and_never_creates(either):
    either.there.leads = set(LEADS) - {"lead-3"}
    either.there.broken = {"lead-3"}
    own = {"salesforce": "Id", "hubspot": "hs_object_id"}[either.crm]
    done = results(either.send(**{f"LEADLIFT_WRITEBACK__{either.crm.upper()}_ID": own}))
    assert {lead for lead, result in done.items() if result == "sent"} == either.there.leads
    assert done["lead-3"].startswith("failed:")


def test_visitors_without_a_lead_are_left_out(either):
    publish(either.scores, {"a": 0.1, "b": 0.2}, "visitors", lead_id=None, visitor_id="v")
    assert either.send()["leads"] == 0
    assert not either.there.requests


def test_another_object_is_another_state(salesforce):
    salesforce.send()
    assert results(salesforce.send("--object", "Contact"))["lead-1"] == "sent"
    assert [job.order["object"] for job in salesforce.there.jobs.values()] == ["Lead", "Contact"]


# -- what does not arrive --------------------------------------------------------------------------------------
def test_a_half_failed_batch_names_each_lead_and_only_those_are_sent_again(either):
    either.there.broken = {"lead-1", "lead-4"}
    first = results(either.send())
    failed = {lead for lead, result in first.items() if result.startswith("failed:")}
    assert failed == {"lead-1", "lead-4"}
    assert {first[lead] for lead in failed} == {
        "failed:FIELD_CUSTOM_VALIDATION_EXCEPTION" if either.crm == "salesforce" else "failed:OBJECT_NOT_FOUND"
    }
    either.there.broken = set()
    second = results(either.send())
    assert {lead for lead, result in second.items() if result == "sent"} == failed
    assert set(map(len, either.told("grade").values())) == {1}


def test_no_personal_data_of_a_refusal_is_said_or_kept(either, capsys):
    either.there.broken, either.there.poison = {"lead-1"}, {"lead-2"}
    document = either.send()
    kept = Path(document["results"]).read_bytes() + b"".join(f.read_bytes() for f in either.home.rglob("*.db*"))
    assert b"jane" not in kept + json.dumps(document).encode() + capsys.readouterr().err.encode()
    either.there.token = "renewed"
    publish(either.scores, {"x": 0.5}, "second")
    assert "jane" not in either.stopped(CrmError)[1]


def test_a_converted_lead_is_skipped_and_not_asked_for_again(salesforce):
    salesforce.there.converted = {"lead-2"}
    assert results(salesforce.send())["lead-2"] == "skipped:converted"
    before = len(salesforce.there.jobs)
    assert results(salesforce.send())["lead-2"] == "skipped:converted"
    assert len(salesforce.there.jobs) == before


def test_what_a_dying_job_did_not_process_is_sent_by_the_next_run(salesforce):
    salesforce.there.dies_after = 4
    document, said = salesforce.stopped(CrmError)
    assert "failed a whole job" in said
    first = results(document)
    assert list(first.values()).count("sent") == 4
    assert list(first.values()).count("failed:unprocessed") == 5
    salesforce.there.dies_after = None
    assert set(results(salesforce.send()).values()) == {"sent"}  # the pass of this set ends here
    assert set(map(len, salesforce.told("grade").values())) == {1}


def test_a_missing_field_stops_with_one_line(either):
    either.there.fields = {"leadlift_probability", "Leadlift_Probability__c"}
    document, said = either.stopped(CrmError)
    assert "docs/writeback.md" in said
    assert (document["failed"], len(either.there.applied)) == (len(LEADS), 0)
    either.there.fields = None
    assert set(results(either.send()).values()) == {"sent"}


def test_one_contact_hubspot_chokes_on_does_not_hold_the_others_back(hubspot):
    hubspot.there.poison = {"lead-5"}
    done = results(hubspot.send())
    assert done.pop("lead-5") == "failed:VALIDATION_ERROR"
    assert set(done.values()) == {"sent"}
    assert set(map(len, hubspot.told("grade").values())) == {1}


def test_where_hubspot_takes_nothing_of_a_request_the_next_is_not_sent(hubspot):
    leads = {f"c{i}": 0.3 for i in range(150)}
    publish(hubspot.scores, leads, "many")
    hubspot.there.poison = set(leads)
    document, said = hubspot.stopped(CrmError)
    assert "VALIDATION_ERROR" in said
    assert document["failed"] == 150
    assert len(hubspot.there.requests) < 200
    hubspot.there.poison = set()
    assert hubspot.send()["sent"] == 150


def test_without_trace_ids_a_207_is_still_read_by_item(hubspot):
    hubspot.there.traced, hubspot.there.broken = False, {"lead-5"}
    done = results(hubspot.send())
    assert done.pop("lead-5") == "failed:OBJECT_NOT_FOUND"
    assert set(done.values()) == {"sent"}


def test_hubspot_gets_a_hundred_at_a_time(hubspot):
    publish(hubspot.scores, {f"c{i}": 0.3 for i in range(250)}, "many")
    assert hubspot.send()["sent"] == 250
    assert len(hubspot.there.requests) == 3


def test_contacts_that_are_made_instead_of_found_stop_the_run(hubspot):
    hubspot.there.leads = set()
    publish(hubspot.scores, {f"c{i}": 0.3 for i in range(250)}, "many")
    document, said = hubspot.stopped(CrmError)
    assert "hs_object_id" in said
    assert (document["sent"], document["failed"]) == (100, 150)


# -- one run after another -------------------------------------------------------------------------------------
def test_a_job_left_running_is_finished_before_newer_scores_are_sent(salesforce, waits, monkeypatch):
    monkeypatch.setattr("serving.writeback_salesforce._PATIENCE", 3.0)
    salesforce.there.polls = 30
    assert "still works on job" in salesforce.stopped(CrmError)[1]
    publish(salesforce.scores, {lead: p + 0.1 for lead, p in LEADS.items()}, "second")
    salesforce.there.polls = 2
    assert set(results(salesforce.send()).values()) == {"sent"}
    points = salesforce.told("points")
    assert points["lead-2"] == ["20", "30"]
    assert len(salesforce.there.jobs) == 2


def test_two_at_once_are_one_and_a_refusal(either):
    either.home.mkdir()
    with State(either.home / "crm" / "converted" / "writeback.db", "x"):
        assert "another that runs" in either.stopped(InputError)[1]
    assert not either.there.requests


def _rows(file: str | Path) -> list[dict[str, str]]:
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_last_run_is_noted_for_who_watches(either):
    either.send()
    (file,) = either.home.glob("crm/converted/writeback-*.json")
    noted = json.loads(file.read_text())
    assert (noted["sent"], noted["stopped"], noted["scores"]) == (len(LEADS), None, "first")


def test_the_page_names_every_field_to_create():
    page = (Path(__file__).parents[1] / "docs" / "writeback.md").read_text()
    for field in load_settings().writeback.fields:
        assert salesforce_name(field) in page
        assert f"`{hubspot_name(field)}`" in page or f"`{hubspot_name(field[:-1])}" in page


# -- files and refusals ----------------------------------------------------------------------------------------
def test_without_send_files_hold_what_is_news_and_nothing_is_asked(either):
    publish(either.scores, {f"c{i}": 0.3 for i in range(150)}, "many")
    done = run(either.home, either.scores, "--for", either.crm, **either.environment)
    (file,) = (Path(f) for f in done["files"])
    assert (done["changed"], either.there.requests) == (150, [])
    if either.crm == "hubspot":
        bodies = [json.loads(line) for line in file.read_text().splitlines()]
        assert [len(one["inputs"]) for one in bodies] == [100, 50]
        assert bodies[0]["inputs"][0]["idProperty"] == "leadlift_lead_id"
    else:
        assert b"\r" not in file.read_bytes()
        rows = _rows(file)
        assert (len(rows), rows[0]["Leadlift_Lead_Id__c"], rows[0]["Leadlift_Interest_1__c"]) == (150, "c0", "#N/A")
    either.send()
    assert run(either.home, either.scores, "--for", either.crm, **either.environment)["changed"] == 0


def test_what_rescore_publishes_is_what_is_read(market, tmp_path):
    job = Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants())
    done = rescore(job, Target(tmp_path / "scores"))
    told = run(tmp_path / "home", tmp_path / "scores", "--for", "csv")
    rows = {row["lead_id"]: row for row in _rows(told["files"][0])}
    assert len(rows) == done.leads["scored"] == told["changed"]
    for row in read_current(tmp_path / "scores").to_pylist():
        found = rows[safe_cell(row["lead_id"])]
        assert float(found["leadlift_probability"]) == pytest.approx(row["probability"], abs=5e-5)
        assert found["leadlift_grade"] == row["grade"]


def test_a_csv_runs_no_formula(tmp_path):
    scores = publish(
        tmp_path / "scores", {"=cmd|1": 0.5, "b": None}, reason_1="@SUM(1)", interest_1="\tx", reason_2="-1"
    )
    (file,) = run(tmp_path / "home", scores, "--for", "csv")["files"]
    rows = _rows(file)
    cells = [rows[0][k] for k in ("lead_id", "leadlift_reason_1", "leadlift_interest_1", "leadlift_reason_2")]
    assert cells == ["'=cmd|1", "'@SUM(1)", "'\tx", "'-1"]
    assert rows[1]["leadlift_probability"] == ""


@pytest.mark.parametrize(
    ("words", "environment", "error", "message"),
    [
        (("--for", "csv", "--send"), {}, UsageError, "csv"),
        (("--for", "hubspot", "--send"), {"LEADLIFT_HUBSPOT_TOKEN": None}, UsageError, "LEADLIFT_HUBSPOT_TOKEN"),
        (("--for", "hubspot", "--send"), {"LEADLIFT_HUBSPOT_TOKEN": "tök"}, UsageError, "characters"),
        (("--for", "salesforce", "--send"), {"LEADLIFT_SALESFORCE_TOKEN": "t"}, UsageError, "SALESFORCE_URL"),
        (("--for", "salesforce", "--send"), {"LEADLIFT_WRITEBACK__SALESFORCE_URL": "http://x.example", "LEADLIFT_SALESFORCE_TOKEN": "t"},
         SettingsError, "https"),
        (("--for", "csv"), {"LEADLIFT_WRITEBACK__FIELDS": "grade,pionts"}, SettingsError, "points"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_line(tmp_path, words, environment: dict[str, Any], error, message):
    scores = publish(tmp_path / "scores", LEADS)
    assert message in refused(tmp_path / "home", scores, *words, error=error, **environment)[1]


def test_nothing_published_is_one_line(tmp_path):
    (tmp_path / "scores").mkdir()
    said = refused(tmp_path / "home", tmp_path / "scores", "--for", "csv", error=InputError)[1]
    assert "leadlift rescore" in said


def test_a_job_holds_what_salesforce_takes(salesforce, monkeypatch):
    monkeypatch.setattr(Salesforce, "rows", 4)
    assert salesforce.send()["sent"] == len(LEADS)
    assert [job.data.count("lead-") for job in salesforce.there.jobs.values()] == [4, 4, 1]
