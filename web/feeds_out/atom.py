"""A feed as Atom (RFC 4287), with paging links (RFC 5005). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from lxml import etree

from newswatch import __version__
from web.feeds_out.entries import Document, Entry

MEDIA_TYPE: Final = "application/atom+xml"
_ATOM: Final = "http://www.w3.org/2005/Atom"
_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't hold, escaped or not."""
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def written(document: Document) -> bytes:
    """The feed in UTF-8."""
    names: Any = {None: _ATOM}
    feed = etree.Element(f"{{{_ATOM}}}feed", nsmap=names)
    _add(feed, "id", document.id)
    _add(feed, "title", document.title)
    _add(feed, "subtitle", document.about)
    _add(feed, "updated", _moment(document.updated))
    _add(feed, "generator", "newswatch", version=__version__)
    author = etree.SubElement(feed, f"{{{_ATOM}}}author")
    _add(author, "name", "newswatch")
    _add(feed, "link", rel="self", type=MEDIA_TYPE, href=document.self_url)
    _add(feed, "link", rel="alternate", type="text/html", href=document.home_url)
    _add(feed, "link", rel="first", type=MEDIA_TYPE, href=document.first_url)
    if document.next_url:
        _add(feed, "link", rel="next", type=MEDIA_TYPE, href=document.next_url)
    if document.hub:
        _add(feed, "link", rel="hub", href=document.hub)
    for entry in document.entries:
        _add_entry(feed, entry)
    whole: bytes = etree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return whole


def _add_entry(feed: etree._Element, entry: Entry) -> None:
    element = etree.SubElement(feed, f"{{{_ATOM}}}entry")
    if _LANGUAGE.fullmatch(entry.language):
        element.set("{http://www.w3.org/XML/1998/namespace}lang", entry.language)
    _add(element, "id", entry.id)
    _add(element, "title", entry.title)
    _add(element, "link", rel="alternate", href=entry.url)
    _add(element, "published", _moment(entry.published))
    _add(element, "updated", _moment(entry.updated))
    author = etree.SubElement(element, f"{{{_ATOM}}}author")
    _add(author, "name", entry.outlet)
    for tag, name in entry.tags:
        _add(element, "category", term=tag, label=name)
    _add(element, "category", term=f"reliability-{entry.reliability.lower()}", label=f"Reliability {entry.reliability}")
    if entry.state_media:
        _add(element, "category", term="state-media", label="State media")
    if entry.notice:
        _add(element, "category", term=entry.notice, label=entry.notice.capitalize())
    _add(element, "summary", entry.lead or entry.title)
    _add(element, "content", entry.html, type="html")


def _add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> None:
    element = etree.SubElement(parent, f"{{{_ATOM}}}{name}")
    for key, value in attributes.items():
        element.set(key, _legal(value))
    if text:
        element.text = _legal(text)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
