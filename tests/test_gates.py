"""What a form before content costs: who stands where, what is told of it, and what is not. `make bench ONLY=paths` looks
at 40 markets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from data.dataset import Dataset, DatasetInfo, consenting, open_dataset
from data.errors import UsageError
from data.lake import write_lake
from data.packaged import content_text
from data.records import DAY, MICROS, NULL_TIME, Coded, Columns
from data.settings import SnapshotSettings
from tests.planted_gates import GATE, OPEN, GateLot
from tests.planted_paths import market
from training import path_targets
from training.gate_rows import EARNS, LEADS_ON, TURNS_AWAY, UNTOLD, Became, GateRow
from training.gates import NO_GROUP, NO_OPEN, GateReport, content_gates
from training.path_targets import crowds_of
from training.snapshots import policy_of

POLICY = policy_of(SnapshotSettings())
DAY0, HOUR = 20_000 * DAY, 3600 * MICROS
NOW = DAY0 + 100 * DAY
FORM, READS = "/guides/automation", "/product/automation"
Step = tuple[float, str, str]  # days after DAY0, type, path

# how many people, what they do, the day they became leads (None = never), the day they bought
WHO: list[tuple[int, list[Step], float | None, float | None]] = [
    (6, [(0, "page_view", FORM)], None, None),  # left, never seen again
    (
        5,
        [(0, "page_view", FORM), (4, "page_view", "/demo"), (4.01, "form", "/demo")],
        4.01,
        20,
    ),  # left, won all the same
    (7, [(0, "page_view", FORM), (0.01, "form", FORM), (1, "page_view", READS)], 0.01, 12),  # filled in, won
    (8, [(0, "page_view", FORM), (0.01, "download", FORM)], None, None),  # got it without a name
    (9, [(0, "page_view", READS), (1, "page_view", FORM), (1.01, "form", FORM)], 1.01, None),  # read first: a reader
    (5, [(0, "page_view", READS), (3, "form", "/contact")], 3, 60),  # a reader who buys after the horizon
    (4, [(2, "page_view", FORM)], 1, 12),  # was a lead before: not asked about
    (3, [(95, "page_view", FORM)], None, None),  # not final yet
    (2, [(0, "page_view", FORM), (0.01, "form", FORM)], 0.01, 0.011),  # bought in that very visit
]


def made(
    path: Path, content: str | None = None, who: list[tuple[int, list[Step], float | None, float | None]] = WHO
) -> Dataset:
    people = [(f"p{i}-{k}", *rest) for i, (n, *rest) in enumerate(who) for k in range(n)]
    seen = [(name, at, kind, page) for name, steps, *_ in people for at, kind, page in steps]  # type: ignore[misc, attr-defined]
    born = [(name, at) for name, _, at, _ in people if at is not None]
    won = [(name, at) for name, _, _, at in people if at is not None]

    def at(days: list[float]) -> np.ndarray:  # type: ignore[type-arg]
        return DAY0 + np.round(np.array(days) * DAY).astype(np.int64)

    created = at([d for _, d in born])
    records: dict[str, Columns] = {
        "leads": {
            "lead_id": Coded.of([n for n, _ in born]), "created_at": created, "valid_from": created,
            "source_row": np.arange(1, len(born) + 1),
        },
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(len(seen))]), "visitor_id": Coded.of([n for n, *_ in seen]),
            "occurred_at": at([d for _, d, *_ in seen]), "received_at": np.full(len(seen), NULL_TIME),
            "type": Coded.of([t for *_, t, _ in seen]), "url": Coded.of([f"https://www.example.com{u}" for *_, u in seen]),
            "is_bot": np.zeros(len(seen), dtype=np.bool_),
        },
        "links": {
            "visitor_id": Coded.of([n for n, _ in born]), "lead_id": Coded.of([n for n, _ in born]), "known_from": created,
            "kind": Coded.of(["form"] * len(born)),
        },
        "outcomes": {
            "lead_id": Coded.of([n for n, _ in won]), "kind": Coded.of(["converted"] * len(won)),
            "occurred_at": at([d for _, d in won]),
        },
    }  # fmt: skip
    write_lake(path, DatasetInfo(name="gates", buckets=4), records, {"content.yaml": content} if content else {})
    return open_dataset(path)


def counts(group: Became | None) -> tuple[int, int, int] | None:
    return (group.people, group.leads, group.hits) if group else None


def the_gate(report: GateReport) -> GateRow:
    return next(r for r in report.gates if r.gate == GATE)


def test_everybody_stands_in_the_group_of_what_was_met_first_strangers_too(tmp_path: Path) -> None:
    report = content_gates(made(tmp_path / "small"), POLICY, "won", NOW)
    row = the_gate(report)
    assert row.reached == 6 + 5 + 7 + 8 + 9 + 3 + 2
    assert counts(row.met) == (26, 12, 12)
    assert counts(row.left) == (11, 5, 5)
    assert counts(row.filled) == (15, 7, 7)
    assert counts(row.readers) == (14, 14, 0)
    assert (report.censored, report.closed_before, report.strangers) == (3, 2, True)
    assert row.open_contents == ("product:automation",)
    json.dumps(report.document(), allow_nan=False)


def test_where_consent_is_asked_for_strangers_are_not_counted(tmp_path: Path) -> None:
    asked = consenting(made(tmp_path / "small"), True)
    assert not content_gates(asked, POLICY, "won", NOW).strangers


def test_a_page_with_nothing_but_the_form_is_the_form_of_its_content(tmp_path: Path) -> None:
    """Though the content itself, a file, was never seen by a tracker."""
    document = yaml.safe_load(content_text())
    document["content"] = [
        {"match": "^/forms/automation$", "id": "form"},
        {"match": "^/files/guide.pdf$", "id": GATE, "topic": "automation", "stage": "consideration",
         "gated": "https://www.example.com/forms/automation"},
    ]  # fmt: skip
    who = [(6, [(0, "page_view", "/forms/automation"), (0.01, "form", "/forms/automation")], 0.01, 12.0)]
    row = the_gate(content_gates(made(tmp_path / "small", yaml.safe_dump(document), who), POLICY, "won", NOW))  # type: ignore[arg-type]
    assert counts(row.filled) == (6, 6, 6)


def test_groups_below_five_are_not_shown_nor_what_would_tell_them(tmp_path: Path) -> None:
    who = [(4, [(0, "page_view", FORM)], None, None), *WHO[2:3], *WHO[5:6]]
    row = the_gate(content_gates(made(tmp_path / "small", who=who), POLICY, "won", NOW))
    assert counts(row.met) == (11, 7, 7)
    assert (row.left, row.filled) == (None, None)
    assert (row.document()["left"], row.document()["filled"]) == (None, None)


def test_without_open_content_beside_it_a_gate_cannot_be_told_and_says_why(tmp_path: Path) -> None:
    document = yaml.safe_load(content_text())
    for entry in document["content"]:
        if entry["type"] == "webinar":
            del entry["topic"]
    who = [*WHO[2:3], (5, [(0, "page_view", "/webinars/security")], None, None)]
    report = content_gates(
        made(tmp_path / "small", yaml.safe_dump(document), [*who[1:], (6, WHO[2][1][:2], 0.01, 12)]), POLICY, "won", NOW
    )
    assert {r.gate: (r.compared.verdict, r.compared.why) for r in report.gates} == {
        GATE: (UNTOLD, NO_OPEN), "webinar:security": (UNTOLD, NO_GROUP),
    }  # fmt: skip


def test_what_no_form_could_win_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of won, accepted"):
        content_gates(made(tmp_path / "small"), POLICY, "cancelled", NOW)


# -- where we know the truth -------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, int]:
    return market(tmp_path_factory.mktemp("gates") / "market", 14_000, 1)


def drawn(simulated: tuple[Dataset, int], seed: int, planted: bool) -> GateReport:
    return content_gates(GateLot(*simulated, seed, planted), POLICY, "won", simulated[1])


def test_a_form_that_turns_buyers_away_and_an_open_page_that_leads_to_wins_are_named(
    simulated: tuple[Dataset, int],
) -> None:
    found = [drawn(simulated, seed, planted=True) for seed in range(4)]
    page = [next(r.compared.verdict for r in f.opens if r.content == OPEN) for f in found]
    assert page == [LEADS_ON] * 4
    assert [the_gate(f).compared.verdict for f in found].count(TURNS_AWAY) >= 3
    assert all(the_gate(f).compared.verdict != EARNS for f in found)


def test_with_nothing_planted_next_to_nothing_is_told_though_people_differ_in_what_they_see(
    simulated: tuple[Dataset, int],
) -> None:
    found = [drawn(simulated, seed, planted=False) for seed in range(5)]
    assert sum(len(f.claimed) > 0 for f in found) <= 1
    held = [r.compared.low <= 0 <= r.compared.high for f in found for r in (*f.gates, *f.opens)]
    assert np.mean(held) > 0.9


def test_the_groups_in_which_people_are_read_do_not_matter(
    simulated: tuple[Dataset, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, now = simulated
    at_once = content_gates(dataset, POLICY, "won", now)
    monkeypatch.setattr(path_targets, "MAX_EVENTS", 1000)
    assert content_gates(dataset, POLICY, "won", now) == at_once
    assert len(list(crowds_of(dataset, "won", POLICY, now))) > 1
