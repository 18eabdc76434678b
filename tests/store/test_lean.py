"""The client without what it does not use, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_is_not_used_is_not_imported_and_can_be_afterwards() -> None:
    after = "print(sorted({'aiohttp', 'httpx'} & set(sys.modules))); import aiohttp, httpx; print(httpx.get.__name__)"
    lines = printed(
        f"import sys; from store.elastic.lean import load; load(); import elasticsearch; {after}"
    ).splitlines()
    assert lines == ["[]", "get"]


def test_what_is_there_already_stays() -> None:
    assert printed(
        "import httpx; from store.elastic.lean import load; load(); import httpx as same; print(same is httpx)"
    ) == ("True")


@pytest.mark.parametrize(
    "code",
    [
        "import sys; from cli.check import look; look()",
        "import sys; from store.elastic.lean import load; load(); import observe.watch",
    ],
    ids=["newswatch check", "the watchman"],
)
def test_who_must_be_small_gets_along_without(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    assert printed(f"{code}; print(sorted({{'aiohttp', 'httpx', 'numpy'}} & set(sys.modules)))") == "[]"


@pytest.mark.slow
def test_a_task_of_airflow_gets_along_without_a_second_client() -> None:
    after = "print('aiohttp' in sys.modules, sys.modules['elasticsearch'].AsyncElasticsearch.__module__)"
    assert (
        printed(f"import sys, dags.tasks, jobs.plan, jobs.match, jobs.deliver; {after}") == "False store.elastic.lean"
    )


def test_what_other_threads_may_be_importing_is_not_hidden() -> None:
    code = "import sys, threading, time; threading.Thread(target=time.sleep, args=(1,), daemon=True).start()"
    code += "; from store.elastic.lean import load_alone; load_alone(); print('elasticsearch' in sys.modules)"
    assert printed(code) == "False"
