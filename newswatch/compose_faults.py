"""Faults of the .env that docker-compose.yml reads, which no container would notice by itself. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from newswatch.config import did_you_mean
from newswatch.servers import mail_server
from newswatch.setting_faults import Finding, is_here
from newswatch.settings import PREFIX, Settings, variable_of
from newswatch.sign_on import PREFIX as SSO
from newswatch.sign_on import sign_on_faults

SECRETS: Final[Mapping[str, int]] = {
    "ELASTIC_PASSWORD": 8,
    "KIBANA_PASSWORD": 8,
    "KIBANA_ENCRYPTION_KEY": 32,
    "NEWSWATCH_ELASTICSEARCH_PASSWORD": 8,
    "NEWSWATCH_SECRET_KEY": 16,
    "NEWSWATCH_METRICS_TOKEN": 16,
    "POSTGRES_PASSWORD": 8,
    "AIRFLOW_ADMIN_PASSWORD": 8,
    "AIRFLOW_SECRET_KEY": 16,
    "AIRFLOW_JWT_SECRET": 64,
    "VALKEY_PASSWORD": 8,
}
"""Secrets of letters and digits, and how many each has at least."""
IF_GIVEN: Final[Mapping[str, int]] = {"AIRFLOW_ANALYST_PASSWORD": 8}
"""Secrets that may be missing: what they are for can then not be used."""
MAILPIT: Final = "mailpit"
FERNET_KEY: Final = "AIRFLOW_FERNET_KEY"
OTHERS: Final = frozenset(
    {
        "AIRFLOW_EXECUTOR",
        "AIRFLOW_PARALLELISM",
        "AIRFLOW_WORKER_CONCURRENCY",
        "AIRFLOW_ADMIN_USER",
        "AIRFLOW_ANALYST_USER",
        "AIRFLOW_AUTH_MANAGER",
        "AIRFLOW_URL",
        "AIRFLOW_PATH",
        "AIRFLOW_PORT",
        "AIRFLOW_MEMORY",
        "KIBANA_URL",
        "KIBANA_PATH",
        "KIBANA_PORT",
        "KIBANA_MEMORY",
        "ELASTICSEARCH_PORT",
        "ELASTICSEARCH_MEMORY",
        "MAILPIT_PORT",
        "BIND_ADDRESS",
        "TRUSTED_PROXIES",
        "CONTAINER_UID",
        "COMPOSE_PROFILES",
        "NEWSWATCH_CONFIG",
    }
)
"""What .env states besides secrets and settings."""
RENAMED: Final[Mapping[str, str]] = {
    **{name: PREFIX + name for name in ("SMTP_HOST", "SMTP_PORT", "SMTP_USERNAME", "SMTP_PASSWORD", "SMTP_SECURITY")},
    **{name: PREFIX + name for name in ("MAIL_FROM", "OPERATOR", "OPERATOR_URL", "HEARTBEAT_URL", "CONTACT")},
    **{name: PREFIX + name for name in ("AIRFLOW_RETENTION_DAYS", "LOG_RETENTION_DAYS", "LOG_MAX_BYTES")},
    "SMTP_DISABLE_SSL": "NEWSWATCH_SMTP_SECURITY",
    "SMTP_DISABLE_TLS": "NEWSWATCH_SMTP_SECURITY",
}
"""Variables of earlier versions, and what says the same now."""
STATED: Final[Mapping[str, str]] = {
    "NEWSWATCH_PUBLIC_URL": "AIRFLOW_URL and AIRFLOW_PATH",
    "NEWSWATCH_KIBANA_URL": "KIBANA_URL and KIBANA_PATH",
    "NEWSWATCH_CONFIG_DIR": "NEWSWATCH_CONFIG",
    **dict.fromkeys(
        (
            "NEWSWATCH_ELASTICSEARCH_URL",
            "NEWSWATCH_ELASTICSEARCH_USERNAME",
            "NEWSWATCH_ELASTICSEARCH_CA_CERTS",
            "NEWSWATCH_AIRFLOW_URL",
            "NEWSWATCH_DATA_DIR",
            "NEWSWATCH_BACKUP_LOCATION",
        ),
        "docker-compose.yml itself",
    ),
}
"""Settings that docker-compose.yml states whatever .env says, and from what it takes them."""


def compose_faults(dotenv: Mapping[str, str]) -> tuple[Finding, ...]:
    """What is wrong with the variables of a .env, errors first; never with a secret in it.

    The values of settings are checked as everywhere (`setting_faults`); this is what concerns the containers.
    """
    given = {name: value for name, value in dotenv.items() if value}
    found = [*_names(dotenv), *_secrets(given), *_addresses(given), *_profiles(given), *_users(given)]
    found += sign_on_faults(dotenv)
    return tuple(sorted(found, key=lambda finding: not finding.is_error))


_INTERPOLATED: Final = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(?!').*(?<!\\)\$[\w{]")


def interpolated(text: str) -> Iterator[Finding]:
    """The lines of a .env in whose values Docker Compose puts other variables: `pa$word` becomes `pa`."""
    for line in text.splitlines():
        if found := _INTERPOLATED.match(line):
            message = "docker compose takes `$` and what follows for another variable. Put the value into single quotes"
            yield Finding((found[1],), message, is_error=False)


def _names(dotenv: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that nobody reads."""
    known = {*SECRETS, *IF_GIVEN, FERNET_KEY, *OTHERS, *map(variable_of, Settings.model_fields)}
    for name in sorted(name for name in dotenv.keys() - known if not name.startswith(SSO)):
        if new := RENAMED.get(name):
            yield Finding((name,), f"it is called {new} now; as it stands, nobody reads it")
        else:
            hint = did_you_mean(name, known)
            yield Finding((name,), f"docker-compose.yml reads no such variable{hint}", is_error=bool(hint))
    if dotenv.get("NEWSWATCH_INDEX_PREFIX"):
        message = "Elasticsearch's user newswatch may use indices without a prefix only: leave it empty here"
        yield Finding(("NEWSWATCH_INDEX_PREFIX",), message)
    for name in sorted(dotenv.keys() & STATED.keys()):
        yield Finding((name,), f"it has no effect here: it is taken from {STATED[name]}")


