"""Faults of the settings that no single one shows: variables that nobody reads, and settings that don't agree. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from newswatch.config import did_you_mean
from newswatch.errors import ConfigError
from newswatch.setting_logins import SMTPS_PORT
from newswatch.settings import PREFIX, Settings, variable_of

OTHER_VARIABLES: Final[Mapping[str, str]] = {
    "NEWSWATCH_STACK": "marks the processes of the embedded stack",
    "NEWSWATCH_CONFIG": "the folder that docker-compose.yml mounts",
    "NEWSWATCH_PICTURES": "where `make pictures` puts them",
    "NEWSWATCH_LOOK": "where a test of the News page puts its pictures",
    "NEWSWATCH_EXAMPLES": "how many examples a test tries",
}
"""Variables that are no settings, and what reads them."""

ENDED_AFTER_S: Final = 900
"""Seconds after which Airflow ends a pull or a delivery run (`dags/`)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the settings."""

    variables: tuple[str, ...]
    message: str
    """A sentence with the next step; never a secret."""
    is_error: bool = True
    """False: it works, but hardly as intended."""

    def __str__(self) -> str:
        return f"{', '.join(self.variables)}: {self.message}"


def mistyped(environment: Iterable[str]) -> tuple[Finding, ...]:
    """The variables that look like settings and are none, each with the nearest setting."""
    known = {variable_of(name) for name in Settings.model_fields}
    # Settings are read whatever their case.
    strange = (name for name in environment if name.upper().startswith(PREFIX))
    return tuple(
        Finding((name,), f"no setting is called so, and nobody reads it{did_you_mean(name, known)}")
        for name in sorted(strange)
        if name.upper() not in known | OTHER_VARIABLES.keys()
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """What must hold between settings."""

    names: tuple[str, ...]
    is_broken: Callable[[Settings], bool]
    message: str
    is_error: bool = True


def disagreements(settings: Settings, *, nodes: int | None = None) -> tuple[Finding, ...]:
    """What does not agree, errors first. `nodes` is the number of Elasticsearch's data nodes, if that is known."""
    broken = [rule for rule in _RULES if _is_broken(rule, settings)]
    findings = [Finding(_variables(rule.names), rule.message, rule.is_error) for rule in broken]
    return tuple(sorted([*findings, *_of_nodes(settings, nodes)], key=lambda finding: not finding.is_error))


def _is_broken(rule: _Rule, settings: Settings) -> bool:
    """Whether the settings break the rule. Those that are wrong by themselves have no value that could."""
    try:
        return rule.is_broken(settings)
    except ConfigError:
        return False


def _of_nodes(settings: Settings, nodes: int | None) -> Iterable[Finding]:
    if nodes is None:
        return
    names, replicas = _variables(("number_of_replicas",)), settings.number_of_replicas
    if replicas >= nodes:
        if replicas:
            wanted = f"{replicas} replicas need {replicas + 1} data nodes, and Elasticsearch has {nodes}"
            yield Finding(names, f"{wanted}: its state stays yellow. Set it to {max(0, nodes - 1)}", is_error=False)
    elif nodes > 1 and not replicas:
        message = f"Elasticsearch has {nodes} data nodes, and no article has a copy: if a node fails, articles are away"
        yield Finding(names, f"{message}. Set it to 1", is_error=False)


def _variables(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(variable_of, names))


# ── what the rules ask ───────────────────────────────────────────────────────────────────────────────────────────────


def is_here(host: str | None) -> bool:
    """Whether a host is this machine: nobody else reaches it by that name."""
    name = (host or "").strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _url_is_here(url: str) -> bool:
    return is_here(urlsplit(url).hostname)


def _is_abroad(url: str) -> bool:
    """Unencrypted, and to another machine."""
    return urlsplit(url).scheme == "http" and not _url_is_here(url)


def _mails_leave(settings: Settings) -> bool:
    return not is_here(settings.smtp_host)


def _domain_is_here(address: str) -> bool:
    return is_here(address.rstrip("> ").rpartition("@")[2])


def _has_login(settings: Settings) -> bool:
    return bool(settings.elasticsearch_api_key or settings.elasticsearch_password)


def _is_file(path: Path) -> bool:
    return _is_there(path, Path.is_file)


def _is_there(path: Path, is_kind: Callable[[Path], bool]) -> bool:
    """False also for what can be no name, such as a whole certificate in place of its file's name."""
    try:
        return is_kind(path)
    except OSError:
        return False


