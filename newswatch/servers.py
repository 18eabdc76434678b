"""Addresses of the servers that the settings name: checks them and separates the user and password in them.

Addresses are printed in errors, logs, pages and mails, and a password in one would be printed too. No message made here
repeats text that could hold one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, unquote, urlsplit

_BETWEEN = re.compile(r"\s*,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
"""A comma followed by an address: a comma in a password doesn't separate."""
_HOST = re.compile(r"(\[[^\[\]]+\]|[^\[\]:\\]+)(:\d+)?")
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:@/\[\]]+):(?P<port>\d+)")
_NOT_PRINTED = re.compile(r"[\s\x00-\x1f\x7f]")
_ENCODE = (
    "in a user or a password write / ? # % and blanks percent-encoded (/ is %2F), or set them in settings of their own"
)

WEB = ("http", "https")
MAIL = {"smtp": None, "smtp+starttls": "starttls", "smtps": "tls"}
"""Scheme of a mail server's address → how the connection is encrypted; None: the address does not say."""
MAILBOX = {"imaps": 993, "imap": 143, "imap+starttls": 143}
"""Scheme of a mailbox's address → its usual port."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in; either part may be missing."""

    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.username!r})"

    def __bool__(self) -> bool:
        """Whether either part is given."""
        return self.username is not None or self.password is not None


@dataclass(frozen=True, slots=True)
class Server:
    """An address that anybody may see, and the login that was taken out of it."""

    url: str
    login: Login


def addresses(text: str) -> tuple[str, ...]:
    """The addresses in a setting that may name several, separated by commas. Unchecked."""
    return tuple(part for part in _BETWEEN.split(text.strip().rstrip(",").rstrip()) if part)


def addresses_of_hosts(stated: Iterable[object], *, scheme: str, port: int) -> list[str]:
    """The addresses of hosts as an Airflow connection states them: one, a list, or several separated by commas.

    `scheme` and `port` apply to hosts without one. Unchecked; a bare IPv6 address gets its brackets.
    """
    lists = (value if isinstance(value, list | tuple) else [value] for value in stated if value)
    texts = (str(text) for values in lists for text in values)
    hosts = (host.strip() for text in texts for host in text.split(","))
    return [_address_of_host(host, scheme, port) for host in hosts if host]


def _address_of_host(host: str, scheme: str, port: int) -> str:
    if "://" in host:
        return host
    if host.count(":") > 1 and not host.startswith("["):
        host = f"[{host}]"
    has_port = ":" in host.rpartition("]")[2]
    return f"{scheme}://{host}" if has_port else f"{scheme}://{host}:{port}"


def server(text: str) -> Server:
    """The web address in `text` without its user and password (RFC 3986, 3.2.1), and these two decoded.

    Raises:
            ValueError: it is not the address of a web server; the message repeats nothing that could be a password.
    """
    split = _split(text.strip())
    if split.scheme not in WEB:
        raise ValueError("an address begins with http:// or https://")
    host = _checked_host(split)
    return Server(split._replace(netloc=host).geturl(), _login(split))


def servers(text: str) -> tuple[tuple[str, ...], Login]:
    """The web addresses in `text`, and the one login for all of them.

    Raises:
            ValueError: one of them is wrong (the message says which), or they name different users.
    """
    named = addresses(text)
    if not named:
        raise ValueError("it names no address")
    read = [_numbered(part, number, named) for number, part in enumerate(named, 1)]
    logins = list(dict.fromkeys((node.login.username, node.login.password) for node in read if node.login))
    if len(logins) > 1:
        raise ValueError("its addresses name different users or passwords; one is used for all of them")
    return tuple(node.url for node in read), Login(*logins[0]) if logins else Login()


def _numbered(part: str, number: int, among: tuple[str, ...]) -> Server:
    try:
        read = server(part)
        if urlsplit(read.url).query or urlsplit(read.url).fragment:
            raise ValueError("an address of Elasticsearch has no ? and no #")
    except ValueError as error:
        which = f"address {number} of {len(among)}{_safely(part)}: " if len(among) > 1 else ""
        raise ValueError(f"{which}{error}") from None
    return read


