"""Retrain a market, look at the candidates beside the points, and at how well 10 % means 10 %.

    marimo edit notebooks/retrain.py

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
    import pandas as pd

    from data.dataset import DatasetInfo, open_dataset
    from data.settings import load_settings
    from data.simulate.market import Market
    from data.simulate.write import write_market
    from training import figures, run
    from training.evaluate import reliability
    from training.work import Request

    return (
        DatasetInfo, Market, Path, Request, figures, load_settings, mo, open_dataset, os, pd, reliability, run, tempfile,
        write_market,
    )  # fmt: skip


@app.cell
def _(DatasetInfo, Market, Path, open_dataset, os, tempfile, write_market):
    folder = os.environ.get("LEADLIFT_NOTEBOOK_DATASET")
    if not folder:
        folder = str(Path(tempfile.mkdtemp()) / "market")
        write_market(Path(folder), Market(600, 240, 1), DatasetInfo(name="notebook", buckets=8))
    dataset = open_dataset(folder)
    return (dataset,)


@app.cell
def _(Request, dataset, load_settings, run):
    settings = load_settings()
    request = Request(
        dataset.info.name, "converted", None, 1, settings.training.seed, lambda what, total: lambda by: None
    )
    training = run.train(dataset, settings, request)
    return (training,)


@app.cell
def _(mo, pd, training):
    metrics = training.judgement.metrics
    rows = {name: {m: round(i.value, 4) for m, i in measured.items()} for name, measured in metrics.items()}
    table = pd.DataFrame(rows).T
    mo.vstack([mo.md(f"## Chosen: {training.judgement.champion}"), table])
    return (table,)


@app.cell
def _(figures, reliability, training):
    found = training.judgement
    bars = reliability(found.said[found.champion], found.bench, found.draws)
    figure = figures.reliability_figure(bars, found.champion)
    figure  # noqa: B018 - the last expression of a cell is what it shows
    return bars, figure, found


if __name__ == "__main__":
    app.run()
