"""The future shuffled: features must not change, bit for bit, when leads exchange everything at or after as_of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from data.dataset import People
from data.records import NULL_TIME, Columns, concat, take
from features.arrays import run_starts
from features.build import FeatureSet, build_features
from training.assemble import Frame, moment_of
from training.snapshots import seen_from

I64 = NDArray[np.int64]
Mask = NDArray[np.bool_]


def sample(frame: Frame, rows: I64, leads: int) -> I64:
    """One of these rows a lead, any of its looks, of the leads with the smallest hashes; in the order of the frame."""
    rows = np.sort(rows)
    starts = run_starts(frame.lead[rows])
    looks = np.diff(np.append(starts, len(rows)))
    chosen = rows[starts + np.floor(frame.hashes[rows[starts]] * 1_000_003.0 % 1.0 * looks).astype(np.int64)]
    return np.sort(chosen[np.argsort(frame.hashes[chosen], kind="stable")[:leads]])


def families_that_see_it(people: People, as_of: I64, feature_set: FeatureSet) -> dict[str, int]:
    """Families whose values change, with the number of rows; lead i is asked about at as_of[i]."""
    before = _values(people, as_of, feature_set)
    after = _values(shuffled(people, as_of), as_of, feature_set)
    changed = before.view(np.int64) != after.view(np.int64)
    families = np.array(feature_set.family_of)
    rows = {f: changed[:, families == i].any(axis=1).sum() for i, f in enumerate(feature_set.names)}
    return {family: int(n) for family, n in rows.items() if n}


def _values(people: People, as_of: I64, feature_set: FeatureSet) -> NDArray[np.float64]:
    moment = moment_of(people, feature_set, np.arange(len(people), dtype=np.int64), as_of)
    return np.ascontiguousarray(build_features(moment.leads, moment.journeys, feature_set).values)


def shuffled(people: People, as_of: I64, seed: int = 0) -> People:
    """The same people, each with the future of another one: events, profile rows, outcomes and consents.

    Times are moved with them, so that what came a day after the one's as_of comes a day after the other's.
    """
    heir = np.random.default_rng(seed).permutation(len(people))
    valid = _times(people.leads, "valid_from")
    since = np.where(valid == NULL_TIME, _times(people.leads, "created_at"), valid)

    def given(columns: Columns, seen: I64, *times: str) -> Columns:
        return _given(columns, seen >= as_of[_times(columns, "lead")], heir, as_of, times)

    return replace(
        people,
        leads=given(people.leads, since, "valid_from", "created_at"),
        events=given(people.events, seen_from(people.events), "occurred_at", "received_at", "known_from"),
        outcomes=given(people.outcomes, _times(people.outcomes, "occurred_at"), "occurred_at"),
        consents=given(
            people.consents, _times(people.consents, "given_at"), "given_at", "confirmed_at", "withdrawn_at"
        ),
    )


def _given(columns: Columns, later: Mask, heir: I64, as_of: I64, times: tuple[str, ...]) -> Columns:
    """The rows with the later ones handed to the heir of their lead."""
    if not later.any():
        return columns
    moved = take(columns, np.flatnonzero(later))
    lead = _times(moved, "lead")
    shift = as_of[heir[lead]] - as_of[lead]
    for name in times:
        time = _times(moved, name)
        moved[name] = np.where(time == NULL_TIME, NULL_TIME, time + shift)
    moved["lead"] = heir[lead]
    return concat([take(columns, np.flatnonzero(~later)), moved])


def _times(columns: Columns, name: str) -> I64:
    return np.asarray(columns[name], dtype=np.int64)
