"""The routes below /insights/.

    GET  /insights/                  overview; /insights/paths, content, sources, model, experiments
    GET  /insights/csv/VIEW/TABLE    a table as CSV; /insights/audience needs the scope `leads`
    GET  /insights/sign-in           open, as are the static files; POST begins a session, POST sign-out ends it

Everything else takes a session, or a key with the scope `insights`; without one it redirects to sign-in and back.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl, quote

from starlette.types import Scope

from serving.access import Access
from serving.desk import Answer, preferred_language
from serving.insights import page
from serving.insights.audience import audience
from serving.insights.choice import Choice
from serving.insights.edition import Edition, Shelf
from serving.insights.session import START, Sessions, ended, inside
from serving.insights.views import view_of
from serving.insights.words import VIEWS
from serving.problem import Problem

SIGN_IN, SIGN_OUT = "/insights/sign-in", "/insights/sign-out"
VIEW_AT = {START: "overview", **{START + name: name for name in VIEWS}}
SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Vary": "Cookie, Accept-Language, Accept-Encoding",
}


@dataclass(frozen=True)
class Reader:
    """Who reads. scopes: of the key. session: signed in by the form."""

    scopes: tuple[str, ...]
    session: bool = False


@dataclass(frozen=True)
class Asked:
    """One request: its path and query, and what of its headers counts."""

    method: str
    path: str
    query: Mapping[str, str]
    address: str
    lang: str
    headers: Mapping[bytes, bytes]
    secure: bool

    @staticmethod
    def of(scope: Scope) -> Asked:
        headers = dict(scope["headers"])
        text = scope.get("query_string", b"").decode("latin-1")
        path = START if scope["path"] == START.rstrip("/") else scope["path"]
        spoken = preferred_language(headers.get(b"accept-language", b"").decode("latin-1"))
        return Asked(
            scope["method"], path, dict(parse_qsl(text, keep_blank_values=True)), quote(path) + ("?" + text if text else ""),
            spoken, headers, scope.get("scheme") == "https" or headers.get(b"x-forwarded-proto") == b"https",
        )  # fmt: skip

    @property
    def choice(self) -> Choice:
        return Choice.of(self.query, self.lang)

    @property
    def foreign(self) -> bool:
        """Sent by a page of somebody else."""
        origin, host = self.headers.get(b"origin"), self.headers.get(b"host", b"")
        site = self.headers.get(b"sec-fetch-site", b"same-origin")
        return site not in (b"same-origin", b"none") or (origin is not None and origin.partition(b"://")[2] != host)


class Insights:
    """Answers below /insights/.

    Parameters
    ----------
    home, access
        where tables and sessions are, and who may pass.
    market
        gives the market that is served now, None where there is none.
    """

    def __init__(self, home: Path, access: Access, market: Callable[[], str | None]) -> None:
        self._home, self._access, self._market = home, access, market
        self._sessions: Sessions | None = None
        self._shelves: dict[str, Shelf] = {}

    async def answer(self, scope: Scope, body: bytes, threads: Executor | None) -> Answer:
        """The answer to one request; body: of a POST."""
        asked = Asked.of(scope)
        if asked.path.startswith(START + "static/"):
            return _static(asked)
        if asked.path in (SIGN_IN, SIGN_OUT):
            return await self._sign(asked, body)
        if asked.method == "POST":
            return _plain(405, "Allowed: GET.", {"Allow": "GET, HEAD"})
        reader = await self._reader(scope, asked)
        if isinstance(reader, Answer):
            return reader
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, self._shown, asked, reader)

    # -- who ---------------------------------------------------------------------------------------------------
    async def _reader(self, scope: Scope, asked: Asked) -> Reader | Answer:
        """Who reads, or the way to sign in."""
        if self._access.newcomer(scope):
            return Reader(("insights", "leads"))
        if b"authorization" in asked.headers:
            refused = await self._access.refused(scope, "insights")
            key = self._access.known(scope)
            return refused or Reader(key.scopes if key else ())
        number = self._signed.key_id(asked.headers.get(b"cookie", b"").decode("latin-1"))
        key = self._access.valid(number) if number else None
        if key is None or "insights" not in key.scopes:
            return _to(f"{SIGN_IN}?next={quote(asked.address, safe='')}")
        return Reader(key.scopes, session=True)

    @property
    def _signed(self) -> Sessions:
        if self._sessions is None:
            self._home.mkdir(parents=True, exist_ok=True)
            self._sessions = Sessions(self._home)
        return self._sessions

    async def _sign(self, asked: Asked, body: bytes) -> Answer:
        if asked.method != "POST":
            there = inside(asked.query.get("next", START))
            return _html(page.sign_in_page(there, asked.choice.lang, False)) if asked.path == SIGN_IN else _to(SIGN_IN)
        if asked.foreign:
            return _plain(403, "Sign in on this page itself.")
        if asked.path == SIGN_OUT:
            return _to(SIGN_IN, ended(asked.secure))
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        there = inside(form.get("next", START))
        key = await self._access.key_of(form.get("key", "").strip())
        if key is None or "insights" not in key.scopes:
            return _html(page.sign_in_page(there, asked.choice.lang, True), 403)
        return _to(there, self._signed.cookie(key.id, asked.secure))

    # -- what --------------------------------------------------------------------------------------------------
    def _shown(self, asked: Asked, reader: Reader) -> Answer:
        """A view, a table or an audience; in a thread, for it reads files and adds up."""
        edition, choice = self._edition(), asked.choice
        if edition is None:
            return _html(page.message_page("not_prepared", choice.lang), 503)
        choice = choice if choice.target in edition.parts else replace(choice, target=next(iter(edition.parts)))
        if asked.path in VIEW_AT:
            view = view_of(edition, VIEW_AT[asked.path], choice)
            return _zipped(
                _html(page.view_page(edition, view, choice, reader.session, "leads" in reader.scopes)), asked
            )
        if asked.path == START + "audience":
            if "leads" not in reader.scopes:
                return _plain(403, "Leads need a key with the scope leads.")
            return _csv(audience(edition, choice, asked.query.get("path", "")).csv(choice.lang), "audience")
        _, _, names = asked.path.partition(f"{START}csv/")
        name, _, number = names.partition("/")
        table = view_of(edition, name, choice).table(number) if name in VIEWS else None
        if table is None:
            return _html(page.message_page("not_found", choice.lang), 404)
        return _csv(table.csv(choice.lang), f"{table.id}-{choice.target}")

    def _edition(self) -> Edition | None:
        market = self._market()
        if market is None:
            return None
        return self._shelves.setdefault(market, Shelf(self._home, market)).current()


# -- answers -----------------------------------------------------------------------------------------------------------
def _html(text: str, status: int = 200) -> Answer:
    return Answer(status, text.encode(), {**SAFE, "Content-Type": "text/html; charset=utf-8"})


def _plain(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    answer = Answer.of(Problem(status, text))
    return Answer(answer.status, answer.body, {**answer.headers, **SAFE, **(headers or {})})


def _to(there: str, cookie: str | None = None) -> Answer:
    return Answer(303, b"", {**SAFE, "Location": there, **({"Set-Cookie": cookie} if cookie else {})})


def _csv(body: bytes, name: str) -> Answer:
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Answer(200, body, {**SAFE, **headers})


def _static(asked: Asked) -> Answer:
    name = asked.path.removeprefix(START + "static/")
    if name not in page.STATIC:
        return _plain(404, "There is no such file.")
    lasting = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    answer = Answer(200, page.asset(name), {**SAFE, **lasting, "Content-Type": f"{page.STATIC[name]}; charset=utf-8"})
    if not _takes_gzip(asked):
        return answer
    return replace(answer, body=_small(name), headers={**answer.headers, "Content-Encoding": "gzip"})


@cache
def _small(name: str) -> bytes:
    return gzip.compress(page.asset(name), 6, mtime=0)


def _takes_gzip(asked: Asked) -> bool:
    return b"gzip" in asked.headers.get(b"accept-encoding", b"")


def _zipped(answer: Answer, asked: Asked) -> Answer:
    if not _takes_gzip(asked):
        return answer
    body = gzip.compress(answer.body, 4, mtime=0)
    return replace(answer, body=body, headers={**answer.headers, "Content-Encoding": "gzip"})
