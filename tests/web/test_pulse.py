"""What is wrong, on every page and for machines: the banner, `/health`, `/metrics`; with readings that a test sets."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr, ValidationError

from newswatch.errors import StoreError
from newswatch.pulse import JobPulse
from newswatch.settings import Settings
from newswatch.topics import Topics
from observe.condition import Condition, Severity
from observe.health import KINDS
from observe.metrics import Reading
from observe.pulse import FailingSearch, FileState, Pulse, Storage
from store.elastic.faults import REFUSALS
from tests.factories import NOW
from tests.web.conftest import Page, Visitor
from web import pulse_now
from web.app import create_app
from web.pulse_now import PulseNow, read_now
from web.render import since, with_code
from web.security import Role

TOKEN = "sixteen-or-more-characters"
NETWORK = Condition(
    "network",
    Severity.CRITICAL,
    "None of 309 feeds can be reached: `resolv.conf` is <empty>.",
    "Check the network, then run `newswatch poll`.",
    NOW - timedelta(minutes=50),
)
SEARCH = Condition("search:nato-secret-name", Severity.WARNING, 'The saved search "x" fails.', "Open it and save it.")
FILE = Condition("configuration:feeds.yaml", Severity.WARNING, "feeds.yaml:3 is wrong.", "Correct it.", NOW)


class Office:
    """The app over a context without Elasticsearch, and a reading that a test sets."""

    def __init__(self, **settings: Any) -> None:
        self.reading = Reading(Pulse(NOW))
        self.visitor = Visitor()
        self.error: Exception | None = None
        self.looks = 0
        stated = {"secret_key": SecretStr("for tests"), "metrics_token": SecretStr(TOKEN)} | settings
        names = SimpleNamespace(shown_topics=Topics, readers="readers")
        self.context: Any = SimpleNamespace(settings=Settings(**stated), names=names, es=_Away(), clock=lambda: NOW)
        app = FastAPI()
        app.mount("/news", create_app(self.opened, self.visitor.access(), read=self.read))
        self.client = TestClient(app, follow_redirects=False)

    def opened(self) -> Any:
        if self.error:
            raise self.error
        return self.context

    def read(self, _: object) -> Reading:
        self.looks += 1
        return self.reading

    def wrong(self, *conditions: Condition) -> None:
        self.reading = replace(self.reading, conditions=conditions)

    def banner(self, path: str = "/news/problems?offset=-1") -> str:
        """The banner's HTML; empty if there is none. A page that refuses its address asks Elasticsearch nothing."""
        answer = self.client.get(path)
        assert answer.status_code == 400
        found = re.search(r'<div class="banner.*?(?=<main)', answer.text, re.DOTALL)
        return found[0] if found else ""

    def metrics(self, **headers: str) -> Any:
        return self.client.get("/news/metrics", headers=headers)


class _Away:
    """An Elasticsearch that nobody can reach."""

    def __getattr__(self, name: str) -> NoReturn:
        raise REFUSALS[-1]("away")


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(pulse_now, "READ_FOR_S", -1)  # each page reads anew
    return Office()


# ── the banner ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_says_nothing_while_all_is_well(office: Office) -> None:
    assert office.banner() == ""


def test_a_page_says_what_is_wrong_since_when_and_what_to_do(office: Office) -> None:
    office.wrong(NETWORK)
    html = office.banner()
    assert 'class="banner critical" role="alert"' in html
    assert "None of 309 feeds can be reached: <code>resolv.conf</code> is &lt;empty&gt;." in html
    assert "then run <code>newswatch poll</code>" in html
    assert f'<time datetime="{NETWORK.since.isoformat()}"' in html  # type: ignore[union-attr]
    assert "since 04:16 UTC, for 50 min" in re.sub("<.*?>", "", html)
    assert "<details>" not in html


def test_the_worst_is_shown_and_the_others_are_folded(office: Office) -> None:
    office.wrong(FILE, SEARCH, NETWORK)
    html = office.banner()
    shown, _, folded = html.partition("<details>")
    assert "309 feeds" in shown
    assert "feeds.yaml" not in shown
    assert "<summary>2 more</summary>" in folded
    assert folded.index("feeds.yaml:3") < folded.index("saved search")
    office.wrong(SEARCH)
    assert 'class="banner warning" role="status"' in office.banner()


def test_who_may_change_nothing_is_told_but_not_what_to_do(office: Office) -> None:
    office.wrong(NETWORK)
    office.visitor.role = Role.ANALYST
    html = office.banner()
    assert "None of 309 feeds" in html
    assert "newswatch poll" not in html
    assert "Those who run newswatch see here what to do." in html


