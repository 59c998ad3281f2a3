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
        limits = [f">= {self.low:g}"] * (self.low is not None) + [f"<= {self.high:g}"] * (self.high is not None)
        return f"{self.name:<52}  {self.measured:>10.4f}  {' and '.join(limits):<18}  {'ok' if self.ok else 'short'}"
