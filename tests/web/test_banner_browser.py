"""The banner in a real browser: accessible, narrow and wide, light and dark, with one condition and with many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from observe.condition import Condition, Severity
from observe.metrics import Reading
from observe.pulse import Pulse
from tests.factories import NOW
from tests.web import conftest
from tests.web.chromium import needs_chromium
from tests.web.hard import ARABIC, LONG
from tests.web.test_browser import Site, site
from tests.web.test_problems_browser import looked_at
from web import pulse_now

__all__ = ["site"]

pytestmark = [pytest.mark.slow, needs_chromium]

NETWORK = Condition(
    "network",
    Severity.CRITICAL,
    "None of 309 feeds can be reached, so no news comes in: herald: Cannot connect to host herald.example:443 "
    "ssl:default [Temporary failure in name resolution].",
    "Check this machine's connection to the internet, its DNS, proxy and firewall. What is missed is read later, as "
    "far as the feeds still contain it.",
    NOW - timedelta(minutes=50),
)
CONFIGURATION = Condition(
    "configuration:feeds.yaml",
    Severity.WARNING,
    "feeds.yaml is wrong, so its changes are not in force: feeds.yaml:12: there is no key `contry`; did you mean "
    "`country`?",
    "Correct feeds.yaml; it is read again by itself. `newswatch config check` checks it.",
    NOW - timedelta(days=3),
)
HARD = (
    NETWORK,
    replace(NETWORK, id="elasticsearch", sentence=LONG * 3, next_step=LONG, since=None),
    CONFIGURATION,
    Condition("search:a", Severity.WARNING, f'The search "{ARABIC[0]}" can\'t be run: <b>北约</b>', ARABIC[1], NOW),
)


class _Shown:
    conditions: tuple[Condition, ...] = ()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> _Shown:
    """What the page is told to be wrong; asked for before the page is made."""
    said = _Shown()
    monkeypatch.setattr(pulse_now, "READ_FOR_S", -1)
    monkeypatch.setattr(conftest, "read_now", lambda _: Reading(Pulse(NOW), said.conditions))
    return said


# Two of the four pairs show every colour and every layout, as in tests/web/test_browser.py.
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_banner_is_accessible_and_fits(
    browser: Browser, shown: _Shown, site: Site, width: int, scheme: str
) -> None:
    for name, conditions in (("one", (NETWORK,)), ("warning", (CONFIGURATION,)), ("hard", HARD)):
        shown.conditions = conditions
        assert looked_at(browser, site, width, scheme, f"banner-{name}", "/news/feeds", "/news/?q=AWACS") == {}


def test_the_others_are_folded_and_open_without_scripts(browser: Browser, shown: _Shown, site: Site) -> None:
    shown.conditions = HARD
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{site.url}/news/feeds")
    assert tab.get_by_role("alert").is_visible()
    assert not tab.get_by_text("did you mean").is_visible()
    tab.get_by_text("3 more").click()
    assert tab.get_by_text("did you mean").is_visible()
    context.close()
