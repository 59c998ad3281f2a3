"""The bench's columns with Leadlift: the 50, or all features of the catalogue, in blocks of leads on both cores.

Run as `python -m tests.bench.features_ours 50|all FOLDER LEADS OUT`, in a process of its own.
"""

from __future__ import annotations

import sys
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
THREADS = 2


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
    lead, as_of, created_at = np.arange(n), np.full(n, AS_OF), np.full(n, CREATED_AT)
    return features_at(leads, encoded, lead, created_at, as_of, feature_set, threads=THREADS).values


def main(which: str, folder: str, leads: str, out: str) -> None:
    def load(arrays: Arrays, n: int) -> tuple[FeatureSet, Encoded, Columns, int]:
        encoded = encoded_of(arrays)
        if which == "all":
            return everything(encoded), encoded, profiles(n), n
        return the_50(), encoded, profiles(0), n

    serve((folder, leads, out), load, lambda native: table_of(*native))


if __name__ == "__main__":
    main(*sys.argv[1:])
