"""Problems: what was set aside, why and what to do; the document that was kept, and forgetting what was dealt with.

All of it was written by strangers: it is escaped like everything, told apart from what stands around it (`<bdi>`), and
cut where it is long.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from jobs.context import Context
from newswatch.problems import KINDS, Problem
from search.query import MAX_WINDOW
from store.quarantine import LONG_AGO, Kept, Quarantine
from web.render import pages, render
from web.security import Form, Here, Posted, UserName

PAGE = 50
LISTED_REASON = 400
"""Characters of a reason that the list shows; the problem's own page shows it whole."""
URL_SHOWN = 1_000
"""Characters of an address that are shown; a document that somebody edited may hold more."""
SUBJECT_SHOWN = 300
"""Characters of a subject that are shown."""
DOCUMENT_SHOWN = 20_000
"""Characters of a kept document that are shown; the rest is in the download."""
LABELS = {
    "article": "articles",
    "entry": "entries",
    "page": "pages",
    "feed": "feeds",
    "document": "documents",
    "search": "saved searches",
    "recipient": "recipients",
    "mail": "mails",
    "batch": "batches",
    "archive": "archives",
    "hub": "hubs",
}
"""The kinds, many of them."""

router = APIRouter()
changes = APIRouter()
private = APIRouter()
"""For those who may change what is mailed: a kept document may be a mail, with links that act for its reader."""

ProblemId = Annotated[str, Path(max_length=512)]
Kind = Annotated[str, Query(max_length=40)]
FeedId = Annotated[str, Query(max_length=300)]
Offset = Annotated[int, Query(ge=0, le=MAX_WINDOW - PAGE)]


@router.get("/problems")
def list_problems(
    request: Request,
    here: Here,
    kind: Kind = "",
    feed: FeedId = "",
    offset: Offset = 0,
    done: Annotated[int | None, Query(ge=0, le=PAGE)] = None,
) -> Response:
    quarantine = Quarantine(here.es, here.names)
    found = quarantine.listed(kind=kind or None, feed_id=feed or None, size=PAGE, offset=offset)
    values = {
        "found": found,
        "kinds": sorted(found.kinds.items(), key=lambda pair: _rank(pair[0])),
        "pages": pages(offset, PAGE, found.total, MAX_WINDOW),
        "deepest": MAX_WINDOW,
        "place": lambda problem: place(problem, here.names.prefix),
        "labels": LABELS,
    }
    filters = {"kind": kind, "feed": feed, "offset": offset, "done": done}
    return render(request, "problems.html.j2", now=here.clock(), **SHOWN, **filters, **values)


@router.get("/problems/{problem_id}")
def show_problem(request: Request, here: Here, problem_id: ProblemId) -> Response:
    kept = _kept(here, problem_id)
    whole = document_text(kept)
    values = {"kept": kept, "whole": whole, "bound": DOCUMENT_SHOWN, "place": place(kept.problem, here.names.prefix)}
    return render(request, "problem.html.j2", now=here.clock(), **SHOWN, **values)


@private.get("/problems/{problem_id}/document")
def download(here: Here, problem_id: ProblemId) -> Response:
    """The kept document, whole, as a file."""
    text = document_text(_kept(here, problem_id))
    if not text:
        raise HTTPException(404, "No document was kept with this problem.")
    name = re.sub(r"[^\w-]", "_", problem_id, flags=re.ASCII)[:64]
    return Response(
        text.encode(),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="problem-{name}.json"'},
    )


@changes.post("/problems/dismiss")
def dismiss_shown(request: Request, here: Here, user: UserName, form: Posted) -> Response:
    """Forget the problems whose ids the form has, those of one page."""
    ids = [str(one) for one in request.state.form.getlist("id")][:PAGE]
    return _dismissed(request, here, user, form, ids)


@changes.post("/problems/{problem_id}/dismiss")
def dismiss(request: Request, here: Here, user: UserName, form: Posted, problem_id: ProblemId) -> Response:
    return _dismissed(request, here, user, form, [problem_id])


def _dismissed(request: Request, here: Context, user: str, form: Form, problem_ids: list[str]) -> Response:
    count = len(Quarantine(here.es, here.names).forget(problem_ids, by=user, now=here.clock()))
    request.state.pulse.forget()
    kind = form.text("back")
    asked = urlencode({"kind": kind, "done": count} if kind in KINDS else {"done": count})
    return RedirectResponse(f"{request.scope.get('root_path', '')}/problems?{asked}", 303)


def _kept(here: Here, problem_id: str) -> Kept:
    kept = Quarantine(here.es, here.names).get(problem_id)
    if kept is None:
        raise HTTPException(404, "There is no such problem: it was dealt with, or is older than what is kept.")
    return kept


# ── how it is shown; pure ────────────────────────────────────────────────────────────────────────────────────────────


def place(problem: Problem, prefix: str = "") -> str | None:
    """Where, under the page's address, what was set aside can be seen; None: nowhere.

    `prefix` is that of the installation's indices, which the subject of a document begins with.
    """
    subject, kind = problem.subject, str(problem.kind)
    if kind == "document":
        return _place_of_document(*subject.removeprefix(prefix).partition("/")[::2])
    if kind == "mail" and "~" in subject:
        return f"/story/{_path(subject.partition('~')[2])}"
    if kind == "recipient":
        return f"/deliveries?{urlencode({'to': subject})}"
    folders = {"feed": "feeds", "search": "searches"}
    if kind in folders and subject:
        return f"/{folders[kind]}/{_path(subject)}"
    return f"/feeds/{_path(problem.feed_id)}" if problem.feed_id else None


def _place_of_document(index: str, document_id: str) -> str | None:
    folders = {"feeds": "feeds", "saved-searches": "searches", "quarantine": "problems"}
    return f"/{folders[index]}/{_path(document_id)}" if index in folders and document_id else None


def _path(part: str) -> str:
    """One part of a path."""
    return quote(part, safe="")


def document_text(kept: Kept) -> str:
    """The kept document as JSON to be read; empty if none was kept."""
    document: Any = kept.problem.document
    text = "" if document is None else json.dumps(document, ensure_ascii=False, indent=2)
    # Half of a surrogate pair can't be written out; as JSON escapes it, it can.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, size: int) -> str:
    """The text, at most `size` characters of it: what is left out is told."""
    left_out = len(text) - size
    return text if left_out <= 0 else f"{text[:size]}… ({left_out:,} more characters)"


def _rank(kind: str) -> tuple[int, str]:
    return (KINDS.index(kind) if kind in KINDS else len(KINDS), kind)


SHOWN: dict[str, Any] = {
    "cut": cut,
    "path": _path,
    "subject_shown": SUBJECT_SHOWN,
    "listed_reason": LISTED_REASON,
    "url_shown": URL_SHOWN,
    "long_ago": LONG_AGO,
}
