"""The News page inside the real Airflow: its log-in, its roles, its navigation."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Browser

from delivery.links import PATH
from embedded import airflow as embedded_airflow
from embedded.processes import end_group, free_port
from newswatch.clock import utc_now
from newswatch.pulse import JobPulse
from newswatch.settings import Settings, default_config_dir
from store.batches import BatchStore
from store.indices.setup import set_up
from store.names import Names
from store.pulse import PulseStore
from tests.newsstand import stock, stories
from tests.web.chromium import keep, needs_chromium
from tests.web.conftest import ALERTS, clock
from web.pulse_now import READ_FOR_S

pytestmark = pytest.mark.slow

USERS = "admin:admin,viewer:viewer"
METRICS_TOKEN = "scraped by Prometheus only"
START_S = 180
PREFIX = "airflow-test-"


@dataclass(frozen=True, slots=True)
class Server:
    """Airflow's web server with our plugin."""

    url: str
    passwords: Mapping[str, str]
    log: Path

    def client(self, user: str) -> httpx.Client:
        """A client that is logged in."""
        sent = {"username": user, "password": self.passwords[user]}
        token = httpx.post(f"{self.url}/auth/token", json=sent, timeout=60).json()["access_token"]
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.fixture(scope="module")
def server(es: Elasticsearch, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Only the web server and its database: who runs the DAGs makes no difference to a page."""
    folder, port = tmp_path_factory.mktemp("airflow"), free_port()
    (folder / "alerts.yaml").write_text(ALERTS)
    shutil.copy(default_config_dir() / "taxonomy.yaml", folder)  # without it, topics go by their ids
    settings = Settings(data_dir=folder, config_dir=folder, elasticsearch_url=elasticsearch_url, index_prefix=PREFIX)
    names = Names(settings.index_prefix)
    set_up(es, names, settings)
    stock(es, names, stories(), now=clock())
    batches = BatchStore(es, names)
    assert all(batches.mark_matched(waiting, now=clock()) for waiting in batches.waiting(now=clock()))
    stated = embedded_airflow.environment(settings, port=port, log_dir=folder / "logs")
    env = {**os.environ, **stated, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": USERS}
    # Nothing is there: as for tasks, Airflow's connection goes before the variable.
    env["NEWSWATCH_ELASTICSEARCH_URL"] = "http://127.0.0.1:9"
    env["NEWSWATCH_METRICS_TOKEN"] = METRICS_TOKEN
    command = [sys.executable, "-m", "airflow"]
    with (folder / "airflow.log").open("wb") as log:
        subprocess.run([*command, "db", "migrate"], env=env, stdout=log, stderr=log, check=True)
        process = subprocess.Popen([*command, "api-server"], env=env, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        await_server(process, url, folder / "airflow.log")
        passwords = json.loads(Path(env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).read_text())
        yield Server(url, passwords, folder / "airflow.log")
    finally:
        process.terminate()
        process.wait(30)
        end_group(process.pid)
        for index in es.indices.get(index=f"{settings.index_prefix}*", expand_wildcards="all", features="settings"):
            es.indices.delete(index=index)
        es.indices.delete_index_template(name=names.articles)


def await_server(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return once Airflow's web server answers."""
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/api/v2/monitor/health", timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    pytest.fail(f"Airflow's web server did not come up:\n{log.read_text()[-3000:]}")


def test_nobody_gets_in_without_airflows_log_in(server: Server) -> None:
    for path in ("/news/", "/news/searches", "/news/feeds", "/news/deliveries", "/news/export.csv"):
        answer = httpx.get(server.url + path, timeout=60)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/auth/login?next="), path
    assert httpx.post(f"{server.url}/news/searches/new", timeout=60).status_code == 401


def test_a_viewer_sees_and_does_not_change(server: Server) -> None:
    with server.client("viewer") as viewer:
        assert viewer.get("/news/?q=AWACS").status_code == 200
        form = viewer.get("/news/searches/new?q=AWACS").text
        assert "<fieldset disabled>" in form
        assert "NATO: main stories" in viewer.get("/news/searches").text
        token = re.search(r'name="csrf" value="([^"]+)"', form)
        assert token
        assert viewer.post("/news/searches/nato/mute", data={"csrf": token[1], "for": "1 day"}).status_code == 403


def test_who_may_edit_the_dag_may_change_what_it_mails(server: Server) -> None:
    with server.client("admin") as admin:
        assert "NATO: main stories" in admin.get("/news/searches").text
        token = re.search(r'name="csrf" value="([^"]+)"', admin.get("/news/searches/new").text)
        assert token
        assert admin.post("/news/searches/nato/mute", data={"csrf": token[1], "for": "1 day"}).status_code == 303
        assert "muted" in admin.get("/news/searches").text
        assert admin.post("/news/searches/nato/mute", data={"for": ""}).status_code == 403


def test_the_links_in_mails_are_answered_without_a_log_in(server: Server) -> None:
    answer = httpx.get(f"{server.url}{PATH}/forged", timeout=60)
    assert answer.status_code == 400
    assert "can't be used" in answer.text.replace("&#39;", "'")
    assert httpx.head(f"{server.url}{PATH}/forged", timeout=60).status_code == 400


def test_permissions_stand_in_no_log_of_airflow(server: Server) -> None:
    apps = (f"{PATH}/s3cret", "/newswatch/feeds/s3cret/atom", "/newswatch/hub/feed/s3cret")
    asked = ("/news/health?logged", *apps, "/news/story/x?k=s3cret&a=1", "/news/story/x?a=1&k=s3cret")
    for path in reversed(asked):
        httpx.get(f"{server.url}{path}", timeout=60)
    deadline = time.monotonic() + 20
    while "/news/health" not in (log := server.log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert "/news/health" in log, "requests are logged"
    assert "s3cret" not in log


def test_a_probe_needs_no_log_in(server: Server) -> None:
    answer = httpx.get(f"{server.url}/news/health", timeout=60)
    assert answer.status_code in (200, 503)
    told = answer.json()
    assert told["status"] in ("ok", "warning", "critical")
    assert told["checks"]["elasticsearch"] == "ok"
    assert httpx.head(f"{server.url}/news/health", timeout=60).status_code == answer.status_code


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_prometheus_reads_the_metrics_by_its_token(server: Server, scheme: str) -> None:
    answer = httpx.get(f"{server.url}/news/metrics", headers=_by(METRICS_TOKEN, scheme), timeout=60)
    assert answer.status_code == 200
    assert "newswatch_up 1.0" in answer.text


def test_the_metrics_are_shown_to_nobody_else(server: Server) -> None:
    path = f"{server.url}/news/metrics"
    for headers in ({}, _by("another token"), _by(""), {"Authorization": "Basic bmV3czp3YXRjaA=="}):
        answer = httpx.get(path, headers=headers, timeout=60)
        assert answer.status_code in (401, 403), "Airflow answers 403 to a bearer token that is not its own"
        assert "newswatch_" not in answer.text
    with server.client("viewer") as viewer:
        assert "newswatch_up 1.0" in viewer.get("/news/metrics").text


def test_the_metrics_token_opens_nothing_else(server: Server) -> None:
    for path in ("/news/", "/news/searches", "/api/v2/dags"):
        assert httpx.get(server.url + path, headers=_by(METRICS_TOKEN), timeout=60).status_code in (303, 401, 403), path


def _by(token: str, scheme: str = "Bearer") -> dict[str, str]:
    return {"Authorization": f"{scheme} {token}".strip()}


def test_a_page_says_what_is_wrong(server: Server, es: Elasticsearch) -> None:
    failing = JobPulse("upkeep", failures=3, failing_since=utc_now(), why="a month is <closed>")
    PulseStore(es, Names(PREFIX)).change("upkeep", lambda _: failing)
    es.indices.refresh(index=Names(PREFIX).pulse)
    deadline, banner = time.monotonic() + 3 * READ_FOR_S, ""
    with server.client("viewer") as viewer, server.client("admin") as admin:
        # Where nothing but the web server runs, other things are wrong too.
        while "a month is &lt;closed&gt;" not in banner and time.monotonic() < deadline:
            time.sleep(1)
            banner = _banner(viewer.get("/news/").text)
        assert "Old articles could not be removed: a month is &lt;closed&gt;." in banner, (
            "a reading is at most that old"
        )
        assert "It is tried again by itself" not in banner, "a viewer can do nothing about it"
        assert "It is tried again by itself" in _banner(admin.get("/news/").text)
    health = httpx.get(f"{server.url}/news/health", timeout=60).json()
    assert (health["checks"]["job"], "closed" in str(health)) == ("warning", False)
    PulseStore(es, Names(PREFIX)).change("upkeep", lambda _: replace(failing, failures=0, failing_since=None, why=""))


def _banner(page: str) -> str:
    """The banner of a page; empty if it has none."""
    found = re.search(r'<div class="banner .*?(?=<main)', page, re.DOTALL)
    return found[0] if found else ""


def test_every_process_loads_the_plugin_and_only_the_web_server_its_apps() -> None:
    code = "import sys, web.plugin; print([m for m in ('web.app', 'fastapi', 'elasticsearch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@needs_chromium
def test_from_airflows_navigation_to_a_result(server: Server, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    tab = context.new_page()
    tab.goto(f"{server.url}/news/?q=AWACS")
    tab.fill("input[name=username]", "admin")
    tab.fill("input[name=password]", server.passwords["admin"])
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/news/?q=AWACS", timeout=60_000)
    tab.goto(server.url)
    tab.get_by_role("link", name="News").click(timeout=60_000)
    frame = tab.frame_locator("iframe")
    frame.locator("html[data-settled]").wait_for()
    frame.locator("#q").fill("AWACS Daesh")
    frame.locator("#q").press("Enter")
    frame.locator("mark.q").first.wait_for()
    tab.wait_for_function("document.title.startsWith('AWACS Daesh')")
    keep(tab, "airflow")
    with context.expect_page():
        frame.locator(".hit-item a.out").first.click()
    context.close()
