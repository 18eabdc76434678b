"""Pages for readers of mails, who may have no account: they load nothing, run nothing and leave no trace elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""The address itself is the permission: it must not leak by a referrer, a cache or a search engine."""


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template."""
    html = _environment().get_template(template).render(**values)
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def short_page(title: str, text: str, token: str = "", button: str = "", *, status: int = 200) -> HTMLResponse:
    """A page of one paragraph; with a `token`, its `button` posts to that link."""
    return page("link.html.j2", status=status, title=title, text=text, token=token, button=button)


def too_many(wait_s: int) -> HTMLResponse:
    """The page for who asks too often, which says when to come again."""
    answer = short_page("Too many requests", f"Please try again in {wait_s} seconds.", status=429)
    answer.headers["Retry-After"] = str(wait_s)
    return answer


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