def _safely(part: str) -> str:
    """The address in brackets if no part of it can be a password, else nothing."""
    return f" ({part})" if re.fullmatch(r"[A-Za-z]+://[\w.-]+(:\d+)?/?", part) else ""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The parts of a mail server's name that is written as an address."""

    host: str
    port: int | None
    security: str | None
    """How the connection is encrypted, if the scheme says so."""
    login: Login


def mail_server(text: str) -> MailServer:
    """The mail server in `text`: a name, `host:port`, or an address such as `smtps://user:password@host:465`.

    Raises:
            ValueError: it is not a mail server; the message repeats nothing that could be a password.
    """
    text = text.strip()
    if "://" not in text and "@" not in text:
        named = _HOST_AND_PORT.fullmatch(text)
        host, port = (named["host"].strip("[]"), int(named["port"])) if named else (text.strip("[]"), None)
        if not host or _NOT_PRINTED.search(host) or "/" in host or (port is not None and not 0 <= port <= 65_535):
            raise ValueError("it is neither a host nor host:port")
        return MailServer(host, port, None, Login())
    split = _split(text if "://" in text else f"smtp://{text}")
    if split.scheme not in MAIL:
        raise ValueError("the address of a mail server begins with smtp://, smtp+starttls:// or smtps://")
    _checked_host(split)
    if split.path.strip("/") or split.query or split.fragment:
        raise ValueError(f"the address of a mail server ends with its port; {_ENCODE}")
    return MailServer(split.hostname or "", split.port, MAIL[split.scheme], _login(split))


@dataclass(frozen=True, slots=True)
class MailboxServer:
    """The parts of a mailbox's address."""

    scheme: str
    """One of `MAILBOX`."""
    host: str
    port: int
    folder: str
    login: Login

    @property
    def url(self) -> str:
        """The address, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}/{quote(self.folder)}"


def mailbox_server(text: str) -> MailboxServer:
    """The mailbox in `text`: imaps://user:password@host/FOLDER; without a folder the inbox.

    Raises:
            ValueError: it is not such an address; the message repeats nothing that could be a password.
    """
    split = _split(text.strip())
    if split.scheme not in MAILBOX:
        raise ValueError(f"the address of a mailbox begins with {'://, '.join(MAILBOX)}://")
    _checked_host(split)
    if split.query or split.fragment:
        raise ValueError(f"the address of a mailbox ends with its folder; {_ENCODE}")
    folder = unquote(split.path.strip("/")) or "INBOX"
    if (
        not folder.isascii()
        or _NOT_PRINTED.sub("", folder.replace(" ", "")) != folder.replace(" ", "")
        or '"' in folder
    ):
        raise ValueError("its folder must be of printable ASCII characters, without quotes")
    return MailboxServer(split.scheme, split.hostname or "", split.port or MAILBOX[split.scheme], folder, _login(split))


def _split(text: str) -> SplitResult:
    if _NOT_PRINTED.search(text):
        raise ValueError(f"it contains a blank or a control character; {_ENCODE}")
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError(f"it can't be read as an address; {_ENCODE}") from None


def _checked_host(split: SplitResult) -> str:
    """Host and port as written, without user and password."""
    if "@" in split.path + split.query + split.fragment:
        raise ValueError(f"it contains an @ after its host; {_ENCODE}")
    host = split.netloc.rpartition("@")[2]
    try:
        readable = bool(split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        readable = False
    if "," in host:
        raise ValueError("each address in a list begins with http:// or https://")
    if not readable or not _HOST.fullmatch(host):
        raise ValueError(f"it has no host, or its port is not a number from 1 to 65535; {_ENCODE}")
    return host


def _login(split: SplitResult) -> Login:
    try:
        return Login(_decoded(split.username), _decoded(split.password))
    except UnicodeDecodeError:
        raise ValueError("its user or password is percent-encoded, but not in UTF-8") from None


def _decoded(text: str | None) -> str | None:
    return unquote(text, errors="strict") if text else None
