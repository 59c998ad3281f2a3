"""Published sets of scores made by hand, and `leadlift writeback` run on them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from data.errors import LeadliftError
from serving.commands import writeback
from serving.rescore_columns import SCHEMA
from tests.crm_server import TOKEN, CrmServer, Organisation

AS_OF = datetime(2026, 11, 20, 6, tzinfo=UTC)


def publish(folder: Path, leads: Mapping[str, float | None], run: str = "first", **columns: Any) -> Path:
    """A set with these probabilities; grade and points follow them, other columns are given for all."""
    rows = [_row(lead, p, columns) for lead, p in leads.items()]
    place = folder / run
    place.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), place / "part-00000.parquet")
    digest = hashlib.sha256((place / "part-00000.parquet").read_bytes()).hexdigest()
    parts = [{"file": "part-00000.parquet", "rows": len(rows), "sha256": digest}]
    manifest = {
        "run": run,
        "market": "crm",
        "target": "converted",
        "leads": {"scored": len(rows)},
        "parts": parts,
        "files": [],
    }
    (place / "manifest.json").write_text(json.dumps(manifest))
    (folder / "current.json").write_text(json.dumps({"run": run, "manifest": f"{run}/manifest.json"}))
    return folder


def _row(lead: str, probability: float | None, columns: Mapping[str, Any]) -> dict[str, Any]:
    p = probability or 0.0
    return {
        "lead_id": lead, "as_of": AS_OF, "target": "converted", "probability": probability, "points": round(100 * p),
        "grade": "A1" if p >= 0.5 else "C3", "stage": "mql", "sales_ready": p >= 0.5, "expected_value": 1234.5,
        "reason_1": 'Saw "prices", twice\nand more', "model_version": "m1", "rules_version": "r1", "scored_at": AS_OF,
        "rank_score": p, **columns,
    }  # fmt: skip


def run(home: Path, scores: Path | str, *words: str, **environment: str | None) -> dict[str, Any]:
    """What the command says with --json."""
    return _invoked(home, scores, words, environment)[0]


def refused(
    home: Path, scores: Path, *words: str, error: type[LeadliftError], **environment: str | None
) -> tuple[dict[str, Any], str]:
    """What it said before it failed, and the one line of the failure."""
    document, said = _invoked(home, scores, words, environment, error)
    assert "\n" not in said
    return document, said


def _invoked(
    home: Path, scores: Path | str, words: tuple[str, ...], environment: Mapping[str, str | None], error: Any = None
) -> tuple[dict[str, Any], str]:
    app = typer.Typer()
    writeback.register(app)
    env = {"LEADLIFT_HOME": str(home), **environment}
    done = CliRunner().invoke(app, [str(scores), *words, "--json"], env=env)
    if error is None and done.exception is not None:
        raise done.exception
    assert error is None or isinstance(done.exception, error), done.output
    lines = done.stdout.strip()
    return json.loads(lines) if lines else {}, str(done.exception) if error else ""


def results(document: Mapping[str, Any]) -> dict[str, str]:
    """Lead -> result, one line a lead, and the counts of the summary are those of the file."""
    lines = [json.loads(line) for line in Path(document["results"]).read_text().splitlines()]
    found = {line["lead_id"]: line["result"] for line in lines}
    assert len(found) == len(lines) == document["leads"]
    kinds = Counter(result.partition(":")[0] for result in found.values())
    assert {k: document[k] for k in ("unchanged", "sent", "failed", "skipped")} == {
        k: kinds[k] for k in ("unchanged", "sent", "failed", "skipped")
    }
    assert document["changed"] == document["sent"] + document["failed"] + document["skipped"]
    return found


@dataclass
class Customer:
    """One organisation of a CRM, a home of its own, and the folder of its scores."""

    crm: str
    there: Organisation
    url: str
    home: Path
    scores: Path

    @property
    def environment(self) -> dict[str, str | None]:
        name = self.crm.upper()
        return {f"LEADLIFT_WRITEBACK__{name}_URL": self.url, f"LEADLIFT_{name}_TOKEN": TOKEN}

    def send(self, *words: str, **environment: str | None) -> dict[str, Any]:
        return run(self.home, self.scores, "--for", self.crm, "--send", *words, **{**self.environment, **environment})

    def stopped(self, error: type[LeadliftError], **environment: str | None) -> tuple[dict[str, Any], str]:
        words = ("--for", self.crm, "--send")
        return refused(self.home, self.scores, *words, error=error, **{**self.environment, **environment})

    def told(self, field: str) -> dict[str, list[str]]:
        """What each lead was told for a field, in order."""
        name = f"leadlift_{field}" if self.crm == "hubspot" else f"Leadlift_{field.title()}__c"
        return {lead: [one[name] for one in many] for lead, many in self.there.applied.items()}


LEADS = {f"lead-{i}": i / 10 for i in range(9)}


def customer(crm: str, server: CrmServer, folder: Path, request: pytest.FixtureRequest) -> Customer:
    """A customer of its own for this test, with the scores of LEADS."""
    name = re.sub(r"[^a-z0-9_]+", "-", f"{crm}-{request.node.name}")
    return Customer(crm, server[name], server.url(name), folder / "home", publish(folder / "scores", LEADS))
