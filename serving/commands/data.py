"""`leadlift import`, `settings`; and `simulate`, which has a file of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import UsageError
from data.settings import Settings, load_settings, origins
from serving.arguments import ConfigOption, parse_time
from serving.commands import copies, tracker
from serving.commands.suggest import draft
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from data.importers.report import ImportReport
    from data.importers.tracker_mapping import TrackerMapping
    from data.mapping import Mapping

FORMATS = ("table", *tracker.FORMATS)
SHOWN_REASONS = 8


def register(app: typer.Typer) -> None:
    """Add the commands."""
    from serving.commands import simulate

    app.command("import")(import_)
    app.command("settings")(settings)
    simulate.register(app)


def import_(
    files: Annotated[list[str], typer.Argument(help="Files, folders or globs.")],
    to: Annotated[str | None, typer.Option("--to", help="The dataset folder to make, or to append to.")] = None,
    format_: Annotated[str, typer.Option("--format", help=f"What the files are: {', '.join(FORMATS)}.")] = "table",
    mapping: Annotated[Path | None, typer.Option(help="The mapping file; data/mappings/ has examples.")] = None,
    name: Annotated[str | None, typer.Option(help="The market's name; trackers only, default the folder's.")] = None,
    as_of: Annotated[str | None, typer.Option(help="When profile tables without history were exported.")] = None,
    suggest: Annotated[bool, typer.Option("--suggest", help="Only draft a mapping of the tables.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read tables through a mapping, or what a tracker recorded, into a dataset.

    Bad rows are kept beside it with file, line and reason.
    """
    from data.importers.table import import_tables, total_bytes

    screen = Screen(as_json)
    if suggest:
        draft(files, to, mapping, screen)
        return
    if to is not None and copies.asked(files, to):
        copies.copy(files, to, screen, options=(mapping, name, as_of, None if format_ == "table" else format_))
        return
    if to is None:
        raise UsageError("--to: expected the dataset folder to make or to append to, got none. Name one.")
    if format_ in tracker.FORMATS:
        settings = load_settings(config)
        report, used = tracker.run(files, format_, to, mapping, name, settings, screen)
        _conclude(report, used, settings, screen, f"leadlift train {to} --promote", f"leadlift paths {to}")
        return
    _check_arguments(to, format_, mapping)
    assert mapping is not None
    settings, plan = load_settings(config), _load_mapping(mapping)
    with screen.progress("bytes read", total_bytes(files, plan)) as advance:
        moment = None if as_of is None else parse_time(as_of, "--as-of")
        report = import_tables(files, plan, Path(to), settings, advance, moment)
    paths = [] if plan.file.label else [f"leadlift paths {to}"]
    _conclude(report, plan, settings, screen, f"leadlift train {to} --promote", *paths)


def _conclude(
    report: ImportReport, mapping: Mapping | TrackerMapping, settings: Settings, screen: Screen, *steps: str
) -> None:
    _keep_rules(report, mapping, settings)
    _show(report, screen)
    tracker.show(report, screen)
    rate = _match_rate(report, screen)
    screen.next_steps(f"leadlift check {report.path}", *steps)
    screen.result({**report.document(), "match_rate": rate})


def _match_rate(report: ImportReport, screen: Screen) -> dict[str, Any] | None:
    """Who of the leads did something before; None where nothing changed or there are no leads with times."""
    from data.lake import Lake
    from data.match_rate import match_rate
    from serving.commands.check import show_match_rate

    lake = Lake(report.path) if report.written else None
    if lake is None or not lake.info.has_times or not lake.info.counts.get("leads"):
        return None
    rate = match_rate(lake)
    show_match_rate(rate, screen)
    return rate.document()


def _check_arguments(to: str, format_: str, mapping: Path | None) -> None:
    if format_ not in FORMATS:
        raise UsageError(f"--format: expected {' or '.join(FORMATS)}, got {format_!r}.")
    if mapping is None:
        raise UsageError("--mapping: expected the mapping of your tables, got none. See data/mappings/ for examples.")
    if not mapping.is_file():
        raise UsageError(f"--mapping {mapping}: expected a mapping file, got none there. Check the path.")
    if "://" in to:
        raise UsageError(f"--to: expected a folder, got {to.split('://')[0]}://... Name a new folder.")


