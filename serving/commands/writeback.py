"""`leadlift writeback`: scores into a CRM, or files that hold what would be sent."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from data.errors import UsageError
from data.settings import Settings, load_settings
from serving.arguments import ConfigOption
from serving.console import JsonOption, Screen

if TYPE_CHECKING:
    from serving.writeback import Crm, Published, Summary, Told
    from serving.writeback_state import State


class For(StrEnum):
    """Who is told."""

    salesforce = "salesforce"
    hubspot = "hubspot"
    csv = "csv"


class Object(StrEnum):
    """What a lead is in the CRM."""

    lead = "Lead"
    contact = "Contact"


@dataclass(frozen=True)
class _Aim:
    """Which CRM, where it is (null: nowhere yet), and what a lead is there."""

    crm: For
    url: str | None
    object: Object
    settings: Settings

    @property
    def name(self) -> str:
        return f"{self.crm} {self.url or ''} {self.object}"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("writeback")(writeback)


def writeback(
    scores: Annotated[str, typer.Argument(help="What --out of leadlift rescore is: a folder, a .csv, a store's URL.")],
    crm: Annotated[For, typer.Option("--for", help="salesforce, hubspot or csv.")],
    send: Annotated[bool, typer.Option("--send", help="Send; without it files are written.")] = False,
    object_name: Annotated[
        Object | None, typer.Option("--object", help="Lead or Contact; default Salesforce's Lead, HubSpot's Contact.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell a CRM the scores that are news to it: every changed lead arrives, what failed is tried again by the next run."""
    from serving.commands.rescore import sets_at
    from serving.writeback import Told, published
    from serving.writeback_fields import checked

    screen, settings = Screen(as_json), load_settings(config)
    if send and crm is For.csv:
        raise UsageError("--send: expected --for salesforce or hubspot, got csv. Leave --send out: a file is written.")
    told = Told(checked(settings.writeback.fields), settings.writeback.min_move)
    found = published(sets_at(scores, settings.home))
    aim = _aim(crm, object_name, settings)
    with _state(aim, found) as state:
        (_send if send else _write)(aim, found, told, state, screen)


def _aim(crm: For, object_name: Object | None, settings: Settings) -> _Aim:
    url = {For.salesforce: settings.writeback.salesforce_url, For.hubspot: settings.writeback.hubspot_url}.get(crm)
    return _Aim(crm, url, object_name or (Object.contact if crm is For.hubspot else Object.lead), settings)


def _state(aim: _Aim, found: Published) -> State:
    from serving.writeback_state import State
    from training.registry import place

    return State(place(aim.settings.home, found.market, found.target) / "writeback.db", aim.name)


# -- files -----------------------------------------------------------------------------------------------------
def _write(aim: _Aim, found: Published, told: Told, state: State, screen: Screen) -> None:
    from serving import writeback_files as files
    from serving.writeback import FOLDER, changed

    folder, chosen, written = found.folder / FOLDER, aim.settings.writeback, 0

    def counted() -> Iterator[list[Any]]:
        nonlocal written
        for some in changed(found, told, state, advance):
            written += len(some)
            yield some

    with screen.progress("leads compared", len(found.table)) as advance:
        if aim.crm is For.salesforce:
            made = files.salesforce_files(counted(), folder, aim.object, chosen.salesforce_id)
        elif aim.crm is For.hubspot:
            made = files.hubspot_file(counted(), folder, aim.object, chosen.hubspot_id)
        else:
            made = files.csv_file(counted(), folder, told.fields)
    screen.say(
        f"{written:,} of {len(found.table):,} leads are news; written to {', '.join(map(str, made)) or 'no file'}."
    )
    own = chosen.salesforce_id == "Id"
    how = "update bulk" if own else f"upsert bulk --external-id {chosen.salesforce_id}"
    steps = {
        For.salesforce: f"sf data {how} --sobject {aim.object} --file FILE",
        For.hubspot: "each line is the body of one request; docs/writeback.md names the address",
        For.csv: "open the file in a spreadsheet: no text in it runs as a formula",
    }
    send = () if aim.crm is For.csv else (f"leadlift writeback {found.folder} --for {aim.crm} --send",)
    screen.next_steps(steps[aim.crm], *send)
    screen.result({"for": aim.crm, "scores": found.run, "changed": written, "files": [str(f) for f in made]})


# -- sending ---------------------------------------------------------------------------------------------------
def _send(aim: _Aim, found: Published, told: Told, state: State, screen: Screen) -> None:
    from serving.writeback import FOLDER, write_back

    report = found.folder / FOLDER / f"{aim.crm}-{aim.object}.results.jsonl"
    with _crm(aim) as crm, screen.progress("leads looked at", len(found.table)) as advance:
        summary = write_back(found, told, crm, state, report, advance)
    _note(aim, found, summary)
    _tell(screen, aim, found, summary, report)
    if summary.stopped is not None:
        raise summary.stopped


@contextmanager
def _crm(aim: _Aim) -> Iterator[Crm]:
    from serving import writeback_hubspot as hubspot
    from serving import writeback_salesforce as salesforce
    from serving.writeback_http import Http

    chosen = aim.settings.writeback
    if aim.url is None:
        raise UsageError(
            "--send: expected your Salesforce's address, got none. Set LEADLIFT_WRITEBACK__SALESFORCE_URL="
            "https://YOURS.my.salesforce.com."
        )
    if aim.crm is For.salesforce:
        with Http("Salesforce", aim.url, os.environ.get(salesforce.TOKEN), salesforce.TOKEN) as http:
            yield salesforce.Salesforce(http, aim.object, chosen.salesforce_id)
    else:
        with Http("HubSpot", aim.url, os.environ.get(hubspot.TOKEN), hubspot.TOKEN) as http:
            yield hubspot.HubSpot(http, aim.object, chosen.hubspot_id)


def _tell(screen: Screen, aim: _Aim, found: Published, summary: Summary, report: Path) -> None:
    screen.say(
        f"Of {summary.leads:,} leads {summary.changed:,} are news: {summary.sent:,} sent, {summary.failed:,} failed, "
        f"{summary.skipped:,} skipped."
    )
    reasons = summary.reasons.most_common()
    if reasons:
        screen.table("Failed or skipped", ("reason", "leads"), [(r, f"{n:,}") for r, n in reasons])
    screen.say(f"One line a lead: {report}")
    again = f"leadlift writeback {found.folder} --for {aim.crm} --send      again, for what failed"
    screen.next_steps(
        *([again] if summary.failed else []), "run it after every leadlift rescore: see docs/writeback.md"
    )
    about = {"for": aim.crm, "object": aim.object, "scores": found.run, "results": str(report)}
    screen.result({**about, **summary.document()})


def _note(aim: _Aim, found: Published, summary: Summary) -> None:
    """When the last run ended and with what, for whoever watches."""
    from data.files import replace_text
    from training.registry import place

    about = {"finished_at": datetime.now(UTC).isoformat(timespec="seconds"), "scores": found.run}
    file = place(aim.settings.home, found.market, found.target) / f"writeback-{aim.crm}-{aim.object}.json"
    replace_text(file, json.dumps({**about, **summary.document()}, indent=1))
