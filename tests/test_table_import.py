"""The table importer: every record, every row accounted for, nothing half-written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import People, open_dataset
from data.dataset_file import time_text
from data.errors import InputError, MappingError, RejectLimitError, UsageError
from data.importers.report import ImportReport
from data.importers.table import import_tables
from data.lake import Lake
from data.mapping import load_mapping
from data.records import NULL_TIME, Coded
from data.settings import Settings

SAMPLES = Path(__file__).parent / "samples"
MAPPINGS = Path(__file__).parent.parent / "data" / "mappings"
EVENTS = """
[dataset]
name = "e"
{dataset}
[[table]]
match = "*.csv"
record = "event"
[table.columns]
event_id = "id"
visitor_id = "who"
occurred_at = "at"
type = {{ value = "page_view" }}
{columns}
"""


def sample(name: str, target: Path) -> ImportReport:
    files = [str(f) for f in sorted((SAMPLES / name).glob("*.csv"))]
    return import_tables(files, load_mapping(SAMPLES / name / f"{name}.toml"), target, Settings())


def only(target: Path) -> People:
    (people,) = open_dataset(target).people()
    return people


def texts(column: object) -> list[str | None]:
    assert isinstance(column, Coded)
    return column.texts()


@pytest.fixture
def event_table(tmp_path: Path) -> Callable[..., ImportReport]:
    """Import one event table, given its lines and the mapping's variable parts."""

    def run(lines: Sequence[str], header: str = "id,who,at", dataset: str = "", columns: str = "",
            limit: float = 1.0) -> ImportReport:  # fmt: skip
        (tmp_path / "m.toml").write_text(EVENTS.format(dataset=dataset, columns=columns))
        (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
        own = Settings(data={"reject_limit": limit})  # type: ignore[arg-type]
        return import_tables([str(tmp_path / "t.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", own)

    return run


def test_a_crm_export_becomes_every_record(tmp_path: Path) -> None:
    report = sample("crm", tmp_path / "d")
    assert [(t.record, t.read, t.accepted, t.duplicate) for t in report.tallies] == [
        ("lead", 4, 4, 0), ("event", 6, 5, 1), ("link", 1, 1, 0), ("outcome", 2, 2, 0), ("consent", 1, 1, 0), ("spend", 2, 2, 0),
    ]  # fmt: skip
    assert report.left_out == [("leads.csv", "Status", "written while salespeople work the lead")]
    one = only(tmp_path / "d").select("L1")
    assert texts(one.leads["title"]) == ["Head of IT", "CTO"]
    assert np.asarray(one.leads["employees"]).tolist() == [51, 51]
    assert np.asarray(one.leads["trial_seconds"]).tolist() == [90, 180]
    assert time_text(int(np.asarray(one.leads["valid_from"])[1])) == "2026-03-31T22:00:00.000000Z"
    assert np.asarray(one.outcomes["value"]).tolist() == [120_050]
    assert time_text(int(np.asarray(one.outcomes["occurred_at"])[0])) == "2026-04-10T21:59:59.999999Z"
    assert len(np.asarray(one.consents["given_at"])) == 1


def test_events_are_cleaned_and_join_their_lead_through_the_link(tmp_path: Path) -> None:
    sample("crm", tmp_path / "d")
    events = only(tmp_path / "d").select("L1").events
    rows = {e: i for i, e in enumerate(texts(events["event_id"]))}
    assert sorted(map(str, rows)) == ["e1", "e2", "e3"]
    first = rows["e1"]
    got = {n: texts(events[n])[first] for n in ("url", "source", "medium", "campaign", "click_id_kind", "dwell_basis")}
    assert got == {
        "url": "https://www.example.org/blog/crm", "source": "google", "medium": "cpc", "campaign": "spring",
        "click_id_kind": "gclid", "dwell_basis": "measured",
    }  # fmt: skip
    assert np.asarray(events["dwell_seconds"])[first] == 42
    assert np.isnan(np.asarray(events["dwell_seconds"])[rows["e2"]])
    assert texts(events["referrer_host"])[rows["e2"]] == "www.example.org"
    assert time_text(int(np.asarray(events["known_from"])[first])) == "2026-03-02T08:00:00.000000Z"


def test_an_address_is_reduced_and_kept_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLIFT_EMAIL_HASH_KEY", "k")
    sample("crm", tmp_path / "d")
    people = only(tmp_path / "d")
    kinds = dict(zip(texts(people.leads["lead_id"]), texts(people.leads["email_kind"]), strict=True))
    assert kinds == {"L1": "business", "L2": "free", "L3": "role"}
    one = people.select("L1")
    assert texts(one.leads["email_domain"]) == ["example.com", "example.com"]
    assert len(set(texts(one.leads["email_hash"]))) == 1
    kept = [
        json.dumps(Lake(tmp_path / "d").table(f.name).to_pylist(), default=str)
        for f in (tmp_path / "d").iterdir()
        if f.is_dir()
    ]
    assert not [t for t in kept if "@" in t or "+49" in t]


def test_without_a_key_there_is_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEADLIFT_EMAIL_HASH_KEY", raising=False)
    sample("crm", tmp_path / "d")
    assert set(texts(only(tmp_path / "d").leads["email_hash"])) == {None}


def test_a_session_hands_its_touch_to_its_first_event_and_yields_links_and_leads(tmp_path: Path) -> None:
    report = sample("shop", tmp_path / "d")
    assert [(t.record, t.read, t.accepted, t.outside) for t in report.tallies] == [
        ("session", 3, 3, 1), ("event", 4, 4, 2), ("outcome", 1, 1, 1),
    ]  # fmt: skip
    people = only(tmp_path / "d")
    assert sorted(people.lead_ids) == ["u1", "u2"]
    one = people.select("u1")
    touches = dict(zip(texts(one.events["event_id"]), texts(one.events["source"]), strict=True))
    assert touches == {"p1": "google", "p2": None, "p3": "newsletter"}
    assert texts(one.leads["device"]) == ["mobile"]
    assert time_text(int(one.created_at[0])) == "2026-01-05T10:00:00.000000Z"
    assert np.asarray(one.outcomes["value"]).tolist() == [4999]
    info = open_dataset(tmp_path / "d").info
    assert (info.snapshots.policy, info.has_times) == ("after_first_event", True)


def test_a_table_without_times_keeps_equal_rows_in_order(tmp_path: Path) -> None:
    sample("labelled", tmp_path / "d")
    people = only(tmp_path / "d")
    order = np.argsort(people.source_row)
    assert [people.lead_ids[i] for i in order] == [f"leads:{i}" for i in range(1, 6)]
    assert people.source_row[order].tolist() == [1, 2, 3, 4, 5]
    assert people.labels[order].tolist() == [1, 1, 0, 0, 1]
    visits = np.asarray(people.leads["visits"])[np.argsort(np.asarray(people.leads["source_row"]))]
    assert np.isnan(visits[3])
    assert visits[2] == 0
    assert set(people.created_at.tolist()) == {NULL_TIME}
    assert not open_dataset(tmp_path / "d").info.has_times


def test_several_files_are_read_in_name_order(tmp_path: Path) -> None:
    header, *rows = (SAMPLES / "labelled" / "leads.csv").read_text().splitlines()
    (tmp_path / "leads_2.csv").write_text("\n".join([header, *rows[2:]]))
    (tmp_path / "leads_1.csv").write_text("\n".join([header, *rows[:2]]))
    (tmp_path / "other.txt").write_text("not ours")
    mapping = load_mapping(SAMPLES / "labelled" / "labelled.toml")
    report = import_tables([str(tmp_path)], mapping, tmp_path / "d", Settings())
    assert [(t.file, t.read) for t in report.tallies] == [("leads_1.csv", 2), ("leads_2.csv", 3)]
    people = only(tmp_path / "d")
    order = np.argsort(people.source_row)
    assert [people.lead_ids[i] for i in order] == ["leads_1:1", "leads_1:2", "leads_2:1", "leads_2:2", "leads_2:3"]


def test_the_same_import_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    assert sample("crm", tmp_path / "d").written
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "d").rglob("*")}
    assert not sample("crm", tmp_path / "d").written
    with pytest.raises(InputError, match="Choose a new folder"):
        sample("shop", tmp_path / "d")
    assert {f: f.stat().st_mtime_ns for f in (tmp_path / "d").rglob("*")} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]


