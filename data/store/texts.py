"""The texts a store keeps: what the dataset is, and its mapping, points and content map."""

from __future__ import annotations

from collections.abc import Mapping

from data import dataset_file
from data.dataset import DatasetInfo
from data.errors import InputError, UsageError
from data.store.database import Database

DATASET, TRACKER = "dataset.toml", "tracker.toml"


def texts_of(db: Database) -> dict[str, str]:
    """All texts by name."""
    return dict(db.rows("SELECT name, content FROM texts"))


def put_texts(db: Database, texts: Mapping[str, str]) -> None:
    """Keep these texts in place of those of the same names."""
    for name, content in texts.items():
        db.run("DELETE FROM texts WHERE name = ?", [name])
        db.add("texts", ("name", "content"), [(name, content)])


def refuse_market(db: Database, market: str | None) -> None:
    """Refuse the store of another market than this one (null: any will do)."""
    found = info_of(db).name
    if market not in (None, found):
        raise UsageError(f"--store: expected a store of market {market}, got one of {found}. Give another URL.")


def info_of(db: Database) -> DatasetInfo:
    """What the store is: its market, currency and declared columns.

    Raises
    ------
    InputError
        where nobody said so yet.
    """
    text = texts_of(db).get(DATASET)
    if text is None:
        raise InputError.of(
            where=db.place, expected="a store with a market", got="one without",
            remedy="Run leadlift store migrate on it.",
        )  # fmt: skip
    return dataset_file.parse(text, f"{db.place}, {DATASET}")
