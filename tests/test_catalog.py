"""The catalogue as a whole: names, words and what every family promises about itself."""

from __future__ import annotations

import json
import string
import subprocess
import sys

import numpy as np
import pytest

from data.dataset import ExtraColumn
from features.catalog import CONTEXT, STANDARD, families_for
from features.family import GROUPS, Family
from tests.cases import EXTRA, fitted_feature_set, random_case, table


def test_names_are_distinct_and_columns_too() -> None:
    columns = fitted_feature_set().columns
    assert len(set(columns)) == len(columns)
    assert len({family.name for family in families_for(EXTRA)}) == len(families_for(EXTRA))


def test_there_are_enough_families_in_every_group() -> None:
    assert len(STANDARD) >= 90
    assert {family.group for family in STANDARD} == set(GROUPS)


def test_families_are_ordered_by_group_and_declared_columns_come_last_in_theirs() -> None:
    families = families_for(EXTRA)
    positions = [GROUPS.index(family.group) for family in families]
    assert positions == sorted(positions)
    profile = [family.name for family in families if family.group == "profile"]
    assert profile[-2:] == ["extra_plan", "extra_seats"]


@pytest.mark.parametrize(
    ("column", "group"),
    [
        (ExtraColumn("city", "text", "attribute"), "profile"),
        (ExtraColumn("time", "number", "behaviour_total", "Min"), "dwell"),
        (ExtraColumn("visits", "number", "behaviour_total", "count"), "rhythm"),
        (ExtraColumn("origin", "text", "behaviour_total"), "rhythm"),
        (ExtraColumn("their score", "number", "comparator"), None),
    ],
)
def test_a_declared_column_is_one_family_of_the_group_its_role_and_unit_say(
    column: ExtraColumn, group: str | None
) -> None:
    declared = [family for family in families_for([column]) if family.name == f"extra_{column.name}"]
    assert [family.group for family in declared] == ([group] if group else [])


def test_an_empty_profile_gives_no_reason_twice() -> None:
    profile = [f for f in STANDARD if f.group == "profile" and f.name not in CONTEXT]
    for words in ([f.missing_en for f in profile], [f.missing_de for f in profile]):
        assert len(set(words)) == len(words)


@pytest.mark.parametrize("family", families_for(EXTRA), ids=lambda f: f.name)
def test_a_family_says_what_it_is_in_both_languages(family: Family) -> None:
    assert family.unit
    assert family.null
    wanted = {"value"} if family.unit not in ("category", "flags") else {"part"}
    for words in (family.words_en, family.words_de):
        fields = {name for _, name, _, _ in string.Formatter().parse(words) if name}
        assert wanted <= fields <= ({"value", "part"} if family.parts else {"value"})
    assert all(words and "{" not in words for words in (family.missing_en, family.missing_de))


def test_german_is_not_english() -> None:
    """Declared columns without a German label keep their one name."""
    same = [family.name for family in STANDARD if family.words_en == family.words_de]
    assert same == []


@pytest.mark.parametrize("suffix", ["_7d", "_28d", "_14d"])
def test_windows_are_named(suffix: str) -> None:
    days = "28" if suffix == "_14d" else suffix[1:-1]
    assert all(f.window == f"{days} days" for f in STANDARD if f.name.endswith(suffix))


def test_categories_have_exactly_one_part_and_what_is_never_null_is_not() -> None:
    feature_set = fitted_feature_set()
    values = np.vstack([table(random_case(seed), feature_set) for seed in range(20)])
    family_of = np.asarray(feature_set.family_of)
    for i, family in enumerate(feature_set.families):
        part = values[:, family_of == i]
        if family.unit == "category":
            assert (part.sum(axis=1) == 1.0).all(), family.name
        if family.null.startswith(("never null", "part")):
            assert not np.isnan(part).any(), family.name


def test_the_command_lists_every_family() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving.cli", "features", "--json"], capture_output=True, text=True, check=True
    )
    rows = json.loads(done.stdout)["families"]
    assert [row["name"] for row in rows] == [family.name for family in STANDARD]
    assert all(set(row) == {"group", "name", "columns", "unit", "window", "null"} for row in rows)
