"""Paths: everybody is in the denominator, the landmark is fair, and the parts add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.dataset import DatasetInfo, open_dataset
from data.errors import InputError, Verdict
from data.lake import write_lake
from data.records import DAY, Coded
from data.settings import SnapshotSettings
from tests.visits import write_visits
from training.content_paths import NO_PATH, PathReport, content_paths
from training.landmarks import MAX_STEPS, Landmark
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
DAY0 = 20_000 * DAY
MINUTE = 60_000_000
LEADS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lead i saw: 0 nothing, 1 home twice then prices, 2 the long way; every fifth converts on day 20, a few on day 3."""
    urls = {0: [], 1: ["/", "/", "/pricing"], 2: ["/", "/pricing", "/", "/pricing", "/", "/pricing"]}
    seen = [(i, u, DAY0 + k * MINUTE) for i in range(LEADS) for k, u in enumerate(urls[i % 3])]
    won = [(i, DAY0 + 20 * DAY) for i in range(0, LEADS, 5)] + [(i, DAY0 + 3 * DAY) for i in range(1, 31, 10)]
    return write_visits(tmp_path_factory.mktemp("paths") / "dataset", LEADS, DAY0, seen, won)


def _report(folder: Path, now: int = DAY0 + 200 * DAY, **options: object) -> PathReport:
    return content_paths(open_dataset(folder), POLICY, "won", now, support=5, **options)  # type: ignore[arg-type]


def test_leads_and_conversions_of_all_paths_add_up(folder: Path) -> None:
    report = _report(folder)
    early = 3
    assert report.people + report.counts.closed_before == LEADS
    assert report.counts.closed_before == early
    assert sum(r.people for r in report.rows) + report.below_support == report.people
    assert sum(r.people for r in report.sources) == report.people
    assert sum(r.conversions for r in report.rows) == report.conversions == LEADS // 5


def test_leads_without_a_page_view_are_in_the_denominator(folder: Path) -> None:
    report = _report(folder)
    assert any(r.path == (NO_PATH,) and r.people > 90 for r in report.rows)


def test_repeats_in_a_row_are_merged_and_paths_are_short(folder: Path) -> None:
    paths = {r.path for r in _report(folder).rows}
    assert ("home", "pricing") in paths
    assert max(len(p) for p in paths) <= MAX_STEPS


def test_with_no_effect_planted_every_lift_interval_holds_1(folder: Path) -> None:
    assert all(r.lift_low <= 1 <= r.lift_high for r in _report(folder).rows)


def test_conversions_before_the_landmark_do_not_count(folder: Path) -> None:
    assert _report(folder, landmark=Landmark("day", 0)).conversions == LEADS // 5 + 3
    assert _report(folder, landmark=Landmark("day", 7)).conversions == LEADS // 5


def test_leads_that_have_not_matured_are_censored(folder: Path) -> None:
    with pytest.raises(Verdict, match="matured"):
        _report(folder, now=DAY0 + 40 * DAY)


def test_a_table_without_times_has_no_paths(tmp_path: Path) -> None:
    leads = {"lead_id": Coded.of(["a"]), "source_row": np.array([1])}
    write_lake(tmp_path / "t", DatasetInfo(name="t", buckets=1, has_times=False), {"leads": leads}, {})
    with pytest.raises(InputError, match="events with times"):
        content_paths(open_dataset(tmp_path / "t"), POLICY, "won", DAY0)
