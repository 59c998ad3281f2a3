"""A HubSpot export through the committed mapping: deals by their contact, property history, merges, contacts."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from data.dataset_file import time_text
from data.importers.report import ImportReport
from data.importers.table import import_tables
from data.mapping import load_mapping
from data.settings import Settings
from tests.crm import outcomes_of, people_of, texts_of, times_of

SAMPLES = Path(__file__).parent / "samples" / "hubspot"
FOLDER = Path(__file__).parent.parent / "data" / "mappings" / "hubspot"


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportReport:
    monkeypatch.setenv("LEADLIFT_EMAIL_HASH_KEY", "k")
    files = [str(f) for f in sorted(SAMPLES.glob("*.csv"))]
    return import_tables(files, load_mapping(FOLDER / "hubspot.toml"), tmp_path / "d", Settings())


def test_the_date_of_the_accepted_stage_is_the_acceptance_and_a_date_alone_its_end_of_day(report: ImportReport) -> None:
    people = people_of(report)
    assert ("accepted", "2026-02-20T10:00", None, None) in outcomes_of(people, "101")
    assert ("accepted", "2026-02-25T23:59", None, None) in outcomes_of(people, "102")


def test_a_won_deal_is_converted_with_its_value_and_a_lost_one_keeps_its_reason(report: ImportReport) -> None:
    people = people_of(report)
    assert ("converted", "2026-03-15T14:00", 1_200_050.0, None) in outcomes_of(people, "101")
    assert ("lost", "2026-03-20T14:00", None, "Price") in outcomes_of(people, "102")
    assert report.orphans == 0


def test_a_deal_of_several_contacts_counts_for_the_first_and_is_reported(report: ImportReport) -> None:
    assert outcomes_of(people_of(report), "104") == set()
    assert [n for n in report.notes if n.startswith("deal_contacts") and "1 keys have several rows" in n]


def test_the_property_history_becomes_profile_rows_unknown_before_the_first_value(report: ImportReport) -> None:
    rows = people_of(report).select("101").leads
    employees = [None if np.isnan(n) else n for n in np.asarray(rows["employees"]).tolist()]
    assert list(zip(times_of(rows["valid_from"]), texts_of(rows["title"]), employees, strict=True)) == [
        ("2026-01-05T09:00", "Analyst", None), ("2026-01-25T08:00", "Head of IT", None),
        ("2026-02-03T08:00", "Head of IT", 51.0),
    ]  # fmt: skip


def test_calls_meetings_webinars_and_fairs_are_events_with_a_direction(report: ImportReport) -> None:
    found = {}
    for lead in ("101", "102"):
        events = people_of(report).select(lead).events
        found[lead] = sorted(zip(texts_of(events["type"]), texts_of(events["direction"]), strict=True), key=str)
    assert found == {
        "101": [("call", "inbound"), ("call", "inbound"), ("meeting", "inbound"), ("webinar", "inbound")],
        "102": [("call", "outbound"), ("fair", "inbound"), ("meeting", "outbound"), ("webinar", "outbound")],
    }


def test_a_merged_contact_counts_for_the_one_that_stayed_from_the_merge_on(report: ImportReport) -> None:
    events = people_of(report).select("101").events
    known = dict(zip(texts_of(events["event_id"]), np.asarray(events["known_from"]).tolist(), strict=True))
    assert time_text(known["503"])[:16] == "2026-02-01T12:00"


def test_duplicates_are_proposed_and_never_merged(report: ImportReport) -> None:
    log = list(csv.DictReader((report.path / "merge_log.csv").read_text().splitlines()))
    assert [(r["state"], r["lead_id"], r["other_lead_id"]) for r in log] == [
        ("merged", "101", "103"), ("proposed", "101", "104"),
    ]  # fmt: skip
    assert set(people_of(report).lead_ids) == {"101", "102", "104"}


def test_lifecycle_stages_are_never_features(report: ImportReport) -> None:
    assert "lifecyclestage" in {c for _, c, _ in report.left_out}


def test_the_property_lists_name_every_column_the_mapping_reads() -> None:
    page = (FOLDER / "README.md").read_text()
    lists = {line.split("|")[1].strip(" `"): line.split("|")[2] for line in page.splitlines() if line.startswith("| `")}
    for table in load_mapping(FOLDER / "hubspot.toml").file.table:
        asked = lists[table.match.partition("[")[0]]
        read = {c for s in table.columns.values() for c in (s.column, s.currency) if c} | set(table.where)
        assert not [c for c in read if c not in asked]
