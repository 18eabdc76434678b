"""Logging in by an identity provider and by a directory: Airflow's FAB auth manager, the News page, real servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from elasticsearch import Elasticsearch
from joserfc.jwk import RSAKey

import web
from embedded import airflow as embedded_airflow
from embedded.processes import end_group, free_port
from newswatch.settings import Settings
from newswatch.sign_on import FAB
from store.indices.setup import set_up
from store.names import Names
from tests.web.sso.directory import BASE, Directory, directory, missing, password_of
from tests.web.sso.provider import CLIENT, SECRET, Provider, provider
from tests.web.test_airflow import await_server

pytestmark = pytest.mark.slow

PREFIX = "sso-test-"
GROUPS = {"SSO_ANALYSTS": "readers", "SSO_EDITORS": "writers", "SSO_OPERATORS": "runners"}
SEEN = {"ann": (200, 403, 403), "ed": (200, 200, 403), "op": (200, 200, 404), "guest": (403, 403, 403)}
"""Person → what the situation, the form of a new feed and a caught mail (there is none) answer."""
PATHS = ("/news/situation", "/news/feeds/new", "/news/mails/none")


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with Airflow's database, for one web server after another."""

    settings: Settings

    def environment(self, port: int) -> dict[str, str]:
        """The variables of a web server but for the log-in."""
        folder = self.settings.data_dir
        stated = embedded_airflow.environment(self.settings, port=port, log_dir=folder / "logs")
        config = str(Path(web.__path__[0]) / "webserver_config.py")
        fab = {"AIRFLOW__CORE__AUTH_MANAGER": FAB, "AIRFLOW__FAB__CONFIG_FILE": config}
        # The tests log in more often than a person would, and at once after a change of groups.
        fab |= {"AIRFLOW__FAB__AUTH_RATE_LIMITED": "False", "AIRFLOW__FAB__CACHE_TTL": "0"}
        return {**os.environ, **stated, **fab}


@pytest.fixture(scope="module")
def installed(
    es: Elasticsearch, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("sso")
    here = Installation(Settings(data_dir=folder, elasticsearch_url=elasticsearch_url, index_prefix=PREFIX))
    set_up(es, Names(PREFIX), here.settings)
    with (folder / "migrate.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, env=here.environment(free_port()), stdout=log, stderr=log, check=True)
    yield here
    es.indices.delete(index=[*es.indices.get(index=f"{PREFIX}*", features="settings")])
    es.indices.delete_index_template(name=Names(PREFIX).articles)


@contextmanager
def served(installed: Installation, variables: dict[str, str]) -> Iterator[str]:
    """The address of Airflow's web server with these variables."""
    port, log_file = free_port(), installed.settings.data_dir / f"{variables['SSO_KIND']}.log"
    environment = installed.environment(port) | variables
    with log_file.open("wb") as log:
        command = [sys.executable, "-m", "airflow", "api-server"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        await_server(process, url, log_file)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        end_group(process.pid)


@pytest.fixture(scope="module")
def idp() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture(scope="module")
def by_provider(installed: Installation, idp: Provider) -> Iterator[str]:
    named = {"SSO_KIND": "oidc", "SSO_ISSUER": idp.url, "SSO_CLIENT_ID": CLIENT, "SSO_CLIENT_SECRET": SECRET}
    with served(installed, named | GROUPS) as url:
        yield url


def claims_of(name: str) -> dict[str, object]:
    group = {"ann": "readers", "ed": "writers", "op": "runners"}.get(name, "others")
    return {"sub": f"1-{name}", "preferred_username": name, "email": f"{name}@ministry.example", "groups": [group]}


def seen(url: str, idp: Provider, name: str) -> tuple[int, ...]:
    idp.claims = claims_of(name)
    with httpx.Client(base_url=url, timeout=60) as browser:
        browser.get("/auth/login/sso", follow_redirects=True)
        return tuple(browser.get(path).status_code for path in PATHS)


def test_groups_of_a_provider_are_roles_on_the_news_page(by_provider: str, idp: Provider) -> None:
    assert {name: seen(by_provider, idp, name) for name in SEEN} == SEEN


def test_groups_are_read_at_every_log_in(by_provider: str, idp: Provider) -> None:
    idp.claims = claims_of("op") | {"sub": "1-bob", "preferred_username": "bob", "email": "bob@ministry.example"}
    with httpx.Client(base_url=by_provider, timeout=60) as browser:
        browser.get("/auth/login/sso", follow_redirects=True)
        assert browser.get("/news/feeds/new").status_code == 200
    idp.claims["groups"] = []
    with httpx.Client(base_url=by_provider, timeout=60) as browser:
        browser.get("/auth/login/sso", follow_redirects=True)
        assert browser.get("/news/situation").status_code == 403


def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(by_provider: str, idp: Provider) -> None:
    idp.signs_with = RSAKey.generate_key(2048)
    forged = seen(by_provider, idp, "op")
    idp.signs_with, idp.told = None, claims_of("op") | {"sub": "somebody else"}
    others = seen(by_provider, idp, "op")
    idp.told = {}
    assert {forged, others} == {(303, 303, 303)}, "sent to the log-in"


@pytest.fixture(scope="module")
def by_directory(installed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("ldap", reason="python-ldap is not here (`uv pip install newswatch[ldap]`)")
    if parts := missing():
        pytest.skip(f"not here for a directory: {parts}")
    with directory(tmp_path_factory.mktemp("ldap")) as ldap, served(installed, _asks(ldap)) as url:
        yield url


def _asks(ldap: Directory) -> dict[str, str]:
    return {
        "SSO_KIND": "ldap",
        "SSO_LDAP_URL": ldap.url,
        "SSO_LDAP_SEARCH": f"ou=people,{BASE}",
        "SSO_LDAP_BIND_DN": f"cn=reader,{BASE}",
        "SSO_LDAP_BIND_PASSWORD": "reading",
        **{name: f"CN={group}, ou=Groups,{BASE}" for name, group in GROUPS.items()},
    }


def in_directory(url: str, name: str, password: str) -> tuple[int, ...]:
    with httpx.Client(base_url=url, timeout=60, follow_redirects=True) as browser:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/auth/login/").text)
        assert token
        browser.post("/auth/login/", data={"username": name, "password": password, "csrf_token": token[1]})
        return tuple(browser.get(path, follow_redirects=False).status_code for path in PATHS)


def test_groups_of_a_directory_are_roles_on_the_news_page(by_directory: str) -> None:
    found = {name: in_directory(by_directory, name, password_of(name)) for name in SEEN}
    assert found == SEEN
    shouted = in_directory(by_directory, "OP ", password_of("op"))
    assert shouted == SEEN["op"], "the same person, not a second one"
    outside = (303, 303, 303)
    assert in_directory(by_directory, "op", "wrong") == outside
    assert in_directory(by_directory, "*", password_of("op")) == outside
    empty = httpx.post(f"{by_directory}/auth/token", json={"username": "op", "password": ""}, timeout=60)
    assert empty.status_code in (400, 401), "a bind without a password is no log-in"
