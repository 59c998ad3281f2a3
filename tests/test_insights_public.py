"""The page of the public data sets shows the counts that their description gives: read there, found on the page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serving.insights.tables import told
from tests.insights import Visitor

MAPPINGS = Path(__file__).parents[1] / "data" / "mappings"
pytestmark = pytest.mark.public_data


def _page(leadlift: Any, data: Path, mapping: str, folder: Path) -> Visitor:
    """The data imported, its page prepared, all by the command line."""
    target = str(folder / mapping)
    words = (("import", str(data), "--mapping", str(MAPPINGS / f"{mapping}.toml"), "--to", target),
             ("paths", target, "--publish"))  # fmt: skip
    for command in words:
        code, _, said = leadlift(*command)
        assert code == 0, said
    return Visitor(leadlift.home, mapping)


def _described(public_data: Path, name: str) -> str:
    text = (public_data / "README.md").read_text(encoding="utf-8")
    return re.split(r"\n## ", text.split(f". {name}\n")[1])[0]


def _numbers(pattern: str, text: str) -> tuple[int, ...]:
    found = re.search(pattern, text)
    assert found, pattern
    return tuple(int(group.replace(",", "")) for group in found.groups())


def _rows(page: Visitor, table: str) -> list[dict[str, str]]:
    answer = page.get(f"/insights/csv/{table}?lang=en")
    assert answer.status == 200
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8-sig"))))


def _shows(page: Visitor, view: str, table: str, texts: list[str]) -> None:
    """The table of this view shows these texts, to people."""
    html = page.get(f"/insights/{view}?lang=en").body.decode()
    part = html.split(f'id="t-{table}-"')[1].split("</table>")[0]
    cells = re.sub(r"<[^>]*>", " ", part)
    for text in texts:
        assert re.search(rf"(?<![\d.,]){re.escape(text)}(?![\d,])", cells), (text, cells)


def test_the_shop_shows_the_sessions_pageviews_and_orders_of_its_description(
    leadlift_at: Callable[[], Any], public_data: Path, tmp_path: Path
) -> None:
    described = _described(public_data, "maven_fuzzy_factory_slice")
    counts = _numbers(r"= ([\d,]+) sessions, ([\d,]+) pageviews, (\d+) orders", described)
    page = _page(leadlift_at(), public_data / "maven_fuzzy_factory_slice", "maven_fuzzy_factory", tmp_path)
    (whole,) = _rows(page, "overview/whole")
    assert tuple(int(whole[n]) for n in ("Their visits", "Page views", "Conversions")) == counts
    _shows(page, "", "whole", [told(n, "count", "en") for n in counts])
    by_source = _rows(page, "sources/whole_sources")
    for name, total in zip(("Visits", "Page views", "Last before a conversion"), counts, strict=True):
        assert sum(int(r[name]) for r in by_source) == total
    assert {r["Channel"] for r in by_source if int(r["Visits"]) > counts[0] * 0.9} == {"paid search"}


@pytest.fixture(scope="module")
def customers(leadlift_at: Callable[[], Any], public_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    file = public_data / "dstv_channel_touchpoints" / "touchpoints_repaired.csv"
    return _page(leadlift_at(), file, "dstv", tmp_path_factory.mktemp("customers"))


def test_the_touches_customers_and_conversions_of_the_description_are_shown(
    customers: Visitor, public_data: Path
) -> None:
    described = _described(public_data, "dstv_channel_touchpoints")
    visits, people = _numbers(r"([\d,]+) touches of ([\d,]+) customers", described)
    conversions, converted = _numbers(r"Conversions: ([\d,]+) rows, ([\d,]+) customers", described)
    (whole,) = _rows(customers, "overview/whole")
    names = ("Leads", "Their visits", "Conversions", "Leads that converted")
    assert [int(whole[n]) for n in names] == [people, visits, conversions, converted]
    _shows(customers, "", "whole", [told(n, "count", "en") for n in (people, visits, conversions, converted)])


def test_the_conversion_share_by_number_of_touches_is_that_of_the_description(
    customers: Visitor, public_data: Path
) -> None:
    described = _described(public_data, "dstv_channel_touchpoints")
    line = re.search(r"by number of touches (1: .*?\d)\. ", described)
    assert line
    shares = {n.replace("6+", "6 or more"): float(s) for n, s in re.findall(r"(\d\+?): (\.\d+)", line[1])}
    rows = _rows(customers, "paths/whole_touches")
    assert {r["All their visits"]: round(float(r["Rate"]), 3) for r in rows} == shares
    assert len(shares) == 6
    _shows(customers, "paths", "whole_touches", [told(s, "share", "en") for s in shares.values()])
    for row in rows:
        assert float(row["Rate (low)"]) < float(row["Rate"]) < float(row["Rate (high)"])
    by_landmark = _rows(customers, "paths/touches")
    assert sum(int(r["People"]) for r in by_landmark) < sum(int(r["People"]) for r in rows)


def test_the_touches_of_each_channel_are_those_of_the_description(customers: Visitor, public_data: Path) -> None:
    described = _described(public_data, "dstv_channel_touchpoints")
    line = re.search(r"Channels: (.*)\.", described)
    assert line
    sizes = {name: int(n.replace(",", "")) for name, _, n in (c.rpartition(" ") for c in line[1].split(", "))}
    assert sum(sizes.values()) == _numbers(r"([\d,]+) touches of", described)[0]
    rows = {(r["Channel"], r["Campaign"]): r for r in _rows(customers, "sources/whole_sources")}
    ours = {
        ("direct", "(no campaign)"): ["Direct_NON-BRAND"], ("organic search", "brand"): ["SEO_BRAND"],
        ("organic search", "non-brand"): ["SEO_NON-BRAND"], ("paid search", "non-brand"): ["Adwords/SEA_NON-BRAND"],
        ("referral", "(no campaign)"): ["Referral", "Referral_NON-BRAND"],
    }  # fmt: skip
    assert {k: int(r["Visits"]) for k, r in rows.items()} == {
        k: sum(sizes[n] for n in names) for k, names in ours.items()
    }  # the one touch of the last channel is of fewer than five people
    low, high = re.findall(r"by channel \((\.\d+) to (\.\d+)\)", described)[0]
    found = [round(float(r["Of visits"]), 3) for r in rows.values()]
    assert (min(found), max(found)) == (float(low), float(high))
