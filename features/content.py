"""URL -> content: id, type, topic, funnel stage, gate. An ordered list of patterns, first match wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

OTHER = "other"
REMEMBERED, SHORT = 4_096, 200  # pages whose content is remembered, and how long such a one's address may be
_GROUP = re.compile(r"\\(?:(\d)|g<(\w+)>)")


@dataclass(frozen=True)
class Content:
    """One piece of content. `gated` is the URL of the form before it, or None; stage one of STAGES."""

    content_id: str
    type: str = OTHER
    topic: str | None = None
    stage: str | None = None
    gated: str | None = None
    title_en: str | None = field(default=None, compare=False)
    title_de: str | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        return hash(self.content_id)  # contents are told apart by all attributes, but hardly any share their id


STAGES = ("awareness", "consideration", "decision")


@dataclass(frozen=True)
class ContentRule:
    """A pattern on the URL's path and what it means.

    `\\1` or `\\g<name>` in id, topic and gated stands for that group of the pattern.
    """

    pattern: re.Pattern[str]
    id_pattern: re.Pattern[str]
    entry: Mapping[str, Any]

    def apply(self, path: str) -> Content | None:
        """The content of a URL's path; None where the pattern does not match."""
        found = self.pattern.search(path)
        if found is None:
            return None
        groups = {str(i + 1): text or "" for i, text in enumerate(found.groups())}
        return self._content(groups | {name: text or "" for name, text in found.groupdict().items()})

    def named(self, content_id: str) -> Content | None:
        """The content of this id; None where the rule makes no such id. What the id does not tell is unknown."""
        found = self.id_pattern.fullmatch(content_id)
        if found is None:
            return None
        groups = {name[1:]: text for name, text in found.groupdict().items()}
        return replace(self._content(groups), content_id=content_id)

    def _content(self, groups: Mapping[str, str]) -> Content:
        titles = self.entry.get("title") or {}
        return Content(
            content_id=_filled(self.entry["id"], groups) or OTHER,
            type=str(self.entry.get("type", OTHER)),
            topic=_filled(self.entry.get("topic"), groups),
            stage=self.entry.get("stage"),
            gated=_filled(self.entry.get("gated"), groups),
            title_en=titles.get("en"),
            title_de=titles.get("de"),
        )


def _filled(template: object, groups: Mapping[str, str]) -> str | None:
    """The template with its groups; None where there is none or a group is not known."""
    if not template or any((m[1] or m[2]) not in groups for m in _GROUP.finditer(str(template))):
        return None
    return _GROUP.sub(lambda m: groups[m[1] or m[2]], str(template)) or None


@dataclass(frozen=True)
class ContentMap:
    """The content map of `content.yaml`. Own hosts are the site itself: never a referrer.

    >>> m = ContentMap.of({"version": "1", "content": [{"match": "^/blog/(.+)$", "id": "blog:\\\\1", "type": "blog"}]})
    >>> m.content("https://example.com/blog/crm?utm_source=x").content_id
    'blog:crm'
    """

    version: str
    own_hosts: tuple[str, ...]
    rules: tuple[ContentRule, ...]
    source: Mapping[str, Any] = field(repr=False, compare=False)

    @staticmethod
    def of(document: Mapping[str, Any]) -> ContentMap:
        """Build from the parsed YAML: `version`, `own_hosts` and `content`, a list of entries.

        An entry has `match` and `id`, and may have `type`, `topic`, `stage`, `gated` and `title` (by language).

        Raises
        ------
        ValueError
            for an entry without `match` or `id`, a pattern that does not compile, or an unknown stage.
        """
        rules = tuple(_rule(i, e) for i, e in enumerate(document.get("content") or ()))
        return ContentMap(
            str(document.get("version", "0")),
            tuple(str(host).strip().lower() for host in document.get("own_hosts") or ()),
            rules,
            dict(document),
        )

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The types that contents can have."""
        return tuple(sorted({OTHER, *(str(rule.entry.get("type", OTHER)) for rule in self.rules)}))

    def content(self, url: str) -> Content:
        """The content of one URL; unmatched ones, and what is no URL at all, are one content called `other`."""
        page = url.strip().partition("#")[0].partition("?")[0]
        return self._found(page) if len(page) <= SHORT else self._sought(page)

    @cached_property
    def _found(self) -> Callable[[str], Content]:
        """`_sought`, remembered for the pages asked for last."""
        return lru_cache(maxsize=REMEMBERED)(self._sought)

    def _sought(self, page: str) -> Content:
        """The content of a URL without query and fragment."""
        try:
            parts = urlsplit(page)
        except ValueError:
            return Content(OTHER)
        path = parts.path or ("/" if parts.netloc else "")
        found = (rule.apply(path) for rule in self.rules)
        return next((content for content in found if content is not None), Content(OTHER))

    def by_id(self, content_id: str) -> Content:
        """A content named by id (events that carry `content_id` instead of a URL)."""
        found = (rule.named(content_id) for rule in self.rules)
        return next((content for content in found if content is not None), Content(content_id))

    def contents(self, urls: Iterable[str]) -> list[Content]:
        return [self.content(u) for u in urls]


def _rule(position: int, entry: Mapping[str, Any]) -> ContentRule:
    where = f"content entry {position + 1}"
    if "match" not in entry or "id" not in entry:
        raise ValueError(f"{where}: expected match and id, got {', '.join(map(str, entry)) or 'nothing'}")
    if entry.get("stage") not in (None, *STAGES):
        raise ValueError(f"{where}: expected a stage of {', '.join(STAGES)}, got {entry['stage']!r}")
    try:
        pattern = re.compile(str(entry["match"]))
    except re.error as bad:
        raise ValueError(f"{where}: the pattern does not compile: {bad}") from None
    known = {str(i + 1) for i in range(pattern.groups)} | set(pattern.groupindex)
    for key in ("id", "topic", "gated"):
        for m in _GROUP.finditer(str(entry.get(key) or "")):
            if (m[1] or m[2]) not in known:
                raise ValueError(f"{where}: {key} asks for {m[0]}, a group the pattern has not")
    return ContentRule(pattern, _id_pattern(str(entry["id"])), entry)


def _id_pattern(template: str) -> re.Pattern[str]:
    """What ids made from this template look like, groups by name: `blog:\\1` -> `blog:(?P<g1>.+)`."""
    text, at, seen = "", 0, set[str]()
    for m in _GROUP.finditer(template):
        name = m[1] or m[2]
        text += re.escape(template[at : m.start()]) + (f"(?P=g{name})" if name in seen else f"(?P<g{name}>.+)")
        at = m.end()
        seen.add(name)
    return re.compile(text + re.escape(template[at:]))
