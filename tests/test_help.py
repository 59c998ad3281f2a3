"""Help says what it means, brackets of setting sections included."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from serving.cli import build_app


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train", "[training] target"), ("promote", "[gate] max_newly_ready"), ("rescore", "[rescore] spark_master"),
        ("status", "[monitor]"),
    ],
)  # fmt: skip
def test_help_names_the_sections_of_settings(command: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 400)
    shown = CliRunner().invoke(build_app(), [command, "--help"]).output
    assert said in " ".join(shown.replace("│", " ").split())
