"""Why a score moved: one cause is the whole of it, the parts add up, and the old state is the one that was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.consent import permission_at
from data.errors import InputError
from data.records import DAY, NULL_TIME
from data.store.moves import PARTS, STEPS, History
from features.build import FeatureSet, build_features
from serving.champion import scorer_of
from serving.changes import Changes, Summary, scorer_before, tell, write_changes
from serving.hybrids import Knowledge, moment_of
from serving.known import Known, of_people
from serving.moves import Moves, State, moves
from serving.published import Published
from serving.rescore import Job, Target, rescore
from serving.scorer import Scorer, Wants
from tests.cases import LEADS, Case, beside, event, event_columns, fitted_feature_set, lead_columns, random_case
from tests.conftest import NOW
from tests.releases import variant, with_texts
from training.bundle import MANIFEST, Bundle, make_bundle
from training.calibration import logit

SEEDS = st.integers(0, 2**32 - 1)


def leaning(bundle: Bundle) -> Bundle:
    """The bundle, with its model leaning on the points: these move the probability too."""
    files = {name: text for name, text in bundle.files.items() if name != MANIFEST}
    about = {name: value for name, value in bundle.manifest.items() if name not in ("format", "files")}
    return make_bundle(files, about | {"model_weight": 0.5})


def dearer(bundle: Bundle) -> Bundle:
    """The same model with other points."""
    text = bundle.files["rules.yaml"].replace("points: 15", "points: 25").replace('"2026-1"', '"2026-2"')
    return with_texts(bundle, {"rules.yaml": text})


@pytest.fixture(scope="module")
def scorer(market: Any) -> Scorer:
    return scorer_of(leaning(market.bundle))


@pytest.fixture(scope="module")
def known(market: Any) -> Known:
    (people,) = market.dataset.people()
    return of_people(people, market.as_of)


def of(known: Known, as_of: int) -> Known:
    return known.take(np.flatnonzero(known.created_at < as_of))


def total(found: Moves) -> np.ndarray[Any, Any]:
    return logit(found.probability) - logit(found.probability_old)


def test_a_thousand_pairs_add_up(known: Known, scorer: Scorer, market: Any) -> None:
    rng = np.random.default_rng(6)
    sides = [scorer, scorer_of(variant(leaning(market.bundle), 0.7)), scorer_of(dearer(leaning(market.bundle)))]
    pairs = 0
    while pairs < 1000:
        first, second = sorted((NOW - rng.integers(0, 75 * DAY, 2)).tolist())
        there = of(known, first)
        old, new = (sides[i] for i in rng.integers(0, len(sides), 2))
        found = moves(there, State(old, Knowledge.of(first)), State(new, Knowledge.of(second)))
        assert np.abs(found.log_odds.sum(axis=1) - total(found)).max() <= 1e-12
        assert (found.points_parts.sum(axis=1) == found.points - found.points_old).all()
        for side, as_of, probability, points in (
            (old, first, found.probability_old, found.points_old), (new, second, found.probability, found.points),
        ):  # fmt: skip
            said = side.score(replace(there, as_of=np.full(len(there), as_of)), Wants("none"))
            assert said.columns["probability"].tobytes() == probability.tobytes()  # type: ignore[union-attr]
            assert said.columns["points"].tolist() == points.tolist()  # type: ignore[union-attr]
        pairs += len(there)


@pytest.mark.parametrize("cause", STEPS)
def test_one_cause_is_the_whole_and_the_others_are_exactly_0(
    cause: str, known: Known, scorer: Scorer, market: Any
) -> None:
    before = {"links": NOW - 80 * DAY - 1, "profile": NOW - 60 * DAY}.get(cause, NOW - 40 * DAY)
    old = State(scorer, Knowledge.of(before))
    if cause == "rules":
        new = State(scorer_of(dearer(leaning(market.bundle))), old.knowledge)
        new = replace(new, scorer=replace(scorer, rules=new.scorer.rules))
    elif cause == "model":
        new = State(scorer_of(variant(leaning(market.bundle), 0.7)), old.knowledge)
    else:
        name = {"time": "clock"}.get(cause, cause)
        new = replace(old, knowledge=replace(old.knowledge, **{name: NOW}))
    found = moves(of(known, before), old, new)
    here = STEPS.index(cause)
    others = [i for i in range(len(STEPS)) if i != here]
    assert not found.log_odds[:, others].any()
    assert not found.points_parts[:, others].any()
    assert found.log_odds[:, here].tobytes() == total(found).tobytes()
    assert np.abs(found.log_odds[:, here]).max() > 1e-3


# -- the states ----------------------------------------------------------------------------------------------------
def known_of(case: Case) -> Known:
    everyone = np.full(LEADS, NULL_TIME)
    return Known(
        [None] * LEADS, [None] * LEADS, everyone, np.array(case.created_at), lead_columns(case.leads),
        event_columns(case.events, case.links), beside=beside(case),
    )  # fmt: skip


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    """All families, those that look at the account included."""
    return fitted_feature_set()


@given(seed=SEEDS)
def test_a_state_of_one_moment_is_what_was_known_at_it(feature_set: FeatureSet, seed: int) -> None:
    case = replace(random_case(seed), require_consent=seed % 3 == 0)
    known, as_of = known_of(case), case.asks[0][1]
    there = replace(known, as_of=np.full(LEADS, as_of)).moment(feature_set)
    made = moment_of(known, Knowledge.of(as_of), feature_set)
    tables = [build_features(m.leads, m.journeys, feature_set).values for m in (there, made)]
    assert tables[0].tobytes() == tables[1].tobytes()


@given(seed=SEEDS)
def test_who_brought_nothing_new_is_moved_by_time_alone(feature_set: FeatureSet, seed: int) -> None:
    """Between two moments at which nothing of its own came, profile, links and events change no bit of any feature."""
    case = replace(random_case(seed), require_consent=seed % 3 == 0)
    first = case.asks[0][1]
    later = first + 9 * DAY
    quiet = replace(
        case,
        events=[e for e in case.events if max(e["occurred_at"], e["received_at"]) < first or e["is_bot"]],
        links=[k for k in case.links if k["known_from"] < first],
        leads=[r for r in case.leads if max(r["created_at"], r["valid_from"]) < first],
        outcomes=[o for o in case.outcomes if o["occurred_at"] < first],
        consents=[c for c in case.consents if max(c["given_at"], c["withdrawn_at"]) < first],
    )
    known = known_of(quiet)
    states = [Knowledge.of(first), Knowledge(later, first, first, first), Knowledge(later, later, first, first),
              Knowledge(later, later, later, first)]  # fmt: skip
    tables = []
    for state in states:
        moment = moment_of(known, state, feature_set)
        tables.append(build_features(moment.leads, moment.journeys, feature_set).values.tobytes())
    assert len(set(tables)) == 1


def test_a_page_that_is_still_open_is_over_with_the_next_event_or_with_time_but_not_with_a_bots(
    feature_set: FeatureSet,
) -> None:
    view = event(10, "/pricing", dwell_seconds=3600.0, dwell_basis="measured", event_id="a")
    first = view["occurred_at"] + DAY // 24 // 60
    for more, seconds in ((event(9, is_bot=True), 0.0), (event(9, direction="outbound"), 0.0), (event(9), 3600.0)):
        case = replace(random_case(0), events=[view, more | {"event_id": "b"}], links=[], consents=[])
        later = moment_of(known_of(case), Knowledge(first, first, first + 2 * DAY, first), feature_set)
        assert np.nan_to_num(later.journeys.seconds_total[0]) == seconds
        over = moment_of(known_of(case), Knowledge.of(first + 2 * DAY), feature_set)
        assert over.journeys.seconds_total[0] == 3600.0


@given(seed=SEEDS)
def test_consents_count_with_the_profile(feature_set: FeatureSet, seed: int) -> None:
    """Who may be looked at is known as of the profile's moment, for profile and events alike."""
    case = replace(random_case(seed), require_consent=True)
    known, first = known_of(case), case.asks[0][1]
    later = first + 9 * DAY
    made = moment_of(known, Knowledge(later, first, first, first), feature_set)
    free = moment_of(known_of(replace(case, require_consent=False)), Knowledge.of(first), feature_set)
    assert known.beside.consents is not None
    allowed = permission_at(known.beside.consents, known.everyone, np.full(LEADS, later))
    assert made.journeys.events.tolist() == np.where(allowed.events, free.journeys.events, 0).tolist()
    assert (made.leads.created_at != NULL_TIME).tolist() == (allowed.profile & (known.created_at != NULL_TIME)).tolist()


