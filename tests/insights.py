"""Markets whose page is prepared, some of them full of scripts, and requests to the page in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import yaml

from data.dataset import Dataset, DatasetInfo, open_dataset
from data.lake_write import write_lake
from data.packaged import content_text, rules_text
from data.records import Coded, Columns
from data.settings import Settings
from data.simulate.market import Market
from data.simulate.run import live
from data.simulate.write import records
from serving import keys
from serving.access import Access
from serving.desk import Answer
from serving.insights.edition import Edition, Shelf
from serving.insights.plan import Plan
from serving.insights.publish import publish
from serving.insights.routes import Insights
from tests.planted import bundle_saying, promoted
from training.run import moment_of

WHEN = "2026-11-20T09:00:00+00:00"
MARKET = Market(700, 240, 2)
_FORMS = (
    "<script>alert({})</script>", "<img src=x onerror=alert({})>", '"><svg onload=alert({})>', "'onmouseover=alert({}) x='",
    "<a href=javascript:alert({})>x</a>", "javascript:alert({})", "</script><script>alert({})</script>",
    "{{{{7*7}}}}{{%alert({})%}}", "<iframe srcdoc='<script>alert({})</script>'>", "=HYPERLINK(alert({}))",
)  # fmt: skip
SCRIPTS = tuple(form.format(i) for i in range(4) for form in _FORMS)


@dataclass(frozen=True)
class Prepared:
    """A market whose page is prepared."""

    home: Path
    dataset: Dataset
    settings: Settings
    now: int

    @property
    def edition(self) -> Edition:
        found = Shelf(self.home, "market").current()
        assert found is not None
        return found


def prepared(folder: Path, hostile: bool = False) -> Prepared:
    """A small market in `folder`, a champion, and the page."""
    written, content = records(live(MARKET)), content_text()
    if hostile:
        written, content = _poisoned(written), _poisoned_map(content)
    files = {"content.yaml": content, "rules.yaml": rules_text()}
    write_lake(folder / "market", DatasetInfo(name="market", buckets=4), written, files)
    settings = promoted(folder / "home", bundle_saying(0.07, MARKET.end))
    dataset = open_dataset(folder / "market")
    now = moment_of(dataset, None)
    publish(dataset, settings, now, Plan("7", 3, 5), lambda done: None)
    return Prepared(settings.home, dataset, settings, now)


def _poisoned(written: dict[str, Columns]) -> dict[str, Columns]:
    """Industries, countries, campaigns and titles are scripts."""
    leads, events = dict(written["leads"]), dict(written["events"])
    for columns, name in ((leads, "industry"), (leads, "country"), (leads, "title"), (events, "campaign")):
        column = columns[name]
        assert isinstance(column, Coded)
        columns[name] = replace(column, values=[f"{SCRIPTS[i % len(SCRIPTS)]} {i}" for i in range(len(column.values))])
    return written | {"leads": leads, "events": events}


def _poisoned_map(text: str) -> str:
    """Every content has a script for its name and topic; the groups of its pattern stay."""
    document: dict[str, Any] = yaml.safe_load(text)
    for i, entry in enumerate(document["content"]):
        script = SCRIPTS[i % len(SCRIPTS)]
        entry["id"] = script + "".join(f" {g}" for g in re.findall(r"\\\d", entry["id"])) + f" #{i}"
        entry["topic"] = SCRIPTS[(i + 20) % len(SCRIPTS)]
        entry["title"] = {"en": script, "de": script}
    return yaml.safe_dump(document, allow_unicode=True)


# -- requests ----------------------------------------------------------------------------------------------------
@dataclass
class Visitor:
    """Asks the page in this process."""

    home: Path
    market: str | None = "market"

    def __post_init__(self) -> None:
        access = Access(self.home, "127.0.0.1")
        self._page = Insights(self.home, access, lambda: self.market)

    def get(self, url: str, **headers: str) -> Answer:
        return self._ask("GET", url, b"", headers)

    def post(self, url: str, form: dict[str, str], **headers: str) -> Answer:
        return self._ask("POST", url, urlencode(form).encode(), headers)

    def _ask(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        raw = [
            (k.replace("_", "-").lower().encode(), v.encode()) for k, v in {"host": "127.0.0.1:3000", **headers}.items()
        ]
        scope = {"type": "http", "method": method, "path": parts.path, "query_string": parts.query.encode(), "headers": raw,
                 "server": ("127.0.0.1", 3000), "scheme": "http"}  # fmt: skip
        return asyncio.run(self._page.answer(scope, body, None))

    def signed_in(self, token: str) -> Callable[[str], Answer]:
        """Asks with the session that this key gives."""
        answer = self.post("/insights/sign-in", {"key": token, "next": "/insights/"})
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return lambda url: self.get(url, cookie=cookie)


def key(home: Path, *scopes: str) -> str:
    """A fresh key; its name is its scopes."""
    return keys.create(home, f"{'-'.join(scopes)}-{np.random.default_rng().integers(10**12)}", scopes, WHEN)[1]
