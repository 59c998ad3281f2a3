"""Nights of a simulated market: every one scored and judged before it is published, with and without planted faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml

from data.dataset import Dataset
from data.errors import Verdict
from data.lake import Lake
from data.packaged import content_text, rules_text, source_categories
from data.records import DAY, Coded, Columns, concat, take
from data.settings import PublishSettings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from features.build import FeatureSet
from serving.champion import scorer_of
from serving.known import of_people
from serving.publish_gate import PublishGate
from serving.published import Published
from serving.rescore import Job
from serving.rescore_columns import to_arrow
from serving.scorer import Scorer, Wants
from tests.planted import Records, doubled, half, renamed, written
from training.bundle import Bundle, canary_text, make_bundle
from training.calibration import Isotonic, Sigmoid, Spread, to_json
from training.predictors import LinearModel

Plant = Callable[[Records, int, np.random.Generator], Records]
LAST = 7  # nights of each fault


def empty(found: Records, since: int, rng: np.random.Generator) -> Records:
    """No event arrives any more."""
    events = found["events"]
    return found | {"events": take(events, np.flatnonzero(np.asarray(events["received_at"]) < since))}


FAULTS: dict[str, Plant] = {"empty": empty, "doubled": doubled, "half": half, "renamed": renamed}


def unknown_titles(found: Records, since: int, rng: np.random.Generator) -> Records:
    """An export of all profiles without their titles and company sizes: every feed is well."""
    leads = found["leads"]
    there = np.flatnonzero(np.asarray(leads["created_at"]) < since)
    again = take(leads, there)
    n = len(there)
    rows = np.asarray(again["source_row"]) + int(np.asarray(leads["source_row"]).max())
    gone: Columns = {"title": Coded.nulls(n), "employees": np.full(n, np.nan), "valid_from": np.full(n, since),
                     "source_row": rows}  # fmt: skip
    return found | {"leads": concat([leads, again | gone])}


def warm_model(shift: float = 0.0) -> Bundle:
    """A model that looks at how much, and how recently, a lead did something."""
    names = ("activity_decayed", "page_views_28d", "days_since_last")
    features = FeatureSet(names, (), {}, yaml.safe_load(content_text()), source_categories())
    none, nobody = np.zeros(3), np.zeros((0, 3))
    model = LinearModel(
        features.columns,
        none,
        np.ones(3),
        np.array([0.12, 0.05, -0.02]),
        np.zeros(3),
        nobody,
        nobody,
        none,
        shift - 3.2,
    )
    points, spread = Isotonic((0.0, 100.0), (0.01, 0.4)), Spread((-9.0, 9.0), (0.1, 0.1))
    texts = model.files() | {
        "features.json": features.to_json(), "rules.yaml": rules_text(), "content.yaml": content_text(), "card.md": "",
        "calibrator.json": to_json(Sigmoid(1.0, 0.0), points, spread), "canary.json": canary_text(model, np.zeros((1, 3))),
        "value.json": '{"count": 200, "mean_minor": 1234567.0}',
    }  # fmt: skip
    about = {"market": "market", "target": "converted", "horizon_days": 30, "currency": "EUR", "candidate": "logistic",
             "recipe": {"kind": "logistic", "settings": {}}, "seed": 0, "families": {}}  # fmt: skip
    return make_bundle(texts, about)


def scored(dataset: Dataset, scorer: Scorer, as_of: int, folder: Path) -> Published:
    """A set of one part, as a rescoring writes it."""
    folder.mkdir(parents=True)
    (people,) = dataset.people()
    table = to_arrow(scorer.score(of_people(people, as_of), Wants("none")))
    pq.write_table(table, folder / "part-00000.parquet")
    return Published(folder, Job(dataset, scorer, as_of, Wants("none")).inputs())


@dataclass
class Nights:
    """One market. held: the cause of each night that was held back, by its number; the set published last."""

    lake: Lake
    folder: Path
    scorer: Scorer = field(default_factory=lambda: scorer_of(warm_model()))
    before: Published | None = None
    held: dict[int, str] = field(default_factory=dict)

    def night(self, number: int, as_of: int, accepted: str | None = None) -> bool:
        """Score and judge one night; True where its set was published."""
        now = scored(self.lake, self.scorer, as_of, self.folder / f"{number}")
        try:
            said = PublishGate(self.lake, PublishSettings(), accepted).judge(self.before, now)
        except Verdict as no:
            self.held[number] = str(no)
            return False
        self.before = replace(now, about={**now.about, "gate": said})
        return True


def market_of(seed: int, leads: int = 3000) -> tuple[Market, Records]:
    """A market; the last day of a seed is another day of the week than that of the next one."""
    market = Market(leads, 170 + seed % 7, seed)
    return market, records(live(market))


def ordinary(market: Market, lake: Lake, folder: Path, nights: int = 30, promoted: int = 15) -> Nights:
    """Nights on which nothing is wrong; before one of them another model is promoted."""
    found = Nights(lake, folder)
    for number in range(nights + 1):
        if number == promoted:
            found.scorer = scorer_of(warm_model(0.8))
        found.night(number, market.end - (nights - number) * DAY)
    return found


def faulty(market: Market, found: Records, plant: Plant, folder: Path) -> Nights:
    """The nights after a fault began, until one is held back; night 0 is the last one that was well."""
    since = market.end - LAST * DAY
    planted = plant(found, since, np.random.default_rng(market.seed))
    nights = Nights(written(folder / "market", planted), folder / "sets")
    for number in range(LAST + 1):
        if not nights.night(number, since + number * DAY):
            break
    return nights