@given(seed=SEEDS)
def test_no_age_is_below_0_and_new_events_are_there_before_time_passes(feature_set: FeatureSet, seed: int) -> None:
    case = random_case(seed)
    known, first = known_of(case), case.asks[0][1]
    later = first + 30 * DAY
    made = moment_of(known, Knowledge(later, later, later, first), feature_set).journeys
    after = moment_of(known, Knowledge.of(later), feature_set).journeys
    assert (made.age > 0).all()
    assert (made.as_of == first).all()
    mine = [np.flatnonzero(j.time >= first) for j in (made, after)]
    assert made.time[mine[0]].tolist() == after.time[mine[1]].tolist()


# -- two published sets ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def twice(market: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published, Published, Summary, History]:
    """The market rescored before and after a promotion: the sets, the summary, the history."""
    out, home = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("history")
    old, new = scorer_of(market.bundle), scorer_of(variant(market.bundle, 0.3))
    sets = []
    for scorer, as_of in ((old, NOW - 70 * DAY), (new, NOW)):
        sets.append(Published.at(rescore(Job(market.dataset, scorer, as_of, Wants("none")), Target(out)).path))
        before = sets[0] if len(sets) > 1 else None
        summary = write_changes(Changes(market.dataset, before, sets[-1], old if before else None, scorer))
        tell(sets[-1].folder, as_of, home)
    return out, sets[0], sets[1], summary, History(home)


def _moved(found: Published) -> list[dict[str, Any]]:
    return [r for r in pq.read_table(found.folder / "changes.parquet").to_pylist() if r["as_of_old"] is not None]


