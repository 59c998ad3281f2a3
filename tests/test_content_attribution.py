"""Attribution: every rule gives each conversion away whole, and to the steps it names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.content_attribution import HALF_LIFE_DAYS, RULES, attribution


@given(st.lists(st.lists(st.floats(0, 2000), min_size=1, max_size=7), max_size=8))
def test_weights_are_not_negative_and_add_up_to_1_for_everybody(ages: list[list[float]]) -> None:
    person = np.repeat(np.arange(len(ages)), [len(a) for a in ages]).astype(np.int64)
    age = np.array([v for a in ages for v in sorted(a, reverse=True)])
    for weight in attribution(person, age):
        assert (weight >= 0).all()
        assert np.bincount(person, weight, len(ages)) == pytest.approx(np.ones(len(ages)))


def test_each_rule_writes_to_the_steps_it_names() -> None:
    """One person with four steps, the last one at the landmark, each a half-life before the next; one with two."""
    person, age = np.array([3, 3, 3, 3, 8, 8]), np.array([3, 2, 1, 0, 5, 5]) * HALF_LIFE_DAYS
    found = dict(zip(RULES, attribution(person, age), strict=True))
    assert found["first"].tolist() == [1, 0, 0, 0, 1, 0]
    assert found["last"].tolist() == [0, 0, 0, 1, 0, 1]
    assert found["linear"].tolist() == [0.25] * 4 + [0.5] * 2
    assert found["position"] == pytest.approx([0.4, 0.1, 0.1, 0.4, 0.5, 0.5])
    assert found["decay"] == pytest.approx([1 / 15, 2 / 15, 4 / 15, 8 / 15, 0.5, 0.5])
