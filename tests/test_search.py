"""The search for settings is bounded by trials, the same for the same seed, and learns from what it tried."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from data.errors import UsageError
from training import search
from training.candidates import choose
from training.models import Rows
from training.search import FIXED, Proposals, Trees
from training.splits import Validation, by_lead, lead_hash


def _loss(trees: Trees) -> float:
    return abs(np.log(trees.learning_rate / 0.05)) + (0.5 if trees.deep else 0.0)


def _proposed(seed: int, count: int = 30) -> list[Trees]:
    proposals, found = Proposals(seed, [(t, _loss(t)) for t in FIXED]), []
    for _ in range(count // 2):
        asked = proposals.ask(2)
        proposals.tell([_loss(t) for t in asked])
        found += asked
    return found


def test_the_same_seed_proposes_the_same_settings() -> None:
    assert _proposed(3, 10) == _proposed(3, 10) != _proposed(4, 10)


def test_proposals_go_where_the_loss_was_low() -> None:
    found = _proposed(1)
    assert np.mean([_loss(t) for t in found[-10:]]) < np.mean([_loss(t) for t in FIXED])


def test_more_trials_than_the_list_has_try_exactly_as_many_and_none_is_lost() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(400, 3))
    label = (rng.random(400) < 1 / (1 + np.exp(-values[:, 0]))).astype(float)
    hashes = lead_hash([str(i) for i in range(400)], "s")
    seen: list[int] = []
    rows, folds = Rows(("a", "b", "c"), values, label, np.ones(400), hashes), Validation(by_lead(hashes))
    more, few = (choose(rows, folds, trials, 0, 1, lambda: seen.append(1)) for trials in (len(FIXED) + 3, len(FIXED)))
    best = {c.name: c.loss for c in few}
    assert all(c.loss <= best[c.name] for c in more if c.name != "blend")
    assert len(seen) == 2 * 5 + 2 * len(FIXED) + 3


def test_without_optuna_more_trials_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    absent: Any = lambda name: None  # noqa: E731
    monkeypatch.setattr(search, "find_spec", absent)
    search.check(len(FIXED))
    with pytest.raises(UsageError, match="expected at most 8 without Optuna, got 9"):
        search.check(9)
