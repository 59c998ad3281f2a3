"""The 50 columns of the bench with Polars: lazy, native expressions, both cores.

The events are sorted, so neighbours are compared by shifts, without window functions; and each group is a slice.
Run as `python -m tests.bench.features_polars FOLDER LEADS OUT`, in a process of its own.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data.records import DAY, EVENT_TYPES, MICROS, WEB_TYPES
from features.channels import CHANNELS, PAID
from features.journeys import SESSION_GAP
from tests.bench.features_columns import GRAM, TOPIC
from tests.bench.features_data import AS_OF, STAGES, TOPICS, TYPES, Arrays, contents
from tests.bench.features_worker import serve

LEAD, AGE, SECONDS = pl.col("lead"), pl.col("age"), pl.col("seconds")
FRESH, DECISION = AGE <= 28 * DAY, pl.col("stage") == STAGES.index("decision")
CODE = {name: code for code, name in enumerate(EVENT_TYPES)}
DECAY = (AGE * (-math.log(2) / (14.0 * DAY))).exp()
MASKS = {
    "dwell_total": pl.lit(True),
    "dwell_28d": FRESH,
    "dwell_7d": AGE <= 7 * DAY,
    "awareness": (pl.col("stage") == 0).fill_null(False),
    "consideration": (pl.col("stage") == 1).fill_null(False),
    "decision": (pl.col("stage") == 2).fill_null(False),
    "dwell_last_session": pl.col("session") == pl.col("last_session"),
    "dwell_topic": (pl.col("topic") == TOPICS.index(TOPIC)).fill_null(False),
}


def load(arrays: Arrays, leads: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Events and leads as frames, nulls as Polars has them."""
    frame = pl.DataFrame(arrays).with_columns(
        dwell=pl.col("dwell").fill_nan(None),
        content=pl.when(pl.col("content") >= 0).then(pl.col("content").cast(pl.UInt32)),
    )
    return frame.rechunk().set_sorted("lead"), pl.DataFrame({"lead": pl.int_range(leads, eager=True)})


def table(native: tuple[pl.DataFrame, pl.DataFrame]) -> NDArray[np.float64]:
    frame, leads = native
    events = frame.lazy().filter(pl.col("known") < AS_OF).with_columns(age=AS_OF - pl.col("time"))
    web = _web(events)
    sessions = _sessions(web)
    views = web.filter("view").with_columns(step=pl.when(~_changed("session")).then(pl.col("time").diff() / MICROS))
    parts = (
        _of_events(events), sessions, _of_dwell(web, sessions), _of_views(views), _of_topics(views),
        _of_depth(views), *_of_path(views),
    )  # fmt: skip
    every = leads.lazy()
    for part in parts:
        every = every.join(part, on="lead", how="left", maintain_order="left")
    columns = [column.cast(pl.Float64).alias(f"{i}") for i, column in enumerate(_columns())]
    return every.select(columns).collect().to_numpy()


def _changed(name: str) -> pl.Expr:
    return (pl.col(name) != pl.col(name).shift(1)).fill_null(True)


def _of_events(events: pl.LazyFrame) -> pl.LazyFrame:
    """What all events tell."""
    day, view, form = pl.col("time") // DAY, pl.col("type") == CODE["page_view"], pl.col("type") == CODE["form"]
    weekday, hour = (pl.col("day") + 3) % 7, pl.col("time") % DAY // (DAY // 24)
    office = (weekday < 5) & hour.is_between(8, 17)
    other_day = _changed("lead") | _changed("day") | ~pl.col("fresh").shift(1).fill_null(False)
    return (
        events.with_columns(day=day, fresh=FRESH)
        .with_columns(new_day=pl.col("fresh") & other_day, weekend=weekday >= 5, office=office, view=view)
        .group_by("lead")
        .agg(
            events=pl.len(),
            page_views=pl.col("view").sum(),
            page_views_28d=(pl.col("view") & pl.col("fresh")).sum(),
            page_views_7d=(pl.col("view") & (AGE <= 7 * DAY)).sum(),
            forms=form.sum(),
            days_since_form=pl.when(form).then(AGE).min() / DAY,
            recent=(AGE <= 14 * DAY).sum(),
            fresh=pl.col("fresh").sum(),
            active_days_28d=pl.col("new_day").sum(),
            activity_decayed=DECAY.sum(),
            weekend=pl.col("weekend").sum(),
            office=pl.col("office").sum(),
            days_since_last=AGE.last() / DAY,
            days_since_first=AGE.first() / DAY,
            campaigns=pl.when(pl.col("campaign") >= 0).then(pl.col("campaign")).drop_nulls().n_unique(),
        )
    )


