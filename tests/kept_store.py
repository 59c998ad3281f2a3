"""A small store of each version of the schema, as SQL: `python -m tests.kept_store` keeps one of today's version."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from data.dataset import DatasetInfo
from data.store import schema
from data.store.database import url_of
from data.store.store import make
from serving.intake import Intake
from tests.calls import drawn_calls

SAMPLES = Path(__file__).parent / "samples" / "stores"


def kept_calls() -> list[dict[str, Any]]:
    """What every kept store was told."""
    return drawn_calls(5, 40)


def kept_text(version: int) -> str:
    """The store of one version, as SQL."""
    return (SAMPLES / f"v{version}.sql").read_text(encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        make(url_of(file), DatasetInfo(name="calls"))
        Intake(url_of(file), 100).events({"batch": kept_calls()}, 10**16)
        SAMPLES.mkdir(exist_ok=True)
        with sqlite3.connect(file) as store:
            text = "\n".join(store.iterdump()) + "\n"
        (SAMPLES / f"v{schema.VERSION}.sql").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