row_kinds = st.lists(
    st.sampled_from(["good", "twice", "late_zone", "no_time", "short", "long", "nobody"]), min_size=1, max_size=30
)


@settings(max_examples=15, deadline=None)
@given(row_kinds)
def test_read_is_accepted_plus_rejected_plus_duplicate_and_each_reject_is_kept(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    lines = {
        "good": "{i},v,2026-01-01T00:00:00Z", "twice": "same,v,2026-01-01T00:00:00Z", "late_zone": "{i},v,2026-01-01 00:00",
        "no_time": "{i},v,", "short": "{i},v", "long": "{i},v,2026-01-01T00:00:00Z,x", "nobody": "{i},,2026-01-01T00:00:00Z",
    }  # fmt: skip
    (folder / "t.csv").write_text("id,who,at\n" + "".join(lines[k].format(i=i) + "\n" for i, k in enumerate(kinds)))
    (folder / "m.toml").write_text(EVENTS.format(dataset="", columns=""))
    own = Settings(data={"reject_limit": 1.0, "buckets": 2})  # type: ignore[arg-type]
    (tally,) = import_tables([str(folder / "t.csv")], load_mapping(folder / "m.toml"), folder / "d", own).tallies
    bad = [i for i, k in enumerate(kinds) if k not in ("good", "twice")]
    assert tally.read == len(kinds) == tally.accepted + tally.rejected + tally.duplicate
    assert (tally.rejected, tally.duplicate) == (len(bad), max(kinds.count("twice") - 1, 0))
    kept = Lake(folder / "d").table("rejects").to_pylist() if bad else []
    assert [r["line"] for r in kept] == [i + 2 for i in bad]


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        ("1,v,2026-01-01 00:00,,", "time_without_zone", "at"),
        ("1,v,soon,,", "bad_time", "at"),
        ("1,v,2026-01-01T00:00:00Z,2025-12-30T00:00:00Z,", "ahead_of_arrival", "in"),
        ("1,v,2026-01-01T00:00:00Z,,twelve", "bad_number", "dwell"),
        ("1,v,2026-01-01T00:00:00Z,,nan", "bad_number", "dwell"),
        ("1,v,2026-01-01T00:00:00Z,,-3", "negative_value", "dwell"),
        (",v,2026-01-01T00:00:00Z,,3", None, ""),
        ("1,,2026-01-01T00:00:00Z,,3", "no_person", ""),
        ('1,"v"x,2026-01-01T00:00:00Z,,3', "malformed_row", ""),
    ],
)
def test_a_bad_cell_rejects_its_row_by_reason_and_column(
    event_table: Callable[..., ImportReport], line: str, reason: str | None, column: str
) -> None:
    report = event_table([line, "2,v,2026-01-01T00:00:00Z,,"], "id,who,at,in,dwell",
                         columns='received_at = "in"\ndwell_seconds = { from = "dwell", unit = "s" }')  # fmt: skip
    (tally,) = report.tallies
    if reason is None:
        assert (tally.accepted, tally.rejected) == (2, 0)
        return
    assert tally.accepted == 1
    assert [r for r, _ in tally.reasons] == [reason]
    assert not column or [c for _, c in tally.reasons] == [column]


