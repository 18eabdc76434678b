"""Settings: read from `NEWSWATCH_…` environment variables, with defaults that fit the embedded stack.

`NEWSWATCH_ELASTICSEARCH_URL=https://es:9200` sets `Settings.elasticsearch_url`, and so on for every field.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

import newswatch
from newswatch.mail_address import mail_address

PACKAGE = Path(newswatch.__file__).parent


def default_config_dir() -> Path:
    """`config/` of a checkout, or the copy that was installed with the package."""
    checkout = PACKAGE.parent / "config"
    return checkout if checkout.is_dir() else PACKAGE / "config"


MailAddress = Annotated[str, AfterValidator(mail_address)]


class Settings(BaseSettings):
    """Everything that differs from one installation to another."""

    model_config = SettingsConfigDict(
        env_prefix="NEWSWATCH_", frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("newswatch"))
    """Everything the embedded stack writes: Elasticsearch's data, Airflow's files, mails, logs."""
    config_dir: Path = Field(default_factory=default_config_dir)
    """Holds feeds.yaml, taxonomy.yaml and alerts.yaml."""

    elasticsearch_url: str = "http://127.0.0.1:9200"
    """Where Elasticsearch is; `newswatch up` starts one here."""
    elasticsearch_api_key: SecretStr | None = None
    """For logging in to it: an API key, or a name and a password."""
    elasticsearch_username: str | None = None
    """The name, where there is no API key."""
    elasticsearch_password: SecretStr | None = None
    """The password that goes with the name."""
    elasticsearch_ca_certs: Path | None = None
    """Certificate authority that its certificate is checked by, if not one of the system's."""
    index_prefix: str = ""
    """Put before every index and alias name, so that several installations can share a cluster."""
    number_of_shards: int = 1
    """Of every index. On a cluster: one for each data node, so that all take part."""
    number_of_replicas: int = 0
    """Of every index. On a cluster: 1, so that a node may fail."""

    smtp_host: str = "127.0.0.1"
    """The mail server; `newswatch up` starts a mail catcher here."""
    smtp_port: int = 1025
    """Its port."""
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    """How the connection to it is encrypted."""
    smtp_username: str | None = None
    """The name to log in to it by, if it wants one."""
    smtp_password: SecretStr | None = None
    """The password that goes with the name."""
    mail_from: MailAddress = "newswatch@localhost"
    """The sender's address."""
    mail_name: str = "newswatch"
    """Shown as the sender, before the address."""
    mail_group_s: int = 60
    """Least time between two instant mails to one recipient: what comes meanwhile goes together."""
    mail_give_up_s: int = 5 * 86_400
    """How long a recipient is tried whom the server keeps putting off."""
    smtp_timeout_s: float = 30
    """Seconds for connecting and for each answer; the answer to the mail itself is awaited four times as long."""
    smtp_deadline_s: float = Field(default=150, gt=0, le=200)
    """Seconds for one mail as a whole, from connecting to the server's yes, however much it says meanwhile."""
    mail_run_s: int = Field(default=600, ge=1, le=600)
    """Seconds after which a delivery run begins no more mails; the rest stays due for the next run."""

    operator: Annotated[MailAddress | None, BeforeValidator(lambda text: text or None)] = None
    """Address that is mailed, once a day, which feeds broke, went silent or came back. None: that is only logged."""

    contact: str = "newswatch@localhost"
    """Address or page for publishers to complain to; part of the User-Agent."""
    fetch_connect_timeout_s: float = 10
    """Within how many seconds a publisher must take the connection."""
    fetch_read_timeout_s: float = 20
    """Within how many seconds it must send something more."""
    fetch_total_timeout_s: float = 60
    """Within how many seconds it must have sent everything, redirects included."""
    fetch_max_bytes: int = 20_000_000
    """Cap on a body as sent and as unpacked."""
    fetch_concurrency: int = 32
    """Requests under way at once in one batch."""
    fetch_host_concurrency: int = 2
    """Requests under way at once to one host."""
    fetch_host_delay_s: float = 0.5
    """Least time between two requests to one host."""
    fetch_allow_hosts: tuple[str, ...] = ()
    """`host:port` pairs exempt from the ban on loopback and private addresses (the embedded newsroom)."""

    poll_min_interval_s: int = 60
    """The shortest interval between two polls of a feed."""
    poll_max_interval_s: int = 86_400
    """The longest while the feed is well; in between it follows how often the feed brings something new."""
    batches_per_poll: int = Field(default=4, ge=1, le=8)
    """Into how many batches a poll is divided at most, each an Airflow task."""
    feeds_per_poll: int = 1_000
    """How many due feeds one poll takes; the rest stay due for the next."""
    lease_s: int = 600
    """How long a batch may take before its feeds are given to another."""

    retention_days: int = Field(default=400, ge=1)
    """How long articles are kept, counted from the end of the month in which they were first seen."""
    batch_retention_days: int = Field(default=30, ge=1)
    """How long a batch is remembered after it was matched."""

    story_window_days: int = Field(default=7, ge=1)
    """Articles further apart are never of one story."""

    public_url: str = "http://127.0.0.1:8080"
    """Where users reach Airflow's web server; for links in mails."""
    kibana_url: str | None = None
    """Where users reach Kibana; mails link to it if it is set."""
    secret_key: SecretStr | None = None
    """Signs the links in mails; the same on every machine. None: one is made and kept in `data_dir`."""

    def environment(self) -> dict[str, str]:
        """The environment variables that give another process these settings: those that were set, not the defaults."""
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        return {f"NEWSWATCH_{name.upper()}": _as_variable(value) for name, value in stated.items() if value is not None}


def _as_variable(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, tuple | list | dict) else str(value)
