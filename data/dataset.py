"""One interface to a dataset, whatever it is kept in.

    dataset = open_dataset(name)         a lake folder or a store URL
    for people in dataset.people():      groups of whole buckets, bounded in memory
        people.leads, people.events ...

`People` is the hand-over from layer 0 to the features: NumPy columns, events already joined to their lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from data.accounts import Accounts
from data.errors import InputError
from data.records import Columns, concat, take

if TYPE_CHECKING:
    from data.lake import Lake

Role = Literal["attribute", "behaviour_total", "comparator", "derived"]


@dataclass(frozen=True)
class ExtraColumn:
    """A declared column beyond the standard profile.

    `attribute` describes who the lead is, `behaviour_total` what it did (for tables without events),
    `comparator` is a score the company already has: judged beside ours, never a feature. `derived` is the sum or the
    product of number columns, derived ones before it among them; it is not stored but computed with the features.
    """

    name: str
    kind: Literal["text", "number"]
    role: Role
    unit: str = ""
    label_en: str = ""
    label_de: str = ""
    sum: tuple[str, ...] = ()
    product: tuple[str, ...] = ()

    @staticmethod
    def of(document: Mapping[str, Any]) -> ExtraColumn:
        """From its fields as TOML or JSON keep them."""
        return ExtraColumn(**{k: tuple(v) if isinstance(v, list) else v for k, v in document.items()})


def stored(extra: Iterable[ExtraColumn]) -> tuple[ExtraColumn, ...]:
    """The declared columns that come from outside."""
    return tuple(e for e in extra if e.role != "derived")


@dataclass(frozen=True)
class SplitSpec:
    """How a table without times is divided: `shuffled` | `ordered` | `time`, see the design's section 3."""

    kind: Literal["shuffled", "ordered", "time"] = "time"
    seed: int = 0
    train: float = 0.7
    order_by: str = ""


@dataclass(frozen=True)
class SnapshotSpec:
    """When a lead is looked at and what is asked of it. Times in microseconds; null where settings decide."""

    policy: Literal["weekly", "after_first_event"] | None = None
    delay: int | None = None
    every: int | None = None
    max_per_lead: int | None = None
    horizon: int | None = None
    reporting_delay: int | None = None
    cancellation_window: int | None = None
    exclude_if_seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatasetInfo:
    """What `dataset.toml` says."""

    name: str
    buckets: int = 64
    timezone: str = "UTC"
    currency: str = "EUR"
    has_times: bool = True
    closed_at: int | None = None
    extra: tuple[ExtraColumn, ...] = ()
    split: SplitSpec = SplitSpec()
    snapshots: SnapshotSpec = SnapshotSpec()
    latest_arrival: int | None = None
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    generation: int = 0


@dataclass(frozen=True)
class People:
    """All records of some leads. Row i of `lead_ids` is *the* lead i; other columns point at it by `lead`.

    leads: one row per (lead, valid_from) sorted so, with an int64 column `lead`
    events: with int64 `lead` (the lead the event belongs to) and int64 `known_from` (since when we know that;
        NULL_TIME = since it arrived). In any order.
    outcomes, consents: with int64 `lead`. In any order.
    labels: float64 per lead, NaN = none (tables without times only).
    source_row: int64 per lead, data row of its first source, from 1.
    accounts: who shares an account or an address with whom, over the whole dataset.
    require_consent: leads count only as far as they have consented.
    """

    lead_ids: tuple[str, ...]
    created_at: NDArray[np.int64]
    source_row: NDArray[np.int64]
    labels: NDArray[np.float64]
    leads: Columns
    events: Columns
    outcomes: Columns
    consents: Columns
    accounts: Accounts | None = None
    require_consent: bool = False

    def __len__(self) -> int:
        return len(self.lead_ids)

    def select(self, lead_id: str) -> People:
        """The same records for one lead; an unknown id is an InputError."""
        if lead_id not in self.lead_ids:
            raise InputError.of(
                where="--lead-id", expected="a lead of the dataset", got="an unknown id", remedy="Check the id."
            )
        return self.take(np.array([self.lead_ids.index(lead_id)]))

    def take(self, leads: NDArray[np.int64]) -> People:
        """The same records for some leads (distinct numbers), which are numbered anew in the order given."""
        number = np.full(len(self) + 1, -1, dtype=np.int64)
        number[leads] = np.arange(len(leads))
        columns = (self.leads, self.events, self.outcomes, self.consents)
        return People(
            tuple(self.lead_ids[i] for i in leads.tolist()),
            self.created_at[leads], self.source_row[leads], self.labels[leads],
            *(_renumbered(c, number) for c in columns),
            self.accounts, self.require_consent,
        )  # fmt: skip


def _renumbered(columns: Columns, number: NDArray[np.int64]) -> Columns:
    """The rows whose lead has a number, under that number; `number` has one more entry at the end, for lead -1."""
    if "lead" not in columns:
        return columns
    lead = number[np.asarray(columns["lead"], dtype=np.int64)]
    rows = np.flatnonzero(lead >= 0)
    return {**take(columns, rows), "lead": lead[rows]}


