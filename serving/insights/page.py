"""HTML from views: Jinja2 with everything escaped. The report is the same views in one file that needs nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.metadata import files
from importlib.resources import files as resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from serving.insights.blocks import View
from serving.insights.choice import DIRECTIONS, Choice
from serving.insights.edition import Edition
from serving.insights.tables import Column, Row, Table, told
from serving.insights.words import ATTRIBUTE, BY, LEADS_TO, VIEWS, Words, content_word, word

ROWS = 25  # of a table that is shown; the CSV has all
PLOTLY = "plotly.min.js"
STATIC = {"page.css": "text/css", "page.js": "text/javascript", PLOTLY: "text/javascript"}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("serving.insights"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    found.globals |= {"word": word, "address": address, "most": ROWS, "spread": spread}
    found.filters["json"] = _json
    return found


@cache
def asset(name: str) -> bytes:
    """A file that pages refer to; Plotly's is the one of its wheel."""
    if name != PLOTLY:
        return resources("serving.insights").joinpath("static", name).read_bytes()
    found = next(f for f in files("plotly") or [] if f.name == PLOTLY)
    return bytes(found.locate().read_bytes())  # type: ignore[attr-defined]


@cache
def address(name: str) -> str:
    """Where a static file is; another content has another address, so browsers may keep it."""
    return f"/insights/static/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"


def view_page(edition: Edition, view: View, choice: Choice, signed_in: bool, leads: bool) -> str:
    """One view. leads: whether the reader may have the leads on a path."""
    return _render(
        "view.html", edition, choice, view=view, views=_named(VIEWS, choice), signed_in=signed_in, leads=leads,
        tables_at=f"/insights/csv/{view.name}/", printed=False, choices=_choices(edition, choice),
    )  # fmt: skip


def message_page(key: str, lang: str) -> str:
    """A page that only says something."""
    return _environment().get_template("message.html").render(text=word(key, lang), choice=Choice(lang=lang))


def sign_in_page(there: str, lang: str, wrong: bool) -> str:
    """there: where to go on after it."""
    return _environment().get_template("sign_in.html").render(there=there, choice=Choice(lang=lang), wrong=wrong)


def report_page(edition: Edition, views: Sequence[View], choice: Choice) -> str:
    """All views in one file: scripts and styles are in it, and nothing is fetched."""
    code = {n: Markup(_inline(asset(n).decode("utf-8"))) for n in STATIC}
    return _render("report.html", edition, choice, shown=views, code=code, names=VIEWS, printed=True)


def _render(template: str, edition: Edition, choice: Choice, **more: Any) -> str:
    part = edition.parts[choice.target]
    about = edition.about
    return (
        _environment()
        .get_template(template)
        .render(
            choice=choice, lang=choice.lang, de=choice.lang == "de", about=about, part=part, chosen=_chosen(choice), **more,
            through=word("through", choice.lang, data=about["data_through"], matured=part.about["matured_through"]),
            how=word("how", choice.lang, landmark=_landmark(about["landmark_text"], choice.lang), days=about["horizon_days"]),
        )
    )  # fmt: skip


def _landmark(text: str, lang: str) -> str:
    if lang != "de":
        return text
    return text.replace("the first visit", "zum ersten Besuch").replace("day", "Tag").replace("step", "Schritt")


def _chosen(choice: Choice) -> str:
    """What is looked at, in words: paper and reports have no form that says it."""
    lang, (attribute, _, value) = choice.lang, choice.segment.partition(":")
    de = lang == "de"
    chosen = [
        ("target", LEADS_TO[choice.target][de]), ("from", choice.start), ("to", choice.end),
        ("channel", choice.channel and told(choice.channel.replace("_", " "), "word", lang)),
        ("segment", value and f"{ATTRIBUTE[attribute][de]} {told(value, 'text', lang)}"), ("by", BY[choice.by][de]),
    ]  # fmt: skip
    return " · ".join(f"{word(key, lang)}: {text}" for key, text in chosen if text)


def _named(names: dict[str, Words], choice: Choice) -> dict[str, str]:
    return {key: words[choice.lang == "de"] for key, words in names.items()}


def _choices(edition: Edition, choice: Choice) -> dict[str, Any]:
    """What can be chosen: pairs of value and text."""
    part = edition.parts[choice.target]
    named = _named(LEADS_TO, choice)
    used = sorted(set(part.people.column("channel").tolist()))
    channels = part.about["values"]["channel"]
    segments = {
        _named(ATTRIBUTE, choice)[a]: [(f"{a}:{v}", told(v, "text", choice.lang)) for v in part.about["values"][a]]
        for a in ATTRIBUTE if len(part.about["values"][a]) > 2
    }  # fmt: skip
    return {
        "target": [(t, named[t]) for t in edition.parts],
        "months": part.months,
        "channel": [(channels[i], told(channels[i].replace("_", " "), "word", choice.lang)) for i in used],
        "segment": segments,
        "by": list(_named(BY, choice).items()),
        "direction": [(d, word(d, choice.lang)) for d in DIRECTIONS],
        "page": [(n, content_word(n, choice.by, choice.lang)) for n in part.about["names"][choice.by]],
    }


# -- in templates ----------------------------------------------------------------------------------------------------
def spread(table: Table, column: Column, row: Row) -> tuple[float, float, float, float] | None:
    """Where the interval of a cell begins, its value, its end, and what is no difference (1 for ratios, 0 where values may
    be below it) lie, in per cent of the drawing; the last is -1 where there is no such. None where it is not known."""
    values = [row.get(k) for k in (column.low, column.key, column.high)]
    if any(v is None for v in values):
        return None
    first, last = _ends(table, column)
    low, value, high = (_place(float(v or 0), first, last) for v in values)
    none = 1.0 if column.kind == "ratio" else 0.0 if first < 0 else None
    return low, value, high, -1.0 if none is None else _place(none, first, last)


def _place(value: float, first: float, last: float) -> float:
    return min(max((value - first) / (last - first), 0.0), 1.0) * 100


def _ends(table: Table, column: Column) -> tuple[float, float]:
    """What the drawing begins and ends with: all values shown are in it, long intervals are cut. Where some are below 0,
    it reaches as far to both sides as the longest."""
    shown = [
        [float(r[k]) for k in (column.low, column.key, column.high) if r.get(k) is not None] for r in table.rows[:ROWS]
    ]
    if any(value < 0 for values in shown for value in values):
        furthest = max(abs(value) for values in shown for value in values)
        return -furthest, furthest
    most = max(float(r[column.key]) for r in table.rows[:ROWS] if r.get(column.key) is not None)
    return 0.0, max(1.3 * most, 1.25 if column.kind == "ratio" else 0.0, 1e-9)


def _json(value: Any) -> Markup:
    """JSON that no HTML parser takes for markup."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Markup(text.translate({ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}))


def _inline(code: str) -> str:
    """A script or a style as part of a page: nothing in it may end it."""
    return re.sub(r"</(?=script|style)", r"<\\/", code, flags=re.IGNORECASE).replace("<!--", r"<\!--")