def _web(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events on the site with session, what their content is, and seconds: told, or the gap to what follows."""
    other_id = (pl.col("session_key") >= 0) & (pl.col("session_key").shift(1) >= 0) & _changed("session_key")
    pause = (pl.col("time").diff() > SESSION_GAP).fill_null(True)
    told = (pl.col("type") == CODE["engagement"]) & pl.col("dwell").is_not_null()
    last = (pl.col("session") != pl.col("session").shift(-1)).fill_null(True)
    web = (
        events.filter(pl.col("type").is_in([CODE[t] for t in WEB_TYPES]))
        .with_columns(opens=_changed("lead") | pause | other_id, view=pl.col("type") == CODE["page_view"], told=told)
        .with_columns(session=pl.col("opens").cum_sum().cast(pl.UInt32))
        .with_columns(
            end=_next(last, "time"),
            next_view=_next(pl.col("view"), "time", 1),
            next_session=_next(pl.col("view"), "session", 1),
            **{name: pl.lit(series).gather(pl.col("content")) for name, series in _attributes().items()},
        )
    )
    measured = web.filter("told").select("session", measured=pl.lit(True)).unique()
    followed = (pl.col("next_session") == pl.col("session")).fill_null(False)
    until = pl.when("followed").then(pl.col("next_view")).otherwise(pl.col("end"))
    counts = pl.col("measured").is_null() & (pl.col("followed") | (pl.col("gap") > 0))
    return (
        web.join(measured, on="session", how="left", maintain_order="left")
        .with_columns(LEAD.set_sorted(), followed=followed)
        .with_columns(gap=(until - pl.col("time")) / MICROS)
        .with_columns(
            seconds=pl.when(pl.col("view") & pl.col("dwell").is_null())
            .then(pl.when(counts).then(pl.col("gap")))
            .when(pl.col("view") & (pl.col("dwell") * MICROS >= AGE))
            .then(None)
            .otherwise(pl.col("dwell"))
        )
    )


def _next(where: pl.Expr, name: str, after: int = 0) -> pl.Expr:
    """The value at the next row that fulfils a condition, this one included unless `after` is 1."""
    return pl.when(where).then(pl.col(name)).shift(-after).fill_null(strategy="backward")


def _attributes() -> dict[str, pl.Series]:
    pages = contents()
    return {
        "kind": pl.Series([TYPES.index(c.type) for c in pages], dtype=pl.Int8),
        "topic": pl.Series([TOPICS.index(c.topic) if c.topic else None for c in pages], dtype=pl.Int8),
        "stage": pl.Series([STAGES.index(c.stage) if c.stage else None for c in pages], dtype=pl.Int8),
    }


def _sessions(web: pl.LazyFrame) -> pl.LazyFrame:
    paid = pl.col("channel").is_in([CHANNELS.index(c) for c in PAID])
    return (
        web.filter("opens")
        .with_columns(LEAD.set_sorted(), pause=pl.when(~_changed("lead")).then(pl.col("time").diff()))
        .group_by("lead")
        .agg(
            sessions=pl.len(),
            sessions_28d=FRESH.sum(),
            sessions_7d=(AGE <= 7 * DAY).sum(),
            first_start=AGE.first(),
            last_start=AGE.last(),
            last_session=pl.col("session").last(),
            longest_pause=pl.col("pause").max(),
            first_channel=pl.col("channel").first(),
            channels=pl.col("channel").n_unique(),
            paid=paid.sum(),
        )
    )


def _of_dwell(web: pl.LazyFrame, sessions: pl.LazyFrame) -> pl.LazyFrame:
    """Sums of seconds, of how many values, and how many events there were."""
    sums = {name: pl.when(mask).then(SECONDS).sum() for name, mask in MASKS.items()}
    known = {f"{name}_known": (mask & SECONDS.is_not_null()).sum() for name, mask in MASKS.items()}
    seen = {f"{name}_seen": mask.sum() for name, mask in MASKS.items() if name != "dwell_total"}
    return (
        web.filter(pl.col("view") | pl.col("told"))
        .select("lead", "age", "session", "stage", "topic", "seconds")
        .join(sessions.select("lead", "last_session"), on="lead", how="left", maintain_order="left")
        .with_columns(LEAD.set_sorted(), decayed=SECONDS * DECAY)
        .group_by("lead")
        .agg(
            **sums,
            **known,
            **seen,
            dwell_total_seen=pl.len(),
            dwell_longest=SECONDS.max(),
            long_views=(SECONDS >= 60).sum(),
            dwell_decayed=pl.col("decayed").sum(),
        )
    )


def _of_views(views: pl.LazyFrame) -> pl.LazyFrame:
    return (
        views.with_columns(LEAD.set_sorted())
        .group_by("lead")
        .agg(
            step_seconds=pl.col("step").mean(),
            decision_views_28d=(DECISION & FRESH).sum(),
            days_since_decision=pl.when(DECISION).then(AGE).min() / DAY,
            first_view=AGE.first() / DAY,
            first_decision=pl.when(DECISION).then(AGE).max() / DAY,
            contents=pl.col("content").drop_nulls().n_unique(),
        )
    )


def _of_topics(views: pl.LazyFrame) -> pl.LazyFrame:
    seen = views.filter(pl.col("topic").is_not_null())
    changes = seen.with_columns(LEAD.set_sorted(), change=_changed("lead") | _changed("topic"))
    switches = changes.group_by("lead").agg(topic_switches=pl.col("change").sum() - 1)
    most = seen.group_by("lead", "topic").agg(views=pl.len())
    by_lead = most.group_by("lead").agg(most=pl.col("views").max(), on_topics=pl.col("views").sum(), topics=pl.len())
    return by_lead.join(switches, on="lead")


def _of_depth(views: pl.LazyFrame) -> pl.LazyFrame:
    pages = views.filter(pl.col("content").is_not_null()).select("lead", "session", "content").unique()
    return pages.group_by("lead", "session").agg(depth=pl.len()).group_by("lead").agg(depth=pl.col("depth").max())


def _of_path(views: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The path without repeats in a row: of contents, and of their types."""
    path = (
        views.filter(pl.col("content").is_not_null())
        .filter(_changed("lead") | _changed("content"))
        .select("lead", "kind", new=_changed("lead"), stage="stage", place=pl.int_range(pl.len()))
        .with_columns(
            LEAD.set_sorted(),
            start=pl.when("new").then(pl.col("place")).fill_null(strategy="forward"),
            decides=~pl.col("new") & (pl.col("stage").shift(1) == 1) & DECISION,
        )
    )
    prices = pl.when(pl.col("kind") == TYPES.index("pricing")).then(pl.col("place") - pl.col("start"))
    steps = path.group_by("lead").agg(
        path_length=pl.len(), to_decision=pl.col("decides").sum(), steps_to_pricing=prices.min()
    )
    before, after = (TYPES.index(kind) for kind in GRAM.split(">"))
    kinds = path.filter(_changed("lead") | _changed("kind")).with_columns(LEAD.set_sorted())
    hit = ~pl.col("new") & (pl.col("kind").shift(1) == before) & (pl.col("kind") == after)
    return steps, kinds.with_columns(hit=hit).group_by("lead").agg(gram=pl.col("hit").any())


def _columns() -> list[pl.Expr]:
    """The columns in the order of `COLUMNS`."""
    search = pl.col("first_channel") == CHANNELS.index("paid_search")
    visits, total = _count("sessions"), _seconds("dwell_total")
    span = (pl.col("first_start") - pl.col("last_start")) / DAY
    path, contents_seen = _count("path_length"), _count("contents")
    return [
        search.fill_null(False), (~search).fill_null(False), pl.col("first_channel").is_null(),
        _count("channels"), _count("campaigns"), _share("paid", visits),
        total, _seconds("dwell_28d"), _seconds("dwell_7d"), pl.col("dwell_longest"), _count("long_views"),
        _seconds("awareness"), _seconds("consideration"), _seconds("decision"),
        pl.when(total > 0).then(_seconds("decision") / total),
        _seconds("dwell_total", "dwell_decayed"), _seconds("dwell_last_session"), _seconds("dwell_topic"),
        visits, _count("sessions_28d"), _count("sessions_7d"),
        _count("page_views"), _count("page_views_28d"), _count("page_views_7d"), _share("page_views", visits),
        pl.col("days_since_last"), pl.col("days_since_first"), _count("active_days_28d"),
        pl.when(visits > 1).then(span / (visits.cast(pl.Int64) - 1)), pl.col("longest_pause") / DAY,
        pl.when(pl.col("fresh") > 0).then((2.0 * pl.col("recent") - pl.col("fresh")) / pl.col("fresh")),
        _count("activity_decayed"), _count("forms"), pl.col("days_since_form"),
        _share("weekend", _count("events")), _share("office", _count("events")),
        contents_seen, _count("topics"), path, pl.when(visits > 0).then(_count("depth")),
        path.cast(pl.Int64) - contents_seen,
        _count("decision_views_28d"), pl.col("days_since_decision"), _count("to_decision"),
        pl.col("steps_to_pricing"), pl.col("most") / pl.col("on_topics"), pl.col("gram").fill_null(False),
        pl.col("step_seconds"), pl.col("first_view") - pl.col("first_decision"), _count("topic_switches"),
    ]  # fmt: skip


def _count(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0)


def _share(name: str, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole > 0).then(pl.col(name) / whole)


def _seconds(name: str, values: str | None = None) -> pl.Expr:
    """0 where somebody was there and saw nothing of the kind, null where no time is known."""
    nothing = (_count(f"{name}_seen") == 0) & (_count("sessions") > 0)
    return pl.when(nothing).then(0.0).when(pl.col(f"{name}_known") > 0).then(pl.col(values or name))


if __name__ == "__main__":
    serve(sys.argv[1:], load, table)
