"""The OpenAPI document: valid, readable by CRMs, of the served bundle, the same bytes from everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from serving.openapi import OPERATIONS
from serving.reply import DETAIL_KEYS, KEYS
from serving.routes import ROUTES

CHECKED_IN = Path(__file__).parents[1] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema below a node."""
    if isinstance(node, list):
        for one in node:
            yield from _schemas(one)
    elif isinstance(node, dict):
        if {"type", "$ref", "anyOf", "oneOf", "allOf"} & set(node):
            yield node
        for name, inner in node.items():
            yield from _schemas(inner if name != "properties" else list(inner.values()))


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.0.")
    validate(document)


def test_a_crm_can_read_it(document: dict[str, Any]) -> None:
    """What Salesforce External Services cannot read, or reads badly, is not there."""
    schemas = list(_schemas(document["components"]["schemas"])) + list(_schemas(document["paths"]))
    assert len(schemas) > 100
    for schema in schemas:
        assert not {"anyOf", "oneOf", "allOf", "not", "const", "$defs", "default"} & set(schema)
        assert isinstance(schema.get("type", ""), str)
        assert None not in schema.get("enum", ())
        if schema.get("type") == "array":  # lists of named things
            assert "$ref" in schema["items"] or schema["items"]["type"] == "string"
    for named in document["components"]["schemas"].values():
        assert named["type"] == "object"
        assert all(p.get("type") != "object" for p in named["properties"].values())
    ids = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(set(ids)) == len(ids) == len(OPERATIONS)
    assert all(i.isidentifier() for i in ids)


def test_every_route_for_callers_is_described_with_its_scope(document: dict[str, Any]) -> None:
    assert set(document["paths"]) == set(ROUTES) - {"/openapi.json", "/metrics"}
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["security"] == ([{"key": []}] if ROUTES[path] else [])
            assert ROUTES[path] is None or {"401", "403", "429"} <= set(operation["responses"])


def test_declared_columns_of_the_served_bundle_are_inputs(document: dict[str, Any], market: Any) -> None:
    lead = document["components"]["schemas"]["Lead"]["properties"]
    assert lead["plan wish"]["type"] == "string"
    assert lead["trial_seconds"] == {"type": "number", "description": "s", "nullable": True}
    assert {"email", "events", "as_of", "title"} <= set(lead)


def test_the_reply_is_described_key_by_key(document: dict[str, Any], client: Any) -> None:
    reply = document["components"]["schemas"]["Reply"]
    assert reply["required"] == list(KEYS)
    assert list(reply["properties"]) == [*KEYS, *DETAIL_KEYS]
    answered = client.post("/v1/score?detail=full", json={"title": "CEO"}).json()
    assert list(answered) == list(reply["properties"])
    for key, name in (("reasons", "Reason"), ("ledger", "LedgerEntry")):
        assert set(answered[key][0]) == set(document["components"]["schemas"][name]["properties"])


def test_the_service_and_the_command_give_the_same_bytes(client: Any, market: Any, tmp_path: Path) -> None:
    out = tmp_path / "openapi.json"
    env = {**os.environ, "LEADLIFT_HOME": str(market.settings.home), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-m", "serving.cli", "openapi"]
    printed = subprocess.run(command, env=env, capture_output=True, check=True).stdout
    subprocess.run([*command, "--market", market.name, "--out", str(out)], env=env, capture_output=True, check=True)
    assert printed == out.read_bytes() == client.get("/openapi.json").content


def test_the_demos_document_is_the_one_in_docs(leadlift_at: Any, tmp_path: Path) -> None:
    """The simulated market declares no columns, so its interface does not hang on what was trained."""
    run, out = leadlift_at(), tmp_path / "openapi.json"
    assert run("simulate", str(tmp_path / "market"), "--leads", "60", "--days", "90", "--seed", "7")[0] == 0
    from data.dataset import open_dataset

    assert open_dataset(tmp_path / "market").info.extra == ()
    assert run("openapi", "--market", "market", "--out", str(out))[0] == 0
    assert out.read_bytes() == CHECKED_IN.read_bytes(), "leadlift openapi --market market --out docs/openapi.json"


def test_limits_are_those_of_the_settings(leadlift_at: Any, tmp_path: Path) -> None:
    out = tmp_path / "openapi.json"
    leadlift_at()("openapi", "--out", str(out), LEADLIFT_SERVING__MAX_BATCH="7", LEADLIFT_SERVING__MAX_EVENTS="9")
    schemas = json.loads(out.read_text())["components"]["schemas"]
    assert schemas["Leads"]["properties"]["leads"]["maxItems"] == 7
    assert schemas["Lead"]["properties"]["events"]["maxItems"] == 9
