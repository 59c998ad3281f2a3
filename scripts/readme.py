"""Runs the README's commands and writes their real output into it: `python scripts/readme.py`.

A block ```console holds commands after `$ `; what they print follows them. A block with `file=` holds that file, or the
part of it under `## <section>`. `tests/test_readme.py` runs the same commands and compares.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
_BLOCK = re.compile(r"```(\w+)([^\n]*)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Ran:
    """A command of the README, its exit code and what it printed."""

    command: str
    code: int
    output: str


class Reader:
    """A person with a fresh folder who types what the README says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("tests/samples", "data/mappings"):
            shutil.copytree(ROOT / part, folder / part)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "LEADLIFT_HOME": str(folder / ".leadlift"), "LEADLIFT_SERVING__PORT": self.port}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("LEADLIFT_")} | own
        self.servers: list[subprocess.Popen[bytes]] = []

    def type(self, command: str) -> Ran:
        line = command.replace(":3000", f":{self.port}")
        if line.endswith("&"):
            words = line.removesuffix("&").split()
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.servers.append(subprocess.Popen(words, cwd=self.folder, env=self.environment, **quiet))
            self._wait()
            return Ran(command, 0, "")
        done = subprocess.run(line, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        said = (done.stdout + done.stderr).rstrip("\n").replace(f":{self.port}", ":3000")
        return Ran(command, done.returncode, "\n".join(s.rstrip() for s in said.splitlines()))

    def _wait(self) -> None:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2)
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        raise TimeoutError("the service did not start")

    def leave(self) -> None:
        for server in self.servers:
            server.terminate()
            server.wait(30)


@contextmanager
def reader() -> Iterator[Reader]:
    with tempfile.TemporaryDirectory() as folder:
        person = Reader(Path(folder))
        try:
            yield person
        finally:
            person.leave()


def commands(text: str) -> list[str]:
    """The commands of all console blocks, in order."""
    blocks = [b.group(3) for b in _BLOCK.finditer(text) if b.group(1) == "console"]
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def outputs(text: str) -> dict[str, str]:
    """What the README says each command prints."""
    shown: dict[str, str] = {}
    for block in (b.group(3) for b in _BLOCK.finditer(text) if b.group(1) == "console"):
        command = ""
        for line in block.splitlines():
            if line.startswith("$ "):
                command = line[2:]
                shown[command] = ""
            else:
                shown[command] += ("\n" if shown[command] else "") + line
    return shown


def included(options: str) -> str:
    """The text behind `file=` and `section=`."""
    named = dict(o.split("=", 1) for o in options.split())
    text = (ROOT / named["file"]).read_text(encoding="utf-8")
    if "section" in named:
        text = (
            text.split(f"## {named['section']}\n", 1)[1].split("\n## ", 1)[0].replace("```text", "").replace("```", "")
        )
    return text.strip() + "\n"


def filled(text: str, ran: dict[str, str]) -> str:
    """The README with these outputs and the files it includes."""

    def block(found: re.Match[str]) -> str:
        kind, options, _ = found.groups()
        if "file=" in options:
            return f"```{kind}{options}\n{included(options)}```"
        if kind != "console":
            return found.group(0)
        lines = [line for c in commands(found.group(0)) for line in [f"$ {c}", *ran[c].splitlines()]]
        return "```console\n" + "\n".join(lines) + "\n```"

    return _BLOCK.sub(block, text)


def main() -> None:
    text = README.read_text(encoding="utf-8")
    with reader() as person:
        ran = [person.type(c) for c in commands(text)]
    for one in ran:
        if one.code:
            sys.exit(f"{one.command}: exit {one.code}\n{one.output}")
    README.write_text(filled(text, {r.command: r.output for r in ran}), encoding="utf-8")


if __name__ == "__main__":
    main()
