"""The running service answers as its OpenAPI document says, whatever is sent: schemathesis, seeded and bounded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving import keys
from tests.server import serving

CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_every_answer_conforms_to_the_document(market: Any, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    # Short lists: the bounds are tried too, and 10,001 events say no more than 41.
    monkeypatch.setenv("LEADLIFT_SERVING__MAX_EVENTS", "40")
    monkeypatch.setenv("LEADLIFT_SERVING__MAX_BATCH", "5")
    _, token = keys.create(home, "schemathesis", ("score", "ingest", "leads"), "now")
    with serving(home, tmp_path / "log.txt") as address:
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
        options = [f"{address}/openapi.json", "--header", f"Authorization: Bearer {token}", "--no-color"]
        done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[:5000] + done.stderr[-2000:]
    assert "7 selected / 7 total" in done.stdout
    assert "401/403" not in done.stdout
    assert "Traceback" not in (tmp_path / "log.txt").read_text()


@pytest.fixture
def home(market: Any, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(market.settings.home, tmp_path / "home"))
