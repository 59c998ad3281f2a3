"""Releases: which bundle a market serves. Plain files in the home; `current.json` is the truth for serving.

    HOME/<market>/rules.yaml                          points of the market, for answers without a model
    HOME/<market>/<target>/bundles/<version>/         every trained bundle, beside it <version>.json: its judgement
    HOME/<market>/<target>/releases/<version>/        every promoted one
    HOME/<market>/<target>/history.jsonl              intent and done of each promotion, one line each
    HOME/<market>/<target>/current.json               {"version", "sha256"}

`promote` can be run again after a crash at any point and ends the same.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import InputError, UsageError, Verdict
from data.files import replace_text
from training.bundle import Bundle, read_bundle, write_bundle

SetAlias = Callable[[str], None]


@dataclass(frozen=True)
class Release:
    """A promoted bundle: its version (12 digits), full SHA-256 and folder."""

    version: str
    sha256: str
    path: Path


def place(home: Path, market: str, target: str) -> Path:
    """The folder of one market and target."""
    for name in (market, target):
        if not name or Path(name).name != name or name.startswith("."):
            raise UsageError(
                f"--market, --target: expected a plain name, got {name!r}. Use letters, digits and dashes."
            )
    return home / market / target


def current(home: Path, market: str, target: str) -> Release | None:
    """The release that serves now, or None; a broken `current.json` is an InputError."""
    file = place(home, market, target) / "current.json"
    if not file.exists():
        return None
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        version, sha256 = str(document["version"]), str(document["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError.of(
            where=str(file.name), expected="the current release", got="an unreadable file",
            remedy="Run leadlift promote VERSION again.",
        ) from None  # fmt: skip
    return Release(version, sha256, file.parent / "releases" / version)


def current_bundle(home: Path, market: str, target: str) -> Bundle | None:
    """The serving bundle, its hashes checked; None where nothing was promoted."""
    release = current(home, market, target)
    return read_bundle(release.path, release.sha256) if release else None


def home_rules(home: Path, market: str) -> str | None:
    """The market's points file, or None."""
    file = home / market / "rules.yaml"
    return file.read_text(encoding="utf-8") if file.exists() else None


def keep_rules(home: Path, market: str, text: str) -> None:
    """Write the market's points file."""
    replace_text(home / market / "rules.yaml", text)


def keep(home: Path, bundle: Bundle, judgement: dict[str, Any]) -> Path:
    """Keep a trained bundle and what training found about it. Nothing is served yet."""
    root = place(home, bundle.market, bundle.target) / "bundles"
    folder = write_bundle(bundle, root / bundle.version)
    replace_text(root / f"{bundle.version}.json", json.dumps(judgement, indent=1))
    return folder


def judgement(home: Path, market: str, target: str, version: str) -> dict[str, Any]:
    """What training found about a kept bundle."""
    file = place(home, market, target) / "bundles" / f"{version}.json"
    if not file.exists():
        raise UsageError(f"{version}: expected a trained version, got an unknown one. See leadlift models.")
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def kept(home: Path, market: str, target: str, version: str) -> Bundle:
    """A trained bundle, its hashes checked; one that is damaged is a BundleError."""
    found = judgement(home, market, target, version)
    return read_bundle(place(home, market, target) / "bundles" / version, found["bundle"]["sha256"])


def refuse_closed(home: Path, market: str, target: str, version: str) -> None:
    """A Verdict where the gate was closed for this version."""
    gate = judgement(home, market, target, version)["gate"]
    if not gate["open"]:
        raise Verdict(f"{version}: the gate is closed: {'; '.join(gate['reasons'])}. Nothing was promoted.")


def promote(
    home: Path, market: str, target: str, version: str, when: str, set_alias: SetAlias, accepted: str | None = None
) -> Release:
    """Serve a kept version: release, intent, alias, current.json, done.

    Parameters
    ----------
    when
        The time, as text; layers below the command line read no clock.
    set_alias
        Moves the registry's alias to this version.
    accepted
        Why a change beyond the limit was accepted; kept in the history.

    Raises
    ------
    Verdict
        where the gate was closed for this version.
    BundleError
        where it is damaged; the serving release stays.
    """
    root = place(home, market, target)
    refuse_closed(home, market, target, version)
    with _locked(root):
        entry = {"at": when, "action": "promote"} | ({"accepted_change": accepted} if accepted else {})
        return _serve(root, kept(home, market, target, version), entry, set_alias)


def rollback(home: Path, market: str, target: str, when: str, set_alias: SetAlias) -> Release:
    """Serve the release before the current one again. A rollback that died is finished, not repeated."""
    root = place(home, market, target)
    with _locked(root):
        entries = history(home, market, target)
        if entries and (entries[-1]["action"], entries[-1]["step"]) == ("rollback", "intent"):
            wanted = entries[-1]["version"]
        else:
            wanted = _earlier(entries)
        if wanted is None:
            raise Verdict("rollback: there is no earlier release to return to. Nothing was changed.")
        bundle = read_bundle(root / "releases" / wanted)
        return _serve(root, bundle, {"at": when, "action": "rollback"}, set_alias)


def _earlier(entries: list[dict[str, Any]]) -> str | None:
    stack = _stack(entries)
    return stack[-2] if len(stack) > 1 else None


def _stack(entries: list[dict[str, Any]]) -> list[str]:
    """The releases still below one another: a promotion puts one on top, a rollback takes the top away."""
    stack: list[str] = []
    for entry in (e for e in entries if e["step"] == "done"):
        if entry["action"] == "rollback":
            stack = stack[:-1] if len(stack) > 1 else stack
        elif not stack or stack[-1] != entry["version"]:
            stack.append(entry["version"])
    return stack


def history(home: Path, market: str, target: str) -> list[dict[str, Any]]:
    """All entries, oldest first; a last line cut off by a crash is left out."""
    file = place(home, market, target) / "history.jsonl"
    if not file.exists():
        return []
    entries = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue
    return entries


def live_at(entries: list[dict[str, Any]], moment: datetime) -> dict[str, Any] | None:
    """The entry that brought what served at a moment (with a zone), or None. An intent without `done` served nobody."""
    done = [e for e in entries if e["step"] == "done" and datetime.fromisoformat(e["at"]) <= moment]
    return done[-1] if done else None


def _serve(root: Path, bundle: Bundle, entry: dict[str, str], set_alias: SetAlias) -> Release:
    """Under the lock: release, intent, alias, current.json, done."""
    path = write_bundle(bundle, root / "releases" / bundle.version)
    entry = entry | {"version": bundle.version}
    _append(root, entry | {"step": "intent"})
    set_alias(bundle.version)
    replace_text(root / "current.json", json.dumps({"version": bundle.version, "sha256": bundle.name}))
    _append(root, entry | {"step": "done"})
    return Release(bundle.version, bundle.name, path)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _append(root: Path, entry: dict[str, Any]) -> None:
    file = root / "history.jsonl"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    start = "" if not text or text.endswith("\n") else "\n"
    with file.open("a", encoding="utf-8") as out:
        out.write(start + json.dumps(entry) + "\n")
        out.flush()
        os.fsync(out.fileno())
