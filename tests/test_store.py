"""The store: what is told to it is what an import of the same makes, whatever the order, and nothing of it is lost."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import Dataset, DatasetInfo, consenting, open_dataset
from data.errors import InputError, UsageError
from data.importers.tracker_mapping import tracker_mapping
from data.lake import Lake, write_lake
from data.records import DAY, NULL_TIME, Coded, Columns
from data.settings import Settings
from data.store import schema
from data.store.copies import read_folder, write_folder
from data.store.database import connect, url_of
from data.store.store import Store, backup, faults, make
from features.beside import past_at
from serving.champion import champion, scorer_of
from serving.counter import desk_with_store, store_url
from serving.desk import Desk, reply_bytes
from serving.gather import gather
from serving.intake import Intake
from serving.known import of_people
from serving.problem import RequestError
from serving.recall import THREADS, Recall
from serving.reply import time_text
from serving.request import lead_model, parse
from serving.scorer import Scorer, Wants
from tests.calls import drawn_calls, write_calls
from tests.kept_store import kept_calls, kept_text

FULL = Wants(detail=True)
LATE = 1_790_000_000_000_000
patient = partial(Recall, seconds=60.0)  # a busy machine is no slow store


Place = Callable[[str], str]


def files_in(folder: Path) -> Place:
    """Stores in files."""
    return lambda name: url_of(folder / f"{name}.db")


def new_store(place: Place, mapping: Path | None = None, name: str = "store") -> str:
    url = place(name)
    plan = tracker_mapping(mapping, None, mapping.parent) if mapping else None
    make(url, DatasetInfo(name="calls", buckets=4), plan)
    return url


def tell(url: str, calls: list[dict[str, Any]], size: int = 40) -> list[dict[str, Any]]:
    intake = Intake(url, 10_000)
    return [json.loads(intake.events({"batch": calls[i : i + size]}, LATE)) for i in range(0, len(calls), size)]


def reply(desk: Desk, lead_id: str, as_of: int) -> bytes:
    return desk.score({"lead_id": lead_id, "as_of": time_text(as_of)}, FULL, LATE).body


def batch_replies(dataset: Dataset, scorer: Scorer, as_of: int) -> dict[str, bytes]:
    found = {}
    for people in dataset.people():
        known = of_people(people, as_of)
        scores = scorer.score(known, FULL)
        found |= {str(i): reply_bytes(scores, row) for row, i in enumerate(known.lead_ids)}
    return found


@pytest.fixture
def scorer(market: Any) -> Scorer:
    return scorer_of(market.bundle)


# -- told over HTTP, or imported -------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(4))
def test_calls_told_in_any_order_score_as_the_same_calls_imported(
    seed: int, track: Callable[..., Any], tmp_path: Path, scorer: Scorer
) -> None:
    calls = drawn_calls(seed)
    file, mapping = write_calls(tmp_path, calls)
    imported = Lake(track("segment", [file], mapping).path)
    url = new_store(files_in(tmp_path), mapping)
    random.Random(seed).shuffle(calls)
    tell(url, calls)
    desk = Desk(scorer, recall=patient(url))
    assert imported.info.latest_arrival is not None
    for as_of in (imported.info.latest_arrival + 1, imported.info.latest_arrival - 30 * DAY):
        expected = batch_replies(imported, scorer, as_of)
        assert len(expected) >= 6
        assert {i: reply(desk, i, as_of) for i in expected} == expected
        assert batch_replies(Store(url), scorer, as_of) == expected


def test_the_order_and_the_size_of_batches_make_no_difference(tmp_path: Path) -> None:
    calls = drawn_calls(9)
    mapping = write_calls(tmp_path, calls)[1]
    digests = []
    for turn, size in enumerate((1000, 7, 1)):
        url = new_store(files_in(tmp_path), mapping, f"s{turn}")
        random.Random(turn).shuffle(calls)
        tell(url, calls, size)
        digests.append(Store(url).info.digest)
    assert len(set(digests)) == 1


def test_a_batch_told_again_changes_nothing(tmp_path: Path, place: Place) -> None:
    calls = drawn_calls(5)
    mapping = write_calls(tmp_path, calls)[1]
    url = new_store(place, mapping)
    (first,) = tell(url, calls, 1000)
    before = Store(url).info.digest
    (again,) = tell(url, calls, 1000)
    assert first["accepted"] + first["duplicate"] + first["rejected"] == len(calls)
    assert (again["accepted"], again["duplicate"]) == (0, first["accepted"] + first["duplicate"])
    assert Store(url).info.digest == before


def test_every_row_is_accounted_for_and_rejects_name_index_and_reason(place: Place) -> None:
    good = {"messageId": "a", "type": "page", "anonymousId": "v", "timestamp": "2026-03-02T10:00:00Z"}
    rows = [good, good, {**good, "messageId": None}, {**good, "timestamp": "soon"}, 7, {**good, "anonymousId": None}]
    done = json.loads(Intake(new_store(place), 100).events({"batch": rows}, LATE))
    assert done == {
        "read": 6, "accepted": 1, "duplicate": 1, "rejected": 4, "passed_over": 0, "rejects": [
            {"index": 2, "reason": "missing_value", "field": "event_id"},
            {"index": 3, "reason": "bad_time", "field": "occurred_at"},
            {"index": 4, "reason": "malformed_json", "field": None},
            {"index": 5, "reason": "no_person", "field": None},
        ],
    }  # fmt: skip


def test_an_event_counts_in_the_next_call(place: Place, scorer: Scorer) -> None:
    url = new_store(place)
    desk = Desk(scorer, recall=patient(url), intake=Intake(url, 100))
    told = {"type": "identify", "messageId": "i", "userId": "L", "anonymousId": "v", "timestamp": "2026-03-02T10:00:00Z",
            "traits": {"title": "CEO"}}  # fmt: skip
    view = {**told, "messageId": "p", "type": "page", "properties": {"url": "https://www.example.com/pricing"}}

    def quality() -> str:
        return json.loads(desk.score({"lead_id": "L"}, Wants(), LATE).body)["data_quality"]

    assert quality() == "none"
    desk.take_events({"batch": [told]}, Wants(), LATE)
    assert quality() == "profile_only"
    desk.take_events({"batch": [view]}, Wants(), LATE)
    assert quality() == "full"


def test_a_file_put_in_its_place_is_read_and_one_taken_away_is_missed(tmp_path: Path, scorer: Scorer) -> None:
    file, copy = tmp_path / "store.db", tmp_path / "copy.db"
    url = new_store(lambda _: url_of(file))
    desk = Desk(scorer, recall=Recall(url, seconds=30), intake=Intake(url, 100, "calls"))
    told = {"type": "identify", "userId": "L", "timestamp": "2026-03-02T10:00:00Z", "traits": {"title": "CEO"}}

    def qualities() -> set[str]:
        """Each of the threads that read is asked."""
        asked = [desk.score({"lead_id": "L"}, Wants(), LATE) for _ in range(2 * THREADS)]
        return {json.loads(a.body)["data_quality"] + a.headers.get("Leadlift-Warnings", "") for a in asked}

    backup(url, copy)
    desk.take_events({"batch": [{**told, "messageId": "a"}]}, Wants(), LATE)
    assert qualities() == {"profile_only"}
    copy.replace(file)
    assert qualities() == {"nonestore_unavailable"}, "the log is of the other file and would destroy this one"
    with pytest.raises(InputError, match=r"remove store.db-wal and store.db-shm"):
        connect(url)
    for end in ("-wal", "-shm"):
        Path(f"{file}{end}").unlink()
    assert qualities() == {"none"}
    desk.take_events({"batch": [{**told, "messageId": "b"}]}, Wants(), LATE)
    assert qualities() == {"profile_only"}
    file.unlink()
    assert qualities() == {"nonestore_unavailable"}
    make(url, DatasetInfo(name="other"))
    with pytest.raises(RequestError):
        desk.take_events({"batch": [{**told, "messageId": "c"}]}, Wants(), LATE)


def test_a_process_that_comes_and_goes_does_not_take_the_log_from_one_that_has_it_open(tmp_path: Path) -> None:
    """It does where the other one has lost its locks: by closing the file, if only to have looked into it."""
    url = new_store(files_in(tmp_path))
    ask = f"from data.store.database import connect\nwith connect({url!r}) as db: db.rows('SELECT 1 FROM events')"
    with connect(url) as reader:
        assert reader.rows("SELECT count(*) FROM events") == [(0,)]
        tell(url, drawn_calls(1)[:1])
        subprocess.run([sys.executable, "-c", ask], check=True)
        tell(url, drawn_calls(1)[1:])
        with connect(url) as other:
            found = other.rows("SELECT count(*) FROM events")
        assert reader.rows("SELECT count(*) FROM events") == found > [(1,)]


# -- a folder in a store ---------------------------------------------------------------------------------------------
@pytest.fixture
def stored_market(market: Any, place: Place) -> str:
    url = place("market")
    make(url, market.dataset.info)
    with connect(url) as db:
        read_folder(db, market.dataset.path)
    return url


def test_a_folder_in_a_store_gives_the_bytes_it_gave(market: Any, stored_market: str) -> None:
    scorer = champion(market.settings, market.name)
    desk = Desk(scorer, recall=patient(stored_market))
    for as_of in (market.as_of, market.as_of - 40 * DAY):
        expected = batch_replies(market.dataset, scorer, as_of)
        assert {i: reply(desk, i, as_of) for i in expected} == expected


def test_a_batch_gives_what_single_requests_give(market: Any, stored_market: str, scorer: Scorer) -> None:
    desk, as_of = Desk(scorer, recall=patient(stored_market)), time_text(market.as_of)
    leads = [{"lead_id": f"lead-{i:04d}", "as_of": as_of} for i in (5, 7, 5, 11)] + [{"title": "CEO", "as_of": as_of}]
    results = json.loads(desk.score_batch({"leads": leads}, FULL, LATE).body)["results"]
    single = [json.loads(desk.score(lead, FULL, LATE).body) for lead in leads]
    assert [r["reply"] for r in results] == single


def test_a_store_written_to_a_folder_has_the_same_people(market: Any, stored_market: str, tmp_path: Path) -> None:
    with connect(stored_market) as db:
        write_folder(db, tmp_path / "again")
    again = Lake(tmp_path / "again")
    assert again.info.counts == market.dataset.info.counts
    scorer = scorer_of(market.bundle)
    assert batch_replies(again, scorer, market.as_of) == batch_replies(market.dataset, scorer, market.as_of)


def test_deals_and_the_account_are_those_of_the_folder(market: Any, stored_market: str) -> None:
    (people,) = market.dataset.people()
    known = of_people(people, market.as_of)
    expected = past_at(known.beside, known.everyone, known.as_of)
    documents = [{"lead_id": i, "as_of": time_text(market.as_of)} for i in known.lead_ids]
    asked = gather([parse(d, lead_model(())) for d in documents], (), LATE)
    recalled = patient(stored_market).complete(asked, (), context=True)
    found = past_at(recalled.beside, recalled.everyone, recalled.as_of)
    assert np.nansum(expected.people) > 0
    assert np.nansum(expected.won) > 0
    for name in vars(expected):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def merged_and_consenting(folder: Path) -> Lake:
    """Three leads: one went into another, one took its consent back."""
    t0 = LATE - 50 * DAY
    ids = ["a", "b", "c"]
    events: Columns = {
        "event_id": Coded.of([f"e{i}" for i in range(30)]), "visitor_id": Coded.of([f"v{i % 3}" for i in range(30)]),
        "occurred_at": np.array([t0 + i * DAY for i in range(30)]), "type": Coded.of(["page_view"] * 30),
        "url": Coded.of(["https://www.example.com/pricing"] * 30),
    }  # fmt: skip
    links = [(f"v{i}", lead, t0 + 5 * DAY, "form") for i, lead in enumerate(ids)] + [("a", "b", t0 + 20 * DAY, "merge")]
    leads: Columns = {
        "lead_id": Coded.of(ids),
        "created_at": np.full(3, t0),
        "title": Coded.of(["CEO", "CTO", "Intern"]),
    }
    purposes = [(lead, purpose) for lead in ids for purpose in ("scoring", "tracking")]
    withdrawn = [t0 + 30 * DAY if p == ("c", "scoring") else NULL_TIME for p in purposes]
    consents: Columns = {
        "lead_id": Coded.of([p[0] for p in purposes]), "purpose": Coded.of([p[1] for p in purposes]),
        "given_at": np.full(6, t0), "withdrawn_at": np.array(withdrawn),
    }  # fmt: skip
    names = ("visitor_id", "lead_id", "known_from", "kind")
    table = dict(zip(names, zip(*links, strict=True), strict=True))
    told = {n: np.array(c) if n == "known_from" else Coded.of(c) for n, c in table.items()}
    records = {"events": events, "links": told, "leads": leads, "consents": consents}
    write_lake(folder, DatasetInfo(name="m", buckets=4), records, {})
    return Lake(folder)


@pytest.mark.parametrize("required", [True, False])
def test_merges_and_consents_count_as_in_a_folder(required: bool, tmp_path: Path, place: Place, scorer: Scorer) -> None:
    lake = merged_and_consenting(tmp_path / "lake")
    url = place("m")
    make(url, lake.info)
    with connect(url) as db:
        read_folder(db, lake.path)
    desk = Desk(scorer, recall=patient(url, required))
    for days in (1, 26, 35):
        as_of = LATE - days * DAY
        expected = batch_replies(consenting(lake, required), scorer, as_of)
        assert {i: reply(desk, i, as_of) for i in expected} == expected
    profile = {"lead_id": "c", "title": "CEO", "as_of": time_text(LATE)}
    quality = json.loads(desk.score(profile, FULL, LATE).body)["data_quality"]
    assert quality == ("none" if required else "full")
    without_id = {"title": "CEO", "as_of": time_text(LATE)}
    assert json.loads(desk.score(without_id, FULL, LATE).body)["data_quality"] == "profile_only"


# -- both: the store and the request ---------------------------------------------------------------------------------
def test_what_the_request_brings_wins_column_by_column(market: Any, stored_market: str) -> None:
    recall, extra = patient(stored_market), market.dataset.info.extra
    document = {"lead_id": "lead-0001", "title": "Intern", "as_of": time_text(market.as_of)}
    known = recall.complete(gather([parse(document, lead_model(extra))], extra, LATE), extra, False)
    person = market.dataset.people_of("lead-0001").select("lead-0001")
    for name in ("country", "industry", "employees", "plan wish"):
        told, there = known.leads[name], person.leads[name]
        assert (told.texts() if isinstance(told, Coded) else told.tolist()) == (
            there.texts() if isinstance(there, Coded) else there.tolist()
        )
    title = known.leads["title"]
    assert isinstance(title, Coded)
    assert title.texts() == ["Intern"]


def test_an_event_that_both_tell_counts_once(place: Place, scorer: Scorer) -> None:
    url = new_store(place)
    desk = Desk(scorer, recall=patient(url))
    view = {"messageId": "p", "type": "page", "userId": "L", "timestamp": "2026-03-02T10:00:00Z",
            "properties": {"url": "https://www.example.com/pricing"}}  # fmt: skip
    tell(url, [view])
    event = {"event_id": "p", "type": "page_view", "occurred_at": "2026-03-02T10:00:00Z", "dwell_basis": "none",
             "url": "https://www.example.com/pricing"}  # fmt: skip
    other = {**event, "event_id": "q", "occurred_at": "2026-03-02T10:05:00Z"}
    alone, both, more = (
        desk.score({"lead_id": "L", "events": events, "as_of": "2026-03-05T00:00:00Z"}, FULL, LATE).body
        for events in ([], [event], [event, other])
    )
    assert alone == both
    assert more != alone


def test_a_visitor_of_whom_nothing_else_is_known_counts_for_the_lead_it_is_named_with(
    place: Place, scorer: Scorer
) -> None:
    url = new_store(place)
    desk = Desk(scorer, recall=patient(url))
    view = {"messageId": "p", "type": "page", "anonymousId": "v", "timestamp": "2026-03-02T10:00:00Z"}
    tell(url, [view])

    def quality(**who: str) -> str:
        return json.loads(desk.score(who, Wants(), LATE).body)["data_quality"]

    assert (quality(visitor_id="v"), quality(lead_id="L", visitor_id="v"), quality(lead_id="L")) == (
        "partial", "partial", "none",
    )  # fmt: skip
    tell(
        url,
        [
            {
                "messageId": "i",
                "type": "identify",
                "anonymousId": "v",
                "userId": "M",
                "timestamp": "2026-03-03T10:00:00Z",
            }
        ],
    )
    assert (quality(lead_id="L", visitor_id="v"), quality(lead_id="M")) == ("none", "partial")


# -- outcomes --------------------------------------------------------------------------------------------------------
def test_outcomes_are_labels_once_each(place: Place) -> None:
    url = new_store(place)
    intake = Intake(url, 100)
    won = {"lead_id": "L", "kind": "converted", "occurred_at": "2026-03-02T10:00:00+01:00", "value": 120.5}
    lost = {"lead_id": "M", "kind": "rejected", "occurred_at": "2026-03-02T10:00:00Z", "reason": "no_budget"}
    bad = [{**lost, "reason": "Jane said no"}, {**lost, "kind": "won"}, {**lost, "occurred_at": "2026-03-02T10:00:00"},
           {**won, "value": 1.001}, {**won, "currency": "USD"}, {**won, "note": 1}, {"kind": "lost"}]  # fmt: skip
    done = json.loads(intake.outcomes({"outcomes": [won, lost, won, *bad]}, LATE))
    assert (done["accepted"], done["duplicate"], done["rejected"]) == (2, 1, 7)
    assert [r["reason"] for r in done["rejects"]] == [
        "bad_code", "unknown_value", "time_without_zone", "fraction_of_minor_unit", "other_currency", "unknown_field",
        "no_person",
    ]  # fmt: skip
    rows = Store(url).lake.table("outcomes").to_pylist()
    assert sorted((r["lead_id"], r["kind"], r["value"], r["reason"]) for r in rows) == [
        ("L", "converted", 12_050, None), ("M", "rejected", None, "no_budget"),
    ]  # fmt: skip


def test_nothing_of_a_row_is_repeated(place: Place) -> None:
    secret = "jane.doe@example.com"
    intake = Intake(new_store(place), 100)
    row = {"messageId": [secret], "type": secret, "userId": {secret: 1}, "timestamp": secret, secret: secret}
    said = intake.events({"batch": [row, secret, {"type": "identify", "messageId": "x", "userId": "u", "timestamp":
           "2026-03-02T10:00:00Z", "traits": {"email": "jane.doe"}}]}, LATE)  # fmt: skip
    said += intake.outcomes({"outcomes": [{"lead_id": "x", secret: secret}, {"kind": secret, "lead_id": secret}]}, LATE)
    assert b"jane" not in said
    with pytest.raises(RequestError) as refused:
        intake.events({"batch": [], secret: 1}, LATE)
    assert b"jane" not in refused.value.problem.body()


# -- whatever happens ------------------------------------------------------------------------------------------------
CRASH = """
import os, signal, sys
from data.store import write
from serving.intake import Intake
when, url = sys.argv[1:]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if when == "after":
    Intake.__dict__  # the reply is made after the commit
    import serving.intake
    serving.intake.Tally.body = die
