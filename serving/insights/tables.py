"""Tables as people read them: on the page, as sentences, and as CSV. Prepared ones are kept as JSON in the same form.

A further table for the page is one `Table`: the view it belongs to, its columns, its rows, a sentence, a note.
Texts for people are pairs (English, German).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from data.files import safe_cell
from features.channels import CHANNELS
from serving.part_words import part_text
from serving.wording import number_text
from training.prepared_names import LEAST

Words = tuple[str, str]
Row = Mapping[str, Any]
LANGS = ("en", "de")
UNKNOWN = "–"


@dataclass(frozen=True)
class Column:
    """One column of rows[key]; null = not known. kind: text, count, number, share, points (differences of shares), ratio, days, seconds, money (units of
    the currency), flag, sign (1 higher, -1 lower, 0 not sure), or
    word: one of a few texts, see GERMAN; pair: [English, German]. low, high: keys of its 95 % interval. about: what it means, for people."""

    key: str
    title: Words
    kind: str = "text"
    low: str = ""
    high: str = ""
    about: Words = ("", "")

    def text(self, row: Row, lang: str) -> str:
        return told(row.get(self.key), self.kind, lang)

    def interval(self, row: Row, lang: str) -> str:
        """`11.7 % to 18.6 %`; empty where there is none."""
        bounds = [told(row.get(key), self.kind, lang) for key in (self.low, self.high) if key]
        return "" if not bounds or UNKNOWN in bounds else (" bis " if lang == "de" else " to ").join(bounds)


@dataclass(frozen=True)
class Table:
    """One table. id: of the page and of its CSV; view: where it is shown; target: null = of all targets. sentence: a row in
    words, with {key} for the text of a column and {key_range} for that of its interval. whole: told of everybody,
    whatever is chosen on the page."""

    id: str
    view: str
    title: Words
    columns: Sequence[Column]
    rows: Sequence[Row]
    sentence: Words = ("", "")
    note: Words = ("", "")
    target: str | None = None
    whole: bool = False

    def sentences(self, lang: str, most: int = 50) -> list[str]:
        """The first rows in words; none where the table has no sentence."""
        form = self.sentence[lang == "de"]
        return [form.format_map(self._words(row, lang)) for row in self.rows[:most]] if form else []

    def _words(self, row: Row, lang: str) -> dict[str, str]:
        texts = {c.key: c.text(row, lang) for c in self.columns}
        return texts | {f"{c.key}_range": c.interval(row, lang) or UNKNOWN for c in self.columns}

    def csv(self, lang: str) -> bytes:
        """All rows for a spreadsheet: numbers unrounded, words as on the page; with a mark for its encoding, and nothing it
        would run as a formula. A German one parts cells by semicolons and writes decimal commas: it takes 12.5 for a date."""
        out = io.StringIO()
        lines = csv.writer(out, delimiter=";" if lang == "de" else ",", lineterminator="\r\n")
        fields = [(c, key) for c in self.columns for key in (c.key, c.low, c.high) if key]
        titles = _distinct([c.title[lang == "de"] for c in self.columns])
        named = dict(zip((c.key for c in self.columns), titles, strict=True))
        lines.writerow([safe_cell(_head(named[c.key], c, key, lang)) for c, key in fields])
        lines.writerows([_cell(row.get(key), c.kind, lang) for c, key in fields] for row in self.rows)
        return out.getvalue().encode("utf-8-sig")

    def document(self) -> dict[str, Any]:
        return asdict(self)


def table_of(document: Mapping[str, Any]) -> Table:
    """A table from its document, as JSON gives it back."""
    pairs = ("title", "sentence", "note")
    columns = [Column(**{**c, "title": tuple(c["title"]), "about": tuple(c["about"])}) for c in document["columns"]]
    return Table(**{**document, **{name: tuple(document[name]) for name in pairs}, "columns": columns})


def told_of(n: float | None, row: Row, *names: str) -> dict[str, Any]:
    """The row, of which these columns tell of n people: not known where they are fewer than LEAST."""
    return {**row} if n is not None and n >= LEAST else {**row, **dict.fromkeys(names)}


def sign(claimed: bool, low: float | None, high: float | None) -> int:
    """What is said of an interval around 1, where it is claimed."""
    return 0 if not claimed or low is None else 1 if low > 1 else -1 if high is not None and high < 1 else 0


def _distinct(titles: Sequence[str]) -> list[str]:
    """Titles of a CSV: one that occurs again is told apart by the column before it, as a reader of the page does."""
    return [f"{titles[i - 1]}: {t}" if i and titles.count(t) > 1 else t for i, t in enumerate(titles)]


def _head(title: str, column: Column, key: str, lang: str) -> str:
    """The title of a column of a CSV, with its unit, or which end of the interval it is."""
    end = {column.low: ("low", "unten"), column.high: ("high", "oben")}.get(key) or _UNITS.get(column.kind)
    return title + (f" ({end[lang == 'de']})" if end else "")


def _cell(value: Any, kind: str, lang: str) -> Any:
    if value is None:
        return None
    if kind in _WORDED:
        return safe_cell(told(value, kind, lang))
    value = 100 * value if kind == "points" else value
    return str(value).replace(".", ",") if lang == "de" else value


# -- values in words -------------------------------------------------------------------------------------------------
def told(value: Any, kind: str, lang: str) -> str:
    """A value as people read it."""
    if value is None or value != value:
        return UNKNOWN
    if kind == "pair":
        return str(value[lang == "de"])
    if kind in ("text", "word"):
        english, german = (ENGLISH, GERMAN) if kind == "word" else ({}, OURS)
        return (german if lang == "de" else english).get(str(value), str(value))
    if kind == "sign":
        return _SIGNS[int(value)][lang == "de"]
    if kind == "flag":
        return (("no", "yes"), ("nein", "ja"))[lang == "de"][bool(value)]
    return _TELL[kind](float(value), lang)


def _fixed(value: float, digits: int, lang: str) -> str:
    text = f"{value:,.{digits}f}"
    return text.translate(str.maketrans(",.", ".,")) if lang == "de" else text


def _share(value: float, lang: str) -> str:
    return _fixed(100 * value, 0 if abs(value) >= 0.995 else 1, lang) + "\u00a0%"


def _seconds(value: float, lang: str) -> str:
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes}\u00a0min {seconds:02d}\u00a0s" if minutes else f"{seconds}\u00a0s"


OURS = {
    "(no campaign)": "(keine Kampagne)",
    "(no visit)": "(kein Besuch)",
    "(no page view)": "(kein Seitenaufruf)",
    "(other)": "(übrige)",
    "(unknown)": "(unbekannt)",
    "(all)": "(alle)",
    "(fewer than 5 each)": "(je weniger als 5)",
    "(not shown)": "(nicht gezeigt)",
}  # what is said where there is no name; nobody calls a campaign so
ENGLISH = {"mql": "MQL", "ai assistant": "AI assistant"}  # names that small letters would misspell
GERMAN = {
    "turns buyers away": "vertreibt Käufer", "earns its form": "verdient sein Formular",
    "cannot be told yet": "noch nicht zu sagen", "not seen": "nicht gesehen", "time not known": "Zeit nicht bekannt",
    "under 30 s": "unter 30 s", "30 s to 2 min": "30 s bis 2 min", "2 to 10 min": "2 bis 10 min",
    "10 min or more": "10 min oder mehr", "planned": "geplant", "read": "gelesen", "too early": "zu früh", "none": "keine", "6 or more": "6 oder mehr",
    "ask": "fragen", "ask later": "später fragen", "do not ask": "nicht fragen", "lead": "Lead", "mql": "MQL", "sales ready": "vertriebsreif", "accepted": "vom Vertrieb angenommen", "broken": "kaputt",
    "page_view": "Seitenaufruf", "engagement": "Verweilen", "form": "Formular", "download": "Download", "video": "Film",
    "call": "Anruf", "meeting": "Termin", "fair": "Messe", "goal": "Ziel", "custom": "Sonstiges",
    **OURS, **{c.replace("_", " "): part_text("first_channel", c, "de") for c in CHANNELS},
}  # fmt: skip
_WORDED = ("text", "word", "pair", "flag", "sign")
_UNITS = {"seconds": ("seconds", "Sekunden"), "days": ("days", "Tage")}
_SIGNS = {1: ("higher", "höher"), -1: ("lower", "niedriger"), 0: ("not sure", "ungewiss")}
_TELL = {
    "count": lambda v, lang: _fixed(v, 0, lang),
    "number": number_text,
    "share": _share,
    "points": lambda v, lang: _fixed(100 * v, 1, lang),
    "ratio": lambda v, lang: _fixed(v, 2, lang),
    "days": lambda v, lang: f"{_fixed(v, 0, lang)}\u00a0{('days', 'Tage')[lang == 'de']}",
    "seconds": _seconds,
    "money": lambda v, lang: _fixed(v, 0, lang),
}
