"""What the commands of `leadlift rules` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from serving.console import Screen

if TYPE_CHECKING:
    from training.evaluate import Interval
    from training.rules import Rules
    from training.rules_backtest import Backtest, Group
    from training.rules_diff import Difference, Mover
    from training.rules_finding import Located
    from training.rules_suggest import Suggestion

WORDS = {
    "auc": "AUC", "capture_at_5": "capture at 5 %", "capture_at_10": "capture at 10 %",
    "capture_at_20": "capture at 20 %", "mql_rate": "MQL: rate", "mql_capture": "MQL: capture",
    "sales_ready_rate": "sales-ready: rate", "sales_ready_capture": "sales-ready: capture",
}  # fmt: skip
VERDICTS = {
    "better": "By AUC the suggested points order leads better than the hand-made ones.",
    "worse": "By AUC the suggested points order leads worse than the hand-made ones: keep these.",
    "no different": "By AUC the suggested points are not different from the hand-made ones beyond noise.",
}
SHOWN_ENTRIES = 3


def findings(screen: Screen, found: Sequence[Located], name: str, rules: Rules) -> None:
    """Problems first, each with line, place and remedy."""
    entries = len(rules.file.fit) + len(rules.file.engagement)
    title = f"{name}, version {rules.version}: {entries} rules"
    rows = [(f.level, str(f.line), f.entry, f.what, f.remedy) for f in found]
    if rows:
        screen.table(title, ("level", "line", "where", "what", "what to do"), rows, left=5)
    else:
        screen.say(f"{title}, nothing to report")


# -- diff --------------------------------------------------------------------------------------------------------
def difference(screen: Screen, found: Difference, top: int) -> None:
    """Transitions, stages, channels and movers."""
    for line in found.rules or ["the files give the same points"]:
        screen.say(line)
    moved = found.transitions.total()
    screen.say(f"\n{moved:,} of {found.leads.total():,} leads change grade, {found.by_thresholds:,} of them by the "
               f"thresholds alone. Sales-ready: {found.ready_before.total():,} before, {found.ready_after.total():,} after; "
               f"{found.newly_ready.total():,} newly, {found.fallen.total():,} no longer.")  # fmt: skip
    if moved:
        rows = [(a, b, f"{n:,}") for (a, b), n in sorted(found.transitions.items(), key=lambda i: (-i[1], i[0]))]
        screen.table("grade transitions", ("from", "to", "leads"), rows[:top], left=2)
    screen.table(
        "stages", ("from", "to", "leads"), [(a, b, f"{n:,}") for (a, b), n in sorted(found.stages.items())], left=2
    )
    rows = [
        (c, *(f"{n:,}" for n in (n, found.ready_before[c], found.newly_ready[c], found.fallen[c])))
        for c, n in sorted(found.leads.items(), key=lambda i: (-i[1], i[0]))
    ]
    screen.table("by first channel", ("channel", "leads", "ready before", "newly ready", "no longer ready"), rows)
    if found.movers:
        columns = ("lead", "total", "grade", "moved by")
        screen.table("largest movers", columns, [_mover(m) for m in found.movers[:top]], left=4)


def _mover(mover: Mover) -> tuple[str, ...]:
    shown = [f"{e.label} {e.new - e.old:+d}" for e in mover.entries[:SHOWN_ENTRIES]]
    more = len(mover.entries) - len(shown)
    return (
        mover.lead_id, f"{mover.old_total} -> {mover.new_total}", f"{mover.old_grade} -> {mover.new_grade}",
        ", ".join(shown) + (f" and {more} more" if more else ""),
    )  # fmt: skip


# -- backtest ----------------------------------------------------------------------------------------------------
def backtest(screen: Screen, found: Backtest, name: str, target: str) -> None:
    """Thresholds, then grades; what is too few is marked."""
    when = f" from {found.first} to {found.last}" if found.first else ""
    within = f" within {found.horizon_days} days of a look" if found.horizon_days else ""
    everybody = found.everybody
    screen.say(f"{name} on {everybody.looks:,} looks at {everybody.leads:,} past leads{when}; {everybody.converted:,} leads "
               f"{target}{within}. {found.censored:,} looks are not final yet.")  # fmt: skip
    columns = ("", "looks", "leads", "converted", "false alarms", "rate of looks", "lift", "capture", "")
    screen.table("thresholds, 90 % intervals by lead", columns, [_group(g) for g in (everybody, *found.thresholds)])
    rows = [_group(g) for g in found.grades if g.looks]
    screen.table("grades, 90 % intervals by lead", columns, rows)
    if any(g.few for g in (*found.grades, *found.thresholds) if g.looks):
        screen.say("few: below 10 converted or 10 other leads; read the interval, not the figure.")


def _group(group: Group) -> tuple[str, ...]:
    counts = (group.looks, group.leads, group.converted, group.false_alarms)
    return (
        group.name, *(f"{n:,}" for n in counts), _percent(group.rate), _plain(group.lift), _percent(group.capture),
        "few" if group.few else "",
    )  # fmt: skip


def _percent(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value:.1%} ({interval.low:.1%}-{interval.high:.1%})"


def _plain(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"


# -- suggest -----------------------------------------------------------------------------------------------------
def suggestion(screen: Screen, found: Suggestion, name: str) -> None:
    """Both points beside each other, then how they do."""
    rows = [(line.code, f"{line.hand_made:+d}", f"{line.suggested:+d}", f"{line.factor:.2f}") for line in found.lines]
    screen.table(f"points of {name} and from data", ("rule", "hand-made", "suggested", "worth in the data"), rows)
    screen.say(
        "worth in the data: 1 = as the hand-made points say beside the other rules; 0 = nothing, or the contrary."
    )
    counts = found.counts
    judged = [
        (WORDS[n], f"{p.hand_made:.3f}", f"{p.suggested:.3f}", f"{d.value:+.3f} ({d.low:+.3f} to {d.high:+.3f})")
        for n, p in found.measures.items()
        for d in [p.difference]
    ]
    title = (f"judged on {counts['judging']:,} looks with {counts['judging_conversions']:,} converted leads ({found.split}); "
             "90 % interval, paired by lead")  # fmt: skip
    screen.table(title, ("measure", "hand-made", "suggested", "difference"), judged)
    for when, looks in (("training", found.ready), ("judged", found.judged.ready())):
        a, b = looks["hand_made"], looks["suggested"]
        screen.say(f"{when} looks, hand-made and suggested: MQL {a['mql']:,} and {b['mql']:,}, "
                   f"sales-ready {a['sales_ready']:,} and {b['sales_ready']:,}")  # fmt: skip
    screen.say(VERDICTS[found.verdict] + " They are not served before both teams approve them.")
