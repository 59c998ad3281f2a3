"""Bundle + points + features -> scores. The only place where a score is made, for one lead and for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from data.light import light
from data.records import PROFILE_NUMBER, PROFILE_TEXT, Coded, Columns
from features.arrays import every
from features.build import FeatureSet, FeatureTable, build_features
from features.family import Moment
from features.lazy import cached_property
from features.leads import Leads
from serving.interests import interests
from serving.known import Known
from serving.reasons import SHOWN, Lang, Reasons, Words, reasons_of
from serving.reply import KEYS
from serving.wording import warning
from training.bundle import Bundle, ExpectedValue, Explanation, Prediction
from training.calibration import clip
from training.rules import SALES_READY, LedgerEntry, PointsTable, Rules, ledger, score_points
from training.rules_file import FIT_GRADES, GRADES

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]
ReasonsFor = Literal["none", "ready", "all"]

AGREEMENTS = ("both_cold", "points_only", "model_only", "both_hot")
STORE_UNAVAILABLE = "store_unavailable"
UNKNOWN_FIELD = "unknown_field"  # followed by : and the nearest known name, where one is near
QUALITIES = ("none", "profile_only", "partial", "full")
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Wants:
    """How the reply is to be: whose reasons (nobody's, sales-ready leads', all), in which language, with details."""

    reasons: ReasonsFor = "all"
    lang: Lang = "en"
    detail: bool = False


@light
class Scores:
    """Scores of n leads: one column per key of the reply, in its order, `rank_score` (NaN without a model), and the
    further keys of `detail=full` per row where they were asked for."""

    columns: Columns
    rank_score: F64
    common_warnings: tuple[str, ...]
    known: Known = field(repr=False)
    details: tuple[dict[str, Any], ...] | None = None
    notes: Sequence[Sequence[str]] = ()

    def __len__(self) -> int:
        return len(self.rank_score)

    @cached_property
    def events_late(self) -> Mask:
        """Worked out when a warning is asked for: a rescoring asks for none."""
        return self.known.events_late()

    @cached_property
    def contact_unconfirmed(self) -> Mask:
        return self.known.contact_unconfirmed()

    def warnings(self, i: int) -> tuple[str, ...]:
        """Codes of the warnings that go with one reply."""
        late = ("events_not_before_as_of",) if self.events_late[i] else ()
        contact = ("contact_not_confirmed",) if self.contact_unconfirmed[i] else ()
        return (*self.common_warnings, *late, *contact, *(self.notes[i] if self.notes else ()))

    def noting(self, notes: Sequence[Sequence[str]], lang: Lang) -> Scores:
        """The same scores with further warnings, those of the request, for each of the n replies."""
        if not any(notes):
            return self
        details = self.details and tuple(
            {**detail, "warnings": [*detail["warnings"], *(warning(code, lang) for code in codes)]}
            for detail, codes in zip(self.details, notes, strict=True)
        )
        return replace(self, notes=notes, details=details)

    def row(self, i: int) -> dict[str, Any]:
        """One row as plain values: texts or None, floats (NaN = null), ints, bools, times in microseconds."""
        return {name: _item(column, i) for name, column in self.columns.items()}


@dataclass(frozen=True)
class Scorer:
    """Everything that answers for one market and target.

    Without a bundle `feature_set` names no family and only carries content map, channel rules and declared columns.
    `warnings` are codes that go with every reply.
    """

    target: str
    horizon_days: int
    currency: str | None
    rules: Rules
    feature_set: FeatureSet
    bundle: Bundle | None = None
    warnings: tuple[str, ...] = ()
    market: str | None = None

    def warned(self, code: str) -> Scorer:
        """The same scorer with one more warning."""
        return replace(self, warnings=(*self.warnings, code))

    @cached_property
    def words(self) -> dict[Lang, Words]:
        """What reasons are called."""
        return {lang: Words(self.feature_set, lang) for lang in get_args(Lang)}

    def score(self, known: Known, wants: Wants) -> Scores:
        """Score n people in one pass. Row i depends on the records of person i alone, bit for bit."""
        moment = known.moment(self.feature_set)
        points = score_points(self.rules, moment)
        verdict = _Verdict.of(self, moment, points, wants.reasons == "all")
        asked = _asked(verdict.standings == SALES_READY, wants.reasons)
        reasons = self._reasons(verdict, points, asked, wants.lang)
        texts = reasons.texts if reasons else self._ledger_texts(moment, asked, wants.lang)
        columns = self._columns(known, moment, points, verdict, _spread(texts, asked))
        rank = verdict.prediction.rank_score if verdict.prediction else np.full(len(known), np.nan)
        scores = Scores(columns, rank, self.warnings, known)
        if not wants.detail:
            return scores
        return replace(scores, details=self._details(moment, asked, reasons, scores, verdict.expected_value, wants))

    def said(self, moment: Moment) -> tuple[F64, PointsTable]:
        """Probability, (n,), and points of n moments: what `score` says of them, without the reply around it."""
        points = score_points(self.rules, moment)
        return _Verdict.of(self, moment, points, explained=False).probability, points

    # -- reasons -----------------------------------------------------------------------------------------------
    def _reasons(self, verdict: _Verdict, points: PointsTable, asked: Mask, lang: Lang) -> Reasons | None:
        table, prediction = verdict.table, verdict.prediction
        if self.bundle is None or table is None or prediction is None:
            return None
        if verdict.explanation is not None:
            return reasons_of(self.words[lang], table, verdict.explanation, prediction)
        table = FeatureTable(table.columns, np.ascontiguousarray(table.values[asked]))
        explanation = self.bundle.explain(table, points.total[asked])
        return reasons_of(self.words[lang], table, explanation, prediction.take(asked))

    def _ledger_texts(self, moment: Moment, asked: Mask, lang: Lang) -> tuple[list[str | None], ...]:
        """Without a model the rules that count most are the reasons."""
        texts: tuple[list[str | None], ...] = tuple([] for _ in range(SHOWN))
        for row in np.flatnonzero(asked).tolist():
            entries = [e for e in ledger(self.rules, moment, row, lang) if ":" not in e.code and e.dimension != "total"]
            labels = [e.label for e in sorted(entries, key=lambda e: -abs(e.points))]
            for slot in range(SHOWN):
                texts[slot].append(labels[slot] if slot < len(labels) else None)
        return texts

    def _details(
        self, moment: Moment, asked: Mask, reasons: Reasons | None, scores: Scores, worth: ExpectedValue, wants: Wants
    ) -> tuple[dict[str, Any], ...]:
        place = np.cumsum(asked) - 1
        return tuple(
            {
                "expected_value_low": worth.low[i].item(),
                "expected_value_high": worth.high[i].item(),
                "reasons": reasons.entries(int(place[i]), self.feature_set.families, wants.lang)
                if reasons and asked[i]
                else [],
                "ledger": [_entry(e) for e in ledger(self.rules, moment, i, wants.lang)],
                "warnings": [warning(code, wants.lang) for code in scores.warnings(i)],
            }
            for i in range(len(asked))
        )

    # -- columns -----------------------------------------------------------------------------------------------
    def _columns(
        self, known: Known, moment: Moment, points: PointsTable, verdict: _Verdict, reasons: Sequence[Coded]
    ) -> Columns:
        n = len(known)
        interest_1, interest_2 = interests(moment.journeys)
        columns: Columns = {
            "lead_id": Coded.of(known.lead_ids),
            "visitor_id": Coded.of(known.visitor_ids),
            "as_of": known.as_of,
            "target": _constant(self.target, n),
            "horizon_days": np.full(n, self.horizon_days),
            "probability": verdict.probability,
            "probability_low": verdict.low,
            "probability_high": verdict.high,
            "expected_value": verdict.expected_value.value,
            "currency": _constant(self.currency, n),
            "points": points.total,
            "grade": Coded(points.grade_code.astype(np.int32), GRADES),
            "fit_grade": Coded(points.fit_grade.astype(np.int32), FIT_GRADES),
            "engagement_level": points.engagement_level.astype(np.int64),
            "stage": self._stage_names.take(verdict.standings, _NONE),
            "sales_ready": verdict.standings == SALES_READY,
            "agreement": self._agreement(points, verdict),
            "interest_1": interest_1,
            "interest_2": interest_2,
            **{f"reason_{i + 1}": text for i, text in enumerate(reasons)},
            "data_quality": self._quality(moment),
            "model_version": _constant(self.bundle.version if self.bundle else None, n),
            "rules_version": _constant(self.rules.version, n),
            "features_version": _constant(self.feature_set.version if self.bundle else None, n),
            "scored_at": known.as_of,
        }
        return {key: columns[key] for key in KEYS}

    @cached_property
    def _stage_names(self) -> Coded:
        return Coded.of(self.rules.standing(code).stage for code in range(SALES_READY + 1))

    def _agreement(self, points: PointsTable, verdict: _Verdict) -> Coded:
        if self.bundle is None:
            return Coded.nulls(len(points))
        hot_model = verdict.probability >= self.rules.hot_probability
        hot_points = points.total >= self.rules.hot_points
        return Coded((2 * hot_model + hot_points).astype(np.int32), AGREEMENTS)

    def _quality(self, moment: Moment) -> Coded:
        profile, behaviour = self._known(moment)
        code = (profile + 2 * behaviour).astype(np.int32)
        if self.bundle is None or STORE_UNAVAILABLE in self.warnings:
            code[code == 3] = 2
        return Coded(code, QUALITIES)

    def _known(self, moment: Moment) -> tuple[Mask, Mask]:
        """Whose profile, and whose behaviour, is known at all."""
        profile, totals = self._own
        return _any_known(moment.leads, profile), _any_known(moment.leads, totals) | (moment.journeys.events > 0)

    @cached_property
    def _own(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Columns of the profile, and those of behaviour."""
        attributes, totals = (
            tuple(e.name for e in self.feature_set.extra if e.role == role) for role in ("attribute", "behaviour_total")
        )
        return (*PROFILE_TEXT, *PROFILE_NUMBER, *attributes), totals


