"""The mapping file: what may be said, and one line that says what is wrong with the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import MappingError
from data.leaks import leak_reason
from data.mapping import Mapping, load_mapping
from data.records import DAY, MICROS

MAPPINGS = Path(__file__).parent.parent / "data" / "mappings"
SAMPLES = Path(__file__).parent / "samples"

BASE = """
[dataset]
name = "m"
timezone = "Europe/Berlin"

[[table]]
match = "leads.csv"
record = "lead"

[table.columns]
lead_id = "Id"
created_at = {{ from = "Created" }}
{columns}

[table.extra]
{extra}

{rest}
"""


def read(tmp_path: Path, columns: str = "", extra: str = "", rest: str = "") -> Mapping:
    file = tmp_path / "m.toml"
    file.write_text(BASE.format(columns=columns, extra=extra, rest=rest))
    return load_mapping(file)


def refused(tmp_path: Path, **parts: str) -> str:
    with pytest.raises(MappingError) as error:
        read(tmp_path, **parts)
    assert "\n" not in str(error.value)
    assert "m.toml" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "file",
    sorted(MAPPINGS.glob("**/*.toml")) + sorted(f for f in SAMPLES.glob("*/*.toml") if "[tracker" not in f.read_text()),
    ids=lambda f: f.stem,
)
def test_every_committed_mapping_is_valid(file: Path) -> None:
    mapping = load_mapping(file)
    assert mapping.file.dataset.name == file.stem
    assert (mapping.rules is not None) == (file.parent == MAPPINGS)


def test_the_public_mappings_declare_no_leak_and_the_declared_split() -> None:
    for file in MAPPINGS.glob("*.toml"):
        mapping = load_mapping(file)
        spec = mapping.split_spec()
        if mapping.file.label is not None:
            assert (spec.kind, spec.seed, spec.train) == ("shuffled", 0, 0.7)
        profile = [t for t in mapping.file.table if t.record in ("lead", "labelled_lead")]
        names = {s.column for t in profile for s in (*t.columns.values(), *t.extra.values())}
        assert not [n for n in names if n and leak_reason(n)]
    without = load_mapping(MAPPINGS / "online_shoppers_no_pagevalues.toml").file.table[0].extra
    with_it = load_mapping(MAPPINGS / "online_shoppers.toml").file.table[0].extra
    assert set(with_it) - set(without) == {"page_values"}
    assert {n: with_it[n] for n in without} == without


def test_a_plain_string_is_short_for_from(tmp_path: Path) -> None:
    table = read(tmp_path, columns='country = "Land"').file.table[0]
    assert table.columns["country"].column == "Land"
    assert table.columns["created_at"].column == "Created"


def test_snapshots_are_durations(tmp_path: Path) -> None:
    rest = '[snapshots]\npolicy = "weekly"\ndelay = "5min"\nhorizon = "30d"\nexclude_if_seen = ["thanks"]'
    spec = read(tmp_path, rest=rest).snapshot_spec()
    assert (spec.policy, spec.delay, spec.horizon, spec.every) == ("weekly", 300 * MICROS, 30 * DAY, None)
    assert spec.exclude_if_seen == ("thanks",)


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("columns", 'contry = "Land"', "Did you mean country?"),
        ("columns", 'source_row = "n"', "no column source_row"),
        ("columns", 'country = { from = "Land", nul = ["-"] }', "Did you mean null?"),
        ("columns", 'country = { from = "Land", value = "DE" }', "either from = COLUMN or value = CONSTANT"),
        ("columns", 'country = { from = "Land", unit = "s" }', "has no unit"),
        ("columns", 'country = { from = "Land", fold = 1 }', "fold is for time columns"),
        ("columns", 'valid_from = { from = "v", timezone = "Europe/Berln" }', "Did you mean Europe/Berlin?"),
        ("columns", 'valid_from = { from = "v", kind = "text" }', "expected kind time"),
        ("columns", 'valid_from = { from = "v", unit = "weeks" }', "unknown unit weeks"),
        ("columns", 'valid_from = { from = "v", format = "%Q" }', "expected a pattern"),
        ("extra", 'spent = { from = "s", kind = "number", role = "attribute", unit = "secs" }', "unknown unit secs"),
        ("extra", 'spent = { from = "s", role = "behaviour_total" }', "a behaviour_total is a number"),
        ("extra", 'spent = { from = "s", kind = "number" }', "role"),
        ("extra", 'Spent = { from = "s", role = "attribute" }', "snake_case"),
        ("extra", 'company = { from = "s", role = "attribute" }', "expected a new name"),
        ("extra", 'x = { from = "s", role = "attribut" }', "'attribute'"),
        ("rest", '[label]\ncolumn = "x"\ntrue = "1"', "[label] is for labelled_lead tables"),
        ("rest", '[split]\norder_by = "nothing"', "no such column nothing"),
        ("rest", '[split]\ntrain = 1.5', "split.train"),
        ("rest", '[snapshots]\nhorizon = "a month"', "expected a duration"),
        ("rest", "[spilt]\nseed = 1", "Did you mean split?"),
        ("rest", "[[table]]\nrecord = 'vent'", "[[table]] 2, record"),
        ("rest", "[[table]]\nrecord = 'event'", "needs occurred_at"),
        ("columns", 'country = { from = "Land", id = "salesforce" }', "id is for ids"),
        ("columns", 'account_id = { from = "a", id = "salesfroce" }', "columns.account_id.id"),
        ("columns", 'account_id = { from = "a", via = { match = "b", key = "c", value = "d", missng = "skip" } }', "Did you mean missing?"),
        ("extra", 'x = { from = "s", role = "attribute", via = { match = "b", key = "c", value = "d" } }', "via is not for"),
        ("columns", 'valid_from = "v"\n[[table]]\nrecord = "change"\n[table.columns]\nlead_id = "l"\nchanged_at = "t"\nfield = "f"\nnew = "n"', "comes from the change table"),
        ("rest", '[[table]]\nrecord = "change"\n[table.columns]\nlead_id = "l"\nchanged_at = "t"\nfield = "f"', "needs new"),
        ("rest", "[[table]]\nrecord = 'spend'\n[table.columns]\ndate='d'\nchannel='c'\namount='a'", "money needs a unit"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line(tmp_path: Path, part: str, text: str, said: str) -> None:
    assert said in refused(tmp_path, **{part: text})


@pytest.mark.parametrize(
    "column",
    ["Tags", "lead quality", "Lead_Profile", "Asymmetrique Activity Index", "Last Activity", "LAST_NOTABLE_ACTIVITY",
     "IsConverted", "ConvertedDate", "ConvertedOpportunityId", "Status", "Rating", "LastActivityDate", "lifecyclestage",
     "hs_lifecyclestage_lead_date", "hs_lead_status", "hubspotscore", "num_associated_deals", "recent_deal_amount",
     "Leadlift_Grade__c", "Lead_Score__c"],
)  # fmt: skip
def test_columns_written_while_a_lead_is_worked_are_refused_as_features(tmp_path: Path, column: str) -> None:
    said = refused(tmp_path, extra=f'x = {{ from = "{column}", role = "attribute" }}')
    assert f"column {column} is refused as a feature: " in said
    assert 'role = "comparator"' in said
    assert f"column {column} is refused" in refused(tmp_path, columns=f'lead_source = "{column}"')
    read(tmp_path, extra=f'x = {{ from = "{column}", kind = "number", role = "comparator" }}')


@pytest.mark.parametrize(
    "column", ["Lead Source", "Country", "Specialization", "TotalVisits", "State", "Industry", "Stage name"]
)
def test_honest_columns_are_not_refused(column: str) -> None:
    assert leak_reason(column) is None


def test_files_the_mapping_names_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        BASE.format(columns="", extra="", rest="").replace('name = "m"', 'name = "m"\nrules = "points.yaml"')
    )
    with pytest.raises(MappingError, match=r"dataset\] rules: expected the points file at .*points\.yaml"):
        load_mapping(file)
    (tmp_path / "points.yaml").write_text("version: 1")
    assert load_mapping(file).rules == "version: 1"


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text("[dataset]\nname = \n")
    with pytest.raises(MappingError, match=r"expected TOML, got .*line 2"):
        load_mapping(file)
