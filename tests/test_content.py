"""What a URL is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from data.packaged import content_text
from features.content import Content, ContentMap
from tests.cases import CONTENT

MAP = ContentMap.of(CONTENT)


def _one(**entry: Any) -> ContentMap:
    return ContentMap.of({"content": [{"match": "^/(a|b)/(.*)$", "id": "x"} | entry]})


def test_the_first_matching_rule_wins_and_fills_its_groups() -> None:
    found = MAP.content("https://www.example.com/blog/crm/ten-tips?utm_source=x#top")
    assert found == Content("blog:ten-tips", "blog", "crm", "awareness")


@pytest.mark.parametrize("url", ["/pricing", "https://other.org/pricing?x=1", "//www.example.com/pricing"])
def test_only_the_path_of_a_url_matters(url: str) -> None:
    assert MAP.content(url).content_id == "pricing"


@pytest.mark.parametrize("url", ["https://www.example.com/nowhere", "", "http://[::1", "no url"])
def test_what_no_rule_knows_is_other(url: str) -> None:
    assert MAP.content(url) == Content("other")


def test_a_bare_host_is_the_home_page() -> None:
    assert MAP.content("https://www.example.com").content_id == "home"


def test_an_id_tells_what_its_url_would() -> None:
    assert MAP.by_id("case:x") == MAP.content("/case/x")
    assert MAP.by_id("pricing") == MAP.content("/pricing/eu")
    assert MAP.by_id("guide").gated == "/guide/form"


def test_what_an_id_does_not_tell_is_unknown() -> None:
    assert MAP.by_id("blog:b") == Content("blog:b", "blog", None, "awareness")
    assert MAP.by_id("never-heard") == Content("never-heard")


def test_named_groups_and_repeated_groups_work() -> None:
    names = ContentMap.of({"content": [{"match": "^/(?P<kind>[a-z]+)$", "id": r"\g<kind>:\g<kind>", "topic": r"\1"}]})
    assert names.content("/ads").content_id == "ads:ads"
    assert names.content("/ads").topic == "ads"
    assert names.by_id("ads:ads").type == "other"
    assert names.by_id("ads:crm") == Content("ads:crm")


def test_a_group_that_matched_nothing_leaves_the_attribute_unknown() -> None:
    assert _one(topic=r"\2").content("/a/") == Content("x")


def test_titles_do_not_make_another_content() -> None:
    pages = [
        {"match": "^/prices$", "id": "pricing", "title": {"en": "Prices"}},
        {"match": "^/preise$", "id": "pricing", "title": {"de": "Preise"}},
    ]
    titles = ContentMap.of({"content": pages})
    assert titles.content("/prices") == titles.content("/preise")
    assert titles.content("/preise").title_de == "Preise"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"id": None, "match": "("}, "the pattern does not compile"),
        ({"stage": "later"}, "expected a stage of awareness, consideration, decision, got 'later'"),
        ({"topic": r"\3"}, r"topic asks for \\3, a group the pattern has not"),
        ({"id": r"\g<name>"}, r"id asks for \\g<name>, a group the pattern has not"),
    ],
)
def test_a_bad_entry_is_named(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"content entry 1: {message}"):
        _one(**entry)


def test_an_entry_needs_match_and_id() -> None:
    with pytest.raises(ValueError, match="content entry 1: expected match and id, got type"):
        ContentMap.of({"content": [{"type": "blog"}]})


def test_the_packaged_map_loads_and_its_own_hosts_are_lower_case() -> None:
    packaged = ContentMap.of(yaml.safe_load(content_text()))
    assert packaged.rules
    assert ContentMap.of({"own_hosts": [" WWW.Example.com "]}).own_hosts == ("www.example.com",)
