"""`leadlift score` and `serve`: the API's bytes and its refusals without a server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from data.errors import InputError, LeadliftError, UsageError
from serving.commands import scores
from serving.reply import KEYS


def _run(home: Path, *arguments: object, error: type[LeadliftError] | None = None, **options: Any) -> Any:
    app = typer.Typer()
    scores.register(app)
    words, env = [str(a) for a in arguments], {"LEADLIFT_HOME": str(home), "LEADLIFT_MARKET": None}
    if error is None:
        return CliRunner().invoke(app, words, env=env, catch_exceptions=False, **options)
    with pytest.raises(error) as caught:
        CliRunner().invoke(app, words, env=env, catch_exceptions=False, **options)
    return str(caught.value)


def test_a_file_or_standard_input_is_scored_now(market, tmp_path):
    (tmp_path / "lead.json").write_text('{"title":"CEO"}')
    one = _run(market.settings.home, "score", "--file", tmp_path / "lead.json")
    assert list(json.loads(one.stdout_bytes)) == list(KEYS)
    assert one.stdout_bytes.endswith(b"}")
    piped = _run(market.settings.home, "score", "--file", "-", "--detail", "full", input='{"title":"CEO"}')
    assert json.loads(piped.stdout_bytes)["ledger"]


def test_the_option_decides_the_moment(market, tmp_path):
    (tmp_path / "lead.json").write_text('{"title":"CEO","as_of":"2020-01-01T00:00:00Z"}')
    done = _run(market.settings.home, "score", "--file", tmp_path / "lead.json", "--as-of", "2026-01-01")
    assert json.loads(done.stdout_bytes)["as_of"] == "2026-01-01T00:00:00.000000Z"


def test_without_a_model_the_points_answer_and_say_so(tmp_path):
    (tmp_path / "lead.json").write_text('{"title":"CEO"}')
    done = _run(tmp_path / "home", "score", "--file", tmp_path / "lead.json")
    assert json.loads(done.stdout_bytes)["probability"] is None
    assert done.stderr.strip() == "warnings: no_market,rules_packaged"


def test_an_unknown_field_is_a_warning_where_the_settings_say_so(market, tmp_path):
    (tmp_path / "lead.json").write_text('{"title": "CEO", "cuntry": "DE"}')
    (tmp_path / "own.toml").write_text('[api]\nunknown_fields = "warn"\n')
    asked = ("score", "--file", tmp_path / "lead.json")
    assert "nearest known field is country" in _run(market.settings.home, *asked, error=InputError)
    done = _run(market.settings.home, *asked, "--config", tmp_path / "own.toml")
    assert done.stderr.strip() == "warnings: unknown_field:country"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"titel":"x"}', "nearest known field is title"), ("{", "not JSON"), ('{"a":1,"a":2}', "a key twice"),
        ('{"employees":"ten"}', "employees: expected a number"), ("{}", "at least one of"), ("", "empty"),
        ('{"title":"' + "x" * 1_000_001 + '"}', "at most 1000000 bytes"),
    ],
)  # fmt: skip
def test_a_bad_request_is_one_line(market, tmp_path, body, message):
    (tmp_path / "lead.json").write_text(body)
    said = _run(market.settings.home, "score", "--file", tmp_path / "lead.json", error=InputError)
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((), UsageError, "--file or --lead-id"), (("--lead-id", "x"), UsageError, "--dataset"),
        (("--file", "a", "--lead-id", "x"), UsageError, "--file or --lead-id"), (("--file", "gone"), InputError, "--file gone"),
        (("--file", "-", "--lang", "fr"), UsageError, "--lang: expected one of en, de"),
        (("--file", "-", "--detail", "x"), UsageError, "--detail: expected one of flat, full"),
        (("--file", "-", "--as-of", "2026-01-01T00:00"), UsageError, "--as-of"),
    ],
)  # fmt: skip
def test_wrong_options_are_named(market, arguments, error, message):
    assert message in _run(market.settings.home, "score", *arguments, error=error, input="{}")


def test_an_unknown_lead_or_one_not_created_yet_is_said(market):
    place = ("--dataset", market.dataset.path)
    assert "unknown id" in _run(market.settings.home, "score", "--lead-id", "nobody", *place, error=InputError)
    early = ("--lead-id", "lead-0001", "--as-of", "2000-01-01")
    assert "was created" in _run(market.settings.home, "score", *early, *place, error=InputError)


def test_a_lead_of_a_table_without_times_is_scored(timeless):
    arguments = ("score", "--lead-id", "lead-0001", "--dataset", timeless.dataset.path)
    reply = json.loads(_run(timeless.settings.home, *arguments).stdout_bytes)
    assert reply["model_version"] == timeless.bundle.version
    assert reply["data_quality"] in ("full", "profile_only", "partial")


def test_the_program_ends_with_the_errors_exit_code(market, tmp_path):
    (tmp_path / "lead.json").write_text('{"titel":"x"}')
    env = {**os.environ, "LEADLIFT_HOME": str(market.settings.home), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "serving.cli", "score", "--file", str(tmp_path / "lead.json")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_taken_port_and_an_open_choice_of_markets_are_usage_errors(market, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rules.yaml").write_text("x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--port {port}" in _run(market.settings.home, "serve", "--port", port, error=UsageError)
        assert "--market: expected one of a, b" in _run(tmp_path, "serve", "--port", port, error=UsageError)
