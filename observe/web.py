"""Why a web request failed, in words that never repeat the address: it may hold a key. Pure."""

from __future__ import annotations

import requests


def why_not(error: requests.RequestException, seconds: float) -> str:
    """The reason of a failed request that had `seconds` for its answer."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {seconds:g} s"
    if isinstance(error, requests.Timeout):
        return f"no answer within {seconds:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate or its TLS can't be used"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy can't be used"
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return "the address can't be used"
    return _of_the_system(error) or "the connection failed"


def was_sent(error: requests.RequestException) -> bool:
    """Whether the other side may have got the request although there was no answer."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return False
    return isinstance(error, requests.ReadTimeout) or (
        isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError)
        and "refused" not in _of_the_system(error)
        and not _is_unresolved(error)
    )


def _of_the_system(error: BaseException) -> str:
    """The operating system's words; empty if there are none."""
    for cause in _causes(error):
        if isinstance(cause, OSError) and not isinstance(cause, requests.RequestException) and cause.strerror:
            return cause.strerror.lower()
    return "its name can't be resolved" if _is_unresolved(error) else ""


def _is_unresolved(error: BaseException) -> bool:
    return any(type(cause).__name__ in ("NameResolutionError", "gaierror") for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything that led to it: causes, contexts, and reasons as urllib3 carries them."""
    found: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead:
        cause = ahead.pop()
        if isinstance(cause, BaseException) and cause not in found:
            found.append(cause)
            ahead += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
    return found
