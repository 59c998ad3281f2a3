"""Bad input at the command line: one line with file, column and remedy, the exit code, nothing half-written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.cli import main

SAMPLES = Path(__file__).parent / "samples"
LABELLED = (SAMPLES / "labelled" / "labelled.toml").read_text()
ROWS = (SAMPLES / "labelled" / "leads.csv").read_text()


@dataclass
class Answer:
    """What a command returned, printed and complained."""

    code: int
    out: str
    err: str


Command = Callable[..., Answer]


@pytest.fixture
def leadlift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEADLIFT_HOME", raising=False)

    def run(*arguments: str) -> Answer:
        monkeypatch.setattr(sys, "argv", ["leadlift", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


def given(table: str = ROWS, mapping: str = LABELLED) -> tuple[str, ...]:
    Path("leads.csv").write_text(table)
    Path("m.toml").write_text(mapping)
    return ("import", "leads.csv", "--mapping", "m.toml", "--to", "d")


def one_line(answer: Answer, code: int, *said: str) -> None:
    assert answer.code == code
    lines = answer.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    for word in said:
        assert word in lines[0]
    assert not Path("d").exists()
    assert not Path(".leadlift").exists()
    assert not [p for p in Path().iterdir() if p.name.endswith(".staging")]


CRM = (SAMPLES / "crm" / "leads.csv").read_text()
LEADS_ONLY = (
    '[dataset]\nname = "m"\n[[table]]\nrecord = "lead"\n[table.columns]\nlead_id = "Id"\ncreated_at = "Created"\n'
)


@pytest.mark.parametrize(
    ("table", "mapping", "said"),
    [
        (ROWS.replace("visits", "vists"), LABELLED, ("leads.csv", 'a column "visits"', "Did you mean vists?")),
        ("", LABELLED, ("leads.csv", "an empty file")),
        ("origin,visits,seconds,status,bought\n", LABELLED, ("leads.csv", "data rows below the header, got none")),
        (ROWS.replace(",no", ",yes"), LABELLED, ("leads.csv", "column bought", "label has one class")),
        (ROWS.replace("120", "two minutes"), LABELLED, ("leads.csv", "text where a number belongs", "in column seconds")),
        (ROWS, LABELLED.replace('unit = "s"', 'unit = "seconds"'), ("m.toml", "unknown unit seconds", "s, ms, min")),
        (ROWS.replace("status", "visits"), LABELLED, ("leads.csv, line 1", "column 'visits' twice")),
        (ROWS, LABELLED.replace('"bought"', '"bougt"'), ("leads.csv", '"bougt"', "Did you mean bought?")),
        (ROWS, LABELLED.replace("origin = {", "status = {").replace('"origin"', '"status"'),
         ("m.toml", "column status is refused as a feature: written while salespeople work the lead")),
        (CRM, LEADS_ONLY, ("leads.csv", "a time without zone in column Created", "Europe/Berlin")),
        (ROWS, LABELLED.replace('name = "labelled"', 'name = "labelled"\nrules = "points.yaml"'), ("points.yaml",)),
    ],
    ids=["missing column", "empty file", "no rows", "one class", "text in a number", "wrong unit", "column twice", "missing label",
         "leak", "date without zone", "missing rules"],
)  # fmt: skip
def test_bad_tables_and_mappings_are_one_line_and_leave_nothing(
    leadlift: Command, table: str, mapping: str, said: tuple[str, ...]
) -> None:
    if "column Created" in " ".join(said):
        table = "\n".join(line for line in table.splitlines() if not line.startswith(("L1", "L2"))) + "\n"
    one_line(leadlift(*given(table, mapping)), 1, *said)


def test_a_broken_points_file_is_named_before_anything_is_read(leadlift: Command, tmp_path: Path) -> None:
    arguments = given(mapping=LABELLED.replace('name = "labelled"', 'name = "labelled"\nrules = "points.yaml"'))
    Path("points.yaml").write_text("version: [")
    one_line(leadlift(*arguments), 1, "points.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--format", "sas"), "--format"),
        (("--config", "none.toml"), "--config none.toml"),
        (("--mapping", "none.toml"), "--mapping none.toml"),
        (("--to", "postgresql://x"), "--to"),
    ],
)
def test_wrong_arguments_are_exit_code_2(leadlift: Command, change: tuple[str, str], said: str) -> None:
    one_line(leadlift(*given(), *change), 2, said)


def test_a_file_that_is_not_there_is_exit_code_2(leadlift: Command) -> None:
    given()
    one_line(leadlift("import", "none.csv", "--mapping", "m.toml", "--to", "d"), 2, "none.csv")


@pytest.mark.parametrize("command", ["keys create --name crm --scope score", "openapi --out .leadlift/openapi.json"])
def test_a_place_that_cannot_be_written_is_one_line(leadlift: Command, command: str) -> None:
    Path(".leadlift").write_text("no folder")
    answer = leadlift(*command.split())
    assert (answer.code, answer.err.count("\n"), ".leadlift" in answer.err) == (1, 1, True)


def test_an_unknown_setting_is_exit_code_2_with_the_nearest_name(leadlift: Command) -> None:
    arguments = given()
    Path("leadlift.toml").write_text("[data]\nreject_limt = 0.5\n")
    one_line(leadlift(*arguments), 2, "leadlift.toml", "Did you mean data.reject_limit?")
    one_line(leadlift("settings"), 2, "Did you mean data.reject_limit?")


def test_an_import_says_what_it_did_and_what_to_do_next(leadlift: Command) -> None:
    arguments = given()
    first = leadlift(*arguments)
    assert (first.code, first.err) == (0, "")
    assert 'column "status" is left out: written while salespeople work the lead' in first.out
    assert first.out.rstrip().endswith("leadlift train d --promote")
    again = leadlift(*arguments)
    assert again.code == 0
    assert "nothing to do" in again.out


def test_json_is_one_object_on_standard_output(leadlift: Command) -> None:
    answer = leadlift(*given(), "--json")
    document = json.loads(answer.out)
    assert (document["market"], document["written"]) == ("labelled", True)
    assert [(f["read"], f["accepted"]) for f in document["files"]] == [(5, 5)]
    names = {s["name"]: s["origin"] for s in json.loads(leadlift("settings", "--json").out)["settings"]}
    assert names["snapshots.horizon_days"] == "default"


def test_the_markets_points_are_kept_in_the_home(leadlift: Command) -> None:
    mapping = Path(__file__).parent.parent / "data" / "mappings" / "x_education.toml"
    text = mapping.with_name("x_education_rules.yaml").read_text()
    arguments = given(mapping=LABELLED.replace('name = "labelled"', 'name = "labelled"\nrules = "points.yaml"'))
    Path("points.yaml").write_text(text)
    assert leadlift(*arguments).code == 0
    assert Path(".leadlift/labelled/rules.yaml").read_text() == text == Path("d/rules.yaml").read_text()
