"""One lead with 20 events: seconds of the fastest of many calls, everything warm.

Run as `python -m tests.bench.features_one ours|polars|duckdb FOLDER LEADS -`. Ours gets what `encode` makes of a
request: contents and campaigns of these events only. Polars runs its query from the frame, DuckDB from its tables.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np

from features.build import FeatureSet, build_features, moment_at
from features.encode import Encoded, Vocabulary
from tests.bench.features_data import AS_OF, CAMPAIGNS, Arrays, Stored, contents
from tests.bench.features_worker import best

EVENTS = 20


def one_lead(arrays: Arrays) -> Arrays:
    """The events of the first lead that has EVENTS before AS_OF and none after, as lead 0."""
    there = np.bincount(arrays["lead"]) == EVENTS
    late = np.bincount(arrays["lead"][arrays["known"] >= AS_OF], minlength=len(there)) > 0
    rows = np.flatnonzero(arrays["lead"] == np.flatnonzero(there & ~late)[0])
    return {name: column[rows] for name, column in arrays.items()} | {"lead": np.zeros(EVENTS, dtype=np.int64)}


def _request(arrays: Arrays) -> Encoded:
    """Codes from 0 without gaps, and only what they mean."""
    codes, words = {}, []
    for name, every in (("content", contents()), ("campaign", CAMPAIGNS)):
        seen = np.unique(arrays[name][arrays[name] >= 0])
        codes[name] = np.where(arrays[name] >= 0, np.searchsorted(seen, arrays[name]), -1).astype(np.int32)
        words.append(tuple(every[i] for i in seen))
    return Encoded(**(arrays | codes), page_view=np.zeros(0, dtype=np.int32), vocabulary=Vocabulary(*words))


def _ours(arrays: Arrays) -> dict[str, float]:
    from tests.bench.features_ours import CREATED_AT, encoded_of, everything, profiles, the_50

    encoded, leads = _request(one_lead(arrays)), profiles(1)
    zero, created_at, as_of = np.zeros(1, dtype=np.int64), np.array([CREATED_AT]), np.array([AS_OF])

    def table(feature_set: FeatureSet) -> None:
        moment = moment_at(leads, encoded, zero, created_at, as_of)
        build_features(moment.leads, moment.journeys, feature_set)

    fifty, every = the_50(), everything(encoded_of(arrays))
    return {"seconds": best(lambda: table(fifty)), "all": best(lambda: table(every))}


def main(engine: str, folder: str, leads: str, _out: str) -> None:
    arrays = Stored(Path(folder), int(leads)).load()
    if engine == "ours":
        found = _ours(arrays)
    else:
        module = importlib.import_module(f"tests.bench.features_{engine}")
        native = module.load(one_lead(arrays), 1)
        found = {"seconds": best(lambda: module.table(native))}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
