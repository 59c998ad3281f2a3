"""What would be lost without a content: the removal effect in an absorbing Markov chain, solved linearly.

Everybody's path is a walk: start, the steps, then converted or not. Of the chain with the same transitions

    v     chance to convert from each state:       (I - Q) v = chance to convert at the next step
    N     expected visits, start to each state:    s (I - Q)^-1
    reach chance ever to come to state i:          N_i / (visits to i from i)
    lost  removal effect of i:                     reach_i v_i / chance to convert from the start

What passes through i is what is lost when whoever comes to i goes away (Anderl et al. 2016); so it is a share, never
negative and never above 1, and all states need one inverse, not one each. States that cannot lead to a conversion are
left out of the equations (walks that enter them never come back), which keeps every chain solvable, closed loops and
states without an exit included. Associated with, not caused by: who would have come to i may convert without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import differs, rows_where
from training.trails import Trails

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
MOST_STATES = 1000  # the most visited; the others are one state together, for an inverse grows with the cube
RARER = "(rarer contents)"


@dataclass(frozen=True)
class Chain:
    """K states: enter (K,) chances to start in each, move (K, K) from row to column, convert (K,) chances to convert next.

    Chances of a row may add up to less than 1: the rest goes away.
    """

    enter: F64
    move: F64
    convert: F64
    convert_at_once: float = 0.0  # without any step

    def __len__(self) -> int:
        return len(self.enter)


@dataclass(frozen=True)
class Removal:
    """chance: to convert from the start. effect (K,): share of the conversions that pass through each state, 0 to 1.
    share (K,): the effects made to add up to 1, 0 where all are."""

    chance: float
    effect: F64
    share: F64


@dataclass(frozen=True)
class RemovalRow:
    """One content: the share of conversions that pass through it, and its share of all such effects."""

    content: str
    effect: float
    share: float

    def document(self) -> dict[str, Any]:
        return dict(vars(self))


def removal_rows(trails: Trails) -> tuple[RemovalRow, ...]:
    """The removal effect of each content, largest first."""
    names, step = _most_visited(trails)
    found = removal(chain_of(trails.person, step, trails.label, len(names)))
    rows = [RemovalRow(*r) for r in zip(names, found.effect.tolist(), found.share.tolist(), strict=True)]
    return tuple(sorted(rows, key=lambda r: (-r.effect, r.content)))


def _most_visited(trails: Trails) -> tuple[tuple[str, ...], I64]:
    """Names and step codes with at most MOST_STATES states."""
    step = trails.step.astype(np.int64)
    if len(trails.names) <= MOST_STATES:
        return trails.names, step
    often = np.argsort(-np.bincount(step, minlength=len(trails.names)), kind="stable")
    number = np.full(len(trails.names), MOST_STATES - 1, dtype=np.int64)
    number[often[: MOST_STATES - 1]] = np.arange(MOST_STATES - 1)
    return (*(trails.names[i] for i in often[: MOST_STATES - 1].tolist()), RARER), number[step]


def chain_of(person: I64, step: I64, label: F64, states: int) -> Chain:
    """The chain of n walks: person (m,) ascending and step (m,) of each step in order; label (n,) 1 or 0."""
    first, n = differs(person), len(label)
    last = np.append(first[1:], True)[: len(person)]
    begins, ends, goes_on = rows_where(first), rows_where(last), rows_where(~first)
    cells = np.bincount(step[goes_on - 1] * states + step[goes_on], minlength=states * states)
    visits = np.maximum(np.bincount(step, minlength=states), 1)
    convert = np.bincount(step[ends], label[person[ends]], states) / visits
    enter = np.bincount(step[begins], minlength=states) / max(n, 1)
    walked = np.bincount(person, minlength=n) > 0
    return Chain(
        enter, cells.reshape(states, states) / visits[:, None], convert, float(label[~walked].sum() / max(n, 1))
    )


def removal(chain: Chain) -> Removal:
    """The removal effects of a chain; all 0 where nobody converts."""
    effect = np.zeros(len(chain))
    live = _can_convert(chain)
    if not len(live):
        return Removal(chain.convert_at_once, effect, effect.copy())
    visits = np.linalg.inv(np.eye(len(live)) - chain.move[np.ix_(live, live)])  # from row to column, expected
    value = np.clip(visits @ chain.convert[live], 0.0, 1.0)
    reach = np.clip((chain.enter[live] @ visits) / np.diag(visits), 0.0, 1.0)
    chance = chain.convert_at_once + float(chain.enter[live] @ value)
    effect[live] = np.clip(reach * value / chance, 0.0, 1.0) if chance > 0 else 0.0
    total = effect.sum()
    return Removal(chance, effect, effect / total if total > 0 else effect.copy())


def _can_convert(chain: Chain) -> I64:
    """States that a walk can enter and from which a conversion can be reached."""
    links = chain.move > 0
    able = _closure(chain.convert > 0, links.T)
    return rows_where(able & _closure(chain.enter > 0, links))


def _closure(found: NDArray[np.bool_], links: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The states found, and all that links lead to from them."""
    fresh = rows_where(found)
    while len(fresh):
        further = links[fresh].any(axis=0) & ~found
        found, fresh = found | further, rows_where(further)
    return found
