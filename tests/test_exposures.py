"""Who is in an experiment: visitors by their own id, whoever they become, and nobody who has not consented where that counts."""

from __future__ import annotations

import numpy as np
import pytest

from data.dataset import Consenting, Dataset, DatasetInfo, open_dataset
from data.lake import write_lake
from data.records import DAY, NULL_TIME, Coded
from data.settings import SnapshotSettings
from training.assignment import arms_of
from training.experiments import Plan
from training.exposures import Exposed, exposed_in
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
START, NOW = 20_000 * DAY, 20_200 * DAY
WINDOW = (START, START + 30 * DAY)
SEEN = [  # visitor, page, moment
    ("v0", "/", START), ("v1", "/", START), ("v1", "/", START + DAY), ("v2", "/pricing", START), ("v2", "/", START + 1),
    ("v3", "/", START - 1), ("v4", "/", START + 30 * DAY), ("v5", "/", START + 9 * DAY), ("v5", "/pricing", START + 10 * DAY),
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """v0 left a name on the third day, v5 before it came; l5 was won and has not consented to anything."""
    n = len(SEEN)
    created = np.array([START + 2 * DAY, START])
    records = {
        "leads": {
            "lead_id": Coded.of(["l0", "l5"]), "created_at": created, "valid_from": created,
            "source_row": np.array([1, 2]),
        },
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(n)]), "visitor_id": Coded.of([v for v, _, _ in SEEN]),
            "occurred_at": np.array([at for _, _, at in SEEN]), "received_at": np.full(n, NULL_TIME),
            "type": Coded.of(["page_view"] * n), "url": Coded.of([f"https://www.example.com{p}" for _, p, _ in SEEN]),
            "is_bot": np.zeros(n, dtype=bool),
        },
        "links": {
            "visitor_id": Coded.of(["v0", "v5"]), "lead_id": Coded.of(["l0", "l5"]), "known_from": created,
            "kind": Coded.of(["form"] * 2),
        },
        "outcomes": {
            "lead_id": Coded.of(["l5"]), "occurred_at": np.array([START + 12 * DAY]), "kind": Coded.of(["converted"])
        },
    }  # fmt: skip
    path = tmp_path_factory.mktemp("exposures") / "lake"
    write_lake(path, DatasetInfo(name="lake", buckets=3), records, {})
    return open_dataset(path)


def _exposed(dataset: Dataset, target: str, unit: str = "visitor", now: int = NOW) -> Exposed:
    plan = Plan("x", target, "home", "pricing", "type", ("home", "pricing"), unit, *WINDOW, 30, *[0.1] * 5, 1, 1)
    (found,) = exposed_in(dataset, plan, POLICY, now, [WINDOW])
    return found.take(np.argsort(found.at, kind="stable"))


def test_visitors_count_by_their_own_id_whether_or_not_they_left_a_name(dataset: Dataset) -> None:
    found = _exposed(dataset, "lead")
    assert found.at.tolist() == [START, START]  # v2 knew prices, v3 and v4 came at other times, v5 was a lead
    assert sorted(found.arm.tolist()) == sorted(arms_of("x", ["v0", "v1"]).tolist())
    assert sorted(found.label.tolist()) == [0, 1]


def test_a_lead_counts_by_the_visitor_it_came_as_or_by_its_own_id(dataset: Dataset) -> None:
    visitor, lead = _exposed(dataset, "won"), _exposed(dataset, "won", "lead")
    assert (visitor.at.tolist(), visitor.label.tolist()) == ([START + 9 * DAY], [1.0])
    assert visitor.arm.tolist() == arms_of("x", ["v5"]).tolist()
    assert lead.arm.tolist() == arms_of("x", ["l5"]).tolist()


def test_an_answer_that_is_not_final_is_no_answer(dataset: Dataset) -> None:
    assert np.isnan(_exposed(dataset, "won", now=START + 20 * DAY).label).all()


def test_nobody_who_has_not_consented_is_in_it(dataset: Dataset) -> None:
    assert len(_exposed(Consenting(dataset), "won")) == 0
