"""Settings: read from `NEWSWATCH_…` environment variables, with defaults that fit the embedded stack.

`NEWSWATCH_ELASTICSEARCH_URL=https://es:9200` sets `Settings.elasticsearch_url`, and so on for every field.

A user and a password that stand in an address are taken out of it as it is read: they go to the fields for them, and
every address here may be shown to anybody.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

import newswatch
from newswatch.servers import Login, MailServer, addresses, mail_server, server, servers

log = logging.getLogger(__name__)

PACKAGE = Path(newswatch.__file__).parent
SMTPS_PORT = 465
"""Of an address smtps:// that names none (RFC 8314, 3.3)."""


def default_config_dir() -> Path:
    """`config/` of a checkout, or the copy that was installed with the package."""
    checkout = PACKAGE.parent / "config"
    return checkout if checkout.is_dir() else PACKAGE / "config"


LINE_CHARS = 200
"""Of a setting that goes into a header."""


def _one_line(text: str) -> str:
    """What fits into a header of a mail or of a request.

    Raises:
        ValueError: it has another character than printable ones, or too many.
    """
    plain = text.strip()
    if len(plain) > LINE_CHARS or not plain.isprintable():
        raise ValueError(f"it is to be one line of at most {LINE_CHARS} printable characters")
    return plain


Line = Annotated[str, AfterValidator(_one_line)]


def _index_prefix(text: str) -> str:
    """What an index's name may begin with (Elasticsearch's rules for names, and no dot, which means a hidden one).

    Raises:
        ValueError: it may not.
    """
    if re.fullmatch(r"(?:[a-z0-9][a-z0-9._-]{0,99})?", text) is None:
        raise ValueError("it is to be small letters, digits, dots, hyphens and underscores, a letter or digit first")
    return text


IndexPrefix = Annotated[str, AfterValidator(_index_prefix)]


class Settings(BaseSettings):
    """Everything that differs from one installation to another."""

    model_config = SettingsConfigDict(
        env_prefix="NEWSWATCH_",
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("newswatch"))
    """Everything the embedded stack writes: Elasticsearch's data, Airflow's files, mails, logs."""
    config_dir: Path = Field(default_factory=default_config_dir)
    """Holds feeds.yaml, taxonomy.yaml and alerts.yaml."""

    elasticsearch_url: str = "http://127.0.0.1:9200"
    """Where Elasticsearch is; `newswatch up` starts one here. Several nodes of one cluster with commas between."""
    elasticsearch_api_key: SecretStr | None = None
    """For logging in to it: an API key, or a name and a password."""
    elasticsearch_username: str | None = None
    """The name, where there is no API key."""
    elasticsearch_password: SecretStr | None = None
    """The password that goes with the name."""
    elasticsearch_ca_certs: Path | None = None
    """Certificate authority that its certificate is checked by, if not one of the system's."""
    index_prefix: IndexPrefix = ""
    """Put before every index and alias name, so that several installations can share a cluster."""
    number_of_shards: int = Field(default=1, ge=1, le=1_024)
    """Of every index. On a cluster: one for each data node, so that all take part."""
    number_of_replicas: int = Field(default=0, ge=0, le=32)
    """Of every index. On a cluster: 1, so that a node may fail."""

    smtp_host: str = "127.0.0.1"
    """The mail server; `newswatch up` starts a mail catcher here."""
    smtp_port: int = Field(default=1025, ge=1, le=65_535)
    """Its port."""
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    """How the connection to it is encrypted."""
    smtp_username: str | None = None
    """The name to log in to it by, if it wants one."""
    smtp_password: SecretStr | None = None
    """The password that goes with the name."""
    mail_from: Line = "newswatch@localhost"
    """The sender's address."""
    mail_name: Line = "newswatch"
    """Shown as the sender, before the address."""
    mail_group_s: int = Field(default=60, ge=0, le=86_400)
    """Least time between two instant mails to one recipient: what comes meanwhile goes together."""
    mail_give_up_s: int = Field(default=5 * 86_400, ge=60, le=30 * 86_400)
    """How long a recipient is tried whom the server keeps putting off."""
    smtp_timeout_s: float = Field(default=30, gt=0, le=3_600, allow_inf_nan=False)
    """Seconds for connecting and for each answer; the answer to the mail itself is awaited four times as long."""
    smtp_deadline_s: float = Field(default=150, gt=0, le=200)
    """Seconds for one mail as a whole, from connecting to the server's yes, however much it says meanwhile."""
    mail_run_s: int = Field(default=600, ge=1, le=600)
    """Seconds after which a delivery run begins no more mails; the rest stays due for the next run."""

    operator: Annotated[Line | None, BeforeValidator(lambda text: text or None)] = None
    """Address that is mailed, once a day, which feeds broke, went silent or came back. None: that is only logged."""

    contact: Line = "newswatch@localhost"
    """Address or page for publishers to complain to; part of the User-Agent."""
    fetch_connect_timeout_s: float = Field(default=10, gt=0, le=600, allow_inf_nan=False)
    """Within how many seconds a publisher must take the connection."""
    fetch_read_timeout_s: float = Field(default=20, gt=0, le=600, allow_inf_nan=False)
    """Within how many seconds it must send something more."""
    fetch_total_timeout_s: float = Field(default=60, gt=0, le=3_600, allow_inf_nan=False)
    """Within how many seconds it must have sent everything, redirects included."""
    fetch_max_bytes: int = Field(default=20_000_000, ge=1_000, le=1_000_000_000)
    """Cap on a body as sent and as unpacked."""
    fetch_concurrency: int = Field(default=32, ge=1, le=1_000)
    """Requests under way at once in one batch."""
    fetch_host_concurrency: int = Field(default=2, ge=1, le=100)
    """Requests under way at once to one host."""
    fetch_host_delay_s: float = Field(default=0.5, ge=0, le=3_600, allow_inf_nan=False)
    """Least time between two requests to one host."""
    fetch_allow_hosts: tuple[str, ...] = ()
    """`host:port` pairs exempt from the ban on loopback and private addresses (the embedded newsroom)."""

    poll_min_interval_s: int = Field(default=60, ge=1, le=30 * 86_400)
    """The shortest interval between two polls of a feed."""
    poll_max_interval_s: int = Field(default=86_400, ge=1, le=30 * 86_400)
    """The longest while the feed is well; in between it follows how often the feed brings something new."""
    batches_per_poll: int = Field(default=4, ge=1, le=8)
    """Into how many batches a poll is divided at most, each an Airflow task."""
    feeds_per_poll: int = Field(default=1_000, ge=1, le=100_000)
    """How many due feeds one poll takes; the rest stay due for the next."""
    lease_s: int = Field(default=600, ge=10, le=86_400)
    """How long a batch may take before its feeds are given to another."""

    retention_days: int = Field(default=400, ge=1, le=36_600)
    """How long articles are kept, counted from the end of the month in which they were first seen."""
    batch_retention_days: int = Field(default=30, ge=1, le=36_600)
    """How long a batch is remembered after it was matched."""

    story_window_days: int = Field(default=7, ge=1, le=366)
    """Articles further apart are never of one story."""

    public_url: str = "http://127.0.0.1:8080"
    """Where users reach Airflow's web server; for links in mails."""
    kibana_url: str | None = None
    """Where users reach Kibana; mails link to it if it is set."""
    secret_key: SecretStr | None = None
    """Signs the links in mails; the same on every machine. None: one is made and kept in `data_dir`."""

    @model_validator(mode="before")
    @classmethod
    def _part_logins(cls, stated: Any) -> Any:
        return without_logins(stated) if isinstance(stated, dict) else stated

    @property
    def elasticsearch_urls(self) -> tuple[str, ...]:
        """Every address of `elasticsearch_url`, in its order; at least one."""
        return addresses(self.elasticsearch_url)

    def environment(self) -> dict[str, str]:
        """The environment variables that give another process these settings: those that were set, not the defaults."""
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        return {f"NEWSWATCH_{name.upper()}": _as_variable(value) for name, value in stated.items() if value is not None}


