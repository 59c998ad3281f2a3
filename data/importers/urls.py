"""URLs are cleaned where they come in: no query, no fragment, no user, no e-mail address in the path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_plus, urlsplit

from data.importers.rejects import RowError

CLICK_IDS = (
    "gclid", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "li_fat_id", "ttclid", "twclid", "srsltid", "yclid"
)  # fmt: skip
KEPT = frozenset({"utm_source", "utm_medium", "utm_campaign", *CLICK_IDS})
MAX_FIELDS = 200
_ADDRESS = re.compile(r"[^/@\s]+(@|%40)[^/\s]+")


@dataclass(frozen=True)
class Page:
    """What is kept of a page's URL; the click id's value is dropped, its kind is kept."""

    url: str
    source: str | None
    medium: str | None
    campaign: str | None
    click_id_kind: str | None


def page(url: str) -> Page:
    """Clean one URL and read its campaign tags; what does not parse is rejected."""
    whole, _, _ = url.partition("#")
    start, _, query = whole.partition("?")
    place = _place(start)
    if not query:
        return place
    tags = _tags(query)
    if not tags:
        return place
    kind = next((k for k in CLICK_IDS if k in tags), None)
    return Page(place.url, tags.get("utm_source"), tags.get("utm_medium"), tags.get("utm_campaign"), kind)


@lru_cache(maxsize=65_536)
def _place(start: str) -> Page:
    """A URL without its query, cleaned."""
    try:
        parts = urlsplit(start)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RowError("bad_url") from None
    place = f"{host}:{port}" if port else host
    site = f"{parts.scheme}://{place}" if parts.scheme and place else (f"//{place}" if place else "")
    return Page(site + _ADDRESS.sub("-", parts.path), None, None, None, None)


def _tags(query: str) -> dict[str, str]:
    """The first value of each parameter on the allow-list; all others are dropped unread."""
    found: dict[str, str] = {}
    fields = query.split("&")
    if len(fields) > MAX_FIELDS:
        raise RowError("bad_url")
    for item in fields:
        name, _, value = item.partition("=")
        name = unquote_plus(name) if "%" in name or "+" in name else name
        if value and name in KEPT and name not in found:
            found[name] = unquote_plus(value)
    return found


@lru_cache(maxsize=65_536)
def host(referrer: str) -> str | None:
    """The host of a referrer, which may be a URL or a host already; lower case."""
    try:
        return urlsplit(referrer if "//" in referrer else f"//{referrer}").hostname
    except ValueError:
        raise RowError("bad_url") from None
