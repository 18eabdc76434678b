"""The canonical form of an address: equal addresses are spelt alike. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes

from w3lib.url import canonicalize_url

from ingest.tracking import is_tracking

_SESSION_IN_PATH: Final = re.compile(r";jsessionid=[^/?#]*", re.IGNORECASE)
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9._~,=:@&+/-]*")
_MANY_ROUNDS: Final = 8


def canonical_form(origin: str, path: str, query: str, tracks: Callable[[str], bool] = is_tracking) -> str:
    """The canonical form of an address of these parts.

    Repeated until nothing changes: `%75tm_source=x` is a tracking parameter too.

    `tracks` says which parameters are left out.
    """
    for _ in range(_MANY_ROUNDS):
        before = path, query
        path, query = _canonical_path(origin, path), _canonical_query(query, tracks)
        if (path, query) == before or not ("%" in path + query or ";" in path):
            break
    return f"{origin}{path}?{query}" if query else f"{origin}{path}"


def _canonical_path(origin: str, path: str) -> str:
    if _PLAIN_PATH.fullmatch(path) and "/." not in path:
        return path or "/"
    whole = str(canonicalize_url(f"{origin}{_SESSION_IN_PATH.sub('', path) or '/'}"))
    return whole[len(origin) :] if whole.startswith(origin) else "/" + whole.partition("://")[2].partition("/")[2]


def _canonical_query(query: str, tracks: Callable[[str], bool]) -> str:
    params = (_param(param) for param in query.split("&") if param)
    return "&".join(sorted(param for param in params if not tracks(param.partition("=")[0])))


def _param(param: str) -> str:
    """One parameter in uniform percent-encoding; `?123` stays without the `=` that w3lib would add: servers differ."""
    return "=".join(quote_plus(unquote_to_bytes(part.replace("+", " "))) for part in param.split("=", 1))
