"""A connection to a mail server with a deadline for the whole dialogue, whatever the server does.

`smtplib` only bounds each read, so a server that sends one octet a second, or one line after another, never times out.
Here every read and write gets the time that is left of the whole dialogue, and the server's octets are counted.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST_HEARD: Final = 256 * 1024
"""Maximum octets of a server's answers in one dialogue; a mail usually needs some hundreds."""
NAME_S: Final = 5.0
"""Maximum seconds for looking up this machine's own name."""

Lookup = Callable[..., Sequence[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or a test's replacement."""


class TooLongError(TimeoutError):
    """The dialogue took too long, or the server's answers were too long."""


class Dialogue:
    """Limits the time of one dialogue and the length of the server's answers."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self.begin(step_s)

    def begin(self, seconds: float) -> None:
        """Start another dialogue, which may take `seconds` in total."""
        self._seconds, self._ends, self._heard = seconds, time.monotonic() + seconds, 0
        self.patience = 1.0
        """Factor on the usual time for each answer."""
        self.fault = ""
        """Why the dialogue was aborted; empty if it was not."""

    def wait(self) -> float:
        """Seconds that the next read or write may take.

        Raises:
            TooLongError: the time is used up.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise self.late()
        return min(left, self._step_s * self.patience)

    def late(self) -> TooLongError:
        """The error for a read or write that timed out."""
        if time.monotonic() >= self._ends:
            return self._ended(f"the dialogue took more than {self._seconds:g} s")
        return self._ended(f"no answer within {self._step_s * self.patience:g} s")

    def heard(self, octets: int) -> None:
        """Count `octets` that the server sent.

        Raises:
            TooLongError: they exceed `MOST_HEARD`.
        """
        self._heard += octets
        if self._heard > MOST_HEARD:
            raise self._ended(f"its answers have more than {MOST_HEARD} octets")

    def _ended(self, why: str) -> TooLongError:
        self.fault = why
        return TooLongError(why)


class _Timed:
    """Mixin for both kinds of socket: each step gets its time from the dialogue."""

    dialogue: Dialogue | None = None

    def _timed(self, step: Callable[[], T]) -> T:
        if self.dialogue is None:
            return step()
        self.settimeout(self.dialogue.wait())  # type: ignore[attr-defined]  # of the socket it is mixed into
        try:
            return step()
        except TimeoutError as error:
            raise self.dialogue.late() from error

    def _count(self, octets: int) -> int:
        if self.dialogue is not None:
            self.dialogue.heard(octets)
        return octets


class _Socket(_Timed, socket.socket):
    """A socket whose steps share the dialogue's time."""

    def connect(self, address: Any) -> None:
        self._timed(lambda: socket.socket.connect(self, address))

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        return self._count(self._timed(lambda: socket.socket.recv_into(self, *args, **kwargs)))

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        # The standard library applies the timeout to the whole call.
        self._timed(lambda: socket.socket.sendall(self, *args, **kwargs))


class _TlsSocket(_Timed, ssl.SSLSocket):
    """The same, encrypted. The handshake is one step, with the timeout of the underlying socket."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        return self._count(self._timed(lambda: ssl.SSLSocket.recv_into(self, *args, **kwargs)))

    def send(self, *args: Any, **kwargs: Any) -> int:
        return self._timed(lambda: ssl.SSLSocket.send(self, *args, **kwargs))


class Connection(smtplib.SMTP):
    """An SMTP connection limited by `dialogue`; with `tls` it is encrypted from the start."""

    def __init__(
        self,
        host: str,
        port: int,
        dialogue: Dialogue,
        *,
        name: str,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        """Connect and read the greeting; `name` is for EHLO.

        Raises:
            smtplib.SMTPException, OSError: the connection fails, or the server does not greet.
        """
        if not host:
            raise OSError("no mail server is named")  # without a host `smtplib` would not connect at all
        self._dialogue, self._tls, self._lookup = dialogue, tls, lookup
        super().__init__(host, port, local_hostname=name, timeout=dialogue.wait())

    def starttls(self, *, context: ssl.SSLContext | None = None) -> Any:  # type: ignore[override]  # the parameters that 3.12 removed
        """Encrypt the connection from here on."""
        answer = super().starttls(context=_timed_context(context))
        assert isinstance(self.sock, _TlsSocket)
        self.sock.dialogue = self._dialogue
        return answer

    def certificate_validity(self) -> tuple[datetime, datetime] | None:
        """From when until when the server's certificate is valid; None if the connection is not encrypted."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return None
        shown = self.sock.getpeercert() or {}
        begin, until = shown.get("notBefore"), shown.get("notAfter")
        if not isinstance(begin, str) or not isinstance(until, str):
            return None
        return _moment(begin), _moment(until)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:  # noqa: ARG002 - `smtplib` calls it
        addresses = within(
            lambda: self._lookup(host, port, 0, socket.SOCK_STREAM), self._dialogue, f"looking up {host}"
        )
        failure: OSError = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in addresses:
            try:
                return self._connected(_Socket(family, kind, protocol), address, host)
            except OSError as error:
                failure = error
        raise failure

    def _connected(self, sock: _Socket, address: Any, host: str) -> Any:
        sock.dialogue = self._dialogue
        try:
            sock.connect(address)
            if self._tls is None:
                return sock
            encrypted = _timed_context(self._tls).wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
        assert isinstance(encrypted, _TlsSocket)
        encrypted.dialogue = self._dialogue
        return encrypted


def _moment(stated: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(stated), UTC)


def _timed_context(context: ssl.SSLContext | None) -> ssl.SSLContext:
    context = context or ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    return context


def within(work: Callable[[], T], dialogue: Dialogue, what: str) -> T:
    """The result of `work`, if it finishes in time. Otherwise its thread goes on, because a resolver can't be stopped.

    Raises:
        TooLongError: it took too long.
    """
    outcome: list[T | BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    seconds = dialogue.wait()
    thread = threading.Thread(target=run, daemon=True, name=what)
    thread.start()
    thread.join(seconds)
    if not outcome:
        dialogue.fault = f"{what} took more than {seconds:g} s"
        raise TooLongError(dialogue.fault)
    (result,) = outcome
    if isinstance(result, BaseException):
        raise result
    return result


def greeting(stated: str, sender: str, own: Callable[[], str] | None = None) -> str:
    """The name for EHLO: the `stated` one; else this machine's `own`, if it has dots; else the domain of the sender.

    Servers refuse names without dots, and many an address in brackets.
    """
    if stated:
        return stated
    domain = sender.rpartition("@")[2]
    names = ((own or _own_name)(), domain)
    return next((name for name in names if "." in name), "[127.0.0.1]")


@cache
def _own_name() -> str:
    """This machine's name, as `smtplib` finds it, but with a time limit on the resolver; empty if it has none."""
    try:
        return within(socket.getfqdn, Dialogue(NAME_S), "finding this machine's own name")
    except OSError:
        return ""
