"""`make bench`: the figures that are too slow for the suite. One line each: name, measured, limit, ok or short.

`ONLY=models` (or another one of PARTS, or one of ALONE) runs one part. The last full run is kept in docs/results.md.
"""

from __future__ import annotations

import importlib
import sys

PARTS = ("models", "market", "paths", "cold", "retrain", "features", "endpoint", "insights", "monitor", "rescore")
ALONE = ("rescore_large",)  # only when asked for


def main(only: str | None) -> int:
    """Run the parts; 1 where a figure falls short."""
    if only and only not in (*PARTS, *ALONE):
        print(f"ONLY: expected one of {', '.join((*PARTS, *ALONE))}, got {only!r}", file=sys.stderr)
        return 2
    short = 0
    for part in [only] if only else PARTS:
        for line in importlib.import_module(f"tests.bench.{part}").lines():
            print(line, flush=True)
            short += not line.ok
    return int(short > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
