"""`newswatch feeds add`: finds what can be read at an address, and adds it to the list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.text import Text

from cli.feed_preview import Date, Items, ItemTitle, Link, ReadAs, read_of
from cli.feeds import NO_FEED, InStore, add_to_list, settings_here
from cli.feeds import app as feeds_app
from cli.output import AsJson, emit_json, err, out, working
from newswatch.feed import Feed, Read, Rule
from newswatch.wording import worded

if TYPE_CHECKING:
    from ingest.discovery.discover import Discovery, FoundFeed
    from ingest.feed_list.feeds import FeedSpec
    from newswatch.settings import Settings


def register(main: typer.Typer) -> None:  # noqa: ARG001 - the command belongs to `feeds`
    """Add the command to `newswatch feeds`."""
    feeds_app.command("add")(add)


def add(
    url: Annotated[str, typer.Argument(help="Address of a feed, of a site that has feeds, or of a page of headlines.")],
    title: Annotated[str | None, typer.Option(help="Default: the feed's own title.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166-1 alpha-2.")] = None,
    language: Annotated[str | None, typer.Option(help="ISO 639; default: the feed's own language.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    kind: Annotated[str, typer.Option(help="Kind of outlet; see config/feeds.yaml.")] = "press",
    owner: Annotated[str | None, typer.Option(help="Who controls the outlet.")] = None,
    read: ReadAs = None,
    items: Items = None,
    link: Link = None,
    item_title: ItemTitle = None,
    date: Date = None,
    rule: Annotated[
        str | None, typer.Option(help='All of these at once, as in feeds.yaml: {items: ".row", title: h3}.')
    ] = None,
    reliability: Annotated[str | None, typer.Option(help="Grade from A to F; see docs/reliability.md.")] = None,
    because: Annotated[str | None, typer.Option(help="The reason for the grade.")] = None,
    state_media: Annotated[bool, typer.Option("--state-media", help="A state may decide what it says.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Add every feed of the site, if it has several.")] = False,
    store: InStore = False,
    as_json: AsJson = False,
) -> None:
    """Find the feed at an address and add it to config/feeds.yaml; the next poll includes it.

    A site without a feed is read by its sitemap, or else by the list of articles on the page; what was tried is shown.

    With --read, the address is read as that, by the rule if one is given; it is added if it has items.

    Where the file is read-only or missing, the feed is listed in Elasticsearch, beside the file.
    """
    ways, given = read_of(read), _rule(items, link, item_title, date, rule)
    if given and not ways:
        raise typer.BadParameter("A rule needs --read: page, sitemap or json.")
    rated = _rating(reliability, because)
    settings = settings_here()
    url = url if "://" in url else f"https://{url}"
    discovered = _read_as(settings, url, ways, given) if ways else _discover(settings, url)
    feeds = discovered.feeds
    for told in discovered.tried:
        err.print(f"[dim]{escape(told)}[/]", soft_wrap=True)
    if discovered.cut:
        err.print(
            f"[yellow]{escape(discovered.cut)}.[/] If you want another, give the feed's own address.", soft_wrap=True
        )
    if not feeds:
        why = f": {discovered.failure}" if discovered.failure else ", and its site names none"
        err.print(f"[red]There is no feed or list at[/] {escape(url + why)}.", soft_wrap=True)
        raise typer.Exit(NO_FEED)
    if len(feeds) > 1 and not every:
        err.print("The site has several feeds: give the address of the one you want, or add --all.")
        for feed in feeds:
            out.print(Text(f"{feed.url}  {feed.title} ({feed.entries} entries)"), soft_wrap=True)
        raise typer.Exit(NO_FEED)
    stated: dict[str, Any] = {
        "country": country,
        "language": language,
        "topics": tuple(topic or ()),
        "kind": kind,
        "owner": owner,
    }
    stated |= {"reliability": rated, "state_media": state_media}
    stated |= {"rule": given} if given else {}
    site = url if all(feed.url != url for feed in feeds) else None
    specs = [_spec(feed, title, site, stated) for feed in feeds]
    added, where = add_to_list(settings, specs, store=store)
    _print_added(specs, added, where, as_json)


def _discover(settings: Settings, url: str) -> Discovery:

    from ingest.discovery.discover import discover
    from ingest.http.fetch import Fetcher
    from newswatch.clock import utc_now

    async def run() -> Discovery:
        async with Fetcher(settings) as fetcher:
            return await discover(fetcher, url, now=utc_now())

    with working(f"Looking for feeds at {escape(url)} …"):
        return asyncio.run(run())


def _read_as(settings: Settings, url: str, read: Read, rule: dict[str, str]) -> Discovery:
    """What would be read at the address, as a discovery."""
    from ingest.discovery.discover import Discovery, FoundFeed
    from ingest.discovery.preview import preview_live
    from ingest.http.fetch import Fetcher
    from newswatch.clock import utc_now

    async def run() -> Discovery:
        async with Fetcher(settings) as fetcher:
            shown = await preview_live(fetcher, url, now=utc_now(), read=read, rule=Rule(**rule) if rule else None)
        if not shown.entries:
            return Discovery(failure=shown.why_not or "it has no items", tried=shown.warnings)
        facts = (shown.format or read, len(shown.entries), shown.language, shown.newest)
        return Discovery((FoundFeed(url, shown.title, *facts, read=read, warnings=shown.warnings),))

    with working(f"Reading {escape(url)} …"):
        return asyncio.run(run())


def _rule(*parts: str | None) -> dict[str, str]:
    """The rule of the options: each part by itself, or all as `feeds.yaml` writes them.

    Raises:
        typer.BadParameter: it is no rule, or a part is given twice.
    """
    import yaml

    from ingest.feed_list.feeds import RULES
    from newswatch.config import plain

    given = {name: part for name, part in zip(RULES, parts, strict=False) if part}
    if not (whole := parts[-1]):
        return given
    try:
        stated = plain(whole)
    except yaml.YAMLError:
        stated = None
    if not isinstance(stated, dict) or not stated or not all(isinstance(value, str) for value in stated.values()):
        raise typer.BadParameter('--rule is written as in feeds.yaml: {items: ".row", link: a, title: h3, date: time}.')
    if strange := stated.keys() - {*RULES}:
        raise typer.BadParameter(f"--rule has no part {', '.join(sorted(map(str, strange)))}, only {', '.join(RULES)}.")
    if twice := stated.keys() & given.keys():
        raise typer.BadParameter(f"--rule and another option both give {', '.join(sorted(twice))}: keep one of them.")
    return stated | given


def _rating(grade: str | None, because: str | None) -> dict[str, Any] | None:
    from newswatch.clock import utc_now

    if grade is None and because is None:
        return None
    if not grade or not because:
        raise typer.BadParameter('A grade needs a reason, and a reason a grade: --reliability B --because "…".')
    return {"grade": grade.upper(), "why": because, "rated": utc_now().date()}


def _spec(feed: FoundFeed, title: str | None, site: str | None, stated: dict[str, Any]) -> FeedSpec:
    from pydantic import ValidationError

    from ingest.feed_list.feeds import FeedSpec

    given = {name: value for name, value in stated.items() if value}
    language = {"language": feed.language} if feed.language and len(feed.language) in (2, 3) else {}
    named = {"url": feed.url, "title": title or feed.title.strip() or feed.url, "site": site, "read": feed.read}
    try:
        return FeedSpec.model_validate(language | given | named)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise typer.BadParameter(f"{'.'.join(map(str, fault['loc']))}: {worded(fault)}") from error


def _print_added(wanted: Sequence[FeedSpec], added: Sequence[Feed], where: str, as_json: bool) -> None:
    ids = {feed.id for feed in added}
    known = [spec for spec in wanted if spec.feed().id not in ids]
    if as_json:
        emit_json({"added": added, "already_there": [spec.url for spec in known], "to": where})
    else:
        for feed in added:
            out.print(f"[green]added[/] {escape(feed.title)} [dim]{escape(feed.url)}[/] to {where}", soft_wrap=True)
        for spec in known:
            out.print(f"[yellow]already there[/] {escape(spec.title)} [dim]{escape(spec.url)}[/]", soft_wrap=True)
    if not added:
        raise typer.Exit(1)
