"""A process that dies, or stands still, before its n-th change of a file."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link")  # every way in which we change a file


def forked(work: Callable[[], object], folder: Path, step: int, then: Callable[[], object]) -> int:
    """Run `work` in a process of its own, which does `then` before its n-th change below `folder`; its number. It
    ends with 0, or with 1 where `work` raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child:
        return child
    left = [step]

    def on_step(event: str, arguments: tuple[object, ...]) -> None:
        path = str(arguments[0]) if arguments else ""
        reads = event == "open" and not int(str(arguments[2] or 0)) & (os.O_WRONLY | os.O_RDWR)
        if event in STEPS and path.startswith(str(folder)) and not reads:
            left[0] -= 1
            if left[0] == -1:
                then()

    sys.addaudithook(on_step)
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """Its exit code, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step: int, work: Callable[[], object], folder: Path) -> bool:
    """`work` in a process that is killed before its n-th change below `folder`; True if it lived to the end."""
    return ended(forked(work, folder, step, lambda: os.kill(os.getpid(), signal.SIGKILL))) == 0


def stopped_at(step: int, work: Callable[[], object], folder: Path) -> int | None:
    """`work` in a process that stands still before its n-th change below `folder`; its number, None if it ended."""
    child = forked(work, folder, step, lambda: os.kill(os.getpid(), signal.SIGSTOP))
    _, status = os.waitpid(child, os.WUNTRACED)
    return child if os.WIFSTOPPED(status) else None
