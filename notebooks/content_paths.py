"""Which content paths convert, why they are taken at a landmark, and whether a path is as good in every channel.

    marimo edit notebooks/content_paths.py

Reads the dataset of LEADLIFT_NOTEBOOK_DATASET, or simulates a small market.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import os
    import tempfile
    from pathlib import Path

    import marimo as mo
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go

    from data.dataset import DatasetInfo, consenting, joined, open_dataset
    from data.records import DAY
    from data.simulate.market import Market
    from data.simulate.write import write_market
    from features.beside import Beside
    from features.build import journeys_at
    from features.channels import CHANNELS
    from serving.arguments import settings_for
    from training import content_effect, content_paths, figures, gates, path_figures, path_order, removal, trails
    from training.landmarks import Landmark
    from training.rules_rows import encoder
    from training.run import moment_of
    from training.snapshots import policy_of

    return (
        CHANNELS, Beside, DAY, DatasetInfo, Landmark, Market, Path, consenting, content_effect, content_paths, encoder, figures,
        gates, go, joined, journeys_at, mo, moment_of, np, open_dataset, os, path_figures, path_order, pd, policy_of, removal, settings_for,
        tempfile, trails, write_market,
    )  # fmt: skip


@app.cell
def _(
    DatasetInfo, Market, Path, consenting, content_paths, moment_of, open_dataset, os, policy_of, settings_for, tempfile,
    write_market,
):  # fmt: skip
    folder = os.environ.get("LEADLIFT_NOTEBOOK_DATASET")
    if not folder:
        folder = str(Path(tempfile.mkdtemp()) / "market")
        write_market(Path(folder), Market(4000, 300, 1), DatasetInfo(name="notebook", buckets=8))
    settings = settings_for(Path(folder), None)
    dataset = consenting(open_dataset(folder), settings.privacy.require_consent)
    now, policy = moment_of(dataset, None), policy_of(settings.snapshots)
    support, landmark = 30, 7
    steps = (
        content_paths.USUAL_STEPS if os.environ.get("LEADLIFT_NOTEBOOK_DATASET") else 2
    )  # a small market has short paths
    return dataset, landmark, now, policy, steps, support


@app.cell
def _(mo):
    mo.md("""
    ## First, a trap

    The obvious way: take each buyer's last steps before buying, and everybody else's last steps so far. To see what it
    does, **we draw by lot who buys**: one lead in five, on any day of its first two months, ten draws in all. Now no
    page can matter: every lift should be 1, and only about one interval in 20 may miss it by chance.

    *At a landmark*: everybody's path up to day 7, and who buys in the horizon after it.
    """)
    return


@app.cell
def _(
    Beside, DAY, content_paths, dataset, encoder, figures, joined, journeys_at, landmark, mo, now, np, pd, policy, steps,
    support, trails,
):  # fmt: skip
    people = joined(list(dataset.people()))
    encoded = encoder(dataset, False).encode(people.events)
    draws, lot = 10, np.random.default_rng(1)
    old = np.repeat(np.flatnonzero(people.created_at < now - 90 * DAY), draws)
    buys_on = np.where(lot.random(len(old)) < 0.2, lot.integers(1, 61, len(old)), 10_000)  # days; 10,000 = never
    first_look = people.created_at[old] + policy.first_look
    cuts = {
        "cut at the purchase": (np.minimum(first_look + buys_on * DAY, now), buys_on > 0, buys_on <= 60),
        "at a landmark": (
            first_look + landmark * DAY, buys_on > landmark, buys_on <= landmark + policy.horizon_days,
        ),
    }  # fmt: skip
    by_lot = {}
    for _name, (_as_of, _open, _bought) in cuts.items():
        _journeys = journeys_at(encoded, old[_open], _as_of[_open], Beside.of(people))
        _names = trails.Names()
        _codes = _names.codes(encoded.vocabulary, "type")
        _walked = trails.trails_at(_journeys, _codes, _bought[_open].astype(float), _names.all)
        by_lot[_name] = content_paths.path_rows(_walked, steps, draws * support)
    trap = pd.DataFrame({
        n: {
            "paths": len(rows), "seem to sell": sum(r.lift_low > 1 for r in rows),
            "seem to put off": sum(r.lift_high < 1 for r in rows),
        }
        for n, rows in by_lot.items()
    }).T  # fmt: skip
    mo.vstack([
        trap,
        figures.paths_figure({n: [r.document() for r in rows] for n, rows in by_lot.items()}),
        mo.md("""
    Cut at the purchase, the pages of the first day (a form and its thanks) seem to sell, and those of later visits seem
    to put off: buyers are looked at while they are new, the others long after. At a landmark all have had the same time.
    """),
    ])  # fmt: skip
    return by_lot, trap


@app.cell
def _(Landmark, content_paths, dataset, go, landmark, mo, now, path_figures, pd, policy, steps, support, trails):
    asked = trails.Asked("won", policy, now, Landmark("day", landmark), "type")
    walked = trails.trails_of(dataset, asked)
    report = content_paths.path_report(walked, asked, steps, support)
    mo.stop(not report.rows, mo.md(f"No path has {support} leads yet."))
    table = pd.DataFrame([vars(r) | {"path": r.text} for r in report.rows]).set_index("path").round(3)
    mo.vstack([
        mo.md(f"""
    ## What converts

    Real purchases again. Of {report.people:,} leads, {report.conversions:,} bought within {report.horizon_days} days
    after day {landmark}: {report.rate:.1%}. The best path comes first, by the lower end of its interval. Trust a lift
    whose interval lies above 1, and test it before you rebuild the site: people who are about to buy read the prices;
    sending others there does not make them buy.
    """),
        table, go.Figure(path_figures.paths_figure([r.document() for r in report.rows[:15]])),
        mo.md(f"""
    {report.below_support:,} leads took rarer paths, {report.counts.censored:,} are too new to tell,
    {report.counts.closed_before:,} bought or were lost before day {landmark}.
    """),
    ])  # fmt: skip
    return report, table, walked


@app.cell
def _(content_effect, go, mo, path_figures, pd, removal, support, walked):
    lost = pd.DataFrame([r.document() for r in removal.removal_rows(walked)]).set_index("content")
    told = [r.document() for r in content_effect.effect_rows(walked, support)]
    effects = pd.DataFrame(told).set_index("content")
    effects = effects.join(lost["effect"].rename("pass through")).drop(columns="note").round(3)
    mo.vstack([
        mo.md("""
    ## Which pages go with it?

    Who sees much sees every page, and buys: so the plain rates flatter popular pages. *ratio* holds all other pages, views,
    days, time and channel equal. *pass through* is the share of purchases whose path leads through the page, in a chain
    of steps: large for popular pages, whatever they do. Associated with, not caused by.
    """),
        effects, go.Figure(path_figures.intervals_figure(told, "content", "ratio", "ratio_low", "ratio_high", "times as often")),
    ])  # fmt: skip
    return (effects,)


@app.cell
def _(CHANNELS, content_paths, figures, mo, np, pd, report, steps, support, walked):
    by_channel = {}
    for _source in report.sources:
        _code = CHANNELS.index(_source.channel) if _source.channel in CHANNELS else -1
        _mine = walked.take(np.flatnonzero(walked.channel == _code))
        if _rows := content_paths.path_rows(_mine, steps, support):
            by_channel[_source.channel] = (_mine, _rows)
    mo.stop(not by_channel, mo.md(f"No path has {support} leads of one channel yet."))
    channels = pd.DataFrame([
        {"path": r.text, "channel": c, "rate in channel": mine.conversions / len(mine)}
        | {k: v for k, v in vars(r).items() if k != "path"}
        for c, (mine, rows) in by_channel.items() for r in rows
    ]).set_index(["path", "channel"]).sort_index().round(3)  # fmt: skip
    mo.vstack([
        mo.md("""
    ## Is a path as good in every channel?

    By the channel a lead first came by; lift is over the leads of that channel. Fewer leads, wider intervals: where the
    intervals of two channels overlap widely, there is no sign that the path does better in one of them.
    """),
        channels, figures.paths_figure({c: [r.document() for r in rows] for c, (_, rows) in by_channel.items()}),
    ])  # fmt: skip
    return by_channel, channels


@app.cell
def _(dataset, mo, now, path_order, pd, policy, support):
    order = path_order.path_order(dataset, policy, "converted", now, support)
    mo.stop(not order.rows, mo.md("No pair of content types has enough leads and conversions in both orders yet."))
    orders = pd.DataFrame([vars(r) | {"order": r.text} for r in order.rows]).set_index("order")
    orders = orders.drop(columns=["before", "after"]).round(3)
    mo.vstack([
        mo.md(f"""
    ## Does the order matter?

    `case > pricing` compares leads that had seen both: some prices after the first case study, or none. After each of
    {order.looks:,} visits we look whether the lead converts before its next one, {order.watch_days} days at most, with
    views, visits, their recency and the age of the lead held equal. Of {len(order.rows)} pairs, {len(order.claimed)}
    are claimed at a false-discovery rate of 5 %. Associated with, not caused by.
    """),
        orders.head(15),
    ])  # fmt: skip
    return order, orders


@app.cell
def _(dataset, gates, mo, now, pd, policy):
    forms = gates.content_gates(dataset, policy, "won", now)
    mo.stop(not forms.gates, mo.md("No content behind a form was met yet."))
    costs = pd.DataFrame([
        {"content": r.gate, "reached": r.reached}
        | {f"{n}: {k}": getattr(g, k) for n in ("left", "filled", "readers") if (g := getattr(r, n)) for k in ("people", "rate")}
        | {"low": r.compared.low, "high": r.compared.high, "verdict": r.compared.verdict}
        for r in forms.gates
    ]).set_index("content").round(3)  # fmt: skip
    mo.vstack([
        mo.md(f"""
    ## What does a form cost?

    Who met the form before anything else of its topic and stage, and won in the {forms.horizon_days} days after that visit,
    beside readers of open content. *low* to *high*: all who met it, filled in or not, less those readers. Associated with,
    not caused by.
    """),
        costs,
    ])  # fmt: skip
    return costs, forms


if __name__ == "__main__":
    app.run()
