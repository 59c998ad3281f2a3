"""Numbers both teams share: parts add up, expected customers are told early and held against what came."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.dataset import DatasetInfo, People, open_dataset
from data.lake import write_lake
from data.packaged import rules_text
from data.records import DAY, MICROS, NULL_TIME, Coded
from data.settings import SnapshotSettings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from data.spans import FOREVER
from training.lead_facts import NumbersAsked
from training.number_facts import LeadFacts, Sums
from training.number_figures import COUNTS, LEAST, VISIT_COUNTS, Figures
from training.numbers import FEW, numbers_of
from training.numbers_report import NumbersReport, numbers_report
from training.path_targets import Said
from training.periods import Period
from training.quality_alarm import quality_alarms
from training.rising import rising_rows
from training.rules import Rules
from training.snapshots import policy_of

POLICY, RULES = policy_of(SnapshotSettings()), Rules.from_yaml(rules_text())
DAY0 = 20_000 * DAY
PERIOD = Period(DAY0, DAY0 + 28 * DAY)
NAMES = (
    ("paid_search", "brand"),
    ("paid_search", "(no campaign)"),
    ("email", "nurture"),
    ("(no visit)", "(no campaign)"),
)
ADDED = tuple(f.name for f in dataclasses.fields(Figures) if f.name in COUNTS)


def _facts(source: Any, created: Any, probability: Any, label: Any = None) -> LeadFacts:
    """Leads looked at when they were created, of whom nothing else is known."""
    n, created = len(source), np.asarray(created, dtype=np.int64)
    never, no = np.full(n, FOREVER), np.zeros(n, dtype=np.bool_)
    label = np.full(n, np.nan) if label is None else np.asarray(label, dtype=np.float64)
    return LeadFacts(
        np.asarray(source, dtype=np.int64), created, never, never, np.where(label == 1, created + DAY, FOREVER), never,
        created, ~no, no, ~no, np.asarray(probability, dtype=np.float64), label,
    )  # fmt: skip


def _no_spend() -> tuple[Any, Any, Any]:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)


# -- parts and the whole ---------------------------------------------------------------------------------------------
lead = st.tuples(
    st.integers(0, 3), st.integers(-40, 40), st.sampled_from([np.nan, 0.01, 0.2, 0.9]), st.sampled_from([np.nan, 0, 1])
)


@given(st.lists(lead, max_size=60), st.lists(st.integers(0, 9), min_size=4, max_size=4), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_channels_and_campaigns_add_up_and_no_row_tells_of_fewer_than_five(
    leads: list[tuple[int, int, float, float]], visitors: list[int], spent: int
) -> None:
    source, day, p, label = zip(*leads, strict=True) if leads else ((), (), (), ())
    facts, visits = _facts(source, DAY0 + np.array(day, dtype=np.int64) * DAY, p, label), Sums()
    for name in VISIT_COUNTS:
        visits.add(name, np.repeat(np.arange(4), visitors))
    spend = (np.array([spent]), np.array([DAY0]), np.array([1234.0]))
    found = numbers_of(PERIOD, NAMES, facts, visits, spend, "EUR")
    for rows in (found.channels, found.campaigns):
        for name in ADDED:
            whole = getattr(found.total, name)
            assert sum(getattr(r.figures, name) or 0 for r in rows) == pytest.approx(whole or 0)
        small = [r for r in rows if 0 < r.figures.people < LEAST]
        others = [r for r in rows if r.channel != FEW and r.figures.people]
        assert not small or ([r.channel for r in small] == [FEW] and not others)  # nothing is left to hide it among
    held = [i for i in range(len(day)) if 0 <= day[i] < 28]
    assert found.total.leads == len(held)
    assert found.total.expected is None or found.total.expected == pytest.approx(np.nansum([p[i] for i in held]))
    assert found.total.spend == pytest.approx(12.34)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small market, and ten leads more that never came by a visit."""
    rows: Any = records(live(Market(300, 150, 3)))
    leads = rows["leads"]
    ids = [*leads["lead_id"].texts(), *(f"fair-{i}" for i in range(10))]
    more = {n: Coded(np.append(c.codes, np.full(10, -1, dtype=np.int32)), c.values) if isinstance(c, Coded)
            else np.append(c, c[-10:]) for n, c in leads.items()}  # fmt: skip
    late = np.full(10, leads["created_at"].max() - 5 * DAY)
    times = {n: np.append(leads[n], late) for n in ("created_at", "valid_from")}
    rows = rows | {"leads": more | times | {"lead_id": Coded.of(ids)}}
    path = tmp_path_factory.mktemp("numbers") / "market"
    write_lake(path, DatasetInfo(name="market", buckets=4), rows, {})
    return path, rows


