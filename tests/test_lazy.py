"""Values computed when first asked for, and kept."""

from __future__ import annotations

import pytest

from features.lazy import cached_property


class _Asked:
    def __init__(self) -> None:
        self.times = 0

    @cached_property
    def value(self) -> int:
        """What is asked for."""
        self.times += 1
        return self.times

    @cached_property
    def wrong(self) -> int:
        self.times += 1
        raise ValueError("not now")


def test_a_value_is_computed_once_for_each_object() -> None:
    one, other = _Asked(), _Asked()
    assert (one.value, one.value, one.times, other.times) == (1, 1, 1, 0)
    assert _Asked.value.__doc__ == "What is asked for."


def test_an_error_is_not_kept() -> None:
    asked = _Asked()
    for _ in range(2):
        with pytest.raises(ValueError, match="not now"):
            _ = asked.wrong
    assert asked.times == 2