def test_every_lead_that_moved_has_a_row_that_adds_up_to_what_was_published(twice: Any) -> None:
    _, old, new, summary, _ = twice
    rows = _moved(new)
    before, now = (
        {r["lead_id"]: r for r in s.columns(["lead_id", "probability", "points", "grade"]).to_pylist()}
        for s in (old, new)
    )
    assert {r["lead_id"] for r in rows} == set(before)  # the model changed, so that everybody moved
    assert (summary.moved, summary.first) == (len(before), len(now) - len(before))
    assert summary.first > 0
    assert sum(summary.leads.values()) == len(rows)
    for row in rows:
        a, b = (logit(np.array(s[row["lead_id"]]["probability"])) for s in (before, now))
        assert sum(row[f"log_odds_{p}"] for p in PARTS) == pytest.approx(b - a, abs=1e-12)
        assert row["log_odds_restated"] == row["points_restated"] == 0
        assert sum(row[f"points_{p}"] for p in PARTS) == row["points"] - row["points_old"]
        assert row["log_odds_model"] == pytest.approx(0.3 * 0.4)
        assert (row["points_old"], row["grade"]) == (before[row["lead_id"]]["points"], now[row["lead_id"]]["grade"])


def test_parts_of_kinds_of_which_nothing_came_are_0(twice: Any, market: Any) -> None:
    _, old, new, _, _ = twice
    (people,) = market.dataset.people()
    since = lambda times: (times >= old.as_of) & (times < new.as_of)  # noqa: E731
    valid = np.where(people.leads["valid_from"] == NULL_TIME, people.leads["created_at"], people.leads["valid_from"])
    events = people.events
    came = np.maximum(events["occurred_at"], events["received_at"])
    fresh = {
        "profile": people.leads["lead"][since(valid)],
        "events": events["lead"][since(came)],
        "links": events["lead"][since(events["known_from"])],
    }
    rows = _moved(new)
    for part, leads in fresh.items():
        touched = {people.lead_ids[i] for i in leads.tolist()}
        for row in rows:
            if row["lead_id"] not in touched:
                assert row[f"log_odds_{part}"] == row[f"points_{part}"] == 0
    moved = {p for p in ("profile", "events", "time") if any(r[f"log_odds_{p}"] for r in rows)}
    assert moved == {"profile", "events", "time"}


def test_what_was_published_and_says_something_else_today_is_told_apart(twice: Any, market: Any) -> None:
    """A profile row that comes late under an early date: the old moment is another one than it was."""
    _, old, new, _, _ = twice
    other = replace(old, about=old.about | {"as_of": old.as_of - 5 * DAY})
    scorer = scorer_of(market.bundle)
    for table in Changes(market.dataset, other, new, scorer, scorer_of(variant(market.bundle, 0.3))).tables():
        for row in table.filter(table.column("as_of_old").is_valid()).to_pylist():
            parts = sum(row[f"log_odds_{p}"] for p in PARTS)
            want = logit(np.array(row["probability"])) - logit(np.array(row["probability_old"]))
            assert parts == pytest.approx(want, abs=1e-12)
    assert table.column("log_odds_restated").to_pylist().count(0.0) < len(table)


def test_the_history_has_the_latest_first_and_is_the_same_when_written_again(twice: Any, market: Any) -> None:
    _, old, new, _, history = twice
    lead = old.columns(["lead_id"]).column(0)[0].as_py()
    rows = history.of(lead)
    assert [r["as_of"] for r in rows] == [new.as_of, old.as_of]
    assert rows[1]["cause"] is rows[1]["log_odds_time"] is rows[1]["as_of_old"] is None
    (row,) = [r for r in _moved(new) if r["lead_id"] == lead]
    assert {**row, "as_of": new.as_of, "as_of_old": old.as_of} == rows[0]
    assert isinstance(rows[0]["sales_ready"], bool)
    tell(new.folder, new.as_of, history._file.parent)
    assert history.of(lead) == rows
    assert history.of("nobody") == []


def test_small_steps_of_the_probability_are_no_moves(twice: Any, market: Any) -> None:
    _, old, new, summary, _ = twice
    new_scorer = scorer_of(variant(market.bundle, 0.3))
    least = Changes(market.dataset, old, new, scorer_of(market.bundle), new_scorer, least=0.05)
    rows = [r for t in least.tables() for r in t.to_pylist() if r["as_of_old"] is not None]
    assert 0 < len(rows) < summary.moved
    for row in rows:
        moved = abs(row["probability"] - row["probability_old"]) > 0.05
        assert moved or row["grade"] != row["grade_old"] or row["sales_ready"] != row["sales_ready_old"]


def test_the_model_of_the_last_set_must_be_among_the_releases(twice: Any, market: Any) -> None:
    _, old, _, _, _ = twice
    new = scorer_of(variant(market.bundle, 0.3))
    assert scorer_before(market.settings.home, old, new).bundle == market.bundle
    gone = replace(old, about=old.about | {"bundle": "0" * 64})
    with pytest.raises(InputError, match="expected the model of the last set, to tell --changes"):
        scorer_before(market.settings.home, gone, new)
