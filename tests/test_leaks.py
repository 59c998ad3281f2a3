"""A planted leak of each kind is refused by name; a clean market passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import features.build
from data.dataset import DatasetInfo, ExtraColumn, open_dataset
from data.lake import write_lake
from data.packaged import content_text, rules_text
from data.records import DAY, MICROS, NULL_TIME, Coded, Columns, concat, take
from data.settings import Settings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from training.future import families_that_see_it
from training.leaks import Leak, Scan, scan
from training.run import prepared
from training.work import Request

Records = dict[str, Columns]
FOREVER = int(np.iinfo(np.int64).max)


@pytest.fixture(scope="module")
def clean() -> Records:
    return records(live(Market(500, 240, 11)))


def _won_at(found: Records) -> np.ndarray:
    """First conversion of each lead row's lead, FOREVER where none."""
    outcomes, leads = found["outcomes"], found["leads"]["lead_id"]
    kinds, who = outcomes["kind"], outcomes["lead_id"]
    assert isinstance(kinds, Coded)
    assert isinstance(who, Coded)
    assert isinstance(leads, Coded)
    first: dict[str, int] = {}
    at = np.asarray(outcomes["occurred_at"]).tolist()
    for lead, kind, when in zip(who.texts(), kinds.texts(), at, strict=True):
        if kind == "converted":
            first[str(lead)] = min(when, first.get(str(lead), FOREVER))
    return np.array([first.get(str(i), FOREVER) for i in leads.texts()])


def _copied(found: Records) -> Records:
    """A number copied from the answer, never null."""
    won = _won_at(found) < FOREVER
    noise = np.random.default_rng(0).random(len(won))
    return found | {"leads": found["leads"] | {"won_flag": 5.0 * won + noise}}


def _backdated(found: Records) -> Records:
    """A text only converted leads have, known from the beginning as far as anybody can see."""
    won = (_won_at(found) < FOREVER).tolist()
    return found | {
        "leads": found["leads"] | {"contract": Coded.of([f"C{i % 3}" if w else None for i, w in enumerate(won)])}
    }


def _filled_after(found: Records) -> Records:
    """A new profile row an hour after each conversion, with one more column."""
    leads, won = found["leads"], _won_at(found)
    plain = leads | {"handover_note": Coded.nulls(len(won))}
    rows = np.flatnonzero(won < FOREVER)
    later = take(leads, rows) | {"handover_note": Coded.of(["yes"] * len(rows))}
    later["valid_from"] = won[rows] + 3600 * MICROS
    return found | {"leads": concat([plain, later])}


def _late_feed(found: Records) -> Records:
    """Fairs: of leads that never convert told at once; of the others' fairs before the conversion a day after it."""
    leads, won = found["leads"], _won_at(found)
    created = np.asarray(leads["created_at"])
    at = created + DAY
    rows = np.flatnonzero(at < won)
    received = np.where(won[rows] < FOREVER, won[rows] + DAY, at[rows] + MICROS)
    fairs: Columns = {name: _empty(column, len(rows)) for name, column in found["events"].items()}
    ids, who = leads["lead_id"], [f"fair{i}" for i in rows.tolist()]
    assert isinstance(ids, Coded)
    fairs |= {"event_id": Coded.of(who), "lead_id": ids.take(rows), "occurred_at": at[rows], "received_at": received,
              "type": Coded.of(["fair"] * len(rows)), "is_bot": np.zeros(len(rows), dtype=bool)}  # fmt: skip
    return found | {"events": concat([found["events"], fairs])}


def _empty(column: Any, n: int) -> Any:
    if isinstance(column, Coded):
        return Coded.nulls(n)
    return np.full(n, np.nan) if column.dtype.kind == "f" else np.full(n, NULL_TIME if column.dtype.kind == "i" else 0)


def _scored(found: Records) -> Records:
    """A comparator that knows the answer: allowed, for it is never a feature."""
    won = _won_at(found) < FOREVER
    return found | {"leads": found["leads"] | {"vendor_score": won + 0.1 * np.random.default_rng(1).random(len(won))}}


EXTRA = {
    "won_flag": ExtraColumn("won_flag", "number", "attribute"),
    "contract": ExtraColumn("contract", "text", "attribute"),
    "handover_note": ExtraColumn("handover_note", "text", "attribute"),
    "vendor_score": ExtraColumn("vendor_score", "number", "comparator"),
}
PLANTED: dict[str, tuple[Callable[[Records], Records], str, str]] = {
    "copied": (_copied, "single_auc", "extra_won_flag"),
    "backdated": (_backdated, "filled_for", "contract"),
    "filled after": (_filled_after, "filled_after", "handover_note"),
    "late feed": (_late_feed, "arrived_after", "fair"),
}


