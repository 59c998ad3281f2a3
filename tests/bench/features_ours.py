"""The bench's columns with Leadlift: the 50, or all features of the catalogue, in blocks of leads.

Both cores are used as a rescoring uses them: each of two processes takes half of the leads and writes into shared memory.

Run as `python -m tests.bench.features_ours 50|all FOLDER LEADS OUT`, in a process of its own.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.records import DAY, EMAIL_KINDS, Coded, Columns
from features.build import FeatureSet, features_at, fit_feature_set, moment_at
from features.catalog import families_for
from features.encode import Encoded, Vocabulary
from features.family import Labels
from tests.bench.features_columns import FAMILIES, FITTED
from tests.bench.features_data import AS_OF, CAMPAIGNS, Arrays, contents
from tests.bench.features_worker import serve

TRAINED_ON = 10_000
CREATED_AT = AS_OF - 30 * DAY
PROCESSES = 2


def the_50() -> FeatureSet:
    return FeatureSet(FAMILIES, (), FITTED, {}, {})


def everything(encoded: Encoded) -> FeatureSet:
    """All families, fitted on some leads with labels by chance."""
    lead = np.arange(TRAINED_ON)
    moments = np.full(TRAINED_ON, AS_OF)
    label = (np.random.default_rng(3).random(TRAINED_ON) < 0.1).astype(np.float64)
    known = moment_at(profiles(TRAINED_ON), encoded, lead, moments - 30 * DAY, moments)
    return fit_feature_set(families_for(), (), {}, {}, known, Labels(label, np.ones(TRAINED_ON)))


def encoded_of(arrays: Arrays) -> Encoded:
    columns: dict[str, Any] = dict(arrays)
    return Encoded(**columns, page_view=np.zeros(0, dtype=np.int32), vocabulary=Vocabulary(contents(), CAMPAIGNS))


def profiles(leads: int) -> Columns:
    """A profile row of each lead; some texts and numbers not known."""
    rng = np.random.default_rng(2)

    def text(*values: str) -> Coded:
        return Coded(rng.integers(-1, len(values), leads).astype(np.int32), values)

    return {
        "lead": np.arange(leads),
        "created_at": np.full(leads, CREATED_AT),
        "valid_from": np.full(leads, CREATED_AT),
        "email_kind": text(*EMAIL_KINDS),
        "email_domain": text(*(f"{i}.example" for i in range(1000))),
        "account_id": text(*(f"account {i}" for i in range(1000))),
        "title": text(*(f"{word} {what}" for word in ("Head of", "VP", "Junior") for what in ("Sales", "IT", "HR"))),
        "company": text(*(f"Company {i}" for i in range(1000))),
        "industry": text("software", "retail", "health", "finance"),
        "country": text("DE", "AT", "CH", "FR"),
        "lead_source": text("webinar", "fair", "website"),
        "employees": np.where(rng.random(leads) < 0.3, np.nan, rng.integers(1, 20_000, leads)),
    }


def table_of(feature_set: FeatureSet, encoded: Encoded, leads: Columns, n: int) -> NDArray[np.float64]:
    width = len(feature_set.columns)
    values = np.frombuffer(mmap.mmap(-1, max(n * width * 8, 1)), dtype=np.float64)[: n * width].reshape(n, width)

    def fill(part: int) -> None:
        lead = np.arange(part * n // PROCESSES, (part + 1) * n // PROCESSES)
        as_of, created_at = np.full(len(lead), AS_OF), np.full(len(lead), CREATED_AT)
        features_at(leads, encoded, lead, created_at, as_of, feature_set, out=values[lead[0] : lead[-1] + 1])

    others = [pid for part in range(1, PROCESSES) if (pid := _forked(fill, part))]
    fill(0)
    if any(os.waitpid(pid, 0)[1] for pid in others):
        raise RuntimeError("a process of the bench failed")
    return values


def _forked(work: Callable[[int], None], part: int) -> int:
    """Do a part in a process of its own, which sees all that is in memory; its number."""
    pid = os.fork()
    if not pid:
        work(part)
        os._exit(0)
    return pid


def main(which: str, folder: str, leads: str, out: str) -> None:
    def load(arrays: Arrays, n: int) -> tuple[FeatureSet, Encoded, Columns, int]:
        encoded = encoded_of(arrays)
        if which == "all":
            return everything(encoded), encoded, profiles(n), n
        return the_50(), encoded, profiles(0), n

    serve((folder, leads, out), load, lambda native: table_of(*native))


if __name__ == "__main__":
    main(*sys.argv[1:])
