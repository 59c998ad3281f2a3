"""Rescoring by Spark, where one machine is not enough. All that knows pyspark is here.

    spark_engine   Spark hands out *bucket numbers*; each task reads, scores and writes its buckets with the function of
                   the local engine, so the bytes are the same. Ledger, gate and publication stay with the driver.
    score_frames   scores records that exist only as DataFrames: they are brought together by a hash of the lead and
                   scored by `groupBy(bucket).applyInArrow`. Much slower: the records travel.

Leadlift must be installed for the Python of the executors, and they must see dataset and scores under the same paths.
"""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import lru_cache, partial, reduce
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import Broadcast, SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession, functions

from data.dataset import ExtraColumn
from data.errors import InputError, LeadliftError, UsageError
from data.merges import merges_into
from serving.rescore_frames import ASKED_FOR, RESULT, Question, record_columns, score_table
from serving.rescore_parts import Part, write_parts
from serving.rescore_workers import Plan, Portable
from serving.scorer import Wants
from training.bundle import Bundle

if TYPE_CHECKING:
    from serving.rescore_job import Engine, Job

Sent = Broadcast[tuple[Portable, Plan]]
Work = Callable[[Iterable[int]], list[Any]]


def spark_engine(master: str | None = None) -> Engine:
    """The engine for `How`. master: Spark's; None = this machine, with as many tasks at once as there are workers.

    A session that runs already is used and left running.

    Raises
    ------
    UsageError
        where there is no Java.
    """
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if os.environ.get("JAVA_HOME") else shutil.which("java")
    if java is None or not Path(java).exists():
        raise UsageError(
            "--engine spark: expected Java 17 or later, got none. Install a headless Java runtime, or set JAVA_HOME."
        )
    return partial(_parts, master)


@contextmanager
def session(master: str) -> Iterator[SparkSession]:
    """The session that runs, or one that is stopped in the end."""
    running = SparkSession.getActiveSession()
    if running is not None:
        yield running
        return
    started = _started(master)
    try:
        yield started
    finally:
        started.stop()


def _started(master: str) -> SparkSession:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else any python3 that executors find
    chosen = {
        "spark.master": master, "spark.app.name": "leadlift", "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.speculation": "false",  # two tasks would write one file
        "spark.executorEnv.PYTHONPATH": str(Path(__file__).resolve().parent.parent),  # a checkout that is not installed
    }  # fmt: skip
    if master.startswith("local"):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        chosen |= {
            "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",  # it hands out numbers: a quick start
        }  # fmt: skip
    with _without_pandas():
        started = SparkSession.builder.config(map=chosen).getOrCreate()
    started.sparkContext.setLogLevel("FATAL")  # what goes wrong is raised, and told in one line
    return started


