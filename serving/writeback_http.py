"""Requests to a CRM: its limits are obeyed, its hiccups waited out, its refusals told in one line.

Waited out: 429 and what else passes (423, 477, 5xx, a broken connection), as long as Retry-After says. Told: an expired
token, a missing permission, a used-up daily limit. Nothing of a body, which may hold personal data, goes into a message;
only the CRM's codes do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from data.errors import CrmError, SettingsError, UsageError

ATTEMPTS, LONGEST_WAIT = 6, 600.0  # seconds; who is told to wait longer gives up for now
_PASSING = {408, 423, 425, 429, 477}
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,79}")


class Refused(CrmError):
    """A request that would be refused again: its status (4xx) and the CRM's own codes."""

    def __init__(self, crm: str, status: int, codes: list[str]) -> None:
        self.status, self.codes = status, codes
        said = ", ".join(codes) or f"status {status}"
        super().__init__(
            f"{crm} refused a request: {said}. See docs/writeback.md for the fields and permissions it needs.",
            codes[0] if codes else f"status_{status}",
        )


class Http:
    """A CRM at its address. token_name: the environment variable the token is from, for messages."""

    def __init__(
        self, crm: str, url: str, token: str | None, token_name: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        if not token or not token.isascii() or not token.isprintable():
            got = "characters that no token has" if token else "none"
            raise UsageError(f"--send: expected a token in the environment variable {token_name}, got {got}.")
        self.crm, self._token_name, self.sleep = crm, token_name, sleep
        self._daily_left, self._rest = 1, 0.0
        self._client = httpx.Client(
            base_url=checked_url(crm, url), headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(120, connect=10),
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        """The answer to a request (httpx's `json=`, `content=`, `headers=`), which is 2xx.

        Raises
        ------
        Refused
            for a 4xx that says that this request is wrong.
        CrmError
            where nothing more can be sent now.
        """
        for attempt in range(ATTEMPTS):
            self._obey()
            wait = 2.0**attempt
            try:
                answer = self._client.request(method, path, **content)
            except httpx.RequestError:
                self.sleep(wait)
                continue
            self._note_limits(answer)
            if answer.is_success:
                return answer
            if answer.status_code not in _PASSING and answer.status_code < 500:
                raise self._refusal(answer)
            if _codes(answer, "policyName") == ["DAILY"]:
                raise self._used_up()
            self.sleep(self._wait(answer, wait))
        raise CrmError(f"{self.crm} did not answer {ATTEMPTS} times. Run the same command again later.", "unreachable")

    def document(self, method: str, path: str, **content: Any) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of an answer; a CrmError for an answer that is none."""
        answer = self.ask(method, path, **content)
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise CrmError(f"{self.crm} answered with something else than JSON. Check its address.", "no_json")
        return answer.status_code, document

    def _obey(self) -> None:
        if self._daily_left <= 0:
            raise self._used_up()
        if self._rest:
            self.sleep(self._rest)
            self._rest = 0.0

    def _note_limits(self, answer: httpx.Response) -> None:
        headers = answer.headers
        if used := _USAGE.search(headers.get("Sforce-Limit-Info", "")):
            self._daily_left = int(used[2]) - int(used[1])
        self._daily_left = _number(headers.get("X-HubSpot-RateLimit-Daily-Remaining"), self._daily_left)
        if _number(headers.get("X-HubSpot-RateLimit-Remaining"), 1) == 0:
            self._rest = _number(headers.get("X-HubSpot-RateLimit-Interval-Milliseconds"), 10_000) / 1000

    def _wait(self, answer: httpx.Response, otherwise: float) -> float:
        wait = _seconds(answer.headers.get("Retry-After"), otherwise)
        if wait > LONGEST_WAIT:
            raise CrmError(f"{self.crm} asks to wait {wait:.0f} seconds. Run the same command again then.", "limit")
        return wait

    def _refusal(self, answer: httpx.Response) -> CrmError:
        codes = _codes(answer)
        if answer.status_code == 401:
            return CrmError(
                f"{self.crm}: the token is expired or not valid. Put a new one into {self._token_name} and run the same "
                "command again: nothing is lost.", "token_expired",
            )  # fmt: skip
        if any("LIMIT_EXCEEDED" in code or code == "ExceededQuota" for code in codes):
            return self._used_up()
        return Refused(self.crm, answer.status_code, codes)

    def _used_up(self) -> CrmError:
        return CrmError(
            f"{self.crm}: the daily limit of requests is used up. Run the same command again when it is renewed: nothing "
            "is lost.", "daily_limit",
        )  # fmt: skip


def checked_url(crm: str, url: str) -> str:
    """The address; only this machine may be asked without encryption, because a token goes along."""
    parts = urlsplit(url)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or parts.username or (parts.scheme != "https" and not (local and parts.scheme == "http")):
        raise SettingsError(f"writeback.{crm.lower()}_url: expected an address such as https://HOST, got another form.")
    return url.rstrip("/")


def code_of(text: str) -> str:
    """The code a CRM's message begins with, without what follows: that may hold personal data."""
    found = _CODE.match(text.strip())
    return found[0] if found else "other"


def _codes(answer: httpx.Response, *keys: str) -> list[str]:
    """The CRM's codes in an error's body: of its parts first, then its own."""
    try:
        document = answer.json()
    except ValueError:
        return []
    parts = document if isinstance(document, list) else [document]
    parts = [p for part in parts if isinstance(part, dict) for p in (*(part.get("errors") or ()), part)]
    named = [p.get(key) for p in parts if isinstance(p, dict) for key in keys or ("errorCode", "code", "category")]
    return list(dict.fromkeys(name for name in named if isinstance(name, str) and _CODE.fullmatch(name)))


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isdigit() else otherwise


def _seconds(text: str | None, otherwise: float) -> float:
    """Retry-After: seconds, or a date."""
    if text is None:
        return otherwise
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return otherwise
