"""Elasticsearch's errors about an unusable index, as one sentence with the next step. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from elasticsearch import ApiError, TransportError

from newswatch.errors import MissingIndexError, StoreError
from store.elastic.access import no_access

CLOSED, MISSING, BLOCKED = "index_closed_exception", "index_not_found_exception", "cluster_block_exception"
OF_THE_INDEX = (CLOSED, MISSING, BLOCKED, "security_exception", "unavailable_shards_exception")
"""Error types that concern the index, not the document to be written."""

REFUSALS: Final = (ApiError, TransportError)
"""What the client raises: Elasticsearch has refused the request, or can't be reached."""

_BLOCKED_INDEX = re.compile(r"index \[([^]]+)] blocked by: (.*)", re.DOTALL)
_BLOCKS = {
    "/5/": "index.blocks.read_only",
    "/7/": "index.blocks.read",
    "/8/": "index.blocks.write",
    "/9/": "index.blocks.metadata",
    "/12/": "index.blocks.read_only_allow_delete",
}


def sentence(kind: str, reason: str, index: str) -> str:
    """Why the index can't be used, and what to do; `kind` and `reason` are Elasticsearch's own."""
    if kind == CLOSED:
        return f"The index {index} is closed. Open it (`POST {index}/_open`); nothing is lost, the next run goes on."
    if kind == MISSING:
        return f"The index {index} is missing. The next run creates it empty; restore what it held from a snapshot."
    if kind == BLOCKED and (blocked := _BLOCKED_INDEX.search(reason)):
        return _blocked(blocked[1], blocked[2])
    return f"Elasticsearch refuses to use the index {index}: {kind}: {reason}"


def _blocked(index: str, by: str) -> str:
    block = next((setting for code, setting in _BLOCKS.items() if code in by), None)
    return str(block_error(index, block)) if block else f"The index {index} is blocked: {by}"


def block_error(index: str, block: str) -> StoreError:
    """The error that names an index's block (`index.blocks.…`), and says how to remove it."""
    return StoreError(_block_sentence(index, block))


def _block_sentence(index: str, block: str) -> str:
    if block.endswith("read_only_allow_delete"):
        return (
            f"The index {index} accepts no writes ({block}): the disk of Elasticsearch has passed the flood-stage "
            "watermark. Free disk space; Elasticsearch then removes the block by itself. Nothing is lost, the next run "
            "goes on."
        )
    return (
        f'The index {index} is blocked ({block}). Remove the block (`PUT {index}/_settings {{"{block}": null}}`); '
        "nothing is lost, the next run goes on."
    )


def store_error(error: ApiError | TransportError) -> StoreError:
    """The error of a refused or failed request, as one sentence."""
    if (barred := no_access(error)) and not index_error(error):
        return StoreError(str(barred))
    if isinstance(error, TransportError):
        return StoreError(f"Elasticsearch can't be used: {_first_line(error)}. See `newswatch status`.")
    message = f"Elasticsearch refused the request: {_first_line(error)}. See `newswatch status`."
    return index_error(error) or StoreError(message)


def our_error(error: Exception) -> Exception:
    """The error; as a StoreError if it is one of Elasticsearch's client."""
    return store_error(error) if isinstance(error, ApiError | TransportError) else error


def index_error(error: Exception) -> StoreError | None:
    """Why an index can't be used; None if the error does not concern an index."""
    if not isinstance(error, ApiError):
        return None
    cause = _cause(error.body)
    kind, reason = str(cause.get("type", "")), str(cause.get("reason", ""))
    if kind not in (CLOSED, MISSING, BLOCKED):
        return None
    return of_index(kind, reason, str(cause.get("index") or _index_in(reason)))


def of_index(kind: str, reason: str, index: str) -> StoreError:
    """The error that says why an index can't be used."""
    message = sentence(kind, reason, index)
    return MissingIndexError(index, message) if kind == MISSING else StoreError(message)


def _cause(body: Any) -> Mapping[str, Any]:
    """The first cause of a known type, else the error itself."""
    error = body.get("error", {}) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return {}
    causes = [error, *error.get("root_cause", ())]
    return next((cause for cause in causes if cause.get("type") in (CLOSED, MISSING, BLOCKED)), error)


def _index_in(reason: str) -> str:
    named = _BLOCKED_INDEX.search(reason) or re.search(r"\[([^]]+)]", reason)
    return named[1] if named else "that was asked for"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
