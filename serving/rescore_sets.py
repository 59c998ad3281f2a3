"""Sets of scores in a folder: which one readers take, which are kept, and how a new one takes the place of the old.

OUT/current.json     {"run", "as_of", "manifest", "number", "sets"}: what readers take, the how manyth publication that
                     is, and all sets that are kept, newest first
OUT/<run>/           a set: part-*.parquet, recorded-*.parquet, quarantine.jsonl, history.parquet, manifest.json
OUT/history/         the history rows of every publication there ever was, one Parquet file each
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from data.files import sync
from serving.reply import KEYS, to_bytes
from serving.rescore_claim import Claim
from serving.rescore_columns import SCHEMA, reading
from serving.rescore_history import HISTORY, HISTORY_SCHEMA

MANIFEST, CURRENT, QUARANTINE, RECORD = "manifest.json", "current.json", "quarantine.jsonl", "history"
_RUN = re.compile(r"[0-9a-f]{16}")


def pointer_of(out: Path) -> dict[str, Any] | None:
    """What `current.json` says, None where nothing was published."""
    try:
        pointer = json.loads((out / CURRENT).read_text(encoding="utf-8"))
        return {"number": 1, "sets": [pointer["run"]], **pointer}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def manifest_of(folder: Path) -> dict[str, Any] | None:
    """The manifest of a set that is there whole, else None."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all((folder / p["file"]).exists() for p in (*manifest["parts"], *manifest["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return manifest if whole else None


# -- publishing ------------------------------------------------------------------------------------------------
def publish(claim: Claim, run: str, as_of: int, keep: int) -> None:
    """Make the finished set in the work folder the one that readers take: a rename of the set, then one of the pointer.

    The set's name is free before: `unplaced` and `settle` have seen to what another process left half done.
    """
    _place(claim, run)
    before = pointer_of(claim.out) or {"number": 0, "sets": []}
    sets = [run, *(r for r in before["sets"] if r != run)][:keep]
    pointer = {
        "run": run, "as_of": as_of, "manifest": f"{run}/{MANIFEST}", "number": before["number"] + 1, "sets": sets,
    }  # fmt: skip
    (claim.work / CURRENT).write_text(json.dumps(pointer, indent=1), encoding="utf-8")
    claim.put(CURRENT, claim.out / CURRENT)
    settle(claim)


def _place(claim: Claim, run: str) -> None:
    staged = claim.work / run
    for file in staged.iterdir():
        sync(file)
    sync(staged)
    if (claim.out / run).exists():  # published once, and not whole any more
        (claim.out / run).rename(claim.work / f"gone-{run}")
    staged.rename(claim.out / run)
    sync(claim.out)


def unplaced(claim: Claim, run: str) -> None:
    """A set whose process died between placing it and pointing at it goes back to the work folder."""
    listed = (pointer_of(claim.out) or {"sets": []})["sets"]
    if run not in listed and (claim.out / run).exists():
        shutil.rmtree(claim.work / run, ignore_errors=True)
        (claim.out / run).rename(claim.work / run)


def forget_others(claim: Claim, run: str) -> None:
    """Runs that were killed or held back go when another one starts: else each night held back would leave a set."""
    for unfinished in claim.work.iterdir():
        if unfinished.name != run:
            shutil.rmtree(unfinished)


def settle(claim: Claim) -> None:
    """What comes after the pointer, also where its process died there: history beside the sets, old sets gone."""
    pointer = pointer_of(claim.out)
    if pointer is None:
        return
    _record(claim, pointer)
    placed = (f for f in claim.out.iterdir() if _RUN.fullmatch(f.name) and (f / MANIFEST).exists())
    for folder in sorted(f for f in placed if f.name not in pointer["sets"]):
        folder.rename(claim.work / f"gone-{folder.name}")
    for gone in claim.work.glob("gone-*"):
        shutil.rmtree(gone)


def _record(claim: Claim, pointer: dict[str, Any]) -> None:
    """A copy of the history rows beside the sets, which stays when the set goes."""
    rows, record = claim.out / pointer["run"] / HISTORY, claim.out / RECORD
    kept = record / f"{pointer['number']:06d}-{pointer['run']}.parquet"
    if kept.exists() or not rows.exists():
        return
    record.mkdir(exist_ok=True)
    shutil.copyfile(rows, claim.work / kept.name)
    claim.put(kept.name, kept)


# -- reading ---------------------------------------------------------------------------------------------------
def read_current(out: Path) -> pa.Table:
    """The set that `current.json` names.

    Raises
    ------
    InputError
        where nothing was published.
    """
    pointer = pointer_of(out)
    try:
        return _read(out, pointer)
    except (InputError, FileNotFoundError):
        if pointer_of(out) == pointer:
            raise
    return read_current(out)  # another set took its place meanwhile, and this one is not kept


def _read(out: Path, pointer: dict[str, Any] | None) -> pa.Table:
    manifest = manifest_of(out / pointer["run"]) if pointer else None
    if pointer is None or manifest is None:
        raise InputError.of(
            where=str(out), expected="a published rescoring", got="none", remedy="Run leadlift rescore first."
        )
    files: Sequence[Path] = [out / pointer["run"] / p["file"] for p in manifest["parts"]]
    return pa.concat_tables([_part(f) for f in files])


def _part(file: Path) -> pa.Table:
    with reading(file):
        return pq.read_table(file, schema=SCHEMA, partitioning=None)


def read_history(out: Path) -> pa.Table:
    """Every history row, by lead and moment; see `rescore_history`. No rows where nothing was published."""
    tables = [pq.ParquetFile(f).read() for f in sorted((out / RECORD).glob("*.parquet"))]
    table = pa.concat_tables([HISTORY_SCHEMA.empty_table(), *tables])
    return table.sort_by([("lead_id", "ascending"), ("as_of", "ascending")])


def stored_reply(table: pa.Table, row: int) -> bytes:
    """The bytes the endpoint gives for the lead of one stored row, same records, as_of, language and reasons."""
    (values,) = table.slice(row, 1).select(list(KEYS)).to_pylist()
    return to_bytes(values)
