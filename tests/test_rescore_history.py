"""History says of each lead what was true when, within a step, and holds each row once."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.records import DAY
from serving.champion import champion
from serving.rescore import Done, How, Job, Target, read_current, read_history, rescore
from serving.rescore_history import COLUMNS, HISTORY_SCHEMA, Before, compare
from serving.rescore_parts import Counts, Part, Refused
from serving.scorer import Wants

NIGHTS = 12


@pytest.fixture(scope="module")
def nights(
    market: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[tuple[Done, list[dict[str, Any]]]]]:
    """Twelve rescorings two days apart: the folder, and what each said and published."""
    out = tmp_path_factory.mktemp("nights")
    job = Job(market.dataset, champion(market.settings, market.name), market.as_of, Wants("none"))
    told = []
    for night in range(NIGHTS):
        done = rescore(replace(job, as_of=job.as_of - (NIGHTS - night) * 2 * DAY), Target(out), How(keep=3))
        told.append((done, read_current(out).select(list(COLUMNS)).to_pylist()))
    return out, told


def _differs(a: dict[str, Any], b: dict[str, Any]) -> bool:
    same = all(a[n] == b[n] for n in ("grade", "sales_ready", "model_version", "rules_version"))
    return not same or abs(a["probability"] - b["probability"]) > 0.05


def test_history_has_a_row_when_something_changed_since_its_last_row_and_only_then(nights: Any) -> None:
    out, told = nights
    expected: list[dict[str, Any]] = []
    last: dict[str, dict[str, Any]] = {}
    for _, rows in told:
        for row in rows:
            if row["lead_id"] not in last or _differs(row, last[row["lead_id"]]):
                expected.append(row)
                last[row["lead_id"]] = row
    expected.sort(key=lambda r: (r["lead_id"], r["as_of"]))
    assert read_history(out).to_pylist() == expected
    assert len(told[0][1]) < len(expected) < NIGHTS * 90 / 2
    assert sum(d.moves["recorded"] for d, _ in told[1:]) == len(expected) - 90  # type: ignore[index]


def test_moves_are_against_the_set_before(nights: Any) -> None:
    _, told = nights
    assert told[0][0].moves is None
    for (_, then), (done, now) in pairwise(told):
        old = {r["lead_id"]: r for r in then}
        pairs = [(old[r["lead_id"]], r) for r in now if r["lead_id"] in old]
        assert done.moves is not None
        assert done.moves["better"] == sum(b["grade"] < a["grade"] for a, b in pairs)
        assert done.moves["worse"] == sum(b["grade"] > a["grade"] for a, b in pairs)
        assert done.moves["newly_ready"] == sum(b["sales_ready"] and not a["sales_ready"] for a, b in pairs)
        assert done.moves["no_longer_ready"] == sum(a["sales_ready"] and not b["sales_ready"] for a, b in pairs)
        assert done.moves["moved"] == sum(abs(a["probability"] - b["probability"]) > 0.05 for a, b in pairs)
    assert any(d.moves["better"] for d, _ in told[1:])


def test_old_sets_go_and_their_history_stays(nights: Any) -> None:
    out, told = nights
    runs = [done.run for done, _ in told]
    assert json.loads((out / "current.json").read_text())["sets"] == runs[:-4:-1]
    assert {f.name for f in out.iterdir()} == {"current.json", "history", *runs[-3:]}
    assert [f.name for f in sorted((out / "history").iterdir())] == [
        f"{number:06d}-{run}.parquet" for number, run in enumerate(runs, 1)
    ]


def _write(folder: Path, rows: list[tuple[str, float, str]], kind: str = "part") -> None:
    folder.mkdir(exist_ok=True)
    columns = {n: [None] * len(rows) for n in COLUMNS} | {"lead_id": [r[0] for r in rows]}
    columns |= {"probability": [r[1] for r in rows], "grade": [r[2] for r in rows], "sales_ready": [False] * len(rows)}  # type: ignore[dict-item]
    pq.write_table(pa.table(columns, HISTORY_SCHEMA), folder / f"{kind}-00000.parquet")


def test_who_was_in_quarantine_for_a_night_gets_no_row_for_it_and_slow_drift_gets_one(tmp_path: Path) -> None:
    part = Part(0, "", 0, Counts())
    found = []
    for night in range(5):
        rows = [("a", 0.30 + night * 0.02, "B2"), ("b", 0.5, "C1"), ("c", math.nan, "D4")]
        refused = (Refused("b", "x"),) if night == 2 else ()
        folder = tmp_path / str(night)
        _write(folder, [r for r in rows if not (r[0] == "b" and refused)])
        before = Before(tmp_path / str(night - 1) if night else None)
        compare(folder, [replace(part, refused=refused)], before, 0.05)
        found.append(pq.read_table(folder / "history.parquet").column("lead_id").to_pylist())
    assert found == [["a", "b", "c"], [], [], ["a"], []]
