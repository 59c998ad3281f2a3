"""Further tables of `leadlift paths`: source x path, time on topics, and where journeys end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.console import Screen

if TYPE_CHECKING:
    from training.dwell_topics import DwellTally
    from training.funnel import DropRow, DropTally
    from training.touches import TouchTally
    from training.trails import Trails


def source_paths(screen: Screen, found: Trails, steps: int, support: int, top: int) -> dict[str, Any]:
    """Paths by channel, shown and as they are in the document."""
    from training.source_paths import source_path_rows

    rows = source_path_rows(found, steps, support)
    told = [r for r in rows if r.claimed]
    if told:
        cells = [[r.channel, r.text, f"{r.people:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}", f"{r.lift:.2f}",
                  f"{r.lift_low:.2f} to {r.lift_high:.2f}"] for r in told[:top]]  # fmt: skip
        names = ("channel", "path", "people", "rate", "95 % interval", "lift", "95 % interval")
        title = f"Paths that differ within their channel, of {len(rows)}; lift over the channel's own rate"
        screen.table(title, names, cells, left=2)
    else:
        screen.say(f"No path converts beyond chance better or worse than others of its channel, of {len(rows)} with "
                   f"{support} people.")  # fmt: skip
    return {"source_paths": [r.document() for r in rows]}


def dwell_topics(screen: Screen, tally: DwellTally, top: int) -> dict[str, Any]:
    """Time on topics against conversion."""
    rows = tally.rows()
    told = [r for r in rows if r.claimed]
    if told:
        cells = [[r.topic, r.band, f"{r.people:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}", f"{r.lift:.2f}",
                  f"{r.lift_low:.2f} to {r.lift_high:.2f}"] for r in told[:top]]  # fmt: skip
        names = ("topic", "time on it", "people", "rate", "95 % interval", "lift", "95 % interval")
        title = "Time on topics by the landmark, where conversions differ; associated with, not caused by"
        screen.table(title, names, cells, left=2)
    else:
        screen.say(f"Time on no topic goes with more or fewer conversions beyond chance, of {len(rows)} bands.")
    return {"dwell_topics": [r.document() for r in rows]}


def touches(screen: Screen, tally: TouchTally) -> dict[str, Any]:
    """Visits by the landmark against conversion."""
    rows = tally.rows()
    cells = [[r.touches, f"{r.people:,}", f"{r.conversions:,}", f"{r.rate:.1%}", f"{r.low:.1%} to {r.high:.1%}"]
             for r in rows]  # fmt: skip
    names = ("visits", "people", "converted", "rate", "95 % interval")
    screen.table("How often they came by the landmark; associated with, not caused by", names, cells)
    return {"touches": [r.document() for r in rows]}


def drop_offs(screen: Screen, by_content: DropTally, by_stage: DropTally, days: int, top: int) -> dict[str, Any]:
    """Where journeys end, by content and by stage."""
    contents, stages = by_content.rows(), by_stage.rows()
    _show_drops(screen, "stage", stages, days, len(stages))
    _show_drops(screen, "content", contents, days, top)
    return {"drop_offs": [r.document() for r in contents], "drop_offs_by_stage": [r.document() for r in stages]}


def _show_drops(screen: Screen, by: str, rows: tuple[DropRow, ...], days: int, top: int) -> None:
    cells = [[r.name, f"{r.saw:,}", f"{r.stood:,}", f"{r.converted:,}", f"{r.came_back:,}", f"{r.gone:,}",
              f"{r.share:.1%}", f"{r.low:.1%} to {r.high:.1%}", "yes" if r.claimed else "no"] for r in rows[:top]]  # fmt: skip
    names = (by, "saw it", "stood there", "converted", "came back", "gone", "share", "95 % interval", "claimed")
    screen.table(f"Where journeys end, by {by}: at the landmark, and in the {days} days after", names, cells)
