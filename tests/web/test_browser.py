"""The News page in a real browser: accessible, narrow and wide, light and dark, by keyboard, in a frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from embedded.processes import free_port
from newswatch.article import Article
from tests.newsstand import CANONICAL, url_of
from tests.web.chromium import keep, needs_chromium
from tests.web.conftest import Page
from tests.web.hard import CORRECTED, stock_hard

pytestmark = [pytest.mark.slow, needs_chromium]

AIRFLOW_FRAME = """<!doctype html><html lang="en" class="dark"><title>Airflow</title><h1>Airflow</h1>
<iframe title="News" src="/news/" width="1200" height="700"
 sandbox="allow-scripts allow-same-origin allow-forms allow-downloads"></iframe>"""
"""As Airflow 3.3 shows an external view."""
OURS = ("http://127.0.0.1:", "data:")
TWICE = """() => {
  const root = document.documentElement
  root.style.fontSize = `${2 * parseFloat(getComputedStyle(root).fontSize)}px`
  if (root.scrollWidth <= window.innerWidth) return []
  return [...document.querySelectorAll("body *")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > window.innerWidth + 1)
    .map((e) => `too wide with text of twice the size: ${e.outerHTML.slice(0, 80)}`)
}"""


OVERLAPS = """() => {
  const shown = [...document.querySelectorAll("main :is(a, button, input, select, textarea, summary)")]
    .filter((e) => e.checkVisibility() && !e.closest("svg, .facets section.open ul"))
  const boxes = shown.map((e) => [...e.getClientRects()])
  const meets = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2
  return shown.flatMap((e, i) =>
    shown.slice(i + 1)
      .filter((o, k) => !e.contains(o) && boxes[i].some((a) => boxes[i + 1 + k].some((b) => meets(a, b))))
      .map((o) => `${e.outerHTML.slice(0, 80)} overlaps ${o.outerHTML.slice(0, 80)}`))
}"""
"""Links and fields that lie over each other. An open facet scrolls, and the steps of a chart share their edges."""


@dataclass(slots=True)
class Site:
    """Where the app is served, and the addresses that tests go to."""

    url: str
    page: Page
    hard: list[Article]

    def addresses(self) -> dict[str, str]:
        article = next(a for a in self.page.articles if a.url == url_of(CANONICAL))
        return {
            "search": "/news/?q=AWACS+Daesh",
            "all": "/news/?rows=articles",
            "chosen": "/news/?q=NATO+lang:en,fr+-country:LV+since:30d&rows=articles",
            "facet": "/news/?rows=articles&more=source&within=outlet&offset=20",
            "nothing": "/news/?q=zeppelin+lang:fr",
            "fault": "/news/?q=AWACS+foo:bar",
            "article": f"/news/article/{article.id}?q=AWACS",
            "story": f"/news/story/{article.story_id}",
            "hard": "/news/?q=source:ar.example,fa.example,long.example,bare.example",
            "right-to-left": f"/news/article/{self.hard[0].id}",
            "long-words": f"/news/article/{self.hard[2].id}",
            "corrected": f"/news/article/{self.hard[CORRECTED].id}",
            "long-story": f"/news/story/{self.hard[-1].story_id}",
            "situation": "/news/situation",
            "entity": "/news/entities/islamic-state",
            "new-feed": "/news/feeds/new",
            "edit-feed": "/news/feeds/broken/edit",
            "searches": "/news/searches",
            "new-search": "/news/searches/new?q=AWACS+tag:nato+since:7d",
            "feeds": "/news/feeds",
            "saved-search": "/news/searches/nato",
            "feed": "/news/feeds/courier",
            "feed-failing": "/news/feeds/broken",
            "deliveries": "/news/deliveries",
            "subscribers": "/news/subscribers",
            "keys": "/news/keys",
            "audit": "/news/audit",
            "feed-addresses": "/news/feed-addresses",
            "api": "/news/api",
            "mails": "/news/mails",
            "missing": "/news/no/such/page",
        }


@pytest.fixture
def site(page: Page) -> Iterator[Site]:
    """The app on a port of its own with what is hard to show, beside a page that frames it as Airflow does."""
    hard = stock_hard(page.context)
    app: FastAPI = page.app

    @app.get("/framed")
    def framed() -> HTMLResponse:
        return HTMLResponse(AIRFLOW_FRAME)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield Site(f"http://127.0.0.1:{port}", page, hard)
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def watched(context: BrowserContext) -> tuple[Tab, list[str]]:
    """A tab, and what goes wrong in it: a script that fails, a style or script that the page's own policy forbids.

    And what it asks of others: nothing.
    """
    tab, faults = context.new_page(), list[str]()
    tab.on("request", lambda sent: faults.append(sent.url) if not sent.url.startswith(OURS) else None)
    tab.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    return tab, faults


# Colours go by the scheme and the layout by the width: two of the four pairs show every colour and every layout.
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")], ids=str)
def test_every_page_is_accessible_and_fits(browser: Browser, site: Site, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    tab, faults = watched(context)
    found: dict[str, list[str]] = {}
    for name, path in site.addresses().items():
        tab.goto(site.url + path)
        axe = Axe().run(tab)
        found[name] = [f"{v['id']}: {v['nodes'][0]['html']}" for v in axe.response["violations"]]
        found[name] += tab.evaluate(OVERLAPS)
        if tab.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found[name].append("the page is wider than the screen")
        keep(tab, f"{name}-{'wide' if width > 600 else 'narrow'}-{scheme}")
        if width < 600:
            found[name] += tab.evaluate(TWICE)
    context.close()
    assert {name: violations for name, violations in found.items() if violations} == {}
    assert [fault for fault in faults if "404" not in fault] == []


def test_it_is_used_by_keyboard_alone(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab.keyboard.press("/")
    tab.keyboard.type("AWACS tag:nato")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**q=AWACS*")
    tab.keyboard.press("j")
    title = tab.evaluate("document.activeElement.textContent")
    assert title == tab.locator(".hit-item h2 a").first.text_content()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("article h1")
    assert tab.locator("article h1").text_content() == title


def test_without_scripts_everything_still_works(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.url}/news/")
    tab.fill("#q", "AWACS Daesh")
    tab.click("button[type=submit]")
    assert "AWACS" in (tab.locator(".hit-item").first.text_content() or "")
    tab.click("text=Save this search")
    tab.fill("#f-to", "ann@example.org")
    tab.click("text=Try on the last")
    assert tab.locator("text=a month").count() == 1
    tab.click("details.sample summary")
    tab.frame_locator("details.sample iframe >> nth=0").locator("span.m", has_text="AWACS").first.wait_for()
    tab.click("button.primary")
    assert tab.locator("[role=status]").count() == 1
    context.close()


def test_a_saved_search_is_made_by_keyboard_alone_and_keeps_the_simple_case_simple(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/?q=AWACS")
    tab.get_by_role("link", name="Save this search").press("Enter")
    tab.wait_for_selector("#f-name")
    assert not tab.locator("#f-sources").is_visible()
    assert not tab.locator("#f-zone").is_visible()
    tab.locator("#f-every").select_option("daily")
    assert tab.locator("#f-zone").input_value()  # the browser's own
    assert tab.locator("#f-at").is_visible()
    assert not tab.locator("#f-day").is_visible()
    tab.locator("#f-every").select_option("instant")
    tab.locator("button[value=try]").press("Enter")
    tab.locator("details.sample summary").first.press("Enter")
    tab.frame_locator("details.sample iframe >> nth=0").locator("span.m").first.wait_for()
    keep(tab, "new-search")
    tab.locator("#f-every").select_option("daily")
    tab.locator("#f-name").press("Enter")
    told = tab.locator("[role=status]").text_content() or ""
    assert "ann@localhost" in told
    assert "daily at 07:00" in told


def test_a_bar_of_the_time_line_narrows_the_search(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/?q=tag:nato&rows=articles")
    before = int(tab.locator(".results .found b").first.text_content() or "")
    tab.locator(".chart a:has(rect.bar:not([height='0.00']))").last.click()
    tab.wait_for_url("**since*until*")
    after = int(tab.locator(".results .found b").first.text_content() or "")
    assert 0 < after < before


def test_in_airflows_frame_links_lead_out_and_its_colours_are_taken(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/framed")
    frame = tab.frame_locator("iframe")
    frame.locator(".hit-item").first.wait_for()
    tab.wait_for_function("document.querySelector('iframe').sandbox.contains('allow-popups')")
    tab.wait_for_function("document.querySelector('iframe').contentDocument.documentElement.dataset.theme === 'dark'")
    frame.locator(".hit-item a.out").first.wait_for()
    with tab.context.expect_page() as opened:
        frame.locator(".hit-item a.out").first.click()
    assert opened.value is not None


def test_from_the_situation_to_an_entity_and_to_its_articles(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/situation")
    assert "can't be said yet" in (tab.locator(".topics .hint").text_content() or "")
    number = tab.locator(".topics tbody tr a.n").first
    count = int(number.text_content() or "")
    number.press("Enter")
    tab.locator(".results .found b").first.wait_for()
    assert int(tab.locator(".results .found b").first.text_content() or "") == count > 0
    tab.locator(".facets a.about").first.press("Enter")
    tab.get_by_role("heading", name="Latest stories").wait_for()
    keep(tab, "entity")
    bar = tab.locator(".chart a:has(rect.bar:not([height='0.00']))").last
    told = (bar.get_attribute("aria-label") or "").rpartition(": ")[2]
    bar.click()
    tab.locator(".results .found b").first.wait_for()
    assert tab.locator(".results .found b").first.text_content() == told


def test_a_feed_is_edited_by_keyboard_and_its_fault_stands_at_its_field(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/feeds/courier")
    tab.get_by_role("link", name="Edit").press("Enter")
    tab.get_by_label("Country of the outlet").fill("Atlantis")
    tab.get_by_role("button", name="Save").press("Enter")
    field = tab.get_by_label("Country of the outlet")
    field.wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    assert "Atlantis" in (
        tab.locator(f"#{(field.get_attribute('aria-describedby') or '').strip()}").text_content() or ""
    )
    field.fill("Latvia")
    field.press("Tab")
    tab.get_by_role("button", name="Save").press("Enter")
    tab.locator("[role=status]").wait_for()
    assert "Latvia" in (tab.locator("aside").text_content() or "")


def test_deliveries_are_narrowed_by_search_recipient_and_day(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/deliveries")
    assert tab.locator("tbody tr").count() == 4
    tab.get_by_label("Saved search").select_option("nato")
    tab.get_by_label("Matched from, UTC").fill("2026-03-04")
    tab.get_by_role("button", name="Show").press("Enter")
    tab.wait_for_url("**since=2026-03-04*")
    assert tab.locator("tbody tr").count() == 4
    tab.locator("tbody td a", has_text="ann@example.org").first.click()
    tab.get_by_label("Remove the filter ann@example.org").wait_for()
    tab.get_by_label("to", exact=True).fill("2026-03-03")
    tab.get_by_label("Matched from, UTC").fill("")
    tab.get_by_role("button", name="Show").click()
    tab.get_by_text("No delivery fits").wait_for()
