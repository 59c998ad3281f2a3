"""The flow of people from content to content: backward from the conversion, or forward from a content."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.insights.blocks import Block, FigureBlock, Note, TableBlock
from serving.insights.choice import Choice
from serving.insights.edition import Part, People
from serving.insights.tables import Column, Table
from serving.insights.words import word
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
        start = names.index(choice.page) if choice.page in names else _most_seen(walk)
        steps = _from(walk, start)
        title = word("flow_forward", lang, page=names[start] if start >= 0 else "")
    else:
        rows = walk[people.column("label")].astype(np.int64)
        steps = np.column_stack([np.full(len(rows), DONE), rows[:, ::-1][:, : STEPS + 1]])
        steps = steps[steps[:, 1] >= 0]
        title = word("flow_title", lang)
    links = _links(steps) if len(steps) else Counter()
    kept = {pair: n for pair, n in sorted(links.items()) if n >= LEAST}
    if not kept:
        return [Note(word("no_rows", lang))]
    spec, table = _drawn(kept, names, choice)
    return [
        FigureBlock("flow", title, spec, word("flow_alt", lang), word("flow_note", lang), wide=True),
        TableBlock(table, folded=True),
    ]


def _most_seen(walk: Array) -> int:
    seen = np.bincount(walk[walk >= 0].astype(np.int64))
    return int(seen.argmax()) if len(seen) else -1


def _from(walk: Array, start: int) -> Array:
    """What people saw from their first view of `start` on, (m, STEPS + 1); BEGIN after the last one."""
    hit = walk == start
    rows = np.flatnonzero(hit.any(axis=1)) if start >= 0 else np.zeros(0, dtype=np.int64)
    first = hit[rows].argmax(axis=1)
    last = walk.shape[1] - 1
    seen = [np.where(first + k <= last, walk[rows, np.minimum(first + k, last)], BEGIN) for k in range(STEPS + 1)]
    return np.column_stack(seen).astype(np.int64)


def _links(steps: Array) -> Counter[tuple[int, int, int]]:
    """People by (layer, content there, content one layer on); rare contents of a layer are OTHERS."""
    merged = steps.copy()
    for layer in range(1, merged.shape[1]):
        column = merged[:, layer]
        size = np.bincount(column[column >= 0])
        kept = np.full(len(size) + 3, OTHERS, dtype=np.int64)
        kept[BEGIN:], kept[DONE] = BEGIN, DONE
        common = np.argsort(-size, kind="stable")[:MOST]
        kept[common] = common
        merged[:, layer] = kept[column]
    found: Counter[tuple[int, int, int]] = Counter()
    alive = np.ones(len(merged), dtype=np.bool_)
    for layer in range(merged.shape[1] - 1):
        a, b = (merged[alive, at] - DONE for at in (layer, layer + 1))  # from 0 on
        width = int(b.max(initial=0)) + 1
        size = np.bincount(a * width + b)
        for pair in np.flatnonzero(size).tolist():
            found[(layer, pair // width + DONE, pair % width + DONE)] = int(size[pair])
        alive &= merged[:, layer + 1] != BEGIN
    return found


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
        return {BEGIN: gone, OTHERS: word("others", lang), DONE: word("converted", lang)}.get(code) or names[code]

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
