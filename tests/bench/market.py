"""The simulated market against its plan: base rate, AUC of the truth, and what the champion reaches of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from data.simulate.report import truth_report
from tests.bench.line import Line
from tests.bench.models import leadlift


def lines() -> Iterator[Line]:
    """10,000 leads over 365 days, the market of the demo; the truth at 3,000 matured snapshots, 500 continuations each."""
    with tempfile.TemporaryDirectory() as folder:
        market = f"{folder}/market"
        leadlift(folder, "simulate", market, "--leads", "10000", "--days", "365", "--seed", "7")
        report = truth_report(market, 3000, 500, 0)
        yield Line("market snapshots with truth", report["judged"], low=3000)
        yield Line("market base rate", report["base_rate"], 0.03, 0.08)
        yield Line("market AUC of the truth", report["auc"], 0.78, 0.88)
        found = leadlift(folder, "train", market, "--trials", "3")
        for candidate in found["candidates"]:
            yield Line(f"market {candidate['name']} auc", candidate["metrics"]["auc"]["value"])
            yield Line(f"market {candidate['name']} log_loss", candidate["metrics"]["log_loss"]["value"])
