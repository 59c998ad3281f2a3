"""When each step of the nightly chain was last done, found in what the steps leave behind.

    import        dataset.toml, or the last arrival in a store
    train         the judgement beside the latest bundle in the home
    rescore       the latest run in the folder of scores: its manifest, or the ledger of one that is not published
    publish       current.json in that folder
    write-back    writeback-<crm>-<object>.json in the home, one step for each

Which folder of scores is meant `leadlift rescore` notes in the home (`rescored.json`): that alone nothing else says.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from data.dataset import lasting, store_url
from data.dataset_file import time_text
from data.errors import LeadliftError
from data.files import replace_text
from data.lake_manifest import read_info
from data.redact import without_password
from data.store.store import last_arrival
from data.times import to_micros
from serving.rescore_parts import LEDGER
from serving.rescore_sets import CURRENT, manifest_of, pointer_of
from training import registry

NOTE = "rescored.json"
State = Literal["fresh", "stale", "never", "stopped", "unreadable", "not used"]


@dataclass(frozen=True)
class Step:
    """One step. at: microseconds when it was last done, None = never. limit: the age in microseconds above which it is
    stale. counts: of what it did. note: what else is worth a word. trouble: a state that its age cannot say."""

    name: str
    at: int | None
    limit: int
    counts: dict[str, int] = field(default_factory=dict)
    note: str = ""
    trouble: State | None = None

    def age(self, now: int) -> int | None:
        """Microseconds, never below 0."""
        return None if self.at is None else max(now - self.at, 0)

    def state(self, now: int) -> State:
        """The verdict; all but `fresh` and `not used` want somebody's attention."""
        age = self.age(now)
        if self.trouble is not None:
            return self.trouble
        return "never" if age is None else "fresh" if age <= self.limit else "stale"


@dataclass(frozen=True)
class Where:
    """What is looked at. dataset: a folder or a URL, None = the one of the latest training. scores: the folder of sets,
    None = the one that was written last."""

    home: Path
    market: str
    target: str
    dataset: str | None = None
    scores: Path | None = None

    @property
    def place(self) -> Path:
        return registry.place(self.home, self.market, self.target)


def steps(where: Where, limit: int, model_limit: int) -> list[Step]:
    """All steps in their order; what cannot be read is a step in state `unreadable`. Limits in microseconds."""
    trained = _latest(where.place / "bundles", "*.json")
    scores = where.scores or _noted(where.place)
    notes = sorted(where.place.glob("writeback-*.json"))
    return [
        _tried("import", limit, lambda: _imported(where.dataset or _dataset_of(trained), limit)),
        _tried("train", model_limit, lambda: _trained(where, trained, model_limit)),
        _tried("rescore", limit, lambda: _rescored(scores, limit)),
        _tried("publish", limit, lambda: _published(scores, limit)),
        *(_tried(_crm(f), limit, partial(_told, f, limit)) for f in notes),
        *([] if notes else [Step("write-back", None, limit, note="no CRM was ever told", trouble="not used")]),
    ]


def note_scores(place: Path, folder: Path, out: str) -> None:
    """Note in the home which folder of scores a market and target have. out: what `--out` said."""
    note = {"folder": str(folder.resolve()), "out": without_password(out)}
    replace_text(place / NOTE, json.dumps(note, indent=1))


def _tried(name: str, limit: int, look: Callable[[], Step]) -> Step:
    try:
        return look()
    except (LeadliftError, OSError, ValueError, KeyError, TypeError) as bad:
        said = str(bad) if isinstance(bad, LeadliftError) else f"a file that cannot be read: {type(bad).__name__}"
        return Step(name, None, limit, note=said, trouble="unreadable")


def _latest(folder: Path, pattern: str) -> Path | None:
    return max(folder.glob(pattern), key=_written, default=None)


def _written(path: Path) -> int:
    """When a file was last written, in microseconds."""
    return path.stat().st_mtime_ns // 1000


