"""`leadlift monitor`: planted faults are named, quiet nights stay quiet, nobody's id is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.records import DAY, Coded, take
from data.simulate.market import START, Market
from tests.planted import AGE, FAULTS, Scene, alarms_of, bundle_saying, is_named, scene_of, written
from training.monitor.alarm import shown
from training.monitor.feeds import feeds_of
from training.monitor.marks import Marks
from training.monitor.model import Live
from training.monitor.noise import DAYS, least, level
from training.monitor.tally import tally

MARKET = Market(1500, 180, 1)
TRAINED = MARKET.end - AGE * DAY
NIGHTS = 30


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return scene_of(MARKET, tmp_path_factory.mktemp("monitor"))


def test_thirty_quiet_nights_raise_no_alarm(scene: Scene) -> None:
    for night in range(NIGHTS):
        found = scene.watch(as_of=MARKET.end - night * DAY)
        assert [a.sentence for a in found.alarms] == []
        assert {c.name: c.state for c in found.checks if c.state != "quiet"} == {}


def test_nine_of_ten_planted_faults_are_named_and_nothing_else_is(scene: Scene, tmp_path: Path) -> None:
    found = {name: alarms_of(scene, name, tmp_path) for name in FAULTS}
    named = [n for n, alarms in found.items() if any(is_named(FAULTS[n], a) for a in alarms)]
    assert len(named) >= 9, named
    assert {n: [a.sentence for a in alarms[1:]] for n, alarms in found.items() if alarms[1:]} == {}


def test_the_command_names_the_cause_ends_with_3_and_shows_nobody(
    scene: Scene, tmp_path: Path, leadlift_at: Any
) -> None:
    fault, leadlift = FAULTS["bot burst"], leadlift_at()
    written(tmp_path / "d", fault.plant(scene.records, MARKET.end - DAY, np.random.default_rng(1)))
    code, document, said = leadlift("monitor", str(tmp_path / "d"), "--as-of", "2025-06-30T00:00:00Z")
    assert (code, document["alarm"]) == (3, True)
    (alarm,) = document["alarms"]
    assert alarm | {"sentence": "", "since": ""} == {
        "kind": "bot_burst", "source": "events", "field": None, "since": "", "sentence": "",
        "numbers": {"events": 1200, "visitors": 3, "flagged": 0, "before": 0.0, "days": 1},
    }  # fmt: skip
    assert alarm["sentence"] in said
    people = [v for n in ("visitor_id", "lead_id", "event_id") for v in scene.records["events"][n].values]  # type: ignore[union-attr]
    told = json.dumps(document) + said
    assert not [p for p in [*people[::50], "bot-a"] if p in told]


def test_a_quiet_market_ends_with_0_and_a_store_says_what_its_folder_says(
    scene: Scene, tmp_path: Path, leadlift_at: Callable[[], Any]
) -> None:
    leadlift = leadlift_at()
    moment = ("--as-of", "2025-06-30T00:00:00Z")
    code, folder, _ = leadlift("monitor", str(scene.lake.path), *moment)
    assert (code, folder["alarms"]) == (0, [])
    url = f"sqlite:///{tmp_path / 'store.db'}"
    assert leadlift("import", str(scene.lake.path), "--to", url)[0] == 0
    assert leadlift("monitor", url, *moment)[:2] == (0, folder)


def test_a_table_without_times_is_refused(timeless: Any, leadlift_at: Callable[[], Any]) -> None:
    code, _, said = leadlift_at()("monitor", str(timeless.dataset.path), "--as-of", "2026-01-01")
    assert code == 1
    assert "records with times" in said


def test_what_came_after_the_moment_changes_nothing(scene: Scene, tmp_path: Path) -> None:
    moment = MARKET.end - 20 * DAY
    cut = {
        "events": np.asarray(scene.records["events"]["received_at"]) < moment,
        "leads": np.asarray(scene.records["leads"]["valid_from"]) < moment,
        "outcomes": np.asarray(scene.records["outcomes"]["occurred_at"]) < moment,
        "links": np.asarray(scene.records["links"]["known_from"]) < moment,
        "spend": np.asarray(scene.records["spend"]["date"]) < moment,
    }
    then = {n: take(c, np.flatnonzero(cut[n])) if n in cut else c for n, c in scene.records.items()}
    early = scene.watch(written(tmp_path / "then", then), as_of=moment)
    assert early.document() == scene.watch(as_of=moment).document()


def test_a_host_that_fell_silent_is_named_instead_of_the_whole_feed(scene: Scene, tmp_path: Path) -> None:
    events = scene.records["events"]
    url, late = events["url"], np.asarray(events["received_at"]) >= MARKET.end - 5 * DAY
    assert isinstance(url, Coded)
    moved = ["docs.example.com" if "/docs" in u or "/product" in u else "www.example.com" for u in url.values]
    there = replace(url, values=tuple(u.replace("www.example.com", h) for u, h in zip(url.values, moved, strict=True)))
    docs = np.array([*(h == "docs.example.com" for h in moved), False])[url.codes]
    keep = np.flatnonzero(~(docs & late))
    planted = scene.records | {"events": take(events | {"url": there}, keep)}
    (alarm,) = scene.watch(written(tmp_path / "hosts", planted)).alarms
    assert (alarm.kind, alarm.source) == ("dead_feed", "docs.example.com")


def test_too_little_history_is_said_and_raises_no_alarm(scene: Scene) -> None:
    found = scene.watch(as_of=START + 20 * DAY)
    assert found.alarms == []
    assert {c.name for c in found.checks if c.state == "not checked"} >= {"feeds", "utm tags", "base rate"}


def test_a_model_answers_for_looks_after_its_training_only() -> None:
    bundle = bundle_saying(0.05, TRAINED)
    live_then = Live((MARKET.end,), (bundle,))
    assert live_then.at(np.array([TRAINED, TRAINED + 2 * DAY, MARKET.end + DAY])).tolist() == [-1, 0, 0]


def test_counts_that_scatter_need_more_to_stand_out() -> None:
    steady = np.full(DAYS, 100)
    wild = np.where(np.arange(DAYS) // 7 % 2 == 0, 60, 140)
    steady[:7], wild[:7] = 50, 50
    found = [level(counts, 7, DAYS) for counts in (steady, wild)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].low < 1e-5 < 1e-2 < found[1].low


def test_noise_among_many_is_no_discovery() -> None:
    chances = np.random.default_rng(1).random(2000)
    assert not any(least(chances.tolist()))
    assert least([*chances.tolist(), 1e-12])[-1]


def test_what_could_be_somebody_is_not_shown() -> None:
    assert shown("anna@example.com") == shown("+4915112345678") == "(not shown)"
    assert shown("spring sale") == "spring sale"
    assert len(shown("x" * 200)) == 40


def test_memory_is_bounded_whatever_tags_strangers_send() -> None:
    marks = Marks()
    for part in range(5):
        values = Coded.of([f"c{part}-{i}" for i in range(10_000)] + ["real"] * 50)
        marks.add(values, np.zeros(10_050, dtype=np.int64), np.zeros(10_050, dtype=np.int64))
    assert len(marks.of) <= 20_000
    assert marks.of["real"].counts[0] == 250


def test_feeds_count_what_arrived_not_what_happened(scene: Scene) -> None:
    found = tally(scene.lake, MARKET.end)
    events = next(f for f in feeds_of(found) if f.name == "events")
    received = np.asarray(scene.records["events"]["received_at"])
    human = ~np.asarray(scene.records["events"]["is_bot"])
    today = int((human & (received >= MARKET.end - DAY)).sum())
    assert int(events.mark.counts[0]) + int(found.busy.events[0]) == today
