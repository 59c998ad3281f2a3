"""What asking costs: who comes to a form and sends it, on forms that ask for a field beside forms that do not.

    start         a visitor comes to the content with the form, being no lead
    completion    that form makes it a lead
    asks          of the leads a form made, at least ASKS had the answer at their first look; below ASKS_NOT it is not asked

Which form asks what is nowhere recorded: it is seen from who answered. Forms differ in more than their fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.dataset import Consenting, Dataset
from features.encode import TYPE
from features.leads import leads_at
from training.activation import activating, until_leads
from training.field_looks import answers_of, given
from training.intervals import difference, rate
from training.path_targets import LEAD, Crowd, crowds_of
from training.snapshots import Policy
from training.trails import Names

I64 = NDArray[np.int64]
ASKS, ASKS_NOT = 0.2, 0.02
LEAST_LEADS = 30  # a form must have made, to say what it asks


@dataclass(frozen=True)
class Forms:
    """k contents with forms: who started (k,), who completed (k,), and how many of these answered each field."""

    names: tuple[str, ...]
    starts: I64
    completions: I64
    answered: dict[str, I64]


@dataclass(frozen=True)
class Cost:
    """Of one field. with_, without: completions over starts of forms that ask it and that do not, difference with its
    95 % interval; NaN where all forms do or none."""

    forms_with: int
    forms_without: int
    rate_with: float = np.nan
    rate_without: float = np.nan
    cost: float = np.nan
    low: float = np.nan
    high: float = np.nan


def forms_of(dataset: Dataset, policy: Policy, now: int, fields: Sequence[str]) -> Forms | None:
    """All forms that made leads; None where visitors may not be counted, or there are no times."""
    if isinstance(dataset, Consenting) or not dataset.info.has_times:
        return None
    names, tally = Names(), _Tally(fields)
    for crowd in crowds_of(dataset, LEAD, policy, now):
        tally.tell(crowd, names, policy, now)
    return tally.found(names.all)


def cost_of(forms: Forms, field: str) -> Cost:
    """What asking for a field costs."""
    enough = forms.completions >= LEAST_LEADS
    share = rate(forms.answered[field], forms.completions)
    asks, asks_not = enough & (share >= ASKS), enough & (share < ASKS_NOT)
    if not asks.any() or not asks_not.any():
        return Cost(int(asks.sum()), int(asks_not.sum()))
    with_, without = ((int(forms.completions[m].sum()), int(forms.starts[m].sum())) for m in (asks, asks_not))
    found = difference(*with_, *without)
    rates = (float(rate(*with_)), float(rate(*without)))
    return Cost(int(asks.sum()), int(asks_not.sum()), *rates, *(float(f) for f in found))


class _Tally:
    """Starts, completions and answers by content, of crowds told one by one."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        self._parts: list[tuple[I64, I64, list[I64]]] = []

    def tell(self, crowd: Crowd, names: Names, policy: Policy, now: int) -> None:
        codes = names.codes(crowd.encoded.vocabulary, "content")
        width = len(names.all)
        rows, j = until_leads(crowd, policy, now)
        content = codes.take(j.content).astype(np.int64)
        came = np.flatnonzero((content >= 0) & (j.views | j.of_type("form")))
        pairs = np.unique(j.segment[came] * width + content[came])
        starts = np.bincount(pairs % width, minlength=width) if width else pairs
        made, answered = np.zeros(width, dtype=np.int64), [np.zeros(width, dtype=np.int64) for _ in self._fields]
        if crowd.leads is not None and width:
            created = crowd.leads.created_at[rows]
            at = activating(j)
            sent = np.flatnonzero((created < now) & (at >= 0))
            sent = sent[(j.type[at[sent]] == TYPE["form"]) & (content[at[sent]] >= 0)]
            where, lead, born = content[at[sent]], rows[sent], created[sent]
            made = np.bincount(where, minlength=width)
            known = leads_at(crowd.leads.leads, lead, born, born + policy.first_look)
            answered = [np.bincount(where[given(answers_of(known, f))], minlength=width) for f in self._fields]
        self._parts.append((starts.astype(np.int64), made.astype(np.int64), answered))

    def found(self, names: tuple[str, ...]) -> Forms:
        """The contents whose forms made a lead."""
        starts, made = _total([p[0] for p in self._parts], len(names)), _total([p[1] for p in self._parts], len(names))
        some = np.flatnonzero(made > 0)
        answered = {f: _total([p[2][i] for p in self._parts], len(names))[some] for i, f in enumerate(self._fields)}
        return Forms(tuple(names[i] for i in some.tolist()), starts[some], made[some], answered)


def _total(parts: Sequence[I64], width: int) -> I64:
    total = np.zeros(width, dtype=np.int64)
    for part in parts:
        total[: len(part)] += part
    return total
