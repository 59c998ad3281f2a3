"""Passwords of URLs stay where they were given: in no message, log, report or table."""

from __future__ import annotations

import re

_URL = re.compile(r"\b[a-z][a-z0-9+.-]*:/{1,2}[^\s'\"<>]+", re.IGNORECASE)
_PARTS = re.compile(r"([^:]+:/{1,2})(?:([^@/:]*)(?::[^@/]*)?@)?(.*)", re.DOTALL)


def without_password(url: str) -> str:
    """The URL of a database or a server without its passwords; user, host and the rest stay.

    What is no proper URL, because its password holds characters that should be encoded, loses all that could be one.
    """
    parts = _PARTS.fullmatch(url)
    if parts is None:
        return url
    scheme, user, rest = parts.groups()
    place, mark, query = rest.partition("?")
    if "@" in place and not scheme.lower().startswith("http"):
        user, place = user or place.partition(":")[0], place.rpartition("@")[2]
    query = "&".join(p for p in query.split("&") if "password" not in p.partition("=")[0].lower())
    return f"{scheme}{user + '@' if user else ''}{place}{mark if query else ''}{query}"


def without_passwords(text: str) -> str:
    """A text, every URL in it without its passwords."""
    return _URL.sub(lambda found: without_password(found[0]), text) if ":/" in text else text
