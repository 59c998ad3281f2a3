"""`leadlift paths`: which content paths lead to leads and to customers, and how sure that is."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import UsageError
from data.files import replace_text, safe_cell
from data.settings import Settings
from serving.arguments import ConfigOption, DatasetArgument, parse_time, settings_for
from serving.commands import paths_more
from serving.commands.paths_gates import gate_tally, gates
from serving.console import JsonOption, Screen
from serving.insights.choice import TARGETS, Choice
from serving.insights.plan import Plan
from serving.insights.tables import LANGS

if TYPE_CHECKING:
    from training.activation import ActivationRow, ActivationTally
    from training.content_effect import EffectRow
    from training.content_paths import PathReport
    from training.hypotheses import HypothesisRow
    from training.path_order import LookTally, OrderReport
    from training.trails import Asked, Trails

BY = ("content", "type", "topic", "stage")
CSV_NAMES = (
    "people", "conversions", "rate", "low", "high", "lift", "lift_low", "lift_high", "q", "claimed", "cancelled",
    "cancelled_share", "dwell_seconds", "days_to_convert", "probability", "points",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("paths")(paths)


def paths(
    dataset: DatasetArgument,
    target: Annotated[
        str, typer.Option(help="lead (of visitors), mql, accepted, won (net of cancellations) or cancelled.")
    ] = "won",
    landmark: Annotated[
        str, typer.Option(help="When the path is taken: visit, days such as 7, 30 or 90, or step:1 to step:5.")
    ] = "7",
    by: Annotated[str, typer.Option(help="content, type, topic or stage.")] = "type",
    steps: Annotated[int, typer.Option(min=1, max=5, help="Last steps of a path that count.")] = 3,
    support: Annotated[int, typer.Option(min=5, help="Fewest people on a path shown.")] = 30,
    top: Annotated[int, typer.Option(min=1, help="Rows printed; the CSV has all.")] = 15,
    as_of: Annotated[
        str | None, typer.Option(help="As if it were this moment; default just after the last arrival.")
    ] = None,
    scores: Annotated[
        Path | None, typer.Option(help="A published rescoring for probability and points; default the champion's.")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write all rows to this file.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report: one file with every view, to be mailed and opened offline.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Prepare the page /insights/: all targets, by this landmark and support.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the report: en or de.")] = "en",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Content paths with people, conversions, rate with its 95 % interval and lift; everybody is in the denominator."""
    from training import content_effect, content_paths, trails
    from training.activation import ActivationTally
    from training.dwell_topics import DwellTally
    from training.funnel import DropTally
    from training.path_targets import LEAD
    from training.touches import TouchTally

    screen = Screen(as_json)
    _refuse(by, lang, scores is not None and (html is not None or publish))
    settings = settings_for(dataset, config)
    opened = consenting(open_dataset(dataset), settings.privacy.require_consent)
    asked = _asked(opened, settings, target, landmark, by, as_of, scores)
    order, activation = _order_tally(opened, asked), ActivationTally(asked.policy, asked.now)
    met = gate_tally(opened, asked)
    also = activation if asked.target == LEAD else order.crowd if order else None
    topics, drops, stages, visits = DwellTally(), DropTally("content"), DropTally("stage"), TouchTally()
    found = trails.trails_of(opened, asked, [tell for tell in (also, met) if tell], [topics, drops, stages, visits])
    report = content_paths.path_report(found, asked, steps, support)
    _show(screen, report, top)
    effects = content_effect.effect_rows(found, support)
    more = paths_more.source_paths(screen, found, steps, support, top)
    more |= _contents(screen, found, effects, top) | _order(screen, order, support)
    more |= gates(screen, opened, met, asked, top)
    more |= paths_more.dwell_topics(screen, topics, top) | paths_more.touches(screen, visits)
    more |= paths_more.drop_offs(screen, drops, stages, asked.policy.horizon_days, top)
    more |= _try(screen, _hypotheses(opened, settings, asked, report, found, effects, support), top)
    if asked.target == LEAD:
        more |= _activation(screen, activation, top)
    if csv_file is not None:
        _write_csv(csv_file, report)
        screen.say(f"{len(report.rows)} paths written to {csv_file}")
    if html is not None:
        choice = Choice(asked.target, by=by, lang=lang)
        _write_report(screen, html, opened, settings, asked, Plan(landmark, steps, support), choice)
    if publish:
        more["published"] = str(publish_page(screen, opened, settings, asked.now, Plan(landmark, steps, support)))
    screen.result({**report.document(), "by": by, **more})
    screen.next_steps(
        f"leadlift paths {dataset} --by content --csv paths.csv",
        f"leadlift experiment plan {dataset} NAME --first PAGE --then PAGE   (a rate is associated with a path, not caused "
        "by it: test before you rebuild)",
    )


