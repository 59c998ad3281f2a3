"""Rescoring: whole or not at all, named by its inputs, read back to the reply, by bucket, bad leads aside."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from data.dataset import open_dataset
from data.errors import InputError, UsageError, Verdict
from data.records import MICROS, NULL_TIME
from data.settings import Settings
from serving.champion import champion
from serving.cli import build_app
from serving.known import of_people
from serving.reply import KEYS, to_bytes
from serving.rescore import Candidate, Done, How, Job, Target, read_current, stored_reply
from serving.rescore import rescore as publish
from serving.scorer import Wants


@pytest.fixture
def job(market) -> Job:
    return Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants())


def rescore(job: Job, out: Path, **how: Any) -> Done:
    return publish(job, Target(out), How(**how))


def _tree(folder: Path) -> dict[str, str]:
    """What readers can see: hidden files are nobody's."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "/." not in f"/{f.relative_to(folder)}")
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


def test_bytes_depend_neither_on_groups_nor_on_workers(job, tmp_path, monkeypatch):
    rescore(job, tmp_path / "one")
    rescore(job, tmp_path / "two", workers=2)
    monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", 1)
    rescore(job, tmp_path / "many")
    monkeypatch.setattr("serving.rescore_parts.SLICE_EVENTS", 20)
    rescore(job, tmp_path / "slices")
    one, two, many, slices = (_tree(tmp_path / n) for n in ("one", "two", "many", "slices"))
    assert one == two == many == slices
    assert len([f for f in one if "/part-" in f]) == job.dataset.info.buckets


def test_a_finished_run_is_not_done_again(job, tmp_path):
    first = rescore(job, tmp_path, finished_at="a")
    before = _tree(tmp_path)
    second = rescore(job, tmp_path, finished_at="b")
    assert (first.again, second.again) == (False, True)
    assert (second.run, second.leads) == (first.run, first.leads)
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


