"""The examples in deploy/ say what the product knows: each is run by a real shell, with a `leadlift` that notes its words."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.command_line import parsed, settings_of

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
CRON = [line for line in (DEPLOY / "leadlift.cron").read_text().splitlines() if re.match(r"[\d*]", line)]
JOBS: dict[str, Any] = {
    j["metadata"]["name"]: j["spec"] for j in yaml.safe_load_all((DEPLOY / "cronjob.yaml").read_text())
}
NIGHT = ["import", "rescore", "writeback"]
STUB = """#!{python}
import json, os, sys
with open({log!r}, "a") as out:
    out.write(json.dumps(sys.argv[1:]) + chr(10))
print("what it says")
sys.exit(int(os.environ.get("FAILS_" + sys.argv[1].upper(), "0")))
"""


class Shell:
    """Runs a command as its example does, the paths of the example being ours; told: the words of each `leadlift`."""

    def __init__(self, folder: Path) -> None:
        self.log, programs = folder / "log", folder / "bin"
        programs.mkdir()
        (programs / "leadlift").write_text(STUB.format(python=sys.executable, log=str(self.log)))
        (programs / "leadlift").chmod(0o755)
        self.own = {"/opt/leadlift/.venv/bin": str(programs), "/opt/leadlift/deploy": str(DEPLOY)}
        environment = folder / "leadlift.env"
        environment.write_text(self.here((DEPLOY / "leadlift.env").read_text()))
        self.own["/etc/leadlift/leadlift.env"] = str(environment)

    def here(self, text: str) -> str:
        for theirs, ours in self.own.items():
            text = text.replace(theirs, ours)
        return text

    def __call__(self, command: str, **environment: str) -> tuple[int, list[list[str]], str]:
        self.log.unlink(missing_ok=True)
        words = ["/bin/sh", "-c", self.here(command)]
        path = {"PATH": f"{self.own['/opt/leadlift/.venv/bin']}:/usr/bin:/bin"}
        done = subprocess.run(words, env=path | environment, capture_output=True, text=True, timeout=60)
        told = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return done.returncode, told, done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def _cron(program: str) -> str:
    """The command of the line that runs a program; five fields and a user stand before it."""
    (line,) = [line for line in CRON if program in line]
    return line.split(None, 6)[6]


def _unit(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string((DEPLOY / name).read_text())
    return unit


def _systemd(name: str) -> str:
    service = _unit(name)["Service"]
    return f"set -a; . {service['EnvironmentFile']}; exec {service['ExecStart']}"


def _pod(name: str) -> dict[str, Any]:
    pod: dict[str, Any] = JOBS[name]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


def _kubernetes(name: str) -> str:
    """What its container runs; without a command of its own the image's entrypoint gets the words."""
    (container,) = _pod(name)["containers"]
    if "command" not in container:
        return " ".join(["leadlift", *container["args"]])
    assert container["command"] == ["sh", "-euc"]
    return "set -eu\n" + str(container["args"][0])


NIGHTS = {
    "cron": _cron("nightly.sh"),
    "systemd": _systemd("leadlift-nightly.service"),
    "k8s": _kubernetes("leadlift-nightly"),
}
MORNINGS = {
    "cron": _cron("status"),
    "systemd": _systemd("leadlift-status.service"),
    "k8s": _kubernetes("leadlift-status"),
}


@pytest.mark.parametrize("kind", NIGHTS)
def test_a_night_is_import_rescore_writeback_in_words_the_command_line_takes(shell: Shell, kind: str) -> None:
    code, told, said = shell(NIGHTS[kind])
    assert (code, [words[0] for words in told]) == (0, NIGHT), said
    imported, rescored, written = (parsed(words) for words in told)
    assert imported["to"] == rescored["dataset"]
    assert rescored["out"] == written["scores"]
    assert (rescored["workers"], written["send"]) == (2, True)


@pytest.mark.parametrize("kind", NIGHTS)
def test_what_fails_ends_the_night_with_its_exit_code(shell: Shell, kind: str) -> None:
    code, told, _ = shell(NIGHTS[kind], FAILS_RESCORE="3")
    assert (code, [words[0] for words in told]) == (3, NIGHT[:2])


def test_without_a_crm_nobody_is_told(shell: Shell) -> None:
    environment = Path(shell.own["/etc/leadlift/leadlift.env"])
    environment.write_text(re.sub("(?m)^CRM=.*$", "CRM=", environment.read_text()))
    code, told, _ = shell(NIGHTS["systemd"])
    assert (code, [words[0] for words in told]) == (0, NIGHT[:2])


@pytest.mark.parametrize("kind", MORNINGS)
def test_the_morning_asks_for_26_hours_and_is_heard_when_they_have_passed(shell: Shell, kind: str) -> None:
    _, (words,), said = shell(MORNINGS[kind])
    assert (words[0], parsed(words)["max_age"]) == ("status", "26h")
    code, _, stale = shell(MORNINGS[kind], FAILS_STATUS="3")
    assert (said, stale) == ("", "what it says\n") if kind == "cron" else code == 3


def test_the_monthly_training_promotes_only_through_the_gate(shell: Shell) -> None:
    _, (words,), _ = shell(_cron("train"))
    given = parsed(words)
    assert (given["promote"], given["accept_change"]) == (True, None)


def test_environments_name_settings_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = (line.partition("=") for line in (DEPLOY / "leadlift.env").read_text().splitlines() if line[:1] not in "#")
    named = {name: value for name, _, value in lines if name.startswith("LEADLIFT_")}
    assert settings_of(monkeypatch, tmp_path, named).home == Path("/var/lib/leadlift/home")
    for job in JOBS:
        given = {e["name"]: e["value"] for e in _pod(job)["containers"][0]["env"]}
        assert settings_of(monkeypatch, tmp_path, given).home == Path("/data/home")


def test_systemd_repeats_what_was_killed_and_not_what_was_said(shell: Shell) -> None:
    service = _unit("leadlift-nightly.service")["Service"]
    assert (service["Type"], service["Restart"], service["RestartPreventExitStatus"]) == (
        "oneshot",
        "on-failure",
        "2 3",
    )
    for name in ("nightly", "status"):
        assert _unit(f"leadlift-{name}.timer")["Timer"]["Persistent"] == "true"
        assert (DEPLOY / f"leadlift-{name}.service").exists()
        assert _unit(f"leadlift-{name}.service")["Service"]["User"] == "leadlift"
        assert str(_unit(f"leadlift-{name}.service")["Service"]["WorkingDirectory"]) == "/var/lib/leadlift"


def test_kubernetes_repeats_what_was_killed_and_not_what_was_said_one_night_at_a_time() -> None:
    night = JOBS["leadlift-nightly"]
    assert night["concurrencyPolicy"] == "Forbid"
    (rule,) = night["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]) == ("FailJob", {"operator": "In", "values": [2, 3]})
    assert night["jobTemplate"]["spec"]["backoffLimit"] > 0


@pytest.mark.parametrize("job", JOBS)
def test_pods_run_as_the_images_user_and_write_to_their_claim_and_tmp_alone(job: str) -> None:
    pod = _pod(job)
    (container,) = pod["containers"]
    user = re.search(r"(?m)^USER (\d+)$", (ROOT / "Containerfile").read_text())
    assert user is not None
    assert (pod["securityContext"]["runAsUser"], pod["restartPolicy"]) == (int(user[1]), "Never")
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    writable = [m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")]
    assert writable == ["/data", "/tmp"]
    assert "/" not in container["image"]