def _refuse(by: str, lang: str, scores_for_page: bool) -> None:
    if by not in BY:
        raise UsageError(f"--by: expected one of {', '.join(BY)}, got {by!r}.")
    if lang not in LANGS:
        raise UsageError(f"--lang: expected {' or '.join(LANGS)}, got {lang!r}.")
    if scores_for_page:
        raise UsageError(
            "--scores: expected neither --html nor --publish beside it: they ask the champion. Leave it out."
        )


def _write_report(
    screen: Screen, file: Path, dataset: Dataset, settings: Settings, asked: Asked, plan: Plan, choice: Choice
) -> None:
    from serving.insights.report import write_report

    write_report(file, dataset, settings, asked.now, plan, choice)
    screen.say(f"report written to {file}")


def publish_page(screen: Screen, dataset: Dataset, settings: Settings, now: int, plan: Plan) -> Path:
    """Prepare the page of the dataset's market, and say so."""
    from serving.insights.publish import publish

    with screen.progress("targets prepared", len(TARGETS)) as advance:
        place = publish(dataset, settings, now, plan, advance)
    screen.say(
        "The page shows it: /insights/ of leadlift serve. A key to sign in: leadlift keys create --name NAME --scope insights"
    )
    return place


def _asked(
    dataset: Dataset, settings: Settings, target: str, landmark: str, by: str, as_of: str | None, scores: Path | None
) -> Asked:
    from serving.path_scores import said_on_paths
    from training.landmarks import Landmark
    from training.path_targets import TARGET_MQL, known_target
    from training.rules_rows import rules_in_force
    from training.run import moment_of
    from training.snapshots import policy_of
    from training.trails import Asked, refuse_without_times

    target, when = known_target(target), Landmark.parse(landmark)
    refuse_without_times(dataset)
    now = moment_of(dataset, parse_time(as_of, "--as-of") if as_of else None)
    rules = None
    if target == TARGET_MQL:
        rules, _ = rules_in_force(None, dataset, settings.home, dataset.info.name)
    said = said_on_paths(settings, dataset, target, scores)
    return Asked(target, policy_of(settings.snapshots), now, when, by, rules, said, settings.training.threads)  # type: ignore[arg-type]


# -- on the screen ---------------------------------------------------------------------------------------------------
def _show(screen: Screen, report: PathReport, top: int) -> None:
    who = "visitors" if report.target == "lead" else "leads"
    title = (f"Content paths up to {report.landmark}, target {report.target} in the {report.horizon_days} days after; "
             f"all {who}: {report.conversions:,} of {report.people:,} = {report.rate:.1%}")  # fmt: skip
    rows = [[r.text, f"{r.people:,}", f"{r.conversions:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}",
             f"{r.lift:.2f}", f"{r.lift_low:.2f} to {r.lift_high:.2f}", "yes" if r.claimed else "no",
             _days(r.days_to_convert), _share(r.probability)] for r in report.rows[:top]]  # fmt: skip
    names = (
        "path",
        who,
        "converted",
        "rate",
        "95 % interval",
        "lift",
        "95 % interval",
        "claimed",
        "days",
        "probability",
    )
    screen.table(title, names, rows)
    counts = report.counts
    screen.say(f"{report.below_support:,} {who} on rarer paths, {counts.censored:,} not matured yet, "
               f"{counts.closed_before:,} converted or lost before {report.landmark}, {counts.not_reached:,} never "
               f"got there. {len(report.claimed)} of {len(report.rows)} paths claimed at a false-discovery rate of "
               "5 %.")  # fmt: skip
    if report.target == "won":
        rows = [[r.channel, f"{r.people:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}", f"{r.cancelled:,}",
                 _share(r.cancelled_share)] for r in report.sources]  # fmt: skip
        screen.table("By source", ("channel", who, "won", "95 % interval", "cancelled", "of who bought"), rows)


def _share(value: float) -> str:
    return f"{value:.1%}" if value == value else "-"


def _days(value: float) -> str:
    return f"{value:.0f}" if value == value else "-"


