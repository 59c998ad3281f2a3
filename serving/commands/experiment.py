"""`leadlift experiment plan|read`: what a change has to show, and whether it did."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.dataset import Dataset, consenting, open_dataset
from data.errors import InputError, UsageError, Verdict
from data.files import replace_text, safe_cell
from data.records import DAY
from data.settings import Settings
from serving.arguments import ConfigOption, DatasetArgument, parse_time, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from training.experiments import Plan, Reading
    from training.rules import Rules

NameArgument = Annotated[str, typer.Argument(help="Its name: small letters, digits and hyphens.")]
AsOfOption = Annotated[str | None, typer.Option(help="As if it were this moment; default just after the last arrival.")]
BY = ("content", "type", "topic", "stage")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Try what paths suggest: plan, read.")
    for command in (plan, read):
        group.command(command.__name__)(command)
    app.add_typer(group, name="experiment")


def plan(
    dataset: DatasetArgument,
    name: NameArgument,
    first: Annotated[str, typer.Option(help="Where the change is: people count when they come here.")],
    then: Annotated[str, typer.Option(help="Where it leads; who has seen it before is not in it.")],
    by: Annotated[str, typer.Option(help="What both are names of: content, type, topic or stage.")] = "content",
    target: Annotated[str, typer.Option(help="lead (of visitors), mql, accepted, won or cancelled.")] = "won",
    effect: Annotated[
        float, typer.Option(min=1.0, help="Smallest effect worth seeing: times as many who convert.")
    ] = 1.2,
    level: Annotated[float, typer.Option(min=0.001, max=0.5, help="Of the two-sided test.")] = 0.05,
    power: Annotated[float, typer.Option(min=0.5, max=0.99, help="Chance to see that effect.")] = 0.8,
    unit: Annotated[str, typer.Option(help="Whose id decides: visitor (the tracker's) or lead.")] = "visitor",
    start: Annotated[str | None, typer.Option(help="First day of the change; default now.")] = None,
    script: Annotated[Path | None, typer.Option(help="Write the JavaScript for the page here.")] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write the arm of everybody known here.")] = None,
    as_of: AsOfOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """People per arm, weeks, and who is in which arm, before anything is changed."""
    from training import experiments
    from training.assignment import known_name, script_of
    from training.experiment_read import planned

    screen = Screen(as_json)
    _one_of(by, BY, "--by")
    _one_of(unit, experiments.UNITS, "--unit")
    opened, settings, now = _opened(dataset, config, as_of)
    market = opened.info.name
    file = experiments.folder_of(settings.home, market) / f"{known_name(name)}.json"
    begin = parse_time(start, "--start") if start else now
    draft = _draft(opened, settings, (name, first, then, by), (target, unit), (effect, level, power), begin)
    if file.exists():
        found = _planned_before(
            experiments.experiment_of(settings.home, market, name).plan, draft, file, script or csv_file
        )
    else:
        found = planned(
            opened, draft, _policy(settings), now, _rules(opened, settings, draft.target), settings.training.threads
        )
    if csv_file is not None:
        _write_arms(csv_file, opened, name, unit)
    if script is not None:
        replace_text(script, script_of(name))
    if not file.exists():
        experiments.keep(settings.home, market, experiments.Experiment(found))
    _show_plan(screen, found, dataset, script)
    screen.result({**found.document(), "market": market, "file": str(file)})


def read(
    dataset: DatasetArgument,
    name: NameArgument,
    delivered: Annotated[
        Path | None, typer.Option(help="CSV with columns id and arm: what the page gave, to hold against the hash.")
    ] = None,
    as_of: AsOfOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The arms compared once all have matured. Exit 3 where that is too early, or the arms are broken."""
    from training import experiments
    from training.experiment_read import reading_of

    screen = Screen(as_json)
    opened, settings, now = _opened(dataset, config, as_of)
    market = opened.info.name
    kept = experiments.experiment_of(settings.home, market, name)
    told = _delivered(delivered) if delivered else None
    rules = _rules(opened, settings, kept.plan.target)
    found = reading_of(opened, kept.plan, _policy(settings), now, rules, settings.training.threads, told)
    experiments.keep(settings.home, market, experiments.Experiment(kept.plan, found))
    _show_reading(screen, kept.plan, found)
    screen.result({**found.document(), "name": name, "market": market})
    if found.verdict != experiments.READ:
        raise Verdict(f"experiment {name}: {found.why}")
    screen.next_steps(f"leadlift paths {dataset}   (what to try next, with what was learnt)")


# -- what is asked ---------------------------------------------------------------------------------------------------
def _one_of(word: str, words: tuple[str, ...], option: str) -> None:
    if word not in words:
        raise UsageError(f"{option}: expected one of {', '.join(words)}, got {word!r}.")


def _opened(dataset: str, config: Path | None, as_of: str | None) -> tuple[Dataset, Settings, int]:
    from training.run import moment_of
    from training.trails import refuse_without_times

    settings = settings_for(dataset, config)
    opened = consenting(open_dataset(dataset), settings.privacy.require_consent)
    refuse_without_times(opened)
    return opened, settings, moment_of(opened, parse_time(as_of, "--as-of") if as_of else None)


