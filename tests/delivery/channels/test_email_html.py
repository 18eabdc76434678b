"""The HTML of e-mails against what mail programs support (email_support.yaml), and its size.

What a program lacks must do no harm: each such thing has a reason in `WITHOUT`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement
from playwright.sync_api import Browser, sync_playwright

from delivery.channels.email import HTML_BYTES, encoded_size, html
from delivery.message import StoryList
from newswatch.config import plain
from tests.delivery.channels.mails import KIBANA, KINDS, a_message, a_mixed_lot, octets, page, to_the_operator
from tests.delivery.test_mail import Tags, part
from tests.web.chromium import CHROMIUM, OPTIONS, needs_chromium

LABELS: Final = ("correction", "update", "unusually many articles")

SUPPORT: Final[dict[str, dict[str, dict[str, Any]]]] = plain(
    (Path(__file__).parent / "email_support.yaml").read_text(encoding="utf-8")
)
EVERYWHERE: Final = {
    "css": {"color"},
    "elements": {"html", "head", "meta", "title", "br"},
    "attributes": {"bgcolor", "border", "charset", "class", "content", "href", "name", "style"},
}
"""HTML 3.2 and CSS 1, of which caniemail has no page."""
WITHOUT: Final = {
    "a": "in three apps a link within the mail does nothing; the headline of the story below is a link too",
    "border-radius": "corners are square",
    "body": "its background is drawn by the table below it too",
    "color-scheme": "the program picks the colours itself",
    "prefers-color-scheme": "the program shows the light colours, or changes them by itself",
    "@media": "a phone shows the margins of a computer",
}
"""What some program doesn't support → what the mail is without it."""


@cache
def parsed(name: str) -> HtmlElement:
    return lxml_html.document_fromstring(page(name))


def styled(name: str) -> Iterator[tuple[HtmlElement, str, str]]:
    """Element, property and value of every inline declaration."""
    for element in parsed(name).iter(lxml_html.etree.Element):
        for declaration in filter(None, element.get("style", "").split(";")):
            prop, _, value = declaration.partition(":")
            yield element, prop.strip(), value.strip()


def sheet(name: str) -> str:
    (style,) = parsed(name).iter("style")
    return str(style.text)


def declared(name: str) -> set[str]:
    """The properties of the style sheet."""
    return set(re.findall(r"([a-z-]+):[^;{}]*;", sheet(name)))


every_kind = pytest.mark.parametrize("name", KINDS)


@every_kind
def test_nothing_is_used_that_is_not_known_to_be_supported(name: str) -> None:
    elements = list(parsed(name).iter(lxml_html.etree.Element))
    used = {
        "css": {prop for _, prop, _ in styled(name)} | declared(name),
        "elements": {str(element.tag) for element in elements},
        "attributes": {str(key) for element in elements for key in element.keys()},  # noqa: SIM118
    }
    for group, names in used.items():
        assert names <= SUPPORT[group].keys() | EVERYWHERE[group], group
        lacking = {one for one in names if "lacking" in SUPPORT[group].get(one, {})}
        assert lacking <= WITHOUT.keys(), group


def test_every_reason_is_needed_and_every_entry_has_its_source() -> None:
    entries = {key: entry for group in SUPPORT.values() for key, entry in group.items()}
    assert {key for key, entry in entries.items() if "lacking" in entry} == set(WITHOUT)
    for key, entry in entries.items():
        assert entry["source"].startswith("https://www.caniemail.com/features/"), key


CELLS: Final = {"td"}
PARTLY: Final[dict[str, Callable[[Any, str], Any]]] = {
    "padding": lambda element, value: element.tag in CELLS,
    "border": lambda element, value: element.tag in ("table", "td") and int(value.split("px")[0]) <= 8,
    "border-left": lambda element, value: element.tag in CELLS,
    "border-right": lambda element, value: element.tag in CELLS,
    "display": lambda element, value: value == "none",
    "font-size": lambda element, value: re.fullmatch(r"\d+px", value),
    "line-height": lambda element, value: re.fullmatch(r"\d+px", value),
    "font-weight": lambda element, value: int(value) >= 600,
    "margin": lambda element, value: element.tag not in ("span", "body") and "auto" not in value and "-" not in value,
    "max-width": lambda element, value: element.tag == "table",
    "text-align": lambda element, value: value in ("left", "right", "center"),
    "text-decoration": lambda element, value: value in ("none", "underline", "line-through"),
    "text-transform": lambda element, value: value == "uppercase",
    "word-break": lambda element, value: value == "break-word",
}
"""What works in Word, which shows mails in Outlook for Windows, and in Gmail for other accounts."""


