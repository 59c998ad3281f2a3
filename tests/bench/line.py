"""One figure of the bench."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A measured figure and its limit: at most `high`, at least `low`, both where given."""

    name: str
    measured: float
    low: float | None = None
    high: float | None = None

    @property
    def ok(self) -> bool:
        return (self.low is None or self.measured >= self.low) and (self.high is None or self.measured <= self.high)

    def __str__(self) -> str:
        bounds = ((">=", self.low), ("<=", self.high))
        limits = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        return f"{self.name:<58}  {self.measured:>10.4f}  {limits or '-':<20}  {'ok' if self.ok else 'short'}"
