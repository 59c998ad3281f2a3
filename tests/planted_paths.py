"""A simulated market in which we draw by lot who buys: whatever paths then show, we know whether it is true.

Everybody buys at the same rate a day. With a plant the rate is FACTOR times as high from the moment a lead sees prices
right after a case study; nothing else counts, however popular it is. Without one nothing counts at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.dataset import Consenting, Dataset, DatasetInfo, People, open_dataset
from data.records import DAY, Coded
from data.simulate.market import Market
from data.simulate.write import write_market
from features.beside import Beside
from features.build import journeys_at
from training.rules_rows import encoder
from training.trails import Names, steps_of

RATE, FACTOR = 0.004, 6.0  # chance a day, and how many times as high it is once the planted path was walked
PLANTED = ("case", "pricing")
POPULAR = "home"  # a page that many see and that does nothing


@dataclass(frozen=True)
class Lot(Consenting):
    """The dataset of a small market, read at once, with other outcomes and no consent asked for; seed: of the draw."""

    end: int
    seed: int
    planted: bool

    def people(self, max_events: int = 5_000_000) -> Iterator[People]:
        yield self.people_in(range(self.info.buckets))

    def people_in(self, buckets: Sequence[int], accounts: bool = True, outcomes: bool = True) -> People:
        return self._drawn(self.dataset.people_in(buckets, accounts, outcomes))

    def _drawn(self, people: People) -> People:
        """Who buys, and when: the waiting time at a rate that may rise once."""
        wait = np.random.default_rng(self.seed).exponential(1.0, len(people)) / RATE
        rises = (self._walked(people) - people.created_at) / DAY if self.planted else np.full(len(people), np.inf)
        rises = np.maximum(rises, 0.0)
        days = np.where(wait <= rises, wait, rises + (wait - np.minimum(wait, rises)) / FACTOR)
        return self.buying(people, people.created_at + (np.minimum(days, 10_000) * DAY).astype(np.int64))

    def buying(self, people: People, at: NDArray[np.int64]) -> People:
        """The same people, each of whom buys at `at`, (n,) us, if that is before the end."""
        lead = np.flatnonzero(at < self.end)
        outcomes = {
            "lead": lead, "lead_id": Coded.nulls(len(lead)), "visitor_id": Coded.nulls(len(lead)),
            "occurred_at": at[lead], "kind": Coded.of(["converted"] * len(lead)), "value": np.full(len(lead), np.nan),
            "reason": Coded.nulls(len(lead)),
        }  # fmt: skip
        return replace(people, outcomes=outcomes)

    def _walked(self, people: People) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """When each lead first saw prices right after a case study, infinity = never."""
        encoded, names = encoder(self.dataset, False).encode(people.events), Names()
        everybody, end = np.arange(len(people)), np.full(len(people), self.end)
        journeys = journeys_at(encoded, everybody, end, Beside())
        codes = names.codes(encoded.vocabulary, "type")
        person, step, position = steps_of(journeys, codes)
        before, after = (names.all.index(n) for n in PLANTED)
        hit = np.flatnonzero((step[1:] == after) & (step[:-1] == before) & (person[1:] == person[:-1])) + 1
        first = np.full(len(people), np.inf)
        np.minimum.at(first, person[hit], journeys.time[position[hit]].astype(float))
        return first


def market(folder: Path, leads: int, seed: int, days: int = 300) -> tuple[Dataset, int]:
    """A simulated market and its end; its own outcomes are not looked at."""
    made = Market(leads, days, seed, path_effect=False)
    write_market(folder, made, DatasetInfo(name="market", buckets=4))
    return open_dataset(folder), made.end


def lot(made: tuple[Dataset, int], seed: int, planted: bool) -> Lot:
    return Lot(*made, seed, planted)
