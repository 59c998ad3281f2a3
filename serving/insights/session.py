"""Who is signed in: a signed cookie that names a key and when it was made, and nothing else.

It holds for HOURS and as long as its key does: each request looks the key up, so a revoked one ends its sessions at once.
"""

from __future__ import annotations

import os
import secrets
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeTimedSerializer

from data.files import replace_text

COOKIE, HOURS = "leadlift_session", 12
FILE, START = "sessions.key", "/insights/"


class Sessions:
    """Makes and reads the cookie; the secret is made once for a home, and its owner alone may read it."""

    def __init__(self, home: Path) -> None:
        self._signed = URLSafeTimedSerializer(_secret(home / FILE), salt="leadlift insights")

    def cookie(self, key_id: str, secure: bool) -> str:
        """The header that begins a session. secure: sent over HTTPS alone."""
        return _cookie(str(self._signed.dumps(key_id)), HOURS * 3600, secure)

    def key_id(self, header: str) -> str | None:
        """The key of a request's session, from its Cookie header; None where there is no valid one."""
        try:
            found = SimpleCookie(header[:8192]).get(COOKIE)
            return str(self._signed.loads(found.value, max_age=HOURS * 3600)) if found else None
        except (CookieError, BadSignature):
            return None


def ended(secure: bool) -> str:
    """The header that ends a session."""
    return _cookie("", 0, secure)


def _cookie(value: str, seconds: int, secure: bool) -> str:
    more = "; Secure" if secure else ""
    return f"{COOKIE}={value}; Path={START}; Max-Age={seconds}; HttpOnly; SameSite=Lax{more}"


def inside(there: str) -> str:
    """Where to go on after signing in: a place on this page, and nowhere else."""
    try:
        parts = urlsplit(there)
    except ValueError:
        return START
    strange = any(c in there for c in "\\\r\n\t\0") or not there.isprintable()
    if strange or parts.scheme or parts.netloc or not there.startswith(START) or "/../" in there or "//" in parts.path:
        return START
    return START if there.startswith((f"{START}sign-", f"{START}static/")) else there


def _secret(file: Path) -> str:
    """The secret of a home, made where there is none; of several processes that make one, the first one's counts."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        pass
    staged = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    replace_text(staged, secrets.token_hex(32), mode=0o600)
    try:
        os.link(staged, file)
    except FileExistsError:
        pass
    finally:
        staged.unlink()
    return file.read_text(encoding="utf-8")
