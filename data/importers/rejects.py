"""Why a row is rejected: codes, words and remedies. Values of a row never appear in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

REASONS: dict[str, tuple[str, str]] = {
    "wrong_field_count": ("another number of fields than the header", "Check the delimiter and stray line breaks"),
    "malformed_row": ("quotes that do not close", "Correct the quotes of that line"),
    "bad_encoding": ("bytes that are no text", 'Declare the file\'s encoding in the mapping, such as "cp1252"'),
    "malformed_json": ("text that is no JSON object", "Correct that line, or export it again"),
    "bad_text": ("a list or number where a text belongs", "Check the export"),
    "missing_value": ("no value in a required column", "Fill it, or map another column"),
    "bad_number": ("text where a number belongs", "Correct the cells, or list such texts under null in the mapping"),
    "negative_value": ("a negative number where none can be", "Correct the cells, or list them under null"),
    "bad_time": ("text where a time belongs", "Write ISO 8601, or give the column's format in the mapping"),
    "time_without_zone": (
        "a time without zone", 'Declare an IANA zone in the mapping, such as timezone = "Europe/Berlin"'
    ),
    "time_does_not_exist": ("a local time skipped by the clock", "Write it in UTC, or add fold = 0 or 1"),
    "time_occurs_twice": ("a local time that occurs twice", "Write it in UTC, or add fold = 0 or 1"),
    "ahead_of_arrival": ("an event more than 24 h ahead of its arrival", "Check the zones of both columns"),
    "bad_flag": ("neither yes nor no", "Write true or false"),
    "unknown_value": ("a value that is not in the closed list", "Translate it with values = {...} in the mapping"),
    "unknown_label": ("a label that is neither true nor false", "List it under true or false in [label]"),
    "bad_email": ("no e-mail address", "Correct it, or list such texts under null"),
    "bad_url": ("no URL", "Correct it"),
    "fraction_of_minor_unit": ("money finer than the currency's minor unit", "Round it, or check the unit"),
    "other_currency": ("another currency than the dataset's", "Convert it first; a dataset has one currency"),
    "id_twice": ("an id that came before with other values", "Keep one row per lead"),
    "same_lead": ("a lead merged with itself", "Leave the row out"),
    "no_person": ("neither visitor nor lead", "Map visitor_id or lead_id"),
    "bad_id": ("no id of this system", "Export ids of 15 or 18 characters as text"),
    "unknown_field": ("a field that nobody knows", "Leave it out, or correct its name"),
    "bad_code": ("a reason that is no code", "Send a short code such as no_budget, no free text"),
    "unknown_key": ("a key that is in no row of the table it points to", 'Export that table whole, or set missing = "skip"'),
    "unknown_session": ("a session that is in no session table", "Add that session, or leave the row out"),
}  # fmt: skip


class RowError(Exception):
    """A row that cannot be used: `reason` is one of REASONS, `column` the table's column."""

    def __init__(self, reason: str, column: str = "") -> None:
        super().__init__(reason)
        self.reason, self.column = reason, column


class RowPassedOver(Exception):
    """A row that the mapping leaves alone."""


@dataclass
class Tally:
    """What became of the rows of one file: read = accepted + rejected + duplicate.

    `outside` rows lie outside the closed window, `passed_over` rows are none of this record's (`where`, a look-up that
    skips, a history of a column nobody maps, another app); neither are counted as read.
    """

    file: str
    record: str
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    outside: int = 0
    passed_over: int = 0
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_line: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        return self.accepted + self.rejected + self.duplicate

    def reject(self, reason: str, column: str, line: int) -> None:
        self.rejected += 1
        self.reasons[reason, column] += 1
        self.first_line.setdefault((reason, column), line)

    def worst(self) -> str:
        """The commonest reason as a sentence: words, column, count, first line."""
        (reason, column), count = self.reasons.most_common(1)[0]
        words = REASONS[reason][0] + (f" in column {column}" if column else "")
        return f"{words} ({count} rows, first in line {self.first_line[reason, column]})"

    def remedy(self) -> str:
        return REASONS[self.reasons.most_common(1)[0][0][0]][1]
