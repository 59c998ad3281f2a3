"""`GET /v1/leads/{id}/history`: what was published of a lead and why it moved, from a file that no rescoring blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from data.store.database import connect, url_of
from data.store.moves import COLUMNS, FILE, History
from serving.reply import MOVE_KEYS
from training.registry import place

LEAD = "a/b Größe"


def _row(lead_id: str, as_of: int, **known: Any) -> tuple[Any, ...]:
    return tuple(({"lead_id": lead_id, "as_of": as_of} | known).get(name) for name in COLUMNS)


@pytest.fixture
def history(market: Any) -> Iterator[History]:
    folder = place(market.settings.home, market.name, "converted")
    yield History(folder)
    for file in folder.glob(f"{FILE}*"):
        file.unlink()


def _ask(client: Any, lead_id: str) -> Any:
    return client.get(f"/v1/leads/{quote(lead_id, safe='')}/history")


def test_rows_are_told_latest_first_with_every_key(client: Any, history: History) -> None:
    assert _ask(client, LEAD).json() == {"lead_id": LEAD, "moves": []}
    history.add(1_000_000, [[_row(LEAD, 1_000_000, probability=0.1, points=7, grade="C3", sales_ready=False)]])
    known = {
        "probability": 0.25,
        "points": 9,
        "sales_ready": True,
        "log_odds_time": -0.5,
        "points_time": 2,
        "cause": "time",
    }
    history.add(2_000_000, [[_row(LEAD, 2_000_000, as_of_old=1_000_000, **known), _row("other", 2_000_000)]])
    answer = _ask(client, LEAD)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    latest, first = answer.json()["moves"]
    assert list(latest) == list(first) == list(MOVE_KEYS)
    assert {k: v for k, v in latest.items() if v is not None} == known | {
        "as_of": "1970-01-01T00:00:02.000000Z", "as_of_old": "1970-01-01T00:00:01.000000Z",
    }  # fmt: skip
    assert (first["as_of_old"], first["cause"], first["sales_ready"]) == (None, None, False)


def test_a_rescoring_that_writes_keeps_nobody_waiting_and_shows_all_or_nothing(client: Any, history: History) -> None:
    history.add(1, [[_row(LEAD, 1)]])
    during: list[int] = []

    def parts() -> Iterator[list[tuple[Any, ...]]]:
        yield [_row(LEAD, 2)]
        during.append(len(_ask(client, LEAD).json()["moves"]))
        yield [_row("other", 2)]

    history.add(2, parts())
    assert (during, len(_ask(client, LEAD).json()["moves"])) == ([1], 2)

    def dies() -> Iterator[list[tuple[Any, ...]]]:
        yield [_row(LEAD, 3)]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        history.add(3, dies())
    assert len(_ask(client, LEAD).json()["moves"]) == 2


def test_a_history_that_cannot_be_read_is_a_503_and_scores_are_answered(client: Any, history: History) -> None:
    history._file.write_bytes(b"no database at all, but long enough to be looked at" * 30)
    answer = _ask(client, LEAD)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert client.post("/v1/score", json={"title": "CEO"}).status_code == 200


def test_an_empty_file_is_a_history_of_nobody(client: Any, history: History) -> None:
    connect(url_of(history._file), create=True).close()
    assert _ask(client, LEAD).json()["moves"] == []
