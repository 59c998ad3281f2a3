"""What a dataset tells of a points file: names that are not there, points nobody was ever given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from data.dataset import Dataset
from data.records import Coded
from features.content import Content, ContentMap
from features.family import Moment
from training.assemble import content_map
from training.rules import MQL, SALES_READY, Rules, score_points
from training.rules_check import unreachable
from training.rules_file import EngagementRule, EventMatch
from training.rules_finding import Finding, Part, close, parts_of
from training.rules_match import counted_events, matches
from training.rules_reach import is_number, literals
from training.rules_rows import everybody, standings

KEPT_APART = ("lead", "lead_id", "account_id", "created_at", "valid_from", "source_row", "email_hash")


@dataclass
class Seen:
    """What a dataset holds. texts: column -> its values, None for numbers. met: rule -> leads or events it counted."""

    texts: dict[str, set[str] | None] = field(default_factory=dict)
    contents: set[Content] = field(default_factory=set)
    met: Counter[str] = field(default_factory=Counter)
    leads: int = 0
    mqls: int = 0
    ready: int = 0
    highest: int = 0


def check_data(rules: Rules, dataset: Dataset, as_of: int, context: bool = False) -> list[Finding]:
    """What the leads there were just before `as_of` tell of the points, problems first."""
    seen = _walk(rules, dataset, as_of, context)
    content = content_map(dataset)
    found: list[Finding] = []
    for part in parts_of(rules):
        found += _rule(part, seen, content, dataset.info.has_times)
    lost = {code for at, rule in parts_of(rules) for code in [rule.code] if _is_lost(found, at)}
    if lost:
        kept = rules.file.model_copy(
            update={n: [r for r in getattr(rules.file, n) if r.code not in lost] for n in ("fit", "engagement")}
        )
        known = {f.at for f in unreachable(rules)}
        found += [f for f in unreachable(Rules(rules.text, kept), " in this dataset") if f.at not in known]
    found += _nobody(seen)
    return sorted(found, key=lambda f: f.level != "problem")


def _is_lost(found: Sequence[Finding], at: tuple[str | int, ...]) -> bool:
    return any(f.level == "problem" and f.at[:2] == at for f in found)


def _walk(rules: Rules, dataset: Dataset, as_of: int, context: bool) -> Seen:
    seen = Seen()
    for _, moment in everybody(dataset, as_of, context):
        _look(moment, rules, seen)
    return seen


def _look(moment: Moment, rules: Rules, seen: Seen) -> None:
    for name, column in moment.leads.columns.items():
        if name in KEPT_APART:
            continue
        if isinstance(column, Coded):
            used = {column.values[c] for c in np.unique(column.codes).tolist() if c >= 0}
            seen.texts[name] = used | (seen.texts.get(name) or set())
        else:
            seen.texts[name] = None
    journeys = moment.journeys
    seen.contents |= {journeys.vocabulary.contents[c] for c in np.unique(journeys.content).tolist() if c >= 0}
    for _, rule in parts_of(rules):
        if isinstance(rule, EngagementRule) and rule.event is not None:
            seen.met[rule.code] += counted_events(rule, journeys)
        else:
            seen.met[rule.code] += int(matches(rule, moment.leads).sum())
    points = score_points(rules, moment)
    standing = standings(rules, points)
    seen.leads += len(points)
    seen.mqls += int((standing >= MQL).sum())
    seen.ready += int((standing == SALES_READY).sum())
    seen.highest = max(seen.highest, int(points.total.max(initial=0)))


# -- one rule ----------------------------------------------------------------------------------------------------
def _rule(part: Part, seen: Seen, content: ContentMap, has_times: bool) -> list[Finding]:
    at, rule = part
    if isinstance(rule, EngagementRule) and rule.event is not None:
        if not has_times:
            what = "looks at events, and a table without times has none: its points are never given"
            return [Finding("problem", (*at, "event"), what, "Look at a column of totals instead.")]
        found = list(_event_names(part, rule.event, seen.contents, content))
        nobody = "no event of the dataset is one of these"
    else:
        found = list(_column(part, seen))
        nobody = "no lead of the dataset meets it"
    if not found and not seen.met[rule.code]:
        found = [Finding("note", at, nobody, "Its points were never given; remove it if that will not change.")]
    return found


def _column(part: Part, seen: Seen) -> Iterator[Finding]:
    at, rule = part
    assert rule.column is not None
    if rule.column not in seen.texts:
        near = close(rule.column, sorted(seen.texts))
        what = f"the dataset has no column {rule.column!r}: its points are never given"
        yield Finding(
            "problem", (*at, "column"), what, _meant(near, "Map it with leadlift import, or remove the rule.")
        )
        return
    texts, number = seen.texts[rule.column], is_number(rule)
    if (texts is None and number is False) or (texts is not None and number):
        holds, asks = ("numbers", "texts") if texts is None else ("texts", "bounds")
        yield Finding("problem", at, f"column {rule.column} holds {holds}, the rule asks for {asks}", "Change either.")
    elif texts is not None:
        folded = {t.strip().casefold() for t in texts}
        for value in literals(rule):
            near = close(str(value), sorted(texts)) if str(value).strip().casefold() not in folded else None
            if near:
                yield Finding("problem", at, f"{rule.column} is never {value!r}", f"Did you mean {near!r}?")


def _event_names(part: Part, event: EventMatch, seen: set[Content], content: ContentMap) -> Iterator[Finding]:
    """Names of contents that neither the content map nor the events know."""
    known = {
        "content_type": {c.type for c in seen} | {str(r.entry.get("type", "other")) for r in content.rules},
        "topic": {c.topic for c in seen if c.topic} | {str(t) for r in content.rules if (t := r.entry.get("topic"))},
        "stage": {c.stage for c in seen if c.stage} | {str(s) for r in content.rules if (s := r.entry.get("stage"))},
        "content_id": {c.content_id for c in seen} | {str(r.entry["id"]) for r in content.rules},
    }
    for key, names in known.items():
        for text in getattr(event, key) or ():
            made = key == "content_id" and any(r.named(text) for r in content.rules)
            if text not in names and not made:
                what = f"{key} {text!r} is neither in the content map nor in the events: it is never counted"
                remedy = _meant(close(text, sorted(names)), "Correct it, or add that content to the map.")
                yield Finding("problem", (*part[0], "event", key), what, remedy)


def _meant(near: str | None, otherwise: str) -> str:
    return f"Did you mean {near!r}?" if near else otherwise


def _nobody(seen: Seen) -> Iterator[Finding]:
    for name, count in (("mql", seen.mqls), ("sales_ready", seen.ready)):
        if seen.leads and not count:
            what = f"none of {seen.leads:,} leads reaches it; the highest total is {seen.highest}"
            yield Finding("note", (name,), what, "Lower the thresholds if that is not meant.")