def _contents(screen: Screen, found: Trails, effects: Sequence[EffectRow], top: int) -> dict[str, Any]:
    """Effects, removal and attribution of contents, shown and as they are in the document."""
    from training.content_attribution import attribution_rows
    from training.removal import removal_rows

    removals, written = removal_rows(found), attribution_rows(found)
    _show_effects(screen, effects[:top], {r.content: r.effect for r in removals})
    lists = {"effects": effects, "removal": removals, "attribution": written}
    return {name: [r.document() for r in rows] for name, rows in lists.items()}


def _show_effects(screen: Screen, effects: Sequence[EffectRow], removal: dict[str, float]) -> None:
    rows = [[r.content, f"{r.people_with:,}", f"{r.rate_with:.1%}", _share(r.rate_without), _ratio(r.ratio),
             "-" if np.isnan(r.ratio) else f"{_ratio(r.ratio_low)} to {_ratio(r.ratio_high)}", "yes" if r.claimed else "no",
             f"{removal.get(r.content, 0.0):.1%}"] for r in effects]  # fmt: skip
    screen.table(
        "Contents; the ratio holds other contents, views, days, time and channel equal; associated with, not caused by",
        ("content", "saw it", "rate with", "without", "ratio", "95 % interval", "claimed", "pass through"), rows,
    )  # fmt: skip


def _hypotheses(
    dataset: Dataset, settings: Settings, asked: Asked, report: PathReport, found: Trails, effects: Sequence[EffectRow],
    support: int,
) -> tuple[HypothesisRow, ...]:  # fmt: skip
    from training.assemble import content_map
    from training.experiments import experiments_of
    from training.hypotheses import hypothesis_rows, kinds_of

    kinds = kinds_of(found.names, asked.by, content_map(dataset))
    tried = experiments_of(settings.home, dataset.info.name)
    return hypothesis_rows(found, report.rows, effects, kinds, asked.target, tried, support)


def _try(screen: Screen, rows: Sequence[HypothesisRow], top: int) -> dict[str, Any]:
    """What to try, and what it may be worth."""
    cells = [[r.text, f"{r.reach:,.1f}", f"{r.followed_rate:.1%}", f"{r.others_rate:.1%}", f"{r.gain:,.2f}",
              f"{r.gain_low:,.2f} to {r.gain_high:,.2f}", r.experiment or "-"] for r in rows[:top]]  # fmt: skip
    names = ("link", "people a week", "saw both", "only the first", "gain a week", "95 % interval", "experiment")
    if rows:
        screen.table("What to try; a gain begins at 0 until an experiment of its kind was read", names, cells)
    else:
        screen.say("Nothing to try: no page or path is claimed to convert more.")
    return {"hypotheses": [r.document() for r in rows]}


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value == value else "-"


def _order_tally(dataset: Dataset, asked: Asked) -> LookTally | None:
    """Which order of types matters is asked where outcomes tell; None for other targets."""
    from training.path_order import LookTally
    from training.path_targets import OUTCOME

    outcome = OUTCOME.get(asked.target)
    return LookTally(dataset, asked.policy, outcome, asked.now) if outcome else None


def _order(screen: Screen, tally: LookTally | None, support: int) -> dict[str, Any]:
    from training.path_order import order_report

    if tally is None:
        return {"order": None}
    order = order_report(tally.looks(), tally.types, support)
    _show_order(screen, order)
    return {"order": order.document()}


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


def _activation(screen: Screen, tally: ActivationTally, top: int) -> dict[str, Any]:
    """Where visitors became leads."""
    from training.activation import ALL_CHANNELS, rows_of

    rows = rows_of(tally.found())
    _show_activation(screen, [r for r in rows if r.channel == ALL_CHANNELS][:top])
    return {"activation": [r.document() for r in rows]}


def _show_activation(screen: Screen, rows: Sequence[ActivationRow]) -> None:
    cells = [[r.content, r.action, f"{r.leads:,} of {r.visitors:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}",
              _share(r.accepted_rate), _share(r.won_rate), f"{_share(r.won_low)} to {_share(r.won_high)}"]
             for r in rows]  # fmt: skip
    names = ("content", "action", "became leads", "rate", "95 % interval", "accepted", "won", "95 % interval")
    screen.table("Where visitors became leads, and what became of these (--json has every channel)", names, cells)


def _write_csv(file: Path, report: PathReport) -> None:
    """All rows; cells that a spreadsheet would run are defused, what is not known is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("path", *CSV_NAMES))
    for row in report.rows:
        document = row.document()
        writer.writerow([safe_cell(row.text), *(document[n] for n in CSV_NAMES)])
    replace_text(file, out.getvalue())
