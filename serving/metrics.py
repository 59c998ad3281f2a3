"""What the service counts, as Prometheus reads it. Labels are routes, status codes and versions: nothing of a request.

One event loop counts, so no lock is needed. Counts begin at 0 with each start of the worker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"  # one label for all paths that are no route: a path is what a stranger wrote
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Requests by route and status, and how long they took.

    Parameters
    ----------
    routes
        the paths that get a label of their own.
    """

    def __init__(self, routes: Collection[str]) -> None:
        self.active = 0  # admitted and not yet answered
        self._routes = frozenset(routes)
        self._requests: Counter[tuple[str, str]] = Counter()
        self._warnings: Counter[str] = Counter()
        self._slots: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count(self, path: str, status: int | None, seconds: float, warnings: str = "") -> None:
        """One request: its status (None where the caller hung up) and the codes of the reply's warnings."""
        route = path if path in self._routes else OTHER
        self._requests[route, "none" if status is None else str(status)] += 1
        self._slots.setdefault(route, [0] * (len(BUCKETS) + 1))[bisect_left(BUCKETS, seconds)] += 1
        self._seconds[route] += seconds
        for code in filter(None, warnings.split(",")):
            self._warnings[code.partition(":")[0]] += 1

    def text(self, state: Mapping[str, object]) -> bytes:
        """All of it in Prometheus' text format; `state` is what `/readyz` says."""
        return "".join(f"{line}\n" for line in self._lines(state)).encode()

    def _lines(self, state: Mapping[str, object]) -> Iterator[str]:
        yield from _head("leadlift_requests_total", "counter", "Requests answered, by route and status.")
        for (route, status), n in sorted(self._requests.items()):
            yield f"leadlift_requests_total{_labels(route=route, status=status)} {n}"
        yield from _head("leadlift_request_seconds", "histogram", "From the request's head to the answer's end.")
        for route, slots in sorted(self._slots.items()):
            yield from self._histogram(route, slots)
        yield from _head("leadlift_warnings_total", "counter", "Answers that carried a warning, by its code.")
        for code, n in sorted(self._warnings.items()):
            yield f"leadlift_warnings_total{_labels(code=code)} {n}"
        yield from _head("leadlift_requests_active", "gauge", "Requests being answered now.")
        yield f"leadlift_requests_active {self.active}"
        yield from _head("leadlift_ready", "gauge", "1 where nothing is amiss, 0 where /readyz says degraded.")
        yield f"leadlift_ready {int(state['status'] == 'ready')}"
        yield from _head("leadlift_release", "gauge", "Always 1; what answers now is in the labels.")
        named = ("market", "target", "model_version", "rules_version")
        yield f"leadlift_release{_labels(**{n: state[n] or '' for n in named})} 1"

    def _histogram(self, route: str, slots: list[int]) -> Iterator[str]:
        name, sofar = "leadlift_request_seconds", 0
        for bound, n in zip((*map(str, BUCKETS), "+Inf"), slots, strict=True):
            sofar += n
            yield f"{name}_bucket{_labels(route=route, le=bound)} {sofar}"
        yield f"{name}_sum{_labels(route=route)} {self._seconds[route]:.6f}"
        yield f"{name}_count{_labels(route=route)} {sofar}"


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _labels(**values: object) -> str:
    escaped = {k: str(v).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for k, v in values.items()}
    return "{" + ",".join(f'{k}="{v}"' for k, v in escaped.items()) + "}"
