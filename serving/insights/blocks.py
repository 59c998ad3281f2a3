"""What a view is made of: numbers, figures, tables, sentences, notes. The template knows these and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.insights.tables import Table


@dataclass(frozen=True)
class Tile:
    """A number. range: its interval; before: that of the period before, where there is one."""

    title: str
    value: str
    range: str = ""
    before: str = ""


@dataclass(frozen=True)
class Tiles:
    tiles: Sequence[Tile]
    kind: str = "tiles"


@dataclass(frozen=True)
class FigureBlock:
    """spec: as Plotly takes it. alt: for who cannot see it. wide: to be scrolled on a phone rather than squeezed."""

    id: str
    title: str
    spec: Mapping[str, Any]
    alt: str
    note: str = ""
    wide: bool = False
    kind: str = "figure"


@dataclass(frozen=True)
class TableBlock:
    """note: beside that of the table itself. folded: shown when it is asked for, for a figure says the same."""

    table: Table
    note: str = ""
    folded: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Sentences:
    title: str
    sentences: Sequence[str]
    kind: str = "sentences"


@dataclass(frozen=True)
class Note:
    text: str
    kind: str = "note"


Block = Tiles | FigureBlock | TableBlock | Sentences | Note


@dataclass(frozen=True)
class View:
    """name: one of VIEWS. audience: paths whose open leads can be had, as code and text."""

    name: str
    blocks: Sequence[Block]
    audience: Sequence[tuple[str, str]] = field(default=())

    def table(self, number: str) -> Table | None:
        """A table of this view by its id."""
        return next((b.table for b in self.blocks if isinstance(b, TableBlock) and b.table.id == number), None)
