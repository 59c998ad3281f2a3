"""Who would change if another release served: two scorers, the same leads, the same moment.

Every lead of the dataset is scored twice. Causes of a move are differences of what each family contributes, of where
every lead starts and of the calibration; they add up to the move in log-odds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.records import Coded
from features.build import build_features
from features.leads import Leads
from features.source import first_channel
from serving.known import Known, of_people
from serving.reasons import OTHER_WORDS, SHOWN, family_sums, texts_of
from serving.reply import time_text
from serving.scorer import Scorer, Scores, Wants
from training.calibration import logit
from training.rules import score_points

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MOVERS = 20
ALWAYS_ALLOWED = 10
MOVED = ("grade", "stage", "agreement")
UNKNOWN = "unknown"
_QUIET = Wants(reasons="none")


@dataclass(frozen=True)
class Cause:
    """One part of a move: a family (or `base`, `calibration`) in the words of the lead, and its log-odds."""

    family: str
    text: str
    change: float


@dataclass(frozen=True)
class Mover:
    """A lead, its probability under both releases, the move in log-odds, and the three largest causes."""

    lead_id: str
    before: float
    after: float
    change: float
    causes: tuple[Cause, ...]


@dataclass
class Change:
    """What a promotion would change for the leads of a dataset at one moment.

    before: the version that serves, None where the points answer: then no probability and no log-odds move. moves: per
    key of MOVED how many leads go from one value to another. newly_ready, fallen: leads by channel that become, or are no longer, sales-ready.
    Probabilities are means over all leads, None without leads or release. movers: largest first.
    """

    before: str | None
    after: str
    as_of: int
    leads: int = 0
    ready_before: int = 0
    ready_after: int = 0
    newly_ready: Counter[str] = field(default_factory=Counter)
    fallen: Counter[str] = field(default_factory=Counter)
    moves: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: {name: Counter() for name in MOVED})
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])
    movers: list[Mover] = field(default_factory=list)

    @property
    def probability_before(self) -> float | None:
        return self.sums[0] / self.leads if self.leads and self.before else None

    @property
    def probability_after(self) -> float | None:
        return self.sums[1] / self.leads if self.leads else None

    def allowed(self, limit: float) -> int:
        """How many leads may become sales-ready: below 1 a share of those that are, at least 10; else a number."""
        return max(int(limit * self.ready_before), ALWAYS_ALLOWED) if limit < 1 else int(limit)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "from": self.before, "to": self.after, "as_of": time_text(self.as_of), "leads": self.leads,
            "sales_ready": {"before": self.ready_before, "after": self.ready_after,
                            "newly_ready": dict(self.newly_ready), "fallen": dict(self.fallen)},
            **{name: [{"from": a, "to": b, "leads": n} for (a, b), n in moves.most_common()]
               for name, moves in self.moves.items()},
            "probability": {"before": self.probability_before, "after": self.probability_after},
            "movers": [asdict(m) for m in self.movers],
        }  # fmt: skip


def change_of(
    dataset: Dataset, as_of: int, before: Scorer, after: Scorer, advance: Callable[[int], None] = lambda n: None
) -> Change:
    """Score every lead with what answers now and with what would; `advance` counts profile rows."""
    assert after.bundle is not None
    found = Change(before.bundle.version if before.bundle else None, after.bundle.version, as_of)
    for people in dataset.people():
        known = of_people(people, as_of)
        if len(known):
            _compare(found, known, (before, after), (before.score(known, _QUIET), after.score(known, _QUIET)))
        advance(len(people.leads["lead"]))
    return found


def _compare(found: Change, known: Known, scorers: tuple[Scorer, Scorer], scores: tuple[Scores, Scores]) -> None:
    old, new = scores
    found.leads += len(known)
    found.ready_before += int(_ready(old).sum())
    found.ready_after += int(_ready(new).sum())
    found.sums = [a + float(_probability(s).sum()) for a, s in zip(found.sums, scores, strict=True)]
    for name, moves in found.moves.items():
        pairs = zip(_texts(old, name), _texts(new, name), strict=True)
        moves.update((a, b) for a, b in pairs if a != b)
    for tally, one in ((found.newly_ready, _ready(new) & ~_ready(old)), (found.fallen, _ready(old) & ~_ready(new))):
        rows = np.flatnonzero(one)
        if len(rows):
            tally.update(_channels(known.take(rows), scorers[1]))
    if found.before:
        found.movers = _largest([*found.movers, *_movers(known, scorers, scores)])


def _ready(scores: Scores) -> NDArray[np.bool_]:
    return np.asarray(scores.columns["sales_ready"], dtype=np.bool_)


def _probability(scores: Scores) -> F64:
    return np.asarray(scores.columns["probability"], dtype=np.float64)


def _texts(scores: Scores, name: str) -> list[str]:
    column = scores.columns[name]
    assert isinstance(column, Coded)
    return [t or UNKNOWN for t in column.texts()]


def _channels(known: Known, scorer: Scorer) -> list[str]:
    """The channel of each lead's first session; without a visit the lead source of its profile."""
    moment = known.moment(scorer.feature_set)
    return [a or b or UNKNOWN for a, b in zip(first_channel(moment).texts(), _lead_source(moment.leads), strict=True)]


