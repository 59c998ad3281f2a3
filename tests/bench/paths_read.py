"""Read everybody of a dataset as `leadlift paths` does, and nothing else: `python -m tests.bench.paths_read LAKE`."""

from __future__ import annotations

import json
import sys

from data.dataset import open_dataset
from training.path_targets import people_of

if __name__ == "__main__":
    print(json.dumps({"leads": sum(len(people) for people in people_of(open_dataset(sys.argv[1])))}))
