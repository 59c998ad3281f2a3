"""Containerfile and compose.yaml say what the product knows: sources, user, ports, health, settings, options."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from data.settings import PREFIX
from serving.routes import ROUTES
from tests.command_line import parsed, settings_of

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PORT = 3000


def _instructions() -> list[tuple[str, str]]:
    """(INSTRUCTION, rest) of the Containerfile, lines joined, comments left out."""
    kept = [line for line in (ROOT / "Containerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(kept).replace("\\\n", " ")
    pairs = [line.strip().partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, " ".join(rest.split())) for name, _, rest in pairs]


INSTRUCTIONS = _instructions()


def _all(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name]


def _image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for rest in _all("ENV") for word in shlex.split(rest))


# -- Containerfile -------------------------------------------------------------------------------------------------
def test_the_image_is_a_slim_python_without_a_registrys_name() -> None:
    (image,) = _all("FROM")
    assert re.fullmatch(r"python:3\.\d+-slim", image)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert tuple(map(int, re.findall(r"\d+", image))) >= tuple(map(int, re.findall(r"\d+", project["requires-python"])))


def test_every_copied_source_exists_and_all_packages_are_copied() -> None:
    sources = [source for rest in _all("COPY") for source in rest.split()[:-1]]
    assert [s for s in sources if not (ROOT / s).exists()] == []
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(wheel["packages"]) | {"requirements.lock", "pyproject.toml"} <= set(sources)
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == set(sources)


def test_what_is_installed_has_the_locks_hashes() -> None:
    installs = [words for rest in _all("RUN") for words in rest.split("&&") if "pip install" in words]
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert all("--require-hashes" in i or "--no-index --no-deps --no-build-isolation" in i for i in installs)


def test_it_runs_as_nobody_in_particular_with_its_home_on_a_volume() -> None:
    names = [name for name, _ in INSTRUCTIONS]
    (user,) = _all("USER")
    assert int(user) > 0
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert f"useradd --system --uid {user}" in " ".join(_all("RUN"))
    assert _all("VOLUME") == [_image_environment()["LEADLIFT_HOME"]]
    written = [v for n, v in _image_environment().items() if n in ("HOME", "BENTOML_HOME")]
    assert all(path.split("/")[1] == "tmp" for path in written)


def test_its_health_is_asked_on_the_port_it_serves() -> None:
    words = json.loads(_all("ENTRYPOINT")[0]) + json.loads(_all("CMD")[0])
    assert words[0] == "leadlift"
    given = parsed(words[1:])
    assert (given["host"], given["port"]) == ("0.0.0.0", PORT)
    assert _all("EXPOSE") == [str(PORT)]
    assert f"http://127.0.0.1:{PORT}/livez" in _all("HEALTHCHECK")[0]
    assert ROUTES["/livez"] is None


def test_the_image_sets_what_the_settings_know(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ours = {n: v for n, v in _image_environment().items() if n.startswith(PREFIX)}
    assert settings_of(monkeypatch, tmp_path, ours).home == Path("/var/lib/leadlift")


# -- compose.yaml --------------------------------------------------------------------------------------------------
def test_three_services_of_which_each_says_whether_it_is_well() -> None:
    assert set(SERVICES) == {"service", "postgres", "mlflow"}
    assert all(s["healthcheck"]["test"][0] == "CMD" for s in SERVICES.values())
    assert f":{PORT}/livez" in SERVICES["service"]["healthcheck"]["test"][-1]
    assert SERVICES["service"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert (ROOT / SERVICES["service"]["build"]["dockerfile"]).exists()


def test_images_name_no_registry() -> None:
    assert [s["image"] for s in SERVICES.values() if re.search(r"[./].*/", s["image"])] == []


def test_the_services_command_is_one_of_ours() -> None:
    given = parsed(SERVICES["service"]["command"])
    assert (given["host"], given["port"]) == ("0.0.0.0", PORT)
    with pytest.raises(Exception, match="No such option"):
        parsed([*SERVICES["service"]["command"], "--prot", "1"])


def test_the_service_is_told_what_the_settings_know(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = settings_of(monkeypatch, tmp_path, SERVICES["service"]["environment"])
    postgres = SERVICES["postgres"]["environment"]
    assert (
        found.serving.store == f"postgresql://{postgres['POSTGRES_USER']}:hush@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert found.mlflow.tracking_uri == "http://mlflow:5000"
    assert os.environ["LEADLIFT_EMAIL_HASH_KEY"] == "hush"


def test_secrets_come_from_the_environment_and_must_be_given() -> None:
    said = {n: v for s in SERVICES.values() for n, v in s.get("environment", {}).items()}
    secret = {n: v for n, v in said.items() if re.search("PASSWORD|KEY|SECRET|TOKEN|STORE", n)}
    assert set(secret) == {"POSTGRES_PASSWORD", "LEADLIFT_EMAIL_HASH_KEY", "LEADLIFT_SERVING__STORE"}
    assert all(re.search(r"\$\{\w+:\?[^}]+\}", value) for value in secret.values())


def test_ports_are_for_this_machine_and_volumes_are_declared() -> None:
    ports = [p for s in SERVICES.values() for p in s.get("ports", ())]
    assert sorted(ports) == ["127.0.0.1:3000:3000", "127.0.0.1:5000:5000"]
    used = {v.partition(":")[0] for s in SERVICES.values() for v in s["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert SERVICES["service"]["volumes"] == [f"home:{_image_environment()['LEADLIFT_HOME']}"]


def test_what_is_ours_writes_to_its_volume_and_tmp_alone() -> None:
    ours = [s for s in SERVICES.values() if s["image"] == "leadlift"]
    assert len(ours) == 2
    assert all(s["read_only"] and s["tmpfs"] == ["/tmp"] and s["cap_drop"] == ["ALL"] for s in ours)
