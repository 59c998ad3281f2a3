"""How the page of a market is prepared; kept in the home, so that each rescoring prepares it the same way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from serving.insights.edition import FOLDER
from training.registry import place

PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """When paths are taken, how many last steps count, fewest people on a path shown."""

    landmark: str = "7"
    steps: int = 3
    support: int = 30


def plan_of(home: Path, market: str) -> Plan | None:
    """How the page of a market was prepared last; None where it never was."""
    try:
        return Plan(**json.loads((place(home, market, FOLDER) / PLAN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
