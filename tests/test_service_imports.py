"""A worker imports nothing heavy: neither tables, nor trainers, nor trackers, nor figures."""

from __future__ import annotations

import subprocess
import sys

from tests.insights import prepared

HEAVY = ("pandas", "pyarrow", "lightgbm", "sklearn", "mlflow", "plotly", "scipy", "psycopg")
PROGRAM = f"""
import sys
import serving.service
print([name for name in {HEAVY!r} if name in sys.modules])
"""


def test_the_service_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_answering_imports_nothing_heavy_either(market):
    program = f"""
import sys
from pathlib import Path
from data.settings import Settings
from serving.champion import load_scorer
from serving.desk import Desk
from serving.scorer import Wants
desk = Desk(load_scorer(Settings(home=Path({str(market.settings.home)!r})), {market.name!r}))
view = {{"type": "page_view", "occurred_at": "2026-01-01T00:00:00Z"}}
assert desk.scorer.bundle is not None
assert desk.score({{"title": "CEO", "events": [view]}}, Wants(detail=True), 10**16).status == 200
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_showing_the_page_imports_nothing_heavy_either(tmp_path):
    program = f"""
import sys
from pathlib import Path
from serving.insights.choice import Choice
from serving.insights.edition import Shelf
from serving.insights.page import view_page
from serving.insights.views import view_of
from serving.insights.words import VIEWS
edition = Shelf(Path({str(prepared(tmp_path).home)!r}), "market").current()
for name in VIEWS:
    for choice in (Choice(), Choice(start=edition.parts["won"].months[3]), Choice(segment="country:DE")):
        assert len(view_page(edition, view_of(edition, name, choice), choice, True, True)) > 2000
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
