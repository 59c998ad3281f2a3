"""One process at a time writes below a folder of scores, and one that lost its claim can change nothing any more.

    OUT/.lock            held by flock, which the kernel frees when its holder dies; touched by a holder that lives
    OUT/.work.<token>/   all that is not published yet; the token is its holder's

Who gets the lock renames the work folder to a token of its own. A holder that was stopped, was taken for dead and wakes
up finds none of its paths any more: whatever it still wants to rename from there does not exist. So everything that
changes what readers see starts as a file in the work folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from data.errors import LeadliftError
from data.files import sync

LOCK, WORK = ".lock", ".work."
BEAT = 1.0  # seconds between two signs of life
PATIENCE = 30.0  # seconds without one, after which a holder has lost its claim
Waiting = Callable[[], None]


class ClaimLost(LeadliftError):
    """Another process holds the folder now."""


@dataclass(frozen=True)
class Claim:
    """The right to change a folder of scores. work: everything unpublished lies there."""

    out: Path
    work: Path
    handle: int

    def check(self) -> None:
        """Raise ClaimLost where another process has taken over."""
        if not (_is_lock(self.handle, self.out / LOCK) and self.work.is_dir()):
            raise ClaimLost(
                f"{self.out}: expected to be the one that rescores into it, got another process that took over while "
                "this one stood still. This one changed nothing; see to the other one."
            )

    def put(self, name: str, to: Path) -> None:
        """Rename a file of the work folder over one that readers see; it is on the disk before and after."""
        sync(self.work / name)
        os.replace(self.work / name, to)
        sync(to.parent)


@contextmanager
def claimed(out: Path, waiting: Waiting = lambda: None) -> Iterator[Claim]:
    """Hold the folder `out`, which is made where it is not there. `waiting` is called once where another one holds it.

    Raises
    ------
    ClaimLost
        from within, where this process stood still for so long that another one took over.
    """
    out.mkdir(parents=True, exist_ok=True)
    handle = _acquired(out / LOCK, waiting)
    try:
        with _beating(handle):
            claim = Claim(out, _taken_over(out), handle)
            claim.check()
            try:
                yield claim
            except Exception:
                claim.check()  # who lost it finds nothing any more, and that is all there is to say
                raise
            finally:
                with suppress(OSError):  # not empty: what waits for another attempt
                    claim.work.rmdir()
    finally:
        if _is_lock(handle, out / LOCK):
            (out / LOCK).unlink()
        os.close(handle)


def _taken_over(out: Path) -> Path:
    """The work folder under a name that is ours alone, with all that was left in it."""
    ours = out / f"{WORK}{secrets.token_hex(6)}"
    left = sorted(out.glob(f"{WORK}*"))
    if not left:
        ours.mkdir()
        return ours
    left[0].rename(ours)
    for more in left[1:]:  # of processes that died at the same time as they took over
        shutil.rmtree(more)
    for file in [f for f in ours.iterdir() if f.is_file()]:  # its former holder may have it open
        file.unlink()
    return ours


def _acquired(lock: Path, waiting: Waiting) -> int:
    seen, since, told = -1.0, time.monotonic(), False
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        if _locks(handle):
            if _is_lock(handle, lock):
                return handle
        else:
            beat = os.fstat(handle).st_mtime
            if beat != seen:
                seen, since = beat, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                lock.unlink(missing_ok=True)
            if not told:
                waiting()
                told = True
            time.sleep(BEAT / 5)
        os.close(handle)


def _locks(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_lock(handle: int, lock: Path) -> bool:
    """Is what we hold still the file of that name?"""
    try:
        return os.path.samestat(os.fstat(handle), lock.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _beating(handle: int) -> Iterator[None]:
    """Signs of life while the work goes on, from a thread of its own: a long step is no death."""
    over = Event()

    def beat() -> None:
        while not over.wait(BEAT):
            with suppress(OSError):
                os.utime(handle)

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