@contextmanager
def _without_pandas() -> Iterator[None]:
    """Spark warns of the version of pandas, which takes no part in this."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


# -- bucket numbers --------------------------------------------------------------------------------------------
def _parts(master: str | None, job: Job, buckets: Sequence[int], folder: Path, workers: int) -> Iterator[Part]:
    plan = Plan.of(job, buckets, folder.resolve(), workers)
    if not plan.groups:
        return
    with _clear(), session(master or f"local[{workers}]") as spark:
        context = spark.sparkContext
        sent = context.broadcast((Portable.of(job), plan))
        try:
            if plan.arranges:
                list(_run(context, partial(_arrange, sent, workers), workers, workers))
            yield from _run(context, partial(_write, sent), len(plan.groups), workers)
        finally:
            sent.destroy()
    rmtree(plan.events, ignore_errors=True)


def _run(context: SparkContext, work: Work, count: int, workers: int) -> Iterator[Any]:
    """What `work` gives for each number below `count`, as it comes: one small job each, so many at a time."""
    numbers = context.parallelize(range(count), count)
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(context.runJob, numbers, work, [i]) for i in range(count)]
        try:
            for done in as_completed(waiting):
                for found in done.result():
                    if isinstance(found, Exception):
                        raise found
                    yield found
        finally:
            for job in waiting:
                job.cancel()


@contextmanager
def _clear() -> Iterator[None]:
    """What Spark itself says in one line."""
    try:
        yield
    except (Py4JError, PySparkException) as bad:
        lines = [line.strip() for line in str(bad).splitlines() if line.strip()]
        cause = next((line for line in reversed(lines) if line.startswith("Caused by: ")), lines[0] if lines else "")
        raise LeadliftError(
            f"rescore: expected Spark to finish, got: {cause[:300]}. Run again: finished parts are kept."
        ) from None


def _arrange(sent: Sent, workers: int, numbers: Iterable[int]) -> list[Exception]:
    try:
        portable, plan = sent.value
        for number in numbers:
            plan.arrange(portable.job(), number, workers)
    except Exception as bad:
        return [bad]
    return []


def _write(sent: Sent, numbers: Iterable[int]) -> list[Part | Exception]:
    try:
        job, plan = _opened(sent)
        return [part for number in numbers for part in write_parts(job, plan.groups[number], plan.folder)]
    except Exception as bad:
        return [bad]


@lru_cache(maxsize=1)
def _opened(sent: Sent) -> tuple[Job, Plan]:
    """Once for each process of Python, which does many tasks."""
    portable, plan = sent.value
    return plan.arranged(portable.job()), plan


# -- DataFrames ------------------------------------------------------------------------------------------------
def score_frames(
    frames: Mapping[str, DataFrame],
    bundle: Bundle,
    as_of: int,
    wants: Wants | None = None,
    require_consent: bool = False,
    buckets: int = 64,
) -> DataFrame:
    """The scores of leads whose records exist only in Spark; nothing is published.

    Parameters
    ----------
    frames
        by record: `leads`, and where there are any `events`, `links`, `outcomes`, `consents`, with the columns of
        `data/records.py` and the declared ones of the model; columns that are missing are null. Times are `timestamp`,
        money whole minor units. Values are taken as they are: rules of an import, such as bots and units, do not apply.
    as_of
        the moment, in microseconds.
    buckets
        how many groups leads are dealt to; each has to fit into the memory of a task.

    Returns
    -------
    DataFrame
        the columns of a set of scores and `quarantine`: why a lead has no score, null where it has one. A row for each
        lead created before `as_of`.

    Raises
    ------
    InputError
        for records or columns that cannot be used.
    UsageError
        for a model that looks at a lead's account, which may be in any group.
    """
    if bundle.feature_set.context:
        raise UsageError(
            "score_frames: expected a model without [training] context, got one that looks at accounts. Rescore a folder."
        )
    extra = bundle.feature_set.extra
    rows = {name: _flat(name, frame, extra) for name, frame in frames.items()}
    if "leads" not in rows:
        raise InputError.of(
            where="score_frames", expected="a frame leads", got=", ".join(rows) or "none", remedy="Give it."
        )
    merges = _merges(rows)
    placed = _placed(rows, merges, buckets)
    question = Question(tuple(sorted(bundle.files.items())), as_of, wants or Wants(), require_consent, merges)
    whole = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), placed)
    absent = [(n, c) for name in ASKED_FOR if name not in rows for n, c in record_columns(name, extra)]
    whole = whole.withColumns({n: functions.lit(None).cast(_TYPES[c.kind]) for n, c in absent})

    def scored(table: pa.Table) -> pa.Table:  # Spark looks at these hints
        return score_table(question, table)

    with _without_pandas():
        return whole.groupBy("bucket").applyInArrow(scored, _DDL)


_TYPES = {
    "text": "string", "code": "string", "time": "bigint", "number": "double", "money": "bigint", "flag": "boolean",
    "integer": "bigint",
}  # fmt: skip
_SPARK = {
    pa.string(): "string", pa.float64(): "double", pa.int64(): "bigint", pa.bool_(): "boolean",
    pa.timestamp("us", tz="UTC"): "timestamp",
}  # fmt: skip
_DDL = ", ".join(f"`{f.name}` {_SPARK[f.type]}" for f in RESULT)


def _flat(name: str, frame: DataFrame, extra: tuple[ExtraColumn, ...]) -> DataFrame:
    """A record's rows under the names they have in the common table; columns that nobody declared are left out."""
    if name not in ASKED_FOR:
        raise InputError.of(where="score_frames", expected=", ".join(ASKED_FOR), got=name, remedy="Leave it out.")
    kinds = {f.name: f.dataType.typeName() for f in frame.schema}
    chosen = [functions.lit(name).alias("record")]
    for flat, column in record_columns(name, extra):
        kind = kinds.get(column.name)
        if (kind is None and column.required) or (kind not in (None, "timestamp") and column.kind == "time"):
            raise InputError.of(
                where=f"score_frames, {name}.{column.name}", got=kind or "no such column",
                expected="timestamp" if column.kind == "time" else _TYPES[column.kind], remedy="Cast or rename it.",
            )  # fmt: skip
        values = functions.lit(None) if kind is None else frame["`" + column.name.replace("`", "``") + "`"]
        values = functions.unix_micros(values) if kind is not None and column.kind == "time" else values
        chosen.append(values.cast(_TYPES[column.kind]).alias(flat))
    return frame.select(chosen)