def _policy(settings: Settings) -> Any:
    from training.snapshots import policy_of

    return policy_of(settings.snapshots)


def _rules(dataset: Dataset, settings: Settings, target: str) -> Rules | None:
    from training.path_targets import TARGET_MQL
    from training.rules_rows import rules_in_force

    return rules_in_force(None, dataset, settings.home, dataset.info.name)[0] if target == TARGET_MQL else None


def _draft(
    dataset: Dataset, settings: Settings, pages: tuple[str, str, str, str], who: tuple[str, str],
    figures: tuple[float, float, float], start: int,
) -> Plan:  # fmt: skip
    """The plan without what the data says."""
    from training.assemble import content_map
    from training.experiments import Plan
    from training.hypotheses import kinds_of
    from training.path_targets import known_target

    name, first, then, by = pages
    kinds = kinds_of((first, then), by, content_map(dataset))
    horizon = round(_policy(settings).horizon / DAY)
    return Plan(name, known_target(who[0]), first, then, by, (kinds[first], kinds[then]), who[1], start, start, horizon,
                0.0, 0.0, *figures, 0, 0)  # fmt: skip


def _planned_before(kept: Plan, draft: Plan, file: Path, wanted: Path | None) -> Plan:
    """The plan as it was kept: its script and arms may be written again, it never changes."""
    same = all(getattr(kept, n) == getattr(draft, n) for n in ("first", "then", "by", "target", "unit"))
    if wanted is None or not same:
        raise UsageError(f"NAME: expected a new name, got {kept.name}, which is planned already. Choose another one, "
                         f"delete {file}, or give the same pages with --script or --csv to write these again.")  # fmt: skip
    return kept


def _delivered(file: Path) -> dict[str, str]:
    """Arm by id of a CSV."""
    from training.assignment import ARMS

    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise UsageError(f"--delivered: expected a CSV in UTF-8, got none at {file}. Check the path.") from None
    for number, row in enumerate(rows, 2):
        if not row.get("id") or row.get("arm") not in ARMS:
            raise InputError.of(where=f"{file}, line {number}", expected=f"an id and an arm ({' or '.join(ARMS)})",
                                got="something else", remedy="The columns are id and arm.")  # fmt: skip
    return {row["id"]: row["arm"] for row in rows}


# -- what is written and shown ---------------------------------------------------------------------------------------
def _write_arms(file: Path, dataset: Dataset, name: str, unit: str) -> None:
    """Every id that is known with its arm, by id; a cell that a spreadsheet would run is defused."""
    from training.assignment import ARMS, arms_of

    tables = {"visitor": ("events", "visitor_id"), "lead": ("leads", "lead_id")}
    lake = dataset.lake
    column = lake.texts(*tables[unit], range(lake.info.buckets))
    ids = sorted(column.unique().drop_null().to_pylist())
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("id", "arm"))
    writer.writerows(zip(map(safe_cell, ids), (ARMS[a] for a in arms_of(name, ids).tolist()), strict=True))
    replace_text(file, out.getvalue())


def _show_plan(screen: Screen, found: Plan, dataset: str, script: Path | None) -> None:
    from training.periods import day

    rows = [
        ["people who come a week", f"{found.people_per_week:,.0f}"],
        [f"of them {found.target} within {found.horizon_days} days", f"{found.baseline:.2%}"],
        ["worth seeing", f"{found.baseline * found.ratio:.2%} ({found.ratio:g} times as many)"],
        ["people in each arm", f"{found.per_arm:,}"],
        ["weeks", f"{found.weeks:,}"],
        ["from, to before", f"{day(found.start)}, {day(found.until)}"],
    ]
    screen.table(f"Experiment {found.name}: from {found.first} to {found.then}", ("", ""), rows)
    if found.weeks > 26:
        screen.say("More than half a year: look for a larger effect, or change a page that more people see.")
    screen.next_steps(
        f"make the change for the arm treatment: {script or f'the same command with --script {found.name}.js'} is the page's script",
        f"leadlift experiment read {dataset} {found.name}   (when the weeks and the days after them are over)",
    )


def _show_reading(screen: Screen, plan: Plan, found: Reading) -> None:
    before = "-" if found.before_p is None else f"{found.before_p:.2g}"
    screen.say(f"Experiment {plan.name}, {plan.first} to {plan.then}: {found.verdict}. {found.why}")
    screen.say(f"Assigned {found.people[0]:,} and {found.people[1]:,} (p {found.sample_ratio_p:.2g} for halves); before the "
               f"change {found.before[0]:,} and {found.before[1]:,} alike with p {before}.")  # fmt: skip
    if not found.arms:
        return
    rows = [[a.arm, f"{a.people:,}", f"{a.conversions:,}", f"{a.rate:.2%}", f"{a.low:.2%} to {a.high:.2%}"]
            for a in found.arms]  # fmt: skip
    screen.table(f"{plan.target} within {plan.horizon_days} days", ("arm", "people", "converted", "rate", "95 %"), rows)
    screen.say(f"Difference {_points(found.difference)} points, 95 % {_points(found.difference_low)} to "
               f"{_points(found.difference_high)}; planned for {plan.per_arm:,} people in each arm.")  # fmt: skip


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.2f}"
