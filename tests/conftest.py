"""Fixtures for every test: a real Elasticsearch node for the session, and the data that development measures on."""

from __future__ import annotations

import gc
import os
import secrets
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from elasticsearch import Elasticsearch
from hypothesis import HealthCheck, settings

from embedded.artefacts import class_path
from embedded.elasticsearch import start_elasticsearch
from newswatch.errors import StackError
from search.failures import Failures
from store.indices.analysis import analysis_settings
from store.names import Names
from tests.pristine import Pristine, remove
from transforms.encoder import Encoder, load, why_none

sys.dont_write_bytecode = os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is None and sys.dont_write_bytecode
"""Without bytecode each of the hundreds of processes that tests start compiles Airflow and all else for seconds."""

os.environ.setdefault("NEWSWATCH_VECTORS", "false")
"""A tenth of a second for each tagged article is too much for tests of other things; those of vectors say so."""

settings.register_profile("newswatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("newswatch")
"""Examples that are slow say that the machine is busy: what they may cost is bounded where it is tested."""

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def nothing_failed_before() -> Iterator[None]:
    """What a test made fail is no condition in the next ones of its process."""
    yield
    for name in ("search.missing", "search.meant"):
        if module := sys.modules.get(name):
            module._tally.failures = Failures()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """The same name for a test in every worker: packed bytes hold the second at which they were packed."""
    return argname if isinstance(val, bytes) and not (val.isascii() and val.decode().isprintable()) else None


LONG = (
    "tests/test_demo.py",
    "tests/benchmarks/evaluate/test_evaluation.py",
    "tests/jobs/test_blocked_indices.py",
    "tests/jobs/test_readers_told.py",
    "tests/web/test_browser.py",
    "tests/hostile/test_hostile_pages.py",
    "tests/delivery/test_crashes.py",
    "tests/hostile/test_nonsense_documents.py",
    "tests/search/test_ranking_quality.py",
    "tests/jobs/test_pull.py",
    "tests/web/test_airflow.py",
    "tests/observe/test_watch_for_real.py",
    "tests/embedded/test_artefacts.py",
    "tests/ingest/test_parse.py",
    "tests/hostile/test_hostile_mail.py",
    "tests/jobs/test_two_nodes.py",
    "tests/store/test_generations.py",
    "tests/hostile/test_hostile_forms.py",
    "tests/observe/test_outages_for_real.py",
    "tests/alerts/test_walls.py",
    "tests/jobs/test_store_killed.py",
    "tests/web/test_pages.py",
    "tests/jobs/test_fast.py",
    "tests/jobs/test_configuration.py",
    "tests/jobs/test_a_day.py",
    "tests/jobs/test_plan_walls.py",
    "tests/jobs/test_clocks.py",
    "tests/delivery/test_webhook_crashes.py",
    "tests/jobs/test_backup.py",
    "tests/jobs/test_worker_killed.py",
    "tests/delivery/test_deliver.py",
    "tests/cli/test_alerts.py",
    "tests/hostile/test_heavy_feeds.py",
    "tests/jobs/test_retag.py",
    "tests/jobs/test_fast_hubs.py",
    "tests/store/test_leases.py",
    "tests/web/test_desk_browser.py",
    "tests/jobs/test_importing.py",
    "tests/hostile/test_one_batch.py",
    "tests/ingest/test_workers.py",
    "tests/hostile/test_hostile_smtp.py",
    "tests/ingest/test_lists.py",
    "tests/jobs/test_identity.py",
    "tests/cli/test_configuration.py",
    "tests/web/test_banner_browser.py",
    "tests/jobs/test_crash.py",
    "tests/embedded/test_stack.py",
    "tests/store/test_client.py",
    "tests/jobs/test_uniting.py",
    "tests/search/test_similar.py",
    "tests/web/test_problems_browser.py",
    "tests/store/test_lean.py",
    "tests/kibana/test_load.py",
    "tests/jobs/test_pulse.py",
    "tests/dags/test_preload.py",
    "tests/test_pristine.py",
    "tests/web/test_search_browser.py",
    "tests/jobs/test_clean.py",
    "tests/jobs/test_match.py",
    "tests/jobs/test_third_topic.py",
    "tests/search/test_query.py",
    "tests/hostile/test_hostile_queries.py",
    "tests/observe/test_reading.py",
)
"""Files that take longest, the longest first: begun first, so that no worker is left alone with one at the end."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from scanning what is collected: it lives as long as the process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Elasticsearch as slow; on several workers put the longest files first."""
    for item in items:
        if "elasticsearch_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
    rank = {str(Path(__file__).parents[1] / name): place for place, name in enumerate(LONG)}
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=lambda item: rank.get(str(item.path), len(LONG)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lone surrogates of hostile input that a test has logged: a worker could not send its report with them."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what Elasticsearch is made of while that is still allowed: in a test, sockets reach loopback only."""
    if any("elasticsearch_url" in getattr(item, "fixturenames", ()) for item in session.items):
        with suppress(StackError):  # without a network the tests that need it say so, and the others run
            class_path()


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    """The address of a node that lives as long as the test session, or shorter if that is killed."""
    memory = Path("/dev/shm")  # creating an index is mostly waiting for the disk
    with (
        TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="newswatch-test-") as folder,
        start_elasticsearch(Path(folder), port=0, fast=True, index_settings=analysis_settings()) as node,
    ):
        yield node.url


@pytest.fixture(scope="session")
def es(elasticsearch_url: str) -> Iterator[Elasticsearch]:
    """A client of the session's node."""
    with Elasticsearch(elasticsearch_url, request_timeout=60) as client:
        yield client


@pytest.fixture
def index_prefix(es: Elasticsearch) -> Iterator[str]:
    """A prefix that no other test has; what is named with it is removed after the test."""
    prefix = f"t{secrets.token_hex(4)}-"
    yield prefix
    remove(es, prefix)


@pytest.fixture(scope="session")
def pristine(es: Elasticsearch, elasticsearch_url: str) -> Pristine:
    """Index names whose indices are in place and empty again for each test that asks."""
    return Pristine(es, elasticsearch_url)


@pytest.fixture
def names(pristine: Pristine) -> Iterator[Names]:
    """The index names of one test, its indices in place and empty."""
    yield pristine.names()
    pristine.clean()


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The encoder in use; a test that needs it is skipped where it can't be installed."""
    loaded = load()
    if loaded is None:
        pytest.skip(f"needs an encoder: {why_none()}")
    return loaded


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The data for development, beside the repository; a test that needs it is skipped without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the development data in {SHARED_DATA}")
    return SHARED_DATA
