"""All features once more, slowly: plain Python over one lead at one moment, written from the definitions alone.

`answers(case, ask)` gives every column by name. Shared with the code under test are only the channel rules, the
content map and the words of titles, which have tests of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby, pairwise
from typing import Any

from data.records import DAY, EMAIL_KINDS, EVENT_TYPES, MICROS, NULL_TIME
from features.build import FeatureSet
from features.content import STAGES
from features.titles import DEPARTMENTS, department, seniority
from tests.cases import MINUTE, Case, Row
from tests.oracle_known import NAN, may, of_before, profile_of, visible

PAID = ("paid_shopping", "paid_search", "paid_social", "paid_video", "paid_other", "display", "cross_network")
GROUPS = ("direct", "organic_search", "organic_social", "email", "referral", "ai_assistant")


# -- the answers -----------------------------------------------------------------------------------------------
def answers(case: Case, ask: tuple[int, int], feature_set: FeatureSet) -> dict[str, float]:
    """Every column of the feature set for one question."""
    lead, as_of = ask
    scoring = may(case, lead, "scoring", as_of)
    events = visible(case, lead, as_of) if scoring and may(case, lead, "tracking", as_of) else []
    profile = profile_of(case, lead, as_of) if scoring else {}
    created = case.created_at[lead] if scoring and case.created_at[lead] < as_of else NULL_TIME
    found = of_before(case, lead, as_of)
    found |= _of_profile(profile, created, as_of, feature_set)
    found |= _of_source(events, feature_set)
    found |= _of_dwell(events, feature_set)
    found |= _of_rhythm(events, created, as_of)
    found |= _of_path(events, feature_set)
    found["cluster_log_odds"] = _of_cluster(events, feature_set)
    return found


def _texts(name: str, text: str | None, feature_set: FeatureSet) -> dict[str, float]:
    values = feature_set.fitted[name]["values"]
    plain = None if text is None or not text.strip() else " ".join(text.split()).casefold()
    hit = [v for v in values if v.casefold() == plain]
    chosen = "missing" if plain is None else hit[0] if hit else "other"
    return {f"{name}[{v}]": float(v == chosen) for v in (*values, "other", "missing")}


def _one_of(name: str, parts: tuple[str, ...], part: str) -> dict[str, float]:
    return {f"{name}[{p}]": float(p == part) for p in (*parts, "missing")}


def _of_profile(p: Row, created: int, as_of: int, fs: FeatureSet) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in ("industry", "country", "lead_source", "self_reported_source"):
        found |= _texts(name, p.get(name), fs)
    title, employees = p.get("title"), p.get("employees", NAN)
    ends = (10, 50, 200, 500, 1000, 5000, 10_000, math.inf)
    asked = ("title", "company", "industry", "country", "state", "email_domain", "lead_source", "self_reported_source")
    return (
        found
        | _texts("extra_plan", p.get("plan"), fs)
        | _one_of("email_kind", EMAIL_KINDS, p.get("email_kind") or "missing")
        | _one_of("title_department", DEPARTMENTS, "missing" if title is None else department(title))
        | {
            "company_size": next((i + 1 for i, end in enumerate(ends) if employees <= end), 0)
            if employees >= 0
            else NAN,
            "title_seniority": NAN if title is None else seniority(title),
            "form_completeness": (sum(p.get(c) is not None for c in asked) + (not math.isnan(employees))) / 9,
            "lead_age_days": NAN if created == NULL_TIME else (as_of - created) / DAY,
            "has_account": p.get("account_id") is not None,
            "extra_seats": p.get("seats", NAN),
            "extra_trial_time": p.get("trial_time", NAN),
        }
    )


def _of_source(events: list[Row], fs: FeatureSet) -> dict[str, float]:
    opening = [next(g) for _, g in groupby(_web(events), key=lambda e: e["session"])]
    channels = [e["channel"] for e in opening]
    sourced = [c for c in channels if c != "direct"]
    names = [e["name"] for e in events if e["name"]]
    groups = ["paid" if c in PAID else c if c in GROUPS else "other" for c in channels]
    found = {f"channel_sessions[{g}]": groups.count(g) for g in (*GROUPS, "paid", "other")}
    for name, texts in (("channel", channels), ("campaign", names)):
        found |= _texts(f"first_{name}", texts[0] if texts else None, fs)
        found |= _texts(f"last_{name}", texts[-1] if texts else None, fs)
    return (
        found
        | _texts("last_source_channel", sourced[-1] if sourced else None, fs)
        | {
            "channels_distinct": len(set(channels)),
            "campaigns_distinct": len(set(names)),
            "paid_share": _ratio(groups.count("paid"), len(channels)),
            "direct_share": _ratio(channels.count("direct"), len(channels)),
        }
    )


def _of_dwell(events: list[Row], fs: FeatureSet) -> dict[str, float]:
    timed = [e for e in events if e["view"] or (e["type"] == "engagement" and not math.isnan(e["dwell_seconds"]))]
    views = [e for e in events if e["view"]]
    here = bool(_web(events))

    def seconds(keep: Callable[[Row], bool], weight: Callable[[Row], float] = lambda e: 1.0) -> float:
        chosen = [e for e in timed if keep(e)]
        known = [e["dwell_seconds"] * weight(e) for e in chosen if not math.isnan(e["dwell_seconds"])]
        return sum(known) if known else 0.0 if here and not chosen else NAN

    measured = {(e["session"], e["page"]) for e in timed if not e["view"]}
    known_views = [e for e in views if not math.isnan(e["dwell_seconds"]) or (e["session"], e["page"]) in measured]
    known = [e["dwell_seconds"] for e in timed if not math.isnan(e["dwell_seconds"])]
    last = max((e["session"] for e in _web(events)), default=None)
    total, decision = seconds(lambda e: True), seconds(lambda e: _stage(e) == "decision")

    def decayed(e: Row) -> float:
        return 2.0 ** (-e["age"] / 14)

    found = {f"dwell_stage[{s}]": seconds(lambda e, s=s: _stage(e) == s) for s in STAGES}
    found |= {f"dwell_stage_decayed[{s}]": seconds(lambda e, s=s: _stage(e) == s, decayed) for s in STAGES}
    for name, of in (("content", "content_id"), ("type", "type"), ("topic", "topic")):
        for v in fs.fitted[f"dwell_{name}"]["values"]:
            found[f"dwell_{name}[{v}]"] = seconds(lambda e, of=of, v=v: e["page"] and getattr(e["page"], of) == v)
    for basis in ("measured", "timespent", "gap"):
        told = [e["dwell_seconds"] for e in timed if e["dwell_basis"] == basis and not math.isnan(e["dwell_seconds"])]
        found[f"dwell_basis[{basis}]"] = _ratio(sum(told), sum(known))
    return found | {
        "dwell_total": total,
        "dwell_28d": seconds(lambda e: e["age"] <= 28),
        "dwell_7d": seconds(lambda e: e["age"] <= 7),
        "dwell_per_view": _ratio(sum(known) if known else NAN, len(known_views)),
        "dwell_per_session": _ratio(total, _sessions(events)),
        "dwell_longest": max(known, default=NAN),
        "long_views": sum(d >= 60 for d in known),
        "dwell_decision_share": _ratio(decision, total),
        "dwell_pricing": seconds(lambda e: _type(e) == "pricing"),
        "dwell_decayed": seconds(lambda e: True, lambda e: 2.0 ** (-e["age"] / 14)),
        "dwell_known_share": _ratio(len(known_views), len(views)),
        "dwell_last_session": seconds(lambda e: e["session"] == last),
    }


def _of_rhythm(events: list[Row], created: int, as_of: int) -> dict[str, float]:
    views = [e for e in events if e["view"]]
    starts = [next(g) for _, g in groupby(_web(events), key=lambda e: e["session"])]
    pauses = [a["age"] - b["age"] for a, b in pairwise(starts)]
    longest = max((b["occurred_at"] - a["occurred_at"] for a, b in pairwise(starts)), default=None)
    ages = [e["age"] for e in events]
    new, both = sum(a <= 14 for a in ages), sum(a <= 28 for a in ages)
    of_type = {t: [e for e in events if e["type"] == t] for t in EVENT_TYPES}
    clock = [((e["occurred_at"] // DAY + 3) % 7, e["occurred_at"] % DAY // (60 * MINUTE)) for e in events]
    found: dict[str, float] = {}
    for suffix, days in (("", math.inf), ("_28d", 28), ("_7d", 7)):
        found[f"sessions{suffix}"] = sum(e["age"] <= days for e in starts)
        found[f"page_views{suffix}"] = sum(e["age"] <= days for e in views)
    return found | {
        "views_per_session": _ratio(len(views), len(starts)),
        "views_since_created": 0 if created == NULL_TIME else sum(e["occurred_at"] >= created for e in views),
        "days_since_last": ages[-1] if ages else NAN,
        "days_since_first": ages[0] if ages else NAN,
        "days_anonymous": NAN if created == NULL_TIME or not ages else max(ages[0] - (as_of - created) / DAY, 0.0),
        "active_days_28d": len({e["occurred_at"] // DAY for e in events if e["age"] <= 28}),
        "session_gap_days": _ratio(starts[0]["age"] - starts[-1]["age"], len(pauses)) if pauses else NAN,
        "longest_pause_days": NAN if longest is None else longest / DAY,
        "trend_14d": _ratio(new - (both - new), both),
        "activity_decayed": sum(2.0 ** (-a / 14) for a in ages),
        "forms": len(of_type["form"]),
        "forms_28d": sum(e["age"] <= 28 for e in of_type["form"]),
        "days_since_form": of_type["form"][-1]["age"] if of_type["form"] else NAN,
        "downloads": len(of_type["download"]),
        "videos": len(of_type["video"]),
        "emails": len(of_type["email"]),
        "emails_28d": sum(e["age"] <= 28 for e in of_type["email"]),
        "offline_contacts": sum(len(of_type[t]) for t in ("call", "meeting", "webinar", "fair")),
        "weekend_share": _ratio(sum(day >= 5 for day, _ in clock), len(clock)),
        "office_hours_share": _ratio(sum(day < 5 and 8 <= hour < 18 for day, hour in clock), len(clock)),
    }


def _of_path(events: list[Row], fs: FeatureSet) -> dict[str, float]:
    views = [e for e in events if e["view"] and e["page"] is not None]
    pages, types = [e["page"] for e in views], [_type(e) for e in views]
    topics = [e["page"].topic for e in views if e["page"].topic]
    stages = [e["page"].stage for e in views]
    path = [page for page, _ in groupby(pages)]
    type_path = [t for t, _ in groupby(types)]
    visits = [len({e["page"] for e in views if e["session"] == s}) for s in range(_sessions(events))]
    decision = [e["age"] for e in views if _stage(e) == "decision"]
    pricing = [e["age"] for e in views if _type(e) == "pricing"]
    every = [e for e in events if e["view"]]
    gaps = [b["occurred_at"] - a["occurred_at"] for a, b in pairwise(every) if a["session"] == b["session"]]
    reached = [e["age"] for e in every if _stage(e) == "decision"]
    found = {f"stage_views[{s}]": stages.count(s) for s in STAGES}
    found["step_seconds"] = _ratio(sum(g / MICROS for g in gaps), len(gaps))
    found["days_to_decision"] = every[0]["age"] - reached[0] if reached else NAN
    found |= {f"topic_views[{t}]": topics.count(t) for t in fs.fitted["topic_views"]["values"]}
    found |= {f"type_views[{t}]": types.count(t) for t in fs.fitted["type_views"]["values"]}
    found |= _texts("entry_type", types[0] if types else None, fs) | _texts(
        "last_type", types[-1] if types else None, fs
    )
    found |= _texts("last_content", pages[-1].content_id if pages else None, fs)
    for pair in fs.fitted["path_2gram"]["values"]:
        found[f"path_2gram[{pair}]"] = tuple(pair.split(">")) in pairwise(type_path)
    for pair in fs.fitted["path_order"]["values"]:
        a, b = pair.split(">")
        found[f"path_order[{pair}]"] = a in types and b in types[types.index(a) :]
    return (
        found
        | {
            "contents_distinct": len(set(pages)),
            "types_distinct": len(set(types)),
            "topics_distinct": len(set(topics)),
            "path_length": len(path),
            "session_depth": max(visits, default=NAN),
            "loops": sum(page in path[:i] for i, page in enumerate(path)),
            "decision_views_28d": sum(age <= 28 for age in decision),
            "days_since_decision": decision[-1] if decision else NAN,
            "to_decision": sum(a.stage == "consideration" and b.stage == "decision" for a, b in pairwise(path)),
            "pricing_views": len(pricing),
            "pricing_views_28d": sum(age <= 28 for age in pricing),
            "steps_to_pricing": next((i for i, page in enumerate(path) if page.type == "pricing"), NAN),
            "demo_views": types.count("demo"),
            "case_views": types.count("case"),
            "careers_views": types.count("careers"),
            "gated_distinct": len({e["page"] for e in events if e["page"] and e["page"].gated}),
            "topic_concentration": _ratio(max(map(topics.count, topics), default=0), len(topics)),
        }
        | _of_steps(views, path, fs)
    )


def _of_steps(views: list[Row], path: list[Any], fs: FeatureSet) -> dict[str, float]:
    every = [e for e in views if e["page"].topic]
    topics, recent = [e["page"].topic for e in every], [e["page"].topic for e in every if e["age"] <= 28]
    found = {
        f"path_{end}_3[{v}]": v in [page.content_id for page in steps]
        for end, steps in (("first", path[:3]), ("last", path[-3:]))
        for v in fs.fitted[f"path_{end}_3"]["values"]
    }
    types = ["|", *(t for t, _ in groupby(page.type for page in path)), "|"]
    weights = dict(zip(fs.fitted["path_log_odds"]["values"], fs.fitted["path_log_odds"]["weights"], strict=True))
    steps = {f"{a}>{b}" for a, b in pairwise(types)} if path else set()
    return found | {
        "path_log_odds": _ratio(math.fsum(weights.get(s, 0.0) for s in steps), len(steps)),
        "topic_switches": sum(a != b for a, b in pairwise(topics)),
        "topics_effective": _ratio(len(topics) ** 2, sum(topics.count(t) ** 2 for t in set(topics))),
        "topic_concentration_28d": _ratio(max(map(recent.count, recent), default=0), len(recent)),
    }


def _of_cluster(events: list[Row], fs: FeatureSet) -> float:
    """The weight of the nearest cluster, by squared distances."""
    c = fs.fitted["cluster_log_odds"]
    pages = [e["page"] for e in events if e["view"] and e["page"] is not None]
    channels = [next(g)["channel"] for _, g in groupby(_web(events), key=lambda e: e["session"])]
    groups = ["paid" if ch in PAID else ch if ch in GROUPS else "other" for ch in channels]
    if not channels:
        return NAN
    order = ("direct", "paid", "organic_search", "organic_social", "email", "referral", "ai_assistant", "other")
    blocks = (
        [[p.type for p in pages].count(t) for t in c["types"]],
        [[p.topic for p in pages].count(t) for t in c["topics"]],
        [groups.count(g) for g in order],
    )
    centre, profile = list(c["centre"]), []
    for counts in blocks:
        whole, average = sum(counts), [centre.pop(0) for _ in counts]
        profile += [(n - whole * a) / (whole + 5) for n, a in zip(counts, average, strict=True)]
    amounts = (len(channels), sum(e["view"] for e in events))
    profile += [math.log1p(n) - a for n, a in zip(amounts, centre, strict=True)]
    x = [p / s for p, s in zip(profile, c["scale"], strict=True)]
    distance = [math.dist(x, centroid) for centroid in c["centroids"]]
    return float(c["weights"][distance.index(min(distance))])


def _web(events: list[Row]) -> list[Row]:
    return [e for e in events if e["session"] is not None]


def _sessions(events: list[Row]) -> int:
    return len({e["session"] for e in _web(events)})


def _stage(event: Row) -> str | None:
    return event["page"].stage if event["page"] else None


def _type(event: Row) -> str | None:
    return event["page"].type if event["page"] else None


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN
