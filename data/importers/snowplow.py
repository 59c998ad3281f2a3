"""Snowplow: flat atomic events as CSV, as TSV with a header, or as the enriched stream's TSV without one.

Read by column. Where a file has rows that do not parse, the rest of it is read row by row instead, so that each bad
row is rejected by itself.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from data.errors import InputError
from data.importers.batch import Advance, Batch, Cells, by_text
from data.importers.cells import Broken
from data.importers.rows import TableFile
from data.importers.streams import ByteFile, broken_archive, line_blocks
from data.importers.tracker_mapping import TrackerSpec
from data.mapping import TableSpec

WEB_PAGE, ROBOTS = "contexts_com_snowplowanalytics_snowplow_web_page", "contexts_com_iab_snowplow_spiders_and_robots"
# Needed column -> its place in the enriched stream, of 131.
PLACES = {
    "app_id": 0, "collector_tstamp": 3, "dvce_created_tstamp": 4, "event_id": 6, "user_id": 12, "domain_userid": 15,
    "network_userid": 17, "page_url": 29, "page_referrer": 31, "page_urlhost": 33, "page_urlpath": 35,
    "refr_urlhost": 39, "mkt_medium": 47, "mkt_source": 48, "mkt_campaign": 51, "contexts": 52, "useragent": 77,
    "mkt_clickid": 116, "mkt_network": 117, "derived_contexts": 122, "domain_sessionid": 123, "derived_tstamp": 124,
    "event_name": 126,
}  # fmt: skip
STREAM_COLUMNS = 131
REQUIRED = ("event_id", "collector_tstamp", "derived_tstamp", "event_name")
TYPES = {"page_view": "page_view", "page_ping": "engagement"}
NETWORKS = {"google": "gclid", "doubleclick": "dclid", "microsoft": "msclkid", "facebook": "fbclid"}
SLOW_ROWS = 20_000
_VIEW = re.compile(r'"id"\s*:\s*"([^"]+)"')
_VIEW_IN_STREAM = re.compile(r'/web_page/jsonschema/[^"]*"\s*,\s*"data"\s*:\s*\{\s*"id"\s*:\s*"([^"]+)"')
_ROBOT = r'"spiderOrRobot"\s*:\s*true'


def read(path: Path, spec: TrackerSpec, advance: Advance) -> Iterator[Batch]:
    """All events of a file."""
    header = _header(path)
    columns, done, told = _wanted(header or _stream_header(), spec), 0, _Told(advance)
    try:
        for table in _tables(path, header, columns, told):
            first = done + (2 if header else 1)
            yield _batch(
                {n: table[n].combine_chunks() for n in table.column_names}, range(first, first + len(table)), spec
            )
            done += len(table)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise broken_archive(path) from None
    except _IrregularError:
        yield from _slowly(path, header, columns, done, spec, told)


class _IrregularError(Exception):
    """Some lines are no rows of the header's width, or a row is more than a line."""


class _Told:
    """Progress that two readers of one file share."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self._at = advance, 0

    def at(self, position: int) -> None:
        if position > self._at:
            self._advance(position - self._at)
            self._at = position


def _tables(path: Path, header: tuple[str, ...], columns: Sequence[str], told: _Told) -> Iterator[pa.Table]:
    """Blocks of the file by column, as long as each of their lines is a row."""
    with ByteFile(path) as file:
        for number, (block, count) in enumerate(line_blocks(file)):
            if header and not number:
                _, _, block = block.partition(b"\n")
                count -= 1
            if not count:
                continue
            table = _table(block, header or _stream_header(), columns, _delimiter(path) == "\t")
            if len(table) != count:
                raise _IrregularError
            yield table
            told.at(file.position())


def _table(block: bytes, header: tuple[str, ...], columns: Sequence[str], tabs: bool) -> pa.Table:
    try:
        return pcsv.read_csv(
            pa.BufferReader(block),
            read_options=pcsv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=header),
            parse_options=pcsv.ParseOptions(delimiter="\t" if tabs else ",", quote_char=False if tabs else '"'),
            convert_options=pcsv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), include_columns=list(columns),
                strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True),
        )  # fmt: skip
    except pa.ArrowInvalid:
        raise _IrregularError from None


def _delimiter(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return "," if name.endswith(".csv") else "\t"


def _stream_header() -> tuple[str, ...]:
    names = {place: name for name, place in PLACES.items()}
    return tuple(names.get(i, f"field_{i}") for i in range(STREAM_COLUMNS))


def _header(path: Path) -> tuple[str, ...]:
    """The file's own header; empty for a file of the enriched stream, which has none."""
    with ByteFile(path) as file:
        try:
            line = file.stream.readline().decode("utf-8-sig", errors="replace").rstrip("\r\n")
        except (EOFError, OSError):
            line = ""
    names = tuple(n.strip().strip('"') for n in line.split(_delimiter(path)))
    if "event_id" not in names and len(names) == STREAM_COLUMNS:
        return ()
    missing = [n for n in REQUIRED if n not in names]
    if missing:
        raise InputError.of(
            where=str(path), expected=f"Snowplow's atomic events with a column {missing[0]}",
            got="a file without it" if line else "an empty file", remedy="Export atomic.events with a header.",
        )  # fmt: skip
    return names


