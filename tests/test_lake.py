"""The lake: what is written is read, whole or in groups; nothing is half there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from data.dataset import DatasetInfo, ExtraColumn, People, SnapshotSpec, SplitSpec, open_dataset
from data.dataset_file import dump, parse
from data.errors import InputError
from data.lake import Lake, LakeWriter, write_lake
from data.records import DAY, NULL_TIME, Coded, Columns, bucket_of

T0 = 1_700_000_000_000_000
INFO = DatasetInfo(
    "m", buckets=8, extra=(ExtraColumn("plan", "text", "attribute"), ExtraColumn("n", "number", "attribute"))
)


def records(leads: int = 40, events: int = 600, seed: int = 0) -> dict[str, Columns]:
    rng = np.random.default_rng(seed)
    ids = [f"L{i:02d}" for i in range(leads)]
    visitors = [f"v{i % 55}" if i % 5 else None for i in range(events)]
    owners = [ids[i % leads] if i % 5 == 0 or i % 13 == 0 else None for i in range(events)]
    linked = [(f"v{i % 45}", ids[(i * 7) % leads], T0 + i * DAY) for i in range(60)]
    return {
        "leads": {
            "lead_id": Coded.of(ids), "created_at": np.full(leads, T0), "source_row": np.arange(1, leads + 1),
            "plan": Coded.of([None if i % 3 else "pro" for i in range(leads)]),
            "n": np.where(np.arange(leads) % 2, np.nan, 1.5),
        },
        "events": {
            "event_id": Coded.of([f"e{i}" for i in range(events)]), "visitor_id": Coded.of(visitors),
            "lead_id": Coded.of(owners), "occurred_at": T0 + rng.integers(-50, 50, events) * DAY,
            "received_at": np.full(events, NULL_TIME), "type": Coded.of(["page_view"] * events),
            "dwell_seconds": np.where(np.arange(events) % 4 == 0, np.nan, 12.5),
        },
        "links": {
            "visitor_id": Coded.of([v for v, _, _ in linked]), "lead_id": Coded.of([x for _, x, _ in linked]),
            "known_from": np.array([t for _, _, t in linked]), "kind": Coded.of(["form"] * len(linked)),
        },
        "outcomes": {
            "lead_id": Coded.of([ids[3], "nobody"]), "occurred_at": np.array([T0 + DAY, T0]),
            "kind": Coded.of(["converted"] * 2), "value": np.array([1250.0, np.nan]),
        },
    }  # fmt: skip


def events_by_lead(groups: list[People]) -> dict[str, set[tuple[str | None, int]]]:
    found: dict[str, set[tuple[str | None, int]]] = {}
    for people in groups:
        ids, lead, known = people.events["event_id"], people.events["lead"], people.events["known_from"]
        assert isinstance(ids, Coded)
        for event, i, since in zip(ids.texts(), np.asarray(lead).tolist(), np.asarray(known).tolist(), strict=True):
            found.setdefault(people.lead_ids[i], set()).add((event, since))
    return found


def expected_owners(parts: dict[str, Columns]) -> dict[str, set[tuple[str | None, int]]]:
    events, links = parts["events"], parts["links"]
    texts = {
        n: c.texts() for part in (events, links) for n, c in part.items() if isinstance(c, Coded) and part is events
    }
    pairs = sorted(zip(np.asarray(links["known_from"]).tolist(), links["lead_id"].texts(), links["visitor_id"].texts(),
                       strict=True))  # type: ignore[union-attr]  # fmt: skip
    found: dict[str, set[tuple[str | None, int]]] = {}
    rows = zip(texts["event_id"], texts["visitor_id"], texts["lead_id"], np.asarray(events["occurred_at"]), strict=True)
    for event, visitor, lead, at in rows:
        since = NULL_TIME
        if lead is None:
            own = [(t, who) for t, who, v in pairs if v == visitor]
            if not own:
                continue
            since, lead = max((o for o in own if o[0] <= at), default=own[0])
        found.setdefault(lead, set()).add((event, since))
    return found


def test_events_come_back_with_their_lead_in_any_grouping(tmp_path: Path) -> None:
    parts = records()
    write_lake(tmp_path / "d", INFO, parts, {})
    dataset = open_dataset(tmp_path / "d")
    whole, small = list(dataset.people()), list(dataset.people(max_events=80))
    assert (len(whole), len(small)) == (1, 8)
    assert events_by_lead(whole) == events_by_lead(small) == expected_owners(parts)
    assert [i for p in small for i in p.lead_ids] == list(whole[0].lead_ids)


def test_leads_come_in_bucket_order_sorted_by_id(tmp_path: Path) -> None:
    write_lake(tmp_path / "d", INFO, records(), {})
    (people,) = open_dataset(tmp_path / "d").people()
    assert list(people.lead_ids) == sorted(people.lead_ids, key=lambda i: (bucket_of(i, 8), i))
    assert people.source_row.tolist() == [int(i[1:]) + 1 for i in people.lead_ids]
    only = people.select("L03")
    assert np.asarray(only.outcomes["value"]).tolist() == [1250.0]


def test_columns_survive_with_their_nulls(tmp_path: Path) -> None:
    parts = records()
    write_lake(tmp_path / "d", INFO, parts, {})
    (people,) = open_dataset(tmp_path / "d").people()
    leads = people.leads
    assert isinstance(leads["plan"], Coded)
    for i, lead_id in enumerate(people.lead_ids):
        number = int(lead_id[1:])
        assert leads["plan"].texts()[i] == (None if number % 3 else "pro")
        assert np.isnan(np.asarray(leads["n"])[i]) == (number % 2 == 1)
    assert np.asarray(leads["valid_from"]).tolist() == [NULL_TIME] * len(people)
    assert not np.asarray(people.events["is_bot"]).any()
    assert set(people.labels.astype(str)) == {"nan"}


def test_one_lead_is_found_in_its_bucket_with_the_same_events(tmp_path: Path) -> None:
    write_lake(tmp_path / "d", INFO, records(), {})
    dataset = open_dataset(tmp_path / "d")
    whole = events_by_lead(list(dataset.people()))
    one = dataset.people_of("L07")
    assert "L07" in one.lead_ids
    assert events_by_lead([one.select("L07")])["L07"] == whole["L07"]


def test_events_lie_in_the_visitors_bucket_and_others_can_read_the_folder(tmp_path: Path) -> None:
    write_lake(tmp_path / "d", INFO, records(), {})
    table = pyarrow.dataset.dataset(tmp_path / "d" / "events", partitioning="hive").to_table()
    rows = list(zip(*(table.column(c).to_pylist() for c in ("visitor_id", "lead_id", "bucket")), strict=True))
    assert len(rows) == 600
    for visitor, lead, bucket in rows:
        assert int(bucket) == bucket_of(lead if visitor is None else f"v:{visitor}", 8)


def test_the_info_survives_writing_and_reading() -> None:
    info = DatasetInfo(
        "n", 16, "Europe/Berlin", "CHF", False, T0,
        (ExtraColumn("a", "text", "attribute", "", 'say "hi"\\', "ä\n"), ExtraColumn("b", "number", "comparator", "s")),
        SplitSpec("ordered", 3, 0.6, "b"), SnapshotSpec("weekly", 1, DAY, 3, 2 * DAY, None, 5_000_000, ("x", "y")),
        T0 + 1, "abc", {"leads": 3},
    )  # fmt: skip
    assert parse(dump(info)) == info


def test_writing_the_same_again_changes_nothing_and_other_content_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "d"
    assert write_lake(target, INFO, records(), {"rules.yaml": "a"})
    before = (target / "dataset.toml").stat().st_mtime_ns
    assert not write_lake(target, INFO, records(), {"rules.yaml": "a"})
    with pytest.raises(InputError, match="Choose a new folder"):
        write_lake(target, INFO, records(events=601), {"rules.yaml": "a"})
    assert (target / "dataset.toml").stat().st_mtime_ns == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]
    dataset = Lake(target)
    assert (dataset.rules_text(), dataset.content_text(), dataset.info.counts["events"]) == ("a", None, 600)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        write_lake(tmp_path, INFO, records(), {})
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "columns",
    [
        {"lead_id": Coded.of(["a", None])},
        {"lead_id": Coded.of(["a"]), "n": np.array([1.0, 2.0])},
        {"lead_id": Coded.of(["a"]), "nobody_declared_it": np.array([1.0])},
    ],
)
def test_columns_that_do_not_fit_leave_nothing_behind(tmp_path: Path, columns: Columns) -> None:
    with pytest.raises(InputError):
        write_lake(tmp_path / "d", INFO, {"leads": columns}, {})
    assert list(tmp_path.iterdir()) == []


def test_an_event_of_nobody_is_refused(tmp_path: Path) -> None:
    event: Columns = {"event_id": Coded.of(["e"]), "occurred_at": np.array([T0]), "type": Coded.of(["form"])}
    with pytest.raises(InputError, match="visitor_id or a lead_id"):
        write_lake(tmp_path / "d", INFO, {"events": event}, {})


def test_batches_and_one_write_hold_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.lake_write.HELD_ROWS", 15)
    parts = records()
    write_lake(tmp_path / "one", INFO, parts, {}, {"truth": pa.table({"p": [0.1]})})
    with LakeWriter(tmp_path / "many", INFO) as writer:
        for name, columns in parts.items():
            for start in range(0, len(next(iter(columns.values()))), 20):
                rows = np.arange(start, min(start + 20, len(next(iter(columns.values())))))
                writer.add(name, {n: c.take(rows) if isinstance(c, Coded) else c[rows] for n, c in columns.items()})
        writer.commit({})
    one, many = Lake(tmp_path / "one"), Lake(tmp_path / "many")
    assert events_by_lead(list(one.people())) == events_by_lead(list(many.people()))
    assert one.table("truth").to_pydict() == {"p": [0.1]}
    assert one.info.latest_arrival == many.info.latest_arrival
    groups = {n: max(pq.ParquetFile(f).num_row_groups for f in many.path.glob(f"{n}/*/*")) for n in ("events", "leads")}
    assert groups["events"] > 1  # as they came: too many to be written again
    assert groups["leads"] == 1


def test_what_is_no_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dataset\.toml"):
        open_dataset(tmp_path)
    (tmp_path / "dataset.toml").write_text("[dataset]\nnme = 1\n")
    with pytest.raises(InputError, match="Import the data again"):
        open_dataset(tmp_path)
