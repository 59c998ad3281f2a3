"""All leads of a dataset scored at one moment, exactly once in effect, whatever kills the process that does it.

    claim      one process at a time (rescore_claim); what an earlier attempt finished is taken over by hash
    parts      bucket by bucket (rescore_parts), by several processes (rescore_workers) or by Spark (rescore_spark)
    compare    with the set published before: history rows and moves (rescore_history)
    gate       may say no: then nothing is published, and the finished set waits for another attempt
    publish    the set takes the place of the old one (rescore_sets, rescore_targets)

A run is named by a hash of everything that decides its content. A run that was published is not done again.
"""

from __future__ import annotations

import errno
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from data.errors import InputError, LeadliftError, RejectLimitError
from data.lake_manifest import sha256_of
from serving.rescore_claim import Claim, claimed
from serving.rescore_columns import SCHEMA
from serving.rescore_history import HISTORY, Before, compare
from serving.rescore_job import Candidate, Done, How, Job
from serving.rescore_parts import NO_ROOM, Counts, Part, enter, in_order, resumed
from serving.rescore_sets import (
    MANIFEST,
    QUARANTINE,
    forget_others,
    manifest_of,
    pointer_of,
    publish,
    read_current,
    read_history,
    settle,
    stored_reply,
    unplaced,
)
from serving.rescore_targets import Target
from serving.rescore_workers import parts_of

__all__ = ["Candidate", "Done", "How", "Job", "Target", "read_current", "read_history", "rescore", "stored_reply"]

MANY = 1_000  # leads in quarantine that are no limit whatever their share


def rescore(job: Job, target: Target, how: How | None = None) -> Done:
    """Score all leads and publish them at `target`; a run that is there already is left as it is.

    Raises
    ------
    InputError
        where the target cannot be one, the dataset cannot be read, or no lead can be scored; what `how.ready` raises.
    Verdict
        where the gate says no; nothing was published.
    LeadliftError
        where there is no room or no right to write; what was published before is as it was.
    """
    how = how or How()
    target.refuse()
    with _writing(target.folder), claimed(target.folder, how.waiting) as claim:
        unplaced(claim, job.run)
        settle(claim)
        return _there(job, target) or _run(job, target, claim, how)


def _run(job: Job, target: Target, claim: Claim, how: How) -> Done:
    before = _before(job, claim.out)
    how.ready(job, before)
    forget_others(claim, job.run)
    folder = claim.work / job.run
    parts = _parts(job, folder, how)
    counts = Counts.total([p.counts for p in parts])
    _refuse_none(job, counts, parts)
    moved = compare(folder, parts, Before(before), how.step)
    moves = moved if before else None
    said = how.gate(Candidate(job, folder, counts, before, moves))
    _write_quarantine(folder, parts)
    others = [HISTORY, QUARANTINE, *target.render(folder, parts)]
    in_order(folder, parts)
    manifest = {
        "run": job.run, **job.inputs(), "finished_at": how.finished_at, "leads": asdict(counts),
        "quarantine": _reasons(parts), "moves": asdict(moves) if moves else None, "history": {"step": how.step, "rows": moved.recorded},
        "before": before.name if before else None, "gate": dict(said), "columns": SCHEMA.names,
        "parts": [{"file": p.file, "rows": p.counts.scored, "sha256": p.sha256} for p in parts],
        "files": [{"file": name, "sha256": sha256_of(folder / name)} for name in others],
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    target.put(claim, job.run, parts, how.keep)
    publish(claim, job.run, job.as_of, how.keep if target.keeps else 1)
    return Done(job.run, claim.out / job.run, manifest["leads"], manifest["moves"])


# -- parts -----------------------------------------------------------------------------------------------------
def _parts(job: Job, folder: Path, how: How) -> list[Part]:
    """All parts, in the order of buckets; those of an earlier attempt are not made again."""
    parts = resumed(folder)
    for part in parts:
        how.advance(part.profile_rows)
    finished = {p.bucket for p in parts}
    missing = [b for b in range(job.dataset.info.buckets) if b not in finished]
    for part in (how.engine or parts_of)(job, missing, folder, how.workers):
        enter(folder, part)
        parts.append(part)
        how.advance(part.profile_rows)
        _refuse_many(job, parts, how.reject_limit)
    return sorted(parts, key=lambda p: p.bucket)


def _refuse_many(job: Job, parts: Sequence[Part], limit: float) -> None:
    """Something is wrong with all of it: to look at every lead alone would take for ever."""
    refused = sum(p.counts.quarantined for p in parts)
    if refused > max(MANY, limit * job.dataset.info.counts.get("leads", 0)):
        raise RejectLimitError.of(
            where=job.dataset.place, expected=f"at most {limit:.0%} of the leads in quarantine",
            got=f"{refused} so far, most of them {_reason(parts)}",
            remedy="Nothing was published. See to the cause, or raise [data] reject_limit.",
        )  # fmt: skip


def _refuse_none(job: Job, counts: Counts, parts: Sequence[Part]) -> None:
    if counts.quarantined and not counts.scored:
        raise InputError.of(
            where=job.dataset.place, expected="leads that can be scored",
            got=f"none: {counts.quarantined} in quarantine, most of them {_reason(parts)}",
            remedy="Nothing was published. See to the cause and run again.",
        )  # fmt: skip


def _reason(parts: Sequence[Part]) -> str:
    reasons = _reasons(parts)
    return max(reasons, key=lambda reason: reasons[reason])


def _reasons(parts: Sequence[Part]) -> dict[str, int]:
    """How many leads are in quarantine, by reason."""
    return dict(sorted(Counter(r.reason for p in parts for r in p.refused).items()))


def _write_quarantine(folder: Path, parts: Sequence[Part]) -> None:
    """A line for each lead without a score, by bucket: {"lead_id", "reason"}."""
    lines = [json.dumps(asdict(refused)) + "\n" for part in parts for refused in part.refused]
    (folder / QUARANTINE).write_text("".join(lines), encoding="utf-8")


# -- what is there ---------------------------------------------------------------------------------------------
def _there(job: Job, target: Target) -> Done | None:
    """The run where it was published before and is still whole."""
    pointer, path = pointer_of(target.folder), target.folder / job.run
    if pointer is None or job.run not in pointer["sets"]:
        return None
    manifest = manifest_of(path)
    current = pointer["run"] == job.run
    if manifest is None or not target.holds(job.run, current):
        return None
    return Done(job.run, path, manifest["leads"], manifest["moves"], again=True, current=current)


def _before(job: Job, out: Path) -> Path | None:
    """The set published last, where it is of the same market, target and number of buckets."""
    pointer = pointer_of(out)
    manifest = manifest_of(out / pointer["run"]) if pointer else None
    if pointer is None or manifest is None or len(manifest["parts"]) != job.dataset.info.buckets:
        return None
    inputs = job.inputs()
    return out / pointer["run"] if all(manifest[n] == inputs[n] for n in ("format", "market", "target")) else None


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    """What the disk refuses is told in one line."""
    try:
        yield
    except OSError as bad:
        got = " ".join(str(bad.strerror or bad).split())
        full = bad.errno in NO_ROOM and bad.errno != errno.EROFS
        remedy = "Make room and run again: finished parts are kept." if full else "Check the path and its permissions."
        raise LeadliftError(
            f"--out {out}: expected room and the right to write, got: {got}. What was published before is as it was. "
            f"{remedy}"
        ) from None
