"""One measurement of rescoring, in a process of its own: `python -m tests.bench.rescore_worker WHAT HOME LAKE OUT N`.

    whole      a rescoring without reasons by N processes
    needed     what no rescoring does without: events encoded and sorted, features built, the model asked
    postgres   the same scores written to the database OUT

Prints one JSON object: seconds of the processor and of the wall clock, and leads.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from data.dataset import bucket_groups
from data.lake import Lake
from data.lake_arrange import arrange
from data.settings import Settings
from features.build import features_at
from serving.champion import champion
from serving.known import of_people
from serving.rescore import How, Job, rescore
from serving.rescore_postgres import Postgres
from serving.rescore_targets import Target
from serving.rescore_workers import GROUP_EVENTS
from serving.scorer import Wants
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
    """The processor's seconds between the decoded tables of each group and the finished matrix, and from it on."""
    lake, feature_set, bundle = job.dataset.lake, job.scorer.feature_set, job.scorer.bundle
    assert bundle is not None
    groups, cpu = bucket_groups(lake.info, range(lake.info.buckets), GROUP_EVENTS), 0.0
    with tempfile.TemporaryDirectory() as folder:
        arranged = arrange(lake, groups, Path(folder), range(len(lake.event_chunks)))
        for group in groups:
            known = of_people(arranged.people_in(group, accounts=feature_set.context), job.as_of)
            points = score_points(job.scorer.rules, known.moment(feature_set)).total
            beside = known.beside if feature_set.context else known.beside.bare()
            start = time.process_time()
            encoded = feature_set.encode(known.events)
            who = known.leads, encoded, known.everyone, known.created_at, known.as_of
            bundle.predict(features_at(*who, feature_set, beside), points)
            cpu += time.process_time() - start
    return {"cpu": cpu}


def postgres(job: Job, out: str, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as workshop:
        target = Timed(out, Path(workshop))
        done = rescore(job, target)
    return {"s": target.seconds, "leads": done.leads["scored"]}


if __name__ == "__main__":
    what, home, folder, out, workers = sys.argv[1:]
    measure = {"whole": whole, "needed": needed, "postgres": postgres}[what]
    print(json.dumps(measure(job_of(Path(home), Path(folder)), out, int(workers))))
