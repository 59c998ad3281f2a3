"""Columns that must not become features: they exist, or move, only because somebody worked the lead.

Names are compared without case, spaces, underscores and other punctuation: `Last Activity`, `last_activity` and
`LastActivity__c` are one name. A refused column may still be a comparator, which is judged beside ours.
"""

from __future__ import annotations

import re

WORKED = "written while salespeople work the lead"
CONVERSION = "filled only when the lead converts or is closed"
MOVES = "moves on after the first contact, most of all for leads that convert"
SCORED = "a score of another tool, which has seen what salespeople did; declare it as role comparator"
OURS = "Leadlift's own answer, written back"

_RULES: tuple[tuple[str, str], ...] = (
    (r"leadlift.*", OURS),
    (r"(is)?converted|convert(ed|sion).*", CONVERSION),
    (r"(is)?(won|closed)(date|at|reason|lost|won)?|(dealclosed|close|won|lost)date", CONVERSION),
    (r"(lost|closedlost|closedwon|disqualification|rejection)reason", CONVERSION),
    (r"numassociateddeals|recentdeal.*|closevalue|dealamount", CONVERSION),
    (r"(hs)?lifecyclestage.*", WORKED),
    (r"(hs)?(lead|deal|contact|opportunity)?(status|stage)", WORKED),
    (r"(lead)?(rating|tags?|quality)", WORKED),
    (r"leadprofile", WORKED),
    (r"last(notable)?activity(date|at|type)?|(notes)?last(contacted|modified|updated|touched)(date|at)?", MOVES),
    (r"hslastsalesactivity.*|hssalesemaillastreplied|numnotes|numcontactednotes", MOVES),
    (r"asymmetrique.*|hubspotscore|(lead|predictive)?score|hspredictive.*", SCORED),
)
_COMPILED = tuple((re.compile(pattern), reason) for pattern, reason in _RULES)


def plain_name(name: str) -> str:
    """The name as it is compared; a custom field's `__c` is no part of it."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"__c$", "", name.strip().lower()))


def leak_reason(name: str) -> str | None:
    """Why a column of this name is refused as a feature; None where it is not."""
    plain = plain_name(name)
    return next((reason for pattern, reason in _COMPILED if pattern.fullmatch(plain)), None)
