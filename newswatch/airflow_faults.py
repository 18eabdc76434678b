"""Faults of the variables `AIRFLOW__…` in an Airflow of one's own, which Airflow reads without a word. Pure.

docker-compose.yml and `newswatch up` set them right by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from newswatch.compose_faults import is_fernet_key
from newswatch.setting_faults import Finding, is_here
from newswatch.sign_on import FAB, PREFIX, sign_on_faults

DATABASE: Final = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
"""Where it is set, an Airflow of one's own is meant."""
PUBLIC_URL: Final = "NEWSWATCH_PUBLIC_URL"
BASE_URL: Final = "AIRFLOW__API__BASE_URL"
EXECUTION_URL: Final = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
AUTH_MANAGER: Final = "AIRFLOW__CORE__AUTH_MANAGER"
FERNET_KEY: Final = "AIRFLOW__CORE__FERNET_KEY"
PARALLELISM: Final = "AIRFLOW__CORE__PARALLELISM"
_LEAST_PLACES: Final = 12
_DEFAULT_PLACES: Final = 32
_FALSE: Final = ("false", "f", "0")

Environment = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Rule:
    """What must hold for Airflow's variables."""

    names: tuple[str, ...]
    is_broken: Callable[[Environment], bool]
    message: str
    is_error: bool = True


def is_meant(environment: Environment) -> bool:
    """Whether an Airflow of one's own is configured here."""
    return bool(environment.get(DATABASE)) or _is_elsewhere(environment, DATABASE)


def airflow_faults(environment: Environment) -> tuple[Finding, ...]:
    """What is wrong with Airflow's variables, errors first, never with a secret in it; nothing where there are none."""
    if not is_meant(environment):
        return ()
    found = [Finding(rule.names, rule.message, rule.is_error) for rule in _RULES if rule.is_broken(environment)]
    found += _of_users(environment)
    return tuple(sorted(found, key=lambda finding: not finding.is_error))


def _of_users(environment: Environment) -> Iterator[Finding]:
    manager = environment.get(AUTH_MANAGER, "")
    known = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    for each in sign_on_faults({**known, "AIRFLOW_AUTH_MANAGER": manager}):
        names = (AUTH_MANAGER if name == "AIRFLOW_AUTH_MANAGER" else name for name in each.variables)
        yield Finding(tuple(names), each.message, each.is_error)


# ── what the rules ask ───────────────────────────────────────────────────────────────────────────────────────────────


def _path(url: str) -> str:
    try:
        return urlsplit(url).path.rstrip("/")
    except ValueError:
        return ""


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_elsewhere(environment: Environment, name: str) -> bool:
    """Whether a command or a secrets backend gives Airflow the value, which we don't see."""
    return name not in environment and any(environment.get(f"{name}{ending}") for ending in ("_CMD", "_SECRET"))


def _is_on(environment: Environment, name: str) -> bool:
    """Of an option whose default is true."""
    return environment.get(name, "true").strip().lower() not in _FALSE


def _is_short(name: str, least: int) -> Callable[[Environment], bool]:
    return lambda environment: not _is_elsewhere(environment, name) and len(environment.get(name, "")) < least


def _has_no_key(environment: Environment) -> bool:
    keys = environment.get(FERNET_KEY, "").split(",")
    return not _is_elsewhere(environment, FERNET_KEY) and not all(map(is_fernet_key, keys))


def _few_places(environment: Environment) -> bool:
    stated = environment.get(PARALLELISM, str(_DEFAULT_PLACES)).strip()
    return stated.isdigit() and 0 < int(stated) < _LEAST_PLACES


