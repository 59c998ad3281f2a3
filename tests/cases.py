"""Small random journeys full of edge cases: ties in time, duplicates, late arrivals, links made later, nulls.

A case is plain rows; `moment` joins them as a dataset would. Seeds make cases, so that a failure can be repeated.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.accounts import Behaviour, accounts_of, active_spans, shared
from data.dataset import ExtraColumn
from data.identity import Links
from data.records import CONSENT, DAY, EVENT, LEAD, MICROS, NULL_TIME, OUTCOME, Coded, Columns, Record
from features.beside import Beside
from features.build import FeatureSet, build_features, fit_feature_set, moment_at
from features.catalog import families_for
from features.clusters import NAME, family
from features.family import Family, Labels, Moment

Row = dict[str, Any]

START = 1_780_000_000 * MICROS
MINUTE = 60 * MICROS
LEADS = 4
EXTRA = (
    ExtraColumn("plan", "text", "attribute", label_en="Plan", label_de="Tarif"),
    ExtraColumn("seats", "number", "attribute"),
    ExtraColumn("trial_time", "number", "behaviour_total", unit="s"),
    ExtraColumn("vendor_score", "number", "comparator"),
)
CATEGORIES = {"google": "search", "google.com": "search", "linkedin.com": "social", "chatgpt.com": "ai_assistant"}
CONTENT: dict[str, Any] = {
    "version": "test",
    "own_hosts": ["www.example.com"],
    "content": [
        {"match": "^/$", "id": "home", "type": "home", "stage": "awareness"},
        {"match": "^/blog/(crm|ads)/(.+)$", "id": r"blog:\2", "type": "blog", "topic": r"\1", "stage": "awareness"},
        {"match": "^/case/(.+)$", "id": r"case:\1", "type": "case", "topic": "crm", "stage": "consideration"},
        {"match": "^/guide$", "id": "guide", "type": "guide", "gated": "/guide/form", "stage": "consideration"},
        {"match": "^/pricing", "id": "pricing", "type": "pricing", "stage": "decision"},
        {"match": "^/demo$", "id": "demo", "type": "demo", "stage": "decision"},
        {"match": "^/jobs", "id": "jobs", "type": "careers"},
    ],
}
# Clusters as training would find them: shares of views by type and topic, of sessions by channel, and amounts.
CLUSTERS: dict[str, Any] = {
    "types": ["pricing", "blog", "demo"],
    "topics": ["crm", "ads"],
    "centre": [0.21, 0.37, 0.12, 0.58, 0.42, 0.52, 0.11, 0.13, 0.05, 0.07, 0.04, 0.03, 0.05, 0.9, 1.3],
    "scale": [0.31] * 3 + [0.27] * 2 + [0.53] * 8 + [0.64] * 2,
    "centroids": [
        [0.41, -0.23, 0.17, 0.05, -0.05, 0.1, 0.07, -0.02, 0.0, -0.05, -0.04, -0.03, 0.0, 0.13, 0.11],
        [-0.19, 0.33, -0.07, 0.21, -0.21, -0.1, 0.0, 0.09, 0.05, 0.02, -0.01, 0.03, -0.03, 0.21, 0.29],
        [-0.11, 0.02, -0.06, -0.13, 0.13, 0.04, -0.03, -0.04, 0.01, 0.02, 0.02, 0.0, 0.01, -0.31, -0.37],
    ],
    "names": ["pricing + demo", "blog + crm", "ads"],
}
PATHS = ("/", "/blog/crm/a", "/blog/ads/b", "/case/x", "/guide", "/pricing", "/pricing/eu", "/demo", "/jobs", "/nope")


@dataclass(frozen=True)
class Case:
    """Rows as they were recorded, and the questions: (lead, as_of)."""

    events: list[Row]
    links: list[Row]
    leads: list[Row]
    created_at: list[int]
    asks: list[tuple[int, int]]
    outcomes: list[Row] = field(default_factory=list)
    consents: list[Row] = field(default_factory=list)
    require_consent: bool = False


def random_case(seed: int, leads: int = LEADS, asks: int = 6) -> Case:
    """A few leads, each with some visits by known and by anonymous visitors."""
    rng = random.Random(seed)
    created = [START + rng.choice((0, 3, 20)) * DAY if rng.random() < 0.8 else NULL_TIME for _ in range(leads)]
    events = [e for lead in range(leads) for e in _visits(rng, lead)]
    for number, event in enumerate(events):
        event["event_id"] = f"e{number}"
    events += [_told_again(rng, e) for e in events if rng.random() < 0.1]
    rng.shuffle(events)
    links = [
        {"visitor": visitor, "lead": rng.randrange(leads), "known_from": START + rng.choice((2, 5, 15, 40)) * DAY}
        for visitor in range(leads)
        for _ in range(rng.choice((0, 1, 1, 2)))
    ]
    rows = [_profile(rng, lead, created[lead]) for lead in range(leads) for _ in range(rng.choice((0, 1, 1, 2)))]
    for number, row in enumerate(rows):
        row["source_row"] = number + 1
    moments = [e["occurred_at"] + rng.choice((0, 1, DAY)) for e in events] + [START + d * DAY for d in (5, 15, 30, 90)]
    moments += [START + 100 * DAY] * (1 + len(moments) // 2)
    questions = [(rng.randrange(leads), rng.choice(moments)) for _ in range(asks)]
    return Case(events, links, rows, created, questions, _outcomes(rng, leads), _consents(rng, leads))


def _outcomes(rng: random.Random, leads: int) -> list[Row]:
    """Deals, losses, cancellations and hand-overs, in any order."""
    kinds = ("converted", "converted", "lost", "cancelled", "accepted", "rejected")
    days = (0, 2, 5, 14, 14, 28, 33, 61)
    return [
        {"lead": lead, "kind": rng.choice(kinds), "occurred_at": START + rng.choice(days) * DAY, "value": 100}
        for lead in range(leads)
        for _ in range(rng.choice((0, 0, 1, 3)))
    ]


def _consents(rng: random.Random, leads: int) -> list[Row]:
    """Consents of all purposes: given, confirmed, withdrawn and given again."""
    rows: list[Row] = []
    for lead in range(leads):
        for purpose in ("tracking", "scoring", "contact"):
            for _ in range(rng.choice((0, 1, 1, 2))):
                given = START + rng.choice((-5, 0, 5, 15)) * DAY
                confirmed = rng.choice((NULL_TIME, given, given + DAY))
                withdrawn = rng.choice((NULL_TIME, NULL_TIME, given, given + 10 * DAY, given + 40 * DAY))
                times = {"given_at": given, "confirmed_at": confirmed, "withdrawn_at": withdrawn}
                rows.append({"lead": lead, "purpose": purpose} | times)
    return rows


def _visits(rng: random.Random, lead: int) -> list[Row]:
    rows: list[Row] = []
    for _ in range(rng.choice((0, 1, 2, 4))):
        at = START + rng.choice((0, 1, 2, 5, 14, 15, 28, 33, 60)) * DAY + rng.choice((0, 9, 17)) * 60 * MINUTE
        known = rng.random() < 0.5
        session = rng.choice((None, None, f"s{rng.randrange(3)}"))
        for _ in range(rng.choice((1, 2, 5))):
            rows.append(_event(rng, lead, at, known, session))
            at += rng.choice((0, 0, 3 * MICROS, 20 * MICROS, 5 * MINUTE, 30 * MINUTE, 31 * MINUTE))
    return rows + (_burst(rng, lead) if rng.random() < 0.15 else [])


def _burst(rng: random.Random, lead: int) -> list[Row]:
    """A minute with as many events as a person can have, or a few more."""
    at = START + rng.choice((1, 14)) * DAY + 10 * 60 * MINUTE
    few = [_event(rng, lead, at, True, None) for _ in range(rng.choice((16, 26, 36)))]
    own = dict.fromkeys(("received_at", "visitor"), None) | {"lead": lead, "received_at": NULL_TIME, "is_bot": False}
    return [e | own | {"occurred_at": at + rng.choice((0, 1, 59, 60)) * MICROS} for e in few for _ in range(5)]


def _event(rng: random.Random, lead: int, at: int, known: bool, session: str | None) -> Row:
    kind = rng.choice(
        ("page_view",) * 7 + ("engagement", "form", "download", "video", "email", "call", "webinar", "custom")
    )
    source, medium = rng.choice(
        ((None, None),) * 5 + (("google", "cpc"), ("news", "email"), ("linkedin.com", "social"))
    )
    measured = kind in ("page_view", "engagement") and rng.random() < 0.4
    heartbeat = kind == "engagement" and rng.random() < 0.6
    return {
        "lead": lead if known else None,
        "visitor": None if known else rng.choice((lead, lead, max(lead - 1, 0))),
        "occurred_at": at,
        "received_at": rng.choice((NULL_TIME, NULL_TIME, at + MINUTE, at + 2 * DAY, at - MINUTE)),
        "type": kind,
        "direction": rng.choice((None, None, "inbound", "inbound", "inbound", "outbound")),
        "url": rng.choice((None, *(f"https://www.example.com{p}?x=1" for p in PATHS))),
        "content_id": rng.choice((None,) * 9 + ("pricing", "blog:b", "case:x", "unheard")),
        "session_id": session,
        "page_view_id": rng.choice(("p1", "p2")) if heartbeat else None,
        "referrer_host": rng.choice((None, None, "www.example.com", "www.google.com", "chatgpt.com", "blog.other.org")),
        "source": source,
        "medium": medium,
        "campaign": rng.choice((None, None, None, "Spring", "spring ", "autumn")),
        "click_id_kind": rng.choice((None,) * 9 + ("gclid",)),
        "dwell_seconds": rng.choice((0.1, 12.7, 60.0, 333.3)) if measured else float("nan"),
        "dwell_basis": rng.choice(("measured", "timespent", None)) if measured else None,
        "is_bot": rng.random() < 0.05,
    }


def _told_again(rng: random.Random, event: Row) -> Row:
    """The same event_id again: exactly, later, or with another story."""
    at = event["occurred_at"]
    sooner_but_late = {"occurred_at": at - DAY, "received_at": at + 2 * DAY}
    return event | rng.choice(
        ({}, {"received_at": at + 3 * DAY}, {"occurred_at": at + DAY}, {"url": None}, sooner_but_late)
    )


def _profile(rng: random.Random, lead: int, created: int) -> Row:
    return {
        "lead": lead,
        "created_at": created,
        "valid_from": rng.choice((NULL_TIME, START, START + 5 * DAY, START + 15 * DAY)),
        "account_id": rng.choice((None, None, "a1", "a2")),
        "email_domain": rng.choice((None, "example.com", "Example.com", "other.example")),
        "email_hash": rng.choice((None, "h1", "h2")),
        "email_kind": rng.choice((None, "business", "free", "role")),
        "title": rng.choice((None, "", "Head of Sales", "Geschäftsführerin", "IT-Leiter", "Intern", "Einkäufer")),
        "company": rng.choice((None, "Example")),
        "industry": rng.choice((None, "software", "Software ", "retail", "other", "rare")),
        "employees": rng.choice((float("nan"), -1.0, 0.0, 10.0, 11.0, 5000.0, 10_001.0)),
        "country": rng.choice((None, "DE", "de", "AT")),
        "lead_source": rng.choice((None, "webinar", "fair")),
        "self_reported_source": rng.choice((None, "a friend")),
        "plan": rng.choice((None, "basic", "Pro", " ")),
        "seats": rng.choice((float("nan"), 1.0, 2.5)),
        "trial_time": rng.choice((float("nan"), 0.0, 600.0)),
        "vendor_score": rng.choice((1.0, 2.0)),
    }


# -- from rows to features -------------------------------------------------------------------------------------
def columns(rows: list[Row], record: Record) -> Columns:
    """Rows as the columns of a record; what a row does not say is null."""
    out: Columns = {}
    for column in record.columns:
        values = [row.get(column.name) for row in rows]
        if column.kind in ("text", "code"):
            out[column.name] = Coded.of(values)
        elif column.kind in ("number", "money"):
            out[column.name] = np.array(values, dtype=np.float64)
        elif column.kind == "flag":
            out[column.name] = np.array(values, dtype=np.bool_)
        else:
            out[column.name] = np.array(values or [], dtype=np.int64)
    return out


def lead_columns(rows: list[Row]) -> Columns:
    """Profile rows with the declared extra columns."""
    out = columns(rows, LEAD) | {"lead": np.array([r["lead"] for r in rows], dtype=np.int64)}
    for extra in EXTRA:
        values = [r[extra.name] for r in rows]
        out[extra.name] = Coded.of(values) if extra.kind == "text" else np.array(values, dtype=np.float64)
    return out


def event_columns(events: list[Row], links: list[Row]) -> Columns:
    """Events joined to their leads through the links, as a dataset hands them over."""
    lead = np.array([-1 if e["lead"] is None else e["lead"] for e in events], dtype=np.int64)
    known = np.full(len(events), NULL_TIME, dtype=np.int64)
    told = (np.array([link[k] for link in links], dtype=np.int64) for k in ("visitor", "lead", "known_from"))
    linked, since = Links.of(*told).assign(
        np.array([-1 if e["visitor"] is None else e["visitor"] for e in events], dtype=np.int64),
        np.array([e["occurred_at"] for e in events], dtype=np.int64),
    )
    by_link = lead < 0
    return columns(events, EVENT) | {
        "lead": np.where(by_link, linked, lead),
        "known_from": np.where(by_link, since, known),
    }


def moment(case: Case, feature_set: FeatureSet) -> Moment:
    """What was known at each question."""
    lead = np.array([who for who, _ in case.asks], dtype=np.int64)
    as_of = np.array([when for _, when in case.asks], dtype=np.int64)
    encoded = feature_set.encode(event_columns(case.events, case.links))
    created = np.array(case.created_at, dtype=np.int64)[lead]
    return moment_at(lead_columns(case.leads), encoded, lead, created, as_of, beside(case))


def beside(case: Case) -> Beside:
    """Outcomes, consents and accounts of the case."""
    outcomes, consents = (
        columns(rows, record) | {"lead": np.array([r["lead"] for r in rows], dtype=np.int64)}
        for rows, record in ((case.outcomes, OUTCOME), (case.consents, CONSENT))
    )
    leads, events = lead_columns(case.leads), event_columns(case.events, case.links)
    ids = [f"lead {i}" for i in range(len(case.created_at))]
    accounts = accounts_of(ids, *shared(leads), Behaviour(active_spans(events), outcomes, consents))
    return Beside(outcomes, consents if case.require_consent else None, accounts, accounts.numbers(ids))


def table(case: Case, feature_set: FeatureSet) -> NDArray[np.float64]:
    """The features of each question, (n, k)."""
    known = moment(case, feature_set)
    return build_features(known.leads, known.journeys, feature_set).values


def feature_set_on(case: Case) -> FeatureSet:
    """All families, fitted on the questions of a case."""
    families = [with_clusters(f) for f in families_for(EXTRA)]
    blank = FeatureSet((), EXTRA, {}, CONTENT, CATEGORIES)
    return fit_feature_set(families, EXTRA, CONTENT, CATEGORIES, moment(case, blank), labels(case))


def with_clusters(one: Family) -> Family:
    """The family, and that of clusters over CLUSTERS, which otherwise training finds."""
    return family(CLUSTERS) if one.name == NAME else one


def labels(case: Case) -> Labels:
    """A label of each question, by chance."""
    chance = [float(random.Random(f"{lead} {as_of}").random() < 0.2) for lead, as_of in case.asks]
    return Labels(np.array(chance), np.ones(len(case.asks)))


def fitted_feature_set() -> FeatureSet:
    """All families, fitted on enough leads that every vocabulary has words."""
    return feature_set_on(random_case(0, leads=300, asks=1500))


def asking(case: Case, asks: list[tuple[int, int]]) -> Case:
    """The same records, other questions."""
    return replace(case, asks=asks)


# -- one lead, told in a few words -----------------------------------------------------------------------------
NOW = START + 100 * DAY
EMPTY: Row = {c.name: None for c in EVENT.columns} | {
    "lead": 0, "visitor": None, "received_at": NULL_TIME, "type": "page_view", "dwell_seconds": float("nan"),
    "is_bot": False,
}  # fmt: skip


def event(days_ago: float, path: str | None = "/", **more: Any) -> Row:
    """An event of lead 0 so many days before NOW, by default a page view of the home page."""
    url = None if path is None else f"https://www.example.com{path}"
    return EMPTY | {"occurred_at": NOW - round(days_ago * DAY), "url": url} | more


def values_of(events: list[Row], profile: Row | None = None, created_at: int = START, **fitted: list[str]) -> Row:
    """Every feature of lead 0 at NOW, by column; `fitted` gives the vocabulary of families, empty where not given."""
    events = [e | {"event_id": e["event_id"] or f"e{i}"} for i, e in enumerate(events)]
    unknown = {c.name for c in EXTRA if c.kind == "number"}
    row = {"lead": 0, "created_at": created_at, "valid_from": NULL_TIME, "employees": float("nan"), "source_row": 1}
    row |= {c.name: float("nan") if c.name in unknown else None for c in EXTRA} | (profile or {})
    families = families_for(EXTRA)
    words = {f.name: {"values": fitted.get(f.name, [])} for f in families if f.fit is not None or f.learn is not None}
    feature_set = FeatureSet(tuple(f.name for f in families), EXTRA, words, CONTENT, CATEGORIES)
    found = table(Case(events, [], [row], [created_at], [(0, NOW)]), feature_set)[0]
    return dict(zip(feature_set.columns, found.tolist(), strict=True))
