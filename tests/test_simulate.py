"""The simulated market: what it promises about its records, its hazard and its command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from data import packaged
from data.dataset import DatasetInfo, open_dataset
from data.errors import InputError, UsageError
from data.records import DAY, MICROS, NULL_TIME, RECORDS, Columns
from data.simulate import days, hazard, rows, sessions
from data.simulate.market import START, Market
from data.simulate.run import live
from data.simulate.state import NEVER, OPEN, WON, State, fresh
from data.simulate.touches import TOUCHES
from data.simulate.write import read_market, records, write_market
from features.channels import Touch, channel
from features.content import ContentMap
from serving.commands import simulate

MARKET = Market(leads=400, days=200, seed=3)


@pytest.fixture(scope="module")
def market() -> dict[str, Columns]:
    return records(live(MARKET))


@pytest.fixture(scope="module")
def content() -> ContentMap:
    return ContentMap.of(yaml.safe_load(packaged.content_text()))


def of_type(events: Columns, type_: str) -> np.ndarray:
    return np.array([t == type_ for t in events["type"].texts()])


def of_kind(market: dict[str, Columns], kind: str) -> dict[int, list[int]]:
    """Times of a kind of outcome by lead code."""
    at: dict[int, list[int]] = {}
    kinds = market["outcomes"]["kind"].texts()
    codes, times = market["outcomes"]["lead_id"].codes.tolist(), market["outcomes"]["occurred_at"].tolist()
    for lead, when, what in zip(codes, times, kinds, strict=True):
        if what == kind:
            at.setdefault(lead, []).append(when)
    return at


# -- records ---------------------------------------------------------------------------------------------------
def test_one_seed_gives_one_dataset_and_another_seed_another(tmp_path: Path) -> None:
    info = DatasetInfo(name="m", buckets=4)
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_market(tmp_path / name, Market(60, 90, seed), info)
        digests.append(open_dataset(tmp_path / name).info.digest)
    assert digests[0] == digests[1] != digests[2]


def test_the_written_dataset_opens_with_all_its_leads(tmp_path: Path) -> None:
    counts = write_market(tmp_path / "m", Market(80, 120, 0), DatasetInfo(name="m", buckets=4))
    people = list(open_dataset(tmp_path / "m").people())
    assert sum(map(len, people)) == counts["leads"] == 80
    assert {p.name for p in (tmp_path / "m").iterdir()} >= {"content.yaml", "rules.yaml", "market.json"}


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(InputError):
        write_market(tmp_path, Market(20, 30, 0), DatasetInfo(name="m"))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_all_records_but_labels_have_rows_of_known_columns(market: dict[str, Columns]) -> None:
    assert set(market) == set(RECORDS) - {"labels"}
    for name, columns in market.items():
        assert set(columns) <= {c.name for c in RECORDS[name].columns}
        assert len({len(c) for c in columns.values()}) == 1
        assert len(next(iter(columns.values()))) > 0


def test_nothing_arrives_before_it_happened_or_after_the_market(market: dict[str, Columns]) -> None:
    at, received = market["events"]["occurred_at"], market["events"]["received_at"]
    assert (received >= at).all()
    assert at.min() >= START
    assert received.max() < MARKET.end
    for name, column in (("outcomes", "occurred_at"), ("leads", "valid_from"), ("links", "known_from")):
        assert (market[name][column] < MARKET.end).all()


def test_a_page_with_measured_dwell_arrives_when_it_is_left_and_any_other_at_once(market: dict[str, Columns]) -> None:
    events = market["events"]
    views = of_type(events, "page_view")
    dwell, delay = events["dwell_seconds"][views], (events["received_at"] - events["occurred_at"])[views] / MICROS
    measured = ~np.isnan(dwell)
    assert 0.3 < measured.mean() < 0.7
    assert ((delay[measured] - dwell[measured] > 0.9) & (delay[measured] - dwell[measured] < 2.1)).all()
    assert ((delay[~measured] > 0.9) & (delay[~measured] < 2.1)).all()
    basis = np.array(events["dwell_basis"].texts())[views]
    assert (basis[measured] == "measured").all()
    assert (basis[~measured] == "none").all()


def test_only_videos_arrive_late(market: dict[str, Columns]) -> None:
    events = market["events"]
    late = events["received_at"] - events["occurred_at"] > 12 * 3600 * MICROS
    types = np.array(events["type"].texts())
    assert set(types[late]) <= {"video", "fair"}
    assert "video" in set(types[late])


def test_every_lead_is_born_with_a_form_and_a_link_and_many_were_here_before(market: dict[str, Columns]) -> None:
    events, links, leads = market["events"], market["links"], market["leads"]
    created = dict(zip(leads["lead_id"].codes.tolist(), leads["created_at"].tolist(), strict=True))
    form = of_type(events, "form") & (events["lead_id"].codes >= 0)
    born = set(zip(events["lead_id"].codes[form].tolist(), events["occurred_at"][form].tolist(), strict=True))
    assert set(created.items()) <= born
    by_form = np.array([k == "form" for k in links["kind"].texts()])
    assert {*links["lead_id"].codes[by_form].tolist()} == set(created)
    owner = dict(
        zip((links["visitor_id"].values[c] for c in links["visitor_id"].codes), links["lead_id"].codes, strict=True)
    )
    visitors = events["visitor_id"].texts()
    early = {
        owner[v]
        for v, t in zip(visitors, events["occurred_at"], strict=True)
        if v in owner and t < created[owner[v]] - DAY
    }
    assert 0.3 < len(early) / MARKET.leads < 0.7
    assert len({v for v in visitors if v and v not in owner}) > 20


def test_every_address_of_the_site_is_in_the_content_map(market: dict[str, Columns], content: ContentMap) -> None:
    for address in market["events"]["url"].values:
        found = content.content(address)
        assert found.type != "other", address
        assert found.topic is None or found.topic in sessions.TOPICS
    kinds = {content.content(rows.SITE + "/" if p == "home" else rows._address(rows.url(i, 0 if t else -1, 0))).type
             for i, (p, t) in enumerate(zip(sessions.PAGES, sessions.HAS_TOPIC, strict=True))}  # fmt: skip
    assert kinds == set(sessions.PAGES)


@pytest.mark.parametrize("name", sorted(TOUCHES))
def test_touches_are_of_the_channel_they_are_drawn_for(name: str) -> None:
    for touch in TOUCHES[name]:
        assert channel(Touch(*touch), packaged.source_categories(), ("www.example.com",)) == name


def test_the_market_has_accounts_bots_mails_money_and_consents(market: dict[str, Columns]) -> None:
    events, leads = market["events"], market["leads"]
    people_of = np.bincount(leads["account_id"].codes[: MARKET.leads][leads["account_id"].codes[: MARKET.leads] >= 0])
    assert (people_of >= 3).sum() > 5
    assert 0.01 < events["is_bot"].mean() < 0.15
    assert set(events["direction"].texts()) == {"inbound", "outbound"}
    assert len(events["click_id_kind"].values) >= 2
    won = np.array([k == "converted" for k in market["outcomes"]["kind"].texts()])
    value = market["outcomes"]["value"]
    assert (value[won] > 0).all()
    assert np.isnan(value[~won]).all()
    assert (value[won] == np.round(value[won])).all()
    assert (market["spend"]["amount"] > 0).all()
    assert set(market["consents"]["purpose"].texts()) == {"tracking", "scoring", "contact"}
    assert (market["consents"]["withdrawn_at"] != NULL_TIME).any()
    assert (leads["valid_from"] > leads["created_at"]).sum() > 20


def test_outcomes_follow_each_other_as_they_can(market: dict[str, Columns]) -> None:
    won, lost, cancelled, accepted = (of_kind(market, k) for k in ("converted", "lost", "cancelled", "accepted"))
    assert len(won) > 20
    assert len(lost) > 50
    for lead, times in won.items():
        assert min(accepted[lead]) < min(times)
        assert lead not in lost or max(times) < lost[lead][0]
    for lead, times in cancelled.items():
        assert len(won[lead]) >= len(times)
        assert all(min(won[lead]) < t for t in times)


# -- hazard ----------------------------------------------------------------------------------------------------
def lead_state(n: int = 1, **fields: object) -> State:
    """Open leads on day 20 after birth, last seen today, nothing else known."""
    no = np.zeros(n, dtype=np.bool_)
    s = fresh(np.zeros(n), np.ones(n), no.copy(), no.copy(), no.copy(), np.zeros(n, int), np.zeros(n, int))
    s.status[:] = OPEN
    s.since[:] = 0
    for name, value in fields.items():
        getattr(s, name)[:] = value
    return s


def effect(**fields: object) -> float:
    return float(hazard.log_odds(lead_state(**fields), 20)[0] - hazard.log_odds(lead_state(), 20)[0])


def test_prices_count_double_for_those_who_decide() -> None:
    both = effect(pricing=2.0, senior=True)
    assert both - effect(pricing=2.0) - effect(senior=True) == pytest.approx(2 * hazard.SENIOR)
    assert effect(pricing=9.0) == pytest.approx(effect(pricing=3.0))


def test_three_active_days_of_fourteen_are_a_threshold() -> None:
    assert effect(active=0b11) == 0.0
    assert effect(active=0b10011) == pytest.approx(hazard.BUSY)
    assert effect(active=0b11111) == pytest.approx(hazard.BUSY)
    assert effect(active=0b11 | 1 << 14) == 0.0


def test_security_interests_only_the_regulated() -> None:
    assert effect(topics=[0, 0, 0, 3]) == 0.0
    assert effect(topics=[0, 0, 0, 3], regulated=True) == pytest.approx(hazard.SECURITY)


def visit(pages: list[int]) -> State:
    n = sessions.MAX_PAGES
    page = np.array([pages + [0] * (n - len(pages))], dtype=np.int8)
    off = np.zeros((1, n), dtype=np.bool_)
    seen = sessions.Visits(
        np.array([0]), np.array([len(pages)]), page, np.full((1, n), -1, dtype=np.int8), np.ones((1, n)), off, off,
        np.array([False]),
    )  # fmt: skip
    s = lead_state()
    days._record(s, seen, np.array([-1]))
    return s


def test_prices_after_a_case_study_are_not_prices_before_one() -> None:
    after, before = (
        visit([sessions.CASE, sessions.HOME, sessions.PRICING]),
        visit([sessions.PRICING, sessions.CASE, sessions.HOME]),
    )
    assert after.ordered_since[0] == 0
    assert before.ordered_since[0] == NEVER
    assert hazard.log_odds(after, 20)[0] - hazard.log_odds(before, 20)[0] == pytest.approx(hazard.ORDERED)


def test_a_market_may_have_no_path_effect_and_says_so(tmp_path: Path) -> None:
    assert effect(ordered_since=0, swayed=False) == 0.0
    without = Market(60, 90, 0, path_effect=False)
    write_market(tmp_path / "without", without, DatasetInfo(name="m", buckets=4))
    assert read_market(tmp_path / "without") == (without, live(without).fingerprint)
    assert live(without).people.state().swayed.any() is np.False_
    assert live(MARKET).people.state().swayed.all()


def test_an_odd_number_of_pages_on_the_last_day_counts() -> None:
    odd, even = visit([sessions.HOME]), visit([sessions.HOME, sessions.HOME])
    assert hazard.log_odds(odd, 20)[0] - hazard.log_odds(even, 20)[0] == pytest.approx(2 * hazard.ODD)


def test_the_hazard_has_a_ceiling_and_only_open_leads_convert() -> None:
    s = lead_state(4000, fit=20.0)
    assert (hazard.hazard(s, 20) == hazard.CEILING).all()
    s.status[:2000] = WON
    happened = days.step(s, 20, np.random.default_rng(0))
    assert happened.converted.min() >= 2000
    assert abs(len(happened.converted) / 2000 - hazard.CEILING) < 0.05


def test_a_cancelled_conversion_reopens_its_lead_on_its_day() -> None:
    s = lead_state(cancel_in=2, status=WON)
    rng = np.random.default_rng(0)
    assert not len(days.step(s, 20, rng).reopened)
    happened = days.step(s, 21, rng)
    assert happened.reopened.tolist() == [0]
    assert s.status[0] == OPEN
    assert s.cancelled[0]


def test_a_cancellation_is_clearly_within_the_window_or_clearly_after_it() -> None:
    assert days.SOON[1] + 1 < 14 < days.LATE[0] - 1
    assert days.stays(np.array([0, 12, 16])).tolist() == [True, False, True]


# -- command ---------------------------------------------------------------------------------------------------
def run(*arguments: str) -> object:
    app = typer.Typer()
    simulate.register(app)
    return CliRunner().invoke(app, list(arguments), catch_exceptions=True)


def test_the_command_prints_one_json_object(tmp_path: Path) -> None:
    out = tmp_path / "m"
    result = run(str(out), "--leads", "60", "--days", "90", "--seed", "1", "--truth", "5", "--buckets", "2", "--json")
    document = json.loads(result.stdout)
    assert document["counts"]["leads"] == 60
    assert document["truth"]["sampled"] == 5
    assert open_dataset(out).info.buckets == 2
    assert "Next:" in result.stderr


@pytest.mark.parametrize("option", ["--leads", "--days", "--seed"])
def test_numbers_that_make_no_market_are_a_wrong_option(tmp_path: Path, option: str) -> None:
    result = run(str(tmp_path / "m"), option, "-1")
    assert isinstance(result.exception, UsageError)
    assert option in str(result.exception)
    assert not (tmp_path / "m").exists()


def test_no_matured_snapshot_is_said_so(tmp_path: Path) -> None:
    result = run(str(tmp_path / "m"), "--leads", "20", "--days", "30", "--truth", "5", "--buckets", "2")
    assert isinstance(result.exception, InputError)
    assert "matured" in str(result.exception)
