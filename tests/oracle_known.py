"""What was known of a lead at a moment, slowly and in plain Python: its events, profile, permission and past.

Half of the oracle; `tests/oracle.py` answers from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import Any

from data.records import DAY, DWELL_BASES, EVENT_TYPES, MICROS, NULL_TIME
from features.channels import Touch, channel
from features.content import ContentMap
from features.titles import department
from tests.cases import CATEGORIES, CONTENT, MINUTE, Case, Row

NAN = float("nan")
MAP = ContentMap.of(CONTENT)
WEB = ("page_view", "engagement", "form", "download", "video", "goal", "custom")
TOUCH = ("source", "medium", "campaign", "referrer_host", "click_id_kind")


# -- what was known --------------------------------------------------------------------------------------------
def owner(case: Case, event: Row) -> tuple[int | None, int]:
    """The lead of an event and since when that is known."""
    if event["lead"] is not None:
        return event["lead"], NULL_TIME
    links = sorted((k["known_from"], k["lead"]) for k in case.links if k["visitor"] == event["visitor"])
    if not links:
        return None, NULL_TIME
    before = [k for k in links if k[0] <= event["occurred_at"]]
    known_from, lead = before[-1] if before else links[0]
    return lead, known_from


def said(event: Row) -> tuple[Any, ...]:
    """What orders events of one moment."""

    def text(name: str) -> tuple[bool, str]:
        return event[name] is not None, event[name] or ""

    texts = [text(name) for name in ("url", "content_id", "session_id", "page_view_id", *TOUCH)]
    dwell = math.inf if math.isnan(event["dwell_seconds"]) else event["dwell_seconds"]
    basis = DWELL_BASES.index(event["dwell_basis"] or "none")
    return event["occurred_at"], EVENT_TYPES.index(event["type"]), *texts, dwell, basis, event["event_id"]


def visible(case: Case, lead: int, as_of: int) -> list[Row]:
    """The lead's events in order, as they were known just before as_of."""
    first: dict[str, tuple[Any, ...]] = {}
    for event in case.events:
        whose, known_from = owner(case, event)
        if whose != lead or event["is_bot"] or event["direction"] == "outbound":
            continue
        seen = max(event["occurred_at"], event["received_at"], known_from)
        story = (seen, said(event), dict(event))
        if event["event_id"] not in first or story[:2] < first[event["event_id"]][:2]:
            first[event["event_id"]] = story
    handed_over = min(outcomes_of(case, lead, "accepted"), default=math.inf)
    rows = [
        event
        for seen, _, event in first.values()
        if seen < as_of and (event["type"] != "call" or event["occurred_at"] < handed_over)
    ]
    return _enriched(sorted(_human(rows), key=said), as_of)


