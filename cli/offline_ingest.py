"""`newswatch parse` and `newswatch extract`: one document in, JSON lines out; no server needed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.output import STAGES, emit_json, os_fault

NOT_A_FEED = 2
ContentType = Annotated[
    str | None, typer.Option(help='The Content-Type it was served with: "text/html; charset=iso-8859-9".')
]
File = Annotated[Path, typer.Argument(help="The file to read; - is standard input.", allow_dash=True, metavar="FILE|-")]


def register(app: typer.Typer) -> None:
    """Adds the two commands to `app`."""
    app.command("parse", rich_help_panel=STAGES)(parse_command)
    app.command("extract", rich_help_panel=STAGES)(extract_command)


def parse_command(
    file: File,
    url: Annotated[str | None, typer.Option(help="Where the feed was served; relative links are read by it.")] = None,
    content_type: ContentType = None,
) -> None:
    """Read a feed and write each entry as one JSON object a line.

    What was wrong with it is told on standard error. Ends with 2 if it is no feed.
    """
    from ingest.parse import parse
    from ingest.parsed import NotAFeed

    feed = parse(_read(file), url=url, content_type=content_type, now=datetime.now(UTC))
    if isinstance(feed, NotAFeed):
        _tell(f"{file}: {feed.reason}")
        for advertised in feed.feeds:
            _tell(f"{file}: advertises the feed {advertised}")
        raise typer.Exit(NOT_A_FEED)
    for problem in feed.problems:
        _tell(f"{file}: {problem}")
    for entry in feed.entries:
        for problem in entry.problems:
            _tell(f"{file}: entry {entry.id}: {problem}")
        emit_json(entry)


def extract_command(
    file: File,
    url: Annotated[str, typer.Option(help="Where the page was served; relative links are read by it.")],
    content_type: ContentType = None,
) -> None:
    """Read an article page and write what it says as one JSON object."""
    from ingest.extract import extract

    page = extract(_read(file), url=url, content_type=content_type, now=datetime.now(UTC))
    for problem in page.problems:
        _tell(f"{file}: {problem}")
    emit_json(page)


def _read(file: Path) -> bytes:
    """The bytes of the file or of standard input; ends the command with 1 where there are none to be had."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        _tell(os_fault(error))
        raise typer.Exit(1) from error


def _tell(line: str) -> None:
    print(line.encode("utf-8", "replace").decode(), file=sys.stderr)
