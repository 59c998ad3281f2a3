"""Online equals batch to the byte: one lead over HTTP, on the command line, and in a rescoring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data.dataset import People
from data.records import EVENT, LEAD, NULL_TIME, Coded
from serving.champion import champion
from serving.commands import scores
from serving.desk import Desk, reply_bytes
from serving.known import of_people
from serving.reply import time_text
from serving.rescore import Job, Target, read_current, rescore, stored_reply
from serving.scorer import Wants
from training.registry import place

SAMPLE = slice(None, None, 3)


def _value(kind: str, column: Any, row: int) -> Any:
    if isinstance(column, Coded):
        return column.values[column.codes[row]] if column.codes[row] >= 0 else None
    value = column[row].item()
    if kind == "time":
        return time_text(value)
    return None if value != value else value


def _request(people: People, lead: int, as_of: int, extra: tuple[Any, ...]) -> dict[str, Any]:
    """What a CRM that knows the same records would send."""
    columns = people.leads
    valid = np.where(columns["valid_from"] == NULL_TIME, columns["created_at"], columns["valid_from"])
    rows = np.flatnonzero((columns["lead"] == lead) & (valid < as_of))
    row = rows[np.argmax(valid[rows])]
    kinds = {c.name: c.kind for c in LEAD.columns if c.name not in ("source_row", "valid_from")}
    kinds |= {e.name: e.kind for e in extra}
    document = {n: _value(k, columns[n], row) for n, k in kinds.items()}
    events = people.events
    mine = np.flatnonzero((events["lead"] == lead) & (events["known_from"] < as_of))
    wanted = {c.name: c.kind for c in EVENT.columns if c.name not in ("visitor_id", "lead_id")}
    document["events"] = [
        {n: v for n, k in wanted.items() if (v := _value(k, events[n], e)) is not None} for e in mine[::-1].tolist()
    ]
    return document | {"as_of": time_text(as_of)}


@pytest.mark.parametrize(("reasons", "lang"), [("all", "en"), ("ready", "de"), ("none", "en")])
def test_http_gives_the_bytes_of_the_stored_row(market, client, tmp_path: Path, reasons, lang):
    scorer = champion(market.settings, market.name)
    rescore(Job(market.dataset, scorer, market.as_of, Wants(reasons, lang)), Target(tmp_path / "scores"))
    table = read_current(tmp_path / "scores")
    row_of = {lead: i for i, lead in enumerate(table.column("lead_id").to_pylist())}
    (people,) = market.dataset.people()
    assert sorted(row_of) == sorted(people.lead_ids)
    for i, lead in list(enumerate(people.lead_ids))[SAMPLE]:
        document = _request(people, i, market.as_of, market.dataset.info.extra)
        response = client.post(f"/v1/score?reasons={reasons}&lang={lang}", json=document)
        assert response.content == stored_reply(table, row_of[lead]), lead


def test_an_earlier_as_of_agrees_too(market, client, tmp_path: Path):
    """Between the leads' creation and their links: what was not known then counts nowhere."""
    as_of = market.as_of - 40 * 86_400_000_000
    scorer = champion(market.settings, market.name)
    rescore(Job(market.dataset, scorer, as_of, Wants()), Target(tmp_path))
    table = read_current(tmp_path)
    (people,) = market.dataset.people()
    for i, lead in list(enumerate(people.lead_ids))[SAMPLE]:
        response = client.post("/v1/score", json=_request(people, i, as_of, market.dataset.info.extra))
        row = table.column("lead_id").to_pylist().index(lead)
        assert response.content == stored_reply(table, row), lead


def test_a_batch_request_gives_the_bytes_of_single_requests(market, client):
    (people,) = market.dataset.people()
    documents = [_request(people, i, market.as_of, market.dataset.info.extra) for i in range(12)]
    single = [client.post("/v1/score?detail=full", json=d).content for d in documents]
    batch = client.post("/v1/score/batch?detail=full", json={"leads": documents}).content
    assert batch == b'{"results":[' + b",".join(b'{"status":"ok","reply":' + s + b"}" for s in single) + b"]}"


def test_a_table_without_times_agrees(timeless, tmp_path: Path):
    scorer = champion(timeless.settings, timeless.name)
    desk = Desk(scorer, timeless.settings.serving)
    rescore(Job(timeless.dataset, scorer, timeless.as_of, Wants()), Target(tmp_path))
    table = read_current(tmp_path)
    (people,) = timeless.dataset.people()
    for i in range(0, len(people), 5):
        document = _request(people, i, timeless.as_of, timeless.dataset.info.extra)
        assert desk.score(document, Wants(), 0).body == stored_reply(table, i)


def test_scoring_alone_gives_the_bytes_of_scoring_together(market):
    scorer = champion(market.settings, market.name)
    (people,) = market.dataset.people()
    wants = Wants(detail=True)
    together = scorer.score(of_people(people, market.as_of), wants)
    for i, lead in list(enumerate(people.lead_ids))[SAMPLE]:
        alone = scorer.score(of_people(people.select(lead), market.as_of), wants)
        assert reply_bytes(alone, 0) == reply_bytes(together, i)


def _run(*arguments: str, env: dict[str, str]) -> Any:
    app = typer.Typer()
    scores.register(app)
    return CliRunner().invoke(app, list(arguments), env=env, catch_exceptions=False)


def test_the_command_line_prints_the_bytes_of_http(market, client, tmp_path: Path):
    (people,) = market.dataset.people()
    env = {"LEADLIFT_HOME": str(market.settings.home)}
    for i in (0, 11, 40):
        document = _request(people, i, market.as_of, market.dataset.info.extra)
        wanted = client.post("/v1/score?detail=full&lang=de", json=document).content
        options = ["--detail", "full", "--lang", "de"]
        by_id = _run(
            "score", "--lead-id", people.lead_ids[i], "--dataset", str(market.dataset.path), "--as-of",
            time_text(market.as_of), *options, env=env,
        )  # fmt: skip
        assert by_id.stdout_bytes == wanted
        file = tmp_path / "lead.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        assert _run("score", "--file", str(file), *options, env=env).stdout_bytes == wanted


def test_http_answers_with_the_promoted_bundle(market, client):
    reply = client.post("/v1/score", json={"country": "DE"}).json()
    current = json.loads((place(market.settings.home, market.name, "converted") / "current.json").read_text())
    assert reply["model_version"] == current["version"] == market.bundle.version
