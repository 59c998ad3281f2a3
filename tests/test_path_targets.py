"""Targets and landmarks: who is asked about, from when, and what counts; and where visitors become leads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from data.dataset import Dataset, DatasetInfo, People, consenting, open_dataset
from data.errors import InputError, UsageError
from data.lake import write_lake
from data.packaged import rules_text
from data.records import DAY, MICROS, NULL_TIME, Coded, Columns
from data.settings import SnapshotSettings
from data.simulate.market import Market
from data.simulate.write import write_market
from data.spans import FOREVER
from features.beside import Beside
from features.build import moment_at
from features.channels import CHANNELS
from training import path_targets
from training.activation import ALL_CHANNELS, ActivationTally, activation_rows, rows_of
from training.content_paths import content_paths, path_report, source_rows
from training.landmarks import Landmark
from training.rules import MQL, Rules, score_points
from training.rules_rows import encoder, standings
from training.snapshots import policy_of
from training.trails import Asked, Trails, trails_of

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
POLICY = policy_of(SnapshotSettings())
DAY0 = 20_000 * DAY
NOW = DAY0 + 200 * DAY
SECOND = MICROS

# Who, when (seconds after DAY0), what, where. a reads a blog and sends a form; b comes back on day 10 and does so on a
# second visit; c is never known; d is known before its first visit.
SEEN = [
    ("a", 0, "page_view", "/blog/automation"), ("a", 60, "form", "/contact"),
    ("a", 3 * 86400, "page_view", "/pricing"),
    ("b", 0, "page_view", "/"), ("b", 30, "page_view", "/pricing"),
    ("b", 10 * 86400, "page_view", "/contact"), ("b", 10 * 86400 + 90, "form", "/contact"),
    ("c", 5, "page_view", "/"), ("c", 9, "page_view", "/contact"), ("c", 2 * 86400, "page_view", "/"),
    ("d", 86400, "page_view", "/pricing"),
]  # fmt: skip
BORN = {"a": 60, "b": 10 * 86400 + 90, "d": 0}
OUTCOMES = [("a", 5, "accepted"), ("a", 12, "converted"), ("a", 15, "cancelled"), ("b", 30, "converted")]  # days


def times(seconds: list[int]) -> I64:
    return DAY0 + np.array(seconds, dtype=np.int64) * SECOND


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("targets") / "small"
    leads, n = list(BORN), len(SEEN)
    records: dict[str, Columns] = {
        "leads": {
            "lead_id": Coded.of(leads), "created_at": times([BORN[i] for i in leads]),
            "valid_from": times([BORN[i] for i in leads]), "source_row": np.arange(1, 4),
        },
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(n)]), "visitor_id": Coded.of([w for w, *_ in SEEN]),
            "occurred_at": times([at for _, at, *_ in SEEN]), "received_at": np.full(n, NULL_TIME),
            "type": Coded.of([t for *_, t, _ in SEEN]), "url": Coded.of([f"https://www.example.com{u}" for *_, u in SEEN]),
            "is_bot": np.zeros(n, dtype=np.bool_),
        },
        "links": {
            "visitor_id": Coded.of(leads), "lead_id": Coded.of(leads), "known_from": times([BORN[i] for i in leads]),
            "kind": Coded.of(["form"] * 3),
        },
        "outcomes": {
            "lead_id": Coded.of([w for w, *_ in OUTCOMES]), "kind": Coded.of([k for *_, k in OUTCOMES]),
            "occurred_at": times([d * 86400 for _, d, _ in OUTCOMES]),
        },
    }  # fmt: skip
    write_lake(path, DatasetInfo(name="small", buckets=2), records, {})
    return open_dataset(path)


def walked(dataset: Dataset, target: str, landmark: str, now: int = NOW, rules: Rules | None = None) -> Trails:
    return trails_of(dataset, Asked(target, POLICY, now, Landmark.parse(landmark), "type", rules))


def paths(trails: Trails) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [()] * len(trails)
    for person, step in zip(trails.person.tolist(), trails.step.tolist(), strict=True):
        found[person] += (trails.names[step],)
    return sorted(found)


# -- landmarks ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("word", ["conversion", "won"])
def test_a_path_cut_at_the_conversion_is_refused_with_the_reason(word: str) -> None:
    with pytest.raises(UsageError, match="drawn by lot, long paths then show lifts below 1"):
        Landmark.parse(word)


@pytest.mark.parametrize("word", ["", "-1", "7.5", "step:0", "step:6", "step:", "days:7", "step"])
def test_what_is_no_landmark_is_an_error_that_says_what_is(word: str) -> None:
    with pytest.raises(UsageError, match="expected visit, a number of days such as 7, or step:1 to step:5"):
        Landmark.parse(word)


def test_the_visit_ends_half_an_hour_after_its_last_event_and_days_count_from_the_lead(small: Dataset) -> None:
    assert paths(walked(small, "won", "visit")) == [(), ("blog",), ("home", "pricing", "contact")]
    assert paths(walked(small, "won", "7")) == [("blog", "pricing"), ("home", "pricing", "contact"), ("pricing",)]


def test_at_a_step_everybody_has_made_exactly_that_many(small: Dataset) -> None:
    """a makes its second step on day 3; b made it before it was a lead and is looked at when it is one; d makes one."""
    trails = walked(small, "won", "step:2")
    assert paths(trails) == [("blog", "pricing"), ("home", "pricing", "contact")]
    assert trails.counts.not_reached == 1


def test_who_has_converted_or_was_not_there_yet_is_counted_apart(small: Dataset) -> None:
    late = walked(small, "won", "30")
    assert (len(late), late.counts.closed_before) == (2, 1)
    soon = walked(small, "won", "7", now=DAY0 + 60 * DAY)
    assert (len(soon), soon.counts.censored) == (2, 1)


# -- targets -----------------------------------------------------------------------------------------------------
def test_won_is_net_of_cancellations_which_are_counted_beside(small: Dataset) -> None:
    report = content_paths(small, POLICY, "converted", NOW, Landmark("day", 7), "type", support=1)
    by_path = {r.path: r for r in report.rows}
    assert (report.target, report.conversions) == ("won", 1)
    back, kept = by_path["blog", "pricing"], by_path["home", "pricing", "contact"]
    assert (back.conversions, back.cancelled, back.cancelled_share) == (0, 1, 1.0)
    assert (kept.conversions, kept.cancelled, kept.cancelled_share) == (1, 0, 0.0)
    assert sum(r.cancelled for r in source_rows(walked(small, "won", "7"), support=1)) == 1
    assert kept.days_to_convert == pytest.approx(20 - (90 + 300) / 86400)


def test_accepted_and_cancelled_are_their_outcomes(small: Dataset) -> None:
    assert walked(small, "accepted", "visit").conversions == 1
    assert walked(small, "accepted", "7").counts.closed_before == 1
    assert walked(small, "cancelled", "7").conversions == 1


def test_for_leads_everybody_who_came_is_in_the_denominator(small: Dataset) -> None:
    """a is a lead by the end of its first visit, b afterwards, c never; d was one before it came."""
    trails = walked(small, "lead", "visit")
    assert paths(trails) == [("home", "contact"), ("home", "pricing")]
    assert trails.conversions == 1
    assert (trails.counts.closed_before, trails.counts.without_visit) == (1, 1)


def test_visitors_are_not_counted_where_consent_is_asked_for(small: Dataset) -> None:
    with pytest.raises(InputError, match="No visitor has consented"):
        walked(consenting(small, True), "lead", "visit")


def test_an_unknown_target_is_an_error_that_names_the_known_ones(small: Dataset) -> None:
    with pytest.raises(UsageError, match="lead, mql, accepted, won, cancelled, got 'sold'"):
        content_paths(small, POLICY, "sold", NOW)


def test_activation_points_are_forms_with_what_their_leads_became(small: Dataset) -> None:
    rows = [r for r in activation_rows(small, POLICY, NOW, least=1) if r.channel == ALL_CHANNELS]
    (row,) = rows
    assert (row.content, row.action) == ("contact", "form")
    assert (row.leads, row.visitors) == (2, 3)
    assert (row.matured, row.won, row.accepted, row.cancelled) == (2, 1, 1, 1)


# -- a whole market ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, int]:
    path, made = tmp_path_factory.mktemp("targets") / "market", Market(600, 150, 2)
    write_market(path, made, DatasetInfo(name="market", buckets=4))
    return open_dataset(path), made.end


def test_the_activation_points_of_all_channels_add_up_to_the_leads(market: tuple[Dataset, int]) -> None:
    rows = activation_rows(market[0], POLICY, market[1], least=1)
    created = sum(int((p.created_at < market[1]).sum()) for p in market[0].people())
    of_all = sum(r.leads for r in rows if r.channel == ALL_CHANNELS)
    assert of_all == sum(r.leads for r in rows if r.channel in CHANNELS) == created
    assert all(r.won + r.cancelled <= r.matured <= r.leads <= r.visitors for r in rows)
    assert {r.action for r in rows} == {"form"}


def test_mql_is_the_first_weekly_look_at_which_the_points_say_so(market: tuple[Dataset, int]) -> None:
    """Against the points of everybody at the looks one by one."""
    dataset, end = market
    rules = Rules.from_yaml(dataset.rules_text() or rules_text())
    trails = walked(dataset, "mql", "7", end, rules)
    reached = 0
    for people in dataset.people():
        encoded = encoder(dataset, False).encode(people.events)
        for i, created in enumerate(people.created_at.tolist()):
            looks = created + POLICY.first_look + np.arange(6) * 7 * DAY
            if looks[1] + POLICY.maturity > end:
                continue
            n = np.full(6, i)
            moment = moment_at(people.leads, encoded, n, people.created_at[n], looks, Beside.of(people).bare())
            said = standings(rules, score_points(rules, moment)) >= MQL
            kind, who, at = (people.outcomes[name] for name in ("kind", "lead", "occurred_at"))
            assert isinstance(kind, Coded)
            lost_at = np.asarray(at)[kind.equals("lost") & (np.asarray(who) == i)].min(initial=FOREVER)
            reached += bool(not said[0] and said[1:].any() and looks[1] <= lost_at)
    assert trails.conversions == reached > 20


def test_what_is_said_of_leads_is_averaged_over_who_is_known(small: Dataset) -> None:
    def said(people: People, lead: I64, as_of: I64) -> tuple[F64, F64]:
        return np.where(lead == 0, np.nan, 0.25), np.full(len(lead), 40.0)

    asked = Asked("won", POLICY, NOW, Landmark("day", 7), "stage", None, path_targets.Said(said))
    report = path_report(trails_of(small, asked), asked, support=1)
    assert {round(r.points) for r in report.rows} == {40}
    assert {r.probability for r in report.rows if r.probability == r.probability} == {0.25}
    assert all(r.document()["probability"] in (None, 0.25) for r in report.rows)


@pytest.mark.parametrize("target", ["won", "lead"])
def test_people_read_in_many_groups_give_what_they_give_at_once(
    market: tuple[Dataset, int], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, end = market
    told: list[ActivationTally] = []

    def found() -> dict[str, object]:
        told.append(ActivationTally(POLICY, end))
        also = [told[-1]] if target == "lead" else []
        asked = Asked(target, POLICY, end, Landmark("visit"), "content")
        return path_report(trails_of(dataset, asked, also), asked, support=5).document()

    at_once = found()
    monkeypatch.setattr(path_targets, "MAX_EVENTS", 5000)
    assert found() == at_once
    if target == "lead":
        assert rows_of(told[0].found()) == rows_of(told[1].found()) != ()
