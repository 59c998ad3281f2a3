"""A simulated market as a dataset: records, the packaged points and content map, and what its truth is made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from data import packaged
from data.dataset import DatasetInfo
from data.errors import InputError
from data.lake_write import write_lake
from data.records import Columns
from data.simulate import crm, events, hazard, outcomes, rows, touches
from data.simulate.market import START, Market
from data.simulate.run import Run, live
from data.simulate.state import I64
from data.simulate.trail import trail

MARKET_FILE = "market.json"


def lead_ids(market: Market) -> tuple[str, ...]:
    """The ids of all leads, in the order of their creation."""
    return tuple(f"L{i + 1:06d}" for i in range(market.leads))


def records(run: Run) -> dict[str, Columns]:
    """Everything a run leaves behind, by record name; only what had happened and arrived before the market's end."""
    rng = run.market.streams()[2]
    ids, t = lead_ids(run.market), trail(run, rng)
    fates = outcomes.fates(run, t, rng)
    accepted = fates.kind == outcomes.KINDS.index("accepted")
    batches = [
        *events.web_events(t, run.people, rng), *events.mails(t, run.people, rng), events.bots(run.people, rng),
        *events.sales_events(fates.lead[accepted], fates.at[accepted], run.people, rng),
    ]  # fmt: skip
    all_rows = rows.join(batches)
    inside = (all_rows["at"] >= START) & (all_rows["received"] < run.market.end)
    return {
        "events": rows.columns_of(rows.pick(all_rows, inside), ids),
        "leads": crm.lead_columns(run.people, ids, rng),
        "outcomes": outcomes.outcome_columns(fates, ids),
        "links": crm.link_columns(t, run.people, ids),
        "consents": crm.consent_columns(run.people, ids, rng),
        "spend": touches.spend(run.market, rng),
    }


def write_market(path: Path, market: Market, info: DatasetInfo) -> Mapping[str, int]:
    """Simulate a market and write it as a dataset; the number of rows by record.

    Raises
    ------
    InputError
        where `path` holds something else (see `data.lake_write.write_lake`).
    """
    run = live(market)
    written = records(run)
    files = {"content.yaml": packaged.content_text(), "rules.yaml": packaged.rules_text(), MARKET_FILE: _described(run)}
    write_lake(path, info, written, files)
    return {**{name: _length(columns) for name, columns in written.items()}, **_counts(run, written)}


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _counts(run: Run, written: Mapping[str, Columns]) -> dict[str, int]:
    kind = written["outcomes"]["kind"]
    assert not isinstance(kind, np.ndarray)
    return {"leads": run.market.leads, **{k: int((kind.codes == i).sum()) for i, k in enumerate(outcomes.KINDS)}}


def _described(run: Run) -> str:
    document = {**asdict(run.market), "hazard_version": hazard.VERSION, "fingerprint": run.fingerprint}
    if run.market.path_effect:  # a file without it is a market with the effect, as all were once
        del document["path_effect"]
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def read_market(path: Path) -> tuple[Market, str]:
    """The market a dataset was simulated from, and its run's fingerprint.

    Raises
    ------
    InputError
        for a dataset without `market.json`, or one made by another version of the hazard.
    """
    try:
        document = json.loads((path / MARKET_FILE).read_text(encoding="utf-8"))
        market = Market(document["leads"], document["days"], document["seed"], document.get("path_effect", True))
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError.of(
            where=str(path / MARKET_FILE), expected="a simulated market", got="none",
            remedy="Only a dataset made by `leadlift simulate` has a known truth.",
        ) from None  # fmt: skip
    if document.get("hazard_version") != hazard.VERSION:
        raise InputError.of(
            where=str(path / MARKET_FILE), expected=f"hazard version {hazard.VERSION}",
            got=repr(document.get("hazard_version")), remedy="Simulate the market again.",
        )  # fmt: skip
    return market, str(document["fingerprint"])


def lead_numbers(market: Market, ids: list[str]) -> I64:
    """Numbers of leads by id; an unknown one is an InputError."""
    number = {lead_id: i for i, lead_id in enumerate(lead_ids(market))}
    found = np.array([number.get(i, -1) for i in ids], dtype=np.int64)
    if (found < 0).any():
        raise InputError.of(
            where=f"pair {int(np.argmin(found)) + 1}", expected="a lead of the market", got="an unknown id",
            remedy="Take ids from the dataset's leads.",
        )  # fmt: skip
    return found
