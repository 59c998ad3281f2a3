"""All leads of a dataset scored at one moment, written as Parquet that is either there whole or not at all.

    OUT/current.json                 names the run that readers take: {"run", "as_of", "manifest"}
    OUT/<run>/part-00000.parquet     the reply's keys in its order, and `rank_score`
    OUT/<run>/manifest.json          inputs by hash, counts, parts with their SHA-256

A run is named by a hash of everything that decides its content. A finished run is not done again; an unfinished one
lies under a hidden name and is thrown away by the next attempt.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.dataset import Consenting, Dataset
from data.errors import InputError
from data.files import replace_text
from serving.known import of_people
from serving.reply import KEYS, to_bytes
from serving.rescore_columns import SCHEMA, to_arrow
from serving.scorer import Scorer, Scores, Wants

FORMAT = 1
MANIFEST, CURRENT = "manifest.json", "current.json"
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Job:
    """What is to be scored, with what, as of when."""

    dataset: Dataset
    scorer: Scorer
    as_of: int
    wants: Wants

    def inputs(self) -> dict[str, Any]:
        """Everything that decides the content of a run."""
        scorer = self.scorer
        return {
            "format": FORMAT,
            "dataset": {"name": self.dataset.info.name, "digest": self.dataset.info.digest},
            "market": scorer.market,
            "target": scorer.target,
            "bundle": scorer.bundle.name if scorer.bundle else None,
            "rules": hashlib.sha256(scorer.rules.text.encode()).hexdigest(),
            "features": scorer.feature_set.version,
            "as_of": self.as_of,
            "consenting": isinstance(self.dataset, Consenting),
            "reasons": self.wants.reasons,
            "lang": self.wants.lang,
        }

    @property
    def run(self) -> str:
        """The run's name: 16 hex digits of the SHA-256 of its inputs."""
        return hashlib.sha256(json.dumps(self.inputs(), sort_keys=True).encode()).hexdigest()[:16]

    def scored(self, counts: Counts, advance: Advance = lambda rows: None) -> Iterator[Scores]:
        """The scores group by group, in the dataset's order; `counts` and `advance` (profile rows) grow with them."""
        for people in self.dataset.people():
            known = of_people(people, self.as_of)
            counts.leads += len(people)
            counts.not_yet_created += len(people) - len(known)
            if len(known):
                scores = self.scorer.score(known, self.wants)
                counts.add(scores)
                yield scores
            advance(len(people.leads["lead"]))


@dataclass
class Counts:
    """What happened to the leads: leads = scored + not_yet_created."""

    leads: int = 0
    scored: int = 0
    not_yet_created: int = 0
    sales_ready: int = 0
    grades: dict[str, int] = field(default_factory=dict)
    data_quality: dict[str, int] = field(default_factory=dict)

    def add(self, scores: Scores) -> None:
        self.scored += len(scores)
        self.sales_ready += int(scores.columns["sales_ready"].sum())  # type: ignore[union-attr]
        for name, tally in (("grade", self.grades), ("data_quality", self.data_quality)):
            for value, count in Counter(scores.columns[name].texts()).items():  # type: ignore[union-attr]
                tally[str(value)] = tally.get(str(value), 0) + count


@dataclass(frozen=True)
class Done:
    """A finished run: where it lies, what it holds, and whether it had been there before."""

    run: str
    path: Path
    counts: dict[str, Any]
    again: bool = False


def rescore(job: Job, out: Path, advance: Advance = lambda rows: None, finished_at: str | None = None) -> Done:
    """Write a run below the folder `out` and point `current.json` at it. `finished_at` is only noted.

    Raises
    ------
    InputError
        where `out` is a file or a dataset.
    """
    name, target = job.run, out / job.run
    if (out / "dataset.toml").exists() or out.is_file():
        raise InputError.of(
            where=f"--out {out}", expected="a folder for scores", got="a dataset or a file", remedy="Choose another."
        )
    counts = _finished(target)
    if counts is None:
        counts = _write_run(job, out, target, advance, finished_at)
        again = False
    else:
        again = True
    pointer = {"run": name, "as_of": job.as_of, "manifest": f"{name}/{MANIFEST}"}
    replace_text(out / CURRENT, json.dumps(pointer, indent=1))
    return Done(name, target, counts, again)


def _write_run(job: Job, out: Path, target: Path, advance: Advance, finished_at: str | None) -> dict[str, Any]:
    out.mkdir(parents=True, exist_ok=True)
    staging = out / f".{target.name}.{os.getpid()}"
    for left_over in out.glob(f".{target.name}.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)  # there without a sound manifest: not ours to trust
    staging.mkdir()
    try:
        counts = Counts()
        parts = [_write_part(staging / f"part-{i:05d}.parquet", s) for i, s in enumerate(job.scored(counts, advance))]
        if not parts:
            parts = [_write_part(staging / "part-00000.parquet", None)]
        manifest = {"run": target.name, **job.inputs(), "finished_at": finished_at, "leads": asdict(counts)}
        replace_text(staging / MANIFEST, json.dumps({**manifest, "columns": SCHEMA.names, "parts": parts}, indent=1))
        _publish(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return asdict(counts)


def _write_part(path: Path, scores: Scores | None) -> dict[str, Any]:
    table = SCHEMA.empty_table() if scores is None else to_arrow(scores)
    pq.write_table(table, path, compression="zstd")
    with path.open("rb") as written:
        os.fsync(written.fileno())
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return {"file": path.name, "rows": len(table), "sha256": digest}


def _publish(staging: Path, target: Path) -> None:
    """One rename; whoever was faster with the same run has written the same."""
    try:
        staging.rename(target)
    except OSError:
        if _finished(target) is None:
            raise


def _finished(target: Path) -> dict[str, Any] | None:
    """The counts of a run that is there whole, else None."""
    try:
        manifest = json.loads((target / MANIFEST).read_text(encoding="utf-8"))
        whole = all((target / p["file"]).exists() for p in manifest["parts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(manifest["leads"]) if whole else None


# -- reading ---------------------------------------------------------------------------------------------------
def read_current(out: Path) -> pa.Table:
    """The set that `current.json` names.

    Raises
    ------
    InputError
        where nothing was published.
    """
    try:
        run = json.loads((out / CURRENT).read_text(encoding="utf-8"))["run"]
        parts = json.loads((out / run / MANIFEST).read_text(encoding="utf-8"))["parts"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError.of(
            where=str(out), expected="a published rescoring", got="none", remedy="Run leadlift rescore first."
        ) from None
    return pa.concat_tables([pq.read_table(out / run / p["file"], schema=SCHEMA, partitioning=None) for p in parts])


def stored_reply(table: pa.Table, row: int) -> bytes:
    """The bytes the endpoint gives for the lead of one stored row, same records, as_of, language and reasons."""
    (values,) = table.slice(row, 1).select(list(KEYS)).to_pylist()
    return to_bytes(values)
