"""Checks everything that users configure at once: the settings, the three files, and the languages' own files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError

from delivery.channels import registry as channels
from ingest.feed_list.feeds import load_feeds
from jobs.configuration import read_saved_searches
from newswatch.airflow_faults import airflow_faults, is_meant
from newswatch.compose_faults import compose_faults, interpolated
from newswatch.config import Source
from newswatch.errors import ConfigError, MissingIndexError, NewswatchError
from newswatch.language_files import folders, language_faults
from newswatch.setting_faults import Finding, disagreements, mistyped
from newswatch.settings import PREFIX, Settings, default_config_dir
from newswatch.wording import worded
from store.configuration import ALERTS, FEEDS, TAXONOMY, ConfigurationStore
from store.elastic.client import connect
from store.elastic.faults import REFUSALS
from store.names import Names
from transforms.taxonomy import load_taxonomy
from transforms.taxonomy_check import check_taxonomy

_ASKED_S = 3
"""Seconds for asking Elasticsearch, without which all else can be checked."""


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing that is wrong."""

    where: str
    """A variable, or a file with its line: "config/feeds.yaml:3"."""
    message: str
    is_error: bool = True
    """False: it works, but hardly as intended."""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """What was checked, and every fault, errors first."""

    checked: tuple[str, ...]
    """What was looked at, with what it holds: "config/feeds.yaml: 309 feeds"."""
    faults: tuple[ConfigFault, ...]
    asked: bool
    """Whether Elasticsearch could be asked about its nodes and about other machines."""

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings are none."""
        return not any(fault.is_error for fault in self.faults)


def check_everything(environment: Mapping[str, str] = os.environ, *, compose: Path | None = None) -> ConfigReport:
    """Check the settings in the environment, the files that they name, and what other machines have found.

    `compose` is the .env of docker-compose.yml, which is then checked too.

    It raises nothing for what is wrong: that is the result.
    """
    settings, faults = _settings(environment)
    checked = [f"settings: {sum(name.upper().startswith(PREFIX) for name in environment)} variables"]
    folder = settings.config_dir if settings else _folder(environment)
    for name, read in _READERS.items():
        held, found = read(folder / name)
        checked.append(f"{folder / name}: {held}")
        faults += found
    checked += [f"{own}: {len([*own.glob('*.yaml')])} languages" for own in folders()]
    faults += [each for error in language_faults(*folders()) for each in _faults_of(error)]
    nodes, elsewhere = _asked(settings) if settings else (None, [])
    agree = disagreements(settings, nodes=nodes) if settings else ()
    faults += map(_fault, agree)
    if compose:
        checked.append(f"{compose}: for docker-compose.yml")
        faults += _compose_faults(compose, folder)
    elif is_meant(environment):
        checked.append(f"Airflow: {sum(name.startswith('AIRFLOW__') for name in environment)} variables")
        faults += [*map(_fault, airflow_faults(environment)), *_folders_of_airflow(environment)]
    # A wrong language is met by whoever reads the taxonomy, too.
    unique = sorted(dict.fromkeys(faults + elsewhere), key=lambda fault: not fault.is_error)
    return ConfigReport(tuple(checked), tuple(unique), asked=nodes is not None)


def _folder(environment: Mapping[str, str]) -> Path:
    stated = environment.get(f"{PREFIX}CONFIG_DIR")
    return Path(stated) if stated else default_config_dir()


# ── the settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(environment: Mapping[str, str]) -> tuple[Settings | None, list[ConfigFault]]:
    """The settings; None if a value is wrong."""
    faults = [*map(_fault, mistyped(environment))]
    try:
        settings = Settings()
        channels.check(settings)
    except ValidationError as error:
        return None, faults + [ConfigFault(_variable(f["loc"]), worded(f)) for f in error.errors(include_url=False)]
    except NewswatchError as error:
        where, _, message = str(error).partition(": ")
        faults.append(ConfigFault(where, message))
    return settings, faults


def _folders_of_airflow(environment: Mapping[str, str]) -> Iterator[ConfigFault]:
    """What of ours an Airflow of one's own would not find."""
    dags, users = "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__FAB__CONFIG_FILE"
    folder = Path(environment.get(dags) or Path(environment.get("AIRFLOW_HOME", "~/airflow"), "dags")).expanduser()
    bundles = environment.get("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST")
    if not bundles and not (folder / "poll_feeds.py").is_file():
        yield ConfigFault(dags, "newswatch's DAGs are not there: nothing would run. Name the installed folder `dags`")
    for name in (users, "SSO_CA_CERTS"):
        if environment.get(name) and not os.access(environment[name], os.R_OK):
            yield ConfigFault(name, "there is no such file on this machine, or this user may not read it")


