"""`import --suggest`: the draft loads, runs where nothing is to choose, and says what is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.dataset import open_dataset
from data.importers.suggest import CHOOSE, open_choices, suggest
from data.importers.table import import_tables
from data.mapping import load_mapping
from data.settings import Settings

Command = Callable[..., tuple[int, dict[str, Any], str]]


@pytest.mark.public_data
def test_x_education_runs_as_it_is_drafted(
    tmp_path: Path, public_data: Path, leadlift_at: Callable[[], Command]
) -> None:
    file, leadlift = str(public_data / "x_education_leads" / "Leads.csv"), leadlift_at()
    draft = str(tmp_path / "m.toml")
    code, document, _ = leadlift("import", file, "--suggest", "--mapping", draft, "--to", str(tmp_path / "x_education"))
    assert (code, document["choices"]) == (0, [])
    for column in ("Tags", "Lead Quality", "Last Notable Activity", "Asymmetrique Activity Score", "Lead Number"):
        assert f'\n# "{column}": ' in document["mapping"]
    code, document, _ = leadlift("import", file, "--mapping", draft, "--to", str(tmp_path / "d"))
    assert (code, document["files"][0]["accepted"]) == (0, 9240)
    labels = [v for people in open_dataset(tmp_path / "d").people() for v in people.labels.tolist()]
    assert sum(labels) == 3561
    code, _, said = leadlift("import", file, "--suggest", "--mapping", draft)
    assert code == 2
    assert "one that exists" in said


def test_a_crm_export_with_events_loads_once_the_choices_are_made(tmp_path: Path) -> None:
    leads = ["Id,Created Date,Email,Phone,Title,NumberOfEmployees,Status,Budget,Plan Wish,Only One,visitor_id"]
    leads += [
        f"L{i},2026-01-0{1 + i % 9} 10:00,p{i}@x.org,+49 {i},CTO,51-200,Open,{i}.5,{('a', 'b')[i % 2]},x,v{i}"
        for i in range(20)
    ]
    views = [
        "pageview_id,visitor_id,timestamp,url",
        *(f"{i},v{i},2026-01-01T10:00:00Z,https://x.org/" for i in range(20)),
    ]
    won = ["lead_id,outcome,closed on", *(f"L{i},converted,2026-02-01T10:00:00Z" for i in range(3))]
    for name, lines in (("leads.csv", leads), ("views.csv", views), ("won.csv", won)):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    files = [tmp_path / name for name in ("leads.csv", "views.csv", "won.csv")]
    text = suggest(files, "crm")
    for line in (
        'record = "lead"', 'record = "event"', 'record = "outcome"', 'visitor_id = "visitor_id"',
        'employees = "NumberOfEmployees"', "budget = {", "plan_wish = {", '# "Status": written while salespeople',
        '# "Phone": personal', '# "Only One": the same in every row', 'type = { value = "page_view" }',
    ):  # fmt: skip
        assert line in text
    assert [line.partition(" ")[0] for line in open_choices(text)] == ["timezone", "occurred_at"]
    chosen = text.replace(f'timezone = "{CHOOSE}"', 'timezone = "UTC"').replace(
        f'occurred_at = "{CHOOSE}"', 'occurred_at = "closed on"'
    )
    (tmp_path / "m.toml").write_text(chosen)
    report = import_tables([str(f) for f in files], load_mapping(tmp_path / "m.toml"), tmp_path / "d", Settings())
    assert [(t.accepted, t.rejected) for t in report.tallies] == [(20, 0), (20, 0), (3, 0)]
