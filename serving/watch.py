"""Promotions and rollbacks reach the running service: the home is looked at every second, the desk is swapped.

A new desk is complete before anybody is answered from it. A release that cannot be used replaces nothing: the old one
goes on answering, `/readyz` says so, and the release is tried again when the pointer is written again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import count
from pathlib import Path

from data.errors import LeadliftError
from data.settings import Settings
from serving.canary import tried_bundle
from serving.champion import load_scorer, market_of_environment
from serving.counter import desk_with_store
from serving.desk import Desk
from serving.guard import log_failure
from serving.scorer import STORE_UNAVAILABLE, Scorer
from training.registry import place

SECONDS = 1.0
STORE_EVERY = 10  # looks between two tries to open a store that could not be opened
REFUSED = "new_model_refused"
_log = logging.getLogger("leadlift")
_Seen = tuple[str | None, str, tuple[object, ...]]


class Watch:
    """Makes the desk for what a home says, and makes it anew when it says something else. Reads files: beside the loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: _Seen | None = None
        self._looks = count(1)

    def first(self) -> Desk:
        """The desk to begin with. Never raises: BentoML would restart us for ever."""
        self._seen = self._see()
        return _warm(desk_with_store(self._scorer(), self._settings))

    def next(self, desk: Desk) -> Desk:
        """The desk to go on with; the same one where nothing has changed."""
        seen = self._see()
        if seen == self._seen:
            return self._with_store(desk)
        self._seen = seen  # as of before the files are read: what is written meanwhile is looked at again
        scorer = self._scorer()
        if scorer.bundle is None and desk.scorer.bundle is not None:
            why, old = ", ".join(scorer.warnings), _model(desk.scorer)
            _log.error("market %s: the new release is refused (%s), model %s goes on", scorer.market, why, old)
            return _warm(replace(desk, notes=(REFUSED,)))
        if desk.recall is None or scorer.market != desk.scorer.market:
            return _warm(desk_with_store(scorer, self._settings))
        return _warm(replace(desk, scorer=scorer, notes=()))

    def _scorer(self) -> Scorer:
        market, target = market_of_environment(self._settings)
        scorer = load_scorer(self._settings, market, target, tried_bundle)
        _log.warning("market %s, target %s, model %s, rules %s", market, target, _model(scorer), scorer.rules.version)
        return scorer

    def _with_store(self, desk: Desk) -> Desk:
        """The same desk; where it had to begin without its store, with it as soon as that can be used."""
        if desk.recall is not None or next(self._looks) % STORE_EVERY:
            return desk
        codes = tuple(code for code in desk.scorer.warnings if code != STORE_UNAVAILABLE)
        found = desk_with_store(replace(desk.scorer, warnings=codes), self._settings)
        return desk if found.recall is None else _warm(replace(found, notes=desk.notes))

    def _see(self) -> _Seen:
        """What decides which release answers: the market, and the states of its pointer and of its points file."""
        market, target = market_of_environment(self._settings)
        if market is None:
            return None, target, ()
        try:
            files = (
                place(self._settings.home, market, target) / "current.json",
                self._settings.home / market / "rules.yaml",
            )
        except LeadliftError:
            return market, target, ()
        return market, target, tuple(_state(file) for file in files)


def _warm(desk: Desk) -> Desk:
    """Warmed where that works; what was tried in another process works, and points must answer whatever happens."""
    try:
        return desk.warmed()
    except Exception as error:
        log_failure(error)
        return desk


def _state(file: Path) -> tuple[int, int, bytes] | None:
    """Changes with each writing, also of the same content; None where there is no file that can be read."""
    try:
        known = file.stat()
        return known.st_ino, known.st_mtime_ns, file.read_bytes()
    except OSError:
        return None


def _model(scorer: Scorer) -> str:
    return scorer.bundle.version if scorer.bundle else "none, points only"
