"""`leadlift import --format segment|snowplow|ga4|matomo|posthog`: what a tracker recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import MappingError, UsageError
from data.settings import Settings
from serving.console import Screen

if TYPE_CHECKING:
    from data.importers.report import ImportReport
    from data.importers.tracker_mapping import TrackerMapping

FORMATS = ("segment", "snowplow", "ga4", "matomo", "posthog")


def run(
    files: list[str], kind: str, to: str, mapping: Path | None, name: str | None, settings: Settings, screen: Screen
) -> tuple[ImportReport, TrackerMapping]:
    """Import the files of one tracker; the report, and the mapping that was used."""
    from data.importers.tracker import import_tracker, total_bytes
    from data.importers.tracker_mapping import tracker_mapping

    if "://" in to:
        raise UsageError(f"--to: expected a folder, got {to.split('://')[0]}://... Name a new folder.")
    plan = tracker_mapping(mapping, name, Path(to))
    check_texts(plan.rules, plan.content, mapping or Path(to))
    with screen.progress("bytes read", total_bytes(files)) as advance:
        return import_tracker(files, kind, plan, Path(to), settings, advance), plan


def check_texts(rules: str | None, content: str | None, where: Path) -> None:
    """The points file and the content map a mapping names must be readable for those who use them."""
    if rules is not None:
        from training.rules import Rules

        Rules.from_yaml(rules, str(where))
    if content is not None:
        import yaml

        from features.content import ContentMap

        try:
            ContentMap.of(yaml.safe_load(content))
        except (yaml.YAMLError, ValueError, AttributeError, TypeError) as bad:
            raise MappingError(f"{where}, content map: {' '.join(str(bad).split())}. Correct it.") from None


def show(report: ImportReport, screen: Screen) -> None:
    """What the events are worth: with and without bots, late ones, links."""
    facts = report.tracker
    if facts is None:
        return
    screen.say(
        f"{facts.events:,} events, {facts.events - facts.bots:,} without bots: {facts.bots_by_agent:,} are marked by "
        f"what the tracker or the user agent says, {facts.bots_by_rate:,} more by their rate; they are kept, and are "
        "no features"
    )
    if facts.late:
        screen.say(f"{facts.late:,} events came more than a day after they happened; they count from their arrival")
    screen.say(f"{facts.links:,} links from visitors to leads")
