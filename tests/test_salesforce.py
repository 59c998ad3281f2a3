"""A Salesforce export through the committed mapping: ids, conversions, history, merges, contacts, duplicates."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset_file import time_text
from data.errors import MappingError
from data.importers.report import ImportReport
from data.importers.table import import_tables
from data.lake import Lake
from data.mapping import load_mapping
from data.records import NULL_TIME
from data.salesforce import long_id
from data.settings import Settings
from tests.crm import outcomes_of, people_of, texts_of, times_of

SAMPLES = Path(__file__).parent / "samples" / "salesforce"
FOLDER = Path(__file__).parent.parent / "data" / "mappings" / "salesforce"
ADA, BO, GONE, SAME, SOLO = (long_id(f"00Q5g00000{n}") for n in ("AAaaA", "BBbbB", "CCccC", "DDddD", "EEeeE"))


def _import(target: Path, folder: Path = SAMPLES) -> ImportReport:
    mapping = load_mapping(FOLDER / "salesforce.toml")
    return import_tables([str(f) for f in sorted(folder.glob("*.csv"))], mapping, target, Settings())


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportReport:
    monkeypatch.setenv("LEADLIFT_EMAIL_HASH_KEY", "k")
    return _import(tmp_path / "d")


# -- ids -------------------------------------------------------------------------------------------------------
@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", min_size=15, max_size=15))
def test_15_and_18_characters_are_one_id_even_where_capitals_are_lost(short: str) -> None:
    whole = long_id(short)
    assert (len(whole), whole[:15]) == (18, short)
    assert {long_id(whole), long_id(whole.lower()), long_id(whole.upper())} == {whole}


@pytest.mark.parametrize(
    ("short", "whole"), [("0015000000Gv7qJ", "0015000000Gv7qJAAR"), ("00D000000000062", "00D000000000062EAA")]
)
def test_known_ids_have_the_published_endings(short: str, whole: str) -> None:
    assert long_id(short) == whole


@pytest.mark.parametrize(
    "text", ["", "00Q", "00Q5g00000AAaaA!", "00Q5g00000AAaa-", "1015000000Gv7qJAAR9", "0015000000Gv7qJAA6"]
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a Salesforce id"):
        long_id(text)


def test_rows_under_both_spellings_are_of_one_lead(report: ImportReport) -> None:
    assert set(people_of(report).lead_ids) == {ADA, BO, SAME, SOLO}
    assert report.orphans == 0


def test_a_bad_id_rejects_its_row_with_reason_and_column(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    shutil.copytree(SAMPLES, folder)
    lines = (folder / "Lead.csv").read_text().splitlines()
    good = [lines[1].replace(ADA, long_id(f"00Q5g00000XXx{i:02d}")) for i in range(20)]
    (folder / "Lead.csv").write_text("\n".join([*lines, *good, lines[1].replace(ADA, "00Q-broken")]) + "\n")
    tallies = {(t.file, t.record): t for t in _import(tmp_path / "d", folder).tallies}
    assert dict(tallies["Lead.csv", "lead"].reasons) == {("bad_id", "Id"): 1}


# -- outcomes --------------------------------------------------------------------------------------------------
def test_a_lead_conversion_is_accepted_at_the_end_of_its_day(report: ImportReport) -> None:
    outcomes = outcomes_of(people_of(report), ADA)
    assert ("accepted", "2026-02-20T23:59", None, None) in outcomes


def test_closed_won_reached_by_the_converted_opportunity_is_converted_with_its_value(report: ImportReport) -> None:
    assert ("converted", "2026-03-15T23:59", 1_200_050.0, None) in outcomes_of(people_of(report), ADA)


def test_closed_lost_keeps_its_reason_and_no_value(report: ImportReport) -> None:
    assert ("lost", "2026-03-20T23:59", None, "Price") in outcomes_of(people_of(report), BO)


def test_open_opportunities_and_those_of_no_lead_are_counted_and_are_no_outcome(report: ImportReport) -> None:
    won, lost = (t for t in report.tallies if t.file == "Opportunity.csv")
    assert [(t.accepted, t.rejected, t.passed_over) for t in (won, lost)] == [(1, 0, 3), (1, 0, 3)]


# -- history ---------------------------------------------------------------------------------------------------
def test_the_history_becomes_profile_rows_with_their_valid_from(report: ImportReport) -> None:
    rows = people_of(report).select(ADA).leads
    employees = [None if np.isnan(n) else n for n in np.asarray(rows["employees"]).tolist()]
    assert list(zip(times_of(rows["valid_from"]), texts_of(rows["title"]), employees, strict=True)) == [
        ("2026-01-05T09:00", "Analyst", None), ("2026-01-25T08:00", "Head of IT", None),
        ("2026-02-03T08:00", "Head of IT", 250.0),
    ]  # fmt: skip
    assert set(texts_of(rows["email_domain"])) == {"example.com"}


def test_a_lead_without_history_has_one_row_and_the_columns_without_any_are_named(report: ImportReport) -> None:
    assert len(texts_of(people_of(report).select(BO).leads["title"])) == 1
    (note,) = [n for n in report.notes if n.startswith("no history of")]
    assert "Industry" in note
    assert "Title" not in note


def test_changes_of_columns_nobody_maps_are_counted_and_left_alone(report: ImportReport) -> None:
    assert [(t.accepted, t.passed_over) for t in report.tallies if t.record == "change"] == [(2, 3)]


def test_columns_written_while_the_lead_is_worked_are_never_features(report: ImportReport) -> None:
    assert {c for f, c, _ in report.left_out if f == "Lead.csv"} >= {"Status", "IsConverted", "ConvertedDate"}


# -- contacts --------------------------------------------------------------------------------------------------
def test_campaigns_calls_and_meetings_are_events_with_a_direction(report: ImportReport) -> None:
    people = people_of(report)
    kinds = {}
    for lead in (ADA, BO):
        events = people.select(lead).events
        kinds[lead] = sorted(zip(texts_of(events["type"]), texts_of(events["direction"]), strict=True), key=str)
    assert kinds[ADA] == [("call", "inbound"), ("call", "inbound"), ("meeting", "outbound"), ("webinar", "inbound")]
    assert kinds[BO] == [("call", "outbound"), ("fair", "inbound"), ("webinar", "outbound")]


def test_a_call_that_moved_to_the_contact_is_found_by_the_converted_contact(report: ImportReport) -> None:
    events = people_of(report).select(ADA).events
    assert long_id("00T5g00000AAaaA") in texts_of(events["event_id"])


# -- merges ----------------------------------------------------------------------------------------------------
def test_what_a_merged_lead_did_counts_for_the_one_that_stayed_from_the_merge_on(report: ImportReport) -> None:
    events = people_of(report).select(ADA).events
    known = dict(zip(texts_of(events["event_id"]), np.asarray(events["known_from"]).tolist(), strict=True))
    assert time_text(known.pop(long_id("00T5g00000CCccC")))[:16] == "2026-02-01T12:00"
    assert set(known.values()) == {NULL_TIME}
    links = Lake(report.path).table("links").to_pylist()
    assert [(r["visitor_id"], r["lead_id"], r["kind"]) for r in links] == [(GONE, ADA, "merge")]


def test_duplicates_are_proposed_in_the_merge_log_and_never_merged(report: ImportReport) -> None:
    log = list(csv.DictReader((report.path / "merge_log.csv").read_text().splitlines()))
    assert [(r["state"], r["lead_id"], r["other_lead_id"], r["at"][:10]) for r in log] == [
        ("merged", ADA, GONE, "2026-02-01"), ("proposed", ADA, SAME, "2026-02-10"),
    ]  # fmt: skip
    assert {ADA, SAME} <= set(people_of(report).lead_ids)
    assert "@" not in (report.path / "merge_log.csv").read_text()
    assert [n for n in report.notes if "merge_log.csv" in n and "none was merged" in n]


def test_without_a_key_nobody_is_proposed_and_the_import_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEADLIFT_EMAIL_HASH_KEY", raising=False)
    report = _import(tmp_path / "d")
    assert "proposed" not in (tmp_path / "d" / "merge_log.csv").read_text()
    assert [n for n in report.notes if "LEADLIFT_EMAIL_HASH_KEY" in n]


# -- files -----------------------------------------------------------------------------------------------------
def test_optional_tables_may_be_missing_and_the_lead_table_may_not(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("Lead.csv", "Opportunity.csv"):
        shutil.copy(SAMPLES / name, folder)
    assert {t.file for t in _import(tmp_path / "d", folder).tallies} == {"Lead.csv", "Opportunity.csv"}
    (folder / "Lead.csv").unlink()
    with pytest.raises(MappingError, match="no file matches"):
        _import(tmp_path / "e", folder)


@pytest.mark.parametrize("query", sorted(FOLDER.glob("*.soql")), ids=lambda f: f.stem)
def test_the_queries_ask_for_every_column_the_mapping_reads(query: Path) -> None:
    text = query.read_text()
    asked = {c.strip() for c in text.partition("SELECT")[2].partition("\nFROM")[0].split(",")}
    tables = [t for t in load_mapping(FOLDER / "salesforce.toml").file.table if t.match == f"{query.stem}[._-]*"]
    read = {c for t in tables for s in t.columns.values() for c in (s.column, s.currency) if c}
    read |= {c for t in tables for c in t.where}
    read |= {c for t in load_mapping(FOLDER / "salesforce.toml").file.table for s in t.columns.values()
             if s.via and s.via.match == f"{query.stem}[._-]*" for c in (s.via.key, s.via.value)}  # fmt: skip
    assert tables
    assert read <= asked


def test_a_later_import_proposes_duplicates_of_leads_that_were_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLIFT_EMAIL_HASH_KEY", "k")
    lines = (SAMPLES / "Lead.csv").read_text().splitlines()
    for name, rows in (("Lead_1.csv", lines[:4]), ("Lead_2.csv", [lines[0], *lines[4:]])):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(SAMPLES / "Opportunity.csv", folder)
        (folder / name).write_text("\n".join(rows) + "\n")
        _import(tmp_path / "d", folder)
    log = (tmp_path / "d" / Lake(tmp_path / "d").manifest.texts["merge_log.csv"]).read_text()
    rows = [(r["state"], r["lead_id"], r["other_lead_id"]) for r in csv.DictReader(log.splitlines())]
    assert rows == [("merged", ADA, GONE), ("proposed", ADA, SAME)]
