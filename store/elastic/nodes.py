"""Tries the nodes of Elasticsearch in turn, so that a dead or hanging one costs little time.

A node that refuses connections is skipped at once. A node that accepts connections and never answers would hold each
request for its whole time-out, so a node without a recent answer is first sent `HEAD /` with a short time-out. A node
that fails is left out for a while (`elastic_transport.NodePool`), and used only if no other node is left.

    UnreachableError     no address answers, so nothing was done; the message names each with its reason
    UnansweredError      the request was sent and not answered in time; it may have been carried out
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
"""Retries of a request on lost connections, time-outs and 429/502/503/504; one more for each further address."""
REQUEST_TIMEOUT_S: Final = 60
"""Time-out of each request."""
TRUSTED_S: Final = 10.0
"""How long after an answer a node is assumed to be alive, so that no `HEAD /` is sent first."""
PATIENCE_S: Final = 2.0
"""Time-out for connecting and for `HEAD /`; doubles after each failure, up to `MOST_PATIENCE_S`."""
MOST_PATIENCE_S: Final = 8.0
LEFT_OUT_S: Final = 10.0
"""How long a failed node is left out; doubles after each failure, up to `MOST_LEFT_OUT_S`."""
MOST_LEFT_OUT_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What requests have taken."""

    requests: int = 0
    seconds: float = 0.0
    """Until their answers were there, over all requests, also of those made side by side."""

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.requests + other.requests, self.seconds + other.seconds)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.requests - other.requests, self.seconds - other.seconds)


class UnreachableError(ConnectionError):
    """A node can't be reached, or none of several can."""

    def __init__(self, message: str, errors: tuple[Exception, ...] = (), address: str = "") -> None:
        super().__init__(message, errors)
        self.address = address
        """The node's address; empty if the error concerns several nodes."""

    def __str__(self) -> str:
        """The message; elastic_transport's own version shows only the last cause."""
        return str(self.message)


class UnansweredError(ConnectionTimeout):
    """A node received a request and did not answer in time."""

    def __init__(self, message: str, errors: tuple[Exception, ...] = (), address: str = "") -> None:
        super().__init__(message, errors)
        self.address = address

    def __str__(self) -> str:
        """The message."""
        return str(self.message)


class ProbedNode(Urllib3HttpNode):
    """One address. It is sent `HEAD /` before a request if it has not answered recently."""

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
            UnreachableError: it accepts no connection, does not answer `HEAD /`, or closes the connection.
            UnansweredError: it received the request and did not answer within `request_timeout`.
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
    """Reports why each address failed; elastic_transport reports only the last one. Counts what its requests took."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counting = threading.Lock()
        self._spent = Spent()

    @property
    def spent(self) -> Spent:
        """What all requests so far have taken."""
        with self._counting:
            return self._spent

    def perform_request(self, *args: Any, **kwargs: Any) -> TransportApiResponse:
        """The answer of the first node that answers.

        Raises:
            UnreachableError, UnansweredError: no node answers.
        """
        started = time.perf_counter()
        try:
            return self._perform(*args, **kwargs)
        finally:
            taken = Spent(1, time.perf_counter() - started)
            with self._counting:
                self._spent += taken

    def _perform(self, *args: Any, **kwargs: Any) -> TransportApiResponse:
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
    """The message with the last reason of each address; `errors` in order of time. Pure."""
    reasons = _reasons(errors)
    if len(addresses) == 1:
        return f"{addresses[0]} can't be reached: {reasons.get(addresses[0], 'not tried')}"
    return f"none of {', '.join(addresses)} can be reached: {_each(addresses, reasons)}"


def unanswered(addresses: Sequence[str], errors: Sequence[Exception]) -> str:
    """The message after a node received the request and did not answer; `errors` in order of time. Pure."""
    reasons = _reasons(errors)
    if len(addresses) == 1:
        return f"{addresses[0]} has given {reasons.get(addresses[0], 'no answer')}"
    return f"none of {', '.join(addresses)} has answered: {_each(addresses, reasons)}"


def _each(addresses: Sequence[str], reasons: Mapping[str, str]) -> str:
    return "; ".join(f"{address}: {reasons.get(address, 'not tried')}" for address in addresses)


def _reasons(errors: Sequence[Exception]) -> dict[str, str]:
    """Address → the last reason why it failed."""
    return {error.address: str(error) for error in errors if isinstance(error, UnreachableError | UnansweredError)}


def reason(error: BaseException) -> str:
    """Why a connection failed, in the operating system's words if it gives any. Pure."""
    if isinstance(error, UnreachableError):
        return str(error)
    for cause in _causes(error):
        if isinstance(cause, OSError):
            return str(cause.strerror or cause).lower()
    return str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception, its cause, that one's cause and so on."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
