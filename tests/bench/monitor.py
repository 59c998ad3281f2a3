"""The monitor over markets of several sizes: faults it names, and nights on which nothing is wrong and it says so."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from data.records import DAY
from data.simulate.market import Market
from tests.bench.line import Line
from tests.planted import FAULTS, Scene, alarms_of, is_named, scene_of

SIZES = ((700, 240), (1_500, 180), (6_000, 240))  # leads, days
SEEDS = (11, 12, 13)  # thresholds were chosen on markets of the seeds 1 to 3
NIGHTS = 30


def lines() -> Iterator[Line]:
    """30 quiet nights and ten faults in nine markets that no threshold was chosen on."""
    for leads, days in SIZES:
        named, least, beside, quiet = 0, len(FAULTS), 0, 0
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                scene = scene_of(Market(leads, days, seed), Path(folder))
                quiet += sum(len(scene.watch(as_of=scene.market.end - n * DAY).alarms) for n in range(NIGHTS))
                hits, others = _planted(scene, Path(folder))
            named, least, beside = named + hits, min(least, hits), beside + others
        # In the smallest market a week has 20 new leads and 400 events: what it cannot show is printed, not promised.
        small = leads == SIZES[0][0]
        yield Line(f"monitor, {leads} leads: alarms in {NIGHTS * len(SEEDS)} quiet nights", quiet, high=0)
        yield Line(f"monitor, {leads} leads: faults of ten named, worst market", least, low=None if small else 9)
        yield Line(f"monitor, {leads} leads: faults of ten named, mean", named / len(SEEDS), low=None if small else 9)
        yield Line(f"monitor, {leads} leads: alarms beside the planted fault", beside)


def _planted(scene: Scene, folder: Path) -> tuple[int, int]:
    """Faults that were named, and alarms that named something else."""
    found = {name: alarms_of(scene, name, folder) for name in FAULTS}
    named = [n for n, alarms in found.items() if any(is_named(FAULTS[n], a) for a in alarms)]
    beside = sum(not is_named(FAULTS[n], a) for n, alarms in found.items() for a in alarms)
    return len(named), beside
