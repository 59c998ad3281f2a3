"""Hostile requests to the running service: each gets a 4xx, says nothing of itself, and leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import MARK, Answer, Case, ask, cases, stored
from tests.server import post, serving

CASES = cases()


@dataclass
class Siege:
    """The running service, its log and store, and the rows that the store had before."""

    address: str
    log: Path
    store: Path
    before: dict[str, int]


@pytest.fixture(scope="module")
def siege(market: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    folder = tmp_path_factory.mktemp("hostile")
    home, log = folder / "home", folder / "log.txt"
    shutil.copytree(market.settings.home, home)
    with serving(home, log) as address:
        yield Siege(address, log, home / "store.db", stored(home / "store.db"))


def test_there_are_enough_of_them() -> None:
    assert len({c.name for c in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_hostile_request_gets_a_silent_4xx(siege: Siege, case: Case) -> None:
    answer: Answer = ask(siege.address, case)
    assert 400 <= answer.status < 500
    assert MARK not in answer.text
    assert "Traceback" not in answer.text
    if "Invalid HTTP request" not in answer.text:  # what is no HTTP never reaches us
        assert "content-type: application/problem+json" in answer.text


def test_afterwards_nothing_is_stored_or_logged_and_the_next_is_answered(siege: Siege) -> None:
    assert stored(siege.store) == siege.before
    said = siege.log.read_text()
    assert "Traceback" not in said
    assert MARK not in said
    assert post(f"{siege.address}/v1/score", {"title": "CEO"})[0] == 200
