"""Why Elasticsearch lets newswatch do nothing, and what to set right: the log-in, the role, the address. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from elasticsearch import ApiError, ConnectionTimeout, TransportError, UnsupportedProductError

_URL: Final = re.compile(r"https?://[^\s,]+")
_GATEWAY: Final = (301, 302, 303, 307, 308, 502, 503, 504)
_LOG_IN: Final = (
    "Correct NEWSWATCH_ELASTICSEARCH_USERNAME and NEWSWATCH_ELASTICSEARCH_PASSWORD, or NEWSWATCH_ELASTICSEARCH_API_KEY."
)
_ROLE: Final = (
    "Give newswatch's user the role that docker/elasticsearch-users.sh makes: after an update, run that script again."
)
_ADDRESS: Final = "Correct NEWSWATCH_ELASTICSEARCH_URL: it must lead to Elasticsearch itself."
_PATH: Final = (
    "If NEWSWATCH_ELASTICSEARCH_URL has a path, correct it: it must lead to Elasticsearch itself. "
    "Otherwise update Elasticsearch."
)
_BEHIND: Final = "Look whether Elasticsearch runs behind it, and whether NEWSWATCH_ELASTICSEARCH_URL leads there."
_TLS: Final = (
    "Look whether NEWSWATCH_ELASTICSEARCH_URL says https:// for a server with TLS alone, and whether "
    "NEWSWATCH_ELASTICSEARCH_CA_CERTS names the file of its authority."
)


@dataclass(frozen=True, slots=True)
class NoAccess:
    """Why nothing can be done there."""

    sentence: str
    next_step: str
    of_all: bool = True
    """It concerns every request, not only one for which the user lacks a right."""

    def __str__(self) -> str:
        """Both, as one message."""
        return f"{self.sentence} {self.next_step}"


def no_access(error: Exception) -> NoAccess | None:
    """Why the request could not be made there at all; None for any other error."""
    if isinstance(error, UnsupportedProductError):
        return NoAccess("What answers in Elasticsearch's place is not Elasticsearch.", _ADDRESS)
    if isinstance(error, ApiError):
        return _refused(error)
    if isinstance(error, TransportError) and not isinstance(error, ConnectionTimeout):
        return _not_connected(str(error))
    return None


def _refused(error: ApiError) -> NoAccess | None:
    status = error.meta.status
    if status == 401:
        return NoAccess(f"Elasticsearch refuses the log-in: {_reason(error)}.", _LOG_IN)
    if status == 403 and _kind(error) == "security_exception":
        return NoAccess(f"Elasticsearch does not allow it: {_reason(error)}.", _ROLE, of_all=False)
    if status == 400 and _reason(error).startswith("no handler found for uri"):
        return NoAccess(f"Elasticsearch does not know the request: {_reason(error)}.", _PATH, of_all=False)
    if status in _GATEWAY and not isinstance(error.body, dict):
        return NoAccess(f"Something else than Elasticsearch, perhaps a proxy, answers with status {status}.", _BEHIND)
    return None


def _not_connected(why: str) -> NoAccess | None:
    # A file of certificates that is missing is met as the connection is made, and not named.
    said = _URL.sub("", why).lower()  # a host may be called "ssl"
    is_tls = any(word in said for word in ("ssl", "certificate", "no such file"))
    return NoAccess(f"Elasticsearch can't be used: {why.rstrip('.')}.", _TLS) if is_tls else None


def _kind(error: ApiError) -> str:
    told = error.body.get("error") if isinstance(error.body, dict) else None
    return str(told.get("type", "")) if isinstance(told, dict) else ""


def _reason(error: ApiError) -> str:
    """Elasticsearch's own words, on one line."""
    told = error.body.get("error") if isinstance(error.body, dict) else None
    reason = told.get("reason", "") if isinstance(told, dict) else told
    return " ".join(str(reason or f"status {error.meta.status}").split()).rstrip(".")
