"""A finding about a points file: a *problem* has to be corrected, a *note* is what two teams may well want so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from training.rules import Rules
from training.rules_file import FitRule
from training.rules_read import entry_name
from training.rules_yaml import Location, read

Level = Literal["problem", "note"]
Part = tuple[Location, FitRule]


@dataclass(frozen=True)
class Finding:
    """What was found at one place of a points file, and what to do; `at` as in training.rules_yaml."""

    level: Level
    at: Location
    what: str
    remedy: str


@dataclass(frozen=True)
class Located:
    """A finding with the line and the entry that people know its place by."""

    level: Level
    line: int
    entry: str
    what: str
    remedy: str

    def document(self) -> dict[str, Any]:
        return dict(vars(self))


def located(findings: Sequence[Finding], rules: Rules) -> list[Located]:
    """The findings with their lines, in the order given."""
    document = read(rules.text, "", "")
    return [Located(f.level, document.line(f.at), entry_name(document, f.at), f.what, f.remedy) for f in findings]


def parts_of(rules: Rules) -> list[Part]:
    """Every rule with its place in the file."""
    fit: list[Part] = [(("fit", i), r) for i, r in enumerate(rules.file.fit)]
    return fit + [(("engagement", i), r) for i, r in enumerate(rules.file.engagement)]


def close(got: str, known: Sequence[str]) -> str | None:
    """The known name that was probably meant; letter case does not matter."""
    folded = {k.casefold(): k for k in known}
    near = get_close_matches(got.casefold(), folded, n=1, cutoff=0.75)
    return folded[near[0]] if near and near[0] != got.casefold() else None
