"""The simulated market's truth: exact at a boundary, made of records alone, and borne out by what happens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data import packaged
from data.dataset import DatasetInfo, People, open_dataset
from data.errors import InputError
from data.records import DAY, MICROS, NULL_TIME
from data.settings import SnapshotSettings
from data.simulate import hazard, profiles
from data.simulate.market import FIRST_LOOK, START, Market
from data.simulate.report import auc, expected_auc, gap_in_se, looks, truth_report
from data.simulate.run import live
from data.simulate.sessions import TOPICS
from data.simulate.state import NEVER, OPEN, State
from data.simulate.truth import truth
from data.simulate.write import lead_numbers, write_market
from features.channels import Touch, channel
from training.snapshots import policy_of, snapshots_of

MARKET = Market(leads=1500, days=365, seed=13)
LEVELS = {title: level for level, titles in profiles._TITLES.items() for title in titles}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("truth") / "market"
    write_market(out, MARKET, DatasetInfo(name="market", buckets=4))
    return out


@pytest.fixture(scope="module")
def everybody(path: Path) -> People:
    (people,) = open_dataset(path).people()
    return people


@pytest.fixture(scope="module")
def report(path: Path) -> dict[str, object]:
    return truth_report(path, n_snapshots=700, continuations=100, seed=3)


def recorded_state(people: People, lead: int, as_of: int) -> dict[str, object]:
    """The hazard's state of one lead, from nothing but its records before as_of; slowly and plainly."""
    rows = np.flatnonzero(people.events["lead"] == lead)
    text = {n: people.events[n].texts() for n in ("url", "type", "direction", "source", "medium", "campaign")}
    text |= {n: people.events[n].texts() for n in ("referrer_host", "click_id_kind")}
    at, received, known_from = (people.events[n] for n in ("occurred_at", "received_at", "known_from"))
    seen = [
        i for i in rows
        if at[i] < as_of and max(received[i], known_from[i]) < as_of
        and not people.events["is_bot"][i] and text["direction"][i] == "inbound"
    ]  # fmt: skip
    seen.sort(key=lambda i: at[i])
    views = [i for i in seen if text["type"][i] == "page_view"]
    age = {i: (as_of - int(at[i])) // DAY for i in seen}
    kind = {i: (text["url"][i] or "").removeprefix("https://www.example.com").split("/")[1] for i in views}
    about = {i: next((t for t in TOPICS if t in (text["url"][i] or "")), None) for i in views}
    state: dict[str, object] = dict.fromkeys(("ordered_since", "demo_since"), NEVER)
    case = priced = False
    for i in views:
        case |= kind[i] == "customers"
        priced |= kind[i] == "pricing"
        if kind[i] == "pricing" and case:
            state["ordered_since"] = min(age[i], NEVER)
    forms = [i for i in seen if text["type"][i] == "form" and (text["url"][i] or "").endswith("/demo")]
    state["demo_since"] = min((age[i] for i in forms), default=NEVER)
    state["since"] = age[views[-1]]
    state["active"] = sum(1 << d for d in {age[i] for i in views} if d < 32)
    state["pricing"] = sum(np.exp(-age[i] / 10) for i in views if kind[i] == "pricing")
    dwell = {i: people.events["dwell_seconds"][i] for i in views}
    state["dwell"] = sum(d * np.exp(-age[i] / 20) for i, d in dwell.items() if not np.isnan(d))
    state["odd"] = sum(age[i] == age[views[-1]] for i in views) % 2 == 1
    state["downloads"] = sum(text["type"][i] == "download" for i in seen)
    state |= {"case": case, "priced": priced, "careers": "careers" in kind.values()}
    state["warm"] = bool({"product", "customers", "guides", "docs"} & set(kind.values()))
    state["topics"] = [sum(a == t for a in about.values()) for t in TOPICS]
    first = {n: text[n][views[0]] for n in ("source", "medium", "campaign", "referrer_host", "click_id_kind")}
    return state | _recorded_profile(people, lead, as_of, Touch(**first))


def _recorded_profile(people: People, lead: int, as_of: int, first: Touch) -> dict[str, object]:
    row = max(
        np.flatnonzero((people.leads["lead"] == lead) & (people.leads["valid_from"] < as_of)),
        key=lambda i: people.leads["valid_from"][i],
    )
    value = {n: people.leads[n].texts()[row] for n in ("industry", "country", "email_kind", "lead_source", "title")}
    value["channel"] = channel(first, packaged.source_categories(), ("www.example.com",))
    value["level"] = LEVELS.get(value["title"] or "")
    mine = people.outcomes["lead"] == lead
    before = mine & (people.outcomes["occurred_at"] < as_of)
    kinds = [k for k, b in zip(people.outcomes["kind"].texts(), before, strict=True) if b]
    return {
        "fit": hazard.fit({n: [v] for n, v in value.items()}, people.leads["employees"][[row]])[0],
        "senior": value["level"] in hazard.SENIOR_LEVELS,
        "regulated": value["industry"] in hazard.REGULATED,
        "free": value["email_kind"] == "free",
        "cancelled": "cancelled" in kinds,
        "status": OPEN if "lost" not in kinds and kinds.count("converted") == kinds.count("cancelled") else None,
        "birth": (int(people.created_at[lead]) + FIRST_LOOK - START) // DAY,
    }


def asked(people: People, path: Path, count: int) -> tuple[list[str], np.ndarray]:
    """Some snapshots: random ones, and all of leads that came back after a cancellation."""
    all_ = looks(path)
    kind = people.outcomes["kind"].texts()
    back = {int(x) for x, k in zip(people.outcomes["lead"], kind, strict=True) if k == "cancelled"}
    rows = list(np.random.default_rng(1).choice(len(all_.label), count, replace=False))
    rows += [i for i, lead in enumerate(all_.lead_ids) if people.lead_ids.index(lead) in back][-15:]
    return [all_.lead_ids[i] for i in rows], all_.as_of[rows]


def states(ids: list[str], as_of: np.ndarray) -> tuple[State, np.ndarray]:
    lead = lead_numbers(MARKET, ids)
    day = (as_of - START) // DAY
    return live(MARKET, lead, day).states, day


def test_the_state_that_decides_the_future_is_in_the_records(path: Path, everybody: People) -> None:
    ids, as_of = asked(everybody, path, 40)
    state, _ = states(ids, as_of)
    for i, (lead_id, moment) in enumerate(zip(ids, as_of.tolist(), strict=True)):
        recorded = recorded_state(everybody, everybody.lead_ids.index(lead_id), moment)
        for name, value in recorded.items():
            np.testing.assert_allclose(getattr(state, name)[i], value, rtol=1e-9, atol=1e-9, err_msg=f"{i} {name}")


def test_nothing_but_the_state_decides(path: Path, everybody: People) -> None:
    """What the state does not show is the same for all open leads: fields that no record holds are constants."""
    ids, as_of = asked(everybody, path, 200)
    state, day = states(ids, as_of)
    assert (state.status == OPEN).all()
    assert (state.cancel_in == 0).all()
    assert (state.start < day).all()
    reach = profiles.reach(live(MARKET).people.profiles)[lead_numbers(MARKET, ids)]
    np.testing.assert_array_equal(state.reach, reach)


def test_the_truth_of_a_pair_is_reproducible_and_ignores_the_other_pairs(path: Path, everybody: People) -> None:
    ids, as_of = asked(everybody, path, 12)
    once = truth(path, ids, as_of, continuations=60, seed=5)
    back = truth(path, ids[::-1], as_of[::-1], continuations=60, seed=5)[::-1]
    one = truth(path, ids[3:4], as_of[3:4], continuations=60, seed=5)
    np.testing.assert_array_equal(once, back)
    assert once[3] == one[0]
    assert once.dtype == np.float64
    assert ((once >= 0) & (once <= 1)).all()
    assert (truth(path, ids, as_of, continuations=60, seed=6) != once).any()


def test_what_happens_bears_the_truth_out(report: dict[str, object]) -> None:
    assert abs(report["gap_in_se"]) < 3.5
    low, high = report["deciles"][:5], report["deciles"][9]
    assert np.mean([d["observed"] for d in low]) < 0.03
    assert abs(high["observed"] - high["truth"]) < 0.12


def test_base_rate_and_auc_of_the_truth_are_those_of_a_b2b_market(report: dict[str, object]) -> None:
    assert 0.03 <= report["base_rate"] <= 0.08
    assert 0.76 <= report["auc"] <= 0.90
    assert 0.78 <= report["auc_expected"] <= 0.89


def test_snapshots_of_the_report_are_those_training_makes(path: Path, everybody: People) -> None:
    all_ = looks(path)
    made = snapshots_of(everybody, policy_of(SnapshotSettings()), "converted", MARKET.end)
    final = ~np.isnan(made.label)
    ids = [everybody.lead_ids[i] for i in made.lead[final].tolist()]
    theirs = sorted(zip(ids, made.as_of[final].tolist(), made.label[final].tolist(), strict=True))
    assert sorted(zip(all_.lead_ids, all_.as_of.tolist(), all_.label.tolist(), strict=True)) == theirs


def test_a_lead_that_is_not_open_has_no_truth(path: Path, everybody: People) -> None:
    lost = np.flatnonzero([k == "lost" for k in everybody.outcomes["kind"].texts()])[0]
    lead = int(everybody.outcomes["lead"][lost])
    days = (everybody.outcomes["occurred_at"][lost] - everybody.created_at[lead]) // DAY + 1
    as_of = everybody.created_at[lead] + FIRST_LOOK + days * DAY
    assert np.isnan(truth(path, [everybody.lead_ids[lead]], np.array([as_of]), continuations=2)[0])


@pytest.mark.parametrize("off", [1, -DAY, FIRST_LOOK, 400 * DAY, NULL_TIME // 2])
def test_a_moment_that_is_no_boundary_of_the_lead_is_refused(path: Path, everybody: People, off: int) -> None:
    as_of = np.array([everybody.created_at[0] + FIRST_LOOK + off])
    with pytest.raises(InputError, match="pair 1: expected as_of"):
        truth(path, [everybody.lead_ids[0]], as_of, continuations=2)


def test_unknown_leads_and_other_datasets_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an unknown id"):
        truth(path, ["nobody"], np.array([START]))
    with pytest.raises(InputError, match="simulated market"):
        truth(tmp_path, ["L000001"], np.array([START]))
    text = (path / "market.json").read_text(encoding="utf-8")
    (tmp_path / "market.json").write_text(text.replace('"seed": 13', '"seed": 12'), encoding="utf-8")
    people = live(Market(1500, 365, 12)).people
    with pytest.raises(InputError, match="another one"):
        truth(tmp_path, ["L000001"], people.created_at[:1] + FIRST_LOOK, continuations=2)


def test_auc_is_the_share_of_pairs_in_right_order() -> None:
    rng = np.random.default_rng(0)
    score, label = np.round(rng.random(80), 1), rng.random(80) < 0.3
    yes, no = score[label][:, None], score[~label][None, :]
    assert auc(score, label) == pytest.approx(float(((yes > no) + 0.5 * (yes == no)).mean()))
    assert np.isnan(auc(score, np.zeros(80)))


def test_the_expected_auc_is_the_mean_over_labels_drawn_from_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    p = np.round(rng.beta(0.5, 5, 400), 3)
    drawn = [auc(p, rng.random(400) < p) for _ in range(300)]
    assert expected_auc(p) == pytest.approx(float(np.mean(drawn)), abs=0.01)


def test_the_gap_counts_a_lead_once() -> None:
    p, label = np.full(6, 0.5), np.array([1.0, 1, 1, 0, 0, 0])
    assert gap_in_se(p, label, ["a", "a", "a", "b", "b", "b"]) == 0.0
    assert gap_in_se(p, np.ones(6), list("abcdef")) == pytest.approx(3 / np.sqrt(6 * 0.25))


def test_the_boundary_comes_five_minutes_after_the_form(everybody: People) -> None:
    assert FIRST_LOOK == 5 * 60 * MICROS
    forms = np.array([t == "form" for t in everybody.events["type"].texts()])
    for lead in range(0, 1500, 100):
        at = everybody.events["occurred_at"][forms & (everybody.events["lead"] == lead)]
        assert at.min() == everybody.created_at[lead]
