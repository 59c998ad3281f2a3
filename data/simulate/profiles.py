"""Who the people are: accounts and their profiles. Only what a form or a CRM would hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.simulate import hazard
from data.simulate.sessions import CONTACT, DEMO, GUIDE, WEBINAR
from data.simulate.state import F64, I64, Mask

Texts = NDArray[Any]  # object arrays of texts, None = not known

_INDUSTRIES = ("Manufacturing", "Software", "Finance", "Health", "Retail", "Logistics", "Education", "Public sector", None)  # fmt: skip
_INDUSTRY_SHARE = (0.19, 0.18, 0.12, 0.1, 0.1, 0.09, 0.09, 0.07, 0.06)
_COUNTRIES, _COUNTRY_SHARE = ("DE", "AT", "CH", "GB", "US", "IN", None), (0.42, 0.09, 0.1, 0.13, 0.14, 0.08, 0.04)
_STATES = ("Bavaria", "Hesse", "Hamburg", "Berlin", "Saxony", "Vienna", "Zurich", "Ohio", "Texas", "London")
_LEVELS = ("executive", "head", "manager", "specialist", "student", None)
_LEVEL_SHARE = (0.1, 0.17, 0.28, 0.29, 0.08, 0.08)
_TITLES = {
    "executive": ("CTO", "CIO", "Chief Operating Officer", "Managing Director", "Founder"),
    "head": ("Head of Operations", "Head of IT", "VP Marketing", "Director Sales Operations", "Head of Data"),
    "manager": ("IT Manager", "Marketing Manager", "Project Manager", "Operations Manager", "Team Lead Data"),
    "specialist": ("Software Engineer", "Data Analyst", "Marketing Specialist", "Consultant", "Administrator"),
    "student": ("Student", "Working student", "Intern", "Trainee"),
}
_EMAIL_KINDS, _EMAIL_SHARE = ("business", "free", "role", "disposable"), (0.78, 0.15, 0.05, 0.02)
_MAIL_HOSTS = {
    "free": ("gmail.com", "gmx.de", "outlook.com", "web.de"),
    "disposable": ("mailinator.com", "trashmail.com"),
}
CHANNELS = (
    "organic_search", "paid_search", "paid_social", "organic_social", "display", "referral", "direct", "email",
    "ai_assistant",
)  # fmt: skip
_CHANNEL_SHARE = (0.28, 0.17, 0.12, 0.08, 0.05, 0.09, 0.13, 0.03, 0.05)
_SOURCES = {GUIDE: "Guide download", WEBINAR: "Webinar", DEMO: "Demo request", CONTACT: "Contact form"}
_FAIR, _REFERRED = 0.25, 0.5  # of contact forms: scanned at a fair; of referred visitors: sales calls it a referral
_SAID = {
    "organic_search": "Search engine", "paid_search": "Search engine", "paid_social": "LinkedIn",
    "organic_social": "LinkedIn", "display": "Advertisement", "referral": "A colleague", "direct": "A colleague",
    "email": "Newsletter", "ai_assistant": "ChatGPT",
}  # fmt: skip
_ACCOUNT_SIZES, _ACCOUNT_SHARE = (1, 2, 3, 4, 6), (0.55, 0.2, 0.12, 0.08, 0.05)
_FIRST, _SECOND = (
    ("Nord", "Sued", "Alpen", "Rhein", "Elbe", "Stern", "Blau", "Gruen", "Silber", "Helio", "Terra", "Quanta", "Vela"),
    ("werk", "data", "tec", "form", "logik", "motion", "line", "labs", "haus", "bau", "soft", "med", "kontor"),
)
_REACH = {"executive": 0.8, "head": 1.0, "manager": 1.15, "specialist": 1.1, "student": 0.9}
_REACH_SOURCE = {"Demo request": 1.25, "Contact form": 1.1, "Trade fair": 0.7, "Guide download": 0.95}


@dataclass(frozen=True)
class Profiles:
    """One row per person. account is a number, -1 = none; said: what it answers when asked where it heard of us."""

    account: I64
    company: Texts
    email_domain: Texts
    email_kind: Texts
    industry: Texts
    employees: F64
    country: Texts
    state: Texts
    level: Texts
    title: Texts
    lead_source: Texts
    channel: Texts
    said: Texts

    def fit(self) -> F64:
        """Log-odds of the profiles: `hazard.fit`."""
        names = ("industry", "country", "email_kind", "lead_source", "channel", "level")
        return hazard.fit({n: getattr(self, n) for n in names}, self.employees)


def draw(n: int, form_page: I64, rng: np.random.Generator) -> Profiles:
    """Draw n profiles; people of one account share what belongs to the company."""
    member = _members(n, rng)
    channel = _choose(rng, CHANNELS, _CHANNEL_SHARE, n)
    level = _choose(rng, _LEVELS, _LEVEL_SHARE, n)
    kind = _choose(rng, _EMAIL_KINDS, _EMAIL_SHARE, n)
    country = _choose(rng, _COUNTRIES, _COUNTRY_SHARE, n)[member]
    at_work = (kind == "business") | (kind == "role")
    company = np.array([_company(m) for m in range(int(member.max()) + 1)], dtype=object)[member]
    return Profiles(
        account=np.where(at_work, member, -1), company=_kept(company, rng.random(n) < 0.85),
        email_domain=_domains(company, kind, rng), email_kind=kind,
        industry=_choose(rng, _INDUSTRIES, _INDUSTRY_SHARE, n)[member], employees=_employees(rng, n)[member],
        country=country, state=_kept(_choose(rng, _STATES, None, n), rng.random(n) < 0.4),
        level=level, title=_titles(level, rng), lead_source=_lead_sources(form_page, channel, rng), channel=channel,
        said=np.array([_SAID[c] for c in channel], dtype=object),
    )  # fmt: skip


def reach(p: Profiles) -> F64:
    """Factor of the visiting rate that the profile gives."""
    return np.array(
        [_REACH.get(v or "", 1.0) * _REACH_SOURCE.get(s, 1.0) for v, s in zip(p.level, p.lead_source, strict=True)]
    )


def _kept(values: Texts, keep: Mask) -> Texts:
    """The values where `keep`, elsewhere None."""
    out = values.copy()
    out[~keep] = None
    return out


def _choose(rng: np.random.Generator, values: tuple[str | None, ...], share: tuple[float, ...] | None, n: int) -> Texts:
    return np.array(values, dtype=object)[rng.choice(len(values), n, p=share)]


def _members(n: int, rng: np.random.Generator) -> I64:
    """Account number of each person; accounts have one to six people, who come in any order."""
    sizes = rng.choice(_ACCOUNT_SIZES, n, p=_ACCOUNT_SHARE)
    member = np.repeat(np.arange(n), sizes)[:n]
    rng.shuffle(member)
    return member


def _company(account: int) -> str:
    first, second = _FIRST[account % len(_FIRST)], _SECOND[account // len(_FIRST) % len(_SECOND)]
    return f"{first}{second} {account // (len(_FIRST) * len(_SECOND)) + 1}"


def _domains(company: Texts, kind: Texts, rng: np.random.Generator) -> Texts:
    u = rng.random(len(kind))
    hosts = [_MAIL_HOSTS.get(k) for k in kind]
    own = (c.lower().replace(" ", "-") + ".example" for c in company)
    return np.array([h[int(x * len(h))] if h else o for h, x, o in zip(hosts, u, own, strict=True)], dtype=object)


def _employees(rng: np.random.Generator, n: int) -> F64:
    """Sizes of companies: log-normal around 160 people; every eighth is not known."""
    size = np.round(np.exp(rng.normal(5.1, 1.5, n))).clip(1, 90_000)
    return np.where(rng.random(n) < 0.125, np.nan, size)


def _titles(level: Texts, rng: np.random.Generator) -> Texts:
    u = rng.random(len(level))
    return np.array([_one_of(_TITLES.get(v or ""), x) for v, x in zip(level, u, strict=True)], dtype=object)


def _one_of(values: tuple[str, ...] | None, u: float) -> str | None:
    return values[int(u * len(values))] if values else None


def _lead_sources(form_page: I64, channel: Texts, rng: np.random.Generator) -> Texts:
    source = np.array([_SOURCES[p] for p in form_page.tolist()], dtype=object)
    source[(form_page == CONTACT) & (rng.random(len(source)) < _FAIR)] = "Trade fair"
    source[(channel == "referral") & (rng.random(len(source)) < _REFERRED)] = "Referral"
    return source
