"""A store by URL: made, opened, and read as a dataset.

As a dataset it is read whole as it was at the first look: a copy in a temporary folder, so that a training sees one
state while the service goes on writing, and reads it exactly as it would read a folder.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from data import dataset_file
from data.dataset import DatasetInfo, People, store_url
from data.store import schema
from data.store.database import connect, place_of
from data.store.texts import DATASET, TRACKER, info_of, put_texts, texts_of
from data.store.transfer import backup_store, copy_store

if TYPE_CHECKING:
    from data.importers.tracker_mapping import TrackerMapping
    from data.lake import Lake


class Store:
    """A store behind the interface of `data.dataset.Dataset`; with `before` only what was known before that moment."""

    def __init__(self, url: str, before: int | None = None) -> None:
        self.url, self._before = url, before
        self.place = place_of(url)
        with connect(url) as db:
            schema.refuse_other(db)
            info_of(db)

    @cached_property
    def lake(self) -> Lake:
        """The copy. Its folder goes with it."""
        from data.lake import Lake
        from data.store.copies import write_folder

        folder = Path(tempfile.mkdtemp(prefix="leadlift-store-"))
        try:
            with connect(self.url) as db:
                write_folder(db, folder / "dataset", self._before)
            lake = Lake(folder / "dataset")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weakref.finalize(lake, shutil.rmtree, folder, ignore_errors=True)
        return lake

    @property
    def info(self) -> DatasetInfo:
        return self.lake.info

    def people(self, max_events: int = 5_000_000) -> Iterator[People]:
        return self.lake.people(max_events)

    def people_in(self, buckets: Sequence[int], accounts: bool = True, outcomes: bool = True) -> People:
        return self.lake.people_in(buckets, accounts, outcomes)

    def people_of(self, lead_id: str) -> People:
        return self.lake.people_of(lead_id)

    def urls(self) -> Mapping[str, int]:
        return self.lake.urls()

    def rules_text(self) -> str | None:
        return self.lake.rules_text()

    def content_text(self) -> str | None:
        return self.lake.content_text()


def open_lake(name: str | Path) -> Lake:
    """A dataset folder, or the copy of a store that is named."""
    from data.lake import Lake

    url = store_url(name)
    return Lake(Path(name)) if url is None else Store(url).lake


def dataset_toml(url: str) -> str | None:
    """What a store says of itself; None where it says nothing."""
    with connect(url) as db:
        schema.refuse_other(db)
        return texts_of(db).get(DATASET)


def last_arrival(url: str) -> tuple[int | None, dict[str, int]]:
    """When the latest event or identify call came (microseconds, null: none did), and rows by table."""
    counted = ("events", "identifies", "leads", "outcomes")
    with connect(url) as db:
        schema.refuse_other(db)
        came = "(SELECT max(coalesce(received_at, occurred_at)) FROM events), (SELECT max(known_from) FROM identifies)"
        ((*counts, event, call),) = db.rows(
            f"SELECT {','.join(f'(SELECT count(*) FROM {name})' for name in counted)}, {came}"
        )
    moments = [moment for moment in (event, call) if moment is not None]
    return max(moments, default=None), {n: c for n, c in zip(counted, counts, strict=True) if c}


def make(url: str, info: DatasetInfo, mapping: TrackerMapping | None = None) -> tuple[int, int]:
    """Make a store, or bring it to the version of this program; the versions before and after.

    A new one is of the market `info` names; of one that is there, market and texts stay, except that a mapping that is
    given takes the place of the one it had.

    Raises
    ------
    InputError
        for a file or a database of something else, or of a later version.
    """
    with connect(url, create=True) as db:
        versions = schema.migrate(db)
        with db.writing():
            told = {} if DATASET in texts_of(db) else {DATASET: dataset_file.dump(info)}
            if mapping is not None:
                texts = {TRACKER: mapping.text, "rules.yaml": mapping.rules, "content.yaml": mapping.content}
                told |= {name: text for name, text in texts.items() if text is not None}
            put_texts(db, told)
    return versions


def faults(url: str) -> list[str]:
    """What is wrong with a store of this version; empty where nothing is."""
    with connect(url) as db:
        found = db.faults()
        if not found:
            schema.refuse_other(db)
            found = [f"no table {name}" for name in schema.missing(db)]
    return found


def backup(url: str, target: Path) -> None:
    """A consistent copy of a store of this version, in a new file of SQLite."""
    with connect(url) as db:
        schema.refuse_other(db)
        backup_store(db, target)


def restore(url: str, target: str) -> dict[str, int]:
    """All of a store, a backup for one, in a new store; rows by table."""
    with connect(url) as source, connect(target, create=True) as db:
        schema.migrate(db)
        return copy_store(source, db)
