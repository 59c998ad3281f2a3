"""`bentoml build` without a network, and the built bento as a process of its own: the service's bytes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.server import get, post, started

ROOT = Path(__file__).parent.parent
PACKAGES = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
)
# Loaded by every Python process of the build: whoever looks for another machine is told that there is none.
NO_NETWORK = """
import socket

def _none(*given, **more):
    raise OSError("no network")

socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = _none
"""


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a freshly built bento in a BENTOML_HOME of its own."""
    folder = tmp_path_factory.mktemp("bento")
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = {**os.environ, **nowhere, "BENTOML_HOME": str(folder / "home"), "PYTHONPATH": str(folder), "UV_OFFLINE": "1"}
    env["BENTOML_DO_NOT_TRACK"] = "True"
    done = subprocess.run([sys.executable, "-m", "bentoml", "build"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (f for f in (folder / "home" / "bentos" / "leadlift").iterdir() if f.is_dir())
    return built


def test_a_bento_holds_the_packages_and_nothing_else(bento: Path) -> None:
    wanted = {p for name in PACKAGES for p in (ROOT / name).rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    found = {p.relative_to(bento / "src") for p in (bento / "src").rglob("*") if p.is_file()}
    assert found == {p.relative_to(ROOT) for p in wanted} | {Path("bentofile.yaml")}


def test_a_bento_installs_what_the_lock_says_with_its_hashes(bento: Path) -> None:
    """Without what other platforms need."""
    files = (ROOT / "requirements.lock", bento / "env" / "python" / "requirements.txt")
    locked, installed = (set(file.read_text().replace(";", " ").split()) for file in files)
    assert {word for word in installed if "==" in word or word.startswith("--hash")} <= locked
    names = {word.partition("==")[0] for word in installed if "==" in word}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.split("[<>=]", one)[0] for one in project["dependencies"]} <= names


def test_a_bento_gives_the_bytes_of_the_service(bento: Path, market: Any, client: Any, tmp_path: Path) -> None:
    home, log = tmp_path / "home", tmp_path / "log.txt"
    shutil.copytree(market.settings.home, home)
    env = {n: v for n, v in os.environ.items() if n != "PYTHONPATH" and not n.startswith("LEADLIFT_")}
    env |= {"BENTOML_HOME": str(bento.parents[2]), "LEADLIFT_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    # What the bento brings must be enough: this one package is changed in it, and answers changed.
    shutil.copytree(bento, tmp_path / "bento")
    words = tmp_path / "bento" / "src" / "serving" / "wording.py"
    words.write_text(
        words.read_text().replace("Events at or after as_of", "Said by the bento: events at or after as_of")
    )
    event = {"type": "page_view", "occurred_at": "2027-01-01T00:00:00Z", "url": "https://www.example.com/pricing"}
    asked = {"title": "CEO", "country": "DE", "as_of": "2026-11-01T00:00:00Z"}
    with started(
        [sys.executable, "-m", "bentoml", "serve", str(tmp_path / "bento"), "--host", "127.0.0.1"], env, log, tmp_path
    ) as (address, _):
        assert b'"status": "ready"' in get(f"{address}/readyz")[1]
        for path in ("/v1/score", "/v1/score?detail=full&lang=de", "/v1/score?reasons=none"):
            assert post(address + path, asked) == (200, client.post(path, json=asked).content)
        assert b"Said by the bento" in post(f"{address}/v1/score?detail=full", asked | {"events": [event]})[1]
        assert get(address + "/docs.json")[0] == 404
    assert "Traceback" not in log.read_text()
