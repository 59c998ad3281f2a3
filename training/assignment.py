"""Which arm of an experiment an id is in: a hash of the experiment's name and the id, the same in Python and in the page.

    arms_of(name, ids)   0 control, 1 treatment
    script_of(name)      the same as JavaScript, for the page

The hash is FNV-1a in 32 bits over the UTF-8 of `name:id` (Fowler, Noll, Vo), whose highest bit would hardly notice the last
characters of an id; so the finaliser of MurmurHash3 (Appleby) mixes it. Nobody needs to remember an arm, and the order in
which people come does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data.errors import UsageError

ARMS = ("control", "treatment")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
BASIS, PRIME, MIX = 2166136261, 16777619, ((16, 0x85EBCA6B), (13, 0xC2B2AE35))
SCRIPT = """\
// Leadlift experiment {name}: one id has one arm, here as in the report. id: what the tracker calls the visitor.
function leadliftArm(id, name = "{name}") {{
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(name + ":" + id)) h = Math.imul(h ^ byte, 16777619);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 31 ? "treatment" : "control";
}}
"""


def known_name(name: str) -> str:
    """The name of an experiment, which is also that of its file; a UsageError for one that cannot be."""
    if NAME.fullmatch(name) is None:
        raise UsageError(
            f"NAME: expected up to 40 small letters, digits and hyphens such as pricing-link, got {name!r}."
        )
    return name


def arms_of(name: str, ids: Sequence[str]) -> NDArray[np.int8]:
    """The arm of each id, (n,): its number in ARMS."""
    return (hashes(name, ids) >> 31).astype(np.int8)


def hashes(name: str, ids: Sequence[str]) -> NDArray[np.uint32]:
    """The hash of each id, (n,); all ids at once, character by character."""
    words = [f"{name}:{i}".encode() for i in ids]
    length = np.array([len(w) for w in words], dtype=np.int64)
    text = np.frombuffer(b"".join(words), dtype=np.uint8)
    start = np.cumsum(length) - length
    found: NDArray[np.uint32] = np.full(len(words), BASIS, dtype=np.uint32)
    for at in range(int(length.max(initial=0))):
        there = np.flatnonzero(length > at)
        found[there] = (found[there] ^ text[start[there] + at]) * np.uint32(PRIME)
    for shift, factor in MIX:
        found = (found ^ (found >> np.uint32(shift))) * np.uint32(factor)
    return found ^ (found >> np.uint32(16))


def script_of(name: str) -> str:
    """The JavaScript that gives an id its arm: `leadliftArm(id)` is one of ARMS."""
    return SCRIPT.format(name=known_name(name))