def joined(parts: Sequence[People]) -> People:
    """Several groups as one; leads are numbered through in the order of the parts."""
    starts = np.concatenate([[0], np.cumsum([len(p) for p in parts])])

    def rows(name: str) -> Columns:
        shifted = [
            {**(c := getattr(p, name)), "lead": np.asarray(c["lead"], dtype=np.int64) + start}
            for p, start in zip(parts, starts[:-1].tolist(), strict=True)
        ]
        return concat(shifted)

    return People(
        tuple(i for p in parts for i in p.lead_ids),
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("created_at", "source_row", "labels")),
        *(rows(n) for n in ("leads", "events", "outcomes", "consents")),
        parts[0].accounts,
        parts[0].require_consent,
    )


@dataclass(frozen=True)
class Consenting:
    """A dataset whose people count only as far as they have consented: `[privacy] require_consent`."""

    dataset: Dataset

    @property
    def info(self) -> DatasetInfo:
        return self.dataset.info

    @property
    def place(self) -> str:
        return self.dataset.place

    @property
    def lake(self) -> Lake:
        return self.dataset.lake

    def people(self, max_events: int = 5_000_000) -> Iterator[People]:
        return (replace(people, require_consent=True) for people in self.dataset.people(max_events))

    def people_in(self, buckets: Sequence[int], accounts: bool = True, outcomes: bool = True) -> People:
        return replace(self.dataset.people_in(buckets, accounts, outcomes), require_consent=True)

    def people_of(self, lead_id: str) -> People:
        return replace(self.dataset.people_of(lead_id), require_consent=True)

    def urls(self) -> Mapping[str, int]:
        return self.dataset.urls()

    def rules_text(self) -> str | None:
        return self.dataset.rules_text()

    def content_text(self) -> str | None:
        return self.dataset.content_text()


def consenting(dataset: Dataset, require_consent: bool) -> Dataset:
    """The dataset, restricted to what people have consented to where that is required."""
    return Consenting(dataset) if require_consent else dataset


class Dataset(Protocol):
    """A dataset; `info` is read once, records are read bucket by bucket."""

    @property
    def info(self) -> DatasetInfo: ...

    @property
    def place(self) -> str:
        """Where it is, for messages and to open it again: a folder, a file, a URL without a password."""
        ...

    @property
    def lake(self) -> Lake:
        """The folder it is read from, which stays as it is: itself, or the copy of a store."""
        ...

    def people(self, max_events: int = 5_000_000) -> Iterator[People]:
        """All leads in groups of whole buckets, in bucket order, leads sorted by id within a bucket."""
        ...

    def people_in(self, buckets: Sequence[int], accounts: bool = True, outcomes: bool = True) -> People:
        """All leads of these buckets (ascending), in bucket order, leads sorted by id within a bucket; maybe none.

        accounts: also who shares an account with whom, which reads the whole dataset once. outcomes: also what became
        of them; else there is none.
        """
        ...

    def people_of(self, lead_id: str) -> People:
        """The bucket that holds one lead."""
        ...

    def urls(self) -> Mapping[str, int]:
        """Page views of people by URL, visitors nobody knows included."""
        ...

    def rules_text(self) -> str | None:
        """The dataset's points file, or None for the packaged one."""
        ...

    def content_text(self) -> str | None:
        """The dataset's content map, or None for the packaged one."""
        ...


def bucket_groups(info: DatasetInfo, buckets: Sequence[int], max_events: int, least: int = 1) -> list[Sequence[int]]:
    """Buckets in groups to read at once: about `max_events` events each, and at least so many groups where it can be.

    The number of events of a bucket is estimated: buckets are hashes.
    """
    per_bucket = max(info.counts.get("events", 0) / info.buckets, 1.0)
    size = max(min(int(max_events / per_bucket), -(-len(buckets) // least)), 1)
    return [buckets[first : first + size] for first in range(0, len(buckets), size)]


def store_url(name: str | Path) -> str | None:
    """The URL of the store that is named, itself or by its file; None for a folder."""
    if isinstance(name, str) and "://" in name:
        return name
    return f"sqlite:///{Path(name).absolute()}" if Path(name).is_file() else None


def lasting(place: str) -> str:
    """The place of a dataset, wherever it is opened from."""
    return place if "://" in place else str(Path(place).resolve())


def open_dataset(name: str | Path, before: int | None = None) -> Dataset:
    """Open a dataset folder, or a store by its URL.

    before: of a store only what was known before this moment, so that its digest stays while others go on writing; a
    folder has a digest of its own.

    Raises
    ------
    InputError
        where the folder is missing or holds no `dataset.toml`; for a store that is missing or of another version.
    """
    url = store_url(name)
    if url is not None:
        from data.store.store import Store

        return Store(url, before)
    from data.lake import Lake

    return Lake(Path(name))