def _merges(rows: Mapping[str, DataFrame]) -> tuple[tuple[str, str, int], ...]:
    """All merges; they are few."""
    if "links" not in rows:
        return ()
    told = rows["links"].where(_of("links", "kind") == "merge")
    names = [_of("links", c) for c in ("visitor_id", "lead_id", "known_from")]
    return tuple(sorted(tuple(row) for row in told.select(names).collect()))


def _of(name: str, column: str) -> Column:
    return functions.col(next(flat for flat, c in record_columns(name, ()) if c.name == column))


def _placed(rows: Mapping[str, DataFrame], merges: Sequence[tuple[str, str, int]], buckets: int) -> list[DataFrame]:
    """Every record in the buckets of the leads it may count for: its lead's, or those its visitor is linked to."""
    bucket = functions.pmod(functions.xxhash64(_of("leads", "lead_id")), functions.lit(buckets)).alias("bucket")
    leads = rows["leads"].select("*", bucket)
    by_lead = leads.select(_of("leads", "lead_id").alias("lead"), "bucket").dropna().distinct()
    pairs = [(m.gone, m.stayed) for m in merges_into(merges, {stayed for _, stayed, _ in merges})]
    if pairs:
        gone = leads.sparkSession.createDataFrame(pairs, "gone string, lead string").join(by_lead, "lead")
        by_lead = by_lead.union(gone.select("gone", "bucket")).distinct()
    placed = [leads]
    if "consents" in rows:
        placed.append(_beside(rows["consents"], "consents", "lead_id", by_lead))
    by_visitor = None
    if "links" in rows:
        links = rows["links"].where(_of("links", "kind") != "merge")
        linked = _beside(links, "links", "lead_id", by_lead)
        by_visitor = linked.select(_of("links", "visitor_id").alias("lead"), "bucket").distinct()
        placed.append(_beside(links, "links", "visitor_id", by_visitor))
    for name in ("events", "outcomes"):
        if name in rows:
            named = _of(name, "lead_id").isNotNull()
            placed.append(_beside(rows[name].where(named), name, "lead_id", by_lead))
            if by_visitor is not None:
                placed.append(_beside(rows[name].where(~named), name, "visitor_id", by_visitor))
    return placed


def _beside(rows: DataFrame, name: str, column: str, places: DataFrame) -> DataFrame:
    """The rows once in each bucket that wants what the column names."""
    return rows.join(places, _of(name, column) == places["lead"]).drop("lead")
