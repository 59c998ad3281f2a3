"""Which part files of a dataset are live, and what they were made from: `parts-000.json` beside `dataset.toml`.

A dataset is a row of generations. Part files are never changed; each import writes new ones and a new list, and at
last replaces `dataset.toml`, which names the generation in force. Whoever opened an older one reads on in it: its
files stay until the import after the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data import dataset_file
from data.dataset import DatasetInfo
from data.errors import InputError

DAY_COLUMN = "source_day"  # int32 days since 1970, in event and spend parts of sources that restate days


@dataclass(frozen=True)
class Part:
    """One live file. source: whose days it can replace ("" = nobody's); days: rows by source day."""

    rows: int
    sha256: str
    source: str = ""
    days: dict[int, int] = field(default_factory=dict)


@dataclass
class SourceState:
    """One source of data, such as `table:events*.csv` or `ga4`.

    latest: last arrival in microseconds. complete_through: the last day, as text, nothing of which is missing any more.
    exported_at: moment of the last profile export without a history of its own, in microseconds.
    """

    record: str = ""
    files: int = 0
    rows: int = 0
    latest: int | None = None
    complete_through: str | None = None
    exported_at: int | None = None


@dataclass
class Manifest:
    """All of one generation. parts, texts: by path in the dataset; texts: name -> file. files: SHA-256 -> (name, source)."""

    generation: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    sources: dict[str, SourceState] = field(default_factory=dict)
    files: dict[str, tuple[str, str]] = field(default_factory=dict)

    def of(self, folder: str) -> list[str]:
        """Live files in a folder of the dataset such as `events/bucket=07` or `rejects`, in name order."""
        return sorted(p for p in self.parts if p.startswith(folder + "/"))

    def folders(self) -> dict[str, list[str]]:
        """Live files by the folder they lie in."""
        found: dict[str, list[str]] = {}
        for part in sorted(self.parts):
            found.setdefault(part.rpartition("/")[0], []).append(part)
        return found

    def rows(self, record: str) -> int:
        return sum(self.parts[p].rows for p in self.of(record))

    def live(self) -> set[str]:
        """Every file this generation needs, by path in the dataset."""
        return {*self.parts, *self.texts.values(), file_name(self.generation)}

    def to_json(self) -> str:
        document = asdict(self)
        document["parts"] = {k: asdict(self.parts[k]) for k in sorted(self.parts)}
        document["files"] = {k: list(v) for k, v in sorted(self.files.items())}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Manifest:
        d: dict[str, Any] = json.loads(text)
        days = {k: {int(day): n for day, n in p["days"].items()} for k, p in d["parts"].items()}
        return Manifest(
            d["generation"], {k: Part(p["rows"], p["sha256"], p["source"], days[k]) for k, p in d["parts"].items()},
            d["texts"], {k: SourceState(**s) for k, s in d["sources"].items()},
            {k: (name, source) for k, (name, source) in d["files"].items()},
        )  # fmt: skip


def file_name(generation: int) -> str:
    return f"parts-{generation:03d}.json"


def digest_of(manifest: Manifest, texts: dict[str, str], info: DatasetInfo) -> str:
    """SHA-256 over the info without digest and generation, and over names and hashes of parts and texts."""
    total = hashlib.sha256(dataset_file.dump(replace(info, digest="", generation=0)).encode())
    for name, part in sorted({**{k: p.sha256 for k, p in manifest.parts.items()}, **texts}.items()):
        total.update(f"{name} {part}\n".encode())
    return total.hexdigest()


def sha256_of(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_info(path: Path) -> DatasetInfo:
    """What `dataset.toml` says; an InputError where there is none."""
    try:
        text = (path / "dataset.toml").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise InputError.of(
            where=str(path), expected="a dataset folder with a dataset.toml", got="none",
            remedy="Make one with `leadlift import ... --to DATASET` or `leadlift simulate DATASET`.",
        ) from None  # fmt: skip
    return dataset_file.parse(text, str(path / "dataset.toml"))


def read(path: Path) -> tuple[DatasetInfo, Manifest]:
    """The generation in force, whole: its info and its files.

    Raises
    ------
    InputError
        where the folder is no dataset, or its list of files is missing or unreadable.
    """
    for _ in range(3):  # an import may publish, and the next one clean up, between the two reads
        info = read_info(path)
        try:
            return info, Manifest.from_json((path / file_name(info.generation)).read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            break
    raise InputError.of(
        where=str(path / file_name(info.generation)), expected="the list of the dataset's files", got="none that can be read",
        remedy="Import the data again into a new folder.",
    )  # fmt: skip


def walk(folder: Path) -> Iterator[str]:
    """Every file below a folder, by its path there; hidden ones are left out."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            yield file.relative_to(folder).as_posix()
