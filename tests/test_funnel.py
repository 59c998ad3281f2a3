"""Where journeys end, time on topics, visits, quiet leads, source x path: everybody is somewhere once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import DatasetInfo, open_dataset
from data.lake import write_lake
from data.packaged import rules_text
from data.records import DAY, MICROS, NULL_TIME, Coded
from data.settings import SnapshotSettings
from features.channels import CHANNELS
from tests.visits import write_visits
from training.content_paths import path_rows
from training.dwell_topics import BANDS, DwellTally
from training.funnel import DropTally
from training.lead_facts import NumbersAsked
from training.numbers_report import numbers_report
from training.periods import Period
from training.rules import Rules
from training.snapshots import policy_of
from training.source_paths import source_path_rows
from training.trails import Asked, Stand, Trails, trails_of

POLICY, RULES = policy_of(SnapshotSettings()), Rules.from_yaml(rules_text())
DAY0, MINUTE = 20_000 * DAY, 60 * MICROS
LEADS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three leads one saw prices last and is gone, one read about analytics and came back on day 12, one saw
    nothing at all. Of each kind every fourth converts on day 20."""
    seen = []
    for i in range(LEADS):
        pages = (["/", "/pricing"], ["/", "/product/analytics"], [])[i % 3]
        seen += [(i, page, DAY0 + k * MINUTE) for k, page in enumerate(pages)]
        seen += [(i, "/", DAY0 + 12 * DAY)] * (i % 3 == 1)
    won = [(i, DAY0 + 20 * DAY) for i in range(LEADS) if i // 3 % 4 == 0]
    return write_visits(tmp_path_factory.mktemp("funnel") / "dataset", LEADS, DAY0, seen, won)


def test_everybody_stands_on_one_content_and_converts_comes_back_or_is_gone(folder: Path) -> None:
    drops, stages = DropTally("content"), DropTally("stage")
    found = trails_of(open_dataset(folder), Asked("won", POLICY, DAY0 + 90 * DAY), stands=[drops, stages])
    for rows in (drops.rows(), stages.rows()):
        assert sum(r.stood for r in rows) == len(found) == LEADS
        assert all(r.converted + r.came_back + r.gone == r.stood <= r.saw for r in rows)
    by = {r.name: r for r in drops.rows()}
    assert (by["pricing"].stood, by["pricing"].converted, by["pricing"].came_back) == (40, 10, 0)
    product = by["product:analytics"]
    assert (product.converted, product.came_back, product.gone) == (10, 30, 0)
    assert by["pricing"].claimed
    assert by["pricing"].low < by["pricing"].share == 0.75 < by["pricing"].high


def test_what_was_not_known_yet_at_the_moment_asked_about_is_no_return(folder: Path) -> None:
    dataset, tally = open_dataset(folder), DropTally("content")
    stands: list[Stand] = []
    trails_of(dataset, Asked("won", POLICY, DAY0 + 90 * DAY), stands=[stands.append])
    for stand in stands:
        tally(replace(stand, asked=replace(stand.asked, now=DAY0 + 12 * DAY)))
    assert sum(r.came_back for r in tally.rows()) == 0


def test_the_bands_of_a_topic_add_up_to_everybody(folder: Path) -> None:
    tally = DwellTally()
    trails_of(open_dataset(folder), Asked("won", POLICY, DAY0 + 90 * DAY), stands=[tally])
    rows = tally.rows(least=1)
    topics = {r.topic for r in rows}
    assert topics
    for topic in topics:
        mine = [r for r in rows if r.topic == topic]
        assert sum(r.people for r in mine) == LEADS
        assert sum(r.conversions for r in mine) == LEADS // 4
        assert [BANDS.index(r.band) for r in mine] == sorted(BANDS.index(r.band) for r in mine)
    assert all(r.people >= 5 for r in tally.rows())


def test_a_good_channel_makes_no_good_path() -> None:
    """People of one channel buy three times as often, and mostly take one path; within a channel nothing differs."""
    rng = np.random.default_rng(5)
    n = 4000
    channel = rng.integers(0, 2, n).astype(np.int32)
    path = np.where(rng.random(n) < 0.9, channel, 1 - channel).astype(np.int32)
    label = (rng.random(n) < np.where(channel == 1, 0.3, 0.1)).astype(np.float64)
    unknown = np.full(n, np.nan)
    trails = Trails(("a", "b"), np.arange(n), path, np.ones(n), label, np.zeros(n, dtype=bool), unknown, unknown,
                    np.ones(n), channel, unknown, unknown)  # fmt: skip
    assert all(r.claimed for r in path_rows(trails))
    rows = source_path_rows(trails)
    assert not any(r.claimed for r in rows)
    assert sum(r.people for r in rows) == n
    assert {r.channel for r in rows} == set(CHANNELS[:2])


# -- visits and touches ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 leads in three kinds of visit: one view, one view and a heartbeat, two views. Then mails of ours to a third of
    them 30 days, to a third 3 days before the end, and to a third none; and what a lead does is no touch."""
    rows: list[tuple[str, int, str, str]] = []
    for i in range(60):
        rows.append((f"l{i}", DAY0 + i, "page_view", "inbound"))
        if i % 3:
            rows.append((f"l{i}", DAY0 + MINUTE + i, ("engagement", "page_view")[i % 3 - 1], "inbound"))
        rows.append((f"l{i}", DAY0 + 58 * DAY, "email", "inbound"))
        if i % 3:
            rows.append((f"l{i}", DAY0 + (30, 57)[i % 3 - 1] * DAY, "email", "outbound"))
    n, made = len(rows), np.full(60, DAY0 + 10 * MINUTE)
    web = [r[2] != "email" for r in rows]
    written: Any = {
        "leads": {"lead_id": Coded.of([f"l{i}" for i in range(60)]), "created_at": made, "valid_from": made,
                  "source_row": np.arange(1, 61)},
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(n)]), "lead_id": Coded.of([r[0] for r in rows]),
            "occurred_at": np.array([r[1] for r in rows]), "received_at": np.full(n, NULL_TIME),
            "type": Coded.of([r[2] for r in rows]), "direction": Coded.of([r[3] for r in rows]),
            "url": Coded.of(["https://www.example.com/" if w else None for w in web]),
            "is_bot": np.zeros(n, dtype=bool),
        },
        "outcomes": {"lead_id": Coded.of(["l0"]), "occurred_at": np.array([DAY0 + DAY]), "kind": Coded.of(["lost"])},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("visited") / "dataset"
    write_lake(path, DatasetInfo(name="visited", buckets=2), written, {})
    return path


def _report(folder: Path, period: Period, quiet_days: int = 14) -> Any:
    return numbers_report(open_dataset(folder), NumbersAsked(POLICY, DAY0 + 60 * DAY, period, RULES), quiet_days)


def test_a_visit_of_one_view_bounces_whatever_its_heartbeats(visited: Path) -> None:
    total = _report(visited, Period(DAY0, DAY0 + DAY)).numbers.total
    assert (total.visitors, total.visits, total.bounces) == (60, 60, 40)
    assert (total.new_visitors, total.became_leads, total.leads) == (60, 60, 60)


def test_quiet_leads_are_open_and_had_no_touch_of_ours_for_so_long(visited: Path) -> None:
    period = Period(DAY0, DAY0 + DAY)
    for days, quiet in ((14, 39), (2, 59), (40, 19)):
        rows = _report(visited, period, days).quiet
        assert sum(r.leads for r in rows) == 59  # one is lost
        assert sum(r.never for r in rows) == 19
        assert sum(r.quiet for r in rows) == quiet
