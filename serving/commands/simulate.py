"""`leadlift simulate`: a market with known truth, as a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from data.dataset import DatasetInfo
from data.settings import load_settings
from serving.arguments import ConfigOption
from serving.console import JsonOption, Screen

RECORDS = ("leads", "events", "converted", "cancelled", "lost", "accepted", "rejected")


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    out: Annotated[Path, typer.Argument(help="The dataset folder to make.")],
    leads: Annotated[int, typer.Option(help="Leads born within the market.")] = 4000,
    days: Annotated[int, typer.Option(help="Length of the market in days.")] = 365,
    seed: Annotated[int, typer.Option(help="Same numbers and seed, same dataset.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the market.")] = "market",
    buckets: Annotated[int | None, typer.Option(min=1, help="Hash buckets; default from the settings.")] = None,
    truth: Annotated[int, typer.Option(min=0, help="Also compute the truth at this many snapshots and report it.")] = 0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a B2B market with known truth and write it as a dataset."""
    from data.simulate.market import Market
    from data.simulate.write import write_market

    screen = Screen(as_json)
    market = Market(leads, days, seed)
    settings = load_settings(config, options={"data.buckets": buckets})
    screen.say(f"simulating {leads} leads over {days} days (seed {seed})")
    counts = write_market(out, market, DatasetInfo(name=name, buckets=settings.data.buckets))
    report = _truth(out, truth, screen) if truth else None
    screen.say(f"wrote market {name} to {out}\n")
    screen.table("", ("what", "rows"), [(r, f"{counts[r]:,}") for r in RECORDS])
    if report:
        _show(report, screen)
    screen.next_steps(f"leadlift train {out} --promote", f"leadlift paths {out}")
    document = {"dataset": str(out), "market": name, "leads": leads, "days": days, "seed": seed}
    screen.result({**document, "counts": dict(counts), "truth": report})


def _truth(out: Path, snapshots: int, screen: Screen) -> dict[str, Any]:
    from data.simulate.report import truth_report

    screen.say(f"continuing {snapshots} snapshots 500 times each (about {max(snapshots // 100, 1)} s)")
    return truth_report(out, snapshots)


def _show(report: dict[str, Any], screen: Screen) -> None:
    rows = [
        ("matured snapshots", f"{report['snapshots']:,}"),
        ("base rate", f"{100 * report['base_rate']:.2f} %"),
        ("AUC of the truth", _three(report["auc"])),
        ("AUC it expects of itself", _three(report["auc_expected"])),
        ("observed minus expected, in standard errors", f"{report['gap_in_se']:+.2f}"),
    ]
    screen.table("the truth", ("what", "value"), rows)


def _three(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"
