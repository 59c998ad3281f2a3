"""`leadlift numbers`: what both teams count, by period, channel and campaign; exit 3 where volume rises and quality falls."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import InputError, UsageError, Verdict
from data.files import replace_text, safe_cell
from data.records import DAY
from data.settings import Settings
from serving.arguments import ConfigOption, DatasetArgument, parse_time, settings_for
from serving.commands import numbers_tables
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.lead_facts import NumbersAsked
    from training.numbers import Numbers
    from training.periods import Period

USUAL_DAYS = 28


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("numbers")(numbers)


def numbers(
    dataset: DatasetArgument,
    first: Annotated[
        str | None, typer.Option("--from", help="First day (UTC), such as 2026-10-01; default 28 days up to --to.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, included; default the last whole day of the data.")
    ] = None,
    quiet_days: Annotated[
        int, typer.Option(min=1, help="Open leads without an outbound touch for so many days are counted by stage.")
    ] = 14,
    top: Annotated[int, typer.Option(min=1, help="Rows printed of long tables; --json and the CSV have all.")] = 15,
    scores: Annotated[
        Path | None,
        typer.Option(help="A published rescoring for probabilities; default the champion's at first looks."),
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the rows by campaign to this file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Visitors, leads, MQL, accepted, won, rates, expected customers and costs, by channel and campaign. Exit 3 on alarm."""
    from training.numbers_report import numbers_report

    screen = Screen(as_json)
    settings = settings_for(dataset, config)
    opened = consenting(open_dataset(dataset), settings.privacy.require_consent)
    asked = _asked(opened, settings, first, last, scores)
    with screen.progress("walks over the records", 2) as advance:
        report = numbers_report(opened, asked, quiet_days, advance)
    numbers_tables.show(screen, report, top)
    if csv_file is not None:
        _write_csv(csv_file, report.numbers)
        screen.say(f"{len(report.numbers.campaigns)} rows written to {csv_file}")
    screen.result(report.document())
    days = report.before.period.document()
    screen.next_steps(
        f"leadlift numbers {dataset} --from {days['from']} --to {days['to']}      any days; as many before stand beside",
        f"leadlift paths {dataset}      which content these people saw, and what became of them",
    )
    if report.alarms:
        raise Verdict(f"{opened.info.name}: {len(report.alarms)} sources bring more leads and worse ones; see above.")


def _asked(
    dataset: Dataset, settings: Settings, first: str | None, last: str | None, scores: Path | None
) -> NumbersAsked:
    from serving.path_scores import said_by
    from serving.rescore_sets import pointer_of
    from training.lead_facts import NumbersAsked
    from training.path_targets import WON
    from training.rules_rows import rules_in_force
    from training.run import moment_of
    from training.snapshots import policy_of
    from training.trails import refuse_without_times

    refuse_without_times(dataset)
    if dataset.info.latest_arrival is None:
        raise InputError.of(
            where=dataset.place, expected="records", got="none yet", remedy="Run leadlift import first."
        )
    now = moment_of(dataset, None)
    period = period_of(first, last, now)
    rules, _ = rules_in_force(None, dataset, settings.home, dataset.info.name)
    said = said_by(settings, dataset.info.name, WON, scores)
    pointer = pointer_of(scores) if scores is not None else None
    return NumbersAsked(
        policy_of(settings.snapshots), now, period, rules, said, pointer and int(pointer["as_of"]),
        settings.training.threads,
    )  # fmt: skip


def period_of(first: str | None, last: str | None, now: int) -> Period:
    """The period of `--from` and `--to`, both days included; `now` is the end of the data, us.

    Raises
    ------
    UsageError
        for what is no day, a period that ends before it begins, or one that ends after the data.
    """
    from training.periods import Period, day

    end = now // DAY * DAY if last is None else _day(last, "--to") + DAY
    start = end - USUAL_DAYS * DAY if first is None else _day(first, "--from")
    if start >= end:
        raise UsageError(f"--from: expected a day up to {day(end - 1)}, which is --to, got {first}.")
    if end - DAY >= now:
        raise UsageError(f"--to: expected a day up to the data's end, {day(now - 1)}, got {last}.")
    return Period(start, end)


def _day(text: str, option: str) -> int:
    at = parse_time(text, option)
    if at % DAY or len(text) > 10:
        raise UsageError(f"{option}: expected a day such as 2026-10-01, got {text!r}.")
    return at


def _write_csv(file: Path, numbers: Numbers) -> None:
    """All rows by campaign; cells that a spreadsheet would run are defused, what is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    rows = [r.document() for r in numbers.campaigns]
    names = list(rows[0]) if rows else ["channel", "campaign"]
    writer.writerow(names)
    for row in rows:
        writer.writerow([safe_cell(v) if isinstance(v, str) else v for v in row.values()])
    replace_text(file, out.getvalue())
