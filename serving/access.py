"""Who may use which route: one scope per route, a key that has it, and the one exception for newcomers.

The exception: a service bound to this machine alone, in whose home no key was ever made, answers without one. With the
first key, or bound to another address, keys are required on every route that is not open.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from starlette.types import Scope as Request

from serving.desk import Answer
from serving.keys import Key, Keys
from serving.problem import Problem
from serving.routes import ROUTES

_PASSED_ON = (b"forwarded", b"x-forwarded-for", b"via")


class Access:
    """The door of one service.

    Parameters
    ----------
    home
        where the keys are.
    host
        the address the service is bound to.
    """

    def __init__(self, home: Path, host: str) -> None:
        self._keys = Keys(home)
        self._local = is_local(host)
        self._one_at_a_time = asyncio.Lock()

    async def refusal(self, request: Request) -> Answer | None:
        """None where the request may pass; else 401, or 403 for a key without the route's scope."""
        path = request["path"]
        if (path in ROUTES and ROUTES[path] is None) or self.newcomer(request):
            return None
        return await self.refused(request, ROUTES.get(path))

    async def refused(self, request: Request, scope: str | None) -> Answer | None:
        """None where the request's key has the scope."""
        token = _token(request)
        if token is None:
            return _denied(401, "Send a key: Authorization: Bearer KEY. leadlift keys create makes one.", "")
        key = await self.key_of(token)
        if key is None:
            return _denied(401, "The key is not known, or was revoked.", ', error="invalid_token"')
        if scope not in key.scopes:
            wanted = f', error="insufficient_scope", scope="{scope}"'
            return _denied(403, f"The route needs a key with the scope {scope}.", wanted)
        return None

    async def key_of(self, token: str) -> Key | None:
        """The valid key of a token."""
        return self._keys.remembered(token) or await self._found(token)

    def known(self, request: Request) -> Key | None:
        """The key of a request that was let in before."""
        token = _token(request)
        return self._keys.remembered(token) if token else None

    def valid(self, number: str) -> Key | None:
        """The valid key of that id."""
        return self._keys.valid(number)

    async def _found(self, token: str) -> Key | None:
        """The slow way, beside the event loop and one at a time: guesses must not take the machine."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._keys.find, token)

    def newcomer(self, request: Request) -> bool:
        """Bound to this machine, called from it through an address of it, and no key was ever made."""
        if self._local and self._keys.exist():
            self._local = False  # and stays so: a file that is deleted must not open what was closed
        server = request.get("server") or ("", 0)
        return self._local and is_local(str(server[0])) and _from_here(request)


@lru_cache(maxsize=16)
def is_local(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_here(request: Request) -> bool:
    """No proxy passes on somebody's call, and no page of another site asks: its browser is on this machine, and its name
    may have been made to point here."""
    headers: Mapping[bytes, bytes] = dict(request["headers"])
    if any(name in headers for name in _PASSED_ON):
        return False
    return all(_names_here(headers[name]) for name in (b"host", b"origin") if name in headers)


@lru_cache(maxsize=16)
def _names_here(value: bytes) -> bool:
    """Whether a Host or an Origin is of this machine."""
    try:
        return is_local(urlsplit(f"//{value.decode('latin-1').rpartition('//')[2]}").hostname or "")
    except ValueError:
        return False


def _token(request: Request) -> str | None:
    headers: Mapping[bytes, bytes] = dict(request["headers"])
    kind, _, token = headers.get(b"authorization", b"").partition(b" ")
    text = token.strip().decode("latin-1")
    return text if kind.lower() == b"bearer" and text else None


def _denied(status: int, detail: str, more: str) -> Answer:
    answer = Answer.of(Problem(status, detail))
    return Answer(status, answer.body, {**answer.headers, "WWW-Authenticate": f'Bearer realm="leadlift"{more}'})
