"""Where requests are answered: JSON in, bytes out. The service and the command line both stand behind this desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Any, get_args
from urllib.parse import quote

from pydantic import BaseModel

from data.dataset import stored
from data.errors import LeadliftError
from data.light import light
from data.settings import ApiSettings, ServingSettings
from data.store.moves import History
from serving import openapi, reply
from serving.gather import gather
from serving.intake import Intake
from serving.known import Known
from serving.problem import MEDIA_TYPE, Fault, Problem, RequestError, refuse
from serving.reasons import Lang
from serving.recall import Recall, not_consenting
from serving.request import known_part, lead_model, parse
from serving.scorer import STORE_UNAVAILABLE, UNKNOWN_FIELD, ReasonsFor, Scorer, Scores, Wants

LANGUAGES: tuple[Lang, ...] = get_args(Lang)
CHOICES = {"detail": ("flat", "full"), "reasons": get_args(ReasonsFor), "lang": LANGUAGES}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer without the HTTP."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(problem: Problem) -> Answer:
        return Answer(problem.status, problem.body(), {"Content-Type": MEDIA_TYPE})


@light
class Parsed:
    """A request that can be answered, and the warnings it gave itself."""

    lead: BaseModel
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """Answers with one scorer; made anew where the scorer changes, so that each answer is of one version.

    recall, intake: the store that completes requests and takes what is told; None where there is none.
    history: of the published scores of market and target; None where there is no market.
    api: whether unknown fields are an error.
    notes: codes of what concerns the service and none of its replies.
    require_consent: whether a lead with an id must have consented, as the store says.
    """

    scorer: Scorer
    limits: ServingSettings = field(default_factory=ServingSettings)
    recall: Recall | None = None
    intake: Intake | None = None
    api: ApiSettings = field(default_factory=ApiSettings)
    notes: tuple[str, ...] = ()
    history: History | None = None
    require_consent: bool = False

    @cached_property
    def lead_model(self) -> type[BaseModel]:
        """The request type, with the declared columns of the scorer's feature set."""
        return lead_model(stored(self.scorer.feature_set.extra))

    @cached_property
    def openapi(self) -> bytes:
        """The OpenAPI document of what is answered now."""
        return openapi.describe(self.lead_model, self.limits, CHOICES, self.scorer.market, self.scorer.target)

    def score(self, document: object, wants: Wants, now: int) -> Answer:
        """One request object -> the reply.

        Raises
        ------
        RequestError
            where the request cannot be used.
        """
        lead = self._parsed(document)
        return _reply(self._scores([lead], wants, now), wants)

    def score_known(self, known: Known, wants: Wants) -> Answer:
        """The reply for the one person of `known`."""
        return _reply(self.scorer.score(known, wants), wants)

    def take_events(self, document: object, wants: Wants, now: int) -> Answer:
        """Calls of a tracker into the store."""
        return _taken(self._intake.events(document, now))

    def take_outcomes(self, document: object, wants: Wants, now: int) -> Answer:
        """Outcomes into the store."""
        return _taken(self._intake.outcomes(document, now))

    def history_of(self, lead_id: str) -> Answer:
        """The published scores of one lead and why they moved, latest first; none of a lead that is not known."""
        try:
            rows = self.history.of(lead_id) if self.history else []
        except LeadliftError:
            return Answer.of(Problem(503, "The history cannot be read now."))
        return Answer(200, reply.history_bytes(lead_id, rows), {"Content-Type": "application/json"})

    @property
    def _intake(self) -> Intake:
        if self.intake is None:
            raise RequestError(Problem(503, "There is no store that can be used. Nothing was stored."))
        return self.intake

    def score_batch(self, document: object, wants: Wants, now: int) -> Answer:
        """`{"leads": [...]}` -> `{"results": [...]}` in order; one bad lead does not stop the others."""
        results = [self._parsed_or_problem(one) for one in self._batch(document)]
        good = [r for r in results if isinstance(r, Parsed)]
        scores = self._scores(good, wants, now) if good else None
        parts: list[tuple[bool, bytes]] = []
        warnings: dict[str, None] = {}
        at = 0
        for result in results:
            if isinstance(result, Problem):
                parts.append((False, result.body()))
                continue
            assert scores is not None
            parts.append((True, reply_bytes(scores, at)))
            warnings |= dict.fromkeys(scores.warnings(at))
            at += 1
        return Answer(200, reply.batch_bytes(parts), _headers(wants, () if wants.detail else tuple(warnings)))

    def asks_store(self, document: object) -> bool:
        """Whether answering this request means waiting for the store."""
        named = isinstance(document, dict) and (document.get("lead_id") or document.get("visitor_id"))
        return self.recall is not None and bool(named)

    def warmed(self) -> Desk:
        """The same desk, with everything made that a first request would have to wait for."""
        _ = self.openapi
        view = {"type": "page_view", "occurred_at": "2026-01-01T00:00:00Z"}
        for lang in LANGUAGES:
            self.score({"title": "CEO", "events": [view], "as_of": "2026-01-02T00:00:00Z"}, Wants(lang=lang), 0)
        return self

    def state(self) -> dict[str, Any]:
        """What `/readyz` says."""
        scorer = self.scorer
        store = (STORE_UNAVAILABLE,) if self.recall is not None and self.recall.failing else ()
        warnings = [*scorer.warnings, *store, *self.notes]
        return {
            "status": "degraded" if warnings else "ready",
            "market": scorer.market,
            "target": scorer.target,
            "model_version": scorer.bundle.version if scorer.bundle else None,
            "rules_version": scorer.rules.version,
            "warnings": warnings,
        }

    def _scores(self, requests: Sequence[Parsed], wants: Wants, now: int) -> Scores:
        """With the warnings of the requests themselves."""
        scores = self._scores_of([r.lead for r in requests], wants, now)
        return scores.noting([r.notes for r in requests], wants.lang)

    def _scores_of(self, leads: Sequence[BaseModel], wants: Wants, now: int) -> Scores:
        """With what the store knows of them; where it does not answer, with what they bring, and a warning."""
        extra, context = stored(self.scorer.feature_set.extra), self.scorer.feature_set.context
        known = gather(leads, extra, now)
        if self.recall is None:
            return self.scorer.score(self._permitted(known), wants)
        try:
            known = self.recall.complete(known, extra, context)
        except (LeadliftError, TimeoutError):
            return self.scorer.warned(STORE_UNAVAILABLE).score(self._permitted(known), wants)
        return self.scorer.score(known, wants)

    def _permitted(self, known: Known) -> Known:
        """What may be used while no store says who has consented."""
        return not_consenting(known) if self.require_consent else known

    def _batch(self, document: object) -> list[object]:
        if not isinstance(document, dict) or list(document) != ["leads"] or not isinstance(document["leads"], list):
            raise refuse('Expected an object with the one key "leads" and a list of leads.')
        leads: list[object] = document["leads"]
        if len(leads) > self.limits.max_batch:
            raise refuse(f"Expected at most {self.limits.max_batch} leads.", [Fault("leads", "too many")], status=413)
        return leads

    def _parsed(self, document: object) -> Parsed:
        """One request; fields that are not known are refused or noted, as the settings say."""
        near: tuple[str, ...] = ()
        if self.api.unknown_fields == "warn":
            document, near = known_part(document, self.lead_model)
        notes = tuple(f"{UNKNOWN_FIELD}:{name}" if name else UNKNOWN_FIELD for name in near)
        return Parsed(parse(document, self.lead_model, self.limits.max_events), notes)

    def _parsed_or_problem(self, document: object) -> Parsed | Problem:
        try:
            return self._parsed(document)
        except RequestError as refused:
            return refused.problem


