"""How the nodes of Elasticsearch are asked: one after the other, so that one that is dead or hangs costs little.

A node that refuses connections is passed over at once. One that takes connections and never answers would hold each
request for its whole time-out, so a node that has not answered of late is asked `HEAD /` first, with little patience.
What fails is left out for a while (`elastic_transport.NodePool`) and taken only when no other node is left.

    UnreachableError     nothing was done: no address answers; the text names every one with its reason
    UnansweredError      the request was sent and not answered in time; it may have been carried out
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import urllib3
from elastic_transport import (
    ConnectionError,
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    Transport,
    TransportApiResponse,
    Urllib3HttpNode,
)
from elastic_transport.client_utils import DEFAULT, DefaultType
from urllib3.exceptions import ConnectTimeoutError

RETRIES: Final = 5
"""Of a request, on lost connections, time-outs and 429/502/503/504; and one more for every further address."""
REQUEST_TIMEOUT_S: Final = 60
"""For each answer."""
TRUSTED_S: Final = 10.0
"""For so long after an answer a node is taken to be alive, and asked without a `HEAD /` before."""
PATIENCE_S: Final = 2.0
"""For connecting, and for the answer to `HEAD /`; twice as long after each failure, up to `MOST_PATIENCE_S`."""
MOST_PATIENCE_S: Final = 8.0
LEFT_OUT_S: Final = 10.0
"""A node that failed is left out for so long, twice as long after each failure, up to `MOST_LEFT_OUT_S`."""
MOST_LEFT_OUT_S: Final = 300.0


class UnreachableError(ConnectionError):
    """A node, or none of several, can be reached."""

    def __init__(self, message: str, errors: tuple[Exception, ...] = (), address: str = "") -> None:
        super().__init__(message, errors)
        self.address = address
        """Of the one node that this is about."""

    def __str__(self) -> str:
        """The sentence; elastic_transport's own shows the last cause only."""
        return str(self.message)


class UnansweredError(ConnectionTimeout):
    """A request was sent to a node, which did not answer in time."""

    def __init__(self, message: str, errors: tuple[Exception, ...] = (), address: str = "") -> None:
        super().__init__(message, errors)
        self.address = address

    def __str__(self) -> str:
        """The sentence."""
        return str(self.message)


class ProbedNode(Urllib3HttpNode):
    """One address. It is asked `HEAD /` before a request if its last answer is not recent."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        self._answered_at = float("-inf")
        self._patience_s = PATIENCE_S

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> Any:
        """The node's answer.

        Raises:
            UnreachableError: it takes no connection, does not answer `HEAD /`, or closes the connection.
            UnansweredError: it has the request and has not answered within `request_timeout`.
        """
        patience = self.config.request_timeout if isinstance(request_timeout, DefaultType) else request_timeout
        try:
            if time.monotonic() - self._answered_at > TRUSTED_S:
                self._probe(headers)
            answer = self._ask(method, target, body, headers, connect=MOST_PATIENCE_S, read=patience)
        except ConnectionTimeout as error:
            self._distrust()
            sentence = f"no answer to {method} {target} within {patience:g} s"
            raise UnansweredError(sentence, (error,), self.base_url) from error
        except ConnectionError as error:
            self._distrust()
            raise UnreachableError(reason(error), (error,), self.base_url) from error
        self._answered_at, self._patience_s = time.monotonic(), PATIENCE_S
        return answer

    def _probe(self, headers: HttpHeaders | None) -> None:
        login = {name: value for name, value in (headers or {}).items() if name.lower() == "authorization"}
        try:
            self._ask("HEAD", "/", None, HttpHeaders(login), connect=self._patience_s, read=self._patience_s)
        except ConnectionTimeout as error:
            raise UnreachableError(f"no answer within {self._patience_s:g} s", (error,)) from error

    def _ask(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: HttpHeaders | None,
        *,
        connect: float,
        read: float | None,
    ) -> Any:
        timeout: Any = urllib3.Timeout(connect=connect, read=read)
        try:
            return super().perform_request(method, target, body, headers, timeout)
        except ConnectionTimeout as error:
            if any(isinstance(cause, ConnectTimeoutError) for cause in error.errors):
                raise UnreachableError(f"no connection within {connect:g} s", (error,)) from error
            raise

    def _distrust(self) -> None:
        self._answered_at = float("-inf")
        self._patience_s = min(2 * self._patience_s, MOST_PATIENCE_S)


class NamingTransport(Transport):
    """Tells of every address why it failed, where elastic_transport tells of the last one."""

    def perform_request(self, *args: Any, **kwargs: Any) -> TransportApiResponse:
        """The answer of the first node that gives one.

        Raises:
            UnreachableError, UnansweredError: none does.
        """
        try:
            return super().perform_request(*args, **kwargs)
        except UnreachableError as error:
            tried = [*error.errors, error]
            raise UnreachableError(unreachable(self._addresses(), tried), error.errors) from error
        except UnansweredError as error:
            tried = [*error.errors, error]
            raise UnansweredError(unanswered(self._addresses(), tried), error.errors) from error

    def _addresses(self) -> list[str]:
        return [node.base_url for node in self.node_pool.all()]


def unreachable(addresses: Sequence[str], errors: Sequence[Exception]) -> str:
    """The sentence on what happened at each address, `errors` being in order of time. Pure."""
    told = _told(errors)
    if len(addresses) == 1:
        return f"{addresses[0]} can't be reached: {told.get(addresses[0], 'not tried')}"
    return f"none of {', '.join(addresses)} can be reached: {_each(addresses, told)}"


def unanswered(addresses: Sequence[str], errors: Sequence[Exception]) -> str:
    """The sentence where a node has taken the request and not answered it, `errors` being in order of time. Pure."""
    told = _told(errors)
    if len(addresses) == 1:
        return f"{addresses[0]} has given {told.get(addresses[0], 'no answer')}"
    return f"none of {', '.join(addresses)} has answered: {_each(addresses, told)}"


def _each(addresses: Sequence[str], told: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {told.get(address, 'not tried')}" for address in addresses)


def _told(errors: Sequence[Exception]) -> dict[str, str]:
    """Address → why it failed at last."""
    return {error.address: str(error) for error in errors if isinstance(error, UnreachableError | UnansweredError)}


def reason(error: BaseException) -> str:
    """Why a connection failed, in the operating system's words where it says any. Pure."""
    if isinstance(error, UnreachableError):
        return str(error)
    for cause in _causes(error):
        if isinstance(cause, OSError):
            return str(cause.strerror or cause).lower()
    return str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an exception stems from, and that from, the nearest first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
