"""What became of leads: conversions, losses, cancellations, and whom sales accepted or rejected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.records import DAY, MICROS, Coded, Columns
from data.simulate.market import People, clock
from data.simulate.run import Run
from data.simulate.state import F64, I64
from data.simulate.trail import HOUR, Trail

_REASONS = ("no budget", "no reply", "competitor", "timing")
_ACCEPT, _ACCEPT_DAYS = 0.55, 3.0  # chance of sales taking up an average lead; mean days until then
_REJECT = 0.12
_VALUE, _VALUE_PER_SIZE, _VALUE_SPREAD = np.log(400_000), 0.45, 0.6  # minor units at 100 employees


@dataclass(frozen=True)
class Fates:
    """Outcome rows: lead number, time, kind (position in KINDS), value (NaN = none), reason (-1 = none)."""

    lead: I64
    at: I64
    kind: I64
    value: F64
    reason: I64


Times = tuple[I64, I64]  # leads and when
NEVER_AT = int(np.iinfo(np.int64).max)
KINDS = ("converted", "lost", "cancelled", "accepted", "rejected")


def fates(run: Run, t: Trail, rng: np.random.Generator) -> Fates:
    """All outcomes up to the end of the market, in order of time; strangers have none."""
    people = run.people
    won, lost = ((who, _in_day(people, t, who, day, rng)) for who, day in map(run.happened, ("converted", "lost")))
    back, back_day = run.happened("reopened")
    back_at = people.boundary(back, back_day) + ((0.05 + 0.9 * rng.random(len(back))) * DAY).astype(np.int64)
    value = _values(people.profiles.employees[won[0]], rng)
    parts = (won, lost, (back, back_at), *_taken_up(people, won, lost, rng))
    lead, at = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    kind = np.repeat(np.arange(len(KINDS)), [len(p[0]) for p in parts])
    reason = np.where(kind == KINDS.index("lost"), rng.integers(0, len(_REASONS), len(kind)), -1)
    value = np.concatenate([value, np.full(len(lead) - len(value), np.nan)])
    return _before(Fates(lead, at, kind, value, reason), run.market.end)


def _before(f: Fates, end: int) -> Fates:
    keep = np.flatnonzero(f.at < end)
    keep = keep[np.lexsort((f.lead[keep], f.at[keep]))]
    return Fates(*(getattr(f, n)[keep] for n in ("lead", "at", "kind", "value", "reason")))


def _in_day(people: People, t: Trail, person: I64, day: I64, rng: np.random.Generator) -> I64:
    """A moment of a person's day after its visit: in office hours where there are some left."""
    keys = t.person * 10_000 + t.day
    order = np.argsort(keys)
    at = np.minimum(np.searchsorted(keys[order], person * 10_000 + day), len(order) - 1)
    row = order[at]
    begin = people.boundary(person, day)
    visited = (t.person[row] == person) & (t.day[row] == day)
    left = np.where(visited, t.end[row] - begin, 0) + 60 * MICROS
    office = ((clock(rng, len(person)) * HOUR).astype(np.int64) - people.phase[person]) % DAY
    last = DAY - 60 * MICROS
    anytime = left + (rng.random(len(person)) * (last - left)).astype(np.int64)
    return begin + np.where((office > left) & (office < last), office, anytime)


def _values(employees: F64, rng: np.random.Generator) -> F64:
    """Deal values, minor units: log-normal, larger for larger companies."""
    size = np.log(np.nan_to_num(employees, nan=100.0) / 100.0)
    value = np.exp(_VALUE + _VALUE_PER_SIZE * size + _VALUE_SPREAD * rng.standard_normal(len(employees)))
    return np.asarray(np.round(value))


def _first(n: int, lead: I64, at: I64) -> I64:
    """The earliest time of each lead; NEVER_AT for none."""
    out = np.full(n, NEVER_AT)
    np.minimum.at(out, lead, at)
    return out


def _taken_up(people: People, won: Times, lost: Times, rng: np.random.Generator) -> tuple[Times, Times]:
    """Leads that sales accepted and rejected, with times. Nobody is won without having been accepted before."""
    n, created = people.market.leads, people.created_at
    won_at = _first(n, *won)
    closed = np.minimum(won_at, _first(n, *lost))
    u, ever_won = rng.random((3, n)), won_at < NEVER_AT
    wanted = u[0] < _ACCEPT / (1.0 + np.exp(-people.profiles.fit()[:n]))
    at = created + 2 * HOUR + (rng.exponential(_ACCEPT_DAYS, n) * DAY).astype(np.int64)
    in_time = wanted & (at < closed)
    late = np.where(ever_won, won_at, created) - ((1 + 19 * u[1]) * HOUR).astype(np.int64)
    taken_at = np.where(in_time, at, np.maximum(late, created + 60 * MICROS))
    refused_at = created + ((1 + 4 * u[1]) * DAY).astype(np.int64)
    taken = np.flatnonzero(in_time | ever_won)
    refused = np.flatnonzero(~in_time & (u[2] < _REJECT) & (refused_at < closed))
    return (taken, taken_at[taken]), (refused, refused_at[refused])


def outcome_columns(f: Fates, lead_ids: tuple[str, ...]) -> Columns:
    """The outcome record."""
    return {
        "lead_id": Coded(f.lead.astype(np.int32), lead_ids), "occurred_at": f.at, "value": f.value,
        "kind": Coded(f.kind.astype(np.int32), KINDS), "reason": Coded(f.reason.astype(np.int32), _REASONS),
    }  # fmt: skip
