"""Ten faults, each planted into the last days of a simulated market: what went wrong, and how it must be named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from data.dataset import DatasetInfo
from data.lake import Lake
from data.lake_write import write_lake
from data.packaged import content_text, rules_text, source_categories
from data.records import DAY, MICROS, Coded, Columns, concat, take
from data.settings import Settings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from features.build import FeatureSet
from training import registry
from training.bundle import Bundle, canary_text, make_bundle
from training.calibration import Isotonic, Sigmoid, Spread, logit, to_json
from training.monitor.alarm import Alarm
from training.monitor.watch import Watch, watch
from training.predictors import LinearModel
from training.snapshots import policy_of, snapshots_of

Records = dict[str, Columns]
AGE = 105  # days before the end at which the model was trained


@dataclass(frozen=True)
class Fault:
    """plant(records, since, rng) changes what happened from `since` on; the alarm must be of `kind` and name `named`."""

    kind: str
    named: str
    days: int
    plant: Callable[[Records, int, np.random.Generator], Records]


def _text(columns: Columns, name: str) -> Coded:
    column = columns[name]
    assert isinstance(column, Coded)
    return column


def _is(columns: Columns, name: str, value: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return _text(columns, name).recode({value: 1}, 0) == 1


def _late(columns: Columns, since: int, name: str = "received_at") -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(columns[name]) >= since


def _without(records: Records, record: str, gone: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Records:
    return records | {record: take(records[record], np.flatnonzero(~gone))}


def dead(records: Records, since: int, rng: np.random.Generator) -> Records:
    events = records["events"]
    return _without(records, "events", _late(events, since) & _is(events, "type", "page_view"))


def half(records: Records, since: int, rng: np.random.Generator) -> Records:
    events = records["events"]
    lost = rng.random(len(_text(events, "type"))) < 0.5
    return _without(records, "events", _late(events, since) & lost)


def doubled(records: Records, since: int, rng: np.random.Generator) -> Records:
    """Everything once more under new ids."""
    events = records["events"]
    again = take(events, np.flatnonzero(_late(events, since)))
    ids = [f"again-{t}" for t in _text(again, "event_id").texts()]
    return records | {"events": concat([events, again | {"event_id": Coded.of(ids)}])}


def renamed(records: Records, since: int, rng: np.random.Generator) -> Records:
    events = records["events"]
    texts, late = _text(events, "source").texts(), _late(events, since).tolist()
    new = ["Newsletter_2026" if now and t == "newsletter" else t for t, now in zip(texts, late, strict=True)]
    return records | {"events": events | {"source": Coded.of(new)}}


def default(records: Records, since: int, rng: np.random.Generator) -> Records:
    leads = records["leads"]
    texts, late = _text(leads, "country").texts(), _late(leads, since, "created_at")
    lazy = (late & (rng.random(len(texts)) < 0.65)).tolist()
    return records | {
        "leads": leads | {"country": Coded.of(["AF" if is_ else t for t, is_ in zip(texts, lazy, strict=True)])}
    }


def burst(records: Records, since: int, rng: np.random.Generator) -> Records:
    """Three visitors open the first page of the records 400 times each."""
    events = records["events"]
    rows = np.flatnonzero(_is(events, "type", "page_view"))[:1]
    n = 1200
    many = take(events, np.repeat(rows, n))
    at = since + DAY // 3 + np.arange(n) * 7 * MICROS
    people = Coded(np.arange(n, dtype=np.int32) % 3, ("bot-a", "bot-b", "bot-c"))
    own = {"event_id": Coded.of([f"bot-{i}" for i in range(n)]), "visitor_id": people, "lead_id": Coded.nulls(n),
           "occurred_at": at, "received_at": at + MICROS, "is_bot": np.zeros(n, dtype=np.bool_)}  # fmt: skip
    return records | {"events": concat([events, many | own])}


def milliseconds(records: Records, since: int, rng: np.random.Generator) -> Records:
    events = records["events"]
    dwell = np.asarray(events["dwell_seconds"], dtype=np.float64)
    return records | {"events": events | {"dwell_seconds": np.where(_late(events, since), dwell * 1000, dwell)}}


def fewer_conversions(records: Records, since: int, rng: np.random.Generator) -> Records:
    """Three of four conversions stay away."""
    outcomes = records["outcomes"]
    lost = rng.random(len(_text(outcomes, "kind"))) < 0.75
    return _without(
        records, "outcomes", _late(outcomes, since, "occurred_at") & _is(outcomes, "kind", "converted") & lost
    )


def nothing(records: Records, since: int, rng: np.random.Generator) -> Records:
    """The fault is of the model, not of the records."""
    return records


FAULTS = {
    "dead feed": Fault("dead_feed", "page_view", 3, dead),
    "half feed": Fault("half_feed", "events", 7, half),
    "doubled feed": Fault("doubled_feed", "events", 2, doubled),
    "renamed utm tag": Fault("renamed_tag", "utm_source", 7, renamed),
    "new form default": Fault("new_default", "country", 7, default),
    "bot burst": Fault("bot_burst", "events", 1, burst),
    "ms for s": Fault("unit_change", "dwell_seconds", 2, milliseconds),
    "moved base rate": Fault("base_rate", "converted", 28, fewer_conversions),
    "stale model": Fault("stale_model", "model_version", 0, nothing),
    "broken calibration": Fault("calibration", "probability", 0, nothing),
}


# -- the market they are planted into ----------------------------------------------------------------------------
@dataclass(frozen=True)
class Scene:
    """A quiet market, its records, and a home whose model says of everybody the chance that is right on average."""

    market: Market
    records: Records
    lake: Lake
    settings: Settings
    rate: float

    def watch(self, lake: Lake | None = None, settings: Settings | None = None, as_of: int | None = None) -> Watch:
        moment = self.market.end if as_of is None else as_of
        return watch(lake or self.lake, settings or self.settings, "market", "converted", moment)


def scene_of(market: Market, folder: Path) -> Scene:
    found = records(live(market))
    lake = written(folder / "market", found)
    trained = market.end - AGE * DAY
    rate = _rate(lake, trained)
    return Scene(market, found, lake, promoted(folder / "home", bundle_saying(rate, trained)), rate)


def written(folder: Path, found: Records) -> Lake:
    write_lake(folder, DatasetInfo("market", buckets=4), found, {})
    return Lake(folder)


def _rate(lake: Lake, trained: int) -> float:
    """How often a look at a lead before some moment is followed by a conversion."""
    positive, n = 0.0, 0
    for people in lake.people():
        looks = snapshots_of(people, policy_of(Settings().snapshots), "converted", (lake.info.latest_arrival or 0) + 1)
        label = looks.label[looks.as_of < trained]
        positive, n = positive + float(label.sum()), n + len(label)
    return positive / n


def bundle_saying(rate: float, trained: int) -> Bundle:
    """A model that looks at nothing and says `rate` of everybody, trained until a moment."""
    content, none = yaml.safe_load(content_text()), np.zeros(1)
    features = FeatureSet(("lead_age_days",), (), {}, content, source_categories())
    base, nobody = float(logit(np.array([rate]))[0]), np.zeros((0, 1))
    model = LinearModel(features.columns, none, np.ones(1), none, none, nobody, nobody, none, base)
    spread, points = Spread((-9.0, 9.0), (0.1, 0.1)), Isotonic((0.0, 100.0), (0.01, 0.4))
    texts = model.files() | {
        "features.json": features.to_json(), "rules.yaml": rules_text(), "content.yaml": content_text(), "card.md": "",
        "calibrator.json": to_json(Sigmoid(1.0, 0.0), points, spread), "canary.json": canary_text(model, np.zeros((1, 1))),
        "value.json": '{"count": 200, "mean_minor": 1234567.0}',
    }  # fmt: skip
    day = str(np.datetime64(trained, "us").astype("datetime64[D]"))
    about = {"market": "market", "target": "converted", "horizon_days": 30, "currency": "EUR", "candidate": "logistic",
             "recipe": {"kind": "logistic", "settings": {}}, "seed": 0, "families": {},
             "split": [{"name": "training", "last": day, "conversions": 400}]}  # fmt: skip
    return make_bundle(texts, about)


def promoted(home: Path, bundle: Bundle) -> Settings:
    registry.keep(home, bundle, {"gate": {"open": True, "reasons": []}, "bundle": {"sha256": bundle.name}})
    registry.promote(home, "market", "converted", bundle.version, "2026-11-01T00:00:00+00:00", lambda version: None)
    return Settings(home=home)


def alarms_of(scene: Scene, name: str, folder: Path) -> list[Alarm]:
    """What the monitor says of the market with one fault."""
    fault, end, lake, settings = FAULTS[name], scene.market.end, scene.lake, scene.settings
    if fault.kind == "calibration":
        settings = promoted(folder / "broken", bundle_saying(3 * scene.rate, end - AGE * DAY))
    elif fault.kind == "stale_model":
        settings = promoted(folder / "stale", bundle_saying(scene.rate, end - 190 * DAY))
    if fault.days:
        rng = np.random.default_rng(scene.market.seed)
        lake = written(folder / name.replace(" ", "-"), fault.plant(scene.records, end - fault.days * DAY, rng))
    return scene.watch(lake, settings).alarms


def is_named(fault: Fault, alarm: Alarm) -> bool:
    return alarm.kind == fault.kind and fault.named in (alarm.source, alarm.field)