def test_lines_stay_right_after_quotes_over_lines_and_quotes_that_never_close(
    event_table: Callable[..., ImportReport], tmp_path: Path
) -> None:
    lines = [
        '1,"v',
        'w",2026-01-01T00:00:00Z',
        "2,v,bad",
        '3,"v,2026-01-01T00:00:00Z',
        "4,v,2026-01-01T00:00:00Z",
        "5,v,bad",
    ]
    (tally,) = event_table(lines).tallies
    assert (tally.accepted, tally.rejected) == (2, 3)
    rejects = Lake(tmp_path / "d").table("rejects").to_pylist()
    assert [(r["line"], r["reason"]) for r in rejects] == [(4, "bad_time"), (5, "malformed_row"), (7, "bad_time")]


def test_bytes_that_are_no_text_reject_their_row_only(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(EVENTS.format(dataset="", columns=""))
    (tmp_path / "t.csv").write_bytes(b"id,who,at\n1,M\xfcller,2026-01-01T00:00:00Z\n2,v,2026-01-01T00:00:00Z\n")
    loose = Settings(data={"reject_limit": 1.0})  # type: ignore[arg-type]
    (tally,) = import_tables(
        [str(tmp_path / "t.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", loose
    ).tallies
    assert dict(tally.reasons) == {("bad_encoding", ""): 1}


def test_a_rejects_payload_shows_mapped_columns_and_hides_persons(tmp_path: Path) -> None:
    table = (
        "Id,Email,Created,Phone\n1,ada@example.com,never,+49 30 1\n2,ada@example.com,2026-01-01T00:00:00Z,+49 30 1,x\n"
    )
    (tmp_path / "leads.csv").write_text(table)
    (tmp_path / "m.toml").write_text(
        '[dataset]\nname = "m"\n[[table]]\nrecord = "lead"\n[table.columns]\nlead_id = "Id"\nemail = "Email"\ncreated_at = "Created"\n'
    )
    loose = Settings(data={"reject_limit": 1.0})  # type: ignore[arg-type]
    import_tables([str(tmp_path / "leads.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", loose)
    first, second = (json.loads(r["payload"]) for r in Lake(tmp_path / "d").table("rejects").to_pylist())
    assert first == {"Id": "1", "Email": "(hidden)", "Created": "never", "Phone": "(hidden)"}
    assert second == {"fields": 5}


def test_above_the_limit_nothing_is_changed(event_table: Callable[..., ImportReport], tmp_path: Path) -> None:
    good = [f"{i},v,2026-01-01T00:00:00Z" for i in range(18)]
    with pytest.raises(RejectLimitError, match=r"t\.csv: .*3 of 21.* in column at .*first in line 20"):
        event_table([*good, "a,v,2026-01-01 00:00", "b,v,2026-01-01 00:00", "c,v,x"], limit=0.1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.toml", "t.csv"]
    assert event_table([*good, "a,v,2026-01-01 00:00", "b,v,2026-01-01 00:00"], limit=0.1).written


def test_a_load_time_is_no_arrival(event_table: Callable[..., ImportReport]) -> None:
    lines = [f"{i},v,2026-01-{i + 1:02d}T00:00:00Z,2026-03-01T00:00:00Z" for i in range(20)]
    header = "id,who,at,loaded"
    with pytest.raises(InputError, match='received_at = "ignore"'):
        event_table(lines, header, columns='received_at = "loaded"')
    assert event_table(lines, header, columns='received_at = "ignore"').written


def test_a_cut_over_date_keeps_later_arrivals(event_table: Callable[..., ImportReport], tmp_path: Path) -> None:
    lines = [f"{i},v,2026-01-{i + 1:02d}T00:00:00Z,2026-02-01T00:00:00Z" for i in range(20)]
    event_table([*lines, "x,v,2026-03-01T00:00:00Z,2026-03-01T00:00:07Z"], "id,who,at,loaded",
                columns='received_at = { from = "loaded", cut_over = "2026-02-02T00:00:00Z" }')  # fmt: skip
    received = Lake(tmp_path / "d").table("events").column("received_at")
    assert received.null_count == 20


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("12.345,EUR", "fraction_of_minor_unit"),
        ("12,USD", "other_currency"),
        ('"1,200.00",EUR', "bad_number"),
        ("€12,EUR", "bad_number"),
    ],
)
def test_money_is_whole_minor_units_of_one_currency(tmp_path: Path, cell: str, reason: str) -> None:
    (tmp_path / "deals.csv").write_text(
        f"lead,at,amount,currency\nL,2026-01-01T00:00:00Z,{cell}\nL,2026-01-01T00:00:01Z,0.07,eur\n"
    )
    (tmp_path / "m.toml").write_text(
        '[dataset]\nname = "m"\n[[table]]\nrecord = "outcome"\n[table.columns]\nlead_id = "lead"\noccurred_at = "at"\n'
        'kind = { value = "converted" }\nvalue = { from = "amount", unit = "major", currency = "currency" }\n'
    )
    loose = Settings(data={"reject_limit": 1.0})  # type: ignore[arg-type]
    report = import_tables([str(tmp_path / "deals.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", loose)
    assert [r for r, _ in report.tallies[0].reasons] == [reason]
    assert Lake(tmp_path / "d").table("outcomes").column("value").to_pylist() == [7]
    assert report.orphans == 1


def test_an_id_that_comes_again_with_other_values_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,x,y\na,1,1\na,1,1\na,2,1\nb,1,0\n")
    (tmp_path / "m.toml").write_text(
        '[dataset]\nname = "m"\n[[table]]\nrecord = "labelled_lead"\n[table.columns]\nlead_id = "id"\n[table.extra]\n'
        'x = { from = "x", kind = "number", role = "attribute" }\n[label]\ncolumn = "y"\ntrue = 1\n'
    )
    loose = Settings(data={"reject_limit": 1.0})  # type: ignore[arg-type]
    (tally,) = import_tables(
        [str(tmp_path / "t.csv")], load_mapping(tmp_path / "m.toml"), tmp_path / "d", loose
    ).tallies
    assert (tally.accepted, tally.duplicate, dict(tally.reasons)) == (2, 1, {("id_twice", "id"): 1})


def test_files_find_their_table_by_name(tmp_path: Path) -> None:
    mapping = load_mapping(SAMPLES / "shop" / "shop.toml")
    with pytest.raises(MappingError, match=r'no file matches "pageviews\.csv"'):
        import_tables([str(SAMPLES / "shop" / "sessions.csv")], mapping, tmp_path / "d", Settings())
    with pytest.raises(MappingError, match=r"leads\.csv: expected a name that matches sessions\.csv"):
        import_tables([str(SAMPLES / "crm" / "leads.csv")], mapping, tmp_path / "d", Settings())
    with pytest.raises(UsageError, match="nothing there"):
        import_tables([str(tmp_path / "no*.csv")], mapping, tmp_path / "d", Settings())
    assert not (tmp_path / "d").exists()


@pytest.mark.public_data
@pytest.mark.parametrize(
    ("name", "folder", "rows", "positives"),
    [("x_education", "x_education_leads", 9240, 3561), ("online_shoppers", "uci_online_shoppers", 12330, 1908),
     ("online_shoppers_no_pagevalues", "uci_online_shoppers", 12330, 1908)],
)  # fmt: skip
def test_the_public_tables_are_read_whole(
    tmp_path: Path, public_data: Path, name: str, folder: str, rows: int, positives: int
) -> None:
    mapping = load_mapping(MAPPINGS / f"{name}.toml")
    report = import_tables([str(public_data / folder)], mapping, tmp_path / "d", Settings())
    assert [(t.read, t.accepted) for t in report.tallies] == [(rows, rows)]
    people = only(tmp_path / "d")
    assert np.array_equal(np.sort(people.source_row), np.arange(1, rows + 1))
    assert people.labels.sum() == positives
    assert open_dataset(tmp_path / "d").rules_text() == mapping.rules
    left_out = {c for _, c, _ in report.left_out}
    if name == "x_education":
        assert {"Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity",
                "Asymmetrique Activity Index", "Asymmetrique Profile Index", "Asymmetrique Activity Score",
                "Asymmetrique Profile Score"} == left_out  # fmt: skip
        assert np.isnan(np.asarray(people.leads["total_visits"])).sum() == 137
        with (public_data / folder / "Leads.csv").open(newline="", encoding="utf-8") as table:
            zeros = sum(row["TotalVisits"] == "0" for row in csv.DictReader(table))
        assert (np.asarray(people.leads["total_visits"]) == 0).sum() == zeros


@pytest.mark.public_data
def test_records_cut_in_two_are_rejected_and_never_joined_again(tmp_path: Path, public_data: Path) -> None:
    (tmp_path / "m.toml").write_text(
        '[dataset]\nname = "m"\ntimezone = "Africa/Johannesburg"\n[[table]]\nrecord = "event"\n[table.columns]\n'
        'event_id = "SESSIONID"\nlead_id = "CUSTOMERID"\noccurred_at = "TIMESTAMP_TOUCHPOINT"\nsource = "MARKETINGCHANNEL"\n'
        'type = { value = "custom" }\n'
    )
    mapping = load_mapping(tmp_path / "m.toml")
    found = {}
    for name in ("touchpoints.tsv", "touchpoints_repaired.csv"):
        file = public_data / "dstv_channel_touchpoints" / name
        (tally,) = import_tables([str(file)], mapping, tmp_path / name, Settings()).tallies
        found[name] = (tally.accepted, tally.rejected)
    assert found == {"touchpoints.tsv": (13_014, 290), "touchpoints_repaired.csv": (13_159, 0)}