def _as_variable(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, tuple | list | dict) else str(value)


# ── users and passwords in addresses ─────────────────────────────────────────────────────────────────────────────────


def without_logins(stated: Mapping[str, Any]) -> dict[str, Any]:
    """What was stated, with every address checked, and its user and password in the fields for them.

    Raises:
        ValidationError: an address is wrong, or says another user or password than the fields do; shows neither.
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
    found = mail_server(said[name])
    return {name: found.host, **_mail_fields(found, said), **_login_fields("smtp", found.login, said)}


def _mail_fields(found: MailServer, said: Mapping[str, Any]) -> dict[str, Any]:
    """Port and encryption, where the address says them."""
    fields: dict[str, Any] = {"smtp_security": "tls"} if found.tls else {}
    if found.port is not None:
        fields["smtp_port"] = found.port
    elif found.tls and not said.get("smtp_port"):
        fields["smtp_port"] = SMTPS_PORT
    for field, value in fields.items():
        if said.get(field) and str(said[field]) != str(value):
            raise ValueError(f"it says {value}, and NEWSWATCH_{field.upper()} says something else: keep one of them")
    return fields


def _login_fields(server_name: str, login: Login, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the login fills."""
    fields: dict[str, Any] = {}
    for part, value in (("username", login.username), ("password", login.password)):
        field = f"{server_name}_{part}"
        if value is None:
            continue
        if _plain(said.get(field)) not in ("", value):
            raise ValueError(f"it holds another {part} than NEWSWATCH_{field.upper()}: keep one of them")
        fields[field] = SecretStr(value) if part == "password" else value
    return fields


def _plain(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def _link(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """An address that users and publishers are shown: nothing takes a user and a password there."""
    found = server(said[name])
    if found.login:
        variable = f"NEWSWATCH_{name.upper()}"
        log.warning("%s: the user and password in it are left out, as others get to see the address.", variable)
    return {name: found.url}


def _link_if_any(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return _link(name, said) if said[name].strip() else {}


def _contact(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return _link(name, said) if said[name].strip().lower().startswith(("http://", "https://")) else {}


_PARTED: Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
    "elasticsearch_url": _elasticsearch,
    "smtp_host": _smtp,
    "public_url": _link,
    "kibana_url": _link_if_any,
    "contact": _contact,
}


def _refused(name: str, why: str) -> ValidationError:
    fault = PydanticCustomError("address", "{why}", {"why": why})
    return ValidationError.from_exception_data("Settings", [InitErrorDetails(type=fault, loc=(name,), input="…")])