def _said(p: float) -> Said:
    return Said(lambda people, lead, as_of: (np.full(len(lead), p), np.full(len(lead), np.nan)))


def _report(path: Path, period: Period, now: int | None = None, **options: Any) -> NumbersReport:
    dataset = open_dataset(path)
    return numbers_report(
        dataset, NumbersAsked(POLICY, now or (dataset.info.latest_arrival or 0) + 1, period, RULES, **options)
    )


def test_the_sums_are_those_of_the_records(market: tuple[Path, dict[str, Any]]) -> None:
    path, rows = market
    end = ((open_dataset(path).info.latest_arrival or 0) + 1) // DAY * DAY
    period = Period(end - 60 * DAY, end)
    found = _report(path, period, said=_said(0.1))
    for numbers in (found.numbers, found.before):
        inside = numbers.period.holds
        total = numbers.total
        born = dict(zip(rows["leads"]["lead_id"].texts(), rows["leads"]["created_at"].tolist(), strict=True))
        created = np.array(list(born.values()))
        assert total.leads == inside(created).sum() > 50
        assert total.expected == pytest.approx(0.1 * total.leads)
        assert total.spend == pytest.approx(rows["spend"]["amount"][inside(rows["spend"]["date"])].sum() / 100)
        kind, at = np.array(rows["outcomes"]["kind"].texts()), rows["outcomes"]["occurred_at"]
        who = np.array(rows["outcomes"]["lead_id"].texts())
        taken = kind == "accepted"
        first = dict(sorted(zip(who[taken], at[taken], strict=True), key=lambda pair: -pair[1]))
        assert total.accepted == inside(np.array(list(first.values()))).sum()
        gone = set(who[kind == "cancelled"])
        bought = set(who[(kind == "converted") & inside(at)])
        assert len(bought - gone) <= total.won <= len(bought)
    unknown = [r for r in found.numbers.channels if r.channel == "(no visit)"]
    assert sum(r.figures.leads for r in unknown) == 10
    assert {r.campaign for r in found.numbers.campaigns if r.channel == "(no visit)"} == {"(no campaign)"}


# -- one week after the launch, and afterwards -----------------------------------------------------------------------
START, HOUR = DAY0 + 30 * DAY, 3600 * MICROS


def _launched(path: Path) -> Path:
    """A campaign that begins 30 days into the data: 40 leads in its first week, 8 of them won after 10 days."""
    return _campaign(path, [START + i * 4 * HOUR for i in range(40)], 8)


def _campaign(path: Path, begun: list[int], won: int) -> Path:
    """A campaign whose leads came by one visit at these moments; the first ones are won after 10 days. Before it and beside
    it one lead a day comes from nowhere."""
    leads, at = len(begun), [*(DAY0 + i * DAY for i in range(100)), *begun]
    ids, n = [f"l{i}" for i in range(len(at))], len(at)
    created = np.array(at, dtype=np.int64) + HOUR
    events = {
        "event_id": Coded.of([f"e{i}" for i in range(n)]), "lead_id": Coded.of(ids),
        "occurred_at": created - 60 * MICROS, "received_at": np.full(n, NULL_TIME), "type": Coded.of(["page_view"] * n),
        "url": Coded.of(["https://www.example.com/pricing"] * n), "is_bot": np.zeros(n, dtype=bool),
        "source": Coded.of([None] * 100 + ["google"] * leads), "medium": Coded.of([None] * 100 + ["cpc"] * leads),
        "campaign": Coded.of([None] * 100 + ["Spring "] * leads),
    }  # fmt: skip
    rows: Any = {
        "leads": {"lead_id": Coded.of(ids), "created_at": created, "valid_from": created,
                  "source_row": np.arange(1, n + 1)},
        "events": events,
        "outcomes": {"lead_id": Coded.of(ids[100 : 100 + won]), "occurred_at": created[100 : 100 + won] + 10 * DAY,
                     "kind": Coded.of(["converted"] * won)},
        "spend": {"date": START + np.arange(14) * DAY, "channel": Coded.of(["Paid Search"] * 14),
                  "campaign": Coded.of(["spring"] * 14), "amount": np.full(14, 10_000.0)},
    }  # fmt: skip
    write_lake(path, DatasetInfo(name="launch", buckets=2), rows, {})
    return path


