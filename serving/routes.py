"""The routes of the service and what a key must be for. A new route is entered here and in `serving/openapi.py`."""

from __future__ import annotations

from serving.keys import Scope

HISTORY = "/v1/leads/{lead_id}/history"
INSIGHTS = "/insights/"  # all of the page: it has doors of its own, see serving/insights/routes.py
_BEFORE, _AFTER = HISTORY.split("{lead_id}")
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
    HISTORY: "leads",
}


def route_of(path: str) -> tuple[str, str]:
    """The route a path is of, and the lead it names (it may hold slashes); any other path is its own route and names
    none. Doors, counts and logs see the route alone. Of the page, the route and the whole path."""
    if path.startswith(INSIGHTS) or path == INSIGHTS[:-1]:
        return INSIGHTS, path
    lead_id = path[len(_BEFORE) : -len(_AFTER)]
    return (HISTORY, lead_id) if path == f"{_BEFORE}{lead_id}{_AFTER}" and lead_id else (path, "")
