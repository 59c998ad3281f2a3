"""Where visits come from: what tags, referrers and click ids say of each channel, and what the paid ones cost."""

from __future__ import annotations

import numpy as np

from data.records import DAY, Coded, Columns
from data.simulate.market import START, Market
from data.simulate.profiles import CHANNELS
from data.simulate.state import I64, Mask

# source, medium, campaign, referrer host, kind of click id
Touch = tuple[str | None, str | None, str | None, str | None, str | None]
TOUCHES: dict[str, tuple[Touch, ...]] = {
    "organic_search": (
        (None, None, None, "www.google.com", None),
        (None, None, None, "www.google.de", None),
        (None, None, None, "www.bing.com", None),
    ),
    "paid_search": (
        ("google", "cpc", "automation-dach", "www.google.com", "gclid"),
        ("google", "cpc", "analytics-trial", "www.google.com", "gclid"),
        ("bing", "cpc", "brand", "www.bing.com", "msclkid"),
        (None, None, None, None, "gclid"),
    ),
    "paid_social": (
        ("linkedin", "paid-social", "linkedin-heads", "www.linkedin.com", None),
        ("facebook", "paid-social", "social-retargeting", "www.facebook.com", None),
    ),
    "organic_social": ((None, None, None, "www.linkedin.com", None), ("linkedin", "social", None, None, None)),
    "display": (("programmatic", "display", "awareness-banner", None, None),),
    "referral": ((None, None, None, "partner.example.org", None), (None, None, None, "reviews.example.net", None)),
    "direct": ((None, None, None, None, None),),
    "email": (
        ("newsletter", "email", "newsletter-monthly", None, None),
        ("newsletter", "email", "nurture", None, None),
    ),
    "ai_assistant": ((None, None, None, "chatgpt.com", None), (None, None, None, "www.perplexity.ai", None)),
}  # fmt: skip
ALL = tuple(t for c in CHANNELS for t in TOUCHES[c])
COLUMNS = ("source", "medium", "campaign", "referrer_host", "click_id_kind")
_FIRST = np.cumsum([0] + [len(TOUCHES[c]) for c in CHANNELS])
EMAIL = CHANNELS.index("email")

_LATER = (0.15, 0.07, 0.03, 0.05, 0.02, 0.04, 0.38, 0.22, 0.04)  # channels of later visits of people we may write to
# Money per day, minor units, by paid campaign: what a weekday costs.
_BUDGET = {"paid_search": 9_000, "paid_social": 11_000, "display": 6_000}


def draw(first_channel: Mask | I64, is_first: Mask, may_write: Mask, rng: np.random.Generator) -> tuple[I64, I64]:
    """Channel and touch number of visits; the first visit of a person has its own channel."""
    n = len(is_first)
    later = rng.choice(len(CHANNELS), n, p=_LATER)
    later = np.where((later == EMAIL) & ~may_write, CHANNELS.index("direct"), later)
    channel = np.where(is_first, first_channel, later)
    size = np.diff(_FIRST)[channel]
    return channel, _FIRST[channel] + (rng.random(n) * size).astype(np.int64)


def columns_of(touch: I64) -> Columns:
    """The source columns of events; touch -1 = says nothing."""
    out: Columns = {}
    for i, name in enumerate(COLUMNS):
        of_touch = Coded.of([*(t[i] for t in ALL), None])
        out[name] = Coded(of_touch.codes[touch], of_touch.values)
    return out


def spend(market: Market, rng: np.random.Generator) -> Columns:
    """What each paid campaign cost each day."""
    paid = [(c, t[2]) for c in _BUDGET for t in TOUCHES[c] if t[2]]
    day = np.tile(np.arange(market.days), len(paid))
    which = np.repeat(np.arange(len(paid)), market.days)
    weekend = (day + 2) % 7 >= 5
    base = np.array([_BUDGET[c] for c, _ in paid], dtype=np.float64)[which]
    amount = base * np.where(weekend, 0.4, 1.0) * rng.lognormal(0.0, 0.25, len(day))
    return {
        "date": START + day * DAY, "channel": Coded.of([paid[i][0] for i in which]),
        "campaign": Coded.of([paid[i][1] for i in which]), "amount": np.round(amount),
    }  # fmt: skip
