"""What holds for every tracker: order, rates, arrivals, limits, the small mapping, the command."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.bots import is_crawler, too_fast
from data.errors import InputError, MappingError, UsageError
from data.importers.cells import micros
from data.importers.json_lines import objects
from data.importers.tracker_mapping import tracker_mapping

SAMPLES = Path(__file__).parent / "samples"


def calls(path: Path, times: list[float], **more: Any) -> Path:
    at = [f"2026-03-02T10:{int(t) // 60:02d}:{t % 60:06.3f}Z" for t in times]
    rows = [
        {"messageId": f"m{i}", "type": "page", "anonymousId": "v", "timestamp": t, **more} for i, t in enumerate(at)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def test_shuffled_rows_give_the_same_events(track: Callable[..., Any], tmp_path: Path) -> None:
    lines = (SAMPLES / "segment" / "calls.jsonl").read_text().splitlines()
    random.Random(3).shuffle(lines)
    (tmp_path / "shuffled.jsonl").write_text("\n".join(lines) + "\n")
    plain = track("segment", [SAMPLES / "segment" / "calls.jsonl"])
    other = track("segment", [tmp_path / "shuffled.jsonl"], to="shuffled")
    assert other.events == plain.events
    assert other.links == plain.links
    strip = [{k: v for k, v in row.items() if k != "source_row"} for row in other.leads]
    assert strip == [{k: v for k, v in row.items() if k != "source_row"} for row in plain.leads]


def test_more_events_a_minute_than_a_person_makes_are_counted_and_kept(
    track: Callable[..., Any], tmp_path: Path
) -> None:
    file = calls(tmp_path / "calls.jsonl", [*(i * 0.9 for i in range(61)), 70, 80])
    found = track("segment", [file])
    assert not any(e["is_bot"] for e in found.events)
    assert found.report.tracker.document()["bots_by_rate"] == 61
    assert found.report.tracker.document()["events_without_bots"] == 2


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400)), max_size=12), st.integers(1, 40))
def test_a_rate_is_counted_by_person_and_minute(events: list[tuple[int, int]], times: int) -> None:
    person, second = (np.repeat(np.array([e[k] for e in events], dtype=np.int64), times) for k in (0, 1))
    minutes = Counter(zip(person.tolist(), (second // 60).tolist(), strict=True))
    found = too_fast(person, second * 1_000_000).tolist()
    assert found == [minutes[p, s // 60] > 60 for p, s in zip(person.tolist(), second.tolist(), strict=True)]


@pytest.mark.parametrize("text", [
    "2026-03-02 10:00:00.5", "2026-03-02T10:00:00.5Z", "2026-03-02 10:00:00.500000+00:00", "2026-03-02 11:00:00.5+01:00",
    "2026-03-02 10:00:00.500000 UTC",
])  # fmt: skip
def test_one_moment_in_all_spellings(text: str) -> None:
    assert micros(text) == 1_772_445_600_500_000


def test_a_load_time_is_no_arrival(track: Callable[..., Any], tmp_path: Path) -> None:
    file = calls(tmp_path / "calls.jsonl", [1, 2, 3], receivedAt="2026-06-01T00:00:00Z")
    with pytest.raises(InputError, match=r'more than 7 days late, got 3 of 3.*received_at = "ignore"'):
        track("segment", [file])
    assert not (tmp_path / "tracked").exists()
    (tmp_path / "m.toml").write_text('[dataset]\nname = "x"\n[tracker]\nreceived_at = "ignore"\n')
    assert {e["received_at"] for e in track("segment", [file], tmp_path / "m.toml").events} == {None}


def test_too_many_bad_rows_change_nothing(track: Callable[..., Any], tmp_path: Path) -> None:
    file = calls(tmp_path / "calls.jsonl", [1, 2])
    file.write_text(file.read_text() + "{}\n")
    with pytest.raises(InputError, match=r"at most 10% rejected rows, got 1 of 3"):
        track("segment", [file], reject_limit=0.1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["calls.jsonl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[dataset]\nname = "x"\n[tracker]\nconvertd = 1', "unknown key convertd. Did you mean converted?"),
        ('[dataset]\nname = "x"\n[tracker.types]\nbuy = "purchase"', "tracker.types.buy"),
        ('[dataset]\nname = "x"\ntimezone = "Europe/Bonn"', "unknown time zone 'Europe/Bonn'"),
        ('[dataset]\nname = "x"\n[tracker.converted]\nevents = []', "tracker.converted.events"),
        ('[[dataset]]\nname = "x"', "dataset: input should be a valid dictionary"),
    ],
)
def test_a_wrong_mapping_is_named_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(MappingError) as caught:
        tracker_mapping(tmp_path / "m.toml", None, tmp_path / "d")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["segment/segment.toml", "snowplow/snowplow.toml", "story/story.toml"])
def test_the_sample_mappings_are_valid(file: str, tmp_path: Path) -> None:
    assert tracker_mapping(SAMPLES / file, None, tmp_path).text


def test_without_a_mapping_the_folder_names_the_market(tmp_path: Path) -> None:
    assert tracker_mapping(None, None, tmp_path / "My Shop").file.dataset.name == "my-shop"
    assert tracker_mapping(None, "own", tmp_path / "d").file.dataset.name == "own"
    (tmp_path / "m.toml").write_text('[dataset]\nname = "told"')
    assert tracker_mapping(tmp_path / "m.toml", None, tmp_path / "---").file.dataset.name == "told"
    with pytest.raises(UsageError, match="--name: expected small letters"):
        tracker_mapping(None, "No way", tmp_path / "d")


def test_link_checkers_are_crawlers_and_browsers_are_not() -> None:
    assert is_crawler("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)")
    assert not is_crawler("Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0")
    assert not is_crawler(None)


def test_an_array_is_read_element_by_element_and_one_that_breaks_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "visits.json"
    elements = [{"n": i, "text": "ä" * 300_000} for i in range(5)]
    file.write_text(json.dumps([*elements, 7], ensure_ascii=False, indent=2), encoding="utf-8")
    read: list[int] = []
    assert [o.value for o in objects(file, read.append)] == [*elements, None]
    assert sum(read) == file.stat().st_size
    file.write_text(json.dumps(elements)[:-100])
    with pytest.raises(InputError, match="element 5: expected one JSON array"):
        list(objects(file, read.append))


def test_the_command_reports_bots_late_events_and_links(leadlift_at: Callable[[], Any], tmp_path: Path) -> None:
    words = ("import", str(SAMPLES / "snowplow"), "--format", "snowplow", "--to", str(tmp_path / "site"))
    code, _, said = leadlift_at()(*words)
    assert code == 1
    assert "snowplow.toml" in said
    file, mapping = SAMPLES / "snowplow" / "events.tsv", SAMPLES / "snowplow" / "snowplow.toml"
    code, found, said = leadlift_at()(
        "import", str(file), "--format", "snowplow", "--mapping", str(mapping), "--to", str(tmp_path / "site"),
        LEADLIFT_DATA__REJECT_LIMIT="0.5",
    )  # fmt: skip
    assert code == 0, said
    assert found["tracker"] == {
        "events": 10, "bots_by_agent": 1, "bots_by_rate": 0, "events_without_bots": 9, "late": 1, "links": 1,
    }  # fmt: skip
    assert "10 events, 9 without bots" in said
