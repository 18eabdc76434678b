"""What is typed into a form outlives a session and twelve hours, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from alerts.saved import SavedSearches
from tests.web.chromium import needs_chromium
from tests.web.test_browser import Site, site, tab
from web import security

__all__ = ["site", "tab"]

pytestmark = [pytest.mark.slow, needs_chromium]


def typed(tab: Tab, site: Site, name: str) -> None:
    """A saved search is typed in, and not sent yet."""
    tab.goto(f"{site.url}/news/searches/new?q=AWACS")
    tab.fill("input[name=name]", name)
    tab.fill("textarea[name=recipients]", "ann@b.example")


def send(tab: Tab) -> None:
    tab.locator("button[value=save], main form button.primary").first.click()
    tab.wait_for_load_state()


def names(site: Site) -> list[str]:
    return [one.name for one in SavedSearches(site.page.context.es, site.page.context.names).all()]


def test_who_is_logged_out_while_he_types_goes_back_and_sends_it(tab: Tab, site: Site) -> None:
    typed(tab, site, "Typed for an hour")
    site.page.visitor.reads = False
    send(tab)
    expect(tab.get_by_role("heading", name="Logged out")).to_be_visible()
    site.page.visitor.reads = True
    tab.go_back()
    expect(tab.locator("input[name=name]")).to_have_value("Typed for an hour")
    expect(tab.locator("textarea[name=recipients]")).to_have_value("ann@b.example")
    send(tab)
    assert "Typed for an hour" in names(site)


def test_a_form_of_yesterday_is_sent_by_one_click(tab: Tab, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(tab, site, "Typed yesterday")
    monkeypatch.setattr(security, "TOKEN_AGE_S", -1)
    send(tab)
    assert "Typed yesterday" not in names(site)
    monkeypatch.undo()
    tab.get_by_role("button", name="Send it now").click()
    tab.wait_for_load_state()
    assert "Typed yesterday" in names(site)
