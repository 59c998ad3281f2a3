"""The catalogue: every family once, group by group.

A new feature is one function and one `Family(...)` entry in the module of its group, and one test.
"""

from __future__ import annotations

from collections.abc import Sequence

from data.dataset import ExtraColumn
from features import clusters, dwell, dwell_parts, earlier, path, path_odds, profile, rhythm, source, steps
from features.extra import family_for
from features.family import GROUPS, Family

STANDARD: tuple[Family, ...] = (
    *profile.FAMILIES,
    *earlier.FAMILIES,
    *source.FAMILIES,
    *dwell.FAMILIES,
    *dwell_parts.FAMILIES,
    *rhythm.FAMILIES,
    *path.FAMILIES,
    *steps.FAMILIES,
    *path_odds.FAMILIES,
    *clusters.FAMILIES,
)

# Families that look at other records than the lead's own: its outcomes, its account.
CONTEXT = frozenset(family.name for family in earlier.FAMILIES)


def families_for(extra: Sequence[ExtraColumn] = ()) -> tuple[Family, ...]:
    """All families for a dataset with these declared columns, ordered by group; names are distinct.

    Comparators give none. Within a group the standard families come first, then the declared columns in their order.
    """
    declared = [family for column in extra if (family := family_for(column, extra)) is not None]
    every = (*STANDARD, *declared)
    return tuple(family for group in GROUPS for family in every if family.group == group)
