"""From site and path to the served document. Pure: the same site gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from embedded.newsroom_site.content import Outlet, Story
from embedded.newsroom_site.site import Item, Site

TRACKING = {"utm_source": "rss", "utm_medium": "feed", "utm_campaign": "all"}
ROBOTS = b"User-agent: *\nDisallow: /-/\n"
Validator = Literal["etag", "last-modified"]

_markdown = MarkdownIt("commonmark").enable("table")
# The files are wrapped for editing; printed paragraphs are on one line, as content systems write them.
_markdown.add_render_rule("softbreak", lambda *_: " ")


@dataclass(frozen=True, slots=True)
class Document:
    """The answer to a GET."""

    body: bytes
    content_type: str
    charset: str
    modified: datetime
    validators: tuple[Validator, ...] = ("etag", "last-modified")
    status: int = 200


def html_blocks(markdown: str) -> list[Markup]:
    """The text's paragraphs, headings and tables, each as HTML."""
    return [Markup(_markdown.render(block)) for block in markdown.split("\n\n")]  # noqa: S704 (the text is our own)


def target_of(outlet: Outlet, story: Story) -> str:
    """The path of the story's page, with a query if the outlet uses one."""
    return outlet.article.format(section=quote(story.section.lower()), language=story.language, slug=story.slug)


class Press:
    """Prints the documents of the server at `base` (without a slash at its end)."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._templates = Environment(
            loader=PackageLoader("embedded.newsroom_site"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"rfc822": lambda moment: format_datetime(moment, usegmt=True), "day": _day}

    def url(self, site: Site, story: Story) -> str:
        """The canonical URL of the story's page."""
        return self._base + target_of(site.outlets[story.outlet], story)

    def document(self, site: Site, target: str) -> Document:
        """The document at `target`, a path with or without a query; if there is none, an error page with 404."""
        asked = urlsplit(target)
        for path, printed in self._fixed(site):
            if path == asked.path:
                return printed()
        story = parse_qs(asked.query).get("story", [""])[0]
        article = f"{asked.path}?story={story}" if story else asked.path
        for item in site.items.values():
            outlet = site.outlets[item.story.outlet]
            if target_of(outlet, item.story) == article and item.story.page != "missing":
                return self._article(site, outlet, item)
        return self._not_found(site)

    def _fixed(self, site: Site) -> Iterator[tuple[str, Callable[[], Document]]]:
        yield "/", partial(self._contents, site)
        yield "/robots.txt", partial(Document, ROBOTS, "text/plain", "utf-8", site.opened)
        for outlet in site.outlets.values():
            if outlet.format:
                yield outlet.feed, partial(self._feed, site, outlet)
                yield f"/{outlet.id}/", partial(self._front, site, outlet)
        for item in site.items.values():
            if item.story.caption:
                yield f"/img/{item.story.slug}.svg", partial(self._picture, item)

    def _article(self, site: Site, outlet: Outlet, item: Item) -> Document:
        name = "consent.html" if item.story.page == "consent" else outlet.page
        others = [other for other in site.printed_by(outlet) if other is not item]
        text = self._render(site, name, outlet=outlet, item=item, blocks=html_blocks(item.body), others=others)
        # Characters that the outlet's encoding lacks are written as references, as content systems do.
        body = text.encode(outlet.encoding, errors="xmlcharrefreplace")
        # The page lists other stories, so it is as new as the newest of them.
        modified = max(i.updated for i in (item, *others))
        return Document(body, "text/html", outlet.encoding, modified)

    def _feed(self, site: Site, outlet: Outlet) -> Document:
        items = site.fed_by(outlet)
        modified = max(item.updated for item in items)
        text = self._render(site, outlet.format, outlet=outlet, items=items, modified=modified)
        kind = "application/atom+xml" if "atom" in str(outlet.format) else "application/rss+xml"
        return Document(text.encode(), kind, "utf-8", modified, outlet.validators)

    def _front(self, site: Site, outlet: Outlet) -> Document:
        items = site.printed_by(outlet)
        text = self._render(site, "front.html", outlet=outlet, items=items)
        return Document(text.encode(), "text/html", "utf-8", max(item.updated for item in items))

    def _contents(self, site: Site) -> Document:
        return Document(self._render(site, "contents.html").encode(), "text/html", "utf-8", site.opened)

    def _picture(self, item: Item) -> Document:
        text = self._templates.get_template("picture.svg").render(item=item)
        return Document(text.encode(), "image/svg+xml", "utf-8", item.updated)

    def _not_found(self, site: Site) -> Document:
        return Document(self._render(site, "not-found.html").encode(), "text/html", "utf-8", site.opened, (), 404)

    def _render(self, site: Site, template: str | None, **values: Any) -> str:
        return self._templates.get_template(str(template)).render(
            site=site,
            base=self._base,
            url=lambda item: self.url(site, item.story),
            feed_link=lambda item: self._feed_link(site, item),
            html=lambda item: Markup("").join(html_blocks(item.body)),
            people=lambda item: [{"@type": "Person", "name": name} for name in item.story.authors],
            **values,
        )

    def _feed_link(self, site: Site, item: Item) -> str:
        """The story's address as its feed writes it."""
        plain = self.url(site, item.story)
        match item.story.feed_link:
            case "plain":
                return plain
            case "relative":
                return plain.removeprefix(self._base)
            case "tracking":
                return f"{plain}{'&' if '?' in plain else '?'}{urlencode(TRACKING)}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
