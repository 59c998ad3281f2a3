"""Dataclasses that one request makes by the dozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, eq_default=False)
def light(cls: type[T]) -> type[T]:
    """A dataclass whose attributes nobody may set: the type checker refuses it.

    `dataclass(frozen=True)` refuses it while the program runs, and takes several times as long to make an object, which one
    reply would feel. Objects are compared by identity: their arrays have no one truth value.
    """
    return dataclass(eq=False)(cls)
