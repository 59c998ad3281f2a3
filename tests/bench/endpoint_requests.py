"""What is sent to the endpoint: the profile of a lead and its last 20 events, as a CRM would send them.

Leads of a simulated market, each its own request, asked about a second after its last event. The same moments as rows
of ready features are what MLflow's server gets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.dataset import People, open_dataset, stored
from data.records import EVENT, MICROS, NULL_TIME, PROFILE_NUMBER, PROFILE_TEXT, Coded, Columns
from features.build import build_features
from serving.champion import scorer_of
from serving.desk import Desk
from serving.gather import gather
from serving.reply import time_text
from serving.request import parse
from training.bundle import Bundle

EVENTS = 20
TIMES = ("occurred_at", "received_at")


def documents(dataset_at: Path, most: int) -> list[dict[str, Any]]:
    """Requests of at most so many leads that have EVENTS events."""
    found: list[dict[str, Any]] = []
    for people in open_dataset(dataset_at).people():
        found += _documents(people)
    return found[:most]


def _documents(people: People) -> Iterator[dict[str, Any]]:
    owner, profiles = (np.asarray(c["lead"], dtype=np.int64) for c in (people.events, people.leads))
    time = np.asarray(people.events["occurred_at"], dtype=np.int64)
    order = np.lexsort((time, owner))
    ends = np.searchsorted(owner[order], np.arange(len(people)), side="right")
    for lead in np.flatnonzero(np.bincount(owner[owner >= 0], minlength=len(people)) >= EVENTS).tolist():
        rows = order[ends[lead] - EVENTS : ends[lead]]
        profile = int(np.flatnonzero(profiles == lead)[0])
        yield {
            **_known(people.leads, profile, (*PROFILE_TEXT, *PROFILE_NUMBER)),
            "created_at": time_text(int(people.created_at[lead])),
            "as_of": time_text(int(time[rows[-1]]) + MICROS),
            "events": [_known(people.events, i, _SENT) for i in rows.tolist()],
        }


_SENT = tuple(c.name for c in EVENT.columns if c.name not in ("visitor_id", "lead_id"))


def _known(columns: Columns, row: int, names: tuple[str, ...]) -> dict[str, Any]:
    """The values of one row that are known."""
    values = {name: _value(name, columns[name], row) for name in names if name in columns}
    return {name: value for name, value in values.items() if value is not None}


def _value(name: str, column: Any, row: int) -> Any:
    if isinstance(column, Coded):
        code = int(column.codes[row])
        return column.values[code] if code >= 0 else None
    value = column[row].item()
    if name in TIMES:
        return None if value == NULL_TIME else time_text(value)
    return value if value == value else None


def feature_rows(bundle: Bundle, requests: list[dict[str, Any]]) -> list[bytes]:
    """The same moments for MLflow's server: one row of ready features each."""
    desk = Desk(scorer_of(bundle))
    extra = stored(bundle.feature_set.extra)
    rows = []
    for request in requests:
        known = gather([parse(request, desk.lead_model)], extra, 0)
        moment = known.moment(bundle.feature_set)
        table = build_features(moment.leads, moment.journeys, bundle.feature_set)
        values = [None if v != v else v for v in table.values[0].tolist()]
        rows.append(json.dumps({"dataframe_split": {"columns": table.columns, "data": [values]}}).encode())
    return rows
