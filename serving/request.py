"""The request: one flat object with what the caller knows of a lead. Strict: no field is guessed, none is ignored.

    model = lead_model(extra)         the request type, with the declared extra columns of the served bundle
    lead = parse(document, model)     JSON -> Lead, or RequestError naming each wrong field
    known_part(document, model)       for `[api] unknown_fields = "warn"`: what is known of it, and what was left out

`serving/gather.py` turns requests into columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic import create_model as make_model
from pydantic_core import PydanticCustomError

from data.dataset import ExtraColumn
from data.emails import Email, hash_key, reduce_address
from data.records import EVENT, LEAD, MICROS, PROFILE_NUMBER, PROFILE_TEXT, Column
from serving.problem import SHOWN_FAULTS, Fault, refuse

MAX_EVENTS = 10_000
MAX_TEXT = 8192
MAX_NAME = 100  # of a field; more of an unknown one is not compared
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PROFILE = (*PROFILE_TEXT, *PROFILE_NUMBER)
_SAYING = frozenset(("lead_id", "visitor_id", "email", "events", *_PROFILE))
_NOT_ASKED = ("source_row",)
_PERSON_IDS = ("visitor_id", "lead_id")


# -- types -----------------------------------------------------------------------------------------------------
def micros(text: object) -> int:
    """`2026-11-01T09:30:00+01:00` -> microseconds since 1970 UTC; a time without zone is refused."""
    if not isinstance(text, str) or ("T" not in (day := text[:11]) and " " not in day):
        raise PydanticCustomError("time", "expected a time such as 2026-11-01T09:30:00Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("time", "expected a time such as 2026-11-01T09:30:00Z") from None
    if moment.tzinfo is None:
        raise PydanticCustomError("time", "expected a time with a zone: add Z or an offset such as +01:00")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * MICROS + since.microseconds


def reduced(address: str) -> Email | None:
    """An e-mail address becomes its domain, kind and hash while the request is read; the address goes no further."""
    try:
        return reduce_address(address, hash_key()) if address.strip() else None
    except ValueError:
        raise PydanticCustomError("email", "expected an e-mail address") from None


Text = Annotated[str, StringConstraints(max_length=MAX_TEXT)]
Address = Annotated[Text, AfterValidator(reduced)]
Time = Annotated[int, BeforeValidator(micros), WithJsonSchema({"type": "string", "format": "date-time"})]
Count = Annotated[float, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=False)


def _type_of(column: Column) -> Any:
    if column.kind == "code":
        return Literal[column.choices]
    return {"text": Text, "time": Time, "number": Count, "flag": bool}[column.kind]


def _fields(columns: Sequence[Column], *without: str) -> dict[str, Any]:
    kept = [c for c in columns if c.name not in without]
    return {c.name: (_type_of(c) | None, Field(None, description=_describe(c))) for c in kept}


def _describe(column: Column) -> str:
    return ", ".join(filter(None, [column.unit, f"null: {column.null}"]))


_REQUIRED: dict[str, Any] = {
    "occurred_at": (Time, Field(description="when it happened")),
    "type": (Literal[EVENT.column("type").choices], Field(description="what happened")),  # type: ignore[union-attr]
}
Event = make_model(
    "Event",
    __base__=_Strict,
    __doc__="One thing the lead did, or that was done to it.",
    **{**_fields(EVENT.columns, *_PERSON_IDS), **_REQUIRED},
)
Lead = make_model(
    "Lead",
    __base__=_Strict,
    __doc__="What the caller knows of one lead; every field is optional, null means not known.",
    visitor_id=(Text | None, Field(None, description="the visitor, where there is no lead yet")),
    **_fields(LEAD.columns, *_NOT_ASKED),
    email=(Address | None, Field(None, description="reduced to domain, kind and hash; the address is not kept")),
    as_of=(Time | None, Field(None, description="the moment asked about; null: now")),
    events=(list[Event] | None, Field(None, description=f"at most {MAX_EVENTS}, in any order")),
)


def lead_model(extra: Sequence[ExtraColumn]) -> type[BaseModel]:
    """The request type with a dataset's declared extra columns, under their own names."""
    kinds = {"text": Text, "number": float}
    fields: dict[str, Any] = {
        _attribute(i): (kinds[e.kind] | None, Field(None, alias=e.name, description=e.unit or e.role))
        for i, e in enumerate(extra)
    }
    return make_model("Lead", __base__=Lead, __doc__=Lead.__doc__, **fields) if extra else Lead


