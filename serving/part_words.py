"""The names of a family's parts, English and German, where they are codes of ours. What a market named stays as it is.

A market's own words are its texts (industries, campaigns) and topics. Its contents are called by the titles of its
content map; its content types are translated where they are those of the packaged one.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.content import ContentMap
from features.onehot import OTHER

Words = Mapping[str, tuple[str, str]]

_CHANNELS: Words = {
    "direct": ("direct", "Direktaufruf"),
    "paid": ("paid", "bezahlte Werbung"),
    "cross_network": ("cross-network", "netzwerkübergreifende Werbung"),
    "paid_shopping": ("paid shopping", "bezahlte Produktsuche"),
    "paid_search": ("paid search", "bezahlte Suche"),
    "paid_social": ("paid social", "bezahlte soziale Medien"),
    "paid_video": ("paid video", "bezahlte Filme"),
    "display": ("display", "Bannerwerbung"),
    "paid_other": ("other paid", "sonstige bezahlte Werbung"),
    "ai_assistant": ("AI assistant", "KI-Assistent"),
    "organic_shopping": ("organic shopping", "unbezahlte Produktsuche"),
    "organic_social": ("organic social", "soziale Medien"),
    "organic_video": ("organic video", "unbezahlte Filme"),
    "organic_search": ("organic search", "unbezahlte Suche"),
    "referral": ("referral", "Verweis"),
    "email": ("e-mail", "E-Mail"),
    "affiliates": ("affiliates", "Vertriebspartner"),
    "audio": ("audio", "Hörwerbung"),
    "sms": ("text message", "SMS"),
    "mobile_push": ("mobile push", "Push-Nachricht"),
    "unassigned": ("unassigned", "nicht zugeordnet"),
}
_STAGES: Words = {
    "awareness": ("awareness", "Aufmerksamkeit"),
    "consideration": ("consideration", "Abwägung"),
    "decision": ("decision", "Entscheidung"),
}
_TYPES: Words = {
    "blog": ("blog", "Blog"),
    "product": ("product", "Produkt"),
    "pricing": ("pricing", "Preise"),
    "guide": ("guide", "Ratgeber"),
    "case": ("case", "Kundenbericht"),
    "docs": ("docs", "Dokumentation"),
    "webinar": ("webinar", "Webinar"),
    "demo": ("demo", "Demo"),
    "contact": ("contact", "Kontakt"),
    "careers": ("careers", "Karriere"),
    "home": ("home", "Startseite"),
    "thanks": ("thanks", "Danke"),
}
_EMAIL_KINDS: Words = {
    "business": ("business", "geschäftlich"),
    "free": ("free", "Freemail"),
    "disposable": ("disposable", "Wegwerfadresse"),
    "role": ("role", "Funktionsadresse"),
}
_DEPARTMENTS: Words = {
    "marketing": ("marketing", "Marketing"),
    "sales": ("sales", "Vertrieb"),
    "hr": ("HR", "Personal"),
    "purchasing": ("purchasing", "Einkauf"),
    "finance": ("finance", "Finanzen"),
    "operations": ("operations", "Betrieb"),
    "it": ("IT", "IT"),
    "product": ("product", "Produkt"),
    "management": ("management", "Geschäftsführung"),
}
_BASES: Words = {
    "measured": ("measured", "gemessen"),
    "timespent": ("told by the tracker", "vom Tracker gemeldet"),
    "gap": ("up to the next page", "bis zur nächsten Seite"),
}
_OTHER: Words = {OTHER: ("other", "andere")}
OF_CONTENT = ("last_content", "path_first_3", "path_last_3", "dwell_content")  # their parts are ids of contents
_STEPS = ("path_2gram", "path_order")  # their parts are steps a>b
WORDS: Mapping[str, Words] = {
    **dict.fromkeys(("first_channel", "last_channel", "last_source_channel", "channel_sessions"), _CHANNELS),
    **dict.fromkeys(("dwell_stage", "dwell_stage_decayed", "stage_views"), _STAGES),
    **dict.fromkeys(("dwell_type", "type_views", "entry_type", "last_type", *_STEPS), _TYPES),
    "email_kind": _EMAIL_KINDS,
    "title_department": _DEPARTMENTS,
    "dwell_basis": _BASES,
}


def part_text(family: str, part: str, lang: str) -> str:
    """The name of a part of a family; of a step both sides."""
    words = WORDS.get(family, {})
    sides = part.split(">") if family in _STEPS else [part]
    found = [words.get(side) or _OTHER.get(side) or (side, side) for side in sides]
    return " > ".join(pair[lang == "de"] for pair in found)


def content_text(contents: ContentMap, content_id: str, lang: str) -> str:
    """A content's title, with its topic where several contents share the title; the id where the map has no title."""
    found = contents.by_id(content_id)
    title = found.title_de if lang == "de" else found.title_en
    if title is None or any(rule.entry["id"] == content_id for rule in contents.rules):
        return title or content_id
    return f"{title} ({found.topic or content_id})"