def test_who_is_not_logged_in_is_told_nothing(office: Office) -> None:
    office.wrong(NETWORK)
    office.visitor.reads = False
    answer = office.client.get("/news/searches")
    assert answer.status_code == 303
    assert "309" not in answer.text


def test_a_pulse_that_cannot_be_read_is_said_and_breaks_no_page(office: Office) -> None:
    for error in (StoreError("http://elastic:s3cret@es:9200 is away"), ZeroDivisionError("s3cret")):
        office.reading = error  # type: ignore[assignment]
        app = create_app(office.opened, office.visitor.access(), read=_raising(error))
        answer = TestClient(app).get("/problems?offset=-1")
        assert answer.status_code == 400
        assert "Whether all is well can&#39;t be told" in answer.text
        assert "s3cret" not in answer.text


def _raising(error: Exception) -> Callable[[object], NoReturn]:
    def read(_: object) -> NoReturn:
        raise error

    return read


def test_dates_of_other_days_are_named() -> None:
    told = [str(since(NOW + moved, NOW)) for moved in (timedelta(hours=-30), timedelta(seconds=3))]
    assert [re.sub("<.*?>", "", each) for each in told] == [
        "since 2 Mar, 23:06 UTC, for 1 d",
        "since 05:06 UTC, for 0 s",
    ]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("run `a <b>` now", "run <code>a &lt;b&gt;</code> now"),
        ("`a` and `b`", "<code>a</code> and <code>b</code>"),
        ("a ` alone <b>", "a ` alone &lt;b&gt;"),
        ("", ""),
    ],
)
def test_commands_look_like_commands(text: str, html: str) -> None:
    assert with_code(text) == html


# ── reading it costs pages little ────────────────────────────────────────────────────────────────────────────────────


def test_pages_share_a_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    for _ in range(5):
        office.banner()
        office.client.get("/news/health")
    assert office.looks == 1
    monkeypatch.setattr(pulse_now, "READ_FOR_S", -1)
    office.banner()
    assert office.looks == 2


def test_a_reading_that_hangs_delays_one_page_and_only_for_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_now, "PATIENCE_S", 0.2)
    monkeypatch.setattr(pulse_now, "READ_FOR_S", -1)
    answered, begun, ended = threading.Event(), [], []
    well = Reading(Pulse(NOW))

    def read(_: object) -> Reading:
        begun.append(1)
        if len(begun) > 1:
            answered.wait(60)
        ended.append(1)
        return well

    pulse = PulseNow(read)
    context: Any = None
    assert pulse.now(context) is well
    assert pulse.now(context) is well, "the last one is young enough"
    assert len(ended) == 1, "it was not waited for"
    monkeypatch.setattr(pulse_now, "PATIENCE_S", 120)
    for _ in range(50):
        assert pulse.now(context) is well
        assert len(ended) == 1, "nobody else waits for it"
    assert len(begun) == 2, "and no other is begun"
    monkeypatch.setattr(pulse_now, "STALE_S", -1)
    (condition,) = pulse.now(context).conditions
    assert "answers too slowly" in condition.sentence
    assert pulse.now(context).conditions[0].since == condition.since
    answered.set()
    while not pulse._given_up or not pulse._given_up.done():
        time.sleep(0.01)
    assert pulse.now(context) is well


