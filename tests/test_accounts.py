"""Accounts: who belongs together, over all buckets of a dataset, in any grouping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.accounts import account_codes
from data.dataset import Dataset, DatasetInfo, People, open_dataset
from data.lake import write_lake
from data.records import DAY, NULL_TIME, Coded, Columns
from data.spans import Spans, merged
from features.beside import Beside, past_at
from features.past import Past

NOW = 1_790_000_000_000_000
N = 60


def _texts(*values: str | None) -> Coded:
    return Coded.of(values)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Twenty accounts of three people, one of them lost and one won; every second person came by a visitor."""
    path = tmp_path_factory.mktemp("accounts") / "dataset"
    ids = [f"p{i}" for i in range(N)]
    created = np.array([NOW - (50 + i % 20) * DAY for i in range(N)])
    leads: Columns = {
        "lead_id": _texts(*ids), "account_id": _texts(*[f"A{i % 20}" if i % 2 else None for i in range(N)]),
        "email_domain": _texts(*[f"firm{i % 20}.example" for i in range(N)]),
        "email_kind": _texts(*["free" if i % 10 == 0 else "business" for i in range(N)]),
        "title": _texts(*[("Head of Sales", "CFO", None)[i % 3] for i in range(N)]),
        "created_at": created, "valid_from": created, "source_row": np.arange(N),
    }  # fmt: skip
    at = np.array([NOW - (i * 7 % 60) * DAY - 5 for i in range(N)])
    events: Columns = {
        "event_id": _texts(*[f"e{i}" for i in range(N)]),
        "visitor_id": _texts(*[f"v{i}" if i % 2 else None for i in range(N)]),
        "lead_id": _texts(*[None if i % 2 else ids[i] for i in range(N)]),
        "occurred_at": at, "received_at": np.full(N, NULL_TIME), "type": _texts(*["page_view"] * N),
    }  # fmt: skip
    links: Columns = {
        "visitor_id": _texts(*[f"v{i}" for i in range(N)]), "lead_id": _texts(*ids), "known_from": created,
        "kind": _texts(*["form"] * N),
    }  # fmt: skip
    outcomes: Columns = {
        "lead_id": _texts(*ids[:40]), "occurred_at": np.full(40, NOW - DAY),
        "kind": _texts(*["converted" if i < 20 else "lost" for i in range(40)]), "value": np.full(40, 1.0),
    }  # fmt: skip
    records = {"leads": leads, "events": events, "links": links, "outcomes": outcomes}
    write_lake(path, DatasetInfo(name="accounts", buckets=8), records, {})
    return open_dataset(path)


def _past(people: People, as_of: int = NOW) -> Past:
    lead = np.arange(len(people), dtype=np.int64)
    return past_at(Beside.of(people), lead, np.full(len(people), as_of))


def _by_lead(parts: list[People]) -> dict[str, bytes]:
    found = {}
    for people in parts:
        past = _past(people)
        for i, lead in enumerate(people.lead_ids):
            found[lead] = b"".join(v[i].tobytes() for v in vars(past).values())
    return found


def test_everybody_else_of_the_account_is_known_whatever_the_bucket(dataset: Dataset) -> None:
    (people,) = dataset.people()
    past = _past(people)
    of = dict(zip(people.lead_ids, range(N), strict=True))
    assert past.people[of["p1"]] == 2  # p21 and p41 share its account
    assert past.people[of["p10"]] == 0  # free mail, and no account of its own
    assert (past.deals[of["p21"]], past.won[of["p1"]]) == (1, 1)
    assert past.departments[of["p1"]] == 1  # Head of Sales of p21; p41 has no title
    assert past.first_contact_days[of["p1"]] == 51
    assert past.active[of["p1"]] == sum(i * 7 % 60 < 28 for i in (21, 41))


def test_any_grouping_gives_the_same_bits(dataset: Dataset) -> None:
    together = _by_lead(list(dataset.people()))
    assert _by_lead(list(dataset.people(max_events=1))) == together
    for lead in ("p1", "p10", "p44"):
        assert _by_lead([dataset.people_of(lead).select(lead)])[lead] == together[lead]


def test_people_who_share_nothing_have_no_accounts(tmp_path: Path) -> None:
    leads: Columns = {"lead_id": _texts("a", "b"), "account_id": _texts("A", "B"), "created_at": np.array([1, 2])}
    write_lake(tmp_path / "d", DatasetInfo(name="d", buckets=2), {"leads": leads}, {})
    (people,) = open_dataset(tmp_path / "d").people()
    assert people.accounts is None
    assert _past(people).people.tolist() == [0.0, 0.0]


def test_an_account_is_the_crm_s_else_the_domain_of_work_mail() -> None:
    columns: Columns = {
        "account_id": _texts("A", None, None, None, None),
        "email_domain": _texts("x.example", "x.example", "X.example ", "x.example", None),
        "email_kind": _texts("business", "business", "role", "free", "business"),
        "lead": np.arange(5),
    }
    own, by_domain, role, free, none = account_codes(columns).tolist()
    assert by_domain == role != own
    assert (free, none) == (-1, -1)


SPANS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 30)), max_size=12)


def _spans(rows: list[tuple[int, int, int]]) -> Spans:
    return Spans(*(np.array([r[k] for r in rows], dtype=np.int64) for k in range(3)))


@given(SPANS, SPANS)
def test_spans_hold_meet_and_merge_as_sets_of_moments(
    a: list[tuple[int, int, int]], b: list[tuple[int, int, int]]
) -> None:
    owner, moment = (x.ravel() for x in np.meshgrid(np.arange(3), np.arange(32), indexing="ij"))

    def slow(rows: list[tuple[int, int, int]]) -> list[int]:
        pairs = zip(owner.tolist(), moment.tolist(), strict=True)
        return [sum(o == w and s < t <= u for o, s, u in rows) for w, t in pairs]

    first, second = _spans(a), _spans(b)
    assert first.at(owner, moment).tolist() == slow(a)
    assert merged(first).at(owner, moment).tolist() == [min(n, 1) for n in slow(a)]
    row, common = first.meet(second)
    assert common.at(owner, moment).tolist() == [n * m for n, m in zip(slow(a), slow(b), strict=True)]
    assert (first.owner[row] == common.owner).all()


def test_selected_people_keep_their_account(dataset: Dataset) -> None:
    (people,) = dataset.people()
    some = people.take(np.array([5, 3]))
    assert some.accounts is people.accounts
    assert replace(some, accounts=None).accounts is None
    together = _by_lead([people])
    assert _by_lead([some]) == {lead: together[lead] for lead in some.lead_ids}
