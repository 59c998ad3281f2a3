"""The routes of the service and what a key must be for. A new route is entered here and in `serving/openapi.py`."""

from __future__ import annotations

from serving.keys import Scope

# None: open to all. A route that is missing here is closed, whatever key is sent.
ROUTES: dict[str, Scope | None] = {
    "/livez": None,
    "/readyz": None,
    "/openapi.json": None,
    "/metrics": "admin",
    "/v1/score": "score",
    "/v1/score/batch": "score",
    "/v1/events": "ingest",
    "/v1/outcomes": "ingest",
}
