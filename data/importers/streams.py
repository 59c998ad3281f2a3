"""Files as streams of bytes, plain or gzip, that know how much of the file on disk was read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from data.errors import InputError

GZIP = b"\x1f\x8b"
CHUNK = 1 << 20


class ByteFile:
    """One file for reading: `stream` gives its bytes, unpacked where it is gzip. Use as a context manager.

    Raises
    ------
    InputError
        for a file that cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
        except OSError as bad:
            raise InputError(f"{path}: expected a readable file, got {bad.strerror}. Check the path.") from None
        packed = self._raw.read(2) == GZIP
        self._raw.seek(0)
        self.stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw)) if packed else self._raw

    def __enter__(self) -> ByteFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self._raw.close()

    def position(self) -> int:
        """Bytes of the file on disk that were read so far."""
        return self.path.stat().st_size if self._raw.closed else self._raw.tell()

    def text(self, encoding: str) -> io.TextIOWrapper:
        """The stream as text; bytes the encoding does not know arrive as lone surrogates."""
        return io.TextIOWrapper(self.stream, encoding=encoding, errors="surrogateescape", newline="")


def line_blocks(file: ByteFile, size: int = 8 << 20) -> Iterator[tuple[bytes, int]]:
    """Blocks of whole lines, without the newline of the last one, with their number of lines. No blank line at the end."""
    start = file.stream.read(3).removeprefix(b"\xef\xbb\xbf")
    while start or (start := file.stream.read(1)):
        block, rest = file.stream.read(size), file.stream.readline()
        whole = b"".join((start, block, rest.removesuffix(b"\n")))
        start = b""
        if not rest.endswith(b"\n"):  # the end of the file
            before, _, last = whole.rpartition(b"\n")
            whole = whole if last.strip() else before
            if not whole.strip():
                return
        yield whole, _newlines(whole) + 1


def _newlines(text: bytes) -> int:
    """Twice as fast as bytes.count()."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))


def broken_archive(path: Path) -> InputError:
    """What to raise where a gzip file ends early or is damaged."""
    return InputError.of(
        where=str(path), expected="a whole gzip file", got="one that is damaged", remedy="Fetch it again."
    )
