"""A CRM on this machine, over real sockets: Salesforce's Bulk API 2.0 and HubSpot's batches.

    with crm_server() as crm: crm.url("a")       the address of an organisation of its own, made when it is first asked
    crm["a"].faults.append(Fault("PUT", "batches", 500))

It is as strict as the real ones where a client could be careless: one upload a job, nothing processed before a job is
closed, LF, names of fields that exist, 100 inputs.
"""

from __future__ import annotations

import csv
import io
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TOKEN = "a-token"
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Fault:
    """What happens once to the next request of a method whose path ends so. status 0: done, but never answered."""

    method: str
    end: str
    status: int
    headers: dict[str, str] = field(default_factory=lambda: {"Retry-After": "0"})
    body: Any = None


@dataclass
class Job:
    order: dict[str, Any]
    state: str = "Open"
    data: str | None = None
    asked: int = 0
    lists: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Organisation:
    """One customer's CRM. applied: what each lead was told, in order. leads: those it knows (null: any).

    polls: how often a job is asked about before it is processed; 0 = at once.
    """

    token: str = TOKEN
    leads: set[str] | None = None
    fields: set[str] | None = None
    converted: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    poison: set[str] = field(default_factory=set)
    applied: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    jobs: dict[str, Job] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    polls: int = 0
    dies_after: int | None = None
    traced: bool = True

    def answer(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid: jane@x.de"}]
        if path.startswith("/crm/v3/objects/"):
            return self._hubspot(path, json.loads(body))
        assert path.startswith("/services/data/v60.0/jobs/ingest"), path
        _, job, rest = (*path.removeprefix("/services/data/v60.0/jobs/ingest").split("/", 2), "", "")[:3]
        if not job:
            return self._create(json.loads(body))
        if job not in self.jobs:
            return 404, {}, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
        if method == "PUT":
            assert headers["Content-Type"].startswith("text/csv")
            return self._upload(self.jobs[job], rest, body.decode())
        if method == "PATCH":
            return self._change(self.jobs[job], json.loads(body)["state"])
        return self._info(job) if not rest else self._list(self.jobs[job], rest.strip("/"))

    # -- Salesforce --------------------------------------------------------------------------------------------
    def _create(self, order: dict[str, Any]) -> Answer:
        assert (order["object"], order["contentType"], order["lineEnding"]) in (
            ("Lead", "CSV", "LF"),
            ("Contact", "CSV", "LF"),
        )
        assert order["operation"] == "update" or order["externalIdFieldName"]
        number = f"750{len(self.jobs):012d}"
        self.jobs[number] = Job(order)
        return (
            200,
            {},
            {"id": number, "state": "Open", "contentUrl": f"services/data/v60.0/jobs/ingest/{number}/batches"},
        )

    def _upload(self, job: Job, rest: str, text: str) -> Answer:
        if rest != "batches" or job.state != "Open" or job.data is not None:
            return 400, {}, [{"errorCode": "INVALIDJOBSTATE", "message": "one upload a job"}]
        assert "\r" not in text
        assert text.endswith("\n")
        job.data = text
        return 201, {}, None

    def _change(self, job: Job, state: str) -> Answer:
        if job.state != "Open" or (state == "UploadComplete" and job.data is None):
            return 400, {}, [{"errorCode": "INVALIDJOBSTATE", "message": "not open, or empty"}]
        job.state = state
        if state == "UploadComplete" and not self.polls:
            self._process(job)
        return 200, {}, {"state": job.state}

    def _info(self, number: str) -> Answer:
        job = self.jobs[number]
        if job.state in ("UploadComplete", "InProgress"):
            job.state, job.asked = "InProgress", job.asked + 1
            if job.asked >= self.polls:
                self._process(job)
        said = (
            {"errorMessage": "InvalidBatch : Field name not found : Leadlift_Grade__c"} if job.state == "Failed" else {}
        )
        return 200, {}, {"id": number, "state": job.state, **said}

    def finish(self) -> None:
        """Process what nobody asked about."""
        for job in self.jobs.values():
            if job.state in ("UploadComplete", "InProgress"):
                self._process(job)

    def _process(self, job: Job) -> None:
        rows = list(csv.DictReader(io.StringIO(job.data or "", newline="")))
        key = "Id" if job.order["operation"] == "update" else job.order["externalIdFieldName"]
        if self.fields is not None and not set(rows[0]) <= {*self.fields, key}:
            job.state, job.lists["unprocessedrecords"] = "Failed", rows
            return
        for i, row in enumerate(rows):
            if self.dies_after is not None and i >= self.dies_after:
                job.lists["unprocessedrecords"].append(row)
            elif row[key] in self.converted:
                self._fail(job, row, "CANNOT_UPDATE_CONVERTED_LEAD:cannot reference converted lead:--")
            elif row[key] in self.broken:
                self._fail(job, row, 'FIELD_CUSTOM_VALIDATION_EXCEPTION:jane@x.de is not, "nice":--')
            else:
                self.applied[row[key]].append({k: v for k, v in row.items() if k != key})
                job.lists["successfulResults"].append({"sf__Id": "00Q", "sf__Created": "false", **row})
        job.state = "JobComplete" if self.dies_after is None else "Failed"

    @staticmethod
    def _fail(job: Job, row: dict[str, str], why: str) -> None:
        job.lists["failedResults"].append({"sf__Id": "", "sf__Error": why, **row})

    @staticmethod
    def _list(job: Job, name: str) -> Answer:
        assert name in ("successfulResults", "failedResults", "unprocessedrecords")
        assert job.state in ("JobComplete", "Failed", "Aborted")
        out, rows = io.StringIO(newline=""), list(reversed(job.lists[name]))  # their order is not promised
        if rows:
            lines = csv.DictWriter(out, list(rows[0]), lineterminator="\n", quoting=csv.QUOTE_ALL)
            lines.writeheader()
            lines.writerows(rows)
        return 200, {"Content-Type": "text/csv"}, out.getvalue()

    # -- HubSpot -----------------------------------------------------------------------------------------------
    def _hubspot(self, path: str, document: dict[str, Any]) -> Answer:
        kind, _, how = path.removeprefix("/crm/v3/objects/").split("/")
        assert (kind, how) in [(k, h) for k in ("contacts", "leads") for h in ("upsert", "update")]
        inputs = document["inputs"]
        names = {name for one in inputs for name in one["properties"]}
        if len(inputs) > 100 or {one["id"] for one in inputs} & self.poison:
            return 400, {}, {"status": "error", "category": "VALIDATION_ERROR", "message": "jane@x.de"}
        if self.fields is not None and not names <= self.fields:
            wrong = [{"code": "PROPERTY_DOESNT_EXIST", "message": "no such property"}]
            return 400, {}, {"status": "error", "category": "VALIDATION_ERROR", "errors": wrong}
        assert all(("idProperty" in one) == (how == "upsert") for one in inputs)
        results, errors = [], []
        for one in inputs:
            lead, trace = one["id"], one["objectWriteTraceId"]
            if lead in self.broken or (how == "update" and self.leads is not None and lead not in self.leads):
                context = {"objectWriteTraceId": [trace]} if self.traced else {"ids": [lead]}
                errors.append(
                    {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "jane@x.de", "context": context}
                )
                continue
            new = self.leads is not None and lead not in self.leads
            self.applied[lead].append(one["properties"])
            results.append({
                "id": lead if how == "update" else f"hs-{lead}", "new": new, "properties": one["properties"],
                **({"objectWriteTraceId": trace} if self.traced else {}),
            })  # fmt: skip
        if not errors:
            return 200, {}, {"status": "COMPLETE", "results": results}
        return 207, {}, {"status": "COMPLETE", "results": results, "errors": errors, "numErrors": len(errors)}


class CrmServer(dict[str, Organisation]):
    """Organisations by name."""

    def __init__(self) -> None:
        super().__init__()
        self.port, self.polls = 0, 0
        self.lock = threading.Lock()

    def __missing__(self, name: str) -> Organisation:
        self[name] = Organisation(polls=self.polls)
        return self[name]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@contextmanager
def crm_server() -> Iterator[CrmServer]:
    """Serves until the end of the block."""
    crm = CrmServer()

    class Handler(_Handler):
        organisations = crm

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    crm.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield crm
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    organisations: CrmServer
    protocol_version = "HTTP/1.1"
    wbufsize, disable_nagle_algorithm = -1, True  # headers and body in one packet, else each answer takes 40 ms

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        _, name, rest = urlsplit(self.path).path.split("/", 2)
        with self.organisations.lock:
            told = self._told(self.organisations[name], "/" + rest, body)
        if told is None:
            self.close_connection = True
            return
        status, headers, document = told
        text = "" if document is None else document if isinstance(document, str) else json.dumps(document)
        self.send_response(status)
        for key, value in {
            "Content-Type": "application/json",
            **headers,
            "Content-Length": str(len(text.encode())),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def _told(self, there: Organisation, path: str, body: bytes) -> Answer | None:
        fault = next((f for f in there.faults if f.method == self.command and path.rstrip("/").endswith(f.end)), None)
        if fault is not None:
            there.faults.remove(fault)
        if fault is not None and fault.status:
            told: Answer = (fault.status, fault.headers, fault.body)
        else:
            told = there.answer(self.command, path, body, self.headers)
        there.requests.append((self.command, path, told[0]))
        if fault is not None and not fault.status:
            return None
        return told[0], {**there.headers, **told[1]}, told[2]

    do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""
