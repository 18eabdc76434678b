"""A format that only a test knows: all that it takes to add one. Apart, since worker processes import it."""

from __future__ import annotations

from ingest.formats.drafts import Draft, dated, drafted, finish, link_of
from ingest.formats.format import Document, Format, MediaType
from ingest.parsed import ParsedFeed
from ingest.zones import hints_of


def is_ticker(head: bytes) -> bool:
    return head.startswith(b"%TICKER")


def read_ticker(document: Document) -> ParsedFeed:
    """Lines `date | address | title`."""
    problems = [*document.problems]
    lines = document.body.decode().splitlines()[1:]
    hints = hints_of(None, document.url, document.country)

    def draft(line: str) -> Draft:
        when, address, title = (part.strip() for part in line.split("|"))
        made = Draft(title=title, date_as_written=when)
        made.link = link_of(address, document.url, "address", made.problems)
        made.published = dated(when, "date", document.now, hints, made.problems)
        return made

    drafts = drafted(lines, draft, problems)
    return ParsedFeed(document.url, "ticker 1", "Ticker", None, "en", **finish(drafts, "en", problems))


TICKER = Format(
    name="ticker",
    media_types=(MediaType("text/x-ticker", 0.6),),
    sniff=is_ticker,
    read=read_ticker,
    usual_paths=("/ticker.txt",),
    address_words=("ticker",),
)
