"""Dead, thin and doubled feeds: whole records, kinds of events, hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.records import DAY, WEB_TYPES
from training.monitor.alarm import Alarm, figure, percent
from training.monitor.marks import Mark
from training.monitor.noise import WEEKS, WINDOWS, Level, least, level, middle, run_of, weeks
from training.monitor.tally import Tally
from training.periods import day

I64 = NDArray[np.int64]

DEAD, THIN, DOUBLED, SURGE = "dead_feed", "half_feed", "doubled_feed", "surge"
SILENT, FEW, MANY, TWICE = 0.05, 0.65, 1.6, 3.0  # now over before: dead below the first, thin below the second ...
FEWEST = 8.0  # events that a window must usually have
ALIKE = 0.12  # how far the shares of pages may differ, beyond chance, where the same events came twice
REPEATED, FEWEST_REPEATED = 0.15, 20  # share of events that only repeat another one, above what is usual
EVENTS, WEB = "events", "web events"
OUTCOMES = "outcomes: "
WHOLE, WELL = 0.9, 0.75  # share of the web's events that is all of the web; least ratio of what is not ill
_REMEDY = {
    DEAD: "look at {what}",
    THIN: "does part of it still arrive? Look at {what}",
    DOUBLED: "is it sent or loaded twice?",
    SURGE: "bots, a campaign, or a second tracker? Look at the commonest pages",
}
_KEEPERS = {
    "leads": "the form and the CRM's export", "outcomes": "the CRM's export", "spend": "the export of costs",
    "links": "identify calls and forms, where visitors become leads",
}  # fmt: skip


@dataclass(frozen=True)
class Feed:
    """One stream of rows: its name, its counts, how many days its record reaches back, and whether it may also surge."""

    name: str
    mark: Mark
    span: int
    parent: str = ""
    rises: bool = True
    thins: bool = True

    def levels(self) -> Iterator[Level]:
        for window in WINDOWS:
            found = level(self.mark.counts, window, self.span)
            if found is not None and found.before >= FEWEST:
                yield found


@dataclass(frozen=True)
class Finding:
    """A feed that strays, and the window that shows it best."""

    feed: Feed
    kind: str
    level: Level
    p: float


def feeds_of(tally: Tally) -> list[Feed]:
    """Everything that is counted as a feed; kinds of events and hosts where there are several."""
    reach = tally.reach
    out = [Feed(n, m, reach.get(n, 0), rises=n == EVENTS) for n, m in sorted(tally.records.of.items())]
    out += [
        Feed(OUTCOMES + n, m, reach.get("outcomes", 0), rises=False, thins=False)
        for n, m in sorted(tally.outcomes.of.items())
    ]
    for parent, marks in (("types", tally.types), ("hosts", tally.hosts)):
        if len(marks.of) > 1:  # a single one is the whole
            out += [Feed(n, m, reach.get("events", 0), parent) for n, m in sorted(marks.of.items())]
    return out


def feed_alarms(tally: Tally, loads: Mapping[str, int | None]) -> list[Alarm]:
    """`loads`: when something last arrived by source of imports; a source that fell silent with a feed is named."""
    feeds = feeds_of(tally)
    found = _whole(_strays(feeds, tally), feeds)
    return [_alarm(f, tally, loads) for f in found]


def _strays(feeds: list[Feed], tally: Tally) -> list[Finding]:
    tests = [(f, lv, side) for f in feeds for lv in f.levels() for side in ("low", "high")]
    stands = least([getattr(lv, side) for _, lv, side in tests])
    best: dict[str, Finding] = {}
    for (feed, lv, side), out in zip(tests, stands, strict=True):
        kind = _kind(feed, lv, side, tally) if out else None
        key = f"{feed.parent}/{feed.name}"
        p = getattr(lv, side)
        if kind is not None and (key not in best or p < best[key].p):
            best[key] = Finding(feed, kind, lv, p)
    return list(best.values())


def _kind(feed: Feed, lv: Level, side: str, tally: Tally) -> str | None:
    if side == "low":
        if lv.ratio <= SILENT:
            return DEAD
        return THIN if feed.thins and lv.ratio <= FEW else None
    if not feed.rises or lv.ratio < MANY:
        return None
    return DOUBLED if lv.ratio <= TWICE and alike(tally, lv.window) else SURGE


def alike(tally: Tally, window: int) -> bool:
    """Are the pages of the last days those of the weeks before, in the same shares?"""
    now = tally.cells[:window].sum(axis=0).astype(np.float64)
    before = tally.cells[7 : 7 * (WEEKS + 1)].sum(axis=0).astype(np.float64)
    if not now.sum() or not before.sum():
        return False
    usual = before / before.sum()
    chance = float(np.sqrt(usual * (1 - usual) / now.sum() * 2 / np.pi).sum()) / 2
    return float(np.abs(now / now.sum() - usual).sum()) / 2 <= ALIKE + 2 * chance


# -- one cause, one alarm ----------------------------------------------------------------------------------------
def _whole(found: list[Finding], feeds: list[Feed]) -> list[Finding]:
    """What strays for one cause is told once: the hosts or the kinds of events that explain it, else all events."""
    out = _outcomes([f for f in found if not f.feed.parent and f.feed.name != EVENTS])
    for kinds in ((DEAD, THIN), (DOUBLED, SURGE)):
        side = [f for f in found if f.kind in kinds and (f.feed.parent or f.feed.name == EVENTS)]
        if side:
            out += _cause(side, feeds)
    return out


def _outcomes(found: list[Finding]) -> list[Finding]:
    """Several kinds of outcomes that fell silent are one export."""
    dead = [f for f in found if f.feed.name.startswith(OUTCOMES)]
    if len(dead) < 2:
        return found
    mark = Mark()
    for one in dead:
        mark.add(one.feed.mark.counts, one.feed.mark.first, one.feed.mark.last)
    best = min(dead, key=lambda f: f.p)
    joined = Feed("outcomes", mark, best.feed.span)
    told = replace(best, feed=joined, level=level(mark.counts, best.level.window, joined.span) or best.level)
    return [*(f for f in found if f not in dead), told]


def _cause(side: list[Finding], feeds: list[Feed]) -> list[Finding]:
    whole = [f for f in side if not f.feed.parent]
    types, hosts = ([f for f in side if f.feed.parent == parent] for parent in ("types", "hosts"))
    window = min(side, key=lambda f: f.p).level.window
    for parts, parent in ((hosts, "hosts"), (types, "types")):
        siblings = [f for f in feeds if f.parent == parent]
        if parts and _rest_is_well([f for f in siblings if f not in [p.feed for p in parts]], window):
            return _web(parts, siblings) if parent == "types" else parts
    return whole or _web(types, [f for f in feeds if f.parent == "types"]) or hosts


def _rest_is_well(rest: list[Feed], window: int) -> bool:
    """Do the other parts, taken together, come as ever? Where they are too few to say, the whole is told."""
    levels = [lv for f in rest if (lv := level(f.mark.counts, window, f.span)) is not None]
    before, now = sum(lv.before for lv in levels), sum(lv.now for lv in levels)
    return before >= FEWEST and WELL <= now / before <= 1 / WELL


def _web(types: list[Finding], feeds: list[Feed]) -> list[Finding]:
    """The kinds of events that a web tracker sends as one, where nearly all of them stray alike."""
    web = [f for f in feeds if f.name in WEB_TYPES]
    best = min(types, key=lambda f: f.p, default=None)
    alike = [f for f in types if best is not None and f.feed.name in WEB_TYPES and f.kind == best.kind]
    if best is None or len(alike) < 2 or _share(alike, web) < WHOLE:
        return types
    mark = Mark()
    for feed in web:
        mark.add(feed.mark.counts, feed.mark.first, feed.mark.last)
    joined = Feed(WEB, mark, best.feed.span)
    told = replace(best, feed=joined, level=level(mark.counts, best.level.window, joined.span) or best.level)
    return [told, *(f for f in types if f not in alike)]


def _share(found: list[Finding], feeds: list[Feed]) -> float:
    """The share of the usual week that some findings have among some feeds."""
    usual = {f.name: middle(w) if len(w := weeks(f.mark.counts, 7, f.span)) else 0.0 for f in feeds}
    total = sum(usual.values())
    return sum(usual.get(f.feed.name, 0.0) for f in found) / total if total else 0.0


# -- words -------------------------------------------------------------------------------------------------------
def _alarm(found: Finding, tally: Tally, loads: Mapping[str, int | None]) -> Alarm:
    feed, lv = found.feed, found.level
    since = feed.mark.last if found.kind == DEAD and not feed.mark.counts[: lv.window].any() else _since(found, tally)
    a_day = lv.before / lv.window
    name = _named(feed)
    silent = [s for s, latest in loads.items() if latest is not None and abs(latest - feed.mark.last) <= DAY // 24]
    source = silent[0] if found.kind == DEAD and len(silent) == 1 else feed.name
    outcome = feed.name.startswith("outcomes")
    what = _KEEPERS.get("outcomes" if outcome else feed.name, f"the collector of {source} and its import")
    if found.kind == DEAD:
        says = f"{figure(lv.now)} {name} since {day(since)}; before ~{figure(a_day)} a day"
    else:
        much = {THIN: "only", DOUBLED: "twice the usual:", SURGE: "far more than usual:"}[found.kind]
        says = (f"{name}: {much} {figure(lv.now)} in the last {_days(lv.window)} since {day(since)}; "
                f"before {figure(lv.before)} ({percent(lv.ratio)})")  # fmt: skip
    numbers = {"now": lv.now, "before": round(lv.before, 1), "days": lv.window, "before_a_day": round(a_day, 2)}
    return Alarm(found.kind, says, _REMEDY[found.kind].format(what=what), source, None, since, numbers, found.p)


def _named(feed: Feed) -> str:
    """What the rows of a feed are called in a sentence."""
    if feed.parent:
        return f"events on {feed.name}" if feed.parent == "hosts" else f"{feed.name} events"
    if feed.name.startswith(OUTCOMES):
        return f"'{feed.name.removeprefix(OUTCOMES)}' outcomes"
    return "rows of spend" if feed.name == "spend" else feed.name


def _days(window: int) -> str:
    return "24 hours" if window == 1 else f"{window} days"


def _since(found: Finding, tally: Tally) -> int:
    """The first of the days that stray without a break."""
    counts, span = found.feed.mark.counts, found.feed.span
    usual = np.array([middle(w) if len(w := weeks(counts[i:], 1, span - i)) else 0.0 for i in range(7)])
    usual = usual[np.arange(len(counts)) % 7][: min(span, 28)]
    ratio = counts[: len(usual)] / np.maximum(usual, 1e-9)
    odd = ratio < (1 + FEW) / 2 if found.kind in (DEAD, THIN) else ratio > (1 + MANY) / 2
    return tally.as_of - run_of(odd, usual < 2) * DAY


# -- told twice --------------------------------------------------------------------------------------------------
def repeat_alarms(tally: Tally) -> list[Alarm]:
    """Feeds that bring what they brought already, under other ids."""
    return [a for name in ("events", "leads") for a in _repeats(tally, name)]


def _repeats(tally: Tally, name: str) -> list[Alarm]:
    again, once = tally.repeats.of.get(name, Mark()).counts, tally.records.of.get(name, Mark()).counts
    earlier = again[7:].sum() / max(float((again + once)[7:].sum()), 1.0)
    for window in WINDOWS:
        n, whole = int(again[:window].sum()), int((again + once)[:window].sum())
        share = n / max(whole, 1)
        if n < FEWEST_REPEATED or share - earlier < REPEATED:
            continue
        shares = again / np.maximum(again + once, 1)
        since = tally.as_of - run_of(shares[:28] > (share + earlier) / 2, (again + once)[:28] < 2) * DAY
        same = "person, page and second" if name == "events" else "second, domain, title, company and country"
        says = (f"{name} told twice since {day(since)}: {n:,} of {whole:,} in the last {_days(window)} repeat another one's "
                f"{same} under a new id; before {percent(earlier)}")  # fmt: skip
        remedy = f"is the {'tag on the page twice, or the file loaded twice' if name == 'events' else 'form or the export sent twice'}?"
        numbers = {
            "repeated": n,
            "now": whole,
            "share": round(share, 4),
            "share_before": round(float(earlier), 4),
            "days": window,
        }
        return [Alarm(DOUBLED, says, remedy, name, None, since, numbers)]
    return []