# ── /health ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_probe_needs_no_log_in_and_sees_states_only(office: Office) -> None:
    office.visitor.reads = False
    answer = office.client.get("/news/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert answer.json()["checks"] == dict.fromkeys(KINDS, "ok")
    office.wrong(SEARCH, FILE)
    answer = office.client.get("/news/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "warning")
    office.wrong(SEARCH, FILE, NETWORK)
    answer = office.client.get("/news/health")
    assert (answer.status_code, answer.json()["status"]) == (503, "critical")
    checks = answer.json()["checks"]
    assert (checks["search"], checks["configuration"], checks["network"], checks["disk"]) == (
        "warning",
        "warning",
        "critical",
        "ok",
    )
    assert not re.search(r"nato|feeds\.yaml|309", answer.text), "neither names nor numbers"
    assert answer.headers["cache-control"] == "no-store"
    assert office.client.head("/news/health").status_code == 503


def test_one_kind_has_the_worst_of_its_states(office: Office) -> None:
    critical = replace(FILE, id="configuration:alerts.yaml", severity=Severity.CRITICAL)
    for pair in ((FILE, critical), (critical, FILE)):
        office.wrong(*pair)
        assert office.client.get("/news/health").json()["checks"]["configuration"] == "critical"


def test_a_probe_is_answered_while_elasticsearch_is_away(office: Office) -> None:
    office.error = StoreError("Elasticsearch at http://es:9200 is away")
    answer = office.client.get("/news/health")
    assert answer.status_code == 503
    assert answer.json()["checks"] == dict.fromkeys(KINDS, "unknown") | {"elasticsearch": "critical"}
    assert "9200" not in answer.text


def test_a_probe_is_not_told_that_all_is_well_while_nothing_can_be_noted(office: Office) -> None:
    office.reading = Reading(Pulse(NOW, storage=Storage(read_only=("pulse",), takes_notes=False)))
    office.wrong(replace(NETWORK, id="disk"), replace(FILE, id="certificate:a.example"))
    checks = office.client.get("/news/health").json()["checks"]
    known = {"elasticsearch": "ok", "disk": "critical", "certificate": "warning"}
    assert checks == dict.fromkeys(KINDS, "unknown") | known


# ── /metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_metrics_need_the_token_or_a_log_in(office: Office) -> None:
    assert office.metrics().status_code == 200, "who may read the page"
    office.visitor.reads = False
    assert office.metrics(Authorization=f"Bearer {TOKEN}").status_code == 200
    assert office.metrics(Authorization=f"bearer {TOKEN}").status_code == 200
    for wrong in ("", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"):
        answer = office.client.get("/news/metrics", headers={"Authorization": wrong.encode("latin-1")})
        assert answer.status_code == 401, wrong
        assert "newswatch_" not in answer.text
    browser = office.metrics(Accept="text/html")
    assert browser.status_code == 303
    assert browser.headers["location"].startswith("/auth/login")


def test_without_a_token_none_admits() -> None:
    office = Office(metrics_token=None)
    office.visitor.reads = False
    for given in ("", "None", "x"):
        assert office.metrics(Authorization=f"Bearer {given}").status_code == 401


def test_the_token_opens_nothing_else(office: Office) -> None:
    office.visitor.reads = False
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}
    for path in ("/news/", "/news/searches", "/news/problems"):
        assert office.client.get(path, headers=headers).status_code == 401


def test_a_short_token_is_refused_and_an_empty_one_is_none() -> None:
    with pytest.raises(ValidationError, match="metrics_token") as error:
        Settings(metrics_token=SecretStr("short"))
    assert "short'" not in str(error.value)
    assert Settings(metrics_token="").metrics_token is None  # type: ignore[arg-type]


def test_metrics_in_both_formats(office: Office) -> None:
    office.reading = Reading(
        Pulse(
            NOW,
            jobs={"pull": JobPulse("pull", totals={"runs": 4, "new": 3, "failed": 5, "offline": 2})},
            files=(FileState("feeds.yaml", NOW, "line 3"),),
            failing_searches=(FailingSearch("a", "A"),),
        ),
        (NETWORK,),
    )
    plain = office.metrics()
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(plain.text)
        for sample in family.samples
    }
    assert found["newswatch_articles_total", "new"] == 3
    assert found["newswatch_feed_poll_failures_total", "publisher"] == 3
    assert found["newswatch_feed_poll_failures_total", "network"] == 2
    assert found["newswatch_job_runs_total", "pull"] == 4
    assert found["newswatch_condition", "network", "critical"] == 1
    assert found["newswatch_configuration_valid", "feeds.yaml"] == 0
    assert found["newswatch_configuration_valid", "alerts.yaml"] == 1
    modern = office.metrics(Accept="application/openmetrics-text; version=1.0.0, text/plain;q=0.5")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert {family.name for family in openmetrics(modern.text)} >= {"newswatch_articles", "newswatch_up"}  # type: ignore[no-untyped-call]


def test_metrics_while_elasticsearch_is_away(office: Office) -> None:
    office.error = StoreError("away")
    body = office.metrics().text
    assert "newswatch_up 0.0" in body
    assert 'newswatch_condition{id="elasticsearch",severity="critical"} 1.0' in body
    assert "newswatch_feeds" not in body


# ── on a real Elasticsearch ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_real_installation_is_read(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse_now, "PATIENCE_S", 60)  # other tests may keep the machine busy
    page.context.es.indices.refresh(index=page.context.names.feeds)  # a reading is as of the last refresh
    read = read_now(page.context)
    assert read.pulse is not None
    assert read.pulse.reach.enabled == 2
    client = TestClient(page.app)
    assert client.get("/news/health").json()["checks"]["elasticsearch"] == "ok"
    body = client.get("/news/metrics").text
    assert 'newswatch_feeds{state="new"} 2.0' in body
    assert "newswatch_up 1.0" in body
