"""What came before: families over earlier deals and losses of the person, and over other people of its account."""

from __future__ import annotations

from features.family import F64, Family, Fitted, Moment


def won_before(m: Moment, _: Fitted) -> F64:
    """Deals won with this person before, under this or another record of its address, that still stand."""
    return m.past.won


def lost_before(m: Moment, _: Fitted) -> F64:
    """Times this person was lost before, under this or another record of its address."""
    return m.past.lost


def account_people(m: Moment, _: Fitted) -> F64:
    """Other people of the account."""
    return m.past.people


def account_active_28d(m: Moment, _: Fitted) -> F64:
    """Other people of the account of whom something became known in the last 28 days."""
    return m.past.active


def account_departments(m: Moment, _: Fitted) -> F64:
    """Different departments among other people of the account."""
    return m.past.departments


def account_first_contact_days(m: Moment, _: Fitted) -> F64:
    """Days since the first of the other people of the account was known there."""
    return m.past.first_contact_days


def account_won(m: Moment, _: Fitted) -> F64:
    """Deals won with other people of the account that still stand."""
    return m.past.deals


_ZERO = "never null; 0 for none known"
NEW = ("Nothing known from before", "Von früher nichts bekannt")
ALONE = ("Nobody else of the account known", "Sonst niemand vom Kundenkonto bekannt")

FAMILIES: tuple[Family, ...] = (
    Family("won_before", "profile", "deals", "", _ZERO,
           "{value} deals won before", "{value} Abschlüsse zuvor", *NEW, won_before),
    Family("lost_before", "profile", "losses", "", _ZERO,
           "Lost {value} times before", "Zuvor {value}-mal verloren", *NEW, lost_before),
    Family("account_people", "profile", "people", "", _ZERO,
           "{value} other people of the account known", "{value} weitere Personen vom Kundenkonto bekannt", *ALONE,
           account_people),
    Family("account_active_28d", "profile", "people", "28 days", _ZERO,
           "{value} other people of the account active in 28 days",
           "{value} weitere Personen vom Kundenkonto in 28 Tagen aktiv", *ALONE, account_active_28d),
    Family("account_departments", "profile", "departments", "", _ZERO,
           "{value} departments among other people of the account",
           "{value} Abteilungen unter weiteren Personen vom Kundenkonto", *ALONE, account_departments),
    Family("account_first_contact_days", "profile", "days", "", "nobody else of the account",
           "First contact with the account {value} days ago", "Erster Kontakt mit dem Kundenkonto vor {value} Tagen",
           *ALONE, account_first_contact_days),
    Family("account_won", "profile", "deals", "", _ZERO,
           "{value} deals won with others of the account", "{value} Abschlüsse mit anderen vom Kundenkonto", *ALONE,
           account_won),
)  # fmt: skip
