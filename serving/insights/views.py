"""The views of the page: numbers, tables and figures of the people that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from serving.insights.band_tables import followed_bands
from serving.insights.blocks import Block, FigureBlock, Note, Sentences, TableBlock, Tile, Tiles, View
from serving.insights.choice import Choice
from serving.insights.chosen_numbers import shared_numbers, source_tables
from serving.insights.edition import Edition, Part, People
from serving.insights.flow import flow_blocks
from serving.insights.rows import month_rows, numbers, path_rows, source_rows
from serving.insights.scores import score_blocks
from serving.insights.tables import Column, Row, Table, told
from serving.insights.words import LEADS_TO, VIEWS, content_word, word
from training import path_figures
from training.intervals import wilson
from training.prepared_names import LEAST

REMEMBERED = 64  # views that are kept: most look at what others looked at
SHOWN = 15  # paths in a figure
FOLDED = (
    "activation_sources",
    "attribution",
    "definitions",
    "drops",
    "whole_touches",
    "whole_sources",
)  # tables for who asks for them
HEAT = 20  # people in a cell of a channel and a path: rates of fewer look like news and are none
PATH = ("Path", "Pfad")


@lru_cache(maxsize=REMEMBERED)
def view_of(edition: Edition, name: str, choice: Choice) -> View:
    """One view. The target of the choice is one of the edition's."""
    part = edition.parts[choice.target]
    people = part.chosen(choice, part.people)
    if len(people) < LEAST:
        told = [TableBlock(t) for t in _followed(edition, name, choice) if t.rows]  # of who has not matured yet, too
        return View(name, [Note(word("nothing", choice.lang)), *told])
    return _VIEWS[name](edition, part, people, choice)


# -- groups ----------------------------------------------------------------------------------------------------------
_FIGURES = (
    Column("people", ("People", "Menschen"), "count"),
    Column("conversions", ("Converted", "Konvertiert"), "count"),
    Column("rate", ("Rate", "Quote"), "share", "low", "high"),
    Column("lift", ("Lift", "Lift"), "ratio", "lift_low", "lift_high", (
        "Rate over that of all people chosen.", "Quote im Verhältnis zu der aller gewählten Menschen.")),
    Column("stands", ("Beyond chance", "Jenseits des Zufalls"), "sign", about=(
        "At a false-discovery rate of 5 % over all rows.", "Bei einer Falschentdeckungsrate von 5 % über alle Zeilen.")),
)  # fmt: skip
_MORE = (
    Column("dwell_seconds", ("Time on pages", "Verweildauer"), "seconds"),
    Column("days_to_convert", ("Time to convert", "Bis zum Abschluss"), "days"),
    Column("probability", ("Model says", "Modell sagt"), "share"),
    Column("points", ("Points", "Punkte"), "number"),
)
_CANCELLED = Column(
    "cancelled_share", ("Cancelled", "Storniert"), "share", "cancelled_low", "cancelled_high",
    ("Of all who converted.", "Von allen, die konvertierten."),
)  # fmt: skip
_BEFORE = Column("rate_before", ("Rate before", "Quote davor"), "share", about=(
    "In the period just before, as long as this one.", "Im Zeitraum davor, gleich lang."))  # fmt: skip
_SENTENCE = (
    "Of {people} people with {what}, {conversions} converted: {rate} ({rate_range}), {lift} times the average "
    "({lift_range}).",
    "Von {people} Menschen mit {what} konvertierten {conversions}: {rate} ({rate_range}), das {lift}-Fache des "
    "Durchschnitts ({lift_range}).",
)


def _path_text(part: Part, code: int, choice: Choice) -> str:
    """A path as people read it."""
    return " > ".join(content_word(n, choice.by, choice.lang) for n in part.about["paths"][choice.by][code])


def _with_before(rows: list[Row], before: Sequence[Row] | None) -> list[Row]:
    if before is None:
        return rows
    known = {r["code"]: r["rate"] for r in before}
    return [{**r, "rate_before": known.get(r["code"])} for r in rows]


