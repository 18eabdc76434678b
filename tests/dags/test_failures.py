"""Airflow's callbacks, with what Airflow gives them, into the real pulse."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from cli.check import look
from newswatch.errors import ConfigError
from newswatch.pulse import LATE, JobPulse
from newswatch.settings import Settings
from newswatch.settings_in_part import settings_in_part
from store.names import Names
from store.pulse import PulseStore
from tests.factories import NOW

pytestmark = pytest.mark.slow

TIMED_OUT = TimeoutError("Timeout, PID: 7")


@pytest.fixture
def settings(names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(elasticsearch_url=elasticsearch_url, index_prefix=names.pulse.removesuffix("pulse"))
    monkeypatch.setattr("dags.connections.airflow_settings", lambda: settings)
    return settings


@pytest.fixture
def pulse(es: Elasticsearch, names: Names, settings: Settings) -> Any:
    def of(job: str) -> JobPulse:
        es.indices.refresh(index=names.pulse)
        return PulseStore(es, names).read().get(job, JobPulse(job))

    return of


def attempt(task_id: str) -> SimpleNamespace:
    return SimpleNamespace(task_id=task_id, start_date=NOW, try_number=3, hostname="worker-1")


def test_a_task_that_timed_out_is_a_failure_of_its_job(pulse: Any) -> None:
    from dags.failures import task_failed

    task_failed({"ti": attempt("match"), "exception": TIMED_OUT})
    assert pulse("match").why == "The task match has failed: TimeoutError: Timeout, PID: 7"
    assert (pulse("match").failures, pulse("match").host) == (3, "worker-1")


@pytest.fixture
def worker(names: Names, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A worker's environment, in which the test sets something wrong; Airflow has no connections of ours."""
    from airflow.sdk.exceptions import AirflowNotFoundException  # a second, for who only collects tests

    def none(_: str) -> None:
        raise AirflowNotFoundException("none")

    monkeypatch.setattr("dags.connections.Connection", SimpleNamespace(get=none))
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("NEWSWATCH_INDEX_PREFIX", names.prefix)
    return monkeypatch


def test_a_wrong_setting_that_stops_a_task_is_recorded_and_named(
    es: Elasticsearch, names: Names, worker: pytest.MonkeyPatch
) -> None:
    from dags.failures import task_failed
    from dags.tasks import task_context

    worker.setenv("NEWSWATCH_NUMBER_OF_REPLICAS", "many")
    worker.setenv("NEWSWATCH_SMTP_PORT", "abc")
    with pytest.raises(ConfigError, match=r"^NEWSWATCH_NUMBER_OF_REPLICAS: ") as error:
        task_context()
    task_failed({"ti": attempt("plan"), "exception": error.value})
    assert (
        PulseStore(es, names)
        .change("plan", lambda was: was)
        .why.startswith("The task plan has failed: NEWSWATCH_NUMBER_OF_REPLICAS: ")
    )
    es.indices.refresh(index=names.pulse)
    pulse, found = look(settings_in_part(number_of_replicas=0, smtp_port=1025))
    told = {condition.id: condition for condition in found}
    assert told["configuration:settings"].severity == "critical"
    assert "NEWSWATCH_SMTP_PORT: " in told["configuration:settings"].sentence
    assert "polling" not in told, "it is one fault, told once"
    assert pulse.jobs["plan"].failures == 3


def test_a_worker_that_does_not_know_where_its_indices_are_writes_nowhere(worker: pytest.MonkeyPatch) -> None:
    from dags.failures import task_failed
    from dags.tasks import task_context

    worker.setenv("NEWSWATCH_INDEX_PREFIX", "Desk*")
    for attempted in (task_context, lambda: task_failed({"ti": attempt("plan"), "exception": TIMED_OUT})):
        with pytest.raises(ConfigError, match=r"^NEWSWATCH_INDEX_PREFIX: "):
            attempted()


def test_a_task_that_is_no_job_counts_for_the_job_it_belongs_to(pulse: Any) -> None:
    from dags.failures import task_failed

    task_failed({"ti": attempt("slices"), "exception": TIMED_OUT})
    assert pulse("retag").failures == 3


def test_a_run_that_died_without_a_word_is_a_failure_unless_its_task_told(pulse: Any) -> None:
    from dags.failures import run_failed, task_failed

    run = SimpleNamespace(start_date=NOW)
    killed = SimpleNamespace(task_id="pull")
    run_failed({"dag": SimpleNamespace(dag_id="poll_feeds"), "ti": killed, "dag_run": run, "reason": "task_failure"})
    assert pulse("pull").why.startswith("A run of poll_feeds has failed without an error")
    task_failed({"ti": attempt("deliver"), "exception": TIMED_OUT})
    told = SimpleNamespace(task_id="deliver")
    run_failed({"dag": SimpleNamespace(dag_id="deliver_mails"), "ti": told, "dag_run": run})
    assert (pulse("deliver").failures, pulse("deliver").why[:8]) == (3, "The task")


def test_a_run_without_a_task_counts_for_the_dags_first_job(pulse: Any) -> None:
    from dags.failures import run_failed

    run_failed({"dag": SimpleNamespace(dag_id="poll_feeds")})
    assert pulse("plan").failures == 1


def test_a_run_that_hung_says_so(pulse: Any) -> None:
    from dags.failures import run_failed

    run_failed({"dag": SimpleNamespace(dag_id="match_alerts"), "reason": "timed_out"})
    assert pulse("match").why == "A run of match_alerts hung and was given up"


@pytest.mark.parametrize(
    ("ended", "why"),
    [(None, "A run of match_alerts has not ended within 2 minutes; it is running"), (NOW.isoformat(), None)],
)
def test_only_a_run_that_has_not_ended_is_late(pulse: Any, ended: str | None, why: str | None) -> None:
    from dags.deadlines import run_late

    run = {"end_date": ended, "state": "running", "queued_at": (NOW - timedelta(minutes=2)).isoformat()}
    asyncio.run(run_late("match_alerts", "match", 2, context={"dag_run": run}))
    assert pulse("match").reasons.get(LATE) == why


def test_a_dag_file_of_ours_that_cannot_be_imported_is_a_failure(pulse: Any) -> None:
    import dags.match_alerts
    from dags.import_errors import MOST, on_existing_dag_import_error, on_new_dag_import_error

    trace = "Traceback (most recent call last):\n  …\nSyntaxError: invalid syntax\n"
    for hook in (on_new_dag_import_error, on_existing_dag_import_error):
        hook(dags.match_alerts.__file__, trace)
        wait_for_threads()
    hook("/elsewhere/poll_feeds.py", trace)
    wait_for_threads()
    assert pulse("match").why.endswith(
        "match_alerts.py can't be imported, so nothing in it runs: SyntaxError: invalid syntax"
    )
    assert pulse("match").failures == MOST
    assert pulse("plan").failures == 0


def wait_for_threads() -> None:
    for thread in threading.enumerate():
        if "(record)" in thread.name:
            thread.join(20)


def test_without_elasticsearch_an_unreadable_file_is_logged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import dags.match_alerts
    from dags.import_errors import record

    away = settings.model_copy(update={"elasticsearch_url": "http://127.0.0.1:9"})
    monkeypatch.setattr("dags.connections.airflow_settings", lambda: away)
    record(dags.match_alerts.__file__, "SyntaxError: invalid syntax")
    assert "match_alerts.py can't be imported (SyntaxError: invalid syntax)" in caplog.text
