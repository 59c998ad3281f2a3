"""The OpenAPI document of the service: 3.0, from the types that read the requests and the keys of the reply.

CRMs read it to build their side (Salesforce External Services among them), so it keeps to what they can read: named
flat schemas, `nullable` instead of a choice with null, no combined schemas, an operationId each. Declared extra columns
of the served bundle are properties of Lead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from data.settings import ServingSettings
from data.store.moves import PARTS
from serving.intake import Outcome
from serving.problem import MEDIA_TYPE
from serving.reply import DETAIL_NUMBERS, KEYS, MOVE_KEYS, Kind
from serving.routes import HISTORY, ROUTES

ADDRESS = r"^\s*([^@\s]+@[^@\s.]+(\.[^@\s.]+)+\s*)?$"
VERSION = "1.0.0"  # of the interface: the first number is the one in its paths
Schema = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One route as callers see it; body and reply name schemas, body is null for a GET."""

    path: str
    id: str
    summary: str
    reply: str
    body: str | None = None


OPERATIONS = (
    Operation("/v1/score", "score", "Probability, points, grade and reasons for one lead.", "Reply", "Lead"),
    Operation("/v1/score/batch", "scoreBatch", "The same for many leads, in order.", "Replies", "Leads"),
    Operation(
        "/v1/events",
        "events",
        "Calls as Segment's clients send them: they count from the answer on.",
        "Taken",
        "Events",
    ),
    Operation(
        "/v1/outcomes", "outcomes", "What became of leads: the labels of the next training.", "Taken", "Outcomes"
    ),
    Operation(HISTORY, "history", "How the published scores of a lead moved, latest first, and why.", "History"),
    Operation("/livez", "livez", "Whether the process is up.", "Health"),
    Operation("/readyz", "readyz", "With which model and points it answers.", "Health"),
)
_ASKED = {
    "detail": "full adds reasons, ledger, warnings and the bounds of the expected value; default flat",
    "reasons": "whose reasons: nobody's, sales-ready leads' or all; default all",
    "lang": "language of the reasons; default what Accept-Language prefers, else en",
}
_FAILURES = {
    400: "The request cannot be used; errors names the fields.",
    401: "No key, or one that is not known.",
    403: "The key is for other routes.",
    408: "The body took too long to arrive.",
    413: "The body, its list of leads or of events is too large.",
    415: "Expected application/json in UTF-8, not compressed.",
    429: "Too many requests at once; see Retry-After.",
    500: "The request failed; nothing was stored.",
    503: "Starting or stopping, or the store cannot be used now.",
}


_ANY_SCOPED = (401, 403, 429, 500)  # failures of a GET that needs a key
_LEAD_ID = {"name": "lead_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def describe(
    lead: type[BaseModel], limits: ServingSettings, query: Mapping[str, Sequence[str]], market: str | None, target: str
) -> bytes:
    """The document as JSON.

    Parameters
    ----------
    lead
        the request type, with its declared columns.
    query
        the query parameters of scoring and their values.
    """
    text = json.dumps(_document(lead, limits, query, market, target), ensure_ascii=False, indent=1)
    return (text + "\n").encode()


def _document(
    lead: type[BaseModel], limits: ServingSettings, query: Mapping[str, Sequence[str]], market: str | None, target: str
) -> Schema:
    about = f"Leads of {market or 'no market yet'}: how likely each is {target}. Every field of a lead may be left out or null."
    parameters = [
        {"name": n, "in": "query", "description": _ASKED[n], "schema": {"type": "string", "enum": list(v)}}
        for n, v in query.items()
    ]
    return {
        "openapi": "3.0.3",
        "info": {"title": "Leadlift", "version": VERSION, "description": about},
        "servers": [{"url": "/"}],
        "paths": {o.path: {"post" if o.body else "get": _operation(o, parameters)} for o in OPERATIONS},
        "components": {
            "schemas": _requests(lead, limits) | _told() | _replies() | _PROBLEM,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "leadlift keys create"}},
        },
    }


# -- operations ------------------------------------------------------------------------------------------------
def _operation(operation: Operation, parameters: list[Schema]) -> Schema:
    scope = ROUTES[operation.path]
    found: Schema = {"operationId": operation.id, "summary": operation.summary}
    if scope:
        found["description"] = f"Needs a key with the scope {scope}."
    if operation.path == HISTORY:
        found["parameters"] = [_LEAD_ID]
    if operation.body:
        if operation.reply in ("Reply", "Replies"):
            found["parameters"] = parameters
        found["requestBody"] = {"required": True, "content": _content(operation.body)}
    found["responses"] = {"200": {"description": "Answered.", "content": _content(operation.reply)}}
    for status, text in _FAILURES.items():
        if operation.body or status == 503 or (scope and status in _ANY_SCOPED):
            found["responses"][str(status)] = {"description": text, "content": _content("Problem", MEDIA_TYPE)}
    found["security"] = [{"key": []}] if scope else []
    return found


def _content(schema: str, media: str = "application/json") -> Schema:
    return {media: {"schema": _ref(schema)}}


def _ref(schema: str) -> Schema:
    return {"$ref": f"#/components/schemas/{schema}"}


# -- requests --------------------------------------------------------------------------------------------------
def inputs(lead: type[BaseModel]) -> dict[str, Schema]:
    """The schemas of what callers send: Lead with its declared columns, and Event."""
    found = lead.model_json_schema(ref_template="#/components/schemas/{model}")
    return {name: _plain(schema) for name, schema in ({"Lead": found} | found.pop("$defs")).items()}


