"""Rescoring: whole or not at all, named by its inputs, read back to the reply, safe as CSV."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from data.errors import InputError, UsageError, Verdict
from data.records import MICROS
from data.settings import Settings
from serving.champion import champion
from serving.commands import scores
from serving.known import of_people
from serving.reply import KEYS, time_text, to_bytes
from serving.rescore import Counts, Job, read_current, rescore, stored_reply
from serving.rescore_columns import write_csv
from serving.scorer import Wants


@pytest.fixture
def job(market) -> Job:
    return Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants())


def _tree(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_a_run_holds_every_lead_once_and_its_manifest_says_so(job, tmp_path):
    done = rescore(job, tmp_path, finished_at="2026-11-01T00:00:00Z")
    table = read_current(tmp_path)
    (people,) = job.dataset.people()
    assert sorted(table.column("lead_id").to_pylist()) == sorted(people.lead_ids)
    manifest = json.loads((done.path / "manifest.json").read_text())
    assert manifest["leads"]["scored"] == len(people) == sum(p["rows"] for p in manifest["parts"])
    assert manifest["bundle"] == job.scorer.bundle.name
    assert manifest["dataset"]["digest"] == job.dataset.info.digest
    for part in manifest["parts"]:
        assert hashlib.sha256((done.path / part["file"]).read_bytes()).hexdigest() == part["sha256"]
    assert sum(manifest["leads"]["grades"].values()) == len(people)


def test_columns_are_the_replys_keys_in_order_and_rank_score(job, tmp_path):
    rescore(job, tmp_path)
    table = read_current(tmp_path)
    assert table.column_names == [*KEYS, "rank_score"]
    assert table.schema.field("as_of").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("sales_ready").type == pa.bool_()
    assert table.column("rank_score").null_count == 0


def test_a_stored_row_reads_back_to_the_reply(job, tmp_path):
    rescore(job, tmp_path)
    table = read_current(tmp_path)
    (people,) = job.dataset.people()
    together = job.scorer.score(of_people(people, job.as_of), Wants())
    for i in range(len(table)):
        assert stored_reply(table, i) == to_bytes(together.row(i))


def test_groups_of_buckets_do_not_change_a_row(job, tmp_path, monkeypatch):
    rescore(job, tmp_path / "one")
    people = type(job.dataset).people
    monkeypatch.setattr(type(job.dataset), "people", lambda self, max_events=0: people(self, 400))
    rescore(job, tmp_path / "many")
    (one,), (many,) = ([p for p in tmp_path.glob(f"{n}/*") if p.is_dir()] for n in ("one", "many"))
    assert len(list(many.glob("part-*"))) > len(list(one.glob("part-*"))) == 1
    assert read_current(tmp_path / "one").equals(read_current(tmp_path / "many"))


def test_a_finished_run_is_not_done_again(job, tmp_path):
    first = rescore(job, tmp_path, finished_at="a")
    before = _tree(tmp_path)
    second = rescore(job, tmp_path, finished_at="b")
    assert (first.again, second.again) == (False, True)
    assert (second.run, second.counts) == (first.run, first.counts)
    assert _tree(tmp_path) == before


def test_a_runs_name_follows_its_inputs(job):
    names = {
        job.run,
        replace(job, as_of=job.as_of + 1).run,
        replace(job, wants=Wants("none")).run,
        replace(job, wants=Wants("all", "de")).run,
    }
    assert len(names) == 4
    assert replace(job).run == job.run


class Stop(Exception):
    """A crash."""


def test_a_run_that_dies_is_never_visible_and_done_anew(job, tmp_path):
    rescore(replace(job, as_of=job.as_of + 1), tmp_path)
    before = _tree(tmp_path)

    def die(rows: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        rescore(job, tmp_path, die)
    assert _tree(tmp_path) == before
    (tmp_path / f".{job.run}.1").mkdir()
    (tmp_path / f".{job.run}.1" / "part-00000.parquet").write_bytes(b"half")
    rescore(job, tmp_path)
    assert json.loads((tmp_path / "current.json").read_text())["run"] == job.run
    assert not list(tmp_path.glob(".*"))
    assert len(read_current(tmp_path)) == 90


def test_a_run_whose_parts_are_gone_is_done_anew(job, tmp_path):
    done = rescore(job, tmp_path)
    next(done.path.glob("part-*")).unlink()
    assert rescore(job, tmp_path).again is False
    assert len(read_current(tmp_path)) == 90


def test_nobody_there_yet_gives_an_empty_set(job, tmp_path):
    early = replace(job, as_of=job.as_of - 200 * 86_400 * MICROS)
    done = rescore(early, tmp_path)
    assert done.counts["not_yet_created"] == done.counts["leads"] == 90
    assert len(read_current(tmp_path)) == 0


def test_scores_are_not_written_into_a_dataset(job):
    with pytest.raises(InputError, match="--out"):
        rescore(job, job.dataset.path)


def test_nothing_published_is_an_error(tmp_path):
    with pytest.raises(InputError, match="rescore"):
        read_current(tmp_path)


def test_a_csv_has_every_value_and_no_formula(job, tmp_path):
    counts = Counts()
    write_csv(tmp_path / "scores.csv", job.scored(counts))
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rescore(job, tmp_path / "parquet")
    table = {r["lead_id"]: r for r in read_current(tmp_path / "parquet").to_pylist()}
    assert counts.scored == len(rows) == len(table) == 90
    assert {r["lead_id"] for r in rows} == {"'=cmd|1" if i == "=cmd|1" else i for i in table}
    for row in rows:
        stored = table[row["lead_id"].removeprefix("'")]
        assert float(row["probability"]) == stored["probability"]
        assert row["as_of"] == time_text(stored["as_of"])
        assert row["sales_ready"] == str(stored["sales_ready"]).lower()
        assert row["interest_1"] == (stored["interest_1"] or "")


def test_a_csv_that_fails_leaves_the_old_one(job, tmp_path):
    file = tmp_path / "scores.csv"
    file.write_text("old")

    def groups() -> Any:
        yield from job.scored(Counts())
        raise Stop

    with pytest.raises(Stop):
        write_csv(file, groups())
    assert file.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["scores.csv"]


# -- the command -----------------------------------------------------------------------------------------------
def _run(settings: Settings, *arguments: object, error: type[Exception] | None = None) -> Any:
    app = typer.Typer()
    scores.register(app)
    env = {"LEADLIFT_HOME": str(settings.home)}
    if error is None:
        done = CliRunner().invoke(app, ["rescore", *map(str, arguments)], env=env, catch_exceptions=False)
        assert done.exit_code == 0
        return done
    with pytest.raises(error) as caught:
        CliRunner().invoke(app, ["rescore", *map(str, arguments)], env=env, catch_exceptions=False)
    return caught.value


def test_the_command_dates_itself_just_after_the_last_arrival(market, tmp_path):
    done = _run(market.settings, market.dataset.path, "--out", tmp_path, "--json")
    document = json.loads(done.stdout)
    pointer = json.loads((tmp_path / "current.json").read_text())
    assert pointer["as_of"] == market.dataset.info.latest_arrival + 1
    assert (document["run"], document["leads"]["scored"]) == (pointer["run"], 90)
    assert "Next:" in _run(market.settings, market.dataset.path, "--out", tmp_path).stdout


def test_without_a_champion_nothing_is_written(market, tmp_path):
    error = _run(
        Settings(home=tmp_path / "home"), market.dataset.path, "--out", tmp_path / "out", error=Verdict
    )  # fmt: skip
    assert error.exit_code == 3
    assert not (tmp_path / "out").exists()


def test_a_table_without_times_needs_a_moment_and_changes_nothing_but_it(timeless, tmp_path):
    error = _run(timeless.settings, timeless.dataset.path, "--out", tmp_path, error=UsageError)
    assert "--as-of" in str(error)
    for moment in ("2026-01-01", "2030-06-01T12:00:00Z"):
        _run(timeless.settings, timeless.dataset.path, "--as-of", moment, "--out", tmp_path / moment)
    a, b = (
        read_current(tmp_path / m).drop_columns(["as_of", "scored_at"]) for m in ("2026-01-01", "2030-06-01T12:00:00Z")
    )
    assert a.equals(b)
    assert len(a) == 90


def test_the_csv_command_writes_the_file(market, tmp_path):
    done = _run(market.settings, market.dataset.path, "--out", tmp_path / "x.csv", "--lang", "de", "--reasons", "ready")
    assert "90 leads scored" in done.stdout
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 91


@pytest.mark.parametrize("options", [("--lang", "fr"), ("--reasons", "some"), ("--as-of", "soon")])
def test_wrong_options_are_named(market, tmp_path, options):
    error = _run(market.settings, market.dataset.path, "--out", tmp_path, *options, error=UsageError)
    assert str(error).startswith(options[0])


def test_parts_carry_no_path_or_clock(job, tmp_path):
    rescore(job, tmp_path / "a", finished_at="now")
    rescore(job, tmp_path / "b", finished_at="later")
    a, b = (next((tmp_path / n / job.run).glob("part-*")).read_bytes() for n in "ab")
    assert a == b
    assert set(pq.read_schema(next((tmp_path / "a" / job.run).glob("part-*"))).metadata or {}) == set()
