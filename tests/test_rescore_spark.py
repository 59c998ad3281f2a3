"""Rescoring by Spark: the bytes of the local engine, its errors in one line, resumed like it; DataFrames give the same."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data.dataset import open_dataset
from data.errors import InputError, LeadliftError, UsageError
from data.lake_tables import Tables
from serving.champion import champion
from serving.rescore import How, Job, Target, read_current, rescore
from serving.rescore_columns import SCHEMA
from serving.scorer import Wants
from tests.conftest import Leadlift, Market

FRAMES = ("leads", "events", "links", "outcomes")


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """One session for all."""
    try:
        from serving.rescore_spark import session, spark_engine

        spark_engine()
    except (ModuleNotFoundError, UsageError) as missing:
        lacks = f"install pyspark (the extra spark) and a headless Java runtime, 17 or later: {missing}"
        pytest.fail(lacks) if "spark" in os.environ.get("REQUIRED_TESTS", "") else pytest.skip(lacks)
    with session("local[2]") as running:
        for name, value in (("shuffle.partitions", 2), ("codegen.wholeStage", False), ("adaptive.enabled", False)):
            running.conf.set(f"spark.sql.{name}", value)  # what costs seconds and is worth them with millions of rows
        yield running


@pytest.fixture
def job(market: Market) -> Job:
    return Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants())


def _tree(folder: Path) -> dict[str, str]:
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def _by_spark(job: Job, out: Path, **how: Any) -> None:
    from serving.rescore_spark import spark_engine

    rescore(job, Target(out), How(engine=spark_engine(), workers=2, **how))


# -- bucket numbers --------------------------------------------------------------------------------------------
@pytest.mark.spark
@pytest.mark.parametrize("events", [500_000, 1])
def test_the_bytes_are_those_of_the_local_engine(
    spark: Any, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: int
) -> None:
    """Also where events are arranged first, because there are many groups."""
    rescore(job, Target(tmp_path / "local"))
    monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", events)
    monkeypatch.chdir(tmp_path)
    _by_spark(job, Path("spark"))
    assert _tree(tmp_path / "spark") == _tree(tmp_path / "local")


@pytest.mark.spark
def test_it_goes_on_where_a_run_was_killed(
    spark: Any, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.rescore_workers.GROUP_EVENTS", 1)
    seen: list[int] = []

    def die(rows: int) -> None:
        seen.append(rows)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _by_spark(job, tmp_path / "spark", advance=die)
    made: list[Any] = []
    read = type(job.dataset).people_in
    monkeypatch.setattr(type(job.dataset), "people_in", lambda s, b, **k: made.append(list(b)) or read(s, b, **k))
    rescore(job, Target(tmp_path / "spark"))
    assert len(made) == 1
    rescore(job, Target(tmp_path / "local"))
    assert _tree(tmp_path / "spark") == _tree(tmp_path / "local")


@pytest.mark.spark
def test_what_a_task_cannot_read_is_the_local_engines_error(spark: Any, job: Job, tmp_path: Path) -> None:
    shutil.copytree(Path(job.dataset.place), tmp_path / "dataset")
    broken = replace(job, dataset=open_dataset(tmp_path / "dataset"))
    (file, *_) = (tmp_path / "dataset" / "leads").rglob("*.parquet")
    file.write_bytes(b"PAR1")
    said = []
    for engine in (_by_spark, lambda job, out: rescore(job, Target(out))):
        with pytest.raises(InputError) as error:
            engine(broken, tmp_path / "scores")
        said.append(str(error.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]


@pytest.mark.spark
def test_a_task_that_dies_is_told_in_one_line(spark: Any, capfd: pytest.CaptureFixture[str]) -> None:
    from serving.rescore_spark import _clear, _run

    with pytest.raises(LeadliftError, match="finished parts are kept") as error, _clear():
        list(_run(spark.sparkContext, lambda numbers: os._exit(9), 2, 2))
    assert "\n" not in str(error.value)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.spark
def test_the_command_takes_it_and_says_one_object(spark: Any, market: Market, tmp_path: Path) -> None:
    shutil.copytree(market.settings.home, tmp_path / "home")
    leadlift = Leadlift(tmp_path / "home", {})
    words = ("rescore", market.dataset.place, "--as-of", "2026-09-22", "--workers", "2")
    assert leadlift(*words, "--out", str(tmp_path / "spark"), "--engine", "spark")[0] == 0
    assert leadlift(*words, "--out", str(tmp_path / "local"))[0] == 0
    spark_set, local = (read_current(tmp_path / n) for n in ("spark", "local"))
    assert spark_set.equals(local)


@pytest.mark.parametrize(("lacks", "told"), [("pyspark", "extra spark"), ("java", "Java 17")])
def test_what_is_missing_is_a_usage_error(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str, told: str
) -> None:
    if lacks == "pyspark":
        monkeypatch.delitem(sys.modules, "serving.rescore_spark", raising=False)
        monkeypatch.setitem(sys.modules, "pyspark", None)
        monkeypatch.setitem(sys.modules, "py4j.protocol", None)
    else:
        pytest.importorskip("pyspark")
    words = ("rescore", market.dataset.place, "--out", str(tmp_path / "scores"), "--engine", "spark")
    environment = {"JAVA_HOME": str(tmp_path)} if lacks == "java" else {}
    code, _, said = Leadlift(market.settings.home, environment)(*words)
    assert (code, said.count("\n")) == (2, 1)
    assert told in said
    assert not (tmp_path / "scores").exists()


# -- DataFrames ------------------------------------------------------------------------------------------------
def _tables(market: Market) -> dict[str, pa.Table]:
    return {name: market.dataset.lake.table(name) for name in FRAMES}


def _scored(spark: Any, job: Job, tables: dict[str, pa.Table]) -> pa.Table:
    from serving.rescore_spark import score_frames

    frames = {name: spark.createDataFrame(table) for name, table in tables.items()}
    assert job.scorer.bundle is not None
    return score_frames(frames, job.scorer.bundle, job.as_of, buckets=5).toArrow()


def _of_tables(job: Job, tables: dict[str, pa.Table], out: Path) -> pa.Table:
    """What this machine makes of the same records in memory."""
    rescore(replace(job, dataset=Tables(job.dataset.info, tables, "tables")), Target(out))
    return read_current(out)


def _same(found: pa.Table, expected: pa.Table) -> bool:
    def ordered(table: pa.Table) -> pa.Table:
        return table.select(SCHEMA.names).cast(SCHEMA).sort_by("lead_id").combine_chunks()

    return bool(ordered(found).equals(ordered(expected)))


def _more(table: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([pa.field(f.name, f.type) for f in table.schema])
    return pa.concat_tables([table.cast(schema), pa.Table.from_pylist(rows, schema)])


def test_records_in_memory_are_scored_as_in_a_folder(market: Market, job: Job, tmp_path: Path) -> None:
    rescore(job, Target(tmp_path / "folder"))
    assert _same(_of_tables(job, _tables(market), tmp_path / "tables"), read_current(tmp_path / "folder"))


@pytest.mark.spark
def test_frames_are_scored_as_the_same_records_elsewhere(spark: Any, market: Market, job: Job, tmp_path: Path) -> None:
    """A chain of merges and visitors of two leads, whose events several groups want; a lead without id has a reason."""
    tables = _tables(market)
    plain, moment = _of_tables(job, tables, tmp_path / "plain"), tables["links"].column("known_from")[0].as_py()
    ids = sorted(tables["leads"].column("lead_id").unique().to_pylist())
    told = [(ids[i], ids[i + 1], "merge") for i in range(10, 20)] + [(f"v{i}", ids[80 - i], "form") for i in range(40)]
    tables["links"] = _more(
        tables["links"], [{"visitor_id": v, "lead_id": i, "known_from": moment, "kind": kind} for v, i, kind in told]
    )
    expected = _of_tables(job, tables, tmp_path / "merged")
    assert not _same(expected, plain)
    found = _scored(spark, job, tables | {"leads": _more(tables["leads"], [{"lead_id": None, "created_at": moment}])})
    scored = pc.is_null(found.column("quarantine"))
    assert _same(found.filter(scored), expected)
    bad = found.filter(pc.invert(scored)).select(["lead_id", "quarantine"]).to_pylist()
    assert bad == [{"lead_id": None, "quarantine": "lead_id_missing"}]


@pytest.mark.spark
def test_frames_of_other_columns_are_refused_by_name(spark: Any, market: Market, job: Job) -> None:
    tables = _tables(market)
    moments = tables["events"].schema.get_field_index("occurred_at")
    numbers = pa.array(np.arange(len(tables["events"])))
    for wrong, name in (
        ({"visits": tables["events"]}, "visits"),
        ({"events": tables["events"].set_column(moments, "occurred_at", numbers)}, "events.occurred_at"),
        ({"leads": tables["leads"].drop_columns("lead_id")}, "leads.lead_id"),
    ):
        with pytest.raises(InputError, match=name):
            _scored(spark, job, tables | wrong)