def _paths_table(edition: Edition, part: Part, people: People, choice: Choice) -> Table:
    support = edition.about["support"] if not choice.filtered else min(edition.about["support"], 10)
    before = part.before(choice)
    rows = _with_before(
        path_rows(part, people, choice.by, support),
        None if before is None else path_rows(part, before, choice.by, LEAST),
    )
    columns = (Column("path", PATH), *_FIGURES, *((_BEFORE,) if before is not None else ()),
               *((_CANCELLED,) if choice.target == "won" else ()), *_MORE)  # fmt: skip
    sentence = tuple(
        s.replace("{what}", w) for s, w in zip(_SENTENCE, ("the path {path}", "dem Pfad {path}"), strict=True)
    )
    rest = len(people) - sum(r["people"] for r in rows)
    rows = [{**r, "path": _path_text(part, r["code"], choice)} for r in rows]
    shown = ("fewer than 5", "weniger als 5") if 0 < rest < LEAST else (f"{rest:,}", f"{rest:,}".replace(",", "."))
    note = (f"{shown[0]} people are on rarer paths (fewer than {support}).",
            f"{shown[1]} Menschen sind auf selteneren Pfaden (weniger als {support}).")  # fmt: skip
    return Table("paths", "paths", ("Content paths", "Inhaltspfade"), columns, rows, sentence, note)  # type: ignore[arg-type]


def _sources_table(part: Part, people: People, choice: Choice) -> Table:
    before = part.before(choice)
    rows = _with_before(source_rows(part, people), None if before is None else source_rows(part, before))
    columns = (Column("channel", ("First channel", "Erster Kanal"), "word"), *_FIGURES,
               *((_BEFORE,) if before is not None else ()), *((_CANCELLED,) if choice.target == "won" else ()),
               *_MORE)  # fmt: skip
    words = ("the first channel {channel}", "dem ersten Kanal {channel}")
    sentence = tuple(s.replace("{what}", w) for s, w in zip(_SENTENCE, words, strict=True))
    return Table("sources", "sources", ("By first channel", "Nach erstem Kanal"), columns, rows, sentence)  # type: ignore[arg-type]


def _channels_figure(rows: Sequence[Row], lang: str) -> path_figures.Figure:
    """Rates by channel, channels as people call them."""
    said = [{**r, "channel": told(r["channel"], "word", lang)} for r in rows]
    return path_figures.intervals_figure(said, "channel", "rate", "low", "high", word("rate", lang), "%")


def _prepared(edition: Edition, name: str, choice: Choice) -> list[Block]:
    """The prepared tables of a view, of the chosen target or of all; what follows the choice is counted of it."""
    tables = [t for t in edition.tables if t.view == name and t.target in (None, choice.target)]
    if choice.filtered:
        again = {t.id: t for t in _followed(edition, name, choice)}
        tables = [again.get(t.id, t) for t in tables]
    note = word("whole", choice.lang) if choice.filtered else ""
    return [TableBlock(t, note if t.whole else "", t.id in FOLDED) for t in tables]


def _followed(edition: Edition, name: str, choice: Choice) -> list[Table]:
    """What was prepared of everybody, of this choice: the tables that can be told of it."""
    part = edition.parts[choice.target]
    if name == "overview":
        return [shared_numbers(edition, part, choice)]
    if name == "sources":
        return [] if choice.segment else source_tables(edition, part, choice)
    return followed_bands(part, name, choice)


