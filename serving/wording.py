"""Numbers and warnings in words, English and German."""

from __future__ import annotations

SHARES = ("share", "rate")

_WARNINGS = {
    "no_model": ("No model is promoted; points only", "Kein Modell freigegeben; nur Punkte"),
    "model_broken": ("The model cannot be used; points only", "Das Modell ist nicht verwendbar; nur Punkte"),
    "rules_unapproved": (
        "The latest points file is not approved; an approved one is used",
        "Die neueste Punktedatei ist nicht freigegeben; eine freigegebene wird verwendet",
    ),
    "rules_broken": (
        "The latest points file cannot be read; another one is used",
        "Die neueste Punktedatei ist nicht lesbar; eine andere wird verwendet",
    ),
    "rules_packaged": ("The packaged points file is used", "Die mitgelieferte Punktedatei wird verwendet"),
    "store_unavailable": (
        "The store could not be read; only what the request brings was used",
        "Der Speicher war nicht lesbar; nur die Angaben der Anfrage wurden verwendet",
    ),
    "no_market": ("No market is chosen", "Kein Markt gewählt"),
    "events_not_before_as_of": (
        "Events at or after as_of were not used",
        "Ereignisse ab dem Stichzeitpunkt wurden nicht verwendet",
    ),
    "unknown_field": ("A field is not known and was left out", "Ein Feld ist nicht bekannt und wurde ausgelassen"),
    "contact_not_confirmed": (
        "Consent to be contacted is not confirmed (double opt-in)",
        "Die Einwilligung zur Kontaktaufnahme ist nicht bestätigt (Double-Opt-in)",
    ),
}


NEAREST = ("; the nearest known field is {}", "; das nächste bekannte Feld ist {}")


def warning(code: str, lang: str) -> dict[str, str]:
    """One entry of `warnings[]`; a code may name a known field after a colon."""
    kind, _, field = code.partition(":")
    nearest = NEAREST[lang == "de"].format(field) if field else ""
    return {"code": kind, "text": _WARNINGS[kind][lang == "de"] + nearest}


def value_text(value: float, unit: str, lang: str) -> str:
    """A feature's value for reading: shares in per cent, seconds as a duration, flags as yes or no."""
    if unit in SHARES:
        return f"{value * 100:.0f} %"
    if unit == "flag":
        return (("nein", "ja") if lang == "de" else ("no", "yes"))[value != 0]
    return _duration(value, lang) if unit == "s" else number_text(value, lang)


def _duration(seconds: float, lang: str) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{number_text(seconds, lang)} s" if whole < 10 else f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{number_text(hours, lang)} h {minutes} min"
    return f"{minutes} min {whole % 60} s"


def number_text(value: float, lang: str) -> str:
    """`1,234` or `1.234`; below 100 one digit after the point. Rounded for reading, not for computing."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}".removesuffix(".0")
    text = "0" if text == "-0" else text
    return text.translate(str.maketrans(",.", ".,")) if lang == "de" else text
