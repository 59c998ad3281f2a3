"""Session tables night after night: a visit that ends after midnight is one visit, told in two files."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import numpy as np

from data.importers.report import ImportReport
from data.importers.table import import_tables
from data.mapping import load_mapping
from data.settings import Settings
from tests.cases import fitted_feature_set
from tests.nightly import START, tables, whole

MAPPING = """
[dataset]
name = "shop"
timezone = "UTC"

[[table]]
match = "sessions_*.csv"
optional = true
record = "session"
columns = { session_id = "id", visitor_id = "who", lead_id = "user", started_at = "at", source = "source" }

[[table]]
match = "pages_*.csv"
optional = true
record = "event"
columns = { event_id = "id", session_id = "session", occurred_at = "at", type = "type", url = "url" }

[[table]]
match = "orders_*.csv"
optional = true
record = "outcome"
columns = { session_id = "session", occurred_at = "at", kind = "kind" }
"""
HEADS = {"sessions": "id,who,user,at,source", "pages": "id,session,at,type,url", "orders": "session,at,kind"}
Rows = dict[str, list[tuple[int, str]]]  # table -> (night, line)


def shop(seed: int, nights: int) -> Rows:
    rng, rows = random.Random(seed), {name: list[tuple[int, str]]() for name in HEADS}
    for session in range(40):
        at = START + timedelta(days=rng.randrange(nights - 1), seconds=rng.choice((86_380, 40_000)))
        who, begun, page = rng.randrange(9), at, 0
        source = rng.choice(("google", "news", ""))
        rows["sessions"].append(((begun - START).days, f"s{session},v{who},u{who % 6},{begun.isoformat()},{source}"))
        for page in range(rng.choice((1, 3, 5))):
            line = f"p{session}-{page},s{session},{at.isoformat()},page_view,/p{rng.randrange(3)}"
            rows["pages"].append(((at - START).days, line))
            at += timedelta(seconds=30)
        if page > 2:
            rows["orders"].append(((at - START).days, f"s{session},{at.isoformat()},converted"))
    return rows


def take_in(rows: Rows, nights: range, folder: Path, target: Path) -> ImportReport:
    folder.mkdir()
    for name, head in HEADS.items():
        lines = [line for night, line in rows[name] if night in nights]
        (folder / f"{name}_{nights[0]}.csv").write_text("\n".join([head, *lines]) + "\n")
    (folder / "m.toml").write_text(MAPPING)
    given = [str(f) for f in folder.glob("*.csv") if len(f.read_text().splitlines()) > 1]
    return import_tables(given, load_mapping(folder / "m.toml"), target, Settings(data={"buckets": 4}))  # type: ignore[arg-type]


def test_nightly_session_tables_give_the_features_of_one_import(tmp_path: Path) -> None:
    rows, nights = shop(4, 12), 12
    begun = {line.split(",")[0]: night for night, line in rows["sessions"]}
    assert any(night > begun[line.split(",")[1]] for night, line in rows["pages"])
    for night in range(nights):
        report = take_in(rows, range(night, night + 1), tmp_path / f"n{night}", tmp_path / "nightly")
        assert not any(t.rejected for t in report.tallies)
    take_in(rows, range(nights), tmp_path / "all", tmp_path / "once")
    nightly, once = whole(tmp_path / "nightly"), whole(tmp_path / "once")
    assert nightly.lead_ids == once.lead_ids
    assert len(nightly.events["lead"]) == len(once.events["lead"]) == len(rows["pages"])
    feature_set = fitted_feature_set()
    assert tables(nightly, feature_set, (3.5, 8, 13)) == tables(once, feature_set, (3.5, 8, 13))
    assert np.sort(np.asarray(nightly.outcomes["occurred_at"])).tolist() == sorted(
        np.asarray(once.outcomes["occurred_at"]).tolist()
    )
