"""The 50 columns of the bench with DuckDB: one statement over tables in memory, both cores.

Run as `python -m tests.bench.features_duckdb FOLDER LEADS OUT`, in a process of its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from data.records import DAY, EVENT_TYPES, MICROS, WEB_TYPES
from features.channels import CHANNELS, PAID
from features.journeys import SESSION_GAP
from tests.bench.features_columns import GRAM, TOPIC
from tests.bench.features_data import AS_OF, STAGES, TOPICS, TYPES, Arrays, contents
from tests.bench.features_worker import serve

STATEMENT = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def _statement() -> str:
    """The statement with the codes of types, channels and contents filled in."""
    code = {name: number for number, name in enumerate(EVENT_TYPES)}
    before, after = (TYPES.index(kind) for kind in GRAM.split(">"))
    words = {
        "as_of": AS_OF, "day": DAY, "hour": DAY // 24, "second": MICROS, "pause": SESSION_GAP,
        "rate": repr(-math.log(2) / (14.0 * DAY)), "engagement": code["engagement"], "form": code["form"],
        "web": _list(code[t] for t in WEB_TYPES), "paid": _list(CHANNELS.index(c) for c in PAID),
        "search": CHANNELS.index("paid_search"), "pricing": TYPES.index("pricing"), "topic": TOPICS.index(TOPIC),
        "before": before, "after": after,
    }  # fmt: skip
    return STATEMENT.format(**words)


def load(arrays: Arrays, leads: int) -> duckdb.DuckDBPyConnection:
    """Tables of its own: events with their place, contents, leads."""
    pages = contents()
    known = pa.table({name: pa.array(column, from_pandas=True) for name, column in arrays.items()})
    kinds = pa.table(
        {
            "content": pa.array(range(len(pages)), pa.int32()),
            "kind": pa.array([TYPES.index(c.type) for c in pages], pa.int8()),
            "topic": pa.array([TOPICS.index(c.topic) if c.topic else None for c in pages], pa.int8()),
            "stage": pa.array([STAGES.index(c.stage) if c.stage else None for c in pages], pa.int8()),
        }
    )
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    connection.register("known", known.append_column("place", pa.array(np.arange(known.num_rows, dtype=np.int32))))
    connection.register("kinds", kinds)
    connection.execute("CREATE TABLE events AS SELECT * FROM known")
    connection.execute("CREATE TABLE contents AS SELECT * FROM kinds")
    connection.execute("CREATE TABLE leads AS SELECT range AS lead FROM range(?)", [leads])
    connection.unregister("known")
    return connection


def table(connection: duckdb.DuckDBPyConnection) -> NDArray[np.float64]:
    columns = connection.execute(_statement()).fetchnumpy().values()
    return np.stack([np.ma.filled(column.astype(np.float64), np.nan) for column in columns], axis=1)


if __name__ == "__main__":
    serve(sys.argv[1:], load, table)
