"""The pages of problems in a real browser: accessible, narrow and wide, light and dark, empty and full."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from newswatch.problems import KINDS, Problem
from store.elastic import bulk
from store.quarantine import Quarantine
from tests.factories import NOW
from tests.web.chromium import needs_chromium
from tests.web.conftest import Page
from tests.web.hard import ARABIC, LONG
from tests.web.test_browser import Site, site, watched

__all__ = ["site"]

pytestmark = [pytest.mark.slow, needs_chromium]

HARD = (
    Problem("entry", "guid-1", "ValueError: " + "why " * 247, "parse", "https://herald.example/1", "courier"),
    Problem("page", f"https://{LONG}.example/{LONG}", f"TimeoutError: {LONG}{LONG}{LONG}", "fetch", feed_id="courier"),
    Problem(
        "search", "nato", ARABIC[1], "match", document={"name": ARABIC[0], "query": "北约 扩大", "text": LONG * 400}
    ),
    Problem("recipient", "李雷@例子.example", "没有这样的地址", "deliver"),
    Problem("mail", "nato~story", "\u202egnp.exe \u2066 <b>bold</b>", "deliver"),
    Problem("document", "feeds/courier", "KeyError: 'feed'", "plan", document={"feed": None}),
    *(Problem(kind, f"a {kind}", "x", "stage") for kind in KINDS),
)


def looked_at(browser: Browser, site: Site, width: int, scheme: str, name: str, *paths: str) -> dict[str, list[str]]:
    """What is wrong with each of the pages."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    tab, faults = watched(context)
    found: dict[str, list[str]] = {}
    for path in paths:
        tab.goto(site.url + path)
        axe = Axe().run(tab)
        found[path] = [f"{v['id']}: {v['nodes'][0]['html']}" for v in axe.response["violations"]]
        if tab.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found[path].append("the page is wider than the screen")
        keep_for_looking(tab, f"{name}-{len(found)}-{width}-{scheme}")
    context.close()
    found["console"] = faults
    return {path: wrong for path, wrong in found.items() if wrong}


def keep_for_looking(tab: Tab, name: str) -> None:
    """Take a picture of the whole page, if that is asked for."""
    if folder := os.environ.get("NEWSWATCH_LOOK"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def quarantine(page: Page) -> Quarantine:
    return Quarantine(page.context.es, page.context.names)


def test_problems_are_accessible_and_fit(browser: Browser, site: Site, quarantine: Quarantine) -> None:
    for width, scheme in ((1280, "dark"), (360, "light")):
        assert looked_at(browser, site, width, scheme, "empty", "/news/problems") == {}
    quarantine.note(HARD, now=NOW - timedelta(days=2))
    quarantine.note(HARD, now=NOW)
    quarantine.refresh()
    of_document = next(problem for problem in HARD if problem.document)
    paths = ("/news/problems", "/news/problems?kind=mail", f"/news/problems/{of_document.id}", "/news/feeds/courier")
    for width, scheme in ((1280, "light"), (360, "dark")):
        assert looked_at(browser, site, width, scheme, "hard", *paths) == {}


def test_ten_thousand_fit_and_are_dealt_with_without_scripts(
    browser: Browser, site: Site, quarantine: Quarantine
) -> None:
    es, index = site.page.context.es, site.page.context.names.quarantine
    made = ({"what": "page", "id": f"page {n:05}", "reason": "x", "at": NOW.isoformat()} for n in range(10_001))
    list(bulk.write(es, (bulk.put(index, f"id-{n}", document) for n, document in enumerate(made))))
    quarantine.refresh()
    assert looked_at(browser, site, 360, "light", "many", "/news/problems", "/news/problems?offset=9950") == {}
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.url}/news/problems")
    tab.get_by_role("button", name="Dealt with: page page 00000").click()
    assert "1 forgotten" in (tab.locator("[role=status]").text_content() or "")
    assert tab.get_by_role("button", name="Dealt with: page page 00000").count() == 0
    tab.get_by_role("button", name="All 50 on this page are dealt with").click()
    assert "50 forgotten" in (tab.locator("[role=status]").text_content() or "")
    assert "9\u202f950" in (tab.locator("nav .badge").text_content() or "")
    context.close()
