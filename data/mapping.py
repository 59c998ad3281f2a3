"""The mapping file: which column of which table becomes which column of which record.

One TOML, see `data/mappings/` for examples:

    [dataset] name, timezone, currency, rules, content, closed_at
    [[table]] match, record, null, delimiter, encoding, where, optional
    [table.columns] target = "column" or {from, value, unit, kind, null, lower, values, fold, timezone, format, id, via, ...}
    [derived]       name   = {sum | product = [number columns], unit, label_en, label_de}
    [table.extra]   name   = {from, kind, role, unit, null, label_en, label_de}
    [label] column, true, false      [split] kind, seed, train, order_by      [snapshots] policy, delay, every ...

Several tables may read one file: those whose `match` is the same text. A line that does not parse is rejected once, by
the first of them. `where = {Column = ["text", ...]}` takes the rows whose cells are among these texts (capitals do not
matter, "*" is any text, "" none); the other rows are counted as passed over and are neither read nor rejected.

A column that points into another file is looked up there, after `values` and `id`:

    lead_id = { from = "Id", id = "salesforce", via = { match = "Lead.csv", key = "ConvertedOpportunityId", value = "Id" } }

A table of record `change` is the history of lead columns: `lead_id, changed_at, field, old, new`, where `field` names a
column of the lead table. A lead row then becomes several profile rows, each with its `valid_from`.
A table of record `link` with kind `merge` says that the lead `visitor_id` became the lead `lead_id` at `known_from`.

What the file may say is here; whether it makes sense is checked in `data/mapping_check.py`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data.dataset import SnapshotSpec, SplitSpec
from data.dataset_file import DURATIONS, duration
from data.errors import MappingError

RecordName = Literal["lead", "event", "session", "outcome", "labelled_lead", "link", "consent", "spend", "change"]
Location = tuple[int | str, ...]  # keys from the outermost, and numbers in lists


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class Via(_Part):
    """A look-up: the row of the files `match` whose column `key` is the cell; its column `value` takes the cell's place.

    missing: what becomes of a cell that is in no such row: the row is rejected or skipped, or the cell is kept.
    Of several rows with one key the first counts.
    """

    match: str = Field(min_length=1)
    key: str = Field(min_length=1)
    value: str = Field(min_length=1)
    missing: Literal["reject", "skip", "keep"] = "reject"


class Source(_Part):
    """Where one target comes from: a column (`from`) or a constant (`value`).

    null: texts that mean "not known", the table's own where not given. lower: in lower case. values: text -> text.
    unit: s, ms, min, h, d for durations; major, minor for money; s, ms, us for times written as numbers.
    fold, timezone, format: see data.times.TimeRule. currency: the column that names the currency of a money column.
    cut_over: arrivals of events before this moment are a load and count as unknown (`received_at` only).
    id: `salesforce` makes 15- and 18-character ids one id. via: see Via.
    """

    column: str | None = Field(None, alias="from", min_length=1)
    value: str | None = None
    kind: str | None = None
    unit: str | None = None
    null: list[str] | None = None
    lower: bool = False
    values: dict[str, str] = {}
    fold: Literal[0, 1] | None = None
    timezone: str | None = None
    format: str | None = None
    currency: str | None = None
    cut_over: str | None = None
    id: Literal["salesforce"] | None = None
    via: Via | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"from": given} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _one_source(self) -> Source:
        if (self.column is None) == (self.value is None):
            raise ValueError("give either from = COLUMN or value = CONSTANT")
        return self


class Extra(Source):
    """A declared column beyond the standard profile."""

    kind: Literal["text", "number"] = "text"
    role: Literal["attribute", "behaviour_total", "comparator"]
    label_en: str = ""
    label_de: str = ""


class Derived(_Part):
    """A number column made of others: the `sum` or the `product` of at least two number columns declared before it."""

    sum: list[str] = []
    product: list[str] = []
    unit: str = ""
    label_en: str = ""
    label_de: str = ""


class TableSpec(_Part):
    """One kind of file. `match` is a glob on the file's name; `null` holds for all its columns.

    exported: how a lead table's file name says when it was exported, such as `leads_%Y-%m-%d`; rows without
    valid_from then hold from that moment. restates: with `day`, a day that comes again replaces what it brought
    before (days of the dataset's zone; events and spend). where: see above. optional: no such file is no error.
    """

    match: str = Field("*", min_length=1)
    record: RecordName
    null: list[str] = [""]
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    encoding: str = "utf-8-sig"
    where: dict[str, list[str]] = {}
    optional: bool = False
    columns: dict[str, Source] = {}
    extra: dict[str, Extra] = {}
    exported: str | None = None
    restates: Literal["day"] | None = None


class LabelSpec(_Part):
    """The answer of a labelled table: texts that mean yes; with `false` any other text is rejected."""

    column: str = Field(min_length=1)
    true: list[str] = Field(min_length=1)
    false: list[str] = []

    @field_validator("true", "false", mode="before")
    @classmethod
    def _texts(cls, given: Any) -> Any:
        given = given if isinstance(given, list) else [given]
        return [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in given]


class DatasetSpec(_Part):
    """The dataset as a whole. Without `timezone` a time without zone is refused; `currency` is the one of all money."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)
    timezone: str | None = None
    currency: str = Field("EUR", pattern=r"^[A-Z]{3}$")
    rules: str | None = None
    content: str | None = None
    closed_at: str | None = None

    @field_validator("closed_at", mode="before")
    @classmethod
    def _iso(cls, given: Any) -> Any:
        return given.isoformat() if isinstance(given, (date, datetime)) else given


class Split(_Part):
    """See data.dataset.SplitSpec."""

    kind: Literal["shuffled", "ordered", "time"] = "time"
    seed: int = Field(0, ge=0)
    train: float = Field(0.7, gt=0, lt=1)
    order_by: str = ""


class Snapshots(_Part):
    """See data.dataset.SnapshotSpec; times are texts such as `30d`, `12h`, `5min`."""

    policy: Literal["weekly", "after_first_event"] | None = None
    delay: str | None = None
    every: str | None = None
    max_per_lead: int | None = Field(None, ge=1)
    horizon: str | None = None
    reporting_delay: str | None = None
    cancellation_window: str | None = None
    exclude_if_seen: list[str] = []

    @field_validator(*DURATIONS)
    @classmethod
    def _duration(cls, text: str | None) -> str | None:
        if text is not None:
            duration(text)
        return text


class MappingFile(_Part):
    """The whole file."""

    dataset: DatasetSpec
    table: list[TableSpec] = Field(min_length=1)
    label: LabelSpec | None = None
    split: Split = Split()
    snapshots: Snapshots = Snapshots()
    derived: dict[str, Derived] = {}


@dataclass(frozen=True)
class Mapping:
    """A mapping that was read and checked; `text` is the file as it was, `rules` and `content` the files it names."""

    path: Path
    text: str
    file: MappingFile
    rules: str | None
    content: str | None

    def split_spec(self) -> SplitSpec:
        return SplitSpec(**self.file.split.model_dump())

    def snapshot_spec(self) -> SnapshotSpec:
        values = self.file.snapshots.model_dump()
        values.update({k: None if values[k] is None else duration(values[k]) for k in DURATIONS})
        return SnapshotSpec(**{**values, "exclude_if_seen": tuple(values["exclude_if_seen"])})


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises
    ------
    MappingError
        one line that names file, table and key, with the nearest known name for a typing error.
    """
    from data.mapping_check import check

    text = read_text(path, "--mapping", f"a mapping file at {path}")
    try:
        file = MappingFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as bad:
        raise MappingError(f"{path}: expected TOML, got {_lowered(str(bad))}. Correct that line.") from None
    except ValidationError as bad:
        raise MappingError(one_line(path, bad, _keys_near)) from None
    check(path, file)
    rules = _named(path, "rules", file.dataset.rules, "the points file")
    content = _named(path, "content", file.dataset.content, "the content map")
    return Mapping(path, text, file, rules, content)


def _named(path: Path, key: str, name: str | None, what: str) -> str | None:
    file = path.parent / (name or "")
    return read_text(file, f"{path}, [dataset] {key}", f"{what} at {file}") if name else None


def nearest(name: str, known: list[str]) -> str:
    """` Did you mean X?`, or the known names where none is near."""
    lowered = {k.lower(): k for k in reversed(known)}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f"Did you mean {lowered[near[0]]}?" if near else f"Known: {', '.join(known)}."


def read_text(path: Path, where: str, expected: str) -> str:
    """The text of a mapping, or of a file that it names; a MappingError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as bad:
        raise MappingError(f"{where}: expected {expected}, got {bad.strerror}. Check the path.") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path}: expected UTF-8 text, got other bytes. Save it as UTF-8.") from None


