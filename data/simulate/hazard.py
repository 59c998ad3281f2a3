"""The chance that an open lead converts on a day, and all its constants.

For an open lead at the end of a day, from what is recorded of it by then (see `state.State`):

    log-odds =  BASE
              + fit                                        profile: industry, size, title, country, mail, source, channel
              + PRICING   * min(pricing, 3)                pricing views, each fading by exp(-1/10) per day
              + SENIOR    * min(pricing, 3)                interaction: only for titles that decide
              + SECURITY  * [3 or more security views]     interaction: only for regulated industries
              + BUSY      * [active on 3 or more of the last 14 days]      threshold
              + ORDERED   * exp(-days / 21)                ordered path: days since prices seen *after* a case study;
                                                           0 in a market without the path effect
              + DEMO      * exp(-days / 14)                days since a demo request
              + DWELL     * log(1 + dwell / 60)            seconds of measured dwell, fading by exp(-1/20) per day
              + DOWNLOADS * min(downloads, 3)
              + ODD       * (+1 odd, -1 even)              page views on the last active day: in no catalogue of features
              + CAREERS   * [careers seen, prices never]
              + IDLE      * min(days since the last page view, 45)
              + cycle(days since lead birth)               buying takes time
              + CANCELLED * [cancelled before]

    hazard per day = 1 / (1 + exp(-log-odds)), at most CEILING

Decided before any model was fitted to a market made from it. A change here is another market: raise VERSION.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from data.simulate.state import F64, I64, NEVER, Mask, State

VERSION = "1"

BASE = -8.55
PRICING = 0.45
SENIOR = 0.45
SECURITY = 0.8
BUSY = 0.9
ORDERED = 1.2
DEMO = 1.6
DWELL = 0.25
DOWNLOADS = 0.3
ODD = 0.35
CAREERS = -1.2
IDLE = -0.035
CANCELLED = -1.0
CEILING = 0.25

BUSY_DAYS, BUSY_WINDOW = 3, 14
SECURITY_VIEWS = 3
PRICING_KEEP = float(np.exp(-1 / 10))  # what is left of a pricing view after a day
DWELL_KEEP = float(np.exp(-1 / 20))
_DAYS = np.arange(NEVER + 1, dtype=np.float64)
_ORDERED = np.where(_DAYS < NEVER, ORDERED * np.exp(-_DAYS / 21), 0.0)
_DEMO = np.where(_DAYS < NEVER, DEMO * np.exp(-_DAYS / 14), 0.0)
_IDLE = IDLE * np.minimum(_DAYS, 45)
_CYCLE = np.interp(_DAYS, [0, 3, 14, 60, 120, 200], [-1.2, -0.5, 0.0, 0.0, -0.6, -1.0])

# What a lead is: log-odds by recorded value. A value that is not listed, or not known, adds 0.
INDUSTRY = {
    "Manufacturing": 0.5, "Software": 0.4, "Finance": 0.3, "Health": 0.1, "Retail": -0.1, "Logistics": 0.2,
    "Education": -0.9, "Public sector": -0.6,
}  # fmt: skip
COUNTRY = {"DE": 0.3, "AT": 0.2, "CH": 0.3, "GB": 0.0, "US": -0.1, "IN": -0.7}
EMAIL_KIND = {"business": 0.3, "role": -0.2, "free": -0.9, "disposable": -2.0}
LEAD_SOURCE = {"Demo request": 0.5, "Contact form": 0.3, "Webinar": 0.0, "Guide download": -0.3, "Trade fair": 0.1,
    "Referral": 0.5,
}  # fmt: skip
CHANNEL = {
    "organic_search": 0.1, "paid_search": 0.2, "paid_social": -0.5, "organic_social": -0.3, "display": -0.8,
    "referral": 0.2, "direct": 0.2, "email": 0.1, "ai_assistant": 0.3,
}  # fmt: skip
LEVEL = {"executive": 0.6, "head": 0.5, "manager": 0.1, "specialist": -0.3, "student": -1.5}
SIZE_EDGES, SIZE = (20, 100, 500, 2000), (-0.8, 0.0, 0.5, 0.4, -0.1)
SENIOR_LEVELS = ("executive", "head")
REGULATED = ("Finance", "Health")


def fit(profile: Mapping[str, Sequence[str | None]], employees: F64) -> F64:
    """Log-odds of profiles, (n,).

    `profile` holds the texts of industry, country, email_kind, lead_source, channel (of the first touch) and level
    (of the title); employees NaN = not known.
    """
    tables = {
        "industry": INDUSTRY, "country": COUNTRY, "email_kind": EMAIL_KIND, "lead_source": LEAD_SOURCE,
        "channel": CHANNEL, "level": LEVEL,
    }  # fmt: skip
    total = np.zeros(len(employees))
    for name, effects in tables.items():
        total += np.array([effects.get(v or "", 0.0) for v in profile[name]])
    band = np.searchsorted(SIZE_EDGES, np.nan_to_num(employees), side="right")
    return total + np.where(np.isnan(employees), 0.0, np.array(SIZE)[band])


def log_odds(s: State, day: int) -> F64:
    """Log-odds of converting on this day, (n,); meaningful where status is OPEN."""
    pricing = np.minimum(s.pricing, 3.0)
    total: F64 = (
        BASE + s.fit
        + np.where(s.senior, PRICING + SENIOR, PRICING) * pricing
        + BUSY * busy(s) + SECURITY * (s.regulated & (s.topics[:, 3] >= SECURITY_VIEWS))
        + _ORDERED[s.ordered_since] * s.swayed + _DEMO[s.demo_since] + _IDLE[s.since]
        + DWELL * np.log1p(s.dwell / 60.0) + DOWNLOADS * np.minimum(s.downloads, 3)
        + np.where(s.odd, ODD, -ODD) + CAREERS * (s.careers & ~s.priced)
        + _CYCLE[np.clip(day - s.birth, 0, NEVER)] + CANCELLED * s.cancelled
    )  # fmt: skip
    return total


def busy(s: State) -> Mask:
    """Active on BUSY_DAYS or more of the last BUSY_WINDOW days."""
    window = np.uint32((1 << BUSY_WINDOW) - 1)
    return np.asarray(np.bitwise_count(s.active & window) >= BUSY_DAYS)


def hazard(s: State, day: int) -> F64:
    """The chance of converting on this day, (n,)."""
    return np.minimum(1.0 / (1.0 + np.exp(-log_odds(s, day))), CEILING)


def older(days: I64) -> I64:
    """A count of days one day later."""
    return np.minimum(days + 1, NEVER)
