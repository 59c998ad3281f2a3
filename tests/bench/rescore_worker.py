"""One measurement of rescoring, in a process of its own: `python -m tests.bench.rescore_worker WHAT HOME LAKE OUT N`.

    whole      a rescoring without reasons by N processes
    needed     what no rescoring does without: features from decoded tables, the model asked
    postgres   the same scores written to the database OUT

Prints one JSON object: seconds of the processor (of all threads of the process) and of the wall clock, and leads.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from data.lake import Lake
from data.settings import Settings
from features.build import features_at
from serving.champion import champion
from serving.known import of_people
from serving.rescore import How, Job, rescore
from serving.rescore_postgres import Postgres
from serving.rescore_targets import Target
from serving.scorer import Wants
from tests.bench.rescore_decoded import decoded
from training.rules import score_points


class Timed(Postgres):
    """Knows how long the writing took."""

    seconds = 0.0

    def put(self, *given: Any) -> None:
        start = time.perf_counter()
        super().put(*given)
        self.seconds = time.perf_counter() - start


def job_of(home: Path, folder: Path) -> Job:
    lake = Lake(folder)
    scorer = champion(Settings(home=home), lake.info.name)
    return Job(lake, scorer, (lake.info.latest_arrival or 0) + 1, Wants("none"))


def whole(job: Job, out: str, workers: int) -> dict[str, float]:
    cpu, start = time.process_time(), time.perf_counter()
    done = rescore(job, Target(Path(out)), How(workers=workers))
    return {"cpu": time.process_time() - cpu, "s": time.perf_counter() - start, "leads": done.leads["scored"]}


def needed(job: Job, out: str, workers: int) -> dict[str, float]:
    """The processor's seconds of what no rescoring does without, by the product's own functions, bucket by bucket.

    features   from decoded Arrow tables in memory to the finished matrix: columns as codes, visitors joined to leads,
               events sorted, features computed. Not in it: to read, to find the records of a bucket among all others,
               the points of the rules, and tables that no feature asks for.
    predict    from the matrix to probabilities and their bounds
    """
    feature_set, bundle = job.scorer.feature_set, job.scorer.bundle
    assert bundle is not None and not feature_set.context
    features = predict = 0.0
    for tables in decoded(job.dataset.lake):
        start = time.process_time()
        known = of_people(tables.people_in([0], accounts=False), job.as_of)
        encoded = feature_set.encode(known.events)
        who = known.leads, encoded, known.everyone, known.created_at, known.as_of
        matrix = features_at(*who, feature_set, known.beside.bare())
        features += time.process_time() - start
        points = score_points(job.scorer.rules, known.moment(feature_set)).total
        start = time.process_time()
        bundle.predict(matrix, points)
        predict += time.process_time() - start
    return {"features": features, "predict": predict}


def postgres(job: Job, out: str, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as workshop:
        target = Timed(out, Path(workshop))
        done = rescore(job, target)
    return {"s": target.seconds, "leads": done.leads["scored"]}


if __name__ == "__main__":
    what, home, folder, out, workers = sys.argv[1:]
    measure = {"whole": whole, "needed": needed, "postgres": postgres}[what]
    print(json.dumps(measure(job_of(Path(home), Path(folder)), out, int(workers))))