def _requests(lead: type[BaseModel], limits: ServingSettings) -> dict[str, Schema]:
    found = inputs(lead)
    found["Lead"]["properties"]["events"]["maxItems"] = limits.max_events
    found["Lead"]["properties"]["email"]["pattern"] = ADDRESS
    leads = {"type": "array", "items": _ref("Lead"), "maxItems": limits.max_batch}
    return found | {"Leads": _object({"leads": leads}, required=["leads"]) | {"additionalProperties": False}}


def _told() -> dict[str, Schema]:
    """What is told to the store, and what became of it."""
    texts = {name: _nullable("text") for name in ("messageId", "anonymousId", "userId", "timestamp", "event", "name")}
    objects = dict.fromkeys(("properties", "traits", "context"), _ref("Fields"))
    kinds: Schema = {"type": "string", "enum": ["identify", "page", "track"]}
    reject = _texts("reason") | {"field": _nullable("text"), "index": {"type": "integer"}}
    counts: dict[str, Schema] = {
        n: {"type": "integer"} for n in ("read", "accepted", "duplicate", "rejected", "passed_over")
    }
    return {
        "Events": _object({"batch": _list("Call", "in any order; the same messageId counts once")}, required=["batch"]),
        "Call": _object({"type": kinds} | texts | objects, required=["type"]),
        "Fields": {"type": "object", "properties": {}, "additionalProperties": True},
        "Outcomes": _object({"outcomes": _list("Outcome", "one told again counts once")}, required=["outcomes"]),
        "Outcome": _plain(TypeAdapter(Outcome).json_schema()),
        "Taken": _object(
            counts | {"rejects": _list("Reject", "rows that were refused")}, required=[*counts, "rejects"]
        ),
        "Reject": _object(reject, required=["index", "reason"]),
    }


def _plain(schema: Schema) -> Schema:
    """Without titles and defaults, and `nullable` where pydantic writes a choice with null."""
    kept = {k: v for k, v in schema.items() if k not in ("title", "default", "anyOf", "properties")}
    if "anyOf" in schema:
        (other,) = [s for s in schema["anyOf"] if s != {"type": "null"}]
        kept = {**_plain(other), **kept, "nullable": True}
        if "enum" in kept:  # a list would have to name null, which not every reader takes
            kept["pattern"] = f"^({'|'.join(kept.pop('enum'))})$"
    if "properties" in schema:
        kept["properties"] = {name: _plain(inner) for name, inner in schema["properties"].items()}
    return kept


# -- replies ---------------------------------------------------------------------------------------------------
_TYPES: dict[Kind, Schema] = {
    "text": {"type": "string"}, "number": {"type": "number"}, "integer": {"type": "integer"},
    "flag": {"type": "boolean"}, "time": {"type": "string", "format": "date-time"},
}  # fmt: skip


def _object(properties: dict[str, Schema], required: Sequence[str]) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _nullable(kind: Kind) -> Schema:
    return {**_TYPES[kind], "nullable": True}


def _list(schema: str, about: str) -> Schema:
    return {"type": "array", "items": _ref(schema), "description": about}


def _texts(*names: str) -> dict[str, Schema]:
    return {name: {"type": "string"} for name in names}


def _replies() -> dict[str, Schema]:
    flat = {key: _nullable(kind) for key, kind in KEYS.items()}
    full = {key: _nullable("number") for key in DETAIL_NUMBERS} | {
        "reasons": _list("Reason", "with detail=full"),
        "ledger": _list("LedgerEntry", "with detail=full; adds up to points"),
        "warnings": _list("Warning", "with detail=full"),
    }
    reason = {**_texts("family", "text"), "contribution": {"type": "number", "description": "to the log-odds"}}
    entry = {**_texts("dimension", "code", "label"), "points": {"type": "integer"}}
    status = {"type": "string", "enum": ["ok", "error"]}
    result = {"status": status, "reply": _ref("Reply"), "error": _ref("Problem")}
    state = {n: _nullable("text") for n in ("market", "target", "model_version", "rules_version")}
    return {
        "Reply": _object(flat | full, required=list(flat)),
        "Reason": _object(reason, required=list(reason)),
        "LedgerEntry": _object(entry, required=list(entry)),
        "Warning": _object(_texts("code", "text"), required=["code", "text"]),
        "Result": _object(result, required=["status"]),
        "Replies": _object({"results": _list("Result", "one per lead, in order")}, required=["results"]),
        "History": _object(
            {
                "lead_id": {"type": "string"},
                "moves": _list("Move", "one for each published score that said something new"),
            },
            required=["lead_id", "moves"],
        ),
        "Move": _object({key: _move(key, kind) for key, kind in MOVE_KEYS.items()}, required=list(MOVE_KEYS)),
        "Health": _object(
            {"status": {"type": "string"}, **state, "warnings": {"type": "array", "items": {"type": "string"}}},
            required=["status"],
        ),
    }


def _move(key: str, kind: Kind) -> Schema:
    """One key of a move."""
    what = {f"{score}_{part}": about for score, about in _ADD_UP.items() for part in PARTS}
    return _nullable(kind) | ({"description": what[key]} if key in what else {})


_ADD_UP = {
    "log_odds": "what this cause added to the log-odds of the probability",
    "points": "what this cause added to the points",
}


_PROBLEM = {
    "Problem": _object(
        {**_texts("type", "title", "detail"), "status": {"type": "integer"}, "errors": _list("Fault", "wrong fields")},
        required=["type", "title", "status", "detail", "errors"],
    ),
    "Fault": _object(_texts("field", "message"), required=["field", "message"]),
}