def test_a_launch_is_told_after_a_week_and_held_against_the_wins_once_they_are_final(tmp_path: Path) -> None:
    path, period = _launched(tmp_path / "launch"), Period(START, START + 7 * DAY)
    early, late = (_report(path, period, now, said=_said(0.2)) for now in (START + 7 * DAY, START + 60 * DAY))
    (then,), (now,) = early.launches, late.launches
    assert (then.channel, then.campaign, then.launched) == ("paid_search", "spring", period.document()["from"])
    assert (then.leads, then.expected, then.spend) == (40, pytest.approx(8.0), 700.0)
    assert (then.cost_per_lead, then.cost_per_expected) == (17.5, pytest.approx(87.5))
    assert (then.won, then.cost_per_won) == (None, None)
    assert dataclasses.replace(now, won=None, cost_per_won=None) == then
    assert (now.won, now.cost_per_won) == (8, 87.5)
    assert now.low is not None
    assert now.high is not None
    assert now.low < 8 < now.high


def test_campaigns_that_may_be_older_than_the_data_are_no_launches(tmp_path: Path) -> None:
    path = _launched(tmp_path / "launch")
    assert [r.campaign for r in _report(path, Period(DAY0, DAY0 + 60 * DAY), said=_said(0.2)).launches] == ["spring"]


# -- volume up, quality down -----------------------------------------------------------------------------------------
def _two_periods(seed: int, leads: tuple[int, int], mean: tuple[float, float]) -> LeadFacts:
    """Leads of NAMES[0] before and now with these expectations and means of their probabilities; other sources stay."""
    rng = np.random.default_rng(seed)
    parts = []
    for source, sizes, means in ((0, leads, mean), (2, (60, 60), (0.08, 0.08)), (3, (90, 90), (0.05, 0.05))):
        for start, size, m in zip((DAY0 - 28 * DAY, DAY0), sizes, means, strict=True):
            n = rng.poisson(size)
            parts.append((np.full(n, source), start + rng.integers(0, 28 * DAY, n), rng.beta(2, 2 / m - 2, n)))
    return _facts(*(np.concatenate(c) for c in zip(*parts, strict=True)))


@pytest.mark.parametrize(
    ("leads", "mean", "fewest", "most"),
    [
        ((60, 150), (0.10, 0.04), 39, 40),  # planted
        ((60, 60), (0.10, 0.10), 0, 1),  # quiet
        ((60, 150), (0.10, 0.10), 0, 1),  # more, and as good
        ((60, 60), (0.10, 0.04), 0, 2),  # worse, and no more
    ],
)
def test_the_alarm_is_raised_where_volume_rises_and_quality_falls_alone(
    leads: tuple[int, int], mean: tuple[float, float], fewest: int, most: int
) -> None:
    found = [quality_alarms(PERIOD, NAMES, _two_periods(seed, leads, mean)) for seed in range(40)]
    assert fewest <= sum(bool(f) for f in found) <= most
    assert {a.source for f in found for a in f} <= {"paid_search", "paid_search / brand"}
    assert all(len(f) <= 1 for f in found)


def test_the_report_raises_it_for_the_campaign_and_not_where_scores_are_of_one_moment(tmp_path: Path) -> None:
    """20 leads before and 80 now, each a quarter as likely to buy; those from nowhere stay as they are."""
    begun = [START - 10 * DAY + i * 12 * HOUR for i in range(20)] + [START + i * 3 * HOUR for i in range(80)]
    path, period = _campaign(tmp_path / "campaign", begun, 0), Period(START, START + 10 * DAY)

    def said(people: People, lead: Any, as_of: Any) -> tuple[Any, Any]:
        nowhere = people.created_at[lead] % DAY == HOUR
        p = np.where((as_of >= START) & ~nowhere, 0.05, 0.2) * (1 + as_of // HOUR % 5 / 10)
        return p, np.full(len(lead), np.nan)

    (alarm,) = _report(path, period, said=Said(said)).alarms
    assert (alarm.numbers["channel"], alarm.numbers["leads_before"]) == ("paid_search", 20)
    assert "volume up, quality down: paid_search" in alarm.sentence
    assert _report(path, period, said=Said(said), scored_at=START + 10 * DAY).alarms == ()


# -- what rises ------------------------------------------------------------------------------------------------------
def test_a_content_rises_where_it_grows_beyond_the_site() -> None:
    grown = {f"page-{i}": (200, 100) for i in range(20)}  # the whole site doubles
    rows = rising_rows(grown | {"hit": (90, 10), "few": (4, 30)}, 2000, 1000)
    assert [r.content for r in rows if r.verdict == "rising"] == ["hit"]
    assert rows[0].content == "hit"
    assert (rows[0].change, rows[0].beyond) == (pytest.approx(9.0), pytest.approx(4.5))
    assert rows[0].low < 9 < rows[0].high
    assert "few" not in {r.content for r in rows}