def _wanted(header: Sequence[str], spec: TrackerSpec) -> list[str]:
    """The columns to read, in the file's order."""
    rule = spec.converted
    own = {*PLACES, *((rule.value, rule.currency) if rule else ())}
    return [n for n in header if n in own or n.startswith((WEB_PAGE, ROBOTS))]


def _batch(raw: Mapping[str, pa.Array], lines: Sequence[int], spec: TrackerSpec) -> Batch:
    cells = {name: raw[name] if name in raw else pa.nulls(len(lines), pa.string()) for name in PLACES}
    names = pc.fill_null(cells["event_name"], "event")
    types = by_text(names, lambda name: TYPES.get(name, "custom"))
    ping = pc.equal(types, "engagement")
    columns: dict[str, Cells] = {
        "event_id": cells["event_id"], "visitor_id": pc.coalesce(cells["domain_userid"], cells["network_userid"]),
        "lead_id": cells["user_id"], "session_id": cells["domain_sessionid"], "name": names, "type": types,
        "occurred_at": pc.if_else(pc.and_(ping, pc.is_valid(cells["dvce_created_tstamp"])),
                                  cells["dvce_created_tstamp"], cells["derived_tstamp"]),
        "received_at": cells["collector_tstamp"], "app": cells["app_id"],
        "url": pc.coalesce(cells["page_url"], _places(cells["page_urlhost"], cells["page_urlpath"])),
        "referrer": pc.coalesce(cells["page_referrer"], cells["refr_urlhost"]), "source": cells["mkt_source"],
        "medium": cells["mkt_medium"], "campaign": cells["mkt_campaign"],
        "click_id_kind": _if(pc.is_valid(cells["mkt_clickid"]),
                             by_text(cells["mkt_network"], lambda name: NETWORKS.get(name.lower()))),
        "user_agent": cells["useragent"], "bot": _robots(raw, len(lines)), "page_view_id": _views(raw, cells, ping),
    }  # fmt: skip
    if (rule := spec.converted) is not None:
        told = (("value", rule.value), ("currency", rule.currency))
        columns |= {name: raw[column] for name, column in told if column in raw}
    return Batch(lines, columns)


def _if(condition: pa.Array, texts: pa.Array) -> pa.Array:
    return pc.if_else(condition, texts, pa.scalar(None, pa.string()))


def _places(hosts: pa.Array, paths: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise("//", hosts, pc.fill_null(paths, "/"), "")


def _views(raw: Mapping[str, pa.Array], cells: Mapping[str, pa.Array], ping: pa.Array) -> pa.Array:
    """The page view of each ping."""
    own = next((n for n in raw if n.startswith(WEB_PAGE)), None)
    pattern = _VIEW if own else _VIEW_IN_STREAM

    def view(context: str) -> str | None:
        found = pattern.search(context)
        return found and found[1]

    return by_text(_if(ping, raw[own] if own else cells["contexts"]), view)


def _robots(raw: Mapping[str, pa.Array], n: int) -> pa.Array:
    own = next((c for c in raw if c.startswith(ROBOTS)), "derived_contexts")
    return pc.match_substring_regex(raw[own], _ROBOT) if own in raw else pa.nulls(n, pa.bool_())


def _slowly(
    path: Path, header: tuple[str, ...], columns: Sequence[str], done: int, spec: TrackerSpec, told: _Told
) -> Iterator[Batch]:
    """The rows after the first `done`, one by one."""
    table_spec = TableSpec(record="event", delimiter=_delimiter(path), encoding="utf-8-sig")
    names = header or _stream_header()
    wanted = [(name, names.index(name)) for name in columns]
    lines: list[int] = []
    cells: dict[str, list[str | None]] = {name: [] for name in columns}
    broken: list[Broken] = []
    with TableFile(path, table_spec, None if header else names, quoted=table_spec.delimiter == ",") as table:
        for row in table.rows():
            if row.number <= done:
                continue
            if row.problem is not None:
                broken.append(Broken(row.line, row.problem))
                continue
            lines.append(row.line)
            for name, index in wanted:
                cells[name].append(row.fields[index] or None)
            if len(lines) >= SLOW_ROWS:
                yield _with(broken, _batch(_arrays(cells), lines, spec))
                lines, cells, broken = [], {name: [] for name in columns}, []
                told.at(table.position())
    yield _with(broken, _batch(_arrays(cells), lines, spec))


def _arrays(cells: Mapping[str, list[str | None]]) -> dict[str, pa.Array]:
    return {name: pa.array(column, pa.string()) for name, column in cells.items()}


def _with(broken: list[Broken], batch: Batch) -> Batch:
    batch.broken = broken
    return batch
