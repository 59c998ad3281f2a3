"""YAML with line numbers: read by the safe loader, keys given twice refused, errors that know their line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from data.errors import InputError

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of a document."""

    at: Location
    expected: str
    got: str
    remedy: str


@dataclass(frozen=True)
class Document:
    """A YAML mapping; `data` is what it says, `node` where it says it."""

    name: str
    data: dict[str, Any]
    node: yaml.Node

    def line(self, at: Location) -> int:
        """Line of an entry, from 1; of its nearest parent where the entry is missing."""
        return int(node_at(self.node, at).start_mark.line) + 1

    def error(self, problem: Problem, entry: str) -> InputError:
        """The one-line error; `entry` is what people call the place."""
        where = f"{self.name} line {self.line(problem.at)}" + (f" ({entry})" if entry else "")
        return InputError.of(where=where, expected=problem.expected, got=problem.got, remedy=problem.remedy)


def read(text: str, name: str, remedy: str) -> Document:
    """Read a YAML mapping; anything else is an InputError."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as bad:
        raise _not_yaml(bad, name) from None
    finally:
        loader.dispose()
    if node is None or not isinstance(data, dict):
        raise InputError.of(where=name, expected="a list of keys and values", got=shown(data), remedy=remedy)
    _refuse_double_keys(node, name)
    return Document(name, data, node)


def shown(value: object) -> str:
    """A value as an error shows it."""
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
    return repr(value[:40]) if isinstance(value, str) else str(value)


def node_at(node: yaml.Node, at: Location) -> yaml.Node:
    """The node of an entry; of its nearest parent where the entry is missing."""
    for step in at:
        inner = _child(node, step)
        if inner is None:
            break
        node = inner
    return node


def _not_yaml(bad: yaml.YAMLError, name: str) -> InputError:
    mark = getattr(bad, "problem_mark", None)
    where = f"{name} line {mark.line + 1}" if mark is not None else name
    got = getattr(bad, "problem", None) or "something else"
    return InputError.of(where=where, expected="YAML", got=got, remedy="Check indent, colons and quotes.")


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        inner: yaml.Node = node.value[step]
        return inner
    return None


def _refuse_double_keys(root: yaml.Node, name: str) -> None:
    """YAML keeps the last of two equal keys without a word; here that is an error."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if id(node) in seen:  # an alias; it may even point at its own parent
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_in(node, name)
            todo.extend(value for _, value in node.value)
        elif isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)


def _refuse_in(node: yaml.MappingNode, name: str) -> None:
    keys: set[str] = set()
    for key, _ in node.value:
        if key.value in keys:
            where = f"{name} line {key.start_mark.line + 1}"
            got = f"{key.value!r} a second time"
            raise InputError.of(where=where, expected="each key once", got=got, remedy="Remove one of them.")
        keys.add(key.value)
