"""Addresses among the settings: each is checked, and its user and password moved to the fields for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from newswatch.servers import Login, MailServer, mail_server, mailbox_server, server, servers

log = logging.getLogger(__name__)


SMTPS_PORT = 465
"""The port of an address smtps:// without one (RFC 8314, 3.3)."""
SUBMISSION_PORT = 587
"""The port of an address smtp+starttls:// without one (RFC 6409, 3.1)."""


def without_logins(stated: Mapping[str, Any]) -> dict[str, Any]:
    """The stated settings, with every address checked and its user and password moved to their own fields.

    Raises:
        ValidationError: an address is wrong, or its login contradicts the fields; the message shows neither.
    """
    said = dict(stated)
    for name, parted in _PARTED.items():
        if not isinstance(said.get(name), str):
            continue
        try:
            said |= parted(name, said)
        except ValueError as error:
            raise _refused(name, str(error)) from None
    return said


def _elasticsearch(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    urls, login = servers(said[name])
    if login and said.get("elasticsearch_api_key"):
        raise ValueError("it holds a user or a password, and an API key is set too: keep one of them")
    return {name: ",".join(urls), **_login_fields("elasticsearch", login, said)}


def _smtp(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    server_said = mail_server(said[name])
    return {name: server_said.host, **_mail_fields(server_said, said), **_login_fields("smtp", server_said.login, said)}


def _mail_fields(server_said: MailServer, said: Mapping[str, Any]) -> dict[str, Any]:
    """Port and encryption, if the address states them."""
    fields: dict[str, Any] = {"smtp_security": server_said.security} if server_said.security else {}
    if server_said.port is not None:
        fields["smtp_port"] = server_said.port
    elif server_said.security and not said.get("smtp_port"):
        fields["smtp_port"] = SMTPS_PORT if server_said.security == "tls" else SUBMISSION_PORT
    for field, value in fields.items():
        if said.get(field) and str(said[field]) != str(value):
            raise ValueError(f"it says {value}, but NEWSWATCH_{field.upper()} says something else: keep one of them")
    return fields


def _login_fields(server_name: str, login: Login, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the login sets."""
    fields: dict[str, Any] = {}
    for part, value in (("username", login.username), ("password", login.password)):
        field = f"{server_name}_{part}"
        if value is None:
            continue
        if _stated(said.get(field)) not in ("", value):
            raise ValueError(f"its {part} differs from NEWSWATCH_{field.upper()}: keep one of them")
        fields[field] = SecretStr(value) if part == "password" else value
    return fields


def _stated(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def _mailbox(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    if not said[name].strip():
        return {}
    read = mailbox_server(said[name])
    return {name: read.url, **_login_fields("bounce", read.login, said)}


def _proxy(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    if not said[name].strip():
        return {}
    stated = said[name].strip()
    read = server(stated if "://" in stated else f"http://{stated}")
    parts = urlsplit(read.url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("the address of a proxy ends with its port")
    return {name: f"{parts.scheme}://{parts.netloc}", **_login_fields("fetch_proxy", read.login, said)}


def _link(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """An address that users and publishers see: a user and a password in it have no use and are removed."""
    shown = server(said[name])
    if shown.login:
        variable = f"NEWSWATCH_{name.upper()}"
        log.warning("%s: its user and password are removed, because others see this address.", variable)
    return {name: shown.url}


def _link_if_any(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return _link(name, said) if said[name].strip() else {}


def _contact(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return _link(name, said) if said[name].strip().lower().startswith(("http://", "https://")) else {}


_PARTED: Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
    "elasticsearch_url": _elasticsearch,
    "smtp_host": _smtp,
    "bounce_mailbox": _mailbox,
    "fetch_proxy": _proxy,
    "public_url": _link,
    "kibana_url": _link_if_any,
    "airflow_url": _link_if_any,
    "websub_hub": _link_if_any,
    "server": _link_if_any,
    "contact": _contact,
}


def _refused(name: str, why: str) -> ValidationError:
    fault = PydanticCustomError("address", "{why}", {"why": why})
    return ValidationError.from_exception_data("Settings", [InitErrorDetails(type=fault, loc=(name,), input="…")])
