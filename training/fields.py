"""What to ask in forms: of each field how often it is answered, what the answer is worth, what asking costs, and whether
behaviour tells it already; then a verdict.

    ask               the answer improves what is known of who converts, at a false-discovery rate of LEVEL
    ask later         it does, but behaviour tells much of it, or forms that ask it are completed less often
    do not ask        at best it is worth less than LITTLE of the base rate's log loss, or behaviour tells it already
    cannot be told yet  anything else: too few answers, or an interval that holds both

See `field_worth` and `field_costs` for how each is worked out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.dataset import Dataset, consenting
from data.errors import Verdict
from data.settings import Settings
from training.field_costs import Cost, cost_of, forms_of
from training.field_looks import looks_of
from training.field_worth import Figure, Worth, Worths, worths_of
from training.groups import plain
from training.intervals import LEVEL, discoveries, wilson
from training.run import question_of
from training.work import Request

ASK, LATER, NOT, UNTOLD = "ask", "ask later", "do not ask", "cannot be told yet"
VERDICTS = (ASK, LATER, NOT, UNTOLD)
LITTLE = 0.005  # of the base rate's log loss
TOLD = 0.25  # share of an answer that behaviour tells, and then need not be asked at once
LEAST_FILL = 0.05  # of leads, below which a field is not asked
LEAST_KNOWN = 100  # leads
NO_COST = Cost(0, 0)


@dataclass(frozen=True)
class FieldRow:
    """One field, of n leads at their first look. fill_rate with its Wilson interval. worth: log loss (nats) when hidden
    less when known; caught: conversions more among the best fifth, per 1,000 leads; told: share of the answer that
    behaviour tells; 95 % intervals, NaN = not known. q: p of the worth with all fields in mind. cost: of forms."""

    field: str
    leads: int
    known: int
    fill_rate: float
    fill_low: float
    fill_high: float
    worth: Figure
    caught: Figure
    told: Figure
    cost: Cost
    q: float
    verdict: str
    why: str

    def document(self) -> dict[str, Any]:
        """For JSON: one flat object."""
        flat: dict[str, Any] = {}
        for name in ("worth", "caught", "told"):
            found: Figure = getattr(self, name)
            flat |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        cost = {k if k != "low" and k != "high" else f"cost_{k}": v for k, v in vars(self.cost).items()}
        own = {k: v for k, v in vars(self).items() if k not in ("worth", "caught", "told", "cost")}
        return plain(own | flat | cost)


@dataclass(frozen=True)
class FieldReport:
    """Fields, those to ask first. base, all: log loss of the base rate alone and with everything known, in nats. forms:
    contents whose forms made leads, -1 = visitors may not be counted, or there are no times. horizon_days: None without
    times."""

    rows: tuple[FieldRow, ...]
    target: str
    horizon_days: int | None
    leads: int
    conversions: int
    base: float
    all: float
    forms: int

    def document(self) -> dict[str, Any]:
        return {**vars(self), "rows": [r.document() for r in self.rows]}


def field_report(dataset: Dataset, settings: Settings, request: Request) -> FieldReport:
    """The report for one dataset.

    Raises
    ------
    InputError, SettingsError, UsageError, Verdict
        as training, where nothing can be learned; a Verdict where no lead answered anything.
    """
    dataset = consenting(dataset, settings.privacy.require_consent)
    looks = looks_of(dataset, settings, request)
    advance, threads = request.progress("fields", len(looks.answers)), settings.training.threads
    worths = worths_of(looks, request.seed, threads, advance) if looks.answers else None
    if worths is None:
        raise Verdict(
            f"{dataset.place}: no answer of any field can be judged. Import what forms and the CRM know of leads."
        )
    question = question_of(dataset, settings, request)
    forms = forms_of(dataset, question.policy, question.now, tuple(looks.answers))
    known = {f: int(looks.known(f).sum()) for f in looks.answers}
    p = np.array([w.worth.p if known[f] >= LEAST_KNOWN else np.nan for f, w in worths.fields.items()])
    q = dict(zip(worths.fields, discoveries(p).tolist(), strict=True))
    costs = {f: cost_of(forms, f) if forms else NO_COST for f in known}
    rows = [_row(f, len(looks), known[f], worths, costs[f], q[f]) for f in known]
    order = sorted(rows, key=lambda r: (VERDICTS.index(r.verdict), -np.nan_to_num(r.worth.low, nan=-np.inf), r.field))
    horizon = question.policy.horizon_days if dataset.info.has_times else None
    return FieldReport(
        tuple(order), request.target, horizon, len(looks), int(looks.rows.label.sum()), worths.base,
        worths.all, len(forms.names) if forms else -1,
    )  # fmt: skip


def _row(field: str, leads: int, known: int, worths: Worths, cost: Cost, q: float) -> FieldRow:
    worth = worths.fields[field] if known >= LEAST_KNOWN else Worth(Figure(), Figure(), Figure())
    low, high = (float(bound) for bound in wilson(known, leads))
    verdict, why = verdict_of(known / leads, worth, cost, q, worths.base)
    return FieldRow(
        field, leads, known, known / leads, low, high, worth.worth, worth.caught, worth.told, cost, q, verdict, why
    )


def verdict_of(fill: float, worth: Worth, cost: Cost, q: float, base: float) -> tuple[str, str]:
    """(verdict, why) from the figures of a field; `base` is the base rate's log loss."""
    helps = q <= LEVEL and worth.worth.low > 0
    told, costs = worth.told.low >= TOLD, cost.high < 0
    if np.isnan(q) or fill < LEAST_FILL:
        return UNTOLD, "hardly anybody has answered it"
    if helps and told:
        return LATER, "it helps, and behaviour tells much of it until then"
    if helps and costs:
        return LATER, "it helps, but forms that ask it are completed less often"
    if helps:
        return ASK, "it says who converts, which nothing else does"
    if told:
        return NOT, "behaviour tells it already"
    if worth.worth.high <= LITTLE * base:
        return NOT, f"at best it is worth less than {LITTLE:.1%} of the log loss"
    if worth.worth.low > 0:
        return UNTOLD, "it seems to help, which may be chance where so many fields are looked at"
    return UNTOLD, "it may help or not: the interval holds both"
