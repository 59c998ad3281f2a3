"""Snowplow: atomic events as CSV, TSV and the enriched stream; the publisher's own test files."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.importers.snowplow import PLACES, STREAM_COLUMNS
from data.times import to_micros
from features.dwell_times import heartbeats

SAMPLES = Path(__file__).parent / "samples" / "snowplow"


def test_every_row_is_accounted_for(track: Callable[..., Any]) -> None:
    found = track("snowplow", [SAMPLES / "events.tsv"], SAMPLES / "snowplow.toml")
    (tally,) = found.report.tallies
    assert (tally.read, tally.accepted, tally.rejected, tally.duplicate, tally.passed_over) == (14, 10, 3, 1, 1)
    assert sorted(tally.reasons) == [("ahead_of_arrival", "received_at"), ("no_person", ""), ("wrong_field_count", "")]
    assert tally.first_line["wrong_field_count", ""] == 15
    assert found.report.tracker.late == 1


def engaged(events: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of each page ping, as the features see them."""
    pings = sorted((e for e in events if e["type"] == "engagement"), key=lambda e: (e["occurred_at"], e["event_id"]))
    views = sorted({e["page_view_id"] for e in pings})
    n, time = len(pings), [to_micros(e["occurred_at"]) for e in pings]
    page_view = np.array([views.index(e["page_view_id"]) for e in pings], dtype=np.int32)
    nothing = np.full(n, np.nan), np.zeros(n, dtype=np.int8)
    dwell, _ = heartbeats(np.zeros(n, dtype=np.int64), np.array(time), page_view, *nothing)
    return {e["event_id"]: seconds for e, seconds in zip(pings, dwell.tolist(), strict=True)}


def test_page_pings_add_up_to_the_engaged_time_of_their_page_view(track: Callable[..., Any]) -> None:
    found = track("snowplow", [SAMPLES / "events.tsv"], SAMPLES / "snowplow.toml")
    seconds = engaged(found.events)
    assert {i: s for i, s in seconds.items() if s == s} == {"2": 5, "3": 10, "5": 10, "6": 5}
    assert set(seconds) == {"2", "3", "4", "5", "6"}  # 10 * (3 intervals - 1) + 5, and one alone
    assert {e["event_id"] for e in found.events if e["page_view_id"] is not None} == set(seconds)


def test_who_has_no_own_id_is_known_by_the_network_and_a_robot_is_marked(track: Callable[..., Any]) -> None:
    found = track("snowplow", [SAMPLES / "events.tsv"], SAMPLES / "snowplow.toml")
    assert found.event("9")["visitor_id"] == "n1"
    assert [e["event_id"] for e in found.events if e["is_bot"]] == ["7"]


def test_a_configured_event_is_a_conversion_with_its_value(track: Callable[..., Any]) -> None:
    found = track("snowplow", [SAMPLES / "events.tsv"], SAMPLES / "snowplow.toml")
    assert [(o["lead_id"], o["kind"], o["value"]) for o in found.outcomes] == [("L1", "converted", 2_450)]
    assert [(k["visitor_id"], k["lead_id"]) for k in found.links] == [("d1", "L1")]


def test_the_enriched_stream_has_no_header_and_its_quotes_are_text(track: Callable[..., Any], tmp_path: Path) -> None:
    def line(**cells: str) -> str:
        row = [""] * STREAM_COLUMNS
        for name, text in cells.items():
            row[PLACES[name]] = text
        return "\t".join(row)

    page = '{"schema":"x","data":[{"schema":"iglu:com.acme/web_page/jsonschema/1-0-0","data":{"id":"p1"}}]}'
    own = {
        "collector_tstamp": "2026-03-02 10:00:01.000", "derived_tstamp": "2026-03-02 10:00:00.000", "contexts": page,
        "dvce_created_tstamp": "2026-03-02 10:00:00.000", "domain_userid": "d1", "mkt_campaign": '"spring',
    }  # fmt: skip
    rows = [line(event_id="1", event_name="page_view", **own), line(event_id="2", event_name="page_ping", **own)]
    (tmp_path / "run.tsv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    found = track("snowplow", [tmp_path / "run.tsv.gz"])
    assert [e["type"] for e in found.events] == ["page_view", "engagement"]
    assert found.event("1")["campaign"] == '"spring'
    assert [e["page_view_id"] for e in found.events] == [None, "p1"]


def test_a_stray_quote_costs_its_own_row_alone(track: Callable[..., Any], tmp_path: Path) -> None:
    head = "event_id,collector_tstamp,derived_tstamp,event_name,domain_userid,page_url"
    good = [f"e{i},2026-03-02 10:00:00,2026-03-02 10:00:00,page_view,d{i},/p" for i in range(40)]
    lines = [head, *good[:20], 'x,2026-03-02 10:00:00,2026-03-02 10:00:00,page_view,d,"/p', *good[20:]]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    (tally,) = track("snowplow", [tmp_path / "t.csv"]).report.tallies
    assert (tally.read, tally.accepted, tally.rejected) == (41, 40, 1)
    assert tally.first_line == {("malformed_row", ""): 22}


# Counted apart from the importer, by plain Python over csv.DictReader: rows, event ids that repeat, rows without
# domain_userid (all of them have a network_userid), distinct visitors, rows that arrived more than a day after they
# happened, changes of user_id by visitor in the order of arrival.
PUBLIC = {"web": (160, 3, 1, 43, 3, 52), "ecommerce": (834, 0, 11, 61, 0, 0), "fractribution": (98, 0, 0, 67, 0, 0)}


@pytest.mark.public_data
@pytest.mark.parametrize("name", PUBLIC)
def test_the_publishers_own_test_files(name: str, track: Callable[..., Any], public_data: Path) -> None:
    rows, duplicates, without_user, visitors, late, links = PUBLIC[name]
    file = public_data / "snowplow_event_samples" / f"snowplow_{name}_events.csv"
    with file.open(newline="") as table:
        network = {r["event_id"]: r["network_userid"] for r in csv.DictReader(table) if not r["domain_userid"]}
    found = track("snowplow", [file])
    (tally,) = found.report.tallies
    assert (tally.read, tally.accepted, tally.rejected, tally.duplicate) == (rows, rows - duplicates, 0, duplicates)
    assert len(network) == without_user
    assert {i: found.event(i)["visitor_id"] for i in network} == network
    assert len({e["visitor_id"] for e in found.events}) == visitors
    assert (found.report.tracker.late, len(found.links), found.report.tracker.bots) == (late, links, 0)


@pytest.mark.public_data
def test_the_engaged_time_of_a_page_view_over_two_days(track: Callable[..., Any], public_data: Path) -> None:
    found = track("snowplow", [public_data / "snowplow_event_samples" / "snowplow_web_events.csv"])
    pings = [e for e in found.events if e["type"] == "engagement" and e["visitor_id"].startswith("0691a")]
    assert sum(engaged(pings).values()) == 10 * (len(pings) - 1) + 5
    assert len(pings) == 7


@pytest.mark.public_data
def test_apps_that_are_not_ours_are_skipped_and_counted(
    track: Callable[..., Any], public_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "own.toml").write_text('[dataset]\nname = "shop"\n[tracker]\napps = ["ecom-accel"]\n')
    file = public_data / "snowplow_event_samples" / "snowplow_ecommerce_events.csv"
    (tally,) = track("snowplow", [file], tmp_path / "own.toml").report.tallies
    assert (tally.read, tally.passed_over) == (823, 11)  # 10 of DemoID, 1 of skip-me
