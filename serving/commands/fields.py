"""`leadlift fields`: which fields a form should ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from data.dataset import open_dataset
from serving.arguments import ConfigOption, DatasetArgument, MarketOption, TargetOption, parse_time, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.field_costs import Cost
    from training.field_worth import Figure
    from training.fields import FieldReport

COLUMNS = (
    "field", "answered", "log loss saved", "95 % interval", "customers more", "95 % interval", "behaviour tells", "cost",
    "verdict",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fields")(fields)


def fields(
    dataset: DatasetArgument,
    target: TargetOption = None,
    market: MarketOption = None,
    as_of: Annotated[
        str | None, typer.Option(help="As if it were this moment; default just after the last arrival.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds, equal figures.")] = 0,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish",
            help="Leave the verdicts for the page /insights/, which shows them from its next preparation on.",
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which fields a form should ask for: what each answer is worth, what asking costs, what behaviour tells already."""
    from training.fields import field_report
    from training.periods import day
    from training.run import market_of, moment_of
    from training.work import Request

    screen = Screen(as_json)
    settings, opened = settings_for(dataset, config), open_dataset(dataset)
    moment = parse_time(as_of, "--as-of") if as_of else None
    named = market_of(opened, market)
    asked = Request(named, target or settings.training.target, moment, 1, seed, screen.advancing)
    report = field_report(opened, settings, asked)
    _show(screen, report)
    if publish:
        from serving.insights.field_table import keep

        keep(settings.home, opened.info.name, report, day(moment_of(opened, moment) - 1))
        screen.say("Left for the page /insights/: its next preparation shows it.")
    screen.result(report.document())
    screen.next_steps(
        f"leadlift paths {dataset} --publish" if publish else f"leadlift paths {dataset}",
        "ask one field less in half of the visits before you change every form: what was seen is no experiment",
    )


def _show(screen: Screen, report: FieldReport) -> None:
    scale = 100 / report.base
    rows = [[r.field, f"{r.fill_rate:.0%}", _number(r.worth, scale, " %"), _interval(r.worth, scale), _number(r.caught),
             _interval(r.caught), _told(r.told), _cost(r.cost), r.verdict] for r in report.rows]  # fmt: skip
    within = f" in {report.horizon_days} days" if report.horizon_days else ""
    title = (f"Fields of forms, of {report.leads:,} leads at their first look; {report.conversions:,} of them "
             f"{report.target}{within}")  # fmt: skip
    screen.table(title, COLUMNS, rows)
    for verdict, why in dict.fromkeys((r.verdict, r.why) for r in report.rows):
        names = [r.field for r in report.rows if (r.verdict, r.why) == (verdict, why)]
        screen.say(f"{verdict}, for {why}: {', '.join(names)}.")
    screen.say("log loss: share of the base rate's, where the answer is known. customers more: in the best fifth of 1,000 "
               "leads. Both on leads the model had not seen.")  # fmt: skip
    if report.forms < 0:
        screen.say("cost: not known, for visitors may not be counted or there are no times.")
    elif all(r.cost.cost != r.cost.cost for r in report.rows):
        screen.say(f"cost: not known: {report.forms} contents have forms, and no field is asked by some of them alone.")


def _number(found: Figure, scale: float = 1.0, unit: str = "") -> str:
    return f"{scale * found.value:+.1f}{unit}" if found.value == found.value else "-"


def _interval(found: Figure, scale: float = 1.0) -> str:
    return f"{scale * found.low:+.1f} to {scale * found.high:+.1f}" if found.low == found.low else "-"


def _told(found: Figure) -> str:
    return f"{max(found.value, 0.0):.0%}" if found.value == found.value else "-"


def _cost(cost: Cost) -> str:
    """Points of completions fewer (or more) on forms that ask it."""
    return f"{100 * cost.low:+.1f} to {100 * cost.high:+.1f} points" if cost.cost == cost.cost else "-"
