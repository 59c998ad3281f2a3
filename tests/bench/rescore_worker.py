"""One measurement of rescoring, in a process of its own: `python -m tests.bench.rescore_worker WHAT HOME LAKE OUT N`.

    whole      a rescoring without reasons by N processes
    needed     what no rescoring does without: features from decoded tables, the model asked
    spark      a rescoring by Spark with N threads, after its start
    postgres   the same scores written to the database OUT

Prints one JSON object: seconds of the processor (of all threads of the process) and of the wall clock, leads,
and the most memory that it (`gb`) and a process it started (`worker_gb`) ever held.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
from tests.bench.rescore_decoded import ArrangedInMemory, Decoded
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
    seconds = {"cpu": time.process_time() - cpu, "s": time.perf_counter() - start}
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    return {**seconds, "leads": done.leads["scored"], "worker_gb": most}


def needed(job: Job, out: str, workers: int) -> dict[str, float]:
    """The processor's seconds of what no rescoring does without, by the functions that the job calls.

    read       not counted: events, leads and links of the whole lake decoded into memory
    found      the visitors of the lake joined to leads, and its events put in the order of the buckets of their leads
    features   the rest of the way to the matrix: texts as codes, events sorted by lead and time, features
    predict    from the matrix to probabilities and their bounds

    Nothing is written, and neither the points of the rules nor records that no feature asks for are counted.
    """
    feature_set, bundle = job.scorer.feature_set, job.scorer.bundle
    assert bundle is not None
    assert not feature_set.context
    lake = Decoded(job.dataset.lake)
    groups = [[bucket] for bucket in range(lake.info.buckets)]
    spent = dict.fromkeys(("found", "features", "predict"), 0.0)
    with _counted(spent, "found"):
        arranged = ArrangedInMemory(lake, groups)
    for group in groups:
        with _counted(spent, "features"):
            known = of_people(arranged.people_in(group, accounts=False, outcomes=False), job.as_of)
            who = known.leads, feature_set.encode(known.events), known.everyone, known.created_at, known.as_of
            matrix = features_at(*who, feature_set, known.beside.bare())
        points = score_points(job.scorer.rules, known.moment(feature_set)).total
        with _counted(spent, "predict"):
            bundle.predict(matrix, points)
    return spent


@contextmanager
def _counted(spent: dict[str, float], name: str) -> Iterator[None]:
    start = time.process_time()
    yield
    spent[name] += time.process_time() - start


def spark(job: Job, out: str, workers: int) -> dict[str, float]:
    from serving.rescore_spark import session, spark_engine

    with session(f"local[{workers}]"):
        start = time.perf_counter()
        done = rescore(job, Target(Path(out)), How(engine=spark_engine(), workers=workers))
        return {"s": time.perf_counter() - start, "leads": done.leads["scored"]}


def postgres(job: Job, out: str, workers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as workshop:
        target = Timed(out, Path(workshop))
        done = rescore(job, target)
    return {"s": target.seconds, "leads": done.leads["scored"]}


def most_held() -> float:
    """The most memory that this process held, in GB. What the system tells of a child counts the process it came from."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024 / 1e9


if __name__ == "__main__":
    what, home, folder, out, workers = sys.argv[1:]
    measure = {"whole": whole, "needed": needed, "spark": spark, "postgres": postgres}[what]
    print(json.dumps(measure(job_of(Path(home), Path(folder)), out, int(workers)) | {"gb": most_held()}))