@light
class _Verdict:
    """What model and rules say of n moments. Without a model the probability is the rules' expected rate, if any."""

    standings: NDArray[np.int8]
    probability: F64
    low: F64
    high: F64
    expected_value: ExpectedValue
    prediction: Prediction | None = None
    table: FeatureTable | None = field(default=None, repr=False)
    explanation: Explanation | None = None

    @staticmethod
    def of(scorer: Scorer, moment: Moment, points: PointsTable, explained: bool) -> _Verdict:
        """explained: whether the reasons of all rows will be wanted."""
        unknown = np.full(len(points), np.nan)
        if scorer.bundle is None:
            rates = np.array([scorer.rules.expected_rate.get(g, np.nan) for g in GRADES])
            rate = clip(rates[points.grade_code])
            no_value = ExpectedValue(unknown, lambda: (unknown, unknown))
            return _Verdict(scorer.rules.standings(points, rate), rate, unknown, unknown, no_value)
        table = build_features(moment.leads, moment.journeys, scorer.feature_set)
        if explained:
            said, why = scorer.bundle.answer(table, points.total)
        else:
            said, why = scorer.bundle.predict(table, points.total), None
        standings = scorer.rules.standings(points, said.probability)
        value = scorer.bundle.expected_value(table, said)
        return _Verdict(standings, said.probability, said.low, said.high, value, said, table, why)