def _written(path: Path, found: Records) -> Path:
    extra = tuple(column for name, column in EXTRA.items() if name in found["leads"])
    texts = {"content.yaml": content_text(), "rules.yaml": rules_text()}
    write_lake(path, DatasetInfo(name="market", buckets=4, extra=extra), found, texts)
    return path


def _scan(path: Path) -> Scan:
    quiet = Request("market", "converted", None, 1, 0, lambda what, total: lambda by: None)
    return scan(prepared(open_dataset(path), Settings(home=path / "home"), quiet))


def _kinds(leaks: tuple[Leak, ...]) -> set[tuple[str, str]]:
    return {(leak.kind, leak.name) for leak in leaks}


def test_a_clean_market_has_no_leak_and_a_comparator_is_none(clean: Records, tmp_path: Path) -> None:
    found = _scan(_written(tmp_path / "clean", _scored(clean)))
    assert found.leaks == ()
    assert found.looked_at["features"] > 100
    assert found.looked_at["shuffled"] > 100
    assert 0 < found.open.sum() < len(found.open)


@pytest.mark.parametrize("case", list(PLANTED))
def test_each_planted_leak_is_found_by_kind_and_name(clean: Records, tmp_path: Path, case: str) -> None:
    plant, kind, name = PLANTED[case]
    found = _scan(_written(tmp_path / "planted", plant(clean)))
    assert (kind, name) in _kinds(found.leaks)
    assert all(name.removeprefix("extra_") in leak.name for leak in found.leaks), "nothing else is accused"


@pytest.fixture(scope="module")
def refused(
    clean: Records, tmp_path_factory: pytest.TempPathFactory, leadlift_at: Any
) -> tuple[int, dict[str, Any], str]:
    found = clean
    for plant in (_copied, _backdated, _late_feed, _scored, _filled_after):
        found = plant(found)
    path = _written(tmp_path_factory.mktemp("leaks") / "market", found)
    code, document, said = leadlift_at()("train", str(path), "--trials", "1", "--promote")
    return code, document, said


def test_promotion_is_refused_naming_each_leak(refused: tuple[int, dict[str, Any], str]) -> None:
    code, found, said = refused
    assert (code, found["promoted"], found["gate"]["open"]) == (3, False, False)
    names = {leak["name"] for leak in found["leaks"]["found"]}
    assert {"extra_won_flag", "contract", "handover_note", "fair"} <= names
    card = (Path(found["bundle"]["path"]) / "card.md").read_text()
    for name in ("extra_won_flag", "contract", "handover_note", "fair"):
        assert any(f"possible leak: {word}{name}" in r for r in found["gate"]["reasons"] for word in ("", "column "))
        assert name in card
        assert name in said


def test_the_comparator_that_knows_the_answer_ranks_first_and_is_no_feature(
    refused: tuple[int, dict[str, Any], str],
) -> None:
    _, found, said = refused
    (vendor,) = found["comparators"]
    assert vendor["name"] == "vendor_score"
    points = found["candidates"][0]["metrics"]
    assert vendor["metrics"]["auc"]["value"] > points["auc"]["value"]
    assert "vendor_score" in said
    assert "comparator vendor_score" in found["differences"]
    assert (
        "extra_vendor_score" not in (Path(found["bundle"]["path"]) / "features.json").read_text().split('"families"')[1]
    )


@pytest.mark.parametrize(("door", "family"), [("cut", "views_28d"), ("leads_at", "self_reported_source")])
def test_a_family_that_sees_the_future_is_named(
    clean: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str, family: str
) -> None:
    quiet = Request("market", "converted", None, 1, 0, lambda what, total: lambda by: None)
    path = _written(tmp_path / "market", clean)
    work = prepared(open_dataset(path), Settings(home=path / "home"), quiet)
    (people,) = open_dataset(path).people()
    feature_set, as_of = work.table.feature_set, people.created_at + 10 * DAY
    assert families_that_see_it(people, as_of, feature_set) == {}
    honest: Any = getattr(features.build, door)
    week = {"cut": lambda e, lead, as_of, *h: honest(e, lead, as_of + 7 * DAY, *h),
            "leads_at": lambda rows, lead, created, as_of, past: honest(rows, lead, created, as_of + 30 * DAY, past)}  # fmt: skip
    monkeypatch.setattr(features.build, door, week[door])
    assert any(family in name for name in families_that_see_it(people, as_of, feature_set))
    named = {leak.name for leak in scan(work).leaks if leak.kind == "future"}
    assert any(family in name for name in named)
