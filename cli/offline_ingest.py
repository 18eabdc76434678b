"""`newswatch parse` and `newswatch extract`: one document in, JSON lines out; no server needed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import STAGES, emit_json

NOT_A_FEED = 2
ContentType = Annotated[str | None, typer.Option(help='Its Content-Type header: "text/html; charset=iso-8859-9".')]
File = Annotated[Path, typer.Argument(help="The file to read; - is standard input.", allow_dash=True, metavar="FILE|-")]


def register(app: typer.Typer) -> None:
    """Add the two commands to `app`."""
    app.command("parse", rich_help_panel=STAGES)(parse_command)
    app.command("extract", rich_help_panel=STAGES)(extract_command)


def parse_command(
    file: File,
    url: Annotated[str | None, typer.Option(help="Address of the feed; base of its relative links.")] = None,
    content_type: ContentType = None,
) -> None:
    """Parse a feed and write each entry as a JSON object on a line.

    Problems go to standard error. Exits with 2 if the file is not a feed.
    """
    from ingest.parse import parse
    from ingest.parsed import NotAFeed

    feed = parse(read_bytes(file), url=url, content_type=content_type, now=datetime.now(UTC))
    if isinstance(feed, NotAFeed):
        _print_error(f"{file}: {feed.reason}")
        for advertised in feed.feeds:
            _print_error(f"{file}: advertises the feed {advertised}")
        raise typer.Exit(NOT_A_FEED)
    for problem in feed.problems:
        _print_error(f"{file}: {problem}")
    for entry in feed.entries:
        for problem in entry.problems:
            _print_error(f"{file}: entry {entry.id}: {problem}")
        emit_json(entry)


def extract_command(
    file: File,
    url: Annotated[str, typer.Option(help="Address of the page; base of its relative links.")],
    content_type: ContentType = None,
) -> None:
    """Extract an article page and write the result as a JSON object."""
    from ingest.pages.extract import extract

    page = extract(read_bytes(file), url=url, content_type=content_type, now=datetime.now(UTC))
    for problem in page.problems:
        _print_error(f"{file}: {problem}")
    emit_json(page)


def read_bytes(file: Path) -> bytes:
    """The bytes of the file or of standard input."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _print_error(line: str) -> None:
    print(line.encode("utf-8", "replace").decode(), file=sys.stderr)
