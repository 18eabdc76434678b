"""The chats that Apprise knows and we don't: each scheme of an allow-list, sent in a process apart (`apart`).

The list has what goes to the outside by HTTP and needs no files. Apprise also has schemes that run programs, write to
the desktop, syslog or files, or send e-mail past our mail server; none of them can be used here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Final

from yarl import URL

from delivery.channels.channel import SendResult
from delivery.channels.chats.service import ChatMessage, Service, refused, split
from delivery.channels.outgoing import Outgoing
from delivery.channels.outgoing import refused as refused_url
from delivery.short import Plain, fitted
from delivery.words import shortened
from newswatch.settings import Settings


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a scheme of Apprise."""

    name: str
    most: int
    """Maximum characters of a message."""
    title: int = 250
    """Maximum characters of a title; 0: it has none."""
    own_host: bool = False
    """Whether the address names a host of its users, which the guard must pass."""
    options: frozenset[str] = frozenset()
    """Parameters after `?` that may be given. Others name files, hosts, or switch off checks of certificates."""


KNOWN: Final[Mapping[str, Known]] = {
    "discord": Known("Discord", 2_000, options=frozenset({"thread"})),
    "workflows": Known("Microsoft Teams", 1_000, options=frozenset({"ver", "pa", "api-version"})),
    "gchat": Known("Google Chat", 4_000, title=0),
    "tgram": Known("Telegram", 4_096, title=0, options=frozenset({"topic", "thread", "silent"})),
    "mmosts": Known("Mattermost", 4_000, title=0, own_host=True, options=frozenset({"channel", "to"})),
    "rockets": Known("Rocket.Chat", 1_000, title=0, own_host=True, options=frozenset({"mode"})),
    "gotifys": Known("Gotify", 8_000, own_host=True, options=frozenset({"priority"})),
    "nctalks": Known("Nextcloud Talk", 8_000, own_host=True),
    "zulip": Known("Zulip", 9_000, title=60),
    "wxteams": Known("Webex", 1_000, title=0),
    "pover": Known("Pushover", 1_024, options=frozenset({"priority", "sound"})),
    "pbul": Known("Pushbullet", 8_000),
    "jsons": Known("JSON", 8_000, own_host=True),
    "mmost": Known("Mattermost", 4_000, title=0, own_host=True, options=frozenset({"channel", "to"})),
    "rocket": Known("Rocket.Chat", 1_000, title=0, own_host=True, options=frozenset({"mode"})),
    "gotify": Known("Gotify", 8_000, own_host=True, options=frozenset({"priority"})),
    "nctalk": Known("Nextcloud Talk", 8_000, own_host=True),
    "json": Known("JSON", 8_000, own_host=True),
}
"""Scheme → what is known of it. A scheme without `s` goes by http, and only to hosts that the operator allows."""
_SECURE: Final = frozenset(scheme for scheme in KNOWN if f"{scheme}s" not in KNOWN)
START_S: Final = 20.0
"""Seconds for starting the process."""


@dataclass(frozen=True, slots=True)
class Other:
    """A chat of an allowed scheme."""

    url: str
    scheme: str
    host: str

    def __repr__(self) -> str:
        return f"Other({self.shown})"

    @property
    def shown(self) -> str:
        """Scheme and, where it is the users' own, host."""
        return f"{self.scheme}://{self.host or '…'}"

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Send the message by Apprise."""
        known = KNOWN[self.scheme]
        title = shortened(message.short.subject, known.title) if known.title else ""
        body = fitted(message.short, Plain(), known.most, titled=not title)
        order = {"url": self.url, "title": title, "body": body}
        process = outgoing.kept("apprise", lambda: Process(settings.channel_allow_hosts))
        answer = process.ask(order, settings.channel_timeout_s)
        if answer is None:
            return SendResult(unknown=f"{known.name} did not answer within {settings.channel_timeout_s:g} s")
        if answer.get("ok") is True:
            return SendResult((address,))
        return refused(address, f"{known.name}: {answer.get('why') or 'refused'}", permanent=bool(answer.get("unread")))


def read(text: str, settings: Settings) -> Other:
    """An address of one of the `KNOWN` schemes.

    Raises:
        ValueError: it is none, has an option that is not allowed, or leads where requests may not go.
    """
    url = split(text)
    known = KNOWN.get(url.scheme)
    if known is None:
        raise ValueError(
            f"{url.scheme}:// is not among the services that can be used here: {', '.join(sorted(_SECURE))}"
        )
    # Apprise takes options with a sign before them for headers and the like.
    wrong = [name for name in url.query if name.lower() not in known.options]
    if wrong:
        allowed = ", ".join(sorted(known.options)) or "none"
        raise ValueError(f"{url.scheme}:// may not have the option {wrong[0][:20]!r} here; allowed: {allowed}")
    if known.own_host:
        secure = url.scheme in _SECURE
        base = URL(f"{'https' if secure else 'http'}://{url.netloc}")
        if why := refused_url(base, settings):
            raise ValueError(why)
    return Other(text.strip(), url.scheme, url.host if known.own_host else "")


def check(text: str, settings: Settings) -> None:
    """Find out whether Apprise can read the address, which takes a second.

    Raises:
        ValueError: it can't.
    """
    scheme = split(text).scheme
    with contextlib.closing(Process(settings.channel_allow_hosts)) as process:
        answer = process.ask({"url": text.strip(), "check": True}, START_S)
    if answer is None or answer.get("ok") is not True:
        raise ValueError(f"Apprise can't read this {scheme}:// address; its documentation has the form of each service")


# ── the process ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Process:
    """The process apart: started at the first order, again after it was killed because it took too long.

    Each line has its own, so that a service that dawdles holds up one line.
    """

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self._allowed = allowed
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, order: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer to an order; None if there is none in time. One order at a time."""
        with self._lock:
            process = self._running()
            if process is None:
                return None
            assert process.stdin
            assert process.stdout
            try:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
                answer = _line(process.stdout, time.monotonic() + seconds)
            except OSError:
                answer = None
            if answer is None:
                self._kill()
            return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._kill()

    def _running(self) -> subprocess.Popen[str] | None:
        """The process, once it has said that it is ready; None if it does not."""
        if self._process is None or self._process.poll() is not None:
            # A proxy or a key of the environment is none of its business.
            environment = {
                name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME", "PYTHONPATH")
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "delivery.channels.chats.apart"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                text=True,
            )
            assert self._process.stdin
            self._process.stdin.write(json.dumps(self._allowed) + "\n")
            self._process.stdin.flush()
            assert self._process.stdout
            if _line(self._process.stdout, time.monotonic() + START_S) is None:
                self._kill()
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    if pipe:
                        pipe.close()
        self._process = None


def _line(pipe: IO[str], end: float) -> dict[str, Any] | None:
    left = end - time.monotonic()
    with selectors.DefaultSelector() as ready:  # `select.select` fails where more than a thousand files are open
        ready.register(pipe, selectors.EVENT_READ)
        if left <= 0 or not ready.select(left):
            return None
    read_line = pipe.readline()
    answer = json.loads(read_line) if read_line else None
    return answer if isinstance(answer, dict) else None


def _service(scheme: str, known: Known) -> Service:
    return Service(known.name, (scheme,), read, f"{scheme}://…", check)


OTHERS: Final = tuple(_service(scheme, known) for scheme, known in KNOWN.items())