def one_line(path: Path, error: ValidationError, keys: Callable[[Location], list[str]]) -> str:
    """The first fault: file, key and remedy. keys: the keys that are known where an unknown one was found."""
    first = error.errors()[0]
    where = f"{path}, {_place(first['loc'])}"
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key {first['loc'][-1]}. {nearest(str(first['loc'][-1]), keys(first['loc']))}"
    if first["type"] == "missing":
        return f"{where}: expected a value, got none. Add it to the mapping."
    got = first["input"] if isinstance(first["input"], (str, int, float, bool)) else type(first["input"]).__name__
    message = _lowered(str(first["msg"]).removeprefix("Value error, "))
    if ", got" in message:
        return f"{where}: {message}. Correct the mapping."
    return f"{where}: {message}, got {got!r}. Correct the mapping."


def _place(location: Location) -> str:
    words = [f"[[table]] {p + 1}" if isinstance(p, int) and i == 1 else str(p) for i, p in enumerate(location)]
    if len(words) > 1 and words[0] == "table":
        return ", ".join([words[1], ".".join(words[2:])]).rstrip(", ")
    return ".".join(words)


def _keys_near(location: Location) -> list[str]:
    if len(location) == 1:
        return list(MappingFile.model_fields)
    models: dict[int | str, type[BaseModel]] = {
        "dataset": DatasetSpec, "label": LabelSpec, "split": Split, "snapshots": Snapshots, "columns": Source,
        "extra": Extra, "via": Via,
    }  # fmt: skip
    model = next((models[p] for p in reversed(location[:-1]) if p in models), TableSpec)
    return [f.alias or name for name, f in model.model_fields.items()]


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
