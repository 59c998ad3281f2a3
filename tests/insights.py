"""Markets whose page is prepared, some of them full of scripts, and requests to the page in this process."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
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
from features.content import ContentMap
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
    "<script>{}</script>", "<img src=x onerror={}>", '"><svg onload={}>', "'onmouseover={} x='", "<a href=javascript:{}>x</a>",
    "javascript:{}", "</script><script>{}</script>", "{{{{7*7}}}}{{%{}%}}", "<iframe srcdoc='<script>{}</script>'>", "=hyperlink({})",
)  # fmt: skip
_ALL = tuple(form.format(f"alert(window.ran={i})") for i in range(6) for form in _FORMS)
SCRIPTS, _OTHERS = _ALL[:40], _ALL[40:]
TITLES, URLS, CAMPAIGNS = SCRIPTS[:16], SCRIPTS[16:32], SCRIPTS[32:]
SITE = "https://www.example.com/"


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
        written, content = _poisoned(written, content)
    files = {"content.yaml": content, "rules.yaml": rules_text()}
    write_lake(folder / "market", DatasetInfo(name="market", buckets=4), written, files)
    settings = promoted(folder / "home", bundle_saying(0.07, MARKET.end))
    dataset = open_dataset(folder / "market")
    now = moment_of(dataset, None)
    publish(dataset, settings, now, Plan("7", 3, 5), lambda done: None)
    return Prepared(settings.home, dataset, settings, now)


def _poisoned(written: dict[str, Columns], content: str) -> tuple[dict[str, Columns], str]:
    """Pages, campaigns, and what is known of leads are scripts; and the map of contents."""
    leads, events, spend = (dict(written[n]) for n in ("leads", "events", "spend"))
    for name in ("industry", "country", "title"):
        leads[name] = _renamed(leads[name], _OTHERS)
    for columns in (events, spend):
        columns["campaign"] = _renamed(columns["campaign"], CAMPAIGNS)
    urls = events["url"]
    assert isinstance(urls, Coded)
    addresses, document = _poisoned_pages(list(urls.values), yaml.safe_load(content))
    events["url"] = replace(urls, values=addresses)
    return written | {"leads": leads, "events": events, "spend": spend}, yaml.safe_dump(document, allow_unicode=True)


def _renamed(column: object, scripts: Sequence[str]) -> Coded:
    assert isinstance(column, Coded)
    return replace(column, values=[*scripts, *(f"{s} " for s in scripts)][: len(column.values)])


def _poisoned_pages(urls: list[str], document: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Addresses and the map of contents: one half of the contents has a script for its title, the other one for its URL,
    which names it."""
    known = ContentMap.of(document)
    page = {url: url if "/docs/" in url else known.content(url).content_id for url in urls}
    scripts = dict(zip(sorted(set(page.values())), (*TITLES, *URLS), strict=True))
    topics = dict(zip(sorted({known.content(u).topic or "" for u in urls}), _OTHERS, strict=False)) | {"": None}
    entries = {}
    for url in urls:
        script, content = scripts[page[url]], known.content(url)
        own = [re.escape(urlsplit(u).path) for u in urls if page[u] == page[url]]
        titled = {"match": f"^({'|'.join(own)})$", "id": script}
        named = {"match": f"^/({re.escape(script)})$", "id": "\\1"}
        entries[script] = (titled if script in TITLES else named) | {
            "type": content.type, "topic": topics[content.topic or ""], "stage": content.stage, "gated": content.gated,
            "title": {"en": script, "de": script},
        }  # fmt: skip
    found = [f"{SITE}{s}?{i}" if (s := scripts[page[url]]) in URLS else url for i, url in enumerate(urls)]
    return found, document | {"content": list(entries.values())}


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