def test_a_run_that_stops_is_not_visible_and_goes_on_where_it_was(job, tmp_path, monkeypatch):
    rescore(replace(job, as_of=job.as_of + 1), tmp_path)
    before = _tree(tmp_path)
    monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", 1)
    seen = []

    def die(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 3:
            raise Stop

    with pytest.raises(Stop):
        rescore(job, tmp_path, advance=die)
    assert _tree(tmp_path) == before
    read = type(job.dataset).people_in
    asked: list[Any] = []
    monkeypatch.setattr(type(job.dataset), "people_in", lambda s, b, **k: asked.append(list(b)) or read(s, b, **k))
    rescore(job, tmp_path)
    assert asked == [[3]]
    assert json.loads((tmp_path / "current.json").read_text())["run"] == job.run
    assert not list(tmp_path.glob(".*"))
    assert len(read_current(tmp_path)) == 90


def test_a_part_that_was_altered_is_made_again(job, tmp_path):
    def refuse(candidate: Candidate) -> dict[str, Any]:
        raise Verdict("no")

    with pytest.raises(Verdict):
        rescore(job, tmp_path / "a", gate=refuse)
    (part,) = (tmp_path / "a").glob(".work.*/*/part-00001.parquet")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    rescore(job, tmp_path / "a")
    rescore(job, tmp_path / "b")
    assert _tree(tmp_path / "a") == _tree(tmp_path / "b")


def test_what_the_gate_refuses_is_not_published_and_what_it_says_is_kept(job, tmp_path):
    candidates = []

    def gate(candidate: Candidate) -> dict[str, Any]:
        candidates.append(candidate)
        if len(candidates) == 1:
            raise Verdict("too many moved")
        return {"accepted": "a promotion"}

    first = rescore(replace(job, as_of=job.as_of + 1), tmp_path)
    before = _tree(tmp_path)
    with pytest.raises(Verdict):
        rescore(job, tmp_path, gate=gate)
    assert _tree(tmp_path) == before
    assert candidates[0].before == first.path
    done = rescore(job, tmp_path, gate=gate)
    assert json.loads((done.path / "manifest.json").read_text())["gate"] == {"accepted": "a promotion"}


def test_of_nights_that_are_held_back_only_the_last_one_takes_room(job, tmp_path):
    def refuse(candidate: Candidate) -> dict[str, Any]:
        raise Verdict("no")

    nights = [replace(job, as_of=job.as_of + night) for night in range(3)]
    for night in nights:
        with pytest.raises(Verdict):
            rescore(night, tmp_path, gate=refuse)
    assert [folder.name for folder in tmp_path.glob(".work.*/*")] == [nights[-1].run]


def test_a_bad_lead_is_put_aside_with_a_reason_and_stops_nobody(job, tmp_path, monkeypatch):
    whole = rescore(job, tmp_path / "whole")
    score = type(job.scorer).score

    def failing(self: Any, known: Any, wants: Any) -> Any:
        if "lead-0007" in known.lead_ids or "=cmd|1" in known.lead_ids:
            raise ZeroDivisionError
        return score(self, known, wants)

    monkeypatch.setattr(type(job.scorer), "score", failing)
    done = rescore(job, tmp_path / "part")
    lines = (done.path / "quarantine.jsonl").read_text().splitlines()
    assert {(r["lead_id"], r["reason"]) for r in map(json.loads, lines)} == {
        ("lead-0007", "scoring_failed:ZeroDivisionError"),
        ("=cmd|1", "scoring_failed:ZeroDivisionError"),
    }
    leads = done.leads
    assert leads["leads"] == leads["scored"] + leads["quarantined"] + leads["not_yet_created"] == 90
    assert leads["quarantined"] == 2
    manifest = json.loads((done.path / "manifest.json").read_text())
    assert manifest["quarantine"] == {"scoring_failed:ZeroDivisionError": 2}
    others = read_current(tmp_path / "whole").filter(
        pc.invert(pc.is_in(pc.field("lead_id"), pa.array(["lead-0007", "=cmd|1"])))
    )
    assert whole.run == done.run
    assert read_current(tmp_path / "part").equals(others)


def test_a_model_without_an_answer_puts_the_lead_aside_and_no_score_at_all_is_an_error(job, tmp_path, monkeypatch):
    job = replace(job, wants=Wants("none"))  # with reasons a prediction comes another way
    predict = type(job.scorer.bundle).predict

    def some(self: Any, table: Any, points: Any = None) -> Any:
        said = predict(self, table, points)
        return replace(said, rank_score=np.where(points > limit, np.nan, said.rank_score))

    monkeypatch.setattr(type(job.scorer.bundle), "predict", some)
    limit = 50
    done = rescore(job, tmp_path / "some")
    assert 0 < done.leads["quarantined"] < 90
    assert "not_a_number" in (done.path / "quarantine.jsonl").read_text()
    limit = -1
    with pytest.raises(InputError, match="90 in quarantine, most of them not_a_number"):
        rescore(job, tmp_path / "none")
    assert not _tree(tmp_path / "none")


@pytest.mark.parametrize("group", [1, 500_000])
def test_a_dataset_that_cannot_be_read_is_one_error(job, tmp_path, monkeypatch, group):
    monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", group)
    shutil.copytree(job.dataset.path, tmp_path / "data")
    broken = replace(job, dataset=open_dataset(tmp_path / "data"))
    part = next((tmp_path / "data" / "events").rglob("*.parquet"))
    for damage in (lambda: part.write_bytes(part.read_bytes()[:-40]), part.unlink):
        damage()
        with pytest.raises(InputError, match="expected a dataset that can be read"):
            rescore(broken, tmp_path / "out")


def test_a_lead_with_a_broken_row_is_put_aside(job, tmp_path, monkeypatch):
    read = type(job.dataset).people_in

    def broken(self: Any, buckets: Any, **which: bool) -> Any:
        people = read(self, buckets, **which)
        if "lead-0004" in people.lead_ids:
            theirs = np.flatnonzero(people.events["lead"] == people.lead_ids.index("lead-0004"))
            people.events["occurred_at"][theirs[0]] = NULL_TIME
        return people

    monkeypatch.setattr(type(job.dataset), "people_in", broken)
    done = rescore(job, tmp_path)
    assert (done.leads["scored"], done.leads["quarantined"]) == (89, 1)
    line = json.loads((done.path / "quarantine.jsonl").read_text())
    assert line == {"lead_id": "lead-0004", "reason": "event_without_time"}


def test_a_run_whose_parts_are_gone_is_done_anew(job, tmp_path):
    done = rescore(job, tmp_path)
    next(done.path.glob("part-*")).unlink()
    assert rescore(job, tmp_path).again is False
    assert len(read_current(tmp_path)) == 90


def test_nobody_there_yet_gives_an_empty_set(job, tmp_path):
    early = replace(job, as_of=job.as_of - 200 * 86_400 * MICROS)
    done = rescore(early, tmp_path)
    assert done.leads["not_yet_created"] == done.leads["leads"] == 90
    assert len(read_current(tmp_path)) == 0


def test_scores_are_not_written_into_a_dataset(job):
    with pytest.raises(InputError, match="--out"):
        rescore(job, job.dataset.path)


def test_who_reads_while_the_only_set_is_replaced_gets_the_new_one(job, tmp_path, monkeypatch):
    rescore(job, tmp_path, keep=1)
    read = pq.read_table

    def late(*file: Any, **how: Any) -> pa.Table:
        monkeypatch.setattr(pq, "read_table", read)
        rescore(replace(job, as_of=job.as_of + 1), tmp_path, keep=1)
        return read(*file, **how)

    monkeypatch.setattr(pq, "read_table", late)
    assert {int(t.timestamp() * 1e6) for t in read_current(tmp_path).column("as_of").to_pylist()} == {job.as_of + 1}


def test_a_published_set_that_is_damaged_is_named_with_what_to_do(job, tmp_path):
    part = rescore(job, tmp_path).path / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:99])
    for use in (read_current, lambda out: rescore(replace(job, as_of=job.as_of + 1), out)):
        with pytest.raises(InputError, match=f"{part.name}: expected a file of a published set.*else remove it"):
            use(tmp_path)
    part.unlink()
    assert rescore(replace(job, as_of=job.as_of + 1), tmp_path).current
    assert len(read_current(tmp_path)) == 90


def test_nothing_published_is_an_error(tmp_path):
    with pytest.raises(InputError, match="rescore"):
        read_current(tmp_path)


# -- the command -----------------------------------------------------------------------------------------------
def _run(settings: Settings, *arguments: object, error: type[Exception] | None = None) -> Any:
    app = build_app()
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
    assert "90 of 90 leads scored" in done.stdout
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
