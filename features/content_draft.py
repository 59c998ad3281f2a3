"""A first content map from the URLs seen: pages that lie together become one entry. A draft for people to correct.

Paths are read without query and fragment. Below a common beginning many different pages become one pattern
(`^/blog/([^/]+)`), few stay entries of their own. Types and stages are guessed from words of the path.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml

from features.content import OTHER, ContentMap

MANY = 3
OWN_HOST_SHARE = 0.05
_LANGUAGE = re.compile(r"^/[a-z]{2}(?:-[a-z]{2})?(?=/|$)", re.IGNORECASE)
# A part of a path that names somebody or something passing: addresses, numbers, long codes.
_PRIVATE = re.compile(r"@|%40")
_CODE = re.compile(r"\d+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*", re.IGNORECASE)
_WORDS: tuple[tuple[str, str, str | None], ...] = (
    (r"pric|preis|tarif|plans?\b|kosten", "pricing", "decision"),
    (r"demo|trial|testen", "demo", "decision"),
    (r"contact|kontakt", "contact", "decision"),
    (r"thank|danke", "thanks", None),
    (r"blog|news|magazin|article|artikel", "blog", "awareness"),
    (r"customer|case|success|kunden|referen[zc]", "case", "consideration"),
    (r"guide|whitepaper|ebook|leitfaden|report|download", "guide", "consideration"),
    (r"webinar|event|veranstaltung", "webinar", "consideration"),
    (r"docs?\b|help|hilfe|manual|support|api", "docs", "consideration"),
    (r"career|jobs?\b|karriere|stellen", "careers", None),
    (r"product|produkt|feature|solution|loesung|lösung|platform", "product", "consideration"),
)
_GUESSES = tuple((re.compile(rf"(?<![a-zäöü])(?:{words})", re.IGNORECASE), t, s) for words, t, s in _WORDS)


def path_of(url: str) -> str | None:
    """The path of a URL for showing and drafting, parts with an address masked; None for what is no URL."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    path = parts.path or ("/" if parts.netloc else "")
    return "/".join("*" if _PRIVATE.search(part) else part for part in path.split("/")) or None


def unmapped(urls: Mapping[str, int], content: ContentMap) -> list[tuple[str, int]]:
    """(path, views) of the URLs that no entry matches, most viewed first, then by path."""
    views: Counter[str] = Counter()
    for url, count in urls.items():
        if content.content(url).content_id == OTHER:
            views[path_of(url) or "(no URL)"] += count
    return sorted(views.items(), key=lambda item: (-item[1], item[0]))


def unused(urls: Iterable[str], content: ContentMap) -> list[str]:
    """Ids of entries that are the first match of no URL."""
    hit = set()
    for path in {path for url in urls if (path := path_of(url)) is not None}:
        hit.add(next((i for i, rule in enumerate(content.rules) if rule.pattern.search(path)), None))
    return [str(rule.entry["id"]) for i, rule in enumerate(content.rules) if i not in hit]


def draft(urls: Mapping[str, int], least_views: int = 1) -> dict[str, Any]:
    """The document of a content map: entries by views, most viewed first, narrower ones before wider ones."""
    paths: Counter[str] = Counter()
    for url, count in urls.items():
        path = path_of(url)
        if path is not None and path.startswith("/"):
            paths[_LANGUAGE.sub("", path).rstrip("/").lower() or "/"] += count
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    for path, count in paths.items():
        groups[path.split("/")[1]][path] += count
    entries: list[tuple[int, dict[str, Any]]] = []
    for head, members in groups.items():
        entries += _entries(head, members, least_views)
    entries.sort(key=lambda e: (-e[1]["match"].count("/"), -e[0], e[1]["match"]))
    return {"version": "1", "own_hosts": _own_hosts(urls), "content": [entry for _, entry in entries]}


def draft_text(urls: Mapping[str, int], least_views: int = 1) -> str:
    """The draft as YAML, with what is to be done about it."""
    head = ("# A draft from the URLs seen. Merge what is one content, correct type, topic and stage, add titles.\n"
            "# type: blog product pricing guide case docs webinar demo contact careers home thanks ...\n"
            "# stage: awareness consideration decision\n")  # fmt: skip
    return head + yaml.safe_dump(draft(urls, least_views), sort_keys=False, allow_unicode=True, width=120)


def _entries(head: str, members: Counter[str], least_views: int) -> list[tuple[int, dict[str, Any]]]:
    """Entries of the paths that begin with /head."""
    below = Counter({path: n for path, n in members.items() if path.count("/") > 1})
    own = members[f"/{head}"]
    found = []
    children = {path.split("/")[2] for path in below}
    if len(children) >= MANY or any(_CODE.fullmatch(child) or child == "*" for child in children):
        match = f"{_start(head)}/([^/]+)(?:/.*)?$"
        deeper = sum(n for path, n in below.items() if path.count("/") > 2)
        topic = {"topic": r"\1"} if 2 * deeper > sum(below.values()) else {}
        found.append((sum(below.values()), _entry(match, _id(head) + r":\1", head) | topic))
    else:
        found += [(n, _entry(f"{_start(path[1:])}/?$", _id(path[1:]), path)) for path, n in below.items()]
    if own:
        found.append((own, _entry(f"{_start(head)}/?$" if head else "^/(?:[a-z]{2})?/?$", _id(head) or "home", head)))
    return [(n, entry) for n, entry in found if n >= least_views]


def _start(path: str) -> str:
    return "(?i)^(?:/[a-z]{2}(?:-[a-z]{2})?)?/" + re.escape(path).replace(r"\-", "-")


def _id(path: str) -> str:
    return re.sub(r"[^\w/.-]+", "-", path).strip("/-").replace("/", ":").replace("\\", "")


def _entry(match: str, content_id: str, path: str) -> dict[str, Any]:
    if not path:
        return {"match": match, "id": content_id, "type": "home", "stage": "awareness"}
    for pattern, kind, stage in _GUESSES:
        if pattern.search(path):
            return {"match": match, "id": content_id, "type": kind} | ({"stage": stage} if stage else {})
    return {"match": match, "id": content_id, "type": OTHER}


def _own_hosts(urls: Mapping[str, int]) -> list[str]:
    """Hosts with at least 5 % of the views."""
    hosts: Counter[str] = Counter()
    for url, count in urls.items():
        try:
            hosts[(urlsplit(url.strip()).hostname or "").lower()] += count
        except ValueError:
            continue
    whole = sum(hosts.values())
    return sorted(host for host, n in hosts.items() if host and n >= OWN_HOST_SHARE * whole)
