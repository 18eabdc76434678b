"""The items that a rule names: by CSS selectors on a page, by paths in JSON, by a pattern of addresses in a sitemap."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lxml import etree

from ingest.addresses import absolute
from ingest.feed_list.css import check_css
from ingest.lists.data import at_path, item_of, moment, plain
from ingest.lists.groups import Member
from ingest.lists.items import ListItem, day_in, headline_worth
from ingest.lists.links import Link, Links, seen_text
from ingest.lists.moments import Reader
from ingest.lists.titles import title_of
from newswatch.feed import Rule


def on_page(root: etree._Element, links: Links, url: str, rule: Rule, reader: Reader, now: datetime) -> list[ListItem]:
    """The items that the rule's selectors find, in the page's order; a part without a selector is found unaided.

    Raises:
        RuleError: a selector is not CSS.
    """
    by_element = {link.element: link for link in links.links}
    items: dict[str, ListItem] = {}
    for box in _found(root, rule.items or "a[href]"):
        item = _item(box, by_element, url, rule, reader, now)
        if item is not None:
            items.setdefault(item.url, item)
    return list(items.values())


def _found(element: etree._Element, selector: str) -> list[etree._Element]:
    import cssselect

    xpath = cssselect.HTMLTranslator().css_to_xpath(check_css(selector))
    found = element.xpath(xpath)
    return [each for each in found if isinstance(each, etree._Element)] if isinstance(found, list) else []


def _item(
    box: etree._Element, links: Mapping[etree._Element, Link], url: str, rule: Rule, reader: Reader, now: datetime
) -> ListItem | None:
    within = _found(box, rule.link) if rule.link else [box, *box.iter("a")]
    known = [links[each] for each in within if each in links]
    if not known:
        href = next((each.get("href") for each in within if each.get("href")), None)
        target = absolute(href, url)
        if target is None:
            return None
        known = [Link(within[0], target.partition("#")[0], seen_text(within[0]), 0, 1.0, False, ())]
    main = max(known, key=lambda link: (link.is_heading, headline_worth(link.text)))
    own = [main, *(link for link in known if link.url == main.url and link is not main)]
    told = next((text for each in _found(box, rule.title) if (text := seen_text(each))), "") if rule.title else ""
    title = told or title_of(Member(own, box).links, box, frozenset(), reader.is_date)
    dated = _found(box, rule.date) if rule.date else [box]
    when = next((day for each in dated if (day := reader.in_box(each, title))), None)
    return ListItem(main.url, title, when or day_in(main.url, now)) if title else None


def in_json(data: Any, url: str, rule: Rule, reader: Reader, now: datetime) -> list[ListItem] | None:
    """The items at the rule's path in `data`; None if there is no list of objects at the path."""
    found = at_path(data, rule.items or "")
    objects = list(found.values()) if isinstance(found, Mapping) else found
    if not isinstance(objects, list):
        return None
    items: dict[str, ListItem] = {}
    for each in objects:
        item = _read(each, url, rule, reader, now) if isinstance(each, Mapping) else None
        if item is not None:
            items.setdefault(item.url, item)
    return list(items.values())


def _read(given: Mapping[str, Any], url: str, rule: Rule, reader: Reader, now: datetime) -> ListItem | None:
    found = item_of(given, url, reader, now)
    title = plain(at_path(given, rule.title)) if rule.title else found.title if found else plain(given.get("title"))
    link = _linked(given, rule.link, url) if rule.link else found.url if found else None
    if not title or link is None:
        return None
    when = moment(at_path(given, rule.date), reader, now) if rule.date else found.published if found else None
    return ListItem(link, title, when or day_in(link, now))


def _linked(given: Mapping[str, Any], rule: str, url: str) -> str | None:
    """The address at a path, or made by a pattern: `https://news.example/story/{slug}`."""
    if "{" not in rule:
        return absolute(plain(at_path(given, rule)), url)
    parts = {name: plain(str(at_path(given, name) or "")) for name in re.findall(r"\{([^{}]+)\}", rule)}
    if not all(parts.values()):
        return None
    return absolute(re.sub(r"\{([^{}]+)\}", lambda name: parts[name[1]], rule), url)


def address_pattern(pattern: str) -> re.Pattern[str]:
    """A part of an address as a person writes it, with `*` for anything but a slash, `**` for anything."""
    parts = [re.escape(part).replace(r"\*", "[^/?]*") for part in pattern.split("**")]
    return re.compile(".*".join(parts), re.IGNORECASE)
