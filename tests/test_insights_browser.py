"""The page in Debian's Chromium: what a marketer does, what a script does not, and who cannot see or use a mouse."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from data.files import safe_cell
from serving.insights.words import VIEWS
from tests.insights import CAMPAIGNS, SCRIPTS, TITLES, URLS, Prepared, key, prepared
from tests.server import get, serving

pytestmark = pytest.mark.browser
DRAWN = "() => [...document.querySelectorAll('.figure')].every(f => f.dataset.drawn === 'yes')"
CELLS = "[...document.querySelectorAll('main th, main td')].map(c => (c.querySelector('.value') ?? c).textContent)"
MADE = "document.querySelectorAll('iframe, main img, main svg a, [onload], [onerror], [onmouseover], a[href^=javascript]').length"
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        program = None
    if program is None:
        lacks = "install playwright (the extra dev) and Debian's chromium"
        pytest.fail(lacks) if "browser" in os.environ.get("REQUIRED_TESTS", "") else pytest.skip(lacks)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[tuple[Prepared, str, str]]:
    """A market whose every name is a script, its service, and a key."""
    folder = tmp_path_factory.mktemp("evil")
    shop = prepared(folder, hostile=True)
    token = key(shop.home, "insights", "leads")
    with serving(shop.home, folder / "serve.log", "--market", "market") as address:
        yield shop, address, token


@pytest.fixture
def tab(chromium: Any, evil: tuple[Prepared, str, str]) -> Iterator[Any]:
    """A fresh, signed-out window; whatever a script does in it is an error of the test."""
    context = chromium.new_context(base_url=evil[1], locale="en-GB", viewport={"width": 1440, "height": 900})
    page, wrong = context.new_page(), []
    page.on("dialog", lambda d: (wrong.append(d.message), d.dismiss()))
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" and "403" not in m.text else None)
    page.on("request", lambda r: None if r.url.startswith((evil[1], "data:", "blob:")) else wrong.append(r.url))
    yield page
    context.close()
    assert wrong == []


def sign_in(tab: Any, token: str, there: str = "/insights/") -> None:
    tab.goto(there)
    tab.get_by_label("Key").fill(token)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_function(DRAWN)


def test_a_marketer_signs_in_filters_shares_downloads_follows_the_flow_and_reads_german(
    tab: Any, evil: tuple[Prepared, str, str], chromium: Any
) -> None:
    shop, address, token = evil
    tab.goto("/insights/paths")
    tab.get_by_label("Key").fill("leadlift_no_key")
    tab.get_by_role("button", name="Sign in").click()
    assert tab.get_by_role("alert").is_visible()
    sign_in(tab, token, "/insights/paths")
    month = shop.edition.parts["won"].months[1]
    tab.locator("select[name=from]").select_option(month)
    tab.locator("select[name=channel]").select_option("organic_search")
    tab.get_by_role("button", name="Show").click()
    tab.wait_for_url("**from=**")
    tab.wait_for_function(DRAWN)
    shared, shown = tab.url, tab.locator("main").inner_text()
    assert f"from={month}" in shared
    with tab.expect_download() as found:
        tab.locator("a[href*='/csv/paths/paths']").click()
    rows = list(csv.reader(Path(found.value.path()).read_text(encoding="utf-8-sig").splitlines()))
    assert rows[0][:3] == ["Path", "People", "Converted"]
    tab.goto("/insights/paths")
    tab.wait_for_function(DRAWN)
    _click_until(tab, ".figure .sankey-node rect", "direction=forward")
    tab.wait_for_function(DRAWN)
    assert tab.get_by_role("heading", name="Where they went from").is_visible()
    tab.get_by_role("link", name="Deutsch").click()
    tab.wait_for_function(DRAWN)
    assert tab.get_by_role("heading", level=1).inner_text() == "Pfade"
    context = chromium.new_context(base_url=address, locale="en-GB")
    other = context.new_page()
    sign_in(other, token, shared)
    assert (other.url, other.locator("main").inner_text()) == (shared, shown)
    context.close()


def _click_until(tab: Any, what: str, there: str, tries: int = 20) -> None:
    """Plotly hears a click only where it has seen the pointer before, for which a busy machine takes a while."""
    for _ in range(tries):
        node = tab.locator(what).nth(1)
        node.hover(force=True)
        node.click(force=True)
        tab.wait_for_timeout(500)
        if there in tab.url:
            return
    raise AssertionError(f"expected {there} in the address, got {tab.url}")


def test_forty_scripts_in_titles_urls_and_campaigns_are_shown_as_they_are_and_none_runs(
    tab: Any, evil: tuple[Prepared, str, str]
) -> None:
    sign_in(tab, evil[2])
    country = evil[0].edition.parts["won"].about["values"]["country"][1]
    more = (
        "",
        "&by=topic",
        "&direction=forward",
        f"&target=lead&page={quote(URLS[0])}",
        f"&segment=country:{quote(country)}",
    )
    assert "alert(" in country
    cells = set()
    for name in VIEWS:
        for choice in more:
            tab.goto(f"/insights/{'' if name == 'overview' else name}?lang=en&by=content{choice}")
            tab.wait_for_function(DRAWN)
            cells |= set(tab.evaluate(CELLS))
            tab.locator("main").hover()
            assert tab.evaluate(MADE) == 0
            assert tab.evaluate("window.ran === undefined")
    assert set(SCRIPTS) - cells == set()


def test_forty_scripts_are_downloaded_as_texts(evil: tuple[Prepared, str, str]) -> None:
    _, address, token = evil
    for place, scripts in (("content/effects", (*TITLES, *URLS)), ("sources/campaigns", CAMPAIGNS)):
        text = get(f"{address}/insights/csv/{place}?lang=en", Authorization=f"Bearer {token}")[1].decode("utf-8-sig")
        cells = {cell for row in csv.reader(io.StringIO(text)) for cell in row}
        assert {safe_cell(s) for s in scripts} - cells == set()
        assert not [c for c in cells if c.startswith(("=", "+", "@"))]


def test_no_script_of_the_data_is_part_of_any_page(evil: tuple[Prepared, str, str]) -> None:
    _, address, token = evil
    urls = [f"{address}/insights/{name}?by={by}" for name in VIEWS for by in ("content", "topic")]
    texts = [get(url, Authorization=f"Bearer {token}")[1].decode() for url in urls]
    markup = [
        re.sub(r'(?s)<script type="application/json">[^<]*</script>', "", t) for t in texts
    ]  # quotes end nothing there
    for script in SCRIPTS:
        assert not [t for t in texts if "<" in script and script in t], script
        assert not [t for t in markup if script[0] in "\"'" and script in t], script
    assert sum("alert(" in t for t in texts) > 6


def test_every_view_is_for_who_cannot_see_it_or_has_a_phone(tab: Any, evil: tuple[Prepared, str, str]) -> None:
    from axe_playwright_python.sync_playwright import Axe

    axe, found = Axe(), []
    for lang in ("en", "de"):
        tab.goto(f"/insights/sign-in?lang={lang}")
        found += _serious(axe, tab)
    sign_in(tab, evil[2])
    for width in (1440, 390):
        tab.set_viewport_size({"width": width, "height": 900})
        for name in VIEWS:
            tab.goto(f"/insights/{'' if name == 'overview' else name}?lang={'en' if width > 1000 else 'de'}")
            tab.wait_for_function(DRAWN)
            found += _serious(axe, tab)
            wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wider <= 0, (name, width)
    assert found == []


def _serious(axe: Any, tab: Any) -> list[Any]:
    """What axe calls serious or worse: rule, address, and the first element."""
    tab.context.set_extra_http_headers({})
    told = axe.run(tab).response["violations"]
    return [(v["id"], tab.url, v["nodes"][0]["html"]) for v in told if v["impact"] in SERIOUS]


def test_printed_figures_fit_the_paper_and_tables_stay_tables(tab: Any, evil: tuple[Prepared, str, str]) -> None:
    sign_in(tab, evil[2], "/insights/paths")
    tab.emulate_media(media="print")
    widths = tab.evaluate("[...document.querySelectorAll('.main-svg')].map(f => f.getBoundingClientRect().width)")
    assert len(widths) > 1
    assert max(widths) <= 961  # A4 across, less its margins and those of a block
    tab.set_viewport_size({"width": 700, "height": 500})
    assert tab.evaluate("getComputedStyle(document.querySelector('tbody tr')).display") == "table-row"
    assert not tab.locator(".filters").first.is_visible()


@pytest.mark.parametrize("lang", ["en", "de"])
def test_the_numbers_both_teams_share_are_all_in_sight_on_a_desk(
    tab: Any, evil: tuple[Prepared, str, str], lang: str
) -> None:
    sign_in(tab, evil[2], f"/insights/?lang={lang}")
    assert (
        tab.evaluate("(f => f.scrollWidth - f.clientWidth)(document.querySelector('[aria-labelledby=t-numbers-].fit'))")
        <= 0
    )


def test_paper_says_what_was_chosen(tab: Any, evil: tuple[Prepared, str, str]) -> None:
    sign_in(tab, evil[2], "/insights/paths?target=mql&from=2025-02&channel=paid_search")
    said = tab.get_by_text(
        "Leads to: marketing-qualified · From: 2025-02 · First channel: paid search · Paths by: type of content"
    )
    assert not said.is_visible()
    tab.emulate_media(media="print")
    assert said.is_visible()


def test_everything_is_reached_by_the_keyboard(tab: Any, evil: tuple[Prepared, str, str]) -> None:
    sign_in(tab, evil[2])
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(30):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    assert {"Paths", "Content", "Sources", "target", "from", "to", "channel", "segment", "Show"} <= reached


def test_the_report_opens_without_a_network_and_draws_its_figures(
    chromium: Any, evil: tuple[Prepared, str, str], leadlift_at: Callable[[], Any], tmp_path: Path
) -> None:
    leadlift, file = leadlift_at(), tmp_path / "report.html"
    shutil.copytree(evil[0].home, leadlift.home, dirs_exist_ok=True)
    assert leadlift("paths", evil[0].dataset.place, "--html", str(file), "--support", "5", "--by", "content")[0] == 0
    context = chromium.new_context(offline=True)
    page, asked = context.new_page(), []
    page.on("request", lambda r: asked.append(r.url))
    page.on("dialog", lambda d: asked.append(d.message))
    page.goto(file.as_uri())
    page.wait_for_function(DRAWN)
    assert page.locator(".figure").count() >= 6
    assert [a for a in asked if not a.startswith(("file:", "data:", "blob:"))] == []
    context.close()
