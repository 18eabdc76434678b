"""The search page in a real browser: facets, dates and a range of the time-line, what is chosen, passing on."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from tests.web.chromium import needs_chromium
from tests.web.test_browser import Site, site, tab

__all__ = ["site", "tab"]

pytestmark = [pytest.mark.slow, needs_chromium]


def query(tab: Tab) -> str:
    """The query in the page's address."""
    return parse_qs(urlsplit(tab.url).query).get("q", [""])[0]


def total(tab: Tab) -> int:
    return int((tab.locator(".results .found b").first.text_content() or "").replace("\u202f", ""))


def test_filters_are_chosen_excluded_and_taken_away_without_scripts(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.url}/news/?q=lang:en,fr&rows=articles")
    both = total(tab)
    chosen = tab.locator("#f-lang a.on")
    assert chosen.count() == 2, "what was typed is chosen"
    assert tab.locator("#f-lang li.value").count() > 2, "others are left to choose"

    tab.locator(".chosen a", has_text="French").click()
    assert query(tab) == "lang:en"
    english = total(tab)
    assert english < both
    tab.locator("#f-lang li.value", has_text="French").locator("a").first.click()
    assert (query(tab), total(tab)) == ("lang:en,fr", both)

    tab.locator("#f-lang li.value", has_text="French").locator("a.not").click()
    assert (query(tab), total(tab)) == ("lang:en -lang:fr", english)
    tab.locator("#f-lang a.off").click()
    assert query(tab) == "lang:en"

    tab.fill("input[name=from]", "2026-03-04")
    tab.fill("input[name=to]", "2026-03-04")
    tab.click(".days button")
    assert query(tab) == "lang:en since:2026-03-04 until:2026-03-04"
    assert tab.input_value("input[name=to]") == "2026-03-04"
    tab.fill("input[name=from]", "2026-03-05")
    tab.click(".days button")
    assert "exchange them" in (tab.locator("#fault").text_content() or "")
    context.close()


def test_all_values_of_a_facet_are_shown_and_searched(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/?q=Summit&rows=articles")
    shown = tab.locator("#f-source li.value").count()
    tab.locator("#f-source .further a").click()
    tab.wait_for_url("**more=source*")
    every = tab.locator("#f-source li.value")
    assert every.count() > shown
    tab.locator("#f-source input[name=within]").type("Outlet 59")
    assert tab.locator("#f-source li.value:visible").count() == 1
    tab.keyboard.press("Enter")
    tab.wait_for_url("**within=Outlet*")
    assert every.count() == 1, "the server finds the same"
    every.locator("a").first.click()
    tab.wait_for_url("**source%3Aoutlet-59.example*")
    assert total(tab) == 1


def test_a_range_is_chosen_on_the_time_line_by_mouse_and_by_keys(tab: Tab, site: Site) -> None:
    address = f"{site.url}/news/?q=Summit&rows=articles"
    tab.goto(address)
    before, chart = total(tab), tab.locator(".timeline .chart")
    box = chart.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.5, middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.75, middle, steps=4)
    told = tab.locator(".range").text_content() or ""
    assert tab.locator(".chart a.within").count() > 1
    tab.mouse.up()
    tab.wait_for_url("**since*until*")
    assert 0 < total(tab) < before
    assert told.endswith(f"UTC: {total(tab)}"), "it said how many before"

    tab.goto(address)
    bars = tab.locator(".chart a")
    bars.last.focus()
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        tab.keyboard.press(key)
    ends = [bars.nth(bars.count() - n).get_attribute(name) for n, name in ((4, "data-from"), (2, "data-to"))]
    tab.keyboard.press("Escape")
    assert tab.locator(".chart a.within").count() == 0
    tab.keyboard.press("End")
    for key in ("ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter"):
        tab.keyboard.press(key)
    tab.wait_for_url("**since*until*")
    assert query(tab) == f"Summit since:{ends[0]} until:{ends[1]}"


def test_a_page_is_passed_on_and_printed(tab: Tab, site: Site) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    article = site.hard[0]
    tab.goto(f"{site.url}/news/article/{article.id}?q=NATO")
    tab.click(".share summary")
    tab.locator("[data-copy=share-link]").click()
    tab.get_by_text("Copied.").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == f"{site.url}/news/article/{article.id}"
    cited = tab.input_value("#share-cite")
    assert article.title in cited
    assert article.address in cited
    tab.evaluate("window.print = () => { document.title = 'printed'; }")
    tab.locator("[data-print]").click()
    assert tab.title() == "printed"
    tab.emulate_media(media="print")
    assert not tab.locator(".top").is_visible()
    assert not tab.locator("#desk").is_visible(), "a note is for its reader alone"
    assert tab.locator("article h1").is_visible()
    tab.emulate_media(media="print", color_scheme="dark")
    for path in ("/news/situation", "/news/deliveries"):
        tab.goto(site.url + path)
        assert not tab.locator(".top").is_visible()
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", path


def test_a_list_is_read_down_one_edge_and_a_phone_shows_the_whole_navigation(tab: Tab, site: Site) -> None:
    tab.set_viewport_size({"width": 360, "height": 800})
    tab.goto(f"{site.url}/news/?q=source:ar.example,fa.example,long.example&rows=articles")
    left = "node => { const r = new Range(); r.selectNodeContents(node); return r.getBoundingClientRect().left }"
    lefts = tab.locator(".hit-item h2, .hit-item .snippet").evaluate_all(f"nodes => nodes.map({left})")
    assert len(lefts) > 3
    assert max(lefts) - min(lefts) < 3
    links = tab.locator(".top nav a")
    for place in range(links.count()):
        box = links.nth(place).bounding_box()
        assert box
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360


def test_in_airflows_frame_the_tab_is_named_by_what_is_shown(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/framed")
    frame = tab.frame_locator("iframe")
    frame.locator("html[data-settled]").wait_for()
    frame.locator("#q").fill("AWACS")
    frame.locator("#q").press("Enter")
    tab.wait_for_function("document.title === 'AWACS – newswatch'")
    tab.evaluate("document.title = 'News - Airflow'")  # as Airflow does once it has read its configuration
    tab.wait_for_function("document.title === 'AWACS – newswatch'")
