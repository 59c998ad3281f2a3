"""Other figures in a points file whose words, order and comments stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from training.rules_yaml import Location, node_at, read


def edited(text: str, changes: Mapping[Location, Any], heading: str = "") -> str:
    """The text with new plain values (a text, a number, an empty list) at places that are there, and lines above it.

    A place that the text shares with another one (a YAML alias) cannot be written on its own: then the whole file is
    written anew, without its comments.
    """
    root = read(text, "", "").node
    spots = [(_span(node_at(root, at)), json.dumps(value, ensure_ascii=False)) for at, value in changes.items()]
    found = text
    for (start, end), value in sorted(spots, reverse=True):
        found = found[:start] + value + found[end:]
    wanted = _changed(text, changes)
    if len({span for span, _ in spots}) < len(spots) or _loaded(found) != wanted:
        found = yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, width=120)
    return "".join(f"# {line}\n" for line in heading.splitlines()) + found


def _span(node: yaml.Node) -> tuple[int, int]:
    """Where a node begins and ends; a block ends with its last part, not where the next one begins."""
    last = node
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        inner = last.value[-1]
        last = inner[1] if isinstance(inner, tuple) else inner
    return int(node.start_mark.index), int(last.end_mark.index)


def _loaded(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _changed(text: str, changes: Mapping[Location, Any]) -> Any:
    document = yaml.safe_load(text)
    for at, value in changes.items():
        part = document
        for step in at[:-1]:
            part = part[step]
        part[at[-1]] = value
    return document