def _attribute(position: int) -> str:
    """Declared columns may have any name; as attributes they are numbered."""
    return f"extra_{position}"


# -- parsing ---------------------------------------------------------------------------------------------------
def parse(document: object, model: type[BaseModel], max_events: int = MAX_EVENTS) -> BaseModel:
    """One request object.

    Raises
    ------
    RequestError
        with one fault per wrong field, none of which repeats a value or an unknown key.
    """
    if not isinstance(document, dict):
        raise refuse("Expected one JSON object.")
    events = document.get("events")
    if isinstance(events, list) and len(events) > max_events:
        raise refuse(f"Expected at most {max_events} events.", [Fault("events", "too many")], status=413)
    try:
        lead = model.model_validate(document)
    except ValidationError as bad:
        # A body may hold a hundred thousand unknown fields; nobody reads about all of them.
        raise refuse("Some fields cannot be used.", list(islice(_faults(bad, document, model), SHOWN_FAULTS))) from None
    if not _says_something(lead):
        raise refuse("Expected at least one of lead_id, visitor_id, a profile column or events.")
    return lead


def known_part(document: object, model: type[BaseModel]) -> tuple[object, tuple[str, ...]]:
    """A request object without its unknown fields and those of its events, which are left out instead of refused.

    Beside it, for what was left out, the nearest known names, each once; "" where none is near. Never the name itself.
    """
    if not isinstance(document, dict):
        return document, ()
    near: dict[str, str] = {}
    of_events: dict[str, str] = {}
    kept = _only(document, _names(model), near)
    events = kept.get("events")
    if isinstance(events, list):
        names = _names(Event)
        kept["events"] = [_only(e, names, of_events) if isinstance(e, dict) else e for e in events]
    return kept, tuple(dict.fromkeys([*near.values(), *of_events.values()]))


def _only(given: Mapping[str, Any], known: Sequence[str], near: dict[str, str]) -> dict[str, Any]:
    """The known fields; the first SHOWN_FAULTS names of others are entered in `near` with the known name next to them."""
    kept = {}
    for name, value in given.items():
        if name in known:
            kept[name] = value
        elif name not in near:
            near[name] = _nearest(name, known) if len(near) < SHOWN_FAULTS else ""
    return kept


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _nearest(name: str, known: Sequence[str]) -> str:
    """The known name that was probably meant; "" where none is near."""
    return next(iter(get_close_matches(name[:MAX_NAME].lower(), known, n=1, cutoff=0.6)), "")


def _says_something(lead: BaseModel) -> bool:
    return any(
        v.strip() if isinstance(v, str) else v != []
        for n, v in lead.__dict__.items()
        if v is not None and (n in _SAYING or n.startswith("extra_"))
    )


_MESSAGES = {
    "missing": "is required",
    "string_type": "expected a text",
    "string_too_long": f"expected at most {MAX_TEXT} characters",
    "float_type": "expected a number (without quotes, at most a 64-bit float)",
    "finite_number": "expected a finite number",
    "greater_than_equal": "expected 0 or more",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
}


def _faults(bad: ValidationError, document: dict[str, Any], model: type[BaseModel]) -> Iterator[Fault]:
    for error in bad.errors(include_url=False, include_input=False):
        kind, path = error["type"], error["loc"]
        if kind == "extra_forbidden":
            yield _unknown(path, document, model)
        elif kind == "literal_error":
            yield Fault(_name(path), f"expected one of {error['ctx']['expected']}".replace("'", ""))
        elif kind in ("time", "email"):
            yield Fault(_name(path), error["msg"])
        else:
            yield Fault(_name(path), _MESSAGES.get(kind, "is not of the expected kind"))


def _unknown(path: tuple[str | int, ...], document: dict[str, Any], model: type[BaseModel]) -> Fault:
    """The fault of an unknown field: its position and the nearest known name, never the name itself."""
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    nearest = _nearest(str(path[-1]), _names(model if len(path) == 1 else Event))
    hint = f"; the nearest known field is {nearest}" if nearest else ""
    return Fault(_name(path[:-1]), f"field {list(holder).index(path[-1]) + 1} of the object is not known{hint}")


def _name(path: tuple[str | int, ...]) -> str:
    """("events", 3, "type") -> events[3].type"""
    text = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path)
    return text.removeprefix(".")
