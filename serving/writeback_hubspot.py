"""HubSpot: batches of 100 of its CRM API v3, upserted by a property of ours or updated by HubSpot's own id.

An answer of 207 is read item by item. A request refused as a whole is sent again in halves, until the contacts that are
to blame stand alone. A batch sent twice has the same content, so one that nobody saw the answer of is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from data.errors import CrmError
from serving.writeback_fields import Item, NoteJob, Outcome, hubspot_name
from serving.writeback_http import Http, Refused, code_of
from serving.writeback_state import SENT

ROWS = 100  # what a request may hold
TOKEN = "LEADLIFT_HUBSPOT_TOKEN"
OWN_ID = "hs_object_id"
_PATHS = {"Contact": "contacts", "Lead": "leads"}
_FEW = 10  # contacts that may be wrong or gone; where more, and all or most of a request, are, the set-up is
_TO_BLAME = (400, 404, 409, 413, 422)  # one item can be the cause of these


def body(items: Sequence[Item], id_property: str) -> dict[str, Any]:
    """A request's body. Null clears a property, which HubSpot spells as an empty text."""
    own = id_property == OWN_ID
    inputs = []
    for i, item in enumerate(items):
        properties = {hubspot_name(field): _text(value) for field, value in item.values.items()}
        by = {} if own else {"idProperty": id_property}
        properties |= {} if own else {id_property: item.lead}  # so that the answer names it too
        # The trace id makes HubSpot tell the items apart, and refuse some of them instead of all.
        inputs.append({"id": item.lead, **by, "objectWriteTraceId": str(i), "properties": properties})
    return {"inputs": inputs}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


class HubSpot:
    """One object (Contact or Lead). id_property: `hs_object_id` updates, another one upserts by that one."""

    rows = ROWS

    def __init__(self, http: Http, object_name: str, id_property: str) -> None:
        self._http, self._id = http, id_property
        how = "update" if id_property == OWN_ID else "upsert"
        self._path = f"/crm/v3/objects/{_PATHS[object_name]}/batch/{how}"

    def deliver(self, items: Sequence[Item], note_job: NoteJob) -> Outcome:
        """As Salesforce's. Nothing more is sent where a property is missing, or contacts are made instead of found."""
        results: dict[str, str] = {}
        created = self._send(items, results)
        if any("PROPERTY_DOESNT_EXIST" in result for result in results.values()):
            return results, _missing()
        if len(items) >= _FEW and not any(result == SENT for result in results.values()):
            return results, _stop_refused(results)
        wrong = created >= _FEW and 2 * created > len(items)
        return results, _stop_creating(created, self._id) if wrong else None

    def resume(self, job: str | None) -> None:
        """Nobody can ask what became of a request."""

    def _send(self, items: Sequence[Item], results: dict[str, str]) -> int:
        """Fill in the results; how many records HubSpot made."""
        try:
            status, document = self._http.document("POST", self._path, json=body(items, self._id))
        except Refused as no:
            if no.status not in _TO_BLAME:
                raise
            if len(items) == 1 or "PROPERTY_DOESNT_EXIST" in no.codes:
                code = "PROPERTY_DOESNT_EXIST" if "PROPERTY_DOESNT_EXIST" in no.codes else no.code
                results.update((item.lead, f"failed:{code}") for item in items)
                return 0
            half = len(items) // 2
            return self._send(items[:half], results) + self._send(items[half:], results)
        taken = [done for done in document.get("results") or () if isinstance(done, dict)]
        if status != 207 and not document.get("errors"):
            results.update((item.lead, SENT) for item in items)
        else:
            self._read(document, taken, items, results)
        return sum(bool(done.get("new")) for done in taken)

    def _read(
        self, document: dict[str, Any], taken: Iterable[dict[str, Any]], items: Sequence[Item], results: dict[str, str]
    ) -> None:
        """Which of the items a 207 took, and why not the others."""
        traces = {str(i): item.lead for i, item in enumerate(items)}
        leads = {item.lead for item in items}
        for done in taken:
            named = (done.get("properties") or {}).get(self._id) or done.get("id")
            lead = traces.get(str(done.get("objectWriteTraceId"))) or (named if named in leads else None)
            if lead:
                results[lead] = SENT
        for error in document.get("errors") or ():
            context = error.get("context") or {}
            traced = [traces.get(str(trace)) for trace in context.get("objectWriteTraceId") or ()]
            for lead in (*traced, *(one for one in context.get("ids") or () if one in leads)):
                if lead:
                    results[lead] = f"failed:{code_of(str(error.get('category') or error.get('subCategory') or ''))}"


def _missing() -> CrmError:
    return CrmError("HubSpot has not all of the properties. See docs/writeback.md for those to create.", "no_property")


def _stop_refused(results: dict[str, str]) -> CrmError:
    why = ", ".join(sorted({result.removeprefix("failed:") for result in results.values()}))
    return CrmError(f"HubSpot took nothing of a whole request: {why}. See docs/writeback.md for its set-up.", "set_up")


def _stop_creating(created: int, id_property: str) -> CrmError:
    return CrmError(
        f"HubSpot made {created} new records instead of finding them: property {id_property} is not filled. Fill it, or "
        "set LEADLIFT_WRITEBACK__HUBSPOT_ID=hs_object_id where lead ids are HubSpot's own.", "not_in_crm",
    )  # fmt: skip
