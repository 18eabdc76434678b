"""The types of settings: what each accepts, and what it says of what it does not. Pure."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from newswatch.no_proxy import read_no_proxy
from newswatch.servers import server

LINE_CHARS = 200
"""Maximum length of a setting that goes into a header."""


def _one_line(text: str) -> str:
    """`text`, stripped, if it fits into a header of a mail or of a request.

    Raises:
        ValueError: it has unprintable characters, or too many characters.
    """
    plain = text.strip()
    if len(plain) > LINE_CHARS or not plain.isprintable():
        raise ValueError(f"it must be one line of at most {LINE_CHARS} printable characters")
    return plain


Line = Annotated[str, AfterValidator(_one_line)]


def _greeting(text: str) -> str:
    """`text` if a mail client may call itself so in its EHLO.

    Raises:
        ValueError: it may not.
    """
    name = text.strip()
    if re.fullmatch(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]{3,50}\])?", name) is None:
        raise ValueError("it must be a host's name, such as news.ministry.example, or an address in brackets")
    return name


Greeting = Annotated[str, AfterValidator(_greeting)]


def _index_prefix(text: str) -> str:
    """`text` if an index's name may begin with it (Elasticsearch's rules; no leading dot: it hides the index).

    Raises:
        ValueError: it may not.
    """
    if re.fullmatch(r"(?:[a-z0-9][a-z0-9._-]{0,99})?", text) is None:
        raise ValueError(
            "it must be lower-case letters, digits, dots, hyphens and underscores, and start with a letter or digit"
        )
    return text


IndexPrefix = Annotated[str, AfterValidator(_index_prefix)]


def _zone(text: str) -> str:
    """`text` if it is the name of a time zone.

    Raises:
        ValueError: there is no such zone.
    """
    try:
        return ZoneInfo(text.strip()).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("it must be the name of a time zone, such as Europe/Brussels") from error


def _secret_url(value: Any) -> Any:
    """The address, stripped; None if it is empty.

    Raises:
        ValueError: it is not an address. The message does not repeat it, because such addresses hold keys.
    """
    stated = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not isinstance(stated, str):
        return stated
    address = stated.strip()
    if address and (not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]", address) or not address.isprintable()):
        raise ValueError("it must be an address, such as https://… or ntfy://…")
    return SecretStr(address) if address else None


def _no_proxy(text: str) -> str:
    read_no_proxy(text)
    return text.strip()


def _list(value: Any) -> Any:
    """The list that a variable states as JSON.

    Raises:
        ValueError: it is no JSON list.
    """
    if not isinstance(value, str):
        return value
    try:
        stated = json.loads(value)
    except ValueError:
        stated = None
    if not isinstance(stated, list):
        raise ValueError('it must be a list in JSON, such as ["news.internal:80"]')
    return stated


def _plain_url(text: str) -> str:
    """`text` if it is empty, or a web address without a user or password.

    Raises:
        ValueError: it is neither.
    """
    plain = text.strip()
    if plain and server(plain).login:
        raise ValueError("it must be an address without a user or password")
    return plain


OR_NONE = BeforeValidator(lambda stated: stated or None)
Zone = Annotated[str, AfterValidator(_zone)]
SecretAddress = Annotated[SecretStr | None, BeforeValidator(_secret_url)]
NamedHosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_list)]
NoProxy = Annotated[str, AfterValidator(_no_proxy)]
PlainAddress = Annotated[str, AfterValidator(_plain_url)]
