"""The README is true: its commands run in a fresh folder, and print what it says they print, figures aside."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def readme() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["readme"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def ran(readme: Any) -> dict[str, Any]:
    """Every command of the README, typed in order."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with readme.reader() as person:
        typed = {c: person.type(c) for c in readme.commands(text)}
        typed["openapi.json"] = readme.Ran("", 0, (person.folder / "openapi.json").read_text(encoding="utf-8"))
        return typed


def _shape(text: str) -> list[str]:
    """Lines with every figure, version and run of spaces made equal; which paths lead and which model wins are figures."""
    kept = [line for line in text.splitlines() if " > " not in line]
    without = (re.sub(r"\b[0-9a-f]{12,}\b|\d[\d.,:T-]*", "#", line) for line in kept)
    return [re.sub(r"[\s━╇┃│-]+", " ", line).strip() for line in without]


def test_every_command_of_the_readme_succeeds(ran: dict[str, Any]) -> None:
    assert len(ran) >= 8
    assert {c: r.output for c, r in ran.items() if r.code} == {}


def test_the_readme_shows_what_its_commands_print(readme: Any, ran: dict[str, Any]) -> None:
    shown = readme.outputs((ROOT / "README.md").read_text(encoding="utf-8"))
    for command, one in ((c, r) for c, r in ran.items() if c in shown):
        if command.startswith(("leadlift train", "leadlift score", "curl", "leadlift paths", "leadlift rescore")):
            assert _heads(shown[command]) == _heads(one.output), command
        else:
            assert _shape(shown[command]) == _shape(one.output), command


def _heads(text: str) -> list[str]:
    """What does not depend on the machine's arithmetic: the words before the first figure of each line."""
    return [re.split(r"[\d\"]", line)[0].strip() for line in _shape(text)]


def test_the_service_and_the_command_line_give_the_same_bytes(ran: dict[str, Any]) -> None:
    (by_hand,) = [r.output for c, r in ran.items() if c.startswith("leadlift score")]
    (over_http,) = [r.output for c, r in ran.items() if c.startswith("curl")]
    assert by_hand == over_http
    assert '"probability":0.' in by_hand


def test_the_interface_of_the_trained_market_is_the_one_in_docs(ran: dict[str, Any]) -> None:
    assert ran["openapi.json"].output == (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")


def test_files_shown_in_the_readme_are_the_files(readme: Any) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text, readme.outputs(text)) == text
