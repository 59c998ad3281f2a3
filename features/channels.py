"""Source, medium, referrer and click id -> channel. Ordered rules, first match wins, all lower case.

The rules are the default channel group of Google Analytics 4 with four additions of ours: click ids without utm,
AI assistants, referrers without utm, own hosts as internal. The version is stored with every model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

CHANNEL_RULES_VERSION = "ga4-2026-11+1"

CHANNELS = (
    "direct", "cross_network", "paid_shopping", "paid_search", "paid_social", "paid_video", "display", "paid_other",
    "ai_assistant", "organic_shopping", "organic_social", "organic_video", "organic_search", "referral", "email",
    "affiliates", "audio", "sms", "mobile_push", "unassigned",
)  # fmt: skip

REMEMBERED, SHORT = 4_096, 200  # touches whose channel is remembered, and how long the texts of one may be together
PAID = ("paid_shopping", "paid_search", "paid_social", "paid_video", "paid_other", "display", "cross_network")
GROUPS = ("direct", "paid", "organic_search", "organic_social", "email", "referral", "ai_assistant", "other")
GROUP_OF = tuple(GROUPS.index("paid" if c in PAID else c if c in GROUPS else "other") for c in CHANNELS)
_PAID = re.compile(r"^(.*cp.*|ppc|retargeting|paid.*)$")
_SHOP = re.compile(r"^(.*(([^a-df-z]|^)shop|shopping).*)$")
_EMAIL = re.compile(r"email|e-mail|e_mail|e mail")
_DISPLAY = {"display", "banner", "expandable", "interstitial", "cpm"}
_SOCIAL = {"social", "social-network", "social-media", "sm", "social network", "social media"}
_PAID_CLICK = {"gclid": "google", "msclkid": "bing"}
_COUNTRY_DOMAIN = re.compile(r"^(?:www\.)?([a-z0-9-]+)\.(?:com?\.)?[a-z]{2}$")


@dataclass(frozen=True)
class Touch:
    """What a visit says of where it came from; every field lower-case text or None."""

    source: str | None = None
    medium: str | None = None
    campaign: str | None = None
    referrer_host: str | None = None
    click_id_kind: str | None = None


ChannelOf = Callable[[str | None, str | None, str | None, str | None, str | None], int]  # of the fields of a Touch


def channel_finder(categories: Mapping[str, str], own_hosts: tuple[str, ...]) -> ChannelOf:
    """`channel` as position in CHANNELS, remembered for the touches asked for last; only short ones are."""

    def find(*touch: str | None) -> int:
        return CHANNELS.index(channel(Touch(*touch), categories, own_hosts))

    remembered = lru_cache(maxsize=REMEMBERED)(find)

    def found(*touch: str | None) -> int:
        return remembered(*touch) if sum(map(len, filter(None, touch))) <= SHORT else find(*touch)

    return found


def channel(touch: Touch, categories: Mapping[str, str], own_hosts: tuple[str, ...] = ()) -> str:
    """The channel of one touch.

    `categories` maps a source or host to search, social, shopping, video, ai_assistant or email
    (`data/channels/sources.csv`). Own hosts as referrer mean an internal click: `direct`, never a source.
    """
    source, medium, campaign = _clean(touch.source), _clean(touch.medium), _clean(touch.campaign)
    host = _clean(touch.referrer_host)
    if host and any(host == own or host.endswith("." + own) for own in own_hosts):
        host = None
    clicked = _PAID_CLICK.get(_clean(touch.click_id_kind) or "")
    if clicked and not medium and source in (None, clicked):
        source, medium = clicked, "cpc"
    if not source and not medium and host:
        category = category_of(host, categories)
        source, medium = host, {"search": "organic", "social": "social"}.get(category or "", "referral")
    cross, shop = "cross-network" in (campaign or ""), bool(campaign and _SHOP.match(campaign))
    return _first_rule(source or "", medium or "", cross, shop, category_of(source or host, categories))


def category_of(source: str | None, categories: Mapping[str, str]) -> str | None:
    """The category of a source or host: by its own name, a parent domain, or the name before a country's ending.

    >>> category_of("news.example.com", {"example.com": "social"})
    'social'
    >>> category_of("www.finder.co.uk", {"finder": "search"})
    'search'
    """
    if not source:
        return None
    parts = source.split(".")
    for i in range(len(parts)):
        if ".".join(parts[i:]) in categories:
            return categories[".".join(parts[i:])]
    country = _COUNTRY_DOMAIN.match(source)
    return categories.get(country[1]) if country else None


@lru_cache(maxsize=4096)
def _first_rule(s: str, m: str, cross: bool, shop_campaign: bool, cat: str | None) -> str:
    """Channel of source, medium, what the campaign's name says, and the source's category."""
    paid = bool(_PAID.match(m))
    shop = shop_campaign or cat == "shopping"
    mail = bool(_EMAIL.search(s) or _EMAIL.search(m))
    rules = (
        (not (s or m) or (s == "(direct)" and m in ("", "(none)", "(not set)")), "direct"),
        (cross, "cross_network"),
        (shop and paid, "paid_shopping"),
        (cat == "search" and paid, "paid_search"),
        (cat == "social" and paid, "paid_social"),
        (cat == "video" and paid, "paid_video"),
        (m in _DISPLAY, "display"),
        (paid, "paid_other"),
        (cat == "ai_assistant", "ai_assistant"),
        (shop, "organic_shopping"),
        (cat == "social" or m in _SOCIAL, "organic_social"),
        (cat == "video" or "video" in m, "organic_video"),
        (cat == "search" or m == "organic", "organic_search"),
        (m in ("referral", "app", "link"), "referral"),
        (mail or cat == "email", "email"),
        (m == "affiliate", "affiliates"),
        (m == "audio", "audio"),
        ("sms" in (s, m), "sms"),
        (m.endswith("push") or "mobile" in m or "notification" in m or s == "firebase", "mobile_push"),
    )
    return next((name for holds, name in rules if holds), "unassigned")


def _clean(text: str | None) -> str | None:
    return text.strip().lower() or None if text else None