def _asked(sales_ready: Mask, reasons: ReasonsFor) -> Mask:
    """Whose reasons are wanted."""
    if reasons == "ready":
        return sales_ready
    return np.full(len(sales_ready), reasons == "all")


def _spread(texts: Sequence[Sequence[str | None]], asked: Mask) -> list[Coded]:
    """Texts of the asked rows, back at their places among all rows."""
    if every(asked):
        return [Coded.of(slot) for slot in texts]
    columns = []
    for slot in texts:
        part = Coded.of(slot)
        codes = np.full(len(asked), -1, dtype=np.int32)
        codes[asked] = part.codes
        columns.append(Coded(codes, part.values))
    return columns


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {"dimension": entry.dimension, "code": entry.code, "label": entry.label, "points": entry.points}


def _any_known(leads: Leads, names: Sequence[str]) -> Mask:
    known = np.zeros(len(leads), dtype=np.bool_)
    for name in names:
        if every(known):
            break
        column = leads.columns.get(name)
        if isinstance(column, Coded):
            known |= column.known()
        elif column is not None:
            known |= ~np.isnan(column.astype(np.float64))
    return known


@lru_cache(maxsize=64)
def _constant(text: str | None, n: int) -> Coded:
    """A column of one text."""
    return Coded.nulls(n) if text is None else Coded(np.zeros(n, dtype=np.int32), (text,))


def _item(column: Any, i: int) -> Any:
    if isinstance(column, Coded):
        code = column.codes.item(i)
        return None if code < 0 else column.values[code]
    return column.item(i)