@every_kind
def test_what_is_supported_partly_is_used_where_it_works(name: str) -> None:
    partly = {prop for prop, entry in SUPPORT["css"].items() if "partly" in entry and prop != "border-color"}
    assert partly == set(PARTLY), "each has its rule"
    wrong = [
        (el.tag, prop, value) for el, prop, value in styled(name) if prop in PARTLY and not PARTLY[prop](el, value)
    ]
    assert wrong == []


@every_kind
def test_the_style_sheet_is_one_that_gmail_keeps(name: str) -> None:
    css = sheet(name)
    assert len(css) < 8_192, "Gmail drops a longer one"
    selectors = [selector.strip() for selector in re.findall(r"([^{}]+){", css)]
    plain = re.compile(r":root|body|\.[a-z]+|@media \((max-width: 480px|prefers-color-scheme: dark)\)")
    assert [selector for selector in selectors if not plain.fullmatch(selector)] == []
    assert "/*" not in css
    assert not re.search(r"\S!important", css), "Outlook wants a blank before it"


@every_kind
def test_links_within_the_mail_lead_to_an_empty_named_anchor(name: str) -> None:
    wanted = {a.get("href")[1:] for a in parsed(name).iter("a") if a.get("href", "").startswith("#")}
    anchors = {a.get("name") for a in parsed(name).iter("a") if a.get("name") and not a.text_content()}
    assert wanted <= anchors, "Gmail follows no id"
    if name in ("group", "digest"):
        assert wanted == {f"s{n}" for n in range(1, 7)}


def test_what_stands_between_two_arabic_names_keeps_their_order() -> None:
    assert "الصحيفة\u200e,\u00a03\u00a0independent" in parsed("group").text_content()
    assert "القمة المقبلة\u200e, الصحيفة, in Arabic" in parsed("long-words").text_content()


def test_a_spike_leads_to_what_the_search_finds_and_is_no_story() -> None:
    seen = " ".join(parsed("spike").text_content().split())
    assert "2 new stories · unusually many articles" in seen
    assert seen.count("What the search finds · relevant · not relevant") == 1
    assert seen.count("enough") == 2
    (link,) = (a for a in parsed("spike").iter("a") if a.text == "What the search finds")
    assert link.get("href") == "https://news.example/news/searches/ice?from=mail"
    text = part(message_from_bytes(octets(KINDS["spike"]()), policy=policy.default), "plain")
    assert "What the search finds [" in text


@pytest.mark.parametrize(("name", "tone"), [("correction", "bad"), ("update", "good"), ("spike", "odd")])
def test_an_update_is_not_set_as_an_alarm(name: str, tone: str) -> None:
    labels = [
        e.get("class") for e in parsed(name).iter("p", "strong") if (e.text or "").strip(": \n").lower() in LABELS
    ]
    assert set(labels) == {tone}


def test_no_line_is_left_empty_where_nobody_judged_the_outlet() -> None:
    html_of_one = page("one")
    assert re.search(r"<br>\s*<br>", html_of_one) is None
    text = part(message_from_bytes(octets(KINDS["one"]()), policy=policy.default), "plain")
    assert re.search(r"one source\npublished", text)


@every_kind
def test_every_colour_of_text_has_its_dark_one(name: str) -> None:
    css = sheet(name).partition("prefers-color-scheme: dark")[2]
    dark = set(re.findall(r"\.([a-z]+) {[^}]*(?<!-)color:", css))
    for element, prop, value in styled(name):
        if prop == "color":
            on_colour = value == "#ffffff"
            assert on_colour or dark & set(element.get("class", "").split()), (element.tag, element.get("class"))


