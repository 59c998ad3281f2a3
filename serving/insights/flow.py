"""The flow of people from content to content: backward from the conversion, or forward from a content."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.blocks import Block, FigureBlock, Note, TableBlock
from serving.insights.choice import Choice
from serving.insights.edition import Part, People
from serving.insights.tables import Column, Table
from serving.insights.words import content_word, word
from training import path_figures
from training.prepared_names import LEAST

STEPS, MOST = 3, 5  # steps beside the first; contents of a step that have a node of their own
BEGIN, OTHERS, DONE = -1, -2, -3
Array = NDArray[Any]


def flow_blocks(part: Part, people: People, choice: Choice) -> list[Block]:
    """The figure and its numbers as a table."""
    lang, names = choice.lang, part.about["names"][choice.by]
    walk = people.column(f"walk_{choice.by}")
    if choice.direction == "forward":
        start = names.index(choice.page) if choice.page in names else part.about["start"][choice.by]
        steps = _from(walk, start)
        title = word("flow_forward", lang, page=content_word(names[start], choice.by, lang) if start >= 0 else "")
    else:
        rows = walk[people.column("label")].astype(np.int64)
        rows = rows[rows[:, -1] >= 0]
        steps = [np.full(len(rows), DONE), *(rows[:, -1 - k].copy() for k in range(STEPS + 1))]
        title = word("flow_title", lang)
    links = _links(steps)
    kept = {pair: n for pair, n in sorted(links.items()) if n >= LEAST}
    if not kept:
        return [Note(word("no_rows", lang))]
    spec, table = _drawn(kept, names, choice)
    return [
        FigureBlock("flow", title, spec, word("flow_alt", lang), word("flow_note", lang), wide=True),
        TableBlock(table, folded=True),
    ]


def most_seen(walk: Array) -> int:
    """The content that most views of these people are of, as its code; -1 where there is no view."""
    seen = np.bincount(walk[walk >= 0].astype(np.int64))
    return int(seen.argmax()) if len(seen) else -1


def _from(walk: Array, start: int) -> list[Array]:
    """What people saw from their first view of `start` on, (m,) for each step; BEGIN after the last one."""
    width = walk.shape[1]
    at = np.flatnonzero(walk == start) if start >= 0 else np.zeros(0, dtype=np.int64)
    at = at[np.diff(at // width, prepend=-1) > 0]  # the first of each person
    room, flat = width - 1 - at % width, walk.ravel()
    return [
        np.where(k <= room, flat[np.minimum(at + k, walk.size - 1)], BEGIN).astype(np.int64) for k in range(STEPS + 1)
    ]


def _links(steps: list[Array]) -> Counter[tuple[int, int, int]]:
    """People by (layer, content there, content one layer on); rare contents of a layer are OTHERS. Codes count from
    DONE on, so that none is below 0."""
    layers = [steps[0] - DONE, *(_merged(column) - DONE for column in steps[1:])]
    found: Counter[tuple[int, int, int]] = Counter()
    for layer, (here, after) in enumerate(pairwise(layers)):
        width = int(after.max(initial=0)) + 1
        size = np.bincount(here * width + after)
        for pair in np.flatnonzero(size).tolist():
            a, b = pair // width + DONE, pair % width + DONE
            if a != BEGIN:  # who is gone goes nowhere
                found[(layer, a, b)] = int(size[pair])
    return found


def _merged(column: Array) -> Array:
    """The MOST frequent contents; the others are OTHERS."""
    size = np.bincount(column - BEGIN)[1:]
    kept = np.full(len(size) + 1, OTHERS, dtype=np.int64)
    kept[BEGIN] = BEGIN  # the last one, which code -1 finds
    common = np.argsort(-size, kind="stable")[:MOST]
    kept[common] = common
    return kept[column]


def _drawn(links: dict[tuple[int, int, int], int], names: list[str], choice: Choice) -> tuple[dict[str, Any], Table]:
    lang, forward = choice.lang, choice.direction == "forward"
    last = max(layer for layer, _, _ in links) + 1
    size: Counter[tuple[int, int]] = Counter()
    for (layer, a, b), n in links.items():
        size[(layer + 1, b)] += n
        size[(layer, a)] += n if layer == 0 else 0
    order = sorted(size, key=lambda node: (node[0], node[1] < 0, -size[node], node[1]))
    place = {node: i for i, node in enumerate(order)}

    def label(code: int) -> str:
        gone = word("end" if forward else "begin", lang)
        return {BEGIN: gone, OTHERS: word("others", lang), DONE: word("converted", lang)}.get(code) or content_word(
            names[code], choice.by, lang
        )

    nodes = [{"label": label(c), "layer": layer if forward else last - layer, "key": names[c] if c >= 0 else ""}
             for layer, c in order]  # fmt: skip
    ends = [((layer, a), (layer + 1, b)) if forward else ((layer + 1, b), (layer, a)) for layer, a, b in links]
    drawn = [
        {"source": place[x], "target": place[y], "value": n} for (x, y), n in zip(ends, links.values(), strict=True)
    ]
    rows = [{"step": layer + 1, "before": label(a if forward else b), "after": label(b if forward else a), "people": n}
            for (layer, a, b), n in links.items()]  # fmt: skip
    columns = (
        Column("step", ("Step", "Schritt"), "count"), Column("before", ("From", "Von")), Column("after", ("To", "Nach")),
        Column("people", ("People", "Menschen"), "count"),
    )  # fmt: skip
    title = ("The flow in numbers", "Der Fluss in Zahlen")
    sentence = ("{people} people went from {before} to {after} (step {step}).",
                "{people} Menschen gingen von {before} zu {after} (Schritt {step}).")  # fmt: skip
    rows.sort(key=lambda r: (r["step"], -r["people"]))
    return path_figures.flow_figure(nodes, drawn), Table("flow", "paths", title, columns, rows, sentence)
