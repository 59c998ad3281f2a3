"""Who said who they are: `identify` calls as links and as the history of a lead's profile."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from data import emails
from data.importers.calls import Call, Traits, cleaned, profiles
from data.importers.cells import Broken, Identified
from data.importers.finish import Link
from data.importers.rejects import RowError, Tally
from data.importers.spill import part_of
from data.lake_merge import TOLD


@dataclass
class People:
    """The calls of an import, held in memory: one entry a call. Tallies count them by file."""

    tallies: list[Tally] = field(default_factory=list)
    _calls: dict[str, Call] = field(default_factory=dict)
    _tally: Tally = field(default_factory=lambda: Tally("", ""))
    _key: bytes | None = field(default_factory=emails.hash_key)

    @property
    def read(self) -> int:
        """Calls of the file that was begun last."""
        return self._tally.read

    def begin(self, file: str, record: str) -> None:
        """What is added from here on is of this file, and is counted as this record."""
        self._tally = Tally(file, record)

    def add(self, calls: Sequence[Identified]) -> list[Broken]:
        """Keep some calls; those that cannot be used."""
        refused = []
        for call in calls:
            try:
                clean = cleaned(call, self._key)
            except RowError as bad:
                self._tally.reject(bad.reason, bad.column, call.line)
                refused.append(Broken(call.line, bad.reason, bad.column))
                continue
            if call.event_id in self._calls:
                self._tally.duplicate += 1
                clean = min(clean, self._calls[call.event_id], key=lambda c: c.known)
            else:
                self._tally.accepted += 1
            self._calls[call.event_id] = clean
        if self._tally.read and self._tally not in self.tallies:
            self.tallies.append(self._tally)
        return refused

    def links_by_part(self) -> dict[int, list[Link]]:
        """The links of the calls, by the part of the spill their visitor is in."""
        found: dict[int, list[Link]] = defaultdict(list)
        for call in self._calls.values():
            if call.visitor_id is not None:
                found[part_of(call.visitor_id)].append((call.visitor_id, call.lead_id, call.known))
        return found

    def profiles(self) -> Iterator[Traits]:
        """A row for each moment a lead's traits were told at: what it does not say is as before."""
        return ({**row, TOLD: True} for row in profiles(self._calls.values()))
