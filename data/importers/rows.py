"""Delimited text, row by row, with the line each row starts in. Holds one row at a time."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from data.errors import InputError, MappingError
from data.importers.streams import ByteFile
from data.mapping import TableSpec


@dataclass(frozen=True)
class Row:
    """One data row: `number` counts from 1, `line` is the file's. `problem` is a reject code, then fields may lack."""

    number: int
    line: int
    fields: list[str]
    problem: str | None = None


class TableFile:
    """One table file, plain or gzip: `header`, then `rows()` once. Use as a context manager.

    header: the names of a file that has no header line. quoted: False where quotes are text like any other.

    Raises
    ------
    InputError
        for an empty file, one without data rows, or a header with a name twice.
    """

    def __init__(self, path: Path, spec: TableSpec, header: tuple[str, ...] | None = None, quoted: bool = True) -> None:
        self.path = path
        suffix = Path(path.name.lower().removesuffix(".gz")).suffix
        self.delimiter = spec.delimiter or ("\t" if suffix in (".tsv", ".tab") else ",")
        self._quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        self._file = ByteFile(path)
        try:
            self._lines = _Lines(_text(self._file, spec.encoding))
            self.header = header or self._header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> TableFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.stream.close()
        self._file.close()

    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._file.position()

    def rows(self) -> Iterator[Row]:
        """All rows; blank lines are none. A file without any is an InputError."""
        number = 0
        for line, fields, problem in self._records():
            number += 1
            if problem is None and len(fields) != len(self.header):
                problem = "wrong_field_count"
                if len(fields) > len(self.header) and self._lines.many:  # a stray quote has swallowed other rows
                    self._lines.give_back()
                    fields, problem = [], "malformed_row"
            yield Row(number, line, fields, problem)
        if not number:
            raise InputError.of(
                where=str(self.path), expected="data rows below the header", got="none", remedy="Check the export."
            )

    def _header(self) -> tuple[str, ...]:
        first = next(self._records(), None)
        if first is None:
            raise InputError.of(
                where=str(self.path), expected="a header and rows", got="an empty file", remedy="Check the export."
            )
        names = tuple(n.strip() for n in first[1])
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice or first[2]:
            got = f"column {twice[0]!r} twice" if twice else "a line that does not parse"
            raise InputError.of(where=f"{self.path}, line {first[0]}", expected="a header with distinct names",
                                got=got, remedy="Correct the header.")  # fmt: skip
        return names

    def _records(self) -> Iterator[tuple[int, list[str], str | None]]:
        """(line, fields, problem) of each record. After an unclosed quote reading goes on with the next line."""
        lines = self._lines
        while True:
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True, quoting=self._quoting)
            lines.begin()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error:
                start = lines.give_back()
                yield start, [], "malformed_row"
                continue
            if fields:
                yield lines.start, fields, "bad_encoding" if lines.undecoded else None


class _Lines:
    """The file's lines for the csv reader: counted, and given back where a record turns out not to end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []
        self._next_line = 1
        self.start, self.undecoded = 1, False

    def begin(self) -> None:
        self._taken, self.start, self.undecoded = [], self._next_line, False

    @property
    def many(self) -> bool:
        return len(self._taken) > 1

    def give_back(self) -> int:
        """Keep the first line of the record as read, the others will be read again; the record's line."""
        self._waiting.extendleft(reversed(self._taken[1:]))
        self._next_line = self.start + 1
        return self.start

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.popleft() if self._waiting else next(self.stream)
        self._taken.append(line)
        self._next_line += 1
        self.undecoded = self.undecoded or not _is_text(line)
        return line


def _is_text(line: str) -> bool:
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:  # bytes the encoding does not know arrive as lone surrogates
        return False
    return True


def _text(file: ByteFile, encoding: str) -> TextIO:
    try:
        return file.text(encoding)
    except LookupError:
        raise MappingError(f"{file.path}: unknown encoding {encoding}. Use a name such as utf-8 or cp1252.") from None
