"""`leadlift check`: what a dataset can carry; and the match rate, which `import` prints too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from data.errors import Verdict
from serving.arguments import ConfigOption, DatasetArgument, TargetOption, settings_for
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from data.match_rate import MatchRate
    from training.checkup import Checkup

SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    dataset: DatasetArgument,
    target: TargetOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What the data can carry, and the three repairs that would help most. Exit 3 if nothing can be trained."""
    from data.store.store import open_lake
    from training.checkup import RULE, checkup, repairs

    screen, lake = Screen(as_json), open_lake(dataset)
    settings = settings_for(dataset, config)
    found = checkup(lake, settings, target or settings.training.target)
    _show(found, screen)
    rows = [(f"{r.share:.0%}", r.of, r.remedy) for r in repairs(found)]
    if rows:
        screen.table(f"what would help most ({RULE})", ("takes away", "of", "repair"), rows, left=3)
    else:
        screen.say("nothing that is missing stands out")
    if found.trainable:
        screen.next_steps(f"leadlift train {dataset} --promote")
    screen.result(found.document())
    if not found.trainable:
        raise Verdict(
            f"{dataset}: nothing can be trained: {found.matured} converted leads with a final answer and "
            f"{found.unconverted} unconverted ones, more than 10 and 1 are needed. Use the points, and import more."
        )


def _show(found: Checkup, screen: Screen) -> None:
    figures = [
        ("leads", f"{found.leads:,}"), ("events", f"{found.events:,}"),
        ("months", "-" if found.months is None else f"{found.months:.1f}"),
        ("converted leads", f"{found.conversions:,}"), ("  of these with a final answer", f"{found.matured:,}"),
        ("rejected rows", f"{found.rejects:,}"),
    ]  # fmt: skip
    words = {
        "with_behaviour": "leads with behaviour", "dwell_measured": "dwell that is measured",
        "views_unmapped": "page views without content rule", "channels_unassigned": "touches without channel",
        "late_arrivals": "events that arrived late",
    }  # fmt: skip
    figures += [(words[k], "-" if v is None else f"{v:.1%}") for k, v in found.shares.items() if k in words]
    screen.table(f"market {found.market}", ("what", "found"), figures, left=1)
    if found.unmapped_urls:
        rows = [(url, f"{n:,}") for url, n in found.unmapped_urls.items()]
        screen.table("commonest URLs without a content rule", ("url", "views"), rows)
    show_match_rate(found.match, screen)


def show_match_rate(rate: MatchRate, screen: Screen) -> None:
    """The match rate in tables, and where the join breaks if it is weak; nothing without leads that have times."""
    if rate.share is None:
        return
    screen.say(f"match rate: {rate.matched:,} of {rate.leads:,} leads ({rate.share:.1%}) have an event before creation")
    for title, counts in (("month", rate.by_month), ("lead source", rate.by_source), ("link", rate.by_kind)):
        rows = [(name, f"{n:,}", f"{m:,}", f"{m / n:.1%}") for name, (n, m) in [*counts.items()][-SHOWN:]]
        if rows:
            screen.table(f"match rate by {title}", (title, "leads", "matched", "rate"), rows)
    if rate.weak:
        screen.say("below 30 %: a model of these data will be mostly profile. Where the join breaks:")
        for line in rate.breaks:
            screen.say(f"  {line}")
