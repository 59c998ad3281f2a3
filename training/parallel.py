"""Fits beside each other, each on one core: two small fits at once are quicker than two cores on each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")


def in_parallel(tasks: Sequence[Callable[[], Found]], threads: int) -> list[Found]:
    """The answers of all tasks, in their order; begun in their order, at most `threads` at a time.

    A task's error is raised once those that had begun have ended.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        begun = [pool.submit(task) for task in tasks]
        try:
            return [one.result() for one in begun]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