def _load_mapping(path: Path) -> Mapping:
    """The mapping; its points file and content map must be readable for those who use them."""
    from data.errors import MappingError
    from data.mapping import load_mapping

    mapping = load_mapping(path)
    if mapping.rules is not None:
        from training.rules import Rules

        Rules.from_yaml(mapping.rules, str(mapping.file.dataset.rules))
    if mapping.content is not None:
        import yaml

        from features.content import ContentMap

        try:
            ContentMap.of(yaml.safe_load(mapping.content))
        except (yaml.YAMLError, ValueError, AttributeError, TypeError) as bad:
            reason = " ".join(str(bad).split())
            raise MappingError(f"{path.parent / str(mapping.file.dataset.content)}: {reason}. Correct it.") from None
    return mapping


def _keep_rules(report: ImportReport, mapping: Mapping | TrackerMapping, settings: Settings) -> None:
    """The market's points go to the home, for answers without a model; the same import again changes nothing."""
    from training import registry

    if mapping.rules is None:
        return
    if report.written or registry.home_rules(settings.home, report.market) is None:
        registry.keep_rules(settings.home, report.market, mapping.rules)


def _show(report: ImportReport, screen: Screen) -> None:
    if not report.written:
        screen.say(f"{report.path} holds these very data already: nothing to do")
    if report.skipped:
        screen.say(f"imported before and not read again: {', '.join(report.skipped)}")
    if report.appended and report.tallies:
        _show_appended(report, screen)
    columns = ("file", "record", "read", "accepted", "rejected", "duplicate")
    rows = [
        (t.file, t.record, *(f"{n:,}" for n in (t.read, t.accepted, t.rejected, t.duplicate))) for t in report.tallies
    ]
    screen.table(f"market {report.market} in {report.path}", columns, rows, left=2)
    for tally in report.tallies:
        if tally.outside:
            screen.say(f"{tally.file}: {tally.outside:,} more rows lie outside the closed window")
        if tally.passed_over:
            screen.say(f"{tally.file}: {tally.passed_over:,} more rows are not of the {tally.record} table")
    _show_rejects(report, screen)
    if not report.leads:
        screen.say(
            "there are no leads in these data, so events and outcomes count for nobody: map a lead or session table too"
        )
    if report.orphans:
        screen.say(f"{report.orphans:,} outcomes are of leads that are not in the data; they count for nobody")
    for note in report.notes:
        screen.say(note)
    for file, column, reason in report.left_out:
        screen.say(f'{file}: column "{column}" is left out: {reason}')
    for file, names in report.unused:
        screen.say(f"{file}: not used: {', '.join(names)}")


def _show_appended(report: ImportReport, screen: Screen) -> None:
    rows = [(r, f"{n:,}", f"{report.known.get(r, 0):,}") for r, n in sorted(report.added.items())]
    screen.table("what the dataset made of them", ("record", "new", "there already"), rows)
    if report.replaced:
        screen.say(f"{report.replaced:,} rows of days that were told anew have been replaced")
    for source, day in report.complete_through.items():
        screen.say(f"{source}: complete through {day or 'no day yet'}")


def _show_rejects(report: ImportReport, screen: Screen) -> None:
    from data.importers.rejects import REASONS

    found = [(t, key, n) for t in report.tallies for key, n in t.reasons.most_common(SHOWN_REASONS)]
    if not found:
        return
    rows = [
        (t.file, column, REASONS[reason][0], f"{n:,}", str(t.first_line[reason, column]))
        for t, (reason, column), n in found
    ]
    screen.table("rejected rows", ("file", "column", "reason", "rows", "first line"), rows, left=3)
    screen.say(f"kept with line and reason in {report.path / 'rejects'}")


def settings(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Every setting with its value and where it comes from."""
    screen = Screen(as_json)
    found = origins(config)
    screen.table("settings", ("setting", "value", "from"), [(s.name, _text(s.value), s.origin) for s in found], left=3)
    screen.next_steps("change one: leadlift.toml, or an environment name such as LEADLIFT_SNAPSHOTS__HORIZON_DAYS=60")
    screen.result({"settings": [{"name": s.name, "value": s.value, "origin": s.origin} for s in found]})


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
