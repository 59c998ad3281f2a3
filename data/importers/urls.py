"""URLs are cleaned where they come in: no query, no fragment, no user, no e-mail address in the path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

from data.importers.rejects import RowError

CLICK_IDS = (
    "gclid", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "li_fat_id", "ttclid", "twclid", "srsltid", "yclid"
)  # fmt: skip
_ADDRESS = re.compile(r"[^/@\s]+(@|%40)[^/\s]+")


@dataclass(frozen=True)
class Page:
    """What is kept of a page's URL; the click id's value is dropped, its kind is kept."""

    url: str
    source: str | None
    medium: str | None
    campaign: str | None
    click_id_kind: str | None


@lru_cache(maxsize=65_536)
def page(url: str) -> Page:
    """Clean one URL and read its campaign tags; what does not parse is rejected."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        tags = parse_qs(parts.query, max_num_fields=200)
    except ValueError:
        raise RowError("bad_url") from None
    place = f"{host}:{port}" if port else host
    start = f"{parts.scheme}://{place}" if parts.scheme and place else (f"//{place}" if place else "")
    kind = next((k for k in CLICK_IDS if k in tags), None)
    source, medium, campaign = (tags.get(f"utm_{k}", [None])[0] for k in ("source", "medium", "campaign"))
    return Page(start + _ADDRESS.sub("-", parts.path), source, medium, campaign, kind)


@lru_cache(maxsize=65_536)
def host(referrer: str) -> str | None:
    """The host of a referrer, which may be a URL or a host already; lower case."""
    try:
        return urlsplit(referrer if "//" in referrer else f"//{referrer}").hostname
    except ValueError:
        raise RowError("bad_url") from None
