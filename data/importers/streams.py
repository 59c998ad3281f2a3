"""Files as streams of bytes, plain or gzip, that know how much of the file on disk was read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

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
    held = file.stream.read(3).removeprefix(b"\xef\xbb\xbf")
    while block := file.stream.read(size):
        end = block.rfind(b"\n")
        if end < 0:
            held += block
            continue
        whole, held = held + block[:end], block[end + 1 :]
        yield whole, whole.count(b"\n") + 1
    if held.strip():
        yield held, held.count(b"\n") + 1


def broken_archive(path: Path) -> InputError:
    """What to raise where a gzip file ends early or is damaged."""
    return InputError.of(
        where=str(path), expected="a whole gzip file", got="one that is damaged", remedy="Fetch it again."
    )
