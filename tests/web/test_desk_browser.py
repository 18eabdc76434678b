"""A reader's desk in a real browser: by keys alone, back at the same place, without scripts, in his time zone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from store.desk import DeskStore
from tests.factories import NOW
from tests.web.chromium import needs_chromium
from tests.web.test_browser import Site, site, tab, watched

__all__ = ["site", "tab"]

pytestmark = [pytest.mark.slow, needs_chromium]

LIST = "/news/?q=tag:nato&rows=articles"


def looked_before(site: Site) -> DeskStore:
    """Ann was here three hours ago, so all is new to her."""
    store = DeskStore(site.page.context.es, site.page.context.names)
    store.looked("ann", NOW - timedelta(hours=4))
    store.looked("ann", NOW - timedelta(hours=3))
    return store


def focused(tab: Tab) -> str:
    return str(tab.evaluate("document.activeElement.textContent"))


def test_an_analyst_works_by_keys_and_comes_back_to_his_place(tab: Tab, site: Site) -> None:
    looked_before(site)
    tab.goto(site.url + LIST)
    titles = [title or "" for title in tab.locator(".hit-item h2 a").all_text_contents()]
    for _ in range(2):
        tab.keyboard.press("Tab")
    assert focused(tab) == "Skip to the results"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert focused(tab) == titles[0]

    tab.keyboard.press("j")
    assert focused(tab) == titles[1]
    item = tab.locator(".hit-item").nth(1)
    expect(item.locator(".badge.new")).to_be_visible()
    tab.keyboard.press("s")
    expect(item.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    tab.keyboard.press("m")
    expect(item.get_by_role("button", name="Read")).to_have_attribute("aria-pressed", "true")
    expect(item.locator(".badge.new")).to_have_count(0)
    assert focused(tab) == titles[1], "a mark takes the focus from nobody"

    tab.keyboard.press("o")
    for key, title in (("", titles[1]), ("n", titles[2]), ("n", titles[3]), ("p", titles[2])):
        if key:
            tab.keyboard.press(key)
        expect(tab.locator("article h1")).to_have_text(title)
        tab.wait_for_load_state()  # a key that is pressed before the page's script runs is lost
    tab.keyboard.press("m")
    expect(tab.locator(".crumbs").get_by_role("button", name="Read")).to_have_attribute("aria-pressed", "false")
    tab.keyboard.press("u")
    tab.wait_for_selector(".hit-item.here")
    assert focused(tab) == titles[2]
    expect(tab.locator(".hit-item").nth(1).get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    expect(tab.locator(".hit-item").nth(2).get_by_role("button", name="Read")).to_have_attribute(
        "aria-pressed", "false"
    )

    for _ in range(4):
        tab.keyboard.press("j")
    scrolled = tab.evaluate("window.scrollY")
    assert scrolled > 0
    tab.keyboard.press("Enter")
    expect(tab.locator("article h1")).to_have_text(titles[6])
    tab.go_back()
    tab.wait_for_selector(".hit-item.here")
    assert focused(tab) == titles[6]
    tab.wait_for_function("place => window.scrollY === place", arg=scrolled)

    tab.keyboard.press("?")
    expect(tab.get_by_role("dialog", name="Keys")).to_be_visible()
    assert Axe().run(tab).response["violations"] == []
    tab.keyboard.press("Escape")
    expect(tab.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_keys_walk_through_every_list_and_lead_up_and_to_the_search(tab: Tab, site: Site) -> None:
    tab.goto(f"{site.url}/news/feeds")
    for key in "jj":
        tab.keyboard.press(key)
    name = focused(tab)
    assert name == tab.locator("tbody th a").nth(1).text_content()
    tab.keyboard.press("o")
    expect(tab.locator("h1")).to_contain_text(name)
    tab.go_back()
    tab.wait_for_function("name => document.activeElement.textContent === name", arg=name)
    tab.goto(f"{site.url}/news/searches")
    tab.keyboard.press("j")
    tab.keyboard.press("o")
    tab.wait_for_url("**/news/searches/nato")
    tab.wait_for_load_state()
    tab.keyboard.press("u")
    tab.wait_for_url("**/news/searches")
    tab.keyboard.press("/")
    tab.wait_for_url("**/news/#q")
    tab.wait_for_function("document.activeElement.id === 'q'")


def test_what_can_not_be_kept_is_told_where_it_was_pressed(tab: Tab, site: Site) -> None:
    tab.goto(site.url + LIST)
    star = tab.locator(".hit-item").first.get_by_role("button", name="Star")
    site.page.visitor.reads = False
    star.click()
    expect(tab.get_by_role("alert").filter(has_text="could not be kept")).to_be_visible()
    expect(star).to_have_attribute("aria-pressed", "false")
    site.page.visitor.reads = True
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(tab.get_by_role("alert").filter(has_text="could not be kept")).to_have_count(0)


def test_without_scripts_marks_notes_and_handing_over_work(browser: Browser, site: Site) -> None:
    looked_before(site)
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(site.url + LIST)
    third = tab.locator(".hit-item").nth(2)
    third.get_by_role("button", name="Star").click()
    assert tab.url.endswith(f"#{third.get_attribute('id')}")
    expect(third.get_by_role("button", name="Star")).to_have_attribute("aria-pressed", "true")
    third.locator("h2 a").click()
    tab.fill("#d-note", "Ask the desk in Riga")
    tab.click("text=Keep the note")
    expect(tab.get_by_role("status").filter(has_text="The note is kept")).to_be_visible()
    tab.click("text=Hand over to a colleague")
    tab.click("text=Take it")
    expect(tab.locator("#desk .held-by")).to_contain_text("With ann, by ann")
    tab.get_by_role("link", name="for you").click()
    assert tab.locator(".hit-item").count() == 1
    context.close()


def days_are_the_readers(tab: Tab, site: Site) -> None:
    """In Kabul, whose days begin at 19:30 UTC."""
    tab.goto(f"{site.url}/news/?q=tag:nato&rows=articles")
    expect(tab.locator(".days")).to_contain_text("in Asia/Kabul")
    tab.fill("input[name=from]", "2026-03-04")
    tab.click(".days button")
    expect(tab.locator(".chosen")).to_contain_text("2026-03-04 00:00 GMT+4:30")
    assert "since%3A2026-03-03T19%3A30" in tab.url
    assert tab.input_value("input[name=from]") == "2026-03-04"
    tab.goto(f"{site.url}/news/deliveries?until=2026-03-04")
    expect(tab.get_by_label("Matched from, Asia/Kabul")).to_be_visible()
    assert tab.locator("tbody tr").count() == 4
    tab.goto(f"{site.url}/news/deliveries?until=2026-03-04&zone=America/New_York")
    expect(tab.get_by_label("Matched from, America/New York")).to_be_visible()
    tab.goto(f"{site.url}/news/feeds/courier")
    expect(tab.locator(".axis")).to_contain_text("Asia/Kabul")


def test_the_very_first_page_counts_the_readers_days(browser: Browser, site: Site) -> None:
    with browser.new_context(timezone_id="Asia/Kabul") as context:
        tab, faults = watched(context)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url) if request.is_navigation_request() else None)
        tab.goto(f"{site.url}/news/?q=tag:nato")
        expect(tab.locator(".days")).to_contain_text("in Asia/Kabul")
        assert len(asked) == 2, "once in UTC, which nobody saw, and once more"
        headings = tab.locator("h1, h2, h3").evaluate_all("all => all.map(one => one.tagName)")
        assert (headings[0], headings.count("H1")) == ("H1", 1)
        tab.goto(f"{site.url}/news/?q=glacier")
        assert len(asked) == 3, "the server knows it now"
        context.clear_cookies()
        tab.evaluate("document.cookie = 'newswatch-zone=Europe/Riga; path=/news/'")
        tab.goto(f"{site.url}/news/?q=tag:nato")
        expect(tab.locator(".days")).to_contain_text("in Asia/Kabul")
        tab.evaluate("document.cookie = 'newswatch-zone=Europe/Riga; path=/'")  # another newswatch, above this path
        asked.clear()
        for _ in range(2):
            tab.goto(f"{site.url}/news/?q=tag:nato")
            expect(tab.locator(".days")).to_contain_text("in Asia/Kabul")
        assert len(asked) == 2
        assert faults == []


def test_every_time_is_the_readers_and_named(browser: Browser, site: Site) -> None:
    looked_before(site)
    at = tuple(site.addresses()[name] for name in ("long-story", "search", "corrected", "searches", "feeds", "mails"))
    zones = {"Europe/Brussels": ("CET", at), "America/New_York": ("EST", at[:1]), "Asia/Kabul": ("GMT+4:30", at[:1])}
    first = {}
    for zone, (letters, addresses) in zones.items():
        context = browser.new_context(timezone_id=zone)
        tab, faults = watched(context)
        for address in reversed(addresses):
            tab.goto(site.url + address)
            said = tab.locator("time").all_text_contents()
            assert [text for text in said if re.search(r"\d:\d\d", text) and not text.endswith(letters)] == [], address
            labels = tab.locator("svg.chart a[aria-label]").evaluate_all("all => all.map(one => one.ariaLabel)")
            assert [label for label in labels if "UTC" in label] == [], address
        expect(tab.locator("[data-zone]")).to_contain_text(f"in your zone, {zone.replace('_', ' ')} ({letters})")
        first[zone] = tab.locator(".story-line time").first.text_content()
        if zone == "Asia/Kabul":
            days_are_the_readers(tab, site)
        assert faults == []
        context.close()
    assert first == {
        "Europe/Brussels": "2026-03-04 02:14 CET",
        "America/New_York": "2026-03-03 20:14 EST",
        "Asia/Kabul": "2026-03-04 05:44 GMT+4:30",
    }
