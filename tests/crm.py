"""What a CRM's export became, in plain values."""

from __future__ import annotations

import numpy as np

from data.dataset import People, open_dataset
from data.dataset_file import time_text
from data.importers.report import ImportReport
from data.records import Coded


def people_of(report: ImportReport) -> People:
    (people,) = open_dataset(report.path).people()
    return people


def texts_of(column: object) -> list[str | None]:
    assert isinstance(column, Coded)
    return column.texts()


def times_of(column: object) -> list[str]:
    """To the minute."""
    return [time_text(t)[:16] for t in np.asarray(column).tolist()]


def outcomes_of(people: People, lead: str) -> set[tuple[object, ...]]:
    """(kind, time, value, reason) of each outcome of a lead."""
    found = people.select(lead).outcomes
    value = [None if np.isnan(v) else v for v in np.asarray(found["value"]).tolist()]
    kinds, reasons = texts_of(found["kind"]), texts_of(found["reason"])
    return set(zip(kinds, times_of(found["occurred_at"]), value, reasons, strict=True))
