"""What a job title says, in English and German: how senior somebody is, and in which department.

Ordered patterns, first match wins; titles are compared without capitals.
"""

from __future__ import annotations

import re
from functools import lru_cache

from features.onehot import fold

DEFAULT_LEVEL = 2
OTHER = "other"

_LEVELS: tuple[tuple[int, str], ...] = (
    (1, r"\bintern\b|student|trainee|apprentice|junior|praktikant|azubi|auszubildende|\bassistant\b|assisten[tz]"),
    (5, r"vice.president|\b[se]?vp\b"),
    (6, r"\bc[efoitmrd]o\b|\bciso\b|\bchro\b|\bchief\b|founder|(?<!product )\bowner|president|managing director"),
    (6, r"gesch(ä|ae)ftsf(ü|ue)hr|vorst(a|ä|ae)nd|inhaber|gr(ü|ue)nder"),
    (5, r"director|direktor|prokurist|bereichsleit"),
    (3, r"(team|projekt|gruppen|schicht)[- ]?leit|\b(team|tech|project|shift)[- ]lead"),
    (4, r"\bhead\b|leiter|leitung|\blead\b"),
    (3, r"manager|senior|principal|supervisor"),
)
_DEPARTMENTS: tuple[tuple[str, str], ...] = (
    ("marketing", r"marketing|\bcmo\b|brand|growth|communication|kommunikation|demand gen|content|\bseo\b|\bpr\b"),
    ("sales", r"sales|vertrieb|verkauf|account (manager|executive)|business development|\bcro\b|revenue|aussendienst"),
    ("hr", r"\bhr\b|human resources|personal(?! assist)|\bpeople\b|recruit|talent|\bchro\b"),
    ("purchasing", r"purchas|procure|einkauf|einkäuf|beschaffung|supply|sourcing"),
    ("finance", r"financ|finanz|\bcfo\b|controll|account(ing|ant)|buchhalt|treasur|steuer"),
    ("operations", r"operations|\bcoo\b|production|produktion|logisti|fertigung|quality|qualit(ä|ae)t|betriebsleit"),
    ("it", r"\bit\b|\bc[it]o\b|\bciso\b|informati|software|develop|entwickl|engineer|ingenieur|\bdata\b|daten"),
    ("it", r"system|security"),
    ("product", r"product|produkt"),
    ("management", r"\bceo\b|\bchief\b|founder|\bowner|president|managing director|gesch(ä|ae)ftsf(ü|ue)hr"),
    ("management", r"vorst(a|ä|ae)nd|inhaber|gr(ü|ue)nder"),
)  # fmt: skip
DEPARTMENTS = (*dict.fromkeys(name for name, _ in _DEPARTMENTS), OTHER)

REMEMBERED = 8_192  # titles: most leads have one of few, and a service must not grow for long

_LEVEL_PATTERNS = tuple((level, re.compile(pattern)) for level, pattern in _LEVELS)
_DEPARTMENT_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern in _DEPARTMENTS)


@lru_cache(maxsize=REMEMBERED)
def seniority(title: str) -> int:
    """Level of a title: 1 in training or assisting, 2 specialist (no other word found), 3 manager or team lead,
    4 head of a department, 5 director or vice president, 6 owner or board.

    >>> seniority("Geschäftsführerin"), seniority("Head of Sales"), seniority("Buyer")
    (6, 4, 2)
    """
    words = fold(title)
    return next((level for level, pattern in _LEVEL_PATTERNS if pattern.search(words)), DEFAULT_LEVEL)


@lru_cache(maxsize=REMEMBERED)
def department(title: str) -> str:
    """Department of a title, one of DEPARTMENTS.

    >>> department("Leiter Vertrieb"), department("CEO"), department("Teacher")
    ('sales', 'management', 'other')
    """
    words = fold(title)
    return next((name for name, pattern in _DEPARTMENT_PATTERNS if pattern.search(words)), OTHER)
