"""The removal effect: what a chain says is what walks show, a share is never negative, and no chain breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.removal import MOST_STATES, RARER, Chain, chain_of, removal, removal_rows
from training.trails import Trails

WALKS, MOST = 200_000, 400


def chain(seed: int, states: int = 5) -> Chain:
    """A chain with chances drawn by lot; all may go away everywhere."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(states + 2, 0.6), states)
    return Chain(rng.dirichlet(np.ones(states + 1))[:states] * 0.9, table[:, :states], table[:, states], 0.02)


def walked(chain: Chain, seed: int, without: int = -1) -> float:
    """The share of WALKS walks that convert, whoever comes to the state `without` going away."""
    rng, states = np.random.default_rng(seed), len(chain)
    first = np.cumsum([*chain.enter, chain.convert_at_once])
    then = np.cumsum(np.column_stack([chain.move, chain.convert]), axis=1)
    at = np.searchsorted(first, rng.random(WALKS), side="right")
    converted = 0
    for _ in range(MOST):
        converted += int((at == states).sum())
        at = at[(at < states) & (at != without)]
        at = (rng.random((len(at), 1)) >= then[at]).sum(axis=1)
    assert not len(at)
    return converted / WALKS


@pytest.mark.parametrize("seed", range(3))
def test_the_chain_agrees_with_walks(seed: int) -> None:
    made = chain(seed)
    found, all_ = removal(made), walked(made, seed)
    noise = 5 * np.sqrt(all_ * (1 - all_) / WALKS)
    assert abs(found.chance - all_) < noise
    for state in range(len(made)):
        left = walked(made, seed + 1, without=state)
        assert abs(found.chance * (1 - found.effect[state]) - left) < noise


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    """Any chain: closed loops, states nobody enters, states without an exit, no conversions at all."""
    n = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    holes = rng.random((n, n + 1)) < draw(st.sampled_from([0.0, 0.5, 0.9]))
    table = np.where(holes, 0.0, rng.random((n, n + 1)))
    if draw(st.booleans()):
        table[:, n] *= rng.random(n) < 0.4
    total = table.sum(axis=1, keepdims=True)
    table = np.divide(table, total, out=np.zeros_like(table), where=total > 0)
    enter = np.where(rng.random(n) < 0.3, 0.0, rng.random(n))
    return Chain(enter / max(float(enter.sum()), 1.0), table[:, :n], table[:, n])


@settings(max_examples=300, deadline=None)
@given(chains())
def test_effects_are_shares_of_what_converts_whatever_the_chain(made: Chain) -> None:
    found = removal(made)
    assert 0 <= found.chance <= 1 + 1e-9
    assert ((found.effect >= 0) & (found.effect <= 1)).all()
    assert (found.share >= 0).all()
    assert found.share.sum() == pytest.approx(1.0 if found.effect.any() else 0.0)
    if found.chance > 0:
        assert found.effect.sum() >= 1 - 1e-6  # every conversion passes through some state


def test_a_loop_without_an_exit_and_a_state_nobody_enters_are_worth_nothing() -> None:
    """0 goes to the loop 1 <-> 2 or converts; 3 converts always but nobody comes there."""
    move = np.array([[0, 0.5, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=np.float64)
    found = removal(Chain(np.array([1.0, 0, 0, 0]), move, np.array([0.5, 0, 0, 1.0])))
    assert (found.chance, found.effect.tolist()) == (0.5, [1.0, 0.0, 0.0, 0.0])


def test_where_nobody_converts_nothing_is_lost() -> None:
    found = removal(Chain(np.array([1.0]), np.array([[0.5]]), np.array([0.0])))
    assert (found.chance, found.effect.tolist(), found.share.tolist()) == (0.0, [0.0], [0.0])


def test_the_chain_of_walks_converts_as_often_as_they_did() -> None:
    rng = np.random.default_rng(0)
    length = rng.integers(0, 6, 2000)
    person = np.repeat(np.arange(2000), length)
    label = (rng.random(2000) < 0.3).astype(np.float64)
    made = chain_of(person, rng.integers(0, 7, len(person)), label, 7)
    assert removal(made).chance == pytest.approx(label.mean())
    assert (made.move.sum(axis=1) + made.convert <= 1 + 1e-12).all()


def test_of_too_many_contents_the_rarest_are_one(trails_of_steps: Trails) -> None:
    rows = removal_rows(trails_of_steps)
    assert len(rows) == MOST_STATES
    assert RARER in {r.content for r in rows}
    assert sum(r.share for r in rows) == pytest.approx(1)


@pytest.fixture
def trails_of_steps() -> Trails:
    """Two people for each of many contents; the first of them converts."""
    names = tuple(f"c{i}" for i in range(MOST_STATES + 50))
    n = 2 * len(names)
    unknown, step = np.full(n, np.nan), np.arange(n, dtype=np.int32) // 2
    label = (np.arange(n) % 2 == 0).astype(np.float64)
    none, channel = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int32)
    return Trails(
        names, np.arange(n), step, np.ones(n), label, none, unknown, unknown, np.ones(n), channel, unknown, unknown
    )
