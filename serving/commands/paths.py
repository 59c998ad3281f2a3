"""`leadlift paths`: which content paths convert."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from data.dataset import consenting, open_dataset
from data.errors import UsageError
from data.files import replace_text, safe_cell
from serving.arguments import ConfigOption, DatasetArgument, parse_time, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.content_paths import PathReport
    from training.path_order import OrderReport

TARGETS = {"won": "converted", "converted": "converted", "accepted": "accepted"}
BY = ("content", "type", "topic", "stage")


def register(app: typer.Typer) -> None:
    app.command("paths")(paths)


def paths(
    dataset: DatasetArgument,
    target: Annotated[str, typer.Option(help="won (net of cancellations) or accepted.")] = "won",
    landmark: Annotated[int, typer.Option(min=0, help="Days after the lead came at which its path is taken.")] = 7,
    by: Annotated[str, typer.Option(help="content, type, topic or stage.")] = "type",
    steps: Annotated[int, typer.Option(min=1, max=5, help="Last steps of a path that count.")] = 3,
    support: Annotated[int, typer.Option(min=5, help="Fewest leads on a path shown.")] = 30,
    top: Annotated[int, typer.Option(min=1, help="Rows printed; the CSV has all.")] = 15,
    as_of: Annotated[
        str | None, typer.Option(help="As if it were this moment; default just after the last arrival.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all rows to this file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Content paths with leads, conversions, rate with its 95 % interval and lift; all leads are in the denominator."""
    from training import content_paths, path_order
    from training.run import moment_of
    from training.snapshots import policy_of

    screen = Screen(as_json)
    if target not in TARGETS:
        raise UsageError(f"--target: expected one of {', '.join(TARGETS)}, got {target!r}.")
    if by not in BY:
        raise UsageError(f"--by: expected one of {', '.join(BY)}, got {by!r}.")
    settings = settings_for(dataset, config)
    opened = consenting(open_dataset(dataset), settings.privacy.require_consent)
    now = moment_of(opened, parse_time(as_of, "--as-of") if as_of else None)
    policy = policy_of(settings.snapshots)
    report = content_paths.content_paths(opened, policy, TARGETS[target], now, landmark, by, steps, support)  # type: ignore[arg-type]
    order = path_order.path_order(opened, policy, TARGETS[target], now, support)
    _show(screen, report, top)
    _show_order(screen, order)
    if csv_file is not None:
        _write_csv(csv_file, report)
        screen.say(f"{len(report.rows)} paths written to {csv_file}")
    screen.result({**vars(report), "target": target, "by": by, "rows": [r.document() for r in report.rows],
                   "order": order.document()})  # fmt: skip
    screen.next_steps(
        f"leadlift paths {dataset} --by content --csv paths.csv",
        "a rate is associated with a path, not caused by it: test before you rebuild",
    )


def _show(screen: Screen, report: PathReport, top: int) -> None:
    title = (f"Content paths up to day {report.landmark_days}, conversions in the {report.horizon_days} days after; "
             f"all leads: {report.conversions:,} of {report.leads:,} = {report.rate:.1%}")  # fmt: skip
    rows = [[r.text, f"{r.leads:,}", f"{r.conversions:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}",
             f"{r.lift:.2f}", f"{r.lift_low:.2f} to {r.lift_high:.2f}"] for r in report.rows[:top]]  # fmt: skip
    screen.table(title, ("path", "leads", "converted", "rate", "95 % interval", "lift", "95 % interval"), rows)
    screen.say(f"{report.below_support:,} leads on rarer paths, {report.censored:,} not matured yet, "
               f"{report.closed_before:,} won or lost before day {report.landmark_days}.")  # fmt: skip


def _show_order(screen: Screen, order: OrderReport) -> None:
    """The pairs of content types whose order is claimed to matter."""
    if not order.claimed:
        screen.say(f"Order matters in none of {len(order.rows)} pairs of content types, views and visits held equal.")  # fmt: skip
        return
    rows = [[r.text, f"{r.leads:,}", f"{r.conversions_in_order:,} of {r.looks_in_order:,}",
             f"{r.conversions - r.conversions_in_order:,} of {r.looks - r.looks_in_order:,}", f"{r.ratio:.2f}",
             f"{r.low:.2f} to {r.high:.2f}"] for r in order.claimed]  # fmt: skip
    title = f"Order that matters, of {len(order.rows)} pairs: conversions after visits of leads that had seen both"
    screen.table(title, ("order", "leads", "in order", "otherwise", "ratio", "95 % interval"), rows)


def _write_csv(file: Path, report: PathReport) -> None:
    """All rows; cells that a spreadsheet would run are defused."""
    names = ("path", "leads", "conversions", "rate", "low", "high", "lift", "lift_low", "lift_high")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in report.rows:
        writer.writerow([safe_cell(row.text), *(getattr(row, n) for n in names[1:])])
    replace_text(file, out.getvalue())