def _document(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


# -- import and train ------------------------------------------------------------------------------------------
def _dataset_of(trained: Path | None) -> str | None:
    return _document(trained).get("dataset_path") if trained else None


def _imported(dataset: str | None, limit: int) -> Step:
    if dataset is None:
        return Step("import", None, limit, note="no training names a dataset; name it: leadlift status DATASET")
    url = store_url(dataset)
    if url is not None:
        at, counts = last_arrival(url)
        return Step("import", at, limit, counts, f"last arrival in {lasting(without_password(dataset))}")
    info = read_info(Path(dataset))
    newest = "" if info.latest_arrival is None else f", newest arrival {time_text(info.latest_arrival)[:16]}Z"
    return Step("import", _written(Path(dataset) / "dataset.toml"), limit, info.counts, f"{dataset}{newest}")


def _trained(where: Where, trained: Path | None, limit: int) -> Step:
    if trained is None:
        return Step("train", None, limit, note=f"no model of {where.market}, target {where.target}")
    serving = registry.current(where.home, where.market, where.target)
    note = f"{trained.stem}; " + (f"{serving.version} serves" if serving else "nothing is promoted")
    return Step("train", _written(trained), limit, _document(trained).get("counts", {}), note)


# -- rescore and publish ---------------------------------------------------------------------------------------
def _noted(place: Path) -> Path | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Path(_document(place / NOTE)["folder"])
    return None


NO_SCORES = "no rescoring was noted here; name its --out"


def _rescored(scores: Path | None, limit: int) -> Step:
    """The latest run, also one that is under way, was killed or is held back."""
    if scores is None:
        return Step("rescore", None, limit, note=NO_SCORES)
    published = _published(scores, limit)
    ledger = max(scores.glob(f".work.*/*/{LEDGER}"), key=_written, default=None)
    if ledger is None or _written(ledger) < (published.at or 0):
        return Step("rescore", _finished(scores), limit, published.counts, published.note)
    done = sum(1 for line in ledger.read_text(encoding="utf-8").splitlines() if line)
    note = f"run {ledger.parent.name} is under way, was killed or is held back: the same command goes on with it"
    return Step("rescore", _written(ledger), limit, {"parts": done}, note)


def _finished(scores: Path) -> int | None:
    """What the manifest of the set that readers take says; where it says nothing, when it was published."""
    pointer = pointer_of(scores)
    manifest = manifest_of(scores / pointer["run"]) if pointer else None
    if manifest is None:
        return None
    return _moment(manifest["finished_at"]) if manifest.get("finished_at") else _written(scores / CURRENT)


def _published(scores: Path | None, limit: int) -> Step:
    if scores is None:
        return Step("publish", None, limit, note=NO_SCORES)
    pointer = pointer_of(scores)
    if pointer is None:
        return Step("publish", None, limit, note=f"nothing in {scores}")
    manifest = manifest_of(scores / pointer["run"])
    if manifest is None:
        return Step("publish", None, limit, note=f"{scores / pointer['run']} is not whole", trouble="unreadable")
    counts = {n: v for n, v in manifest["leads"].items() if isinstance(v, int)}
    note = f"run {pointer['run']} in {scores}, as of {time_text(pointer['as_of'])[:16]}Z"
    return Step("publish", _written(scores / CURRENT), limit, counts, note)


# -- write-back ------------------------------------------------------------------------------------------------
def _crm(file: Path) -> str:
    return "write-back " + file.stem.removeprefix("writeback-")


def _told(file: Path, limit: int) -> Step:
    found = _document(file)
    counts = {n: found[n] for n in ("changed", "sent", "failed", "skipped")}
    stopped = found["stopped"]
    note = f"of run {found['scores']}" + (f"; stopped: {stopped}" if stopped else "")
    return Step(_crm(file), _moment(found["finished_at"]), limit, counts, note, "stopped" if stopped else None)


def _moment(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
