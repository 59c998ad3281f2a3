"""`leadlift monitor`: what is wrong tonight, by cause; exit 3 on alarm."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from data.errors import UsageError, Verdict
from serving.arguments import ConfigOption, DatasetArgument, MarketOption, TargetOption, parse_time, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from data.lake import Lake
    from training.monitor.feeds import Feed
    from training.monitor.watch import Watch

BARS = " ▁▂▃▄▅▆▇█"
SHOWN = 14


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("monitor")(monitor)


def monitor(
    dataset: DatasetArgument,
    as_of: Annotated[
        str | None, typer.Option(help="The moment, or `now` for a nightly job; default just after the last arrival.")
    ] = None,
    market: MarketOption = None,
    target: TargetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What is wrong tonight: dead or doubled feeds, renamed tags, new defaults, bots, units, base rate, model. Exit 3 on alarm."""
    from data.store.store import open_lake
    from training.monitor.watch import watch

    screen, lake = Screen(as_json), open_lake(dataset)
    settings = settings_for(dataset, config)
    with screen.progress("walks over the records", 2) as advance:
        found = watch(
            lake, settings, market or lake.info.name, target or settings.training.target, _moment(lake, as_of), advance
        )
    _show(screen, found)
    screen.result(found.document())
    if found.alarms:
        screen.next_steps(f"leadlift check {dataset}", f"leadlift models --market {found.market}")
        kinds = ", ".join(dict.fromkeys(a.kind for a in found.alarms))
        raise Verdict(f"{found.market}: {len(found.alarms)} alarms: {kinds}. Each line above says what to do.")
    screen.next_steps(f"leadlift monitor {dataset} --as-of now      every night; exit code 3 is an alarm")


def _moment(lake: Lake, as_of: str | None) -> int:
    if as_of == "now":
        return time.time_ns() // 1000
    if as_of is not None:
        return parse_time(as_of, "--as-of")
    if lake.info.latest_arrival is None:
        raise UsageError("--as-of: expected a moment, because nothing has arrived in this dataset yet. Import first.")
    return lake.info.latest_arrival + 1


def _show(screen: Screen, found: Watch) -> None:
    from training.periods import day

    title = f"market {found.market} on {day(found.as_of)}: events a week, the last week at the right"
    rows = [_row(f) for f in found.feeds if f.mark.counts.any()]
    screen.table(title, ("feed", "nine weeks", "last week", "usual week", "now"), rows[:SHOWN], left=2)
    if found.months:
        shown = [
            (n, f"{m.looks:,}", f"{m.observed:,.0f}", f"{m.expected:,.1f}", "{:,.1f}-{:,.1f}".format(*m.interval))
            for n, m in found.months
        ]
        head = ("month", "leads looked at", "converted", "predicted", "90 % interval")
        screen.table("calibration of what was served", head, shown)
    rates = [
        (f"{r.length} days", f"{r.observed:,.0f}", f"{r.expected:,.1f}", f"{r.now:.2%}", f"{r.before:.2%}")
        for r in found.rates
    ]
    if rates:
        screen.table("conversions of open leads", ("last", "counted", "to expect", "a month", "before"), rates)
    screen.table("checks", ("check", "", "why"), [(c.name, c.state, c.note) for c in found.checks], left=3)
    for alarm in found.alarms:
        screen.say(f"! {alarm.sentence}")
    if not found.alarms:
        screen.say("no alarm")


def _row(feed: Feed) -> tuple[str, str, str, str, str]:
    """One feed: weeks as bars, and the last one against the middle of the others."""
    from training.monitor.noise import middle, weeks

    by_week = feed.mark.counts.reshape(-1, 7).sum(axis=1)[::-1]
    most = max(int(by_week.max()), 1)
    bars = "".join(BARS[-(-int(n) * (len(BARS) - 1) // most)] for n in by_week)
    earlier = weeks(feed.mark.counts, 7, feed.span)
    usual = middle(earlier) if len(earlier) else None
    share = "-" if not usual else f"{int(by_week[-1]) / usual:.0%}"
    return feed.name, bars, f"{int(by_week[-1]):,}", "-" if usual is None else f"{usual:,.0f}", share
