"""One look per lead after its first event: who is looked at, who is left out and counted, and nothing of the future."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import DatasetInfo, People, SnapshotSpec
from data.errors import SettingsError
from data.lake import write_lake
from data.records import DAY, MICROS, NULL_TIME, Coded, Columns
from data.settings import SnapshotSettings, load_settings
from features.content import ContentMap
from training.assemble import Question, excluded_events
from training.snapshots import CLOSED_BEFORE, NO_EVENT, NOT_YET, SAW_EXCLUDED, Snapshots, policy_of, snapshots_of

MINUTE = 60 * MICROS
T0 = 20_000 * DAY
POLICY = policy_of(SnapshotSettings(policy="after_first_event", first_look_minutes=3, exclude_if_seen=("checkout",)))
CONTENT = ContentMap.of(
    {"content": [{"match": "^/checkout$", "id": "checkout"}, {"match": "^/blog/(.+)$", "id": "blog:\\1"}]}
)
QUESTION = Question("converted", POLICY, T0 + 90 * DAY, "salt", 1000, CONTENT)
# lead, minute, page, minute of arrival (None = at once), direction, bot
Visit = tuple[int, float, str, float | None, str, bool]


def _visit(lead: int, minute: float, page: str = "/blog/x", arrives: float | None = None,
           direction: str = "inbound", bot: bool = False) -> Visit:  # fmt: skip
    return lead, minute, page, arrives, direction, bot


def _at(minute: float | None) -> int:
    return NULL_TIME if minute is None else T0 + round(minute * MINUTE)


def _people(visits: Sequence[Visit], outcomes: Sequence[tuple[int, float, str]] = (), leads: int = 1) -> People:
    return People(
        tuple(f"l{i}" for i in range(leads)), np.full(leads, T0), np.zeros(leads, np.int64), np.full(leads, np.nan), {},
        {
            "lead": np.array([v[0] for v in visits], dtype=np.int64),
            "occurred_at": np.array([_at(v[1]) for v in visits], dtype=np.int64),
            "received_at": np.array([_at(v[3]) for v in visits], dtype=np.int64),
            "known_from": np.full(len(visits), NULL_TIME),
            "direction": Coded.of([v[4] for v in visits]), "is_bot": np.array([v[5] for v in visits], dtype=np.bool_),
            "url": Coded.of(["https://www.example.com" + v[2] for v in visits]),
            "content_id": Coded.nulls(len(visits)),
        },
        {
            "lead": np.array([o[0] for o in outcomes], dtype=np.int64),
            "occurred_at": np.array([_at(o[1]) for o in outcomes], dtype=np.int64),
            "kind": Coded.of([o[2] for o in outcomes]), "value": np.full(len(outcomes), np.nan),
        },
        {},
    )  # fmt: skip


def _looked(people: People, now: int = QUESTION.now) -> Snapshots:
    return snapshots_of(people, POLICY, "converted", now, excluded_events(people.events, QUESTION))


def test_each_lead_is_looked_at_once_three_minutes_after_its_first_event() -> None:
    snaps = _looked(_people([_visit(0, 10), _visit(0, 4), _visit(0, 20_000), _visit(1, 7)], leads=2))
    assert snaps.lead.tolist() == [0, 1]
    assert snaps.as_of.tolist() == [_at(7), _at(10)]


def test_a_conversion_at_the_look_or_after_it_counts_and_one_before_leaves_the_lead_out() -> None:
    visits = [_visit(lead, 0) for lead in range(3)]
    snaps = _looked(_people(visits, [(0, 2.9, "converted"), (1, 3, "converted"), (2, 2.9, "lost")], leads=3))
    assert (snaps.lead.tolist(), snaps.label.tolist()) == ([1], [1.0])
    assert snaps.left_out == {NO_EVENT: 0, NOT_YET: 0, CLOSED_BEFORE: 2, SAW_EXCLUDED: 0}


def test_who_saw_an_excluded_content_before_the_look_is_left_out_and_counted_once() -> None:
    early, late = _visit(0, 1, "/checkout"), _visit(1, 3, "/checkout")
    both = [_visit(2, 0), _visit(2, 1, "/checkout")]
    visits = [_visit(0, 0), early, _visit(1, 0), late, *both]
    snaps = _looked(_people(visits, [(2, 2, "converted")], leads=3))
    assert snaps.lead.tolist() == [1]
    assert snaps.left_out == {NO_EVENT: 0, NOT_YET: 0, CLOSED_BEFORE: 1, SAW_EXCLUDED: 1}


def test_every_lead_is_looked_at_or_counted_with_its_reason() -> None:
    sent = [_visit(1, 0, direction="outbound"), _visit(2, 0, bot=True)]
    snaps = _looked(_people([_visit(0, 0), *sent, _visit(3, 50)], leads=4), now=_at(40))
    assert snaps.lead.tolist() == [0]
    assert snaps.left_out == {NO_EVENT: 2, NOT_YET: 1, CLOSED_BEFORE: 0, SAW_EXCLUDED: 0}


def test_weekly_looks_end_with_the_first_excluded_content_too() -> None:
    weekly = policy_of(SnapshotSettings(exclude_if_seen=("checkout",)))
    people = _people([_visit(0, 0), _visit(0, 20 * 24 * 60, "/checkout")])
    snaps = snapshots_of(people, weekly, "converted", QUESTION.now, excluded_events(people.events, QUESTION))
    assert ((snaps.as_of - T0) // DAY).tolist() == [0, 7, 14]
    assert snaps.left_out == {SAW_EXCLUDED: 1}


def test_an_event_of_another_content_id_is_judged_by_that_and_not_by_its_url() -> None:
    events: Columns = {
        "url": Coded.of(["/checkout", "/checkout", None]), "content_id": Coded.of([None, "blog:x", "checkout"])
    }  # fmt: skip
    found = excluded_events(events, QUESTION)
    assert found is not None
    assert found.tolist() == [True, False, True]


def test_an_id_the_content_map_does_not_make_is_refused_by_name() -> None:
    policy = policy_of(SnapshotSettings(exclude_if_seen=("chekout",)))
    with pytest.raises(SettingsError, match="got chekout"):
        excluded_events({}, Question("converted", policy, T0, "salt", 1000, CONTENT))


visits_ = st.lists(
    st.builds(
        _visit, st.integers(0, 3), st.integers(0, 30), st.sampled_from(["/blog/x", "/checkout"]),
        st.none() | st.integers(0, 60),
    ), max_size=12,
)  # fmt: skip


@given(visits_, visits_, st.integers(0, 2**16))
def test_nothing_that_arrives_at_or_after_a_look_moves_it_or_leaves_it_out(
    visits: list[Visit], others: list[Visit], seed: int
) -> None:
    """Whatever is deleted, changed or added later: a lead's look, once there, is the same look."""
    looks = _looked(_people(visits, leads=4))
    known = dict(zip(looks.lead.tolist(), looks.as_of.tolist(), strict=True))
    seen = lambda v: max(_at(v[1]), _at(v[3])) < known.get(v[0], 0)  # noqa: E731
    shifted = [(v[0], v[1] + 600, *v[2:]) for v in others]
    later = [v for v in visits if not seen(v) and v[0] in known]
    kept = [v for v in visits if v not in later]
    random.Random(seed).shuffle(kept)
    again = _looked(_people(kept + [v for v in shifted if v[0] in known], leads=4))
    found = dict(zip(again.lead.tolist(), again.as_of.tolist(), strict=True))
    assert {lead: found.get(lead) for lead in known} == known


