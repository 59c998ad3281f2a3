"""Thirty nights of any tracker give what one import of everything gives, visits that end after midnight included."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.dataset import People
from data.importers.table import import_tables
from data.importers.tracker import import_tracker
from data.importers.tracker_mapping import tracker_mapping
from data.mapping import load_mapping
from data.records import Coded
from data.settings import Settings
from features.build import FeatureSet
from tests.cases import fitted_feature_set
from tests.nightly import START, tables, whole

NIGHTS, LEADS = 30, 8
PAGES = ("/", "/pricing", "/blog/crm/a", "/demo", "/guide", "/case/x", "/jobs")
SETTINGS = Settings(data={"buckets": 4, "max_parts": 5, "late_share_limit": 1.0})  # type: ignore[arg-type]
LEAD_TABLE = """
[dataset]
name = "nightly"
timezone = "UTC"
[[table]]
match = "leads.csv"
record = "lead"
columns = { lead_id = "id", created_at = "created" }
"""
TRACKER = '[dataset]\nname = "nightly"\n[tracker.converted]\nevents = ["Order"]\n'


@dataclass(frozen=True)
class Hit:
    """Something a visitor did: a page view, a ping of it, an order, or saying who they are."""

    number: int
    visit: int
    visitor: int
    kind: str
    at: datetime
    arrived: datetime
    page: str
    view: int = 0
    lead: int | None = None
    source: str | None = None


def hits(seed: int) -> list[Hit]:
    """Visits of a month; some go on after midnight, some hits arrive days later."""
    rng, found = random.Random(seed), list[Hit]()
    for visit in range(90):
        at = START + timedelta(
            days=rng.randrange(NIGHTS), seconds=rng.choice((86_390, 86_330, 40_000, rng.randrange(86_400)))
        )
        visitor, source = rng.randrange(LEADS + 4), rng.choice((None, "google", "news"))
        for view in range(rng.choice((1, 2, 4))):
            shared = {"visit": visit, "visitor": visitor, "page": rng.choice(PAGES), "view": visit * 10 + view}
            kinds = ["view", *["ping"] * rng.choice((0, 2, 5)), *rng.choice(([], ["identify"], ["order"]))]
            for kind in kinds:
                late = timedelta(seconds=rng.choice((2, 2, 2, 2, 90_000)))
                lead = visitor % LEADS if kind == "identify" else None
                found.append(Hit(len(found), kind=kind, at=at, arrived=at + late, lead=lead, source=source, **shared))  # type: ignore[arg-type]
                source, at = None, at + timedelta(seconds=rng.choice((4, 9, 10, 300)))
    return found


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def micros(moment: datetime) -> int:
    return (moment - START) // timedelta(microseconds=1) + int(START.timestamp()) * 1_000_000


def url(hit: Hit) -> str:
    return f"https://www.example.com{hit.page}"


# -- the trackers' spellings -------------------------------------------------------------------------------------
def segment(hit: Hit) -> str:
    traits = [{"title": "CTO"}, {"company": {"name": "Example"}}, {"title": "Head of Sales", "country": "DE"}]
    kind = {"view": "page", "identify": "identify"}.get(hit.kind, "track")
    call: dict[str, Any] = {
        "messageId": f"m{hit.number}", "type": kind, "anonymousId": f"v{hit.visitor}", "timestamp": iso(hit.at),
        "receivedAt": iso(hit.arrived), "context": {"campaign": {"source": hit.source}, "page": {"url": url(hit)}},
    }  # fmt: skip
    if hit.kind == "identify":
        call |= {"userId": f"L{hit.lead}", "traits": traits[hit.number % 3]}
    elif kind == "track":
        call["event"] = {"order": "Order"}.get(hit.kind, "Scrolled")
    return json.dumps(call)


SNOWPLOW = (
    "event_id", "event_name", "collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "domain_userid", "user_id",
    "domain_sessionid", "page_url", "mkt_source", "contexts_com_snowplowanalytics_snowplow_web_page_1",
)  # fmt: skip


def snowplow(hit: Hit) -> str:
    name = {"view": "page_view", "ping": "page_ping", "order": "Order"}.get(hit.kind, "link_click")
    who = f"L{hit.lead}" if hit.lead is not None else ""
    page = f'"[{{""id"": ""p{hit.view}""}}]"'
    cells = (f"e{hit.number}", name, iso(hit.arrived), iso(hit.at), iso(hit.at), f"v{hit.visitor}", who,
             f"s{hit.visit}", url(hit), hit.source or "", page)  # fmt: skip
    return ",".join(cells)


def posthog(hit: Hit) -> str:
    name = {"view": "$pageview", "ping": "$pageleave", "identify": "$identify", "order": "Order"}[hit.kind]
    properties: dict[str, Any] = {"$current_url": url(hit), "$session_id": f"s{hit.visit}", "$utm_source": hit.source}
    if hit.kind == "ping":
        properties |= {"$prev_pageview_duration": 9.5, "$prev_pageview_pathname": hit.page}
    row = {"uuid": f"u{hit.number}", "event": name, "distinct_id": f"v{hit.visitor}", "timestamp": iso(hit.at),
           "inserted_at": iso(hit.arrived), "properties": properties}  # fmt: skip
    if hit.lead is not None:
        row |= {"distinct_id": f"L{hit.lead}", "person_id": f"L{hit.lead}"}
        properties["$anon_distinct_id"] = f"v{hit.visitor}"
    return json.dumps(row)


def ga4(hit: Hit) -> str:
    name = {"view": "page_view", "ping": "user_engagement", "order": "Order"}.get(hit.kind, "login")
    values = {"ga_session_id": {"int_value": hit.visit}, "page_location": {"string_value": url(hit)}}
    if hit.kind == "ping":
        values["engagement_time_msec"] = {"int_value": 1500}
    params = [{"key": key, "value": value} for key, value in values.items()]
    return json.dumps({
        "event_date": f"{hit.at:%Y%m%d}", "event_timestamp": micros(hit.at), "event_name": name, "event_params": params,
        "user_pseudo_id": f"v{hit.visitor}", "user_id": f"L{hit.lead}" if hit.lead is not None else None,
        "stream_id": "1", "batch_page_id": hit.number, "batch_ordering_id": 1, "batch_event_index": 1,
    })  # fmt: skip


def matomo(visit: list[Hit]) -> str:
    """A visit as it looks when it is exported: the last page has no time yet."""
    kinds: dict[str, dict[str, Any]] = {"view": {"type": "action"}, "order": {"type": "event", "eventAction": "Order"}}
    actions = [{**kinds[h.kind], "timestamp": int(h.at.timestamp()), "pageId": h.number, "url": url(h)}
               for h in visit if h.kind in ("view", "order")]  # fmt: skip
    for action, after in pairwise(actions):
        action["timeSpent"] = int(str(after["timestamp"])) - int(str(action["timestamp"]))
    known = [f"L{h.lead}" for h in visit if h.lead is not None]
    last = max(h.at for h in visit)
    return json.dumps({
        "idVisit": visit[0].visit, "visitorId": f"v{visit[0].visitor}", "userId": known[0] if known else None,
        "serverTimestamp": int(last.timestamp()), "actionDetails": actions,
    })  # fmt: skip


# -- nights ------------------------------------------------------------------------------------------------------
Files = dict[str, str]


def by_line(write: Callable[[Hit], str], ending: str, head: str = "") -> Callable[[list[Hit]], list[Files]]:
    """A file a night with what arrived that day, and some of what arrived the day before once more."""

    def nights(of: list[Hit]) -> list[Files]:
        found = []
        for night in range(NIGHTS + 2):
            start = START + timedelta(days=night)
            seen = [h for h in of if start <= h.arrived < start + timedelta(days=1)]
            again = [h for h in of if start - timedelta(days=1) <= h.arrived < start][::7]
            lines = [write(h) for h in (*seen, *again)]
            found.append(
                {f"night-{night:02d}.{ending}": "\n".join([*([head] if head else []), *lines])} if lines else {}
            )
        return found

    return nights


def ga4_nights(of: list[Hit]) -> list[Files]:
    """The table of the day, and the day before anew with what came late."""
    found = []
    for night in range(NIGHTS + 2):
        days = [START + timedelta(days=d) for d in (night - 1, night)]
        until, files = days[-1] + timedelta(days=1), {}
        for day in days:
            lines = [ga4(h) for h in of if h.at.date() == day.date() and h.arrived < until]
            files |= {f"events_{day:%Y%m%d}.jsonl": "\n".join(lines)} if lines else {}
        found.append(files)
    return found


def matomo_nights(of: list[Hit]) -> list[Files]:
    """Visits of the day as they were at midnight; those that went on are told again."""
    found = []
    for night in range(NIGHTS + 1):
        until, lines = START + timedelta(days=night + 1), []
        for number in sorted({h.visit for h in of}):
            visit = [h for h in of if h.visit == number and h.at < until]
            if visit and visit[-1].at >= until - timedelta(days=1) and any(h.kind in ("view", "order") for h in visit):
                lines.append(matomo(visit))
        found.append({f"visits-{night:02d}.jsonl": "\n".join(lines)} if lines else {})
    return found


KINDS: dict[str, Callable[[list[Hit]], list[Files]]] = {
    "segment": by_line(segment, "jsonl"), "snowplow": by_line(snowplow, "csv", ",".join(SNOWPLOW)),
    "posthog": by_line(posthog, "jsonl"), "ga4": ga4_nights, "matomo": matomo_nights,
}  # fmt: skip


def take_in(kind: str, files: Files, folder: Path, target: Path) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content + "\n")
    if not (target / "dataset.toml").exists():
        leads = [f"L{i},{iso(START + timedelta(days=i, hours=7))}" for i in range(LEADS)]
        (folder.parent / "leads.csv").write_text("\n".join(["id,created", *leads]) + "\n")
        (folder.parent / "t.toml").write_text(LEAD_TABLE)
        (folder.parent / "m.toml").write_text(TRACKER)
        import_tables([str(folder.parent / "leads.csv")], load_mapping(folder.parent / "t.toml"), target, SETTINGS)
    given = sorted(str(folder / name) for name in files)
    if given:
        import_tracker(given, kind, tracker_mapping(folder.parent / "m.toml", None, target), target, SETTINGS)


def outcomes(people: People) -> list[tuple[object, ...]]:
    kind = people.outcomes["kind"]
    assert isinstance(kind, Coded)
    lead, at = (np.asarray(people.outcomes[n]).tolist() for n in ("lead", "occurred_at"))
    return sorted(zip(lead, at, kind.texts(), strict=True))


@pytest.fixture(scope="module")
def feature_set() -> FeatureSet:
    return fitted_feature_set()


@pytest.mark.parametrize("kind", KINDS)
def test_thirty_nights_of_a_tracker_are_one_import(kind: str, tmp_path: Path, feature_set: FeatureSet) -> None:
    nights, final = KINDS[kind](hits(7)), Files()
    for number, files in enumerate(nights):
        take_in(kind, files, tmp_path / f"n{number}", tmp_path / "nightly")
        final |= files
    take_in(kind, final, tmp_path / "all", tmp_path / "once")
    nightly, once = whole(tmp_path / "nightly"), whole(tmp_path / "once")
    assert nightly.lead_ids == once.lead_ids
    assert len(nightly.events["lead"]) == len(once.events["lead"]) > 100
    assert nightly.created_at.tobytes() == once.created_at.tobytes()
    assert outcomes(nightly) == outcomes(once)
    assert len(outcomes(once)) > 3
    for days in ((4.1, 9), (15.02, 20.5), (27, 33)):
        assert tables(nightly, feature_set, days) == tables(once, feature_set, days)
