"""What examples of how to run Leadlift are held against: the real command line, the real settings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from data.settings import PREFIX, Settings, load_settings
from serving.cli import build_app


def parsed(words: list[str]) -> dict[str, Any]:
    """What the command line makes of a command, not run; a wrong name, option or value is an error."""
    group: Any = typer.main.get_command(build_app())
    params: dict[str, Any] = group.commands[words[0]].make_context(words[0], list(words[1:])).params
    return params


def settings_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]) -> Settings:
    """What the settings make of an environment; a name they do not know is a SettingsError."""
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:\?[^}]*\}", "hush", value))
    return load_settings()