def _human(rows: list[Row]) -> list[Row]:
    """Without the web events of minutes that have more of them than a person can make."""
    minutes = Counter(e["occurred_at"] // MINUTE for e in rows if e["type"] in WEB)
    return [e for e in rows if e["type"] not in WEB or minutes[e["occurred_at"] // MINUTE] <= 60]


def _enriched(rows: list[Row], as_of: int) -> list[Row]:
    for e in rows:
        by_id = e["content_id"] is not None
        e["page"] = MAP.by_id(e["content_id"]) if by_id else MAP.content(e["url"]) if e["url"] else None
        e["channel"] = channel(Touch(*(e[name] for name in TOUCH)), CATEGORIES, MAP.own_hosts)
        e["name"] = (e["campaign"] or "").strip().lower() or None
        e["age"] = (as_of - e["occurred_at"]) / DAY
        e["view"] = e["type"] == "page_view"
        e["session"] = None
    _number_sessions([e for e in rows if e["type"] in WEB])
    _count_heartbeats(rows)
    _fill_gaps(rows)
    for e in rows:
        if e["type"] != "engagement" and e["occurred_at"] + e["dwell_seconds"] * MICROS >= as_of:
            e["dwell_seconds"], e["dwell_basis"] = NAN, "none"
    return rows


def _count_heartbeats(rows: list[Row]) -> None:
    """5 seconds for the first heartbeat of a page view, 10 for one in each further interval of 10 seconds."""
    intervals: dict[str, set[int]] = {}
    for e in rows:
        if e["page_view_id"] is None or not math.isnan(e["dwell_seconds"]):
            continue
        before, interval = intervals.setdefault(e["page_view_id"], set()), e["occurred_at"] // (10 * MICROS)
        if interval not in before:
            e["dwell_seconds"], e["dwell_basis"] = (10.0 if before else 5.0), "measured"
            before.add(interval)


def _number_sessions(web: list[Row]) -> None:
    number = 0
    for before, e in zip([None, *web], web, strict=False):
        if before is not None:
            gap = e["occurred_at"] - before["occurred_at"] > 30 * MINUTE
            other = None not in (e["session_id"], before["session_id"]) and e["session_id"] != before["session_id"]
            number += gap or other
        e["session"] = number


def _fill_gaps(rows: list[Row]) -> None:
    for _, group in groupby([e for e in rows if e["session"] is not None], key=lambda e: e["session"]):
        visit = list(group)
        if any(e["type"] == "engagement" and not math.isnan(e["dwell_seconds"]) for e in visit):
            continue
        for i, e in enumerate(visit):
            if not e["view"] or not math.isnan(e["dwell_seconds"]):
                continue
            following = [later for later in visit[i + 1 :] if later["view"]]
            end = following[0] if following else visit[-1]
            gap = (end["occurred_at"] - e["occurred_at"]) / MICROS
            e["dwell_seconds"] = gap if following or gap > 0 else NAN
            e["dwell_basis"] = "gap" if following or gap > 0 else e["dwell_basis"]


# -- what came before, and who else -----------------------------------------------------------------------------
def outcomes_of(case: Case, lead: int, kind: str) -> list[int]:
    return sorted(o["occurred_at"] for o in case.outcomes if o["lead"] == lead and o["kind"] == kind)


def may(case: Case, lead: int, purpose: str, as_of: int) -> bool:
    """A consent given before as_of, and nothing withdrawn since."""
    if not case.require_consent:
        return True
    mine = [c for c in case.consents if c["lead"] == lead and c["purpose"] == purpose]
    gone = [c["withdrawn_at"] for c in mine if NULL_TIME < c["withdrawn_at"] < as_of]
    given = [c["given_at"] for c in mine if c["given_at"] < as_of]
    return any(not any(at <= end for end in gone) for at in given)


def _standing(case: Case, lead: int, as_of: int) -> int:
    """Deals won before as_of; a cancellation ends the latest before it."""
    times = [at for at in outcomes_of(case, lead, "converted") if at < as_of]
    cancelled = set()
    for gone in outcomes_of(case, lead, "cancelled"):
        before = [i for i, at in enumerate(times) if at <= gone < as_of]
        cancelled |= set(before[-1:])
    return len(times) - len(cancelled)


def _account(profile: Row) -> tuple[str, str] | None:
    if profile.get("account_id"):
        return "crm", profile["account_id"]
    if profile.get("email_domain") and profile["email_kind"] in ("business", "role"):
        return "domain", profile["email_domain"].lower()
    return None


def _others(case: Case, lead: int, as_of: int, key: Callable[[Row], Any]) -> list[int]:
    """Who else has the lead's key at as_of."""
    mine = key(profile_of(case, lead, as_of))
    everybody = [q for q in range(len(case.created_at)) if q != lead and may(case, q, "scoring", as_of)]
    return [q for q in everybody if mine is not None and key(profile_of(case, q, as_of)) == mine]


def _active(case: Case, lead: int, as_of: int) -> bool:
    first: dict[str, int] = {}
    for event in case.events:
        whose, known_from = owner(case, event)
        if whose == lead and not event["is_bot"] and event["direction"] != "outbound":
            seen = max(event["occurred_at"], event["received_at"], known_from)
            first[event["event_id"]] = min(seen, first.get(event["event_id"], seen))
    return may(case, lead, "tracking", as_of) and any(as_of - 28 * DAY <= seen < as_of for seen in first.values())


def of_before(case: Case, lead: int, as_of: int) -> dict[str, float]:
    allowed = may(case, lead, "scoring", as_of)
    same = [lead, *_others(case, lead, as_of, lambda p: p.get("email_hash"))] if allowed else []
    others = _others(case, lead, as_of, _account) if allowed else []
    titles = [profile_of(case, q, as_of)["title"] for q in others]
    group = _account(profile_of(case, lead, as_of))
    contacts = [at for q in others if (at := _contact(case, q, group)) != NULL_TIME]
    return {
        "won_before": sum(_standing(case, q, as_of) for q in same),
        "lost_before": sum(at < as_of for q in same for at in outcomes_of(case, q, "lost")),
        "account_people": len(others),
        "account_active_28d": sum(_active(case, q, as_of) for q in others),
        "account_departments": len({department(t) for t in titles if t is not None} - {"other"}),
        "account_first_contact_days": (as_of - min(contacts)) / DAY if contacts else NAN,
        "account_won": sum(_standing(case, q, as_of) for q in others),
    }


def _contact(case: Case, lead: int, group: Any) -> int:
    """Since when the lead is known in a group: its first row there that held at all."""
    rows = [r for r in case.leads if r["lead"] == lead]
    held = [r for r in rows if not any(since(o) == since(r) and o["source_row"] > r["source_row"] for o in rows)]
    return min(since(r) for r in held if _account(r) == group)


def since(row: Row) -> int:
    return row["created_at"] if row["valid_from"] == NULL_TIME else row["valid_from"]


def profile_of(case: Case, lead: int, as_of: int) -> Row:
    rows = [r for r in case.leads if r["lead"] == lead and since(r) < as_of]
    return max(rows, key=lambda r: (since(r), r["source_row"]), default={})
