"""Mails as their readers see them: a sample of what a saved search would send, and what the mail catcher has caught.

A mail's HTML is shown in a frame of its own, under a policy that lets it do nothing but be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from alerts import schedule as schedules
from delivery.sample import sample as written
from embedded.mail import CaughtMail, read_mail
from embedded.stack_files import mail_folder
from jobs.context import Context
from newswatch.alert import SavedSearch
from search.limits import MAX_CHARS
from store.articles import ArticleStore
from web.catcher import catches, caught
from web.render import render
from web.security import Here

SHOWN = 100
"""Caught mails that are listed, the newest."""
REMEMBERED = 2_000
"""Caught mails whose heads are kept in memory."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
}
"""Of a mail: mails carry their styles with them. Its links open beside the page."""
_NAME = r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]+"

router = APIRouter()
private = APIRouter()
"""For those who may change what is mailed: a caught mail holds the links that act in its recipient's name."""


# ── a sample ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.get("/mail/sample")
def sample(
    here: Here,
    article: Annotated[list[str], Query(max_length=20)],
    name: Annotated[str, Query(max_length=200)] = "",
    query: Annotated[str, Query(max_length=MAX_CHARS)] = "",
    schedule: Annotated[str, Query(max_length=100)] = "instant",
) -> Response:
    """The mail that a saved search of this name, query and schedule would send on these articles."""
    try:
        schedules.parse(schedule)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    found = ArticleStore(here.es, here.names).get(article)
    articles = [found[article_id] for article_id in dict.fromkeys(article) if article_id in found]
    if not articles:
        raise HTTPException(404, "These articles are no longer in the index.")
    search = SavedSearch("sample", name or "This search", query, ("you@example.org",), schedule=schedule)
    return _framed(written(here.es, here.names, here.settings, search, articles, here.clock()))


def _framed(html: str) -> Response:
    out = re.sub(r"<head>", '<head><base target="_blank">', html, count=1)
    return HTMLResponse(out, headers=HEADERS)


# ── what was caught ──────────────────────────────────────────────────────────────────────────────────────────────────


@private.get("/mails")
def list_caught(request: Request, here: Here) -> Response:
    paths = caught(here.settings)
    mails = [_head(path) for path in paths[:SHOWN]]
    return render(request, "mails.html.j2", mails=mails, total=len(paths), now=here.clock())


@private.get("/mails/{name}")
def show_caught(request: Request, here: Here, name: str) -> Response:
    return render(request, "mail.html.j2", mail=_caught(here, name), name=name, now=here.clock())


@private.get("/mails/{name}/body")
def caught_body(here: Here, name: str) -> Response:
    return _framed(_caught(here, name).html)


def caught_names(here: Context, references: Iterable[str]) -> Mapping[str, str]:
    """Reference of a delivery → the name of the caught mail, of those that are among the newest caught."""
    wanted = set(references)
    heads = ((path, _head(path)) for path in caught(here.settings)[:REMEMBERED]) if wanted else ()
    return {head.reference: path.stem for path, head in heads if head.reference in wanted}


def _caught(here: Context, name: str) -> CaughtMail:
    path = mail_folder(here.settings.data_dir) / f"{name}.eml"
    if not re.fullmatch(_NAME, name) or not catches(here.settings) or not path.is_file():
        raise HTTPException(404, "There is no such mail.")
    return read_mail(path)


@lru_cache(REMEMBERED)
def _head(path: Path) -> CaughtMail:
    """A caught mail without its body; the file never changes."""
    return replace(read_mail(path), text="", html="")
