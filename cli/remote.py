"""`newswatch search --server`: asks an installation elsewhere, by its API."""

from __future__ import annotations

import sys
from time import sleep
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from cli.exit_codes import STORE
from cli.output import emit_json, err, out, printable, stated

if TYPE_CHECKING:
    from newswatch.api import ArticleShape
    from newswatch.client import Newswatch

_LINE = 1_000


def client_of(server: str) -> Newswatch:
    """The client of the server, with the key of the settings.

    Raises:
        typer.BadParameter: there is no key.
        ServerError: the address can't be used.
    """
    from newswatch.client import Newswatch

    key = stated().api_key
    if key is None:
        raise typer.BadParameter("--server needs a key: set NEWSWATCH_API_KEY (`newswatch api-keys create` there).")
    return Newswatch(server, key.get_secret_value())


def find(server: str, query: str, size: int, sort: str, *, stories: bool, as_json: bool) -> None:
    """Show what the server's search finds; as JSON, each row as the API has it."""
    rows = "stories" if stories else "articles"
    found = client_of(server).search(query, sort=sort, rows=rows, limit=min(size, 200))
    if found.relaxed:
        err.print("[yellow]No article has all of these words. These have some of them:[/]")
    for row in found.rows:
        if as_json:
            emit_json(row)
        else:
            _show(row.article)
    if not as_json:
        of = found.total if found.stories is None else found.stories
        more = f", {len(found.rows)} shown" if len(found.rows) < of else ""
        out.print(f"[bold]{found.total}[/] found{more}.")
    if found.shortened:
        err.print(found.shortened, style="yellow", markup=False)
    if found.incomplete:
        err.print(found.incomplete, style="yellow", markup=False)
        raise typer.Exit(STORE)


def watch(server: str, query: str, every_s: float, *, as_json: bool) -> None:
    """Show the articles that come in, each version once."""
    client = client_of(server)
    page = client.page(query, after="now")
    cursor = page.next
    if page.shortened:
        err.print(page.shortened, style="yellow", markup=False)
    err.print(f"Waiting for articles that match {query!r}; Ctrl-C stops.", markup=False)
    try:
        while True:
            for article in client.articles(query, after=cursor):
                if as_json:
                    emit_json({"article": article})
                    sys.stdout.flush()
                else:
                    _show(article)
            cursor = client.cursor
            sleep(every_s)
    except KeyboardInterrupt:
        err.print()


def _show(article: ArticleShape) -> None:
    outlet = article.outlet
    when = f"{article.published or article.first_seen:%d %b %Y %H:%M %Z}"
    tags = " ".join(f"{tag.tag}{'*' if tag.level == 'main' else ''}" for tag in article.tags)
    name = f"{printable(outlet.name, _LINE)} [{outlet.reliability}]{' state media' if outlet.state_media else ''}"
    out.print(Text(printable(article.title, _LINE), style="bold"), soft_wrap=True)
    out.print(Text(f"{name} · {when} · {tags}", style="dim"), soft_wrap=True)
    out.print(Text(printable(article.url, _LINE), style="cyan"), soft_wrap=True)
    out.print()
