"""What else is told on the walk over one target, and its tables: forms before content, time on topics, where journeys
end, paths by channel, and what to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.dataset import Dataset
from data.settings import Settings
from features.channels import CHANNELS
from serving.insights.band_tables import NO_CAUSE, PEOPLE, RATE, STANDS, topics_table, touches_table
from serving.insights.field_table import field_tables
from serving.insights.tables import Column, Row, Table, Words, sign
from training.activation import ActivationTally
from training.assemble import content_map
from training.cells import cells_of
from training.content_effect import EffectRow
from training.content_paths import path_rows
from training.dwell_topics import BANDS, DwellTally
from training.experiments import experiments_of
from training.funnel import DropTally
from training.gates import TARGETS, with_strangers
from training.hypotheses import hypothesis_rows, kinds_of
from training.meetings import MeetingTally
from training.path_targets import LEAD, Crowd
from training.prepared import Prepared
from training.prepared_names import LEAST
from training.source_paths import source_path_rows
from training.touches import BANDS as VISITS
from training.touches import TouchTally
from training.trails import Asked, Stand, Trails

CONTENT = ("Content", "Inhalt")
LATER: dict[str, tuple[Words, Words]] = {
    "won": (("Later won", "Später gewonnen"), ("won", "gewonnen")),
    "accepted": (("Later accepted", "Später angenommen"), ("accepted by sales", "vom Vertrieb angenommen")),
}


@dataclass(frozen=True)
class Extras:
    """Tallies of one walk. activation: of visitors alone; met: of targets that a form may win or lose."""

    topics: DwellTally
    drops: DropTally
    touches: TouchTally
    activation: ActivationTally | None
    met: MeetingTally | None

    @staticmethod
    def of(dataset: Dataset, asked: Asked) -> Extras:
        met = MeetingTally(asked.policy, asked.now, content_map(dataset)) if asked.target in TARGETS else None
        activation = ActivationTally(asked.policy, asked.now) if asked.target == LEAD else None
        return Extras(DwellTally(), DropTally("content"), TouchTally(), activation, met)

    @property
    def names(self) -> dict[str, Sequence[str]]:
        """Of the bands of each table with cells."""
        return {"topics": BANDS, "touches": VISITS}

    def cells(self, found: Prepared) -> dict[str, NDArray[np.int64]]:
        """Cells of the tables that follow what is chosen, by table and dimension."""
        sizes = {n: len(v) for n, v in found.values.items()} | {"month": found.months, "channel": len(CHANNELS) + 1}
        bands = {"topics": self.topics.bands()[1], "touches": self.touches.bands()[:, None]}
        return {
            f"{table}-{dimension}": cells
            for table, band in bands.items()
            for dimension, cells in cells_of(band[found.order], len(self.names[table]), found.columns, sizes).items()
        }

    @property
    def also(self) -> list[Callable[[Crowd], None]]:
        return [tell for tell in (self.activation, self.met) if tell]

    @property
    def stands(self) -> list[Callable[[Stand], None]]:
        return [self.topics, self.drops, self.touches]


def extra_tables(
    extras: Extras, dataset: Dataset, settings: Settings, asked: Asked, trails: Trails, effects: Sequence[EffectRow],
    steps: int, support: int,
) -> list[Table]:  # fmt: skip
    """The further tables of one target."""
    tables = [
        topics_table([r.document() for r in extras.topics.rows() if r.people >= LEAST], asked.target, whole=True),
        touches_table([r.document() for r in extras.touches.rows()], asked.target, whole=True),
        _drops(extras, asked.target),
        _sources(trails, asked.target, steps, support),
    ]
    tables += field_tables(settings.home, dataset.info.name, asked.target)
    if extras.met:
        tables.append(_gates(extras.met, dataset, asked))
    if asked.target != LEAD:
        tables.append(_hypotheses(dataset, settings, asked, trails, effects, steps, support))
    return tables


def _drops(extras: Extras, target: str) -> Table:
    return Table(
        "drops", "paths", ("Where journeys end", "Wo Wege enden"),
        (
            Column("name", CONTENT), Column("stood", ("Stood there last", "Standen dort zuletzt"), "count"),
            Column("converted", ("Converted", "Konvertiert"), "count"),
            Column("came_back", ("Came back", "Kamen wieder"), "count"), Column("gone", ("Gone", "Fort"), "count"),
            Column("share", ("Share gone", "Anteil fort"), "share", "low", "high"),
        ),
        [r.document() for r in extras.drops.rows() if r.stood >= LEAST],
        ("Of {stood} people who stood at {name}, {gone} did not come back: {share} ({share_range}).",
         "Von {stood} Menschen, die bei {name} standen, kamen {gone} nicht wieder: {share} ({share_range})."),
        target=target, whole=True,
    )  # fmt: skip


def _sources(trails: Trails, target: str, steps: int, support: int) -> Table:
    rows = [r.document() for r in source_path_rows(trails, steps, support)]
    told = [{**r, "path": " > ".join(r["path"]), "channel": r["channel"].replace("_", " "),
             "stands": sign(r["claimed"], r["lift_low"], r["lift_high"])} for r in rows]  # fmt: skip
    return Table(
        "source_paths", "sources", ("Paths beside others of their channel", "Pfade neben anderen ihres Kanals"),
        (
            Column("channel", ("First channel", "Erster Kanal"), "word"), Column("path", ("Path", "Pfad")),
            Column("people", PEOPLE, "count"), Column("rate", RATE, "share", "low", "high"),
            Column("lift", ("Lift in the channel", "Lift im Kanal"), "ratio", "lift_low", "lift_high"),
            Column("stands", STANDS, "sign"),
        ),
        told,
        ("Of {people} people from {channel} on the path {path}, {rate} converted ({rate_range}): {lift} times the rate of "
         "their channel.",
         "Von {people} Menschen aus {channel} auf dem Pfad {path} konvertierten {rate} ({rate_range}): das {lift}-Fache der "
         "Quote ihres Kanals."),
        NO_CAUSE, target, whole=True,
    )  # fmt: skip


def _gates(met: MeetingTally, dataset: Dataset, asked: Asked) -> Table:
    report = with_strangers(dataset, met, asked.policy, asked.target, asked.now, asked.threads)
    later, became = LATER[asked.target]
    groups: Sequence[tuple[str, Words]] = (
        ("met", ("Met the form", "Trafen auf das Formular")), ("left", ("Left", "Gingen")),
        ("filled", ("Filled it in", "Füllten es aus")), ("readers", ("Open readers", "Offene Leser")),
    )  # fmt: skip
    rows = [_gate_row(r.document(), [g for g, _ in groups]) for r in report.gates]
    columns: list[Column] = [Column("gate", CONTENT), Column("reached", ("Reached it", "Erreichten es"), "count")]
    for group, title in groups:
        columns += [Column(f"{group}_people", title, "count")]
        columns += [Column(f"{group}_rate", later, "share", f"{group}_low", f"{group}_high")]
    columns += [Column("verdict", ("Verdict", "Urteil"), "word")]
    return Table(
        "gates", "content", ("What forms before content cost", "Was Formulare vor Inhalten kosten"), columns, rows,
        (f"{{gate}}: {{verdict}}. Of {{met_people}} people who met the form {{met_rate}} were {became[0]} later by any path, of "
         "{readers_people} readers of open content of the same topic and stage {readers_rate}.",
         "{gate}: {verdict}. Von {met_people} Menschen, die auf das Formular trafen, wurden {met_rate} später auf irgendeinem "
         f"Weg {became[1]}, von {{readers_people}} Lesern offener Inhalte desselben Themas und derselben Phase {{readers_rate}}."),
        NO_CAUSE, asked.target, whole=True,
    )  # fmt: skip


def _gate_row(row: dict[str, Any], groups: Sequence[str]) -> Row:
    found = {name: row[name] for name in ("gate", "reached", "verdict")}
    for group in groups:
        for name in ("people", "rate", "low", "high"):
            found[f"{group}_{name}"] = row[group] and row[group][name]
    return found


def _hypotheses(
    dataset: Dataset,
    settings: Settings,
    asked: Asked,
    trails: Trails,
    effects: Sequence[EffectRow],
    steps: int,
    support: int,
) -> Table:
    kinds = kinds_of(trails.names, "content", content_map(dataset))
    tried = experiments_of(settings.home, dataset.info.name)
    rows = hypothesis_rows(trails, path_rows(trails, steps, support), effects, kinds, asked.target, tried, support)
    return Table(
        "hypotheses", "experiments", ("What to try next", "Was als Nächstes zu probieren ist"),
        (
            Column("first", ("From", "Von")), Column("then", ("Link to", "Verweis auf")),
            Column("reach", ("People a week", "Menschen je Woche"), "number"),
            Column("followed_rate", ("Saw both", "Sahen beides"), "share"),
            Column("others_rate", ("Only the first", "Nur das erste"), "share"),
            Column("difference", ("Difference, percentage points", "Unterschied, Prozentpunkte"), "points", "difference_low", "difference_high"),
            Column("gain", ("Conversions a week more", "Abschlüsse je Woche mehr"), "number", "gain_low", "gain_high"),
            Column("experiment", ("Experiment", "Experiment")),
        ),
        [r.document() for r in rows],
        ("From {first} link to {then}: {reach} people a week would see it; who saw both converted at {followed_rate}, who saw "
         "only the first at {others_rate}. Expected: {gain} conversions a week more ({gain_range}).",
         "Von {first} auf {then} verweisen: {reach} Menschen je Woche sähen es; wer beides sah, konvertierte zu "
         "{followed_rate}, wer nur das erste sah, zu {others_rate}. Zu erwarten: {gain} Abschlüsse je Woche mehr ({gain_range})."),
        ("The lower end of a gain is 0 until an experiment of that kind was read.",
         "Das untere Ende eines Gewinns ist 0, bis ein Experiment dieser Art gelesen wurde."),
        asked.target, whole=True,
    )  # fmt: skip
