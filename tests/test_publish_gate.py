"""The publish gate: what a broken feed did is not published, what the market did is, and what was accepted stays so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import Verdict
from data.lake_manifest import SourceState
from data.records import DAY
from data.settings import PublishSettings
from data.simulate.market import Market
from serving.champion import scorer_of
from serving.publish_gate import PublishGate, Shift, watermarks
from tests.nights import (
    FAULTS,
    LAST,
    Nights,
    empty,
    faulty,
    half,
    market_of,
    ordinary,
    scored,
    unknown_titles,
    warm_model,
)
from tests.planted import Records, doubled, written

SAID = {"empty": "0 events since", "doubled": "told twice", "half": "only", "renamed": "utm_source 'newsletter'"}


@pytest.fixture(scope="module")
def scene() -> tuple[Market, Records]:
    return market_of(2, leads=1500)


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_held_back_and_its_cause_is_said(name: str, scene: Any, tmp_path: Path) -> None:
    nights = faulty(*scene, FAULTS[name], tmp_path)
    ((number, cause),) = nights.held.items()
    assert 1 <= number < LAST
    assert SAID[name] in cause
    assert "of leads would" in cause
    assert "--accept-change REASON" in cause
    assert nights.before is not None
    assert nights.before.folder.name == str(number - 1)  # the set before stays


def test_ordinary_nights_and_a_promotion_pass(scene: Any, tmp_path: Path) -> None:
    market, found = scene
    nights = ordinary(market, written(tmp_path / "market", found), tmp_path / "sets", nights=8, promoted=4)
    assert nights.held == {}
    assert nights.before is not None
    assert nights.before.about["gate"]["verdict"] == "passed"


def test_grades_that_move_without_any_feed_being_ill_are_held_back_too(scene: Any, tmp_path: Path) -> None:
    nights = faulty(*scene, unknown_titles, tmp_path)
    assert list(nights.held) == [1]
    assert "of leads would change their grade" in nights.held[1]
    assert "of leads would cool" in nights.held[1]


def test_what_was_accepted_with_a_reason_is_in_the_manifest_and_not_held_back_again(scene: Any, tmp_path: Path) -> None:
    market, found = scene
    since = market.end - LAST * DAY
    rng = np.random.default_rng(1)
    # Everything twice from the first night on, nothing at all from the fourth.
    planted = empty(doubled(found, since, rng), since + 4 * DAY, rng)
    nights = Nights(written(tmp_path / "market", planted), tmp_path / "sets")
    reason = "two collectors until Friday"
    said = []
    for number in range(4):
        assert nights.night(number, since + number * DAY, reason)
        assert nights.before is not None
        said.append(nights.before.about["gate"])
    accepted = [s for s in said if s["verdict"] == "accepted"]
    assert accepted
    assert all(s["reason"] == reason and s["causes"] for s in accepted)
    assert said[-1]["verdict"] == "passed"  # the same fault: nothing new to accept
    assert said[-1]["reason"] is None
    assert nights.night(4, since + 4 * DAY)  # and no reason is needed
    assert not all(nights.night(number, since + number * DAY) for number in (5, 6))
    assert "0 events since" in str(nights.held)


def test_a_source_that_stopped_is_named_instead_of_what_is_missing(scene: Any, tmp_path: Path) -> None:
    market, found = scene
    since = market.end - LAST * DAY
    lake = written(tmp_path / "market", half(found, since, np.random.default_rng(1)))
    lake.manifest.sources.update(
        snowplow=SourceState(record="event", latest=since), ga4=SourceState(record="event", latest=market.end - 1)
    )
    scorer = Nights(lake, tmp_path).scorer
    before = scored(lake, scorer, since, tmp_path / "0")
    with pytest.raises(
        Verdict, match=rf"^0 snowplow events since {np.datetime64(since, 'us').astype('datetime64[D]')}; "
    ):
        PublishGate(lake, PublishSettings()).judge(before, scored(lake, scorer, market.end, tmp_path / "1"))
    assert watermarks(lake) == {"snowplow": since, "ga4": market.end - 1}


def test_a_feed_that_stays_silent_is_held_back_however_long_the_last_set_has_stood(scene: Any, tmp_path: Path) -> None:
    market, found = scene
    since = market.end - LAST * DAY
    lake = written(tmp_path / "market", empty(found, since, np.random.default_rng(1)))
    nights = Nights(lake, tmp_path / "sets")
    assert nights.night(0, since)
    assert not any(nights.night(days, since + days * DAY) for days in (20, 30, 40, 90, 3000))
    assert all("0 events since" in cause for cause in nights.held.values())
    assert nights.night(1, since + 40 * DAY, "the site is closed")
    assert nights.night(2, since + 60 * DAY)  # nothing new to accept


def test_a_set_that_lacks_leads_of_the_last_one_is_held_back_whoever_scored_it(scene: Any, tmp_path: Path) -> None:
    """Such as one of a moment before most of them came."""
    market, found = scene
    lake = written(tmp_path / "market", found)
    before = scored(lake, scorer_of(warm_model()), market.end, tmp_path / "0")
    now = scored(lake, scorer_of(warm_model(0.8)), market.end - 100 * DAY, tmp_path / "1")
    with pytest.raises(Verdict, match=r"^\d+ % of the leads of the last set would be gone; "):
        PublishGate(lake, PublishSettings()).judge(before, now)
    assert PublishGate(lake, PublishSettings(), "a look back").judge(before, now)["shift"]["gone"] > 500


def test_there_must_be_a_set_to_compare_with(scene: Any, tmp_path: Path) -> None:
    market, found = scene
    nights = Nights(written(tmp_path / "market", empty(found, market.end - DAY, np.random.default_rng(1))), tmp_path)
    assert nights.night(0, market.end)
    assert nights.before is not None
    assert nights.before.about["gate"] == {"verdict": "first"}


def test_a_table_without_times_is_judged_by_its_scores(timeless: Any, tmp_path: Path) -> None:
    scorer = scorer_of(timeless.bundle)
    sets = [scored(timeless.dataset, scorer, 10**15 + i, tmp_path / str(i)) for i in range(2)]
    gate = PublishGate(timeless.dataset, PublishSettings())
    assert gate.judge(*sets)["verdict"] == "passed"
    assert gate.judge(*sets)["shift"]["leads"] == 90


def test_limits_are_for_one_night_and_grow_with_the_nights_between() -> None:
    limits = PublishSettings(max_grade_changes=0.1, max_mean_change=0.2)
    shift = Shift(leads=1000, worse=150, better=30, mean_before=0.1, mean=0.07)
    assert len(shift.too_far(limits, 1)) == 2
    assert shift.words == "15 % of leads would cool"
    assert shift.too_far(limits, 4) == []
    assert shift.too_far(limits, 1 / 24) == shift.too_far(limits, 1)
    assert shift.missing(limits, 1) == replace(shift, gone=100).missing(limits, 1) == []
    assert replace(shift, gone=150).missing(limits, 1) == ["13 % of the leads of the last set would be gone"]
    few = replace(shift, leads=20, worse=8, better=2, mean=0.1)
    assert few.too_far(limits, 1) == []  # ten leads always may
    assert replace(shift, worse=0, better=0, mean=0.13).too_far(limits, 1) == [
        "the mean probability would be 13 % after 10 %"
    ]
