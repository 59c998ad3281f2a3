"""The store behind the desk: found, made where there is none, and left out where it cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

from data.dataset import DatasetInfo
from data.errors import LeadliftError, StoreError
from data.settings import Settings
from data.store import schema
from data.store.database import connect, url_of
from data.store.moves import History
from data.store.store import make
from data.store.texts import refuse_market
from serving.desk import Desk
from serving.intake import Intake
from serving.recall import Recall
from serving.scorer import STORE_UNAVAILABLE, Scorer
from training.registry import place

UNNAMED = "leads"  # the market of a store that is made before there is any
_log = logging.getLogger("leadlift")


def store_url(settings: Settings) -> str:
    """The store's URL: as set, else `store.db` in the home."""
    return settings.serving.store or url_of(Path(settings.home) / "store.db")


def open_store(settings: Settings, market: str | None, currency: str | None = None) -> str:
    """The URL of the store of a market, which is made where there is none.

    Raises
    ------
    LeadliftError
        for a store of another market or version, or a file of something else.
    """
    url = store_url(settings)
    with connect(url, create=True) as db:
        new = schema.version_of(db) == 0
        if not new:
            schema.refuse_other(db)
    if new:
        make(url, DatasetInfo(name=market or UNNAMED, currency=currency or "EUR"))
    with connect(url) as db:
        refuse_market(db, market)
    return url


def desk_with_store(scorer: Scorer, settings: Settings) -> Desk:
    """The desk with its store. Never raises: without a store it answers from what requests bring, and says so; one that
    only does not answer now is asked again by every request."""
    limits, url = settings.serving, store_url(settings)
    history = _history(settings, scorer)
    required = settings.privacy.require_consent
    recall = Recall(url, required, scorer.market, limits.store_seconds)
    try:
        open_store(settings, scorer.market, scorer.currency)
    except StoreError as silent:
        _log.error("the store does not answer yet: %s", silent)
        recall.missed()
    except (LeadliftError, OSError) as broken:
        _log.error("the store is not used: %s", broken)
        alone = scorer.warned(STORE_UNAVAILABLE)
        return Desk(alone, limits, api=settings.api, history=history, require_consent=required)
    intake = Intake(url, limits.max_events, scorer.market)
    return Desk(scorer, limits, recall, intake, settings.api, history=history, require_consent=required)


def _history(settings: Settings, scorer: Scorer) -> History | None:
    """Where rescorings tell how the scores of this market and target moved."""
    try:
        return History(place(settings.home, scorer.market, scorer.target)) if scorer.market else None
    except LeadliftError:
        return None
