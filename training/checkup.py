"""What a dataset can carry: its figures, whether anything can be trained, and the repairs that would help most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from data import packaged
from data.dataset import People
from data.lake import Lake
from data.match_rate import MatchRate, match_rate
from data.records import DAY, NULL_TIME
from data.settings import Settings
from features.channels import Touch, channel
from features.content import OTHER, ContentMap
from features.encode import TOUCH_COLUMNS
from training.assemble import Question, content_map, excluded_events
from training.history import FEWEST
from training.snapshots import conversions_of, policy_of, snapshots_of

MONTH = 30.4375 * DAY
SHOWN_URLS = 10
REPAIRS = 3
WORTH = 0.02  # a gap that takes away less is not worth a line
RULE = "share of the leads, conversions, views or rows that a gap takes away, largest first"


@dataclass(frozen=True)
class Repair:
    """One gap: the share it takes away, 0 to 1, of what; and what to do."""

    share: float
    of: str
    remedy: str


@dataclass
class Checkup:
    """Figures of one dataset; a share is None where there is nothing to take it of.

    conversions: leads with a standing conversion. matured: those that some snapshot has a final positive label for
    (for tables without times: labelled true). unconverted: leads with a final negative one.
    """

    market: str
    has_times: bool
    needed: int
    leads: int = 0
    events: int = 0
    conversions: int = 0
    matured: int = 0
    unconverted: int = 0
    first: int | None = None
    last: int | None = None
    with_behaviour: int = 0
    views: int = 0
    timed: int = 0
    measured: int = 0
    unmapped: int = 0
    unmapped_urls: dict[str, int] = field(default_factory=dict)
    touches: int = 0
    unassigned: int = 0
    late: int = 0
    arrived: int = 0
    rejects: int = 0
    accepted: int = 0
    match: MatchRate = field(default_factory=MatchRate)

    @property
    def months(self) -> float | None:
        return None if self.first is None or self.last is None else (self.last - self.first) / MONTH

    @property
    def trainable(self) -> bool:
        """Enough converted leads to learn from and one to judge on, beside others that did not convert."""
        return self.matured > FEWEST and self.unconverted > 0

    @property
    def shares(self) -> dict[str, float | None]:
        return {
            "with_behaviour": _share(self.with_behaviour, self.leads if self.has_times else 0),
            "dwell_measured": _share(self.measured, self.timed),
            "views_unmapped": _share(self.unmapped, self.views),
            "channels_unassigned": _share(self.unassigned, self.touches),
            "late_arrivals": _share(self.late, self.arrived),
            "rejects": _share(self.rejects, self.rejects + self.accepted),
            "matched": self.match.share,
        }

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        own = {k: v for k, v in asdict(self).items() if k not in ("match", "first", "last", "unmapped_urls")}
        urls = [{"url": url, "views": n} for url, n in self.unmapped_urls.items()]
        return {**own, "months": self.months, "unmapped_urls": urls, "shares": self.shares, "trainable": self.trainable,
                "match_rate": self.match.document(), "repairs": [asdict(r) for r in repairs(self)], "rule": RULE}  # fmt: skip


def checkup(lake: Lake, settings: Settings, target: str = "converted") -> Checkup:
    """Read a dataset once for its people, once for its events, once for its match rate; in bounded groups."""
    found = Checkup(lake.info.name, lake.info.has_times, max(settings.gate.min_conversions, 1))
    policy = policy_of(settings.snapshots)
    content = content_map(lake) if policy.exclude_if_seen else None
    question = Question(target, policy, (lake.info.latest_arrival or 0) + 1, "", 1, content)
    for people in lake.people():
        _count_people(people, found, question)
    _count_events(lake, found, settings.data.late_days * DAY)
    found.events = lake.info.counts.get("events", 0)
    found.accepted = sum(lake.info.counts.values())
    found.rejects = lake.manifest.rows("rejects")
    found.last = lake.info.latest_arrival
    if found.has_times:
        found.match = match_rate(lake)
    return found


def repairs(found: Checkup) -> list[Repair]:
    """The repairs that would help most, by RULE; at most three."""
    shares = found.shares
    gaps = [
        Repair(1 - min(found.matured / found.needed, 1.0), "the conversions a model should learn from",
               "import outcomes of a longer time, or ask for an earlier outcome with --target"),
        Repair(shares["rejects"] or 0.0, "the rows", "correct the rejected rows: see the folder rejects/"),
    ]  # fmt: skip
    if found.has_times:
        gaps += [
            Repair(1 - (found.match.share or 0.0), "the leads, which have no event before their creation", _join(found)),
            Repair(_lack(shares["dwell_measured"]), "the timed page views, whose dwell is not measured",
                   "switch on the tracker's page pings or engagement time"),
            Repair(shares["views_unmapped"] or 0.0, "the page views, which no content rule knows",
                   "add rules for the commonest URLs to content.yaml"),
            Repair(shares["channels_unassigned"] or 0.0, "the touches, which fit no channel",
                   "use utm_source and utm_medium from the channel table"),
            Repair(shares["late_arrivals"] or 0.0, "the events, which arrived late",
                   "import more often, or map received_at = \"ignore\" if it is a load time"),
        ]  # fmt: skip
    worth = [g for g in gaps if g.share > WORTH]
    return sorted(worth, key=lambda g: -g.share)[:REPAIRS]


def _join(found: Checkup) -> str:
    if not found.events:
        return "import the tracker's events into this dataset"
    return found.match.breaks[0] if found.match.breaks else "send the visitor's id with every form"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _lack(share: float | None) -> float:
    return 0.0 if share is None else 1 - share


# -- counting ----------------------------------------------------------------------------------------------------
def _count_people(people: People, found: Checkup, question: Question) -> None:
    n = len(people)
    found.leads += n
    found.with_behaviour += len(np.unique(np.asarray(people.events["lead"])))
    if not found.has_times:
        yes, no = int((people.labels == 1).sum()), int((people.labels == 0).sum())
        found.conversions, found.matured, found.unconverted = (
            found.conversions + yes, found.matured + yes, found.unconverted + no,
        )  # fmt: skip
        return
    timed = np.flatnonzero(people.created_at != NULL_TIME)
    people = people.take(timed)
    if not len(people):
        return
    first = int(people.created_at.min())
    found.first = first if found.first is None else min(first, found.first)
    won = conversions_of(people.outcomes, question.target, question.now)
    found.conversions += len(np.unique(won.lead[won.cancelled_at == NULL_TIME]))
    excluded = excluded_events(people.events, question)
    snapshots = snapshots_of(people, question.policy, question.target, question.now, excluded)
    found.matured += len(np.unique(snapshots.lead[snapshots.label == 1]))
    found.unconverted += len(np.unique(snapshots.lead[snapshots.label == 0]))


def _count_events(lake: Lake, found: Checkup, late_after: int) -> None:
    content = content_map(lake)
    categories = packaged.source_categories()
    known: dict[str, bool] = {}
    channels: dict[tuple[str | None, ...], bool] = {}
    unmapped: dict[str, int] = {}
    for bucket in range(lake.info.buckets):
        table = lake.bucket("events", bucket)
        if not len(table):
            continue
        _count_arrivals(table, found, late_after)
        _count_views(table, found, content, known, unmapped)
        _count_touches(table, found, categories, content.own_hosts, channels)
    found.unmapped_urls = dict(sorted(unmapped.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_URLS])


def _count_arrivals(table: Any, found: Checkup, late_after: int) -> None:
    from data.arrow import micros

    occurred, received = micros(table.column("occurred_at")), micros(table.column("received_at"))
    there = received != NULL_TIME
    found.arrived += int(there.sum())
    found.late += int((received[there] - occurred[there] > late_after).sum())


def _count_views(
    table: Any, found: Checkup, content: ContentMap, known: dict[str, bool], unmapped: dict[str, int]
) -> None:
    kinds = table.group_by(["type", "url", "dwell_basis", "content_id"]).aggregate([([], "count_all")]).to_pylist()
    for row in kinds:
        n, url = int(row["count_all"]), row["url"]
        if row["type"] in ("page_view", "engagement"):
            found.timed += n
            found.measured += n * (row["dwell_basis"] == "measured")
        if row["type"] != "page_view":
            continue
        found.views += n
        if row["content_id"] is None and url is not None:
            if url not in known:
                known[url] = content.content(url).content_id != OTHER
            if not known[url]:
                found.unmapped += n
                unmapped[url] = unmapped.get(url, 0) + n


def _count_touches(
    table: Any, found: Checkup, categories: Mapping[str, str], own_hosts: tuple[str, ...],
    channels: dict[tuple[str | None, ...], bool],
) -> None:  # fmt: skip
    for row in table.group_by(list(TOUCH_COLUMNS)).aggregate([([], "count_all")]).to_pylist():
        touch = tuple(row[name] for name in TOUCH_COLUMNS)
        if not any(touch):
            continue
        if touch not in channels:
            channels[touch] = channel(Touch(*touch), categories, own_hosts) == "unassigned"
        found.touches += int(row["count_all"])
        found.unassigned += int(row["count_all"]) * channels[touch]
