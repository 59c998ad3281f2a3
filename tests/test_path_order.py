"""Order on the path: a planted one is found, a lot is not, and a look knows nothing of what comes after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from data.dataset import DatasetInfo, open_dataset
from data.errors import InputError
from data.lake import write_lake
from data.records import DAY, MICROS, Coded
from data.settings import SnapshotSettings
from tests.visits import write_visits
from training.path_order import WATCH_DAYS, Looks, OrderReport, in_order, looks_of, path_order
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
DAY0 = 20_000 * DAY
NOW = DAY0 + 120 * DAY
LEADS, EVERY = 1500, 6  # days from visit to visit
URLS = {"case": "/customers", "pricing": "/pricing", "blog": "/blog", "home": "/"}
Visits = list[tuple[int, int, str]]  # lead, number of the visit, type of the page seen
Won = list[tuple[int, int]]  # lead, number of the visit that it converted after


def market(seed: int, in_order: float, otherwise: float = 0.06) -> tuple[Visits, Won]:
    """Six visits of one page drawn by lot, until a lead converts: more or less often once prices came after a case."""
    rng = np.random.default_rng(seed)
    visits: Visits = []
    won: Won = []
    for lead in range(LEADS):
        case = ordered = False
        for k, page in enumerate(rng.choice(list(URLS), 6).tolist()):
            visits.append((lead, k, page))
            ordered |= case and page == "pricing"
            case |= page == "case"
            if rng.random() < (in_order if ordered else otherwise):
                won.append((lead, k))
                break
    return visits, won


def write(path: Path, visits: Visits, won: Won) -> Path:
    """A lake of these visits; the first one makes the lead, and who converts does so a day after the visit."""
    seen = [(i, URLS[page], DAY0 + k * EVERY * DAY + MICROS) for i, k, page in visits]
    return write_visits(path, LEADS, DAY0, seen, [(i, DAY0 + k * EVERY * DAY + DAY) for i, k in won])


def report(path: Path) -> OrderReport:
    return path_order(open_dataset(path), POLICY, "converted", NOW)


def looks(path: Path, now: int = NOW) -> Mapping[str, np.ndarray]:
    """Looks in an order of their own: by lead and days since the first view."""
    _, found = looks_of(open_dataset(path), POLICY, "converted", now)
    assert isinstance(found, Looks)
    return {f.name: getattr(found, f.name) for f in fields(found)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("order") / "planted", *market(0, in_order=0.25))


@pytest.fixture(scope="module")
def found(planted: Path) -> OrderReport:
    return report(planted)


def test_a_planted_order_is_found_with_its_size_and_nothing_else(found: OrderReport) -> None:
    (row,) = found.claimed
    assert row.text == "case > pricing"
    assert row.low < np.log(1 - 0.25) / np.log(1 - 0.06) < row.high


def test_an_order_that_puts_off_is_found_too(tmp_path: Path) -> None:
    claimed = report(write(tmp_path / "d", *market(1, in_order=0.03, otherwise=0.15))).claimed
    assert [(r.text, r.high < 1) for r in claimed] == [("case > pricing", True)]


@pytest.mark.parametrize("seed", range(2, 6))
def test_where_order_is_a_lot_nothing_is_claimed(tmp_path: Path, seed: int) -> None:
    lot = report(write(tmp_path / "d", *market(seed, in_order=0.1, otherwise=0.1)))
    assert len(lot.rows) == len(URLS) * (len(URLS) - 1)
    assert lot.claimed == ()


def test_looks_and_conversions_add_up(planted: Path, found: OrderReport) -> None:
    visits, won = market(0, in_order=0.25)
    assert (found.leads, found.looks, found.conversions) == (LEADS, len(visits), len(won))
    assert looks(planted)["label"].sum() == len(won)
    for row in found.rows:
        assert row.leads <= row.looks <= found.looks
        assert 0 < row.looks_in_order < row.looks
        assert 0 <= row.conversions - row.conversions_in_order <= row.looks - row.looks_in_order
    both = {(r.before, r.after): r.looks for r in found.rows}
    assert all(both[b, a] == n for (a, b), n in both.items())


def test_who_saw_both_in_both_orders_stands_on_both_sides_of_the_two_pairs(tmp_path: Path) -> None:
    """One lead sees prices, a case, prices: its last look is in order for both pairs."""
    path = write(tmp_path / "d", [(0, 0, "pricing"), (0, 1, "case"), (0, 2, "pricing")], [(1, 1)])
    types, all_ = looks_of(open_dataset(path), POLICY, "converted", NOW)
    case, pricing = types.index("case"), types.index("pricing")
    assert in_order(all_, case, pricing)[1:].tolist() == [False, True]
    assert in_order(all_, pricing, case)[1:].tolist() == [True, True]


def test_a_look_watches_until_the_next_visit_or_the_conversion_and_no_longer_than_its_days(planted: Path) -> None:
    found = looks(planted)
    days, won = found["days"], found["label"] == 1
    assert set(np.round(days[~won], 3)) == {round(EVERY - 1 / 48, 3), float(WATCH_DAYS)}
    assert set(np.round(days[won], 3)) == {round(1 - 1 / 48, 3)}


def test_the_order_and_repetition_of_event_rows_do_not_matter(tmp_path: Path, planted: Path) -> None:
    visits, won = market(0, in_order=0.25)
    mixed = [visits[i] for i in np.random.default_rng(0).permutation(len(visits))]
    again = looks(write(tmp_path / "mixed", mixed + visits[:500], won))
    for name, values in looks(planted).items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


def test_what_comes_after_a_look_changes_nothing_in_it_but_how_long_it_watched(tmp_path: Path) -> None:
    visits, won = market(0, in_order=0.1)
    stay = {lead for lead, _ in won}
    visits = [v for v in visits if v[0] not in stay]
    short = looks(write(tmp_path / "short", [v for v in visits if v[1] < 3], [(0, 9)]))
    whole = looks(write(tmp_path / "whole", visits, [(0, 9)]))
    kept = np.flatnonzero(np.tile(np.arange(6) < 3, len(whole["lead"]) // 6))
    for name in ("lead", "first", "last", "views", "since", "held", "label"):
        np.testing.assert_array_equal(whole[name][kept], short[name], err_msg=name)


def test_what_has_not_matured_is_not_looked_at(planted: Path) -> None:
    now = DAY0 + (2 * EVERY + WATCH_DAYS) * DAY + POLICY.cancellation_window + DAY // 2
    visits, _ = market(0, in_order=0.25)
    assert len(looks(planted, now)["lead"]) == sum(k < 3 for _, k, _ in visits)


def test_too_little_history_gives_no_rows(planted: Path) -> None:
    early = path_order(open_dataset(planted), POLICY, "converted", DAY0 + DAY)
    assert (early.rows, early.leads, early.looks, early.conversions) == ((), 0, 0, 0)


def test_a_table_without_times_has_no_order(tmp_path: Path) -> None:
    leads = {"lead_id": Coded.of(["a"]), "source_row": np.array([1])}
    write_lake(tmp_path / "t", DatasetInfo(name="t", buckets=1, has_times=False), {"leads": leads}, {})
    with pytest.raises(InputError, match="events with times"):
        path_order(open_dataset(tmp_path / "t"), POLICY, "converted", NOW)