_is_short_secret: Final = _is_short("AIRFLOW__API_AUTH__JWT_SECRET", 64)
_RANDOM: Final = "Make one with `openssl rand -hex 32`"
_RULES: Final[tuple[_Rule, ...]] = (
    _Rule(
        (DATABASE,),
        lambda e: e.get(DATABASE, "").startswith(("postgresql://", "postgres://")),
        "SQLAlchemy takes it for another driver than the one that is installed. Write postgresql+psycopg2://",
    ),
    _Rule(
        (DATABASE,),
        lambda e: e.get(DATABASE, "").startswith("sqlite:"),
        "SQLite has one writer: under load, tasks fail with `database is locked`. Use PostgreSQL",
        is_error=False,
    ),
    _Rule(
        (FERNET_KEY,),
        _has_no_key,
        "it must be 32 bytes in URL-safe Base64. Make one with `openssl rand -base64 32 | tr +/ -_`",
    ),
    _Rule(
        ("AIRFLOW__API_AUTH__JWT_SECRET",),
        lambda e: not e.get("AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH") and _is_short_secret(e),
        "it must be 64 or more characters, the same for all parts: without it each makes up its own and refuses the "
        f"others' tasks. {_RANDOM}",
    ),
    _Rule(
        ("AIRFLOW__API__SECRET_KEY",),
        _is_short("AIRFLOW__API__SECRET_KEY", 16),
        f"it must be set, or users are logged out by every restart. {_RANDOM}",
    ),
    _Rule(
        (BASE_URL, PUBLIC_URL),
        lambda e: e.get(BASE_URL, "").rstrip("/") != e.get(PUBLIC_URL, "").rstrip("/"),
        "they must be one address, what users type: links in mails go by the second, log-ins by the first",
    ),
    _Rule(
        (EXECUTION_URL, BASE_URL),
        lambda e: _path(e.get(EXECUTION_URL, "")) != f"{_path(e.get(BASE_URL, ''))}/execution",
        "every task would fail: the first must be Airflow's own address with the path of the second and /execution/, "
        "as in http://127.0.0.1:8080/airflow/execution/",
    ),
    _Rule(
        ("NEWSWATCH_AIRFLOW_URL", BASE_URL),
        lambda e: (
            bool(e.get("NEWSWATCH_AIRFLOW_URL")) and _path(e["NEWSWATCH_AIRFLOW_URL"]) != _path(e.get(BASE_URL, ""))
        ),
        "the watchman would ask beside Airflow: the first needs the path of the second",
    ),
    _Rule(
        ("NEWSWATCH_AIRFLOW_URL",),
        lambda e: e.get("NEWSWATCH_AIRFLOW_URL", "").endswith("/"),
        "the service of Airflow's web server waits for an answer below it. Leave out the / at its end",
    ),
    _Rule(
        ("AIRFLOW__API__HOST",),
        lambda e: not is_here(e.get("AIRFLOW__API__HOST", "0.0.0.0")) and not is_here(_host(e.get(BASE_URL, ""))),  # noqa: S104
        "Airflow listens on all addresses, unencrypted, beside the proxy. Set 127.0.0.1, or close its port to others",
        is_error=False,
    ),
    _Rule(
        ("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",),
        lambda e: _is_on(e, "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"),
        "nothing is polled until somebody switches each DAG on. Set false",
        is_error=False,
    ),
    _Rule(
        ("AIRFLOW__CORE__LOAD_EXAMPLES",),
        lambda e: _is_on(e, "AIRFLOW__CORE__LOAD_EXAMPLES"),
        "Airflow's examples would stand among the DAGs. Set false",
        is_error=False,
    ),
    _Rule(
        (PARALLELISM,),
        _few_places,
        f"pulls of slow publishers could take the places of matching and mails. Set {_LEAST_PLACES} or more",
        is_error=False,
    ),
    _Rule(
        ("AIRFLOW__FAB__CONFIG_FILE",),
        lambda e: e.get(AUTH_MANAGER) == FAB and not e.get("AIRFLOW__FAB__CONFIG_FILE"),
        f"nobody reads the variables {PREFIX}… without it. Name web/webserver_config.py among the packages",
    ),
)
