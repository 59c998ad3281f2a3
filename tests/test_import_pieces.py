"""A file is read and put down in pieces; where they end changes nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.importers import spill
from data.importers.streams import ByteFile, line_blocks

SAMPLES = Path(__file__).parent / "samples"


@given(st.lists(st.sampled_from(["", "a", "bc ", '{"d": 1}']), max_size=12), st.integers(1, 9), st.booleans())
def test_blocks_are_all_lines_of_a_file_wherever_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], size: int, packed: bool
) -> None:
    text = "\n".join(lines).encode()
    path = tmp_path_factory.mktemp("blocks") / "lines"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text) if packed else b"\xef\xbb\xbf" + text)
    with ByteFile(path) as file:
        blocks = list(line_blocks(file, size))
    assert all(block.count(b"\n") + 1 == count for block, count in blocks)
    told = b"\n".join(block for block, _ in blocks)
    assert told.rstrip() == text.rstrip()
    assert b"" not in [b.strip() for b, _ in blocks[-1:]]


@pytest.mark.parametrize(("kind", "file"), [("snowplow", "story/snowplow.csv"), ("ga4", "story/ga4.jsonl")])
def test_events_are_the_same_however_many_are_put_down_together(
    kind: str, file: str, track: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = track(kind, [SAMPLES / file])
    monkeypatch.setattr(spill, "HELD_ROWS", 2)
    pieces = track(kind, [SAMPLES / file], to="pieces")
    assert (pieces.events, pieces.links) == (whole.events, whole.links)


def test_times_of_two_spellings_and_bad_ones_stand_beside_each_other(track: Callable[..., Any], tmp_path: Path) -> None:
    times = ["1772445600000000", "2026-03-02T10:00:00.000001Z", "soon", 1772445600000002, "1" * 30, None]
    rows = [{"event_name": "page_view", "event_timestamp": t, "user_pseudo_id": "v"} for t in times]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = track("ga4", [tmp_path / "rows.jsonl"])
    assert [e["occurred_at"].microsecond for e in found.events] == [0, 1, 2]
    (tally,) = found.report.tallies
    assert tally.reasons == {("bad_time", "occurred_at"): 2, ("missing_value", "occurred_at"): 1}
