"""What breaks callers: an input that is gone, takes another form or is newly required; never a new optional one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from data.dataset import ExtraColumn
from features.build import FeatureSet
from serving.contract import breaks, broken


def _set(market: Any, *extra: ExtraColumn) -> FeatureSet:
    return replace(market.bundle.feature_set, extra=extra)


PLAN = ExtraColumn("plan", "text", "attribute")


def test_the_same_inputs_break_nobody(market: Any) -> None:
    assert breaks(market.bundle.feature_set, market.bundle.feature_set) == []


def test_a_new_optional_input_breaks_nobody(market: Any) -> None:
    assert breaks(_set(market), _set(market, PLAN)) == []


def test_an_order_is_no_break(market: Any) -> None:
    other = ExtraColumn("other", "number", "behaviour_total")
    assert breaks(_set(market, PLAN, other), _set(market, other, PLAN)) == []


def test_a_removed_input_breaks_whoever_sends_it(market: Any) -> None:
    assert breaks(_set(market, PLAN), _set(market)) == ["Lead loses plan"]


def test_another_kind_breaks_too(market: Any) -> None:
    assert breaks(_set(market, PLAN), _set(market, replace(PLAN, kind="number"))) == ["Lead takes plan in another form"]


def test_another_unit_or_role_is_the_same_input_to_a_caller(market: Any) -> None:
    assert breaks(_set(market, PLAN), _set(market, replace(PLAN, role="comparator", unit="EUR"))) == []


def test_a_derived_column_is_no_input(market: Any) -> None:
    total = ExtraColumn("total", "number", "derived", sum=("trial_seconds",))
    assert breaks(_set(market, total), _set(market)) == []


def test_a_newly_required_input_breaks_whoever_leaves_it_out() -> None:
    schema = {"properties": {"country": {"type": "string"}}}
    assert broken({"Lead": schema}, {"Lead": schema | {"required": ["country"]}}) == ["Lead newly requires country"]
    assert broken({"Lead": schema | {"required": ["country"]}}, {"Lead": schema}) == []
    assert broken({"Lead": schema}, {}) == ["Lead loses country"]
