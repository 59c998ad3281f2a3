"""The calendar comes first, says what it costs, and where history is too short names what would fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from data.dataset import DatasetInfo
from data.simulate.market import Market
from data.simulate.write import write_market

SHORT = "2025-02-25"  # eight weeks after the market opened


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "market"
    write_market(path, Market(2000, 365, 7), DatasetInfo(name="market", buckets=8))
    return path


@pytest.fixture(scope="module")
def run(leadlift_at: Callable[[], Any]) -> Any:
    return leadlift_at()


@pytest.fixture(scope="module")
def refused(run: Any, dataset: Path) -> tuple[int, dict[str, Any], str]:
    found: tuple[int, dict[str, Any], str] = run("train", str(dataset), "--as-of", SHORT)
    return found


def test_too_short_a_history_is_a_verdict_after_the_calendar(refused: tuple[int, dict[str, Any], str]) -> None:
    code, _, said = refused
    assert code == 3
    assert said.index("Calendar of the split") < said.index("too little history")
    assert "features:" not in said


def test_the_longest_horizon_that_fits_is_named_and_is_the_longest(
    run: Any, dataset: Path, refused: tuple[int, dict[str, Any], str]
) -> None:
    named = re.search(r"longest horizon that fits is (\d+) days", refused[2])
    assert named is not None
    days = int(named[1])
    assert 1 <= days < 30
    for tried in {days + 1, days + 3, 29}:
        code, _, said = run("train", str(dataset), "--as-of", SHORT, LEADLIFT_SNAPSHOTS__HORIZON_DAYS=str(tried))
        assert (code, "too little history" in said) == (3, True), tried
    assert _fits(run, dataset, "--trials", "1", LEADLIFT_SNAPSHOTS__HORIZON_DAYS=str(days))


def test_the_earlier_target_that_is_named_fits(
    run: Any, dataset: Path, refused: tuple[int, dict[str, Any], str]
) -> None:
    named = re.search(r"earlier target accepted fits a horizon of (\d+) days", refused[2])
    assert named is not None
    assert _fits(run, dataset, "--target", "accepted", LEADLIFT_SNAPSHOTS__HORIZON_DAYS=named[1])


def _fits(run: Any, dataset: Path, *words: str, **settings: str) -> bool:
    """Whether training gets past the question of history: it is stopped right behind it."""

    class Reached(Exception):
        pass

    def stop(*_: Any) -> None:
        raise Reached

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.assemble.fit_on", stop)
        try:
            run("train", str(dataset), "--as-of", SHORT, *words, **settings)
        except Reached:
            return True
    return False


def test_a_history_that_fits_nothing_says_so(run: Any, dataset: Path) -> None:
    code, _, said = run("train", str(dataset), "--as-of", "2025-01-25")
    assert code == 3
    assert "No horizon below 30 days fits." in said
    assert "accepted" in said


def test_the_calendar_says_days_what_is_censored_cancelled_sampled_and_what_the_horizon_costs(
    run: Any, dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def stop(*_: Any) -> None:
        raise RuntimeError("only the calendar is asked for")

    monkeypatch.setattr("training.assemble.fit_on", stop)
    monkeypatch.setattr("serving.commands.models._show_calendar", lambda screen, *calendar: told.append(calendar))
    for limit in ("2000000", "9000"):
        with pytest.raises(RuntimeError):
            run("train", str(dataset), LEADLIFT_SNAPSHOTS__MAX_SNAPSHOTS=limit)
    (_, slices, notes), (_, fewer, sampled) = told
    for one in slices:
        if one.first:
            assert one.days == (date.fromisoformat(one.last) - date.fromisoformat(one.first)).days + 1
    censored = next(s for s in slices if s.name == "censored")
    cancelled = sum(s.cancelled for s in slices)
    assert notes[0].startswith("The horizon of 30 days costs: an answer is final 44 days after the look")
    assert f"{censored.rows:,} snapshots" in notes[0]
    assert f"{cancelled:,} snapshots" in notes[-2]
    assert notes[-1] == f"Nothing was sampled: all {sum(s.rows for s in slices):,} snapshots are used."
    left_out = sum(s.rows for s in slices) - sum(s.rows for s in fewer)
    assert sampled[-1].startswith(f"Sampled: {left_out:,} snapshots")