def _reply(scores: Scores, wants: Wants) -> Answer:
    warnings = () if wants.detail else scores.warnings(0)
    return Answer(200, reply_bytes(scores, 0), _headers(wants, warnings))


def _taken(body: bytes) -> Answer:
    return Answer(200, body, {"Content-Type": "application/json"})


def reply_bytes(scores: Scores, row: int) -> bytes:
    """The reply of one row."""
    return reply.to_bytes(scores.row(row), scores.details[row] if scores.details is not None else None)


def _headers(wants: Wants, warnings: Sequence[str]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Content-Language": wants.lang}
    codes = ",".join(quote(code, safe=":") for code in warnings)  # declared columns may have any name, a header may not
    return headers | ({"Leadlift-Warnings": codes} if codes else {})


# -- query -----------------------------------------------------------------------------------------------------
def wants_of(query: Mapping[str, str], accept_language: str = "") -> Wants:
    """`detail`, `reasons` and `lang` of a query; `lang` wins over Accept-Language, English is the default.

    Raises
    ------
    RequestError
        for an unknown parameter or value.
    """
    for name, value in query.items():
        if name not in CHOICES:
            nearest = get_close_matches(name, CHOICES, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(CHOICES)}"
            raise refuse(f"A query parameter is not known: {hint}")
        if value not in CHOICES[name]:
            fault = Fault(name, f"expected one of {', '.join(CHOICES[name])}")
            raise refuse("A query parameter cannot be used.", [fault])
    lang = query.get("lang") or preferred_language(accept_language)
    return Wants(query.get("reasons", "all"), lang, query.get("detail") == "full")  # type: ignore[arg-type]


def preferred_language(accept_language: str) -> Lang:
    """The best of English and German in an Accept-Language header (RFC 9110); English where neither is named."""
    best, best_quality = LANGUAGES[0], 0.0
    for part in accept_language.split(",")[:20]:
        tag, _, parameter = part.partition(";")
        lang = tag.strip().lower().split("-")[0]
        quality = _quality(parameter)
        for known in LANGUAGES:
            if lang == known and quality > best_quality:
                best, best_quality = known, quality
    return best


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
