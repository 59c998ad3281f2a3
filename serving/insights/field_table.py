"""Which fields a form should ask for, on the page: what `leadlift fields --publish` left in the home.

Its models are fitted again for every field, so the page only reads what was found, and says of when it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.files import replace_text
from serving.insights.edition import FOLDER
from serving.insights.tables import Column, Row, Table, Words, told
from training.path_targets import OUTCOME
from training.prepared_names import LEAST
from training.registry import place

if TYPE_CHECKING:
    from training.fields import FieldReport

WHY = {
    "hardly anybody has answered it": "kaum jemand hat es beantwortet",
    "it helps, and behaviour tells much of it until then": "es hilft, und bis dahin verrät das Verhalten viel davon",
    "it helps, but forms that ask it are completed less often": "es hilft, aber Formulare, die danach fragen, werden seltener "
    "ausgefüllt",
    "it says who converts, which nothing else does": "es sagt, wer konvertiert, und sonst sagt das nichts",
    "behaviour tells it already": "das Verhalten verrät es schon",
    "at best it is worth less than 0.5% of the log loss": "es bringt höchstens 0,5 % des Log Loss",
    "it seems to help, which may be chance where so many fields are looked at": "es scheint zu helfen; bei so vielen "
    "betrachteten Feldern kann das Zufall sein",
    "it may help or not: the interval holds both": "es kann helfen oder nicht: das Intervall umfasst beides",
}


def keep(home: Path, market: str, report: FieldReport, as_of: str) -> Path:
    """Leave a report for the page; as_of: its day. Returns the file."""
    file = _file(home, market, report.target)
    replace_text(file, json.dumps(report.document() | {"as_of": as_of}, ensure_ascii=False, allow_nan=False))
    return file


def field_tables(home: Path, market: str, target: str) -> list[Table]:
    """The table of a target of the page; none where nothing was left for it that can be read."""
    try:
        found = json.loads(_file(home, market, OUTCOME[target]).read_text(encoding="utf-8"))
        return [_table(found, target)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _file(home: Path, market: str, outcome: str) -> Path:
    return place(home, market, FOLDER) / f"fields-{outcome}.json"


def _table(found: dict[str, Any], target: str) -> Table:
    rows = [_row(r, found["base"]) for r in found["rows"] if r["known"] >= LEAST]
    return Table(
        "fields", "content", ("What to ask in forms", "Was Formulare fragen sollten"),
        (
            Column("field", ("Field", "Feld")), Column("verdict", ("Verdict", "Urteil"), "word"),
            Column("why", ("Because", "Weil"), "pair"),
            Column("fill_rate", ("Answered", "Beantwortet"), "share", "fill_low", "fill_high"),
            Column("worth", ("Log loss saved", "Log Loss gespart"), "share", "worth_low", "worth_high", (
                "Of that of the base rate.", "Von dem der Grundquote.")),
            Column("caught", ("Customers more", "Mehr Kunden"), "number", "caught_low", "caught_high", (
                "In the best fifth of 1,000 leads.", "Im besten Fünftel von 1.000 Leads.")),
            Column("told", ("Behaviour tells", "Verrät das Verhalten"), "share"),
            Column("cost", ("Completed more or less", "Mehr oder weniger ausgefüllt"), "share", "cost_low", "cost_high", (
                "Forms that ask it less those that do not.", "Formulare mit der Frage gegen die ohne.")),
        ),
        rows,
        ("{field}: {verdict}, for {why}. {fill_rate} have answered it.",
         "{field}: {verdict}, denn {why}. {fill_rate} haben geantwortet."),
        _note(found), target, whole=True,
    )  # fmt: skip


def _row(row: dict[str, Any], base: float) -> Row:
    """A worth as a part of the base rate's log loss; guesses that are worse than none tell nothing."""
    scaled = {n: None if row[n] is None else row[n] / base for n in ("worth", "worth_low", "worth_high")}
    tells = None if row["told"] is None else max(row["told"], 0.0)
    return {**row, **scaled, "told": tells, "why": (row["why"], WHY.get(row["why"], row["why"]))}


def _note(found: dict[str, Any]) -> Words:
    leads, hits = ([told(found[n], "count", lang) for lang in ("en", "de")] for n in ("leads", "conversions"))
    return (
        f"leadlift fields of {found['as_of']}: {leads[0]} leads at their first look, {hits[0]} of them converted. An "
        "association: try it in half of the visits first.",
        f"leadlift fields vom {found['as_of']}: {leads[1]} Leads bei ihrem ersten Blick, {hits[1]} von ihnen konvertierten. Ein "
        "Zusammenhang: erst in der Hälfte der Besuche probieren.",
    )
