"""JSON objects from files: one a line, or one array of all; plain, gzip, or rows of Parquet. One at a time in memory."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.importers.streams import CHUNK, ByteFile, broken_archive

PARQUET = b"PAR1"
PARQUET_ROWS = 5_000
_DECODER = json.JSONDecoder()
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Object:
    """One object of a file; `line` counts lines, elements of an array, or rows of a table from 1. None = no object."""

    line: int
    value: dict[str, Any] | None


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == PARQUET


def objects(path: Path, advance: Advance) -> Iterator[Object]:
    """All objects of a file; a line that is none comes as None, blank lines do not come.

    Raises
    ------
    InputError
        for an array that breaks off or a damaged archive: what follows the break cannot be told apart.
    """
    if is_parquet(path):
        yield from _parquet(path, advance)
        return
    with ByteFile(path) as file:
        try:
            start = file.stream.read(CHUNK)
            if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
                yield from _array(file, start, advance)
            else:
                for number, line in lines(file, start, advance):
                    yield Object(number, parse(line))
        except (EOFError, zlib.error, OSError):
            raise broken_archive(path) from None


def lines(file: ByteFile, start: bytes, advance: Advance) -> Iterator[tuple[int, bytes]]:
    """(number, line) of all lines that are not blank; `start` was read already."""
    number, held, at = 0, start.removeprefix(b"\xef\xbb\xbf"), 0
    while held:
        more = file.stream.read(CHUNK)
        whole, cut, rest = held.rpartition(b"\n") if more else (held, b"", b"")
        if more and not cut:
            held += more
            continue
        for line in whole.split(b"\n"):
            number += 1
            if line.strip():
                yield number, line
        held = rest + more
        advance(file.position() - at)
        at = file.position()


def parse(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None for anything else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _array(file: ByteFile, start: bytes, advance: Advance) -> Iterator[Object]:
    """The elements of one array, with no more of it in memory than an element and a chunk."""
    text, number, at = _Text(file, start), 0, 0
    text.skip("[")
    while text.peek() != "]":
        number += 1
        value = text.value(number)
        yield Object(number, value if isinstance(value, dict) else None)
        if text.peek() == ",":
            text.skip(",")
        elif text.peek() != "]":
            raise text.broken(number)
        advance(file.position() - at)
        at = file.position()


class _Text:
    """A window on a long JSON text."""

    def __init__(self, file: ByteFile, start: bytes) -> None:
        self._file, self._decoder = file, codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._text, self._ended = self._decoder.decode(start), False

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        self._text = self._text.lstrip()
        while not self._text and not self._ended:
            self._more()
            self._text = self._text.lstrip()
        return self._text[:1]

    def skip(self, char: str) -> None:
        self.peek()
        self._text = self._text.removeprefix(char)

    def value(self, number: int) -> Any:
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text)
            except RecursionError:
                raise self.broken(number) from None
            except ValueError:
                if self._ended:
                    raise self.broken(number) from None
                end = -1
            if self._ended or 0 <= end < len(self._text):
                self._text = self._text[end:]
                return value
            self._more()  # the value, or a number, may go on in the next chunk

    def broken(self, number: int) -> InputError:
        return InputError.of(
            where=f"{self._file.path}, element {number}", expected="one JSON array of objects",
            got="text that breaks off or does not parse", remedy="Export it again.",
        )  # fmt: skip

    def _more(self) -> None:
        data = self._file.stream.read(CHUNK)
        self._ended = not data
        self._text += self._decoder.decode(data, final=self._ended)


def _parquet(path: Path, advance: Advance) -> Iterator[Object]:
    import pyarrow.parquet as pq

    number, size = 0, path.stat().st_size
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(PARQUET_ROWS, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield Object(number, row)
            advance(size * len(batch) // max(file.metadata.num_rows, 1))