def _cluster_elsewhere(settings: Settings) -> bool:
    return not all(map(_url_is_here, settings.elasticsearch_urls))


_RULES: Final[tuple[_Rule, ...]] = (
    # ── polling
    _Rule(
        ("poll_min_interval_s", "poll_max_interval_s"),
        lambda s: s.poll_min_interval_s > s.poll_max_interval_s,
        "the shortest interval is longer than the longest one. Lower the first, or raise the second",
    ),
    _Rule(
        ("lease_s", "fetch_total_timeout_s"),
        lambda s: 0.1 * s.lease_s < s.fetch_total_timeout_s,
        "a request may take longer than the tenth of the lease that the last ones have, and is then broken off. Set "
        "the lease to at least ten times the time-out",
        is_error=False,
    ),
    _Rule(
        ("lease_s", "fetch_total_timeout_s"),
        lambda s: s.lease_s <= s.fetch_total_timeout_s,
        "one slow publisher may take longer than a whole batch may. Set the lease to at least ten times the time-out",
    ),
    _Rule(
        ("lease_s",),
        lambda s: s.lease_s > ENDED_AFTER_S,
        f"Airflow ends a pull after {ENDED_AFTER_S} seconds; what it had not written is polled again only when the "
        f"lease ends. Set it to at most {ENDED_AFTER_S}",
        is_error=False,
    ),
    _Rule(
        ("fetch_connect_timeout_s", "fetch_total_timeout_s"),
        lambda s: s.fetch_connect_timeout_s > s.fetch_total_timeout_s,
        "connecting may take longer than everything together, so that its limit is never reached",
        is_error=False,
    ),
    _Rule(
        ("fetch_read_timeout_s", "fetch_total_timeout_s"),
        lambda s: s.fetch_read_timeout_s > s.fetch_total_timeout_s,
        "one pause may last longer than everything together, so that its limit is never reached",
        is_error=False,
    ),
    _Rule(
        ("fetch_host_concurrency", "fetch_concurrency"),
        lambda s: s.fetch_host_concurrency > s.fetch_concurrency,
        "one host may get more requests at a time than all hosts together, so that its limit is never reached",
        is_error=False,
    ),
    _Rule(
        ("fetch_allow_hosts",),
        lambda s: any(not host.rpartition(":")[2].isdigit() or ":" not in host for host in s.fetch_allow_hosts),
        'each item is a host and its port, as in ["news.internal:80"]; without a port it allows nothing',
    ),
    _Rule(
        ("fetch_proxy_username", "fetch_proxy_password"),
        lambda s: bool(s.fetch_proxy_password) and not s.fetch_proxy_username,
        "a login at the proxy needs a user. Set it too, or neither",
    ),
    _Rule(
        ("fetch_no_proxy", "fetch_proxy"),
        lambda s: bool(s.fetch_no_proxy) and not s.fetch_proxy,
        "without a proxy, every host is reached directly anyway. Set the proxy, or take the list away",
        is_error=False,
    ),
    _Rule(
        ("fetch_ca_certs",),
        lambda s: s.fetch_ca_certs is not None and not _is_file(s.fetch_ca_certs),
        "there is no such file on this machine. Name the certificate authority's file, in PEM",
    ),
    _Rule(
        ("contact",),
        lambda s: _domain_is_here(s.contact) and _mails_leave(s),
        "publishers can't reach you at it, and may block what they can't ask about. Give an address or a page",
        is_error=False,
    ),
    # ── keeping
    _Rule(
        ("retention_days", "story_window_days"),
        lambda s: s.retention_days < s.story_window_days,
        "articles are deleted while their stories still grow. Keep them for at least as long as a story may last",
        is_error=False,
    ),
    _Rule(
        ("fast_interval_s", "poll_min_interval_s"),
        lambda s: s.fast_interval_s >= s.poll_min_interval_s,
        "the fast lane would ask no more often than the poll, so it takes no feed. Lower the first",
        is_error=False,
    ),
    # ── mail
    _Rule(
        ("smtp_security", "smtp_port"),
        lambda s: s.smtp_port == SMTPS_PORT and s.smtp_security != "tls",
        f"port {SMTPS_PORT} speaks TLS from the first byte, and every mail would hang. Set the security to tls",
    ),
    _Rule(
        ("smtp_security", "smtp_port"),
        lambda s: s.smtp_port in (25, 587) and s.smtp_security == "tls",
        "ports 25 and 587 begin without encryption. Set the security to starttls, or the port to 465",
        is_error=False,
    ),
    _Rule(
        ("smtp_username", "smtp_password"),
        lambda s: (
            not s.smtp_oauth_url
            and bool(s.smtp_username) != bool(s.smtp_password and s.smtp_password.get_secret_value())
        ),
        "a login needs both. Set the other one too, or neither",
    ),
    _Rule(
        ("smtp_oauth_url", "smtp_username", "smtp_oauth_client_id"),
        lambda s: bool(s.smtp_oauth_url) and not (s.smtp_username and s.smtp_oauth_client_id),
        "a login by OAuth2 needs the account's name and the client. Set them too",
    ),
    _Rule(
        ("smtp_oauth_url", "smtp_oauth_refresh_token", "smtp_oauth_client_secret"),
        lambda s: bool(s.smtp_oauth_url) and not (s.smtp_oauth_refresh_token or s.smtp_oauth_client_secret),
        "without a refresh token the client needs its secret. Set one of them",
    ),
    _Rule(
        ("smtp_oauth_url", "smtp_password"),
        lambda s: bool(s.smtp_oauth_url and s.smtp_password and s.smtp_password.get_secret_value()),
        "the login goes by OAuth2, and the password is not used. Set one of them",
        is_error=False,
    ),
    _Rule(
        ("smtp_oauth_url",),
        lambda s: _is_abroad(s.smtp_oauth_url),
        "the client's secret would cross the network in the clear. Write https://",
    ),
    _Rule(
        ("smtp_security", "smtp_oauth_url"),
        lambda s: bool(s.smtp_oauth_url) and s.smtp_security == "none" and _mails_leave(s),
        "the access token would cross the network in the clear. Set the security to starttls or tls",
    ),
    *(
        _Rule(
            (name,),
            lambda s, name=name: getattr(s, name) is not None and not _is_file(getattr(s, name)),  # type: ignore[misc]
            f"there is no such file on this machine. Name {what}, in PEM",
        )
        for name, what in (
            ("smtp_ca_certs", "the certificate authority's file"),
            ("smtp_client_cert", "the file of the certificate and its key"),
        )
    ),
    _Rule(
        ("smtp_security", "smtp_client_cert"),
        lambda s: bool(s.smtp_client_cert) and s.smtp_security == "none",
        "a certificate has no use without encryption. Set the security to starttls or tls",
    ),
    _Rule(
        ("bounce_mailbox", "mail_bounces"),
        lambda s: bool(s.bounce_mailbox) and not s.mail_bounces,
        "bounces go to the sender's address, and this mailbox is not its. Set the second to the mailbox's address",
    ),
    _Rule(
        ("mail_bounces", "bounce_mailbox"),
        lambda s: bool(s.mail_bounces) and not s.bounce_mailbox,
        "nobody reads the bounces that go there, so dead addresses are mailed for ever. Set the mailbox too",
        is_error=False,
    ),
    _Rule(
        ("bounce_mailbox", "bounce_username", "bounce_password"),
        lambda s: bool(s.bounce_mailbox) and not (s.bounce_username and (s.bounce_password or s.smtp_oauth_url)),
        "the mailbox needs a user, and a password or OAuth2. Write imaps://user:password@host",
    ),
    _Rule(
        ("bounce_mailbox",),
        lambda s: (s.bounce_mailbox or "").startswith("imap:") and not _url_is_here(s.bounce_mailbox or ""),
        "the password would cross the network in the clear. Write imaps:// or imap+starttls://",
    ),
    _Rule(
        ("smtp_security", "smtp_password"),
        lambda s: bool(s.smtp_username) and s.smtp_security == "none" and _mails_leave(s),
        "the password would cross the network in the clear. Set the security to starttls or tls",
        is_error=False,
    ),
    _Rule(
        ("smtp_timeout_s", "smtp_deadline_s"),
        lambda s: s.smtp_timeout_s > s.smtp_deadline_s,
        "one answer may take longer than the whole mail, so that its limit is never reached",
        is_error=False,
    ),
    _Rule(
        ("smtp_deadline_s", "mail_run_s"),
        lambda s: s.smtp_deadline_s > s.mail_run_s,
        "one mail may take longer than a whole run, so that a slow server lets one mail through per run",
        is_error=False,
    ),
    _Rule(
        ("mail_group_s", "mail_give_up_s"),
        lambda s: s.mail_group_s >= s.mail_give_up_s,
        "a recipient is given up before the next mail may be tried. Raise the second",
    ),
    _Rule(
        ("mail_from",),
        lambda s: _domain_is_here(s.mail_from) and _mails_leave(s),
        "mail servers elsewhere refuse a sender at localhost. Set an address of your own domain",
        is_error=False,
    ),
    # ── Elasticsearch
    _Rule(
        ("elasticsearch_username", "elasticsearch_password"),
        lambda s: not s.elasticsearch_api_key and bool(s.elasticsearch_username) != bool(s.elasticsearch_password),
        "a login needs both, and without one of them none is sent. Set the other one too, or neither",
    ),
    _Rule(
        ("elasticsearch_api_key", "elasticsearch_username", "elasticsearch_password"),
        lambda s: bool(s.elasticsearch_api_key and (s.elasticsearch_username or s.elasticsearch_password)),
        "the API key is used and the user ignored. Set one of them",
        is_error=False,
    ),
    _Rule(
        ("elasticsearch_ca_certs",),
        lambda s: s.elasticsearch_ca_certs is not None and not _is_file(s.elasticsearch_ca_certs),
        "there is no such file on this machine. Name the certificate authority's file, in PEM",
    ),
    _Rule(
        ("elasticsearch_ca_certs", "elasticsearch_url"),
        lambda s: s.elasticsearch_ca_certs is not None and all(u.startswith("http:") for u in s.elasticsearch_urls),
        "a certificate authority has no use without https://. Write https:// in the address",
        is_error=False,
    ),
    _Rule(
        ("elasticsearch_url",),
        lambda s: _has_login(s) and any(map(_is_abroad, s.elasticsearch_urls)),
        "the login crosses the network in the clear. Write https://",
        is_error=False,
    ),
    # ── addresses that users follow
    _Rule(
        ("public_url",),
        lambda s: _url_is_here(s.public_url) and _mails_leave(s),
        "mails leave this machine, and their links lead to it by a name that only it knows. Set the address that users "
        "type",
        is_error=False,
    ),
    _Rule(
        ("public_url",),
        lambda s: _is_abroad(s.public_url),
        "users log in over an unencrypted connection. Put a proxy with TLS before Airflow, and write https://",
        is_error=False,
    ),
    _Rule(
        ("kibana_url", "public_url"),
        lambda s: bool(s.kibana_url) and _url_is_here(s.kibana_url or "") and not _url_is_here(s.public_url),
        "links to Kibana lead to this machine by a name that only it knows. Set the address that users type",
        is_error=False,
    ),
    _Rule(
        ("secret_key",),
        lambda s: s.secret_key is None and _cluster_elsewhere(s),
        "each machine signs the links in mails by a key of its own and refuses the others'. Set the same everywhere",
        is_error=False,
    ),
    _Rule(
        ("secret_key",),
        lambda s: s.secret_key is not None and len(s.secret_key.get_secret_value()) < 16,
        "it is short enough to be guessed. Make one with `openssl rand -hex 32`",
        is_error=False,
    ),
    # ── the operator
    _Rule(
        ("operator", "operator_url"),
        lambda s: not s.operator and not s.operator_url,
        "nobody is told when something breaks. Set an address",
        is_error=False,
    ),
    _Rule(
        ("operator", "smtp_host"),
        lambda s: bool(s.operator) and not s.operator_url and not _mails_leave(s) and s.smtp_port == 1025,
        "what is mailed to the operator stays in the mail catcher of this machine. Name a mail server, or set "
        "NEWSWATCH_OPERATOR_URL",
        is_error=False,
    ),
    _Rule(
        ("operator_url",),
        lambda s: bool(s.operator) and not s.operator_url and _mails_leave(s),
        "when the mail server itself fails, nobody is told. Set a second way, such as a webhook or ntfy",
        is_error=False,
    ),
    # ── folders
    _Rule(
        ("config_dir",),
        lambda s: not _is_there(s.config_dir, Path.is_dir),
        "there is no such folder on this machine. Name the folder of feeds.yaml, alerts.yaml and taxonomy.yaml",
    ),
)
