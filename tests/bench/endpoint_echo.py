"""The least that BentoML takes for such a request: an async api of default settings that returns what it took.

    bentoml serve tests.bench.endpoint_echo:Echo

The object has the fields of `serving.request.Lead` in pydantic's own types.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")

import bentoml
from pydantic import create_model

from data.records import EVENT, LEAD, Column

_TYPES: dict[str, Any] = {"text": str, "number": float, "time": datetime, "flag": bool, "integer": int}


def _fields(columns: Sequence[Column]) -> dict[str, Any]:
    types = {c.name: Literal[c.choices] if c.kind == "code" else _TYPES[c.kind] for c in columns}
    return {name: (kind | None, None) for name, kind in types.items()}


Event = create_model("Event", **_fields(EVENT.columns))
Lead = create_model(
    "Lead",
    **_fields(LEAD.columns),
    as_of=(datetime | None, None),
    events=(list[Event], ()),  # type: ignore[valid-type]
)


@bentoml.service
class Echo:
    """Takes a lead, returns it."""

    @bentoml.api(route="/echo")
    async def echo(self, lead: Lead, /) -> Lead:  # type: ignore[valid-type]
        return lead