def _lead_source(leads: Leads) -> list[str | None]:
    return list(leads.text("lead_source").texts())


# -- movers ----------------------------------------------------------------------------------------------------
def _largest(movers: list[Mover]) -> list[Mover]:
    return sorted(movers, key=lambda m: (-abs(m.change), m.lead_id))[:MOVERS]


def _movers(known: Known, scorers: tuple[Scorer, Scorer], scores: tuple[Scores, Scores]) -> list[Mover]:
    """The leads of one group that moved most; only these are explained."""
    old, new = (_probability(s) for s in scores)
    change = logit(new) - logit(old)
    rows = np.sort(np.argsort(-np.abs(change), kind="stable")[:MOVERS])
    rows = rows[change[rows] != 0]
    if not len(rows):
        return []
    some = known.take(rows)
    causes = _causes(_Side.of(scorers[0], some), _Side.of(scorers[1], some))
    columns = (rows.tolist(), old[rows].tolist(), new[rows].tolist(), change[rows].tolist(), causes)
    return [Mover(str(known.lead_ids[i]), *rest) for i, *rest in zip(*columns, strict=True)]


@dataclass(frozen=True)
class _Side:
    """One release explained for n leads: log-odds by family, `base` and `calibration`, and the words of families."""

    parts: Mapping[str, F64]
    words: Callable[[I64], tuple[list[str | None], ...]]
    position: Mapping[str, int]

    @staticmethod
    def of(scorer: Scorer, known: Known) -> _Side:
        bundle, features = scorer.bundle, scorer.feature_set
        assert bundle is not None
        moment = known.moment(features)
        table = build_features(moment.leads, moment.journeys, features)
        points = score_points(bundle.rules, moment).total
        said, why = bundle.answer(table, points)
        sums = family_sums(why.contributions, features.family_of, len(features.families))
        parts = {name: sums[:, i] for i, name in enumerate(features.names)}
        # Whatever lies between the explained log-odds and the probability counts as calibration: it adds up exactly.
        rest = logit(said.probability) - why.base - sums.sum(axis=1)
        return _Side(
            parts | {"base": why.base, "calibration": rest},
            lambda at: texts_of(scorer.words["en"], table, why.contributions, at),
            {name: i for i, name in enumerate(features.names)},
        )

    def texts(self, names: list[list[str]]) -> tuple[list[str | None], ...]:
        """Words of (n, 3) families; None where this side has no such family."""
        return self.words(np.array([[self.position.get(f, -1) for f in row] for row in names], dtype=np.int64))


def _causes(old: _Side, new: _Side) -> list[tuple[Cause, ...]]:
    names = list(dict.fromkeys([*new.parts, *old.parts]))
    zero = np.zeros(len(new.parts["base"]))
    moved = np.stack([new.parts.get(f, zero) - old.parts.get(f, zero) for f in names], axis=1)
    top = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :SHOWN]
    shown = [[names[k] for k in row] for row in top.tolist()]
    by_new, by_old = new.texts(shown), old.texts(shown)
    return [
        tuple(
            Cause(f, OTHER_WORDS[f][0] if f in OTHER_WORDS else by_new[j][i] or by_old[j][i] or f, float(moved[i, k]))
            for j, (f, k) in enumerate(zip(row, top[i].tolist(), strict=True))
        )
        for i, row in enumerate(shown)
    ]
