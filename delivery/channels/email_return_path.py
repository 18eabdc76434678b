"""Return paths: the envelope sender of a mail to one recipient, so that a bounce says which address it is about. Pure.

`bounces+TOKEN@domain`, where TOKEN is a keyed hash of the recipient: nobody else can make one, so nobody can have
another's mails stopped by a bounce that he made up (VERP, with BATV's idea). It is short enough for a local part
(RFC 5321, 4.5.3.1.1) and survives servers that change the case of letters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Final

_LOCAL_CHARS: Final = 64
_BYTES: Final = 15
"""Of the hash that are kept: 24 characters."""
_TOKEN: Final = re.compile(r"\+([a-z2-7]{24})@", re.IGNORECASE)


def return_path(bounces: str, recipient: str, key: str) -> str:
    """The envelope sender of a mail to `recipient`, where `bounces` is the mailbox's address."""
    local, _, domain = bounces.rpartition("@")
    return f"{local}+{token_of(recipient, key)}@{domain}"


def check_bounces(bounces: str) -> None:
    """Check that the mailbox's address has room for a token.

    Raises:
        ValueError: it has none.
    """
    local = bounces.rpartition("@")[0]
    most = _LOCAL_CHARS - len(token_of("", "")) - 1
    if len(local) > most:
        raise ValueError(
            f"{local!r} has more than {most} characters, which leaves no room for what tells recipients apart"
        )


def token_of(recipient: str, key: str) -> str:
    """What stands for a recipient; the same for all spellings of an address that differ in case."""
    digest = hmac.new(key.encode(), b"newswatch return path\0" + recipient.casefold().encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:_BYTES]).decode().lower()


def tokens_in(text: str) -> tuple[str, ...]:
    """The tokens of the return paths in a header."""
    return tuple(found.lower() for found in _TOKEN.findall(text))


def whose(tokens: Iterable[str], candidates: Iterable[str], keys: Sequence[str]) -> str | None:
    """The first candidate whom one of the tokens stands for, by any of the keys; None if it is none of them."""
    wanted = set(tokens)
    return next((one for one in candidates for key in keys if token_of(one, key) in wanted), None)
