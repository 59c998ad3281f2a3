"""`content suggest` drafts a map that reads what it was drafted from; `content check` names what a map misses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.dataset import DatasetInfo, open_dataset
from data.lake import write_lake
from data.records import Coded
from features.content import OTHER, ContentMap
from features.content_draft import draft, draft_text, path_of, unmapped, unused

HOST = "https://www.example.com"
SEEN = {
    f"{HOST}/": 50, f"{HOST}/de/": 5, f"{HOST}/pricing?utm_source=x": 20, f"{HOST}/de/preise": 10,
    f"{HOST}/blog/crm/one": 9, f"{HOST}/blog/ads/two": 8, f"{HOST}/blog/crm/three": 7, f"{HOST}/blog/seo/four": 2,
    f"{HOST}/about/team": 3, f"{HOST}/order/4711": 2, "https://partner.example/x": 1, "nonsense": 1,
}  # fmt: skip


def test_a_draft_knows_every_page_it_was_drafted_from() -> None:
    content = ContentMap.of(draft(SEEN))
    assert unmapped({u: n for u, n in SEEN.items() if u.startswith(HOST)}, content) == []
    assert content.own_hosts == ("www.example.com",)
    assert unused(SEEN, content) == []


def test_many_pages_below_one_beginning_become_one_entry() -> None:
    content = ContentMap.of(draft(SEEN))
    article = content.content(f"{HOST}/blog/never/seen")
    assert (article.content_id, article.type, article.topic, article.stage) == (
        "blog:never",
        "blog",
        "never",
        "awareness",
    )
    assert content.content(f"{HOST}/de/preise").type == "pricing"
    assert content.content(f"{HOST}/de").content_id == "home"
    assert content.content(f"{HOST}/order/9").content_id == "order:9"
    assert content.content(f"{HOST}/about/team").content_id == "about:team"


def test_rare_contents_are_left_out() -> None:
    ids = {entry["id"] for entry in draft(SEEN, least_views=5)["content"]}
    assert "about:team" not in ids
    assert "pricing" in ids


def test_addresses_in_urls_are_not_shown() -> None:
    assert path_of(f"{HOST}/hello/jo@example.com/x?mail=jo@example.com") == "/hello/*/x"
    assert "jo" not in draft_text({f"{HOST}/hello/jo@example.com": 9})


@given(
    st.dictionaries(st.text("/ab-.%$[]é1 ", max_size=20).map(lambda p: f"{HOST}/{p}"), st.integers(1, 99), max_size=12)
)
def test_any_urls_give_a_readable_draft(urls: dict[str, int]) -> None:
    ContentMap.of(yaml.safe_load(draft_text(urls)))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    n = len(SEEN)
    events: dict[str, Any] = {
        "event_id": Coded.of([f"e{i}" for i in range(n + 2)]), "visitor_id": Coded.of(["v"] * (n + 2)),
        "occurred_at": np.arange(n + 2), "type": Coded.of(["page_view"] * (n + 1) + ["form"]),
        "url": Coded.of([*SEEN, f"{HOST}/bot", f"{HOST}/form"]), "is_bot": np.arange(n + 2) == n,
    }  # fmt: skip
    write_lake(tmp_path / "d", DatasetInfo(name="d", buckets=2), {"events": events}, {})
    return tmp_path / "d"


def test_the_urls_of_a_dataset_are_views_of_people(dataset: Path) -> None:
    assert open_dataset(dataset).urls() == dict.fromkeys(SEEN, 1)


def test_the_commands_agree_with_each_other(dataset: Path, leadlift_at: Any, tmp_path: Path) -> None:
    run = leadlift_at()
    code, checked, said = run("content", "check", str(dataset))
    assert (code, checked["own"]) == (0, False)
    assert "leadlift content suggest" in said
    assert {"path": "/about/team", "views": 1} in checked["unmapped"]
    assert checked["share"] == 1 - sum(r["views"] for r in checked["unmapped"]) / checked["views"]
    code, found, _ = run("content", "suggest", str(dataset), "--least-views", "1", "--out", str(tmp_path / "c.yaml"))
    assert code == 0
    drafted = ContentMap.of(yaml.safe_load((tmp_path / "c.yaml").read_text(encoding="utf-8")))
    assert drafted.content(f"{HOST}/pricing").type == "pricing"
    assert found["share"] > checked["share"]
    assert drafted.content("mailto:x").content_id == OTHER
    code, _, said = run("content", "suggest", str(dataset), "--out", str(tmp_path / "c.yaml"))
    assert (code, "expected a new file" in said) == (1, True)


def test_a_dataset_without_urls_says_so(tmp_path: Path, leadlift_at: Any) -> None:
    leads = {"lead_id": Coded.of(["a"])}
    write_lake(tmp_path / "d", DatasetInfo(name="d"), {"leads": leads}, {})
    code, _, said = leadlift_at()("content", "check", str(tmp_path / "d"))
    assert (code, "expected page views with a URL, got none" in said) == (1, True)