def test_the_dataset_says_the_policy_and_settings_rank_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    toml = {"snapshots": {"policy": "after_first_event", "delay": "3min", "exclude_if_seen": ["checkout"]}}
    assert policy_of(load_settings(dataset_toml=toml).snapshots).after_first_event
    assert load_settings(dataset_toml=toml).snapshots.exclude_if_seen == ("checkout",)
    monkeypatch.setenv("LEADLIFT_SNAPSHOTS__EXCLUDE_IF_SEEN", "cart, checkout")
    monkeypatch.setenv("LEADLIFT_SNAPSHOTS__POLICY", "weekly")
    own = load_settings(dataset_toml=toml).snapshots
    assert (own.policy, own.exclude_if_seen) == ("weekly", ("cart", "checkout"))


def _shop(path: Path, leads: int) -> None:
    """Everybody reads, every third stands at the checkout at once, every fourth of the others buys."""
    minutes = [(i, 0.0, "/blog/x") for i in range(leads)] + [(i, 1.0, "/checkout") for i in range(0, leads, 3)]
    day = {i: _at(0) + i % 40 * DAY // 2 for i in range(leads)}
    buys = [i for i in range(leads) if i % 4 == 1]
    records: dict[str, Columns] = {
        "leads": {"lead_id": Coded.of([f"u{i}" for i in range(leads)]), "created_at": np.array([*day.values()])},
        "events": {
            "event_id": Coded.of([f"{i}{page}" for i, _, page in minutes]),
            "lead_id": Coded.of([f"u{i}" for i, _, _ in minutes]),
            "occurred_at": np.array([day[i] + round(m * MINUTE) for i, m, _ in minutes]),
            "type": Coded.of(["page_view"] * len(minutes)), "url": Coded.of([page for _, _, page in minutes]),
        },
        "outcomes": {
            "lead_id": Coded.of([f"u{i}" for i in buys]), "kind": Coded.of(["converted"] * len(buys)),
            "occurred_at": np.array([day[i] + 10 * MINUTE for i in buys]),
        },
    }  # fmt: skip
    spec = SnapshotSpec("after_first_event", delay=3 * MINUTE, horizon=DAY, reporting_delay=0, cancellation_window=0,
                        exclude_if_seen=("checkout",))  # fmt: skip
    content = "version: '1'\ncontent:\n  - {match: '^/checkout$', id: checkout}\n  - {match: '^/blog/', id: blog}\n"
    write_lake(path, DatasetInfo(name="shop", buckets=4, snapshots=spec), records, {"content.yaml": content})


def test_train_counts_who_was_left_out_in_its_calendar(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    _shop(tmp_path / "shop", 240)
    code, found, said = leadlift_at()("train", str(tmp_path / "shop"), "--trials", "1")
    assert code == 0, said
    assert (found["counts"]["saw_excluded"], found["counts"]["not_yet"]) == (78, 6)
    slices = {s["name"]: s for s in found["split"]["slices"]}
    assert slices["left out: saw excluded content before the look"]["leads"] == 78
    assert sum(s["rows"] for s in slices.values()) == found["counts"]["snapshots"]
    assert "left out: saw excluded content" in said
    assert "60 converted leads are few" in said
