"""What `leadlift numbers` prints: tables, and the sentences that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from data.currency import exponent_of
from serving.console import Screen

if TYPE_CHECKING:
    from training.launches import LaunchRow
    from training.number_figures import Figures
    from training.numbers import SourceFigures
    from training.numbers_report import NumbersReport

NONE = "-"
COUNTED = (
    ("visitors", "visitors"), ("visits", "visits"), ("leads", "leads"), ("ready at first contact", "ready"), ("MQL", "mql"),
    ("accepted", "accepted"), ("won", "won"), ("cancelled", "cancelled"),
)  # fmt: skip
RATES = (
    ("bounce rate", "bounce_rate", "bounce"), ("lead rate", "lead_rate", "lead"),
    ("ready at first contact", "ready_share", "ready"), ("conversion", "conversion", "conversion"),
)  # fmt: skip
BY_SOURCE = (
    "visitors", "bounced", "leads", "before", "ready", "accepted", "won", "conversion", "expected", "spend", "per lead",
    "per expected",
)  # fmt: skip


def show(screen: Screen, report: NumbersReport, top: int) -> None:
    """Everything in the report, at most `top` rows of a table that may be long."""
    _show_numbers(screen, report)
    _sentences(screen, report)
    _show_sources(screen, report, top)
    if report.launches:
        _show_launches(screen, report, top)
    _show_rising(screen, report, top)
    _show_quiet(screen, report)
    for alarm in report.alarms:
        screen.say(f"! {alarm.sentence}")
    for note in report.notes:
        screen.say(note)
    _definitions(screen)


def _show_numbers(screen: Screen, report: NumbersReport) -> None:
    now, before = report.numbers.total, report.before.total
    rows = [[n, count(getattr(now, k)), "", count(getattr(before, k))] for n, k in COUNTED]
    rows += [[n, share(getattr(now, k)), interval(now, i), share(getattr(before, k))] for n, k, i in RATES]
    quartiles = f"{days(report.numbers.days_low)} to {days(report.numbers.days_high)}"
    rows.append(["days from lead to customer", days(report.numbers.days_median),
                 quartiles, days(report.before.days_median)])  # fmt: skip
    rows.append(["expected customers", number(now.expected), "", number(before.expected)])
    for name, key in (("spend", "spend"), ("cost per lead", "cost_per_lead"), ("per expected customer", "cost_per_expected")):  # fmt: skip
        cells = [money(getattr(f, key), report.currency) for f in (now, before)]
        rows.append([f"{name}, {report.currency}", cells[0], "", cells[1]])
    title = f"Numbers of {report.numbers.period.text}; before: {report.before.period.text}"
    screen.table(title, ("", "now", "95 % interval, quartiles", "before"), rows)


def _sentences(screen: Screen, report: NumbersReport) -> None:
    from training.periods import day

    now, before = report.numbers.total, report.before.total
    screen.say(f"{now.leads:,} leads came ({before.leads:,} before), {now.accepted:,} were accepted ({before.accepted:,}) "
               f"and {now.won:,} won ({before.won:,}).")  # fmt: skip
    if now.expected is not None and now.scored:
        screen.say(f"Of {now.scored:,} of these leads {number(now.expected)} customers are expected within "
                   f"{report.horizon_days} days of their look.")  # fmt: skip
    for period, figures in ((report.numbers.period, now), (report.before.period, before)):
        if figures.told_expected is not None:
            screen.say(f"{period.text}, the {figures.told:,} leads whose answers are final: {number(figures.told_expected)} "
                       f"customers were expected, {figures.told_won:,} came: {reconciled(figures)}.")  # fmt: skip
    screen.say(f"Data through {day(report.data_through - 1)}; leads created before {day(report.matured_through)} "
               "have final answers.")  # fmt: skip


def reconciled(figures: Figures) -> str:
    """How what came stands to what was expected."""
    assert figures.told_low is not None
    assert figures.told_high is not None
    place = (
        "fewer than" if figures.told_won < figures.told_low
        else "more than" if figures.told_won > figures.told_high else "within"
    )  # fmt: skip
    return f"{place} what chance explains, {figures.told_low:.1f} to {figures.told_high:.1f}"


def _show_sources(screen: Screen, report: NumbersReport, top: int) -> None:
    for title, name in (("By channel", "channels"), ("By channel and campaign", "campaigns")):
        rows: Sequence[SourceFigures] = getattr(report.numbers, name)
        earlier = {(r.channel, r.campaign): r.figures for r in getattr(report.before, name)}
        cells = [_source(r, earlier.get((r.channel, r.campaign)), report.currency) for r in rows[:top]]
        more = f"; {len(rows) - top} more in --json" if len(rows) > top else ""
        screen.table(f"{title}, money in {report.currency}{more}", (name[:-1], *BY_SOURCE), cells)


def _source(row: SourceFigures, before: Figures | None, currency: str) -> list[str]:
    f = row.figures
    return [
        source(row), count(f.visitors), share(f.bounce_rate), count(f.leads), count(before.leads if before else None),
        count(f.ready), count(f.accepted), count(f.won), share(f.conversion), number(f.expected), money(f.spend, currency),
        money(f.cost_per_lead, currency), money(f.cost_per_expected, currency),
    ]  # fmt: skip


def source(row: SourceFigures | LaunchRow) -> str:
    """A channel and campaign as they may be shown."""
    from training.monitor.alarm import shown
    from training.numbers import ALL_CAMPAIGNS
    from training.sources import NO_CAMPAIGN

    if row.campaign == ALL_CAMPAIGNS:
        return shown(row.channel)
    return f"{shown(row.channel)} / {NONE if row.campaign == NO_CAMPAIGN else shown(row.campaign)}"


def _show_launches(screen: Screen, report: NumbersReport, top: int) -> None:
    rows = [[source(r), r.launched, count(r.leads), number(r.expected), money(r.spend, report.currency),
             money(r.cost_per_lead, report.currency), money(r.cost_per_expected, report.currency), count(r.won),
             f"{r.low:.1f} to {r.high:.1f}" if r.low is not None else NONE, r.final_on or NONE,
             money(r.cost_per_won, report.currency)] for r in report.launches[:top]]  # fmt: skip
    names = ("campaign", "launched", "leads", "expected", "spend", "per lead", "per expected", "won", "by chance",
             "final on", "per won")  # fmt: skip
    screen.table(f"Campaigns launched in the period: their first week, money in {report.currency}", names, rows)


def _show_rising(screen: Screen, report: NumbersReport, top: int) -> None:
    told = [r for r in report.rising if r.claimed]
    if not told:
        screen.say(f"No content rises or falls beyond chance, of {len(report.rising)} looked at.")
        return
    rows = [[r.content, count(r.people), count(r.people_before), f"{r.change:.2f}", f"{r.low:.2f} to {r.high:.2f}",
             f"{r.beyond:.2f}", r.verdict] for r in told[:top]]  # fmt: skip
    names = ("content", "people", "before", "change", "95 % interval", "beyond all", "")
    screen.table(f"Contents that rise or fall beyond chance, of {len(report.rising)}", names, rows)


def _show_quiet(screen: Screen, report: NumbersReport) -> None:
    title = f"The middle of the funnel: open leads without an outbound touch for {report.quiet_days} days or more"
    rows = [[r.stage, count(r.leads), count(r.never), count(r.quiet), share(r.share), f"{r.low:.1%} to {r.high:.1%}",
             days(r.median_days)] for r in report.quiet]  # fmt: skip
    screen.table(title, ("stage", "open leads", "never", "quiet", "share", "95 % interval", "median days"), rows)


def _definitions(screen: Screen) -> None:
    from training.number_figures import DEFINITIONS

    screen.say("\nWhat is what:")
    for name, text in DEFINITIONS.items():
        screen.say(f"  {name}: {text}.")


# -- cells -----------------------------------------------------------------------------------------------------------
def count(value: int | None) -> str:
    return NONE if value is None else f"{value:,}"


def share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f}"


def money(value: float | None, currency: str) -> str:
    return NONE if value is None or value == 0 else f"{value:,.{exponent_of(currency)}f}"


def days(value: float | None) -> str:
    return NONE if value is None or value != value else f"{value:.0f}"


def interval(figures: Figures, name: str) -> str:
    low, high = getattr(figures, f"{name}_low"), getattr(figures, f"{name}_high")
    return NONE if low is None else f"{low:.1%} to {high:.1%}"
