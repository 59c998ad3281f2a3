"""The people of a market: when they come, when they become leads, and what they are to the hazard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.errors import UsageError
from data.records import DAY, MICROS
from data.simulate import hazard, profiles
from data.simulate.profiles import Profiles
from data.simulate.sessions import CONTACT, DEMO, FIRST_WEEKDAY, GUIDE, WEBINAR
from data.simulate.state import I64, State, fresh

START = 20_089 * DAY  # 2025-01-01T00:00Z, a Wednesday (sessions.FIRST_WEEKDAY)
FIRST_LOOK = 300 * MICROS  # from the form to the first look, boundary 0 of a lead's days
STRANGERS = 0.3  # visitors who never leave a name, per lead
NEVER_BORN = 10**9
LEAST_DAYS = 10

_BIRTH_WEEKDAY = np.array([1.0, 1.1, 1.1, 1.0, 0.8, 0.12, 0.12])  # Monday first
_AT_ONCE, _ANONYMOUS_DAYS = 0.4, 14.0  # share who leave their name on the first visit; mean days of the others
_FORMS = (GUIDE, WEBINAR, DEMO, CONTACT)
_FORM_SHARE = (0.45, 0.17, 0.22, 0.16)
_OFFICE = ((10.5, 1.4, 0.5), (14.5, 1.9, 0.42))  # hour, spread, share; the rest at any hour


@dataclass(frozen=True)
class Market:
    """What a market is made from: the same values, the same market.

    path_effect: prices seen after a case study count (`hazard.ORDERED`); False makes a market in which order is nothing.
    """

    leads: int
    days: int = 365
    seed: int = 0
    path_effect: bool = True

    def __post_init__(self) -> None:
        for name, least in (("leads", 1), ("days", LEAST_DAYS), ("seed", 0)):
            if getattr(self, name) < least:
                raise UsageError(
                    f"--{name}: expected at least {least}, got {getattr(self, name)}. Choose a larger number."
                )

    @property
    def end(self) -> int:
        """Nothing is recorded from this moment on, us."""
        return START + self.days * DAY

    def streams(self) -> list[np.random.Generator]:
        """Independent chances of people, days, and what is only drawn to be seen."""
        return [np.random.default_rng(s) for s in np.random.SeedSequence(self.seed).spawn(3)]


@dataclass(frozen=True)
class People:
    """Everybody; the leads come first, in the order of their creation.

    phase: us after midnight at which a person's days begin. start, birth: day numbers, see `state.State`.
    form_page: page of the form that makes the lead. Profiles are those of everybody; strangers never show theirs.
    """

    market: Market
    phase: I64
    start: I64
    birth: I64
    form_page: I64
    profiles: Profiles

    def __len__(self) -> int:
        return len(self.phase)

    def boundary(self, person: I64, day: I64 | int) -> I64:
        """When a day of a person begins, us."""
        return START + day * DAY + self.phase[person]

    @property
    def created_at(self) -> I64:
        """us, of the leads."""
        leads = np.arange(self.market.leads)
        return self.boundary(leads, self.birth[leads]) - FIRST_LOOK

    def state(self) -> State:
        """Everybody before the first visit."""
        p = self.profiles
        senior = np.isin(p.level, hazard.SENIOR_LEVELS)
        regulated = np.isin(p.industry, hazard.REGULATED)
        free = p.email_kind == "free"
        state = fresh(p.fit(), profiles.reach(p), senior, regulated, free, self.start, self.birth)
        state.swayed[:] = self.market.path_effect
        return state


def draw_people(market: Market, rng: np.random.Generator) -> People:
    """Draw everybody of a market."""
    leads, strangers = market.leads, int(market.leads * STRANGERS)
    n = leads + strangers
    phase = (clock(rng, n) * 3600 * MICROS).astype(np.int64)
    birth = _births(market, rng)
    order = np.lexsort((phase[:leads], birth))
    birth, phase[:leads] = birth[order], phase[:leads][order]
    wait = np.where(rng.random(leads) < _AT_ONCE, 0, 1 + rng.exponential(_ANONYMOUS_DAYS, leads).astype(np.int64))
    start = np.concatenate([np.maximum(birth - 1 - wait, 0), rng.integers(0, market.days, strangers)])
    form_page = rng.choice(_FORMS, n, p=_FORM_SHARE)
    everybody = profiles.draw(n, form_page, rng)
    birth = np.concatenate([birth, np.full(strangers, NEVER_BORN)])
    return People(market, phase, start, birth, form_page, everybody)


def _births(market: Market, rng: np.random.Generator) -> I64:
    """Days on which leads are first looked at: over the whole market, fewer at weekends."""
    days = np.arange(1, market.days)
    weight = _BIRTH_WEEKDAY[(days + FIRST_WEEKDAY) % 7]
    return rng.choice(days, market.leads, p=weight / weight.sum())


def clock(rng: np.random.Generator, n: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Hours of the day, UTC: mostly office hours."""
    u = rng.random(n)
    (early, early_spread, early_share), (late, late_spread, late_share) = _OFFICE
    z = rng.standard_normal(n)
    office = np.where(u < early_share, early + early_spread * z, late + late_spread * z)
    hours = np.where(u < early_share + late_share, np.clip(office, 6.0, 20.0), 24 * rng.random(n))
    return np.asarray(np.clip(hours, 0.2, 23.8))
