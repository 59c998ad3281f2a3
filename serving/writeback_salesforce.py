"""Salesforce: jobs of Bulk API 2.0. Create, upload, close, wait, fetch what succeeded, failed and was not processed.

Nothing is processed before a job is closed. So a job that is found open is aborted and its leads go with another; one
that was closed is waited for, before anything else is sent.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from data.errors import CrmError
from serving.writeback_fields import Item, NoteJob, Outcome, salesforce_name
from serving.writeback_http import Http, Refused, code_of
from serving.writeback_state import SENT, SKIPPED

ROWS = 25_000  # leads in a job: some 12 MB, 50 at worst, of the 100 MB that an upload may have
TOKEN = "LEADLIFT_SALESFORCE_TOKEN"
_JOBS = "/services/data/v60.0/jobs/ingest"
_NULL = "#N/A"  # an empty cell would leave the old value
_OVER = ("JobComplete", "Failed", "Aborted")
_ROUNDS, _LONGEST_POLL, _PATIENCE = 4, 30.0, 3600.0  # seconds
_CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"


def csv_text(items: Sequence[Item], id_field: str) -> str:
    """A file for Bulk API 2.0: names of fields, commas, LF, `#N/A` for null.

    A text that a spreadsheet would run stays as it is: these cells become fields of a record, apostrophes and all.
    """
    fields = list(items[0].values)
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow([id_field, *(salesforce_name(field) for field in fields)])
    lines.writerows([item.lead, *(_cell(item.values[field]) for field in fields)] for item in items)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None or value == "":
        return _NULL
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Salesforce:
    """One object (Lead or Contact). id_field: `Id` updates by Salesforce's own ids, another upserts by that one."""

    rows = ROWS

    def __init__(self, http: Http, object_name: str, id_field: str) -> None:
        self._http, self._object, self._id = http, object_name, id_field

    def deliver(self, items: Sequence[Item], note_job: NoteJob) -> Outcome:
        """Send leads and wait for what becomes of them.

        Returns
        -------
        tuple
            a result for each lead, and why nothing more should be sent (null: go on).

        Raises
        ------
        CrmError
            where that is not known yet; `resume` finds out.
        """
        text = csv_text(items, self._id)
        refused: Refused | None = None
        for _ in range(_ROUNDS):
            try:
                job = self._create()
            except Refused as no:
                return {item.lead: f"failed:{no.code}" for item in items}, no
            note_job(job)
            try:
                self._upload(job, text)
            except Refused as no:  # perhaps because what it asked for had been done at the first, unanswered try
                refused = no
            found = self._info(job)
            if found is not None and found.get("state") != "Open":
                return self._results(job, found)
            note_job(None)
            self._abort(job)
        raise refused or CrmError("Salesforce lost a job again and again. Run the same command later.", "lost")

    def resume(self, job: str | None) -> Outcome | None:
        """The results of a job that was under way when a run ended; null where nothing of it was processed."""
        found = self._info(job) if job else None
        if job is None or found is None:
            return None
        if found.get("state") == "Open":
            self._abort(job)
            return None
        return self._results(job, found)

    def _create(self) -> str:
        order = {"object": self._object, "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}
        how = {"operation": "update"} if self._id == "Id" else {"operation": "upsert", "externalIdFieldName": self._id}
        return str(self._http.document("POST", _JOBS, json={**order, **how})[1].get("id"))

    def _upload(self, job: str, text: str) -> None:
        headers = {"Content-Type": "text/csv; charset=UTF-8"}
        self._http.ask("PUT", f"{_JOBS}/{job}/batches", content=text.encode(), headers=headers)
        self._http.ask("PATCH", f"{_JOBS}/{job}", json={"state": "UploadComplete"})

    def _abort(self, job: str) -> None:
        with suppress(Refused):  # gone already; an open job processes nothing
            self._http.ask("PATCH", f"{_JOBS}/{job}", json={"state": "Aborted"})

    def _info(self, job: str) -> dict[str, Any] | None:
        """What Salesforce says of a job; null where it knows none of that id any more."""
        try:
            return self._http.document("GET", f"{_JOBS}/{job}")[1]
        except Refused as no:
            if no.status == 404:
                return None
            raise

    def _results(self, job: str, found: dict[str, Any] | None) -> Outcome:
        found = self._wait(job, found)
        results = {lead: "failed:unprocessed" for lead, _ in self._rows(job, "unprocessedrecords")}
        for lead, row in self._rows(job, "failedResults"):
            code = code_of(row.get("sf__Error") or "")
            results[lead] = SKIPPED + "converted" if code == _CONVERTED else f"failed:{code}"
        results.update((lead, SENT) for lead, _ in self._rows(job, "successfulResults"))
        return results, _failure(found)

    def _wait(self, job: str, found: dict[str, Any] | None) -> dict[str, Any]:
        pause, waited = 1.0, 0.0
        while found is not None and found.get("state") not in _OVER:
            if waited > _PATIENCE:
                raise CrmError(f"Salesforce still works on job {job}. Run the same command again later.", "running")
            self._http.sleep(pause)
            waited, pause = waited + pause, min(1.5 * pause, _LONGEST_POLL)
            found = self._info(job)
        if found is None:
            raise CrmError(f"Salesforce lost job {job}. Run the same command again.", "lost")
        return found

    def _rows(self, job: str, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
        """(lead, row) of one of a job's three lists."""
        text = self._http.ask("GET", f"{_JOBS}/{job}/{kind}/").content.decode("utf-8-sig")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            lead = row.get(self._id) or row.get("sf__Id")
            if lead:
                yield lead, row


def _failure(found: dict[str, Any]) -> CrmError | None:
    """Why a job as a whole failed: what it says names fields, not people."""
    if found.get("state") != "Failed":
        return None
    said = " ".join(word for word in str(found.get("errorMessage") or "no reason").split() if "@" not in word)[:200]
    return CrmError(
        f"Salesforce failed a whole job: {said}. See docs/writeback.md for the fields it needs.", "job_failed"
    )