def _secrets(given: Mapping[str, str]) -> Iterator[Finding]:
    wanted = {**SECRETS, **{name: least for name, least in IF_GIVEN.items() if given.get(name)}}
    for name, least in wanted.items():
        if not re.fullmatch(rf"[A-Za-z0-9]{{{least},}}", given.get(name, "")):
            yield Finding(
                (name,),
                f"it must be {least} or more letters and digits: it is put into addresses and JSON as it is. "
                "`sh docker/make-env.sh FILE` makes fresh ones",
            )
    if not is_fernet_key(given.get(FERNET_KEY, "")):
        yield Finding((FERNET_KEY,), "it must be 32 bytes in URL-safe Base64, as `sh docker/make-env.sh FILE` makes it")
    seen: dict[str, str] = {}
    for name in (*wanted, FERNET_KEY):
        value = given.get(name)
        if value and (other := seen.setdefault(value, name)) != name:
            yield Finding((other, name), "they are the same: who learns one knows both", is_error=False)


def is_fernet_key(text: str) -> bool:
    """Whether it is a key as Airflow's Fernet takes it."""
    try:
        return len(base64.urlsafe_b64decode(text.encode("ascii", "replace"))) == 32
    except binascii.Error:
        return False


def _addresses(given: Mapping[str, str]) -> Iterator[Finding]:
    for name in ("AIRFLOW", "KIBANA"):
        url, path = given.get(f"{name}_URL", ""), given.get(f"{name}_PATH", "")
        try:
            parts = urlsplit(url)
            wrong = url and (parts.scheme not in ("http", "https") or not parts.hostname)
        except ValueError:
            wrong = True
        if wrong:
            yield Finding((f"{name}_URL",), "it must be an address, such as https://news.example.org")
            continue
        if parts.path or parts.query or parts.fragment:
            said = parts.path.rstrip("/")
            where = f"put {said} into {name}_PATH, and leave it out here" if said else "leave out what follows the host"
            yield Finding((f"{name}_URL",), f"it is taken without a path: {where}")
        if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
            yield Finding((f"{name}_PATH",), "it must begin with a slash and not end with one, as in /airflow")
        if not is_here(parts.hostname) and parts.scheme == "http":
            message = "users' passwords would cross the network in the clear. Put a proxy with HTTPS in front"
            yield Finding((f"{name}_URL",), message, is_error=False)
    if given.get("AIRFLOW_URL", "").startswith("https:") and given.get("TRUSTED_PROXIES", "127.0.0.1") == "127.0.0.1":
        yield Finding(
            ("AIRFLOW_URL", "TRUSTED_PROXIES"),
            "a proxy's word that users came by HTTPS is not believed, so cookies may travel in the clear. Name its "
            "address as containers see it: on the same host, the gateway of Compose's network",
            is_error=False,
        )


def _users(given: Mapping[str, str]) -> Iterator[Finding]:
    """Airflow keeps them as `name:role,name:role`."""
    names = {"AIRFLOW_ADMIN_USER": "newswatch", "AIRFLOW_ANALYST_USER": "analyst"}
    users = {variable: given.get(variable, default) for variable, default in names.items()}
    for variable, name in users.items():
        if not re.fullmatch(r"[A-Za-z0-9._@+-]+", name):
            yield Finding((variable,), "it must be letters, digits and any of . _ @ + -, as it stands in a list")
    if len(set(users.values())) < len(users):
        yield Finding(tuple(users), "they are one user, whose rights would be either's. Give them two names")


def _mail_host(text: str) -> str:
    try:
        return mail_server(text).host
    except ValueError:
        return ""  # said elsewhere


def _profiles(given: Mapping[str, str]) -> Iterator[Finding]:
    profiles = {name.strip() for name in given.get("COMPOSE_PROFILES", "").split(",")}
    if _mail_host(given.get("NEWSWATCH_SMTP_HOST", MAILPIT)) == MAILPIT and MAILPIT not in profiles:
        message = "the mails' server is mailpit, which is not started. Name a server, or the profile mailpit"
        yield Finding(("NEWSWATCH_SMTP_HOST", "COMPOSE_PROFILES"), message)
    celery = given.get("AIRFLOW_EXECUTOR", "LocalExecutor") == "CeleryExecutor"
    names = ("AIRFLOW_EXECUTOR", "COMPOSE_PROFILES")
    if celery and "celery" not in profiles:
        yield Finding(names, "tasks are given to workers, and none is started. Add the profile celery")
    if not celery and "celery" in profiles:
        yield Finding(names, "workers are started, and no task is given to them. Set CeleryExecutor", is_error=False)
