"""A first mapping from the tables themselves: ids, times, label and types are guessed, leaks are left out and named.

What must be decided by a person stands as `CHOOSE` in the draft, which loads once those are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data.dataset_file import quote
from data.importers import values
from data.importers.rejects import RowError
from data.importers.rows import TableFile
from data.leaks import leak_reason, plain_name
from data.mapping import TableSpec
from data.mapping_check import targets
from data.times import TimeError, TimeRule, parse, zone_named

LOOKED_AT = 5_000
CHOOSE = "CHOOSE"
NULLS = ("Select", "NULL", "null", "None", "N/A", "n/a", "-", "(not set)")
MANY = 200  # a text column with more different values than this is free text or an id
_LABEL = ("converted", "isconverted", "won", "iswon", "label", "target", "purchase", "revenue", "churned", "y")
_NAMES: dict[str, tuple[str, ...]] = {
    "lead_id": ("leadid", "id", "prospectid", "contactid", "customerid", "userid", "hsobjectid", "recordid", "uuid"),
    "visitor_id": ("visitorid", "clientid", "anonymousid", "userpseudoid", "cookieid", "domainuserid", "distinctid"),
    "account_id": ("accountid", "companyid", "associatedcompanyid"),
    "session_id": ("sessionid", "websitesessionid", "visitid"),
    "event_id": ("eventid", "messageid", "websitepageviewid", "pageviewid"),
    "created_at": ("createdat", "createddate", "createdate", "created", "firstcontactdate", "creationdate"),
    "occurred_at": ("occurredat", "timestamp", "eventtime", "eventtimestamp", "datetime", "time", "date", "at"),
    "received_at": ("receivedat", "collectortstamp"),
    "type": ("type", "eventtype", "eventname", "event"),
    "url": ("url", "pageurl", "pageviewurl", "pagelocation", "landingpage"),
    "referrer": ("referrer", "referer", "pagereferrer", "httpreferer"),
    "source": ("source", "utmsource"), "medium": ("medium", "utmmedium"), "campaign": ("campaign", "utmcampaign"),
    "kind": ("outcome", "outcomekind"),
    "email": ("email", "emailaddress"), "title": ("title", "jobtitle"), "company": ("company", "companyname"),
    "industry": ("industry",), "employees": ("employees", "numberofemployees", "numemployees", "companysize"),
    "country": ("country", "countrycode"), "state": ("state", "region"),
    "lead_source": ("leadsource", "origin", "hsanalyticssource"),
    "self_reported_source": ("selfreportedsource", "howdidyouhearaboutus"),
}  # fmt: skip
_SELF_REPORTED = re.compile(r"howdidyouhear.*")
_PERSONAL = re.compile(r".*(phone|mobile|firstname|lastname|fullname|street|birth|ipaddress).*|name")
_TOTAL = re.compile(r".*(visits?|views?|clicks|duration|timespent|pages?|opens|sessions|downloads).*")
_KEYS = ("lead_id", "visitor_id", "session_id", "event_id", "account_id")


@dataclass(frozen=True)
class Seen:
    """One column as it was seen in the first rows."""

    name: str
    texts: tuple[str, ...]

    @property
    def known(self) -> list[str]:
        return [t for t in self.texts if t and t not in NULLS]

    @property
    def distinct(self) -> set[str]:
        return set(self.known)

    @property
    def kind(self) -> str:
        """`empty`, `flag` (two values), `number`, `time` or `text`."""
        if not self.known:
            return "empty"
        if _all(self.known, lambda t: isinstance(values.number(t), float)):
            return "flag" if self.distinct <= {"0", "1"} else "number"
        return "time" if _all(self.known, _is_time) else "text"


def suggest(files: Sequence[Path], name: str) -> str:
    """The text of a draft mapping for some delimited files; each kind of file becomes a table.

    Raises
    ------
    InputError
        for an empty file, or a header with a name twice.
    """
    looks = [(file, _look(file)) for file in files]
    labelled = [_label(columns) for _, columns in looks]
    label = labelled[0] if len(files) == 1 and not _has_times(looks[0][1]) else None
    zone = any(c.kind == "time" and _needs_zone(c) for _, columns in looks for c in columns)
    lines = ["# A draft: look at every line. Replace each CHOOSE, then run the import with this file.", "", "[dataset]"]
    lines += [f"name = {quote(name)}"]
    lines += [f'timezone = "{CHOOSE}"  # times name no zone: an IANA name such as "Europe/Berlin"'] if zone else []
    lines += ['currency = "EUR"  # of all money']
    for file, columns in looks:
        lines += ["", *_table(file, columns, label)]
    return "\n".join([*lines, *_label_lines(label), ""])


def open_choices(text: str) -> list[str]:
    """The lines in which a person must choose."""
    return [line for line in text.splitlines() if CHOOSE in line and not line.startswith("#")]


# -- looking -----------------------------------------------------------------------------------------------------
def _look(file: Path) -> list[Seen]:
    with TableFile(file, TableSpec(record="lead")) as table:
        rows = [r.fields for r in islice(table.rows(), LOOKED_AT) if r.problem is None]
        return [Seen(name, tuple(r[i].strip() for r in rows)) for i, name in enumerate(table.header)]


def _all(texts: Sequence[str], reads: object) -> bool:
    assert callable(reads)
    try:
        return all(reads(t) for t in texts)
    except RowError:
        return False


def _is_time(text: str) -> bool:
    try:
        parse(text, TimeRule(zone_named("UTC"), fold=0))
    except TimeError:
        return False
    return True


def _needs_zone(column: Seen) -> bool:
    try:
        for text in column.known:
            parse(text, TimeRule(None))
    except TimeError:
        return True
    return False


def _has_times(columns: Sequence[Seen]) -> bool:
    return any(c.kind == "time" for c in columns)


def _label(columns: Sequence[Seen]) -> Seen | None:
    two = [c for c in columns if len(c.distinct) == 2]
    return next((c for name in _LABEL for c in two if plain_name(c.name) == name), None)


def _label_lines(label: Seen | None) -> list[str]:
    if label is None:
        return []
    yes, no = _yes_no(sorted(label.distinct))
    return ["", "[label]", f"column = {quote(label.name)}", f"true = [{quote(yes)}]", f"false = [{quote(no)}]",
            "", "[split]", 'kind = "shuffled"', "seed = 0", "train = 0.7"]  # fmt: skip


def _yes_no(two: Sequence[str]) -> tuple[str, str]:
    yes = next((t for t in two if t.lower() in values.FLAGS and values.FLAGS[t.lower()]), two[1])
    return yes, next(t for t in two if t != yes)


# -- writing -----------------------------------------------------------------------------------------------------
def _record(columns: Sequence[Seen], label: Seen | None) -> str:
    names = {plain_name(c.name) for c in columns}

    def has(target: str) -> bool:
        return bool(names & set(_NAMES[target]))

    if label is not None:
        return "labelled_lead"
    if has("kind") and has("lead_id"):
        return "outcome"
    if has("url") or has("event_id") or has("type"):
        return "event"
    return "session" if has("session_id") else "lead"


def _table(file: Path, columns: Sequence[Seen], label: Seen | None) -> list[str]:
    record = _record(columns, label)
    nulls = sorted({t for c in columns for t in c.texts if t in NULLS})
    head = ["[[table]]", f"match = {quote(file.name)}", f'record = "{record}"  # {_others(record)}']
    head += [f"null = [{', '.join(map(quote, [*nulls, '']))}]"] if nulls else []
    mapped: dict[str, str] = {}
    extra, out = [], []
    for column in columns:
        target = None if column is label else _target(column, record, mapped)
        if column is label:
            continue
        if target is not None:
            mapped[target] = _source(column, target)
        elif (reason := _refused(column, record)) is not None:
            out.append(f"# {quote(column.name)}: {reason}")
        else:
            extra.append((column, _extra_name(column.name, [n for _, n in extra])))
    lines = [*head, "", "[table.columns]", *(f"{t} = {s}" for t, s in mapped.items()), *_missing(record, mapped)]
    lines += ["", "[table.extra]", *(f"{name} = {_extra(c, record)}" for c, name in extra)] if extra else []
    return [*lines, *(["", "# left out:", *out] if out else [])]


def _others(record: str) -> str:
    return "or " + ", ".join(r for r in ("lead", "event", "session", "outcome", "link") if r != record)


def _target(column: Seen, record: str, mapped: dict[str, str]) -> str | None:
    plain, known = plain_name(column.name), targets(record)
    if record == "labelled_lead" and column.kind == "time":
        return None
    if _SELF_REPORTED.fullmatch(plain) and "self_reported_source" in known and "self_reported_source" not in mapped:
        return "self_reported_source"
    found = next((t for t, names in _NAMES.items() if plain in names and t in known and t not in mapped), None)
    return None if found is None or not _fits(column, found, record) else found


def _fits(column: Seen, target: str, record: str) -> bool:
    if target == "lead_id" and record in ("lead", "labelled_lead"):
        return len(column.distinct) == len(column.texts)
    if target == "employees":
        return _all(column.known, lambda t: isinstance(values.employees(t), float))
    return column.kind == "time" if target in ("created_at", "occurred_at", "received_at") else True


def _source(column: Seen, target: str) -> str:
    if target == "lead_source" and len({t.lower() for t in column.distinct}) < len(column.distinct):
        return f"{{ from = {quote(column.name)}, lower = true }}"
    return quote(column.name)


def _missing(record: str, mapped: dict[str, str]) -> list[str]:
    from data.mapping_check import NEEDED

    lines = []
    for group in NEEDED[record]:
        if any(t in mapped for t in group):
            continue
        if group == ("type",):
            lines.append('type = { value = "page_view" }  # all rows, or name the column')
        else:
            lines.append(f'{group[0]} = "{CHOOSE}"  # the column with {" or ".join(group)}')
    return lines


def _refused(column: Seen, record: str) -> str | None:
    """Why a column is no extra column of a lead."""
    if (reason := leak_reason(column.name)) is not None:
        return reason
    if record not in ("lead", "labelled_lead", "session"):
        return f"no column of {record} records"
    if _PERSONAL.fullmatch(plain_name(column.name)):
        return "personal, and of no use to a model"
    if column.kind == "empty" or len(column.distinct) < 2:
        return "the same in every row that was looked at"
    if column.kind == "time":
        return "a time; map it, or turn it into a number of days before the import"
    if any("@" in t for t in column.distinct):
        return "holds addresses"
    many = len(column.distinct) > MANY or len(column.distinct) > 0.9 * len(column.known) > 9
    if column.kind == "text" and many:
        return "free text or an id: nearly every row has its own"
    if column.kind == "number" and re.search(r"(^|[^a-z])(id|number|no|nr)$", column.name.lower()):
        return "an id"
    return None


def _extra_name(column: str, taken: Sequence[str]) -> str:
    name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower()).strip("_")[:40].strip("_")
    name = (
        f"c_{name}" if not name or name[0].isdigit() or name in ("lead", "email") or name in targets("lead") else name
    )
    return name if name not in taken else f"{name}_{len(taken)}"


def _extra(column: Seen, record: str) -> str:
    kind = "number" if column.kind in ("number",) else "text"
    total = kind == "number" and record == "labelled_lead" and _TOTAL.fullmatch(plain_name(column.name)) is not None
    total = total and not any(t.startswith("-") for t in column.known)
    role = "behaviour_total" if total else "attribute"
    return f'{{ from = {quote(column.name)}, kind = "{kind}", role = "{role}", label_en = {quote(column.name)} }}'
