"""What people should know about an import beyond its counts."""

from __future__ import annotations

from data.importers.handlers import Context
from data.importers.lookups import Lookups
from data.importers.merge_log import FILE
from data.mapping import MappingFile
from data.mapping_check import profile_sources


def history_columns(file: MappingFile) -> tuple[str, ...]:
    """The columns of the lead tables that can have a history."""
    sources = [s for t in file.table if t.record == "lead" for s in (*t.columns.values(), *t.extra.values())]
    return tuple(dict.fromkeys(s.column for s in sources if s.column is not None))


def notes_of(file: MappingFile, context: Context, lookups: Lookups) -> list[str]:
    """Sentences about look-ups, histories and duplicates, without values of any row."""
    return [*_lookups(lookups), *_early(context), *_history(file, context), *_duplicates(file, context)]


def _lookups(lookups: Lookups) -> list[str]:
    return [f"{name}: {n:,} keys have several rows; the first counts" for name, n in lookups.ambiguous.items()]


def _early(context: Context) -> list[str]:
    if not context.early:
        return []
    first = context.early[0]
    return [
        f"{first.stem}: {len(context.early):,} outcomes are older than their lead (the first in data row "
        f"{first.number:,}). They were kept; check both dates"
    ]


def _history(file: MappingFile, context: Context) -> list[str]:
    if not any(t.record == "change" for t in file.table):
        return []
    profile = {s.column for t in file.table if t.record == "lead" for _, s in profile_sources(t) if s.column}
    silent = context.changes.without_history(sorted(profile))
    notes = []
    if silent:
        notes.append(
            f"no history of {', '.join(silent)}: they count as known since the lead was created. Leave out of the "
            "mapping what is filled in later"
        )
    strangers = sum(not context.sink.has("lead", (lead,)) for lead in context.changes.leads())
    if strangers:
        notes.append(f"the history of {strangers:,} leads that are not in the data counts for nobody")
    return notes


def _duplicates(file: MappingFile, context: Context) -> list[str]:
    if not any("email" in t.columns for t in file.table if t.record == "lead"):
        return []
    if context.hash_key is None:
        return ["duplicates were not looked for: set LEADLIFT_EMAIL_HASH_KEY to compare addresses by their hashes"]
    found = len(context.merges.proposals())
    return [f"{found:,} leads look like an earlier one: see {FILE} in the dataset; none was merged"] if found else []
