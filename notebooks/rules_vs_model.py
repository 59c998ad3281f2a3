"""The points beside the model: who finds more conversions, where they disagree, and which points the data suggest.

    marimo edit notebooks/rules_vs_model.py

Reads the dataset of LEADLIFT_NOTEBOOK_DATASET, or simulates a small market. Everything is judged on leads that taught
neither, and compared by order and thresholds alone, so that no calibrator can decide it.
"""

import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import os
    import tempfile
    from pathlib import Path

    import marimo as mo
    import pandas as pd

    from data.dataset import DatasetInfo, open_dataset
    from data.settings import load_settings
    from data.simulate.market import Market
    from data.simulate.write import write_market
    from training import figures, run
    from training.rules_compare import capture_curve, disagreement
    from training.rules_rows import rules_in_force
    from training.rules_suggest import suggest
    from training.work import Request

    return (
        DatasetInfo, Market, Path, Request, capture_curve, disagreement, figures, load_settings, mo, open_dataset, os, pd,
        rules_in_force, run, suggest, tempfile, write_market,
    )  # fmt: skip


@app.cell
def _(DatasetInfo, Market, Path, open_dataset, os, tempfile, write_market):
    folder = os.environ.get("LEADLIFT_NOTEBOOK_DATASET")
    if not folder:
        folder = str(Path(tempfile.mkdtemp()) / "market")
        write_market(Path(folder), Market(400, 240, 1), DatasetInfo(name="notebook", buckets=8))
    dataset = open_dataset(folder)
    return (dataset,)


@app.cell
def _(Request, dataset, load_settings, rules_in_force, run, suggest):
    settings = load_settings()
    request = Request(
        dataset.info.name, "converted", None, 1, settings.training.seed, lambda what, total: lambda by: None
    )
    rules, name = rules_in_force(None, dataset, settings.home, dataset.info.name)
    training = run.train(dataset, settings, request)
    suggestion = suggest(dataset, rules, settings, request, name)
    return rules, suggestion, training


@app.cell
def _(capture_curve, figures, mo, suggestion, training):
    found, judged = training.judgement, suggestion.judged
    curves = {n: capture_curve(found.said[n].score, found.bench) for n in ("points", found.champion)}
    curves["suggested points"] = capture_curve(judged.totals[1], judged.bench)
    mo.vstack([
        mo.md(f"## {len(found.rows):,} judged looks, ranked by the points and by the model ({found.champion})"),
        figures.capture_figure(curves), figures.lift_figure(curves),
    ])  # fmt: skip
    return curves, found


@app.cell
def _(disagreement, found, mo, pd, rules):
    groups = [g.document() for g in disagreement(found, rules).values()]
    disagreeing = pd.DataFrame([
        {
            "hot by": g["name"], "looks": g["looks"], "leads": g["leads"], "converted": g["converted"],
            "rate": g["rate"] and round(g["rate"]["value"], 4), "low": g["rate"] and round(g["rate"]["low"], 4),
            "high": g["rate"] and round(g["rate"]["high"], 4), "few": g["few"],
        }
        for g in groups
    ]).set_index("hot by")  # fmt: skip
    mo.vstack([mo.md("## Where they disagree, and who was right (90 % intervals by lead)"), disagreeing])
    return (disagreeing,)


@app.cell
def _(mo, pd, suggestion):
    lines = pd.DataFrame([vars(line) for line in suggestion.lines]).set_index("code")
    measures = pd.DataFrame({
        n: {
            "hand-made": p.hand_made, "suggested": p.suggested, "difference": p.difference.value,
            "low": p.difference.low, "high": p.difference.high,
        }
        for n, p in suggestion.measures.items()
    }).T.round(4)  # fmt: skip
    mo.vstack([mo.md(f"## Suggested points: {suggestion.verdict}"), lines.round(2), measures])
    return lines, measures


if __name__ == "__main__":
    app.run()
