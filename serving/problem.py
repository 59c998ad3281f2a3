"""What is said to a caller whose request cannot be answered: `application/problem+json` (RFC 9457).

A problem names fields and what they must be. It never repeats a value or a key of the request, because either may
be somebody's name or address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from data.errors import InputError

MEDIA_TYPE = "application/problem+json"
SHOWN_FAULTS = 20

_TITLES = {
    400: ("invalid-request", "The request cannot be used"),
    401: ("key-required", "The route needs a key"),
    403: ("wrong-scope", "The key is for other routes"),
    404: ("no-such-route", "There is no such route"),
    405: ("method-not-allowed", "The route has other methods"),
    408: ("too-slow", "The body took too long to arrive"),
    411: ("length-required", "The request needs a body"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "Send application/json, UTF-8, not compressed"),
    429: ("busy", "Too many requests"),
    500: ("internal-error", "The request failed; the cause is in the log"),
    503: ("not-ready", "The service cannot do this now"),
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field: `events[3].dwell_seconds` and "expected a number"."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True)
class Problem:
    """One answer that is an error: HTTP status, a sentence, and the fields it is about."""

    status: int
    detail: str
    faults: tuple[Fault, ...] = ()

    def document(self) -> dict[str, object]:
        """The members of the problem object; `errors` at most SHOWN_FAULTS."""
        kind, title = _TITLES[self.status]
        return {
            "type": f"urn:leadlift:problem:{kind}",
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "errors": [{"field": f.field, "message": f.message} for f in self.faults[:SHOWN_FAULTS]],
        }

    def body(self) -> bytes:
        return json.dumps(self.document(), ensure_ascii=False, separators=(",", ":")).encode()


class RequestError(InputError):
    """A request that cannot be used. Over HTTP it becomes its problem, on the command line one line and exit 1."""

    def __init__(self, problem: Problem) -> None:
        shown = "; ".join(str(f) for f in problem.faults[:3])
        super().__init__(f"{problem.detail} {shown}".strip())
        self.problem = problem


def refuse(detail: str, faults: Sequence[Fault] = (), status: int = 400) -> RequestError:
    """The error to raise for a request that cannot be used."""
    return RequestError(Problem(status, detail, tuple(faults)))
