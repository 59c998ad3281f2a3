"""What would be sent, as files: for a data loader, a tool of one's own, or a look before the first `--send`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data.files import safe_cell
from serving import writeback_hubspot, writeback_salesforce
from serving.writeback import replacing
from serving.writeback_fields import Item, hubspot_name, in_pieces


def salesforce_files(groups: Iterable[Sequence[Item]], folder: Path, object_name: str, id_field: str) -> list[Path]:
    """CSV for Bulk API 2.0 with up to 25,000 leads a file, as one job takes them; older files of the object go."""
    for old in folder.glob(f"salesforce-{object_name}-*.csv"):
        old.unlink()
    files = []
    for i, some in enumerate(in_pieces(groups, writeback_salesforce.ROWS), 1):
        files.append(folder / f"salesforce-{object_name}-{i:04d}.csv")
        with replacing(files[-1]) as out:
            out.write(writeback_salesforce.csv_text(some, id_field))
    return files


def hubspot_file(groups: Iterable[Sequence[Item]], folder: Path, object_name: str, id_property: str) -> list[Path]:
    """JSON lines; each is the body of one request with up to 100 contacts."""
    file = folder / f"hubspot-{object_name}.jsonl"
    with replacing(file) as out:
        for some in in_pieces(groups, writeback_hubspot.ROWS):
            out.write(json.dumps(writeback_hubspot.body(some, id_property), ensure_ascii=False) + "\n")
    return [file]


def csv_file(groups: Iterable[Sequence[Item]], folder: Path, fields: Sequence[str]) -> list[Path]:
    """One CSV, null = empty; a text that a spreadsheet would run as a formula gets a leading apostrophe."""
    file = folder / "leads.csv"
    with replacing(file) as out:
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(["lead_id", *(hubspot_name(field) for field in fields)])
        for some in groups:
            lines.writerows([_cell(item.lead), *(_cell(item.values[f]) for f in fields)] for item in some)
    return [file]


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return safe_cell(value) if isinstance(value, str) else value
