"""An article page to its title, text, authors, date and the rest."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from ingest import dates, text
from ingest.parse import language_of
from ingest.urls import absolute
from newswatch.model import Extracted

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


def extractor_version() -> str:
    """Name and version of what extracts, for an article's provenance."""
    from importlib.metadata import version

    return f"trafilatura {version('trafilatura')}"


def extract(body: bytes | str, *, url: str, content_type: str | None = None, now: datetime) -> Extracted:
    """What the page in `body`, served from `url`, says; `status` and `problems` tell what it doesn't. Never raises."""
    try:
        return _extract(_decoded(body, content_type), url, now)
    except Exception as error:  # whatever a hostile page provokes in the parsers below
        return Extracted("", "", status="failed", problems=(f"reading it failed: {type(error).__name__}: {error}",))


def _decoded(body: bytes | str, content_type: str | None) -> bytes | str:
    """The page as text where its server names the encoding, and is right; else as it is, for the parser to find out."""
    charset = _CHARSET.search(content_type or "")
    if isinstance(body, str) or not charset:
        return body
    try:
        return body.decode(charset[1])
    except (LookupError, UnicodeDecodeError):
        return body


def _extract(body: bytes | str, url: str, now: datetime) -> Extracted:
    import trafilatura

    document = trafilatura.bare_extraction(
        body, url=url, with_metadata=True, include_comments=False, include_tables=False, favor_precision=False
    )
    if document is None:
        return Extracted("", "", status="empty", problems=("no text was found on the page",))
    problems: list[str] = []
    body_text = text.tidy(document.text or "")
    return Extracted(
        title=text.one_line(document.title or ""),
        text=body_text,
        authors=tuple(name.strip() for name in (document.author or "").split(";") if name.strip()),
        published=_date(document.date, now, problems),
        language=language_of(document.language),
        canonical_url=absolute(document.url, url),
        image=absolute(document.image, url),
        site_name=document.sitename,
        status="full" if body_text else "empty",
        problems=tuple(problems),
    )


def _date(written: str | None, now: datetime, problems: list[str]) -> datetime | None:
    if not written:
        return None
    when = dates.in_utc(datetime.fromisoformat(written))
    if why := dates.implausible(when, now):
        problems.append(f"published {why}: dropped")
        return None
    return when