# -- views -----------------------------------------------------------------------------------------------------------
def _overview(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    lang = choice.lang
    paths = _paths_table(edition, part, people, choice)
    best = [r for r in paths.rows if r["stands"] > 0][:5]
    said = replace(paths, rows=best).sentences(lang) or [word("none_stands_out", lang)]
    sources = _sources_table(part, people, choice)
    figure = _channels_figure(sources.rows, lang)
    return View("overview", [
        _tiles(part, people, choice),
        FigureBlock(
            "months", word("by_month", lang), path_figures.months_figure(
                month_rows(part, people), word("people", lang), word("rate", lang)), word("by_month_alt", lang)),
        Sentences(word("best", lang), said),
        FigureBlock("sources", word("rates", lang), figure, word("sources_alt", lang)),
        *_prepared(edition, "overview", choice),
    ])  # fmt: skip


def _tiles(part: Part, people: People, choice: Choice) -> Tiles:
    lang, before = choice.lang, part.before(choice)
    now, then = numbers(part, people), numbers(part, before) if before is not None and len(before) >= LEAST else {}
    range_ = Column("rate", ("", ""), "share", "low", "high").interval(now, lang)
    shown = [("people", "count"), ("conversions", "count"), ("rate", "share"), ("days", "days")]
    shown += [("cancelled", "share")] if choice.target == "won" else []
    return Tiles([
        Tile(
            LEADS_TO[choice.target][lang == "de"].capitalize() if key == "conversions" and lang == "en" else word(key, lang),
            told(now[key], kind, lang), range_ if key == "rate" else "",
            word("before", lang, value=told(then[key], kind, lang)) if then else "",
        ) for key, kind in shown
    ])  # fmt: skip


def _paths(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    lang = choice.lang
    table = _paths_table(edition, part, people, choice)
    figure = path_figures.paths_figure(table.rows[:SHOWN], word("lift_axis", lang))
    first = [FigureBlock("lifts", word("lifts", lang), figure, word("paths_alt", lang))] if table.rows else []
    blocks: list[Block] = [*first, TableBlock(table), *flow_blocks(part, people, choice)]
    audience = [(" > ".join(part.about["paths"][choice.by][r["code"]]), r["path"]) for r in table.rows]
    return View("paths", [*blocks, *_prepared(edition, "paths", choice)], audience if choice.target != "lead" else ())


def _content(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    lang, tables = choice.lang, _prepared(edition, "content", choice)
    effects = next((b.table for b in tables if isinstance(b, TableBlock) and b.table.id == "effects"), None)
    known = [r for r in effects.rows if r["ratio"] is not None][:SHOWN] if effects else []
    if effects and known:
        figure = path_figures.intervals_figure(
            known, "content", "ratio", "ratio_low", "ratio_high", word("ratio_axis", lang)
        )
        tables = [FigureBlock("effects", word("ratios", lang), figure, word("content_alt", lang)), *tables]
    return View("content", tables or [Note(word("no_rows", lang))])


def _sources(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    lang, table = choice.lang, _sources_table(part, people, choice)
    figure = _channels_figure(table.rows, lang)
    first = FigureBlock("sources", word("rates", lang), figure, word("sources_alt", lang))
    return View("sources", [
        first, TableBlock(table), *_heat(part, people, choice, table.rows), *_prepared(edition, "sources", choice)
    ])  # fmt: skip


def _heat(part: Part, people: People, choice: Choice, sources: Sequence[Row]) -> list[Block]:
    """Channel by path, the most frequent of both; cells of fewer than HEAT people are empty."""
    names = part.about["paths"][choice.by]
    path, channel = people.column(f"path_{choice.by}").astype(np.int64), people.column("channel").astype(np.int64)
    size = np.bincount(path, minlength=len(names))
    size[-1] = 0
    common = [i for i in np.argsort(-size, kind="stable")[:10].tolist() if size[i] >= HEAT]
    channels = [c for c in sorted(sources, key=lambda r: -r["people"])[:8] if c["people"] >= 5 * HEAT]
    cell = path * len(part.about["values"]["channel"]) + channel
    n = np.bincount(cell, minlength=len(names) * len(part.about["values"]["channel"]))
    hits = np.bincount(cell, people.label, len(n))
    width = len(part.about["values"]["channel"])
    rows = [{"path": _path_text(part, i, choice), "channel": c["channel"], "people": int(n[k]), "conversions": int(hits[k]),
             "rate": float(hits[k] / n[k]), "low": float(low), "high": float(high), "at": (i, c["code"])}
            for i in common for c in channels if n[k := i * width + c["code"]] >= HEAT
            for low, high in [wilson(hits[k], n[k])]]  # fmt: skip
    if not rows:
        return []
    found = {r["at"]: r["rate"] for r in rows}
    figure = path_figures.heat_figure(
        [_path_text(part, i, choice) for i in common], [told(c["channel"], "word", choice.lang) for c in channels],
        [[found.get((i, c["code"])) for c in channels] for i in common],
    )  # fmt: skip
    title = (word("heat_title", "en"), word("heat_title", "de"))
    columns = (Column("path", PATH), Column("channel", ("First channel", "Erster Kanal"), "word"), *_FIGURES[:3])
    table = Table("channel_paths", "sources", title, columns, [{k: v for k, v in r.items() if k != "at"} for r in rows])
    lang = choice.lang
    return [
        FigureBlock("heat", title[lang == "de"], figure, word("heat_alt", lang), wide=True),
        TableBlock(table, folded=True),
    ]


def _model(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    return View("model", [*score_blocks(edition, people, choice), *_prepared(edition, "model", choice)])


def _experiments(edition: Edition, part: Part, people: People, choice: Choice) -> View:
    return View(
        "experiments", _prepared(edition, "experiments", choice) or [Note(word("experiments_none", choice.lang))]
    )


_VIEWS: dict[str, Callable[[Edition, Part, People, Choice], View]] = {
    "overview": _overview, "paths": _paths, "content": _content, "sources": _sources, "model": _model,
    "experiments": _experiments,
}  # fmt: skip
assert list(_VIEWS) == list(VIEWS)