def _compose_faults(path: Path, folder: Path) -> Iterator[ConfigFault]:
    """What is wrong with a .env, and whether the containers can read the configuration."""
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        given = {name: value or "" for name, value in dotenv_values(path, interpolate=False).items()}
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        yield ConfigFault(str(path), f"it can't be read: {why}. Name the .env beside docker-compose.yml")
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield ConfigFault(str(path), "others can read its secrets. chmod 600 mends it", is_error=False)
    yield from map(_fault, (*interpolated(text), *compose_faults(given)))
    uid = given.get("CONTAINER_UID", "50000")
    unreadable = [name for name in _READERS if not _is_readable(folder / name, uid)]
    if unreadable:
        message = (
            f"user {uid} of the containers can't read {', '.join(unreadable)}. Set it to their owner, or chmod -R a+rX"
        )
        yield ConfigFault(f"CONTAINER_UID, {folder}", message)


def _is_readable(path: Path, uid: str) -> bool:
    """Whether a user in group 0 may read a file and search its folder."""
    for each, others in ((path.parent, stat.S_IXOTH), (path, stat.S_IROTH)):
        try:
            found = each.stat()
        except OSError:
            return True  # that it is missing is told by who reads it
        share = others << 6 if str(found.st_uid) == uid else others << 3 if found.st_gid == 0 else others
        if not found.st_mode & share:
            return False
    return True


def _fault(finding: Finding) -> ConfigFault:
    return ConfigFault(", ".join(finding.variables), finding.message, finding.is_error)


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + ".".join(map(str, location)).upper() if location else "settings"


def _asked(settings: Settings) -> tuple[int | None, list[ConfigFault]]:
    """The number of Elasticsearch's data nodes, and what is wrong on other machines; None: it does not answer."""
    try:
        es = connect(settings).options(request_timeout=_ASKED_S, max_retries=0)
    except NewswatchError as error:
        where, _, message = str(error).partition(": ")
        return None, [ConfigFault(where, message)]
    try:
        nodes = int(es.cluster.health()["number_of_data_nodes"])
        return nodes, _elsewhere(ConfigurationStore(es, Names.of(settings)))
    except (NewswatchError, *REFUSALS):
        return None, []
    finally:
        es.close()


def _elsewhere(store: ConfigurationStore) -> list[ConfigFault]:
    """What is wrong on other machines; nothing before the index is there (`newswatch index setup`)."""
    try:
        states = store.states()
    except MissingIndexError:
        return []
    except REFUSALS as error:
        if getattr(error, "status_code", None) != HTTPStatus.NOT_FOUND:
            raise
        return []
    return [ConfigFault(f"in force: {s.name}", s.why, is_error=False) for s in states if s.wrong_since]


# ── the files ────────────────────────────────────────────────────────────────────────────────────────────────────────

_Read = tuple[str, list[ConfigFault]]
"""What a file holds, in words, and its faults."""


def _faults_of(error: ConfigError) -> Iterator[ConfigFault]:
    for line, message in error.faults:
        yield ConfigFault(f"{error.path}:{line}" if line else error.path, message)


def _feeds(source: Source) -> _Read:
    try:
        return f"{len(load_feeds(source))} feeds", []
    except ConfigError as error:
        return "wrong", [*_faults_of(error)]


def _alerts(source: Source) -> _Read:
    try:
        searches, faults = read_saved_searches(source)
    except ConfigError as error:
        return "wrong", [*_faults_of(error)]
    return f"{len(searches)} saved searches", [each for fault in faults for each in _faults_of(fault.error)]


def _taxonomy(source: Source) -> _Read:
    try:
        taxonomy = load_taxonomy(source)
    except ConfigError as error:
        return "wrong", [*_faults_of(error)]
    findings = [
        ConfigFault(f"{source}: {found.place}", f"{found.kind} {found.form!r}: {found.message}", is_error=False)
        for found in check_taxonomy(taxonomy)
    ]
    return f"version {taxonomy.version}, {len(taxonomy.topics)} topics", findings


_READERS = {FEEDS: _feeds, ALERTS: _alerts, TAXONOMY: _taxonomy}