else:
    write._put_calls = die  # events are written by then, nothing is committed
calls = [{"messageId": f"m{i}", "type": "page", "anonymousId": "v", "timestamp": "2026-03-02T10:00:00Z"} for i in range(50)]
calls.append({"messageId": "i", "type": "identify", "userId": "L", "timestamp": "2026-03-02T10:00:00Z"})
Intake(url, 100).events({"batch": calls}, 10**16)
"""


@pytest.mark.parametrize(("when", "kept"), [("before", 0), ("after", 50)])
def test_a_kill_keeps_a_batch_whole_or_not_at_all_and_sending_it_again_completes_it(
    when: str, kept: int, place: Place
) -> None:
    url = new_store(place)
    died = subprocess.run([sys.executable, "-c", CRASH, when, url], check=False)
    assert died.returncode == -9
    with connect(url) as db:
        assert db.rows("SELECT count(*) FROM events") == [(kept,)]
    calls = [
        {"messageId": f"m{i}", "type": "page", "anonymousId": "v", "timestamp": "2026-03-02T10:00:00Z"}
        for i in range(50)
    ]
    (done,) = tell(url, calls, 100)
    assert (done["accepted"], done["duplicate"]) == (50 - kept, kept)
    assert faults(url) == []


def test_a_store_that_does_not_answer_leaves_the_request_and_a_warning(
    tmp_path: Path, scorer: Scorer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = new_store(files_in(tmp_path))
    tell(url, drawn_calls(1))
    with monkeypatch.context() as hanging:
        hanging.setattr(Recall, "_read_slowly", lambda *_: time.sleep(1))
        slow = Desk(scorer, recall=Recall(url, seconds=0.01)).score({"lead_id": "L1", "title": "CEO"}, Wants(), LATE)
    without = Desk(scorer, recall=Recall(url_of(tmp_path / "none.db")))
    gone, _ = (without.score({"lead_id": "L1", "title": "CEO"}, Wants(), LATE) for _ in range(2))
    assert [m.partition(": ")[2].partition(":")[0] for m in caplog.messages] == [
        "TimeoutError after 0.01 s",
        str(tmp_path / "none.db"),
    ], "the cause is in the log, once"
    assert slow.body == gone.body
    assert slow.headers["Leadlift-Warnings"] == "store_unavailable"
    assert json.loads(slow.body)["data_quality"] == "profile_only"


def test_a_store_that_is_locked_refuses_and_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_store(files_in(tmp_path))
    monkeypatch.setattr("data.store.database.connect.__defaults__", (False, 0.05))
    with connect(url) as other, other.writing():
        with pytest.raises(RequestError) as refused:
            tell(url, drawn_calls(1))
        assert refused.value.problem.status == 503
    with connect(url) as db:
        assert db.rows("SELECT count(*) FROM events") == [(0,)]


# -- versions, copies ------------------------------------------------------------------------------------------------
def test_a_store_of_another_version_is_refused_everywhere(tmp_path: Path, place: Place, market: Any) -> None:
    url = new_store(place)
    with connect(url) as db:
        db.run("UPDATE store_schema SET version = 7")
    for act in (lambda: open_dataset(url), lambda: make(url, DatasetInfo(name="m")), lambda: faults(url),
                lambda: backup(url, tmp_path / "copy.db")):  # fmt: skip
        with pytest.raises(InputError, match="expected a store of version 1, got one of version 7"):
            act()
    settings = Settings(home=tmp_path, serving={"store": url})  # type: ignore[arg-type]
    desk = desk_with_store(replace(scorer_of(market.bundle), market="calls"), settings)
    assert (desk.recall, desk.intake) == (None, None)
    assert "store_unavailable" in desk.scorer.warnings


def test_each_version_is_reached_from_the_one_before_with_its_rows(place: Place) -> None:
    """Of one version there is nothing to reach yet: a second one is tested here by itself."""
    for start in range(1, schema.VERSION + 1):
        url = place(f"v{start}")
        with connect(url, create=True) as db:
            assert schema.migrate(db, to=start) == (0, start)
            db.run("INSERT INTO outcomes VALUES ('o', 'L', NULL, 1, 'lost', NULL, NULL)")
            assert schema.migrate(db) == (start, schema.VERSION)
            assert db.rows("SELECT lead_id FROM outcomes") == [("L",)]
            assert schema.missing(db) == []
            assert schema.migrate(db) == (schema.VERSION, schema.VERSION)


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_kept_store_of_each_version_is_upgraded_and_answers_as_one_told_today(
    version: int, tmp_path: Path, scorer: Scorer
) -> None:
    """`python -m tests.kept_store` wrote the samples; a new version adds one and never touches the others."""
    kept = tmp_path / "kept.db"
    with sqlite3.connect(kept) as file:
        file.executescript(kept_text(version))
    file.close()
    make(url_of(kept), DatasetInfo(name="calls"))
    today = new_store(files_in(tmp_path), name="today")
    tell(today, kept_calls())
    assert faults(url_of(kept)) == []
    assert batch_replies(open_dataset(url_of(kept)), scorer, LATE) == batch_replies(open_dataset(today), scorer, LATE)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at " * 50)
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE t (x)")
    other.close()
    for name, said in (("text.db", "expected an SQLite file"), ("other.db", "a database of something else")):
        with pytest.raises(InputError, match=said):
            make(url_of(tmp_path / name), DatasetInfo(name="m"))
    with pytest.raises(InputError, match="expected a store, got no file"):
        open_dataset(url_of(tmp_path / "none.db"))
    (tmp_path / "folder.db").mkdir()
    for place in ("folder.db", "text.db/store.db"):
        with pytest.raises(InputError, match=f"{place}: expected a file that can be opened"):
            make(url_of(tmp_path / place), DatasetInfo(name="m"))
    with pytest.raises(UsageError, match="one of mysql://") as refused:
        open_dataset("mysql://user:secret@host/db")
    assert "secret" not in str(refused.value)


def test_a_broken_file_is_found(tmp_path: Path) -> None:
    url = new_store(files_in(tmp_path))
    tell(url, drawn_calls(2, 2000), 3000)
    assert faults(url) == []
    with connect(url) as db:
        db.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "store.db"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 4096] = b"\xff" * 4096
    file.write_bytes(raw)
    assert faults(url)


def test_a_backup_is_the_store_at_one_moment(tmp_path: Path, place: Place) -> None:
    url = new_store(place)
    tell(url, drawn_calls(3))
    with connect(url) as writing, writing.writing():
        writing.run("DELETE FROM events")
        backup(url, tmp_path / "copy.db")
    assert faults(url_of(tmp_path / "copy.db")) == []
    with connect(url_of(tmp_path / "copy.db")) as copy, connect(url) as db:
        assert copy.rows("SELECT count(*) FROM events") != [(0,)]
        assert db.rows("SELECT count(*) FROM events") == [(0,)]


def test_the_store_of_another_market_is_left_alone(tmp_path: Path, scorer: Scorer) -> None:
    settings = Settings(home=tmp_path)
    make(store_url(settings), DatasetInfo(name="other"))
    desk = desk_with_store(scorer, settings)
    assert desk.intake is None
    with pytest.raises(RequestError) as refused:
        desk.take_events({"batch": []}, Wants(), LATE)
    assert refused.value.problem.status == 503


def test_a_store_answers_without_anything_heavy(stored_market: str, market: Any) -> None:
    program = f"""
import sys
from pathlib import Path
from data.settings import Settings
from serving.champion import load_scorer
from serving.counter import desk_with_store
from serving.scorer import Wants
settings = Settings(home=Path({str(market.settings.home)!r}), serving={{"store": {stored_market!r}}})
desk = desk_with_store(load_scorer(settings, {market.name!r}), settings)
call = {{"type": "identify", "messageId": "i", "userId": "lead-0001", "timestamp": "2026-01-01T00:00:00Z"}}
view = {{**call, "messageId": "p", "type": "page", "anonymousId": "v"}}
desk.take_events({{"batch": [call, view]}}, Wants(), 10**16)
won = {{"lead_id": "lead-0001", "kind": "converted", "occurred_at": "2026-01-01T00:00:00Z"}}
desk.take_outcomes({{"outcomes": [won]}}, Wants(), 10**16)
assert desk.scorer.bundle is not None
assert b'"data_quality":"full"' in desk.score({{"lead_id": "lead-0001"}}, Wants(), 10**16).body
print([n for n in ("pandas", "pyarrow", "lightgbm", "sklearn", "mlflow", "plotly", "scipy") if n in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