@every_kind
def test_word_gets_a_table_of_the_width_that_others_have_at_most(name: str) -> None:
    shown = page(name)
    assert shown.count("<!--[if mso]>") == shown.count("<![endif]-->") == 2
    assert '<!--[if mso]><table role="presentation" width="640"' in shown


# ── size ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_kind
def test_gmail_clips_nothing(name: str) -> None:
    assert encoded_size(page(name)) < HTML_BYTES < 102_000
    whole = octets(KINDS[name]())
    assert max(map(len, whole.splitlines())) <= 998


def test_what_does_not_fit_is_counted_and_stands_in_the_text() -> None:
    articles = a_mixed_lot(500)
    message = a_message("group", articles)
    assert isinstance(message.body, StoryList)
    seen = Tags(page("group-500")).text
    said = re.search(r"(\d+) more stories do not fit into this mail", seen)
    assert said
    shown = sum(story.headline in seen for story in message.body.stories)
    assert shown + int(said[1]) >= 500
    assert f"/news/deliveries?to={quote(message.recipient)}" in page("group-500")
    sent = message_from_bytes(octets(message), policy=policy.default)
    text = "".join(part(sent, "plain").split())
    headlines = ["".join(story.headline.split()) for story in message.body.stories]
    assert [headline for headline in headlines if headline not in text] == []


def test_the_fewest_are_left_out() -> None:
    counts = [len(re.findall(r'<a name="s\d+">', page(name))) for name in ("digest", "digest-60")]
    assert counts == [6, 12]
    assert "do not fit" not in page("digest-60")


def test_a_message_to_the_operator_has_its_bound_too() -> None:
    whole = html(to_the_operator(300, 2_000), KIBANA)
    assert encoded_size(whole) < HTML_BYTES
    assert re.search(r"\d,?\d+ more of these do not fit into this mail; its plain text has all of them", whole)


def test_many_saved_searches_are_counted() -> None:
    message = a_message("group", a_mixed_lot(2))
    assert isinstance(message.body, StoryList)
    (watched,) = message.body.watched_by.values()
    many = {f"s{n}": replace(watched, name=f"Search {n}") for n in range(300)}
    crowded = html(replace(message, body=replace(message.body, watched_by=many)), KIBANA)
    assert encoded_size(crowded) < HTML_BYTES
    assert "and 280 more saved searches" in crowded


# ── seen ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

PHONE: Final = (360, 740)
"""Pixels of a small phone's screen."""
WORDS: Final = """() => {
  const light = (colour) => {
    const linear = (c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => linear(c / 255))
    return .2126 * r + .7152 * g + .0722 * b
  }
  const behind = (e) => {
    if (!e) return "rgb(255, 255, 255)"
    const colour = getComputedStyle(e).backgroundColor
    return /^rgba.*, 0\\)$/.test(colour) ? behind(e.parentElement) : colour
  }
  const found = []
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
    if (!own || !e.offsetParent) continue
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))]
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
    if (ratio < 4.5) found.push(`${e.tagName} ${e.className} ${ratio.toFixed(1)} ${e.textContent.slice(0, 30)}`)
  }
  return found
}"""
"""The elements whose text has less contrast than WCAG 2.2 (1.4.3) asks for."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OPTIONS))
        yield browser
        browser.close()


@needs_chromium
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_can_be_read_on_a_phone_and_a_computer(chromium: Browser, scheme: Any) -> None:
    context = chromium.new_context(color_scheme=scheme, offline=True)
    tab = context.new_page()
    for name in KINDS:
        tab.set_content(page(name))
        for width in (PHONE[0], 700):
            tab.set_viewport_size({"width": width, "height": PHONE[1]})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than {width} px"
        assert tab.evaluate(WORDS) == [], name
    context.close()


@needs_chromium
@pytest.mark.slow
def test_six_stories_fit_in_three_screens_of_a_phone(chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": PHONE[0], "height": PHONE[1]}, offline=True)
    tab = context.new_page()
    for name in ("group", "digest"):
        tab.set_content(page(name))
        assert tab.evaluate("document.documentElement.scrollHeight") <= 3 * PHONE[1], name
    context.close()
