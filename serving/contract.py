"""What callers may send, before and after a promotion: what would break those who call today."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data.dataset import stored
from features.build import FeatureSet
from serving.openapi import inputs
from serving.request import lead_model

_SAME = ("type", "format", "enum", "pattern", "items", "nullable", "maxLength", "minimum")


def breaks(before: FeatureSet, after: FeatureSet) -> list[str]:
    """What a request that is good for `before` could have and `after` refuses, in words; new optional inputs do not
    count."""
    return broken(inputs(lead_model(stored(before.extra))), inputs(lead_model(stored(after.extra))))


def broken(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The same for two sets of schemas by name, as `serving.openapi.inputs` gives them."""
    return [line for name, old in before.items() for line in _lines(name, old, after.get(name, {"properties": {}}))]


def _lines(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for field, was in old["properties"].items():
        now = new["properties"].get(field)
        if now is None:
            yield f"{name} loses {field}"
        elif any(was.get(k) != now.get(k) for k in _SAME):
            yield f"{name} takes {field} in another form"
    for field in new.get("required", ()):
        if field not in old.get("required", ()):
            yield f"{name} newly requires {field}"
