"""Workers: killed when a document takes too long or too much, and gone when their owner is."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from ingest import workers
from ingest.parse import parse
from ingest.workers import OverBudgetError, confined
from newswatch.languages import languages

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def stuck() -> None:
    """Holds the interpreter for longer than anybody waits: no signal handler of Python's is ever run."""
    re.search(r"(a+)+$", "a" * 40 + "b")


def greedy() -> int:
    return len(bytearray(3 * workers.MEMORY_BYTES))


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def ended() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def languages_without_files() -> tuple[set[str], bool]:
    """The languages that a worker knows, and whether it has read their files to know them."""
    return set(languages()), "newswatch.language_files" in sys.modules


def test_a_worker_is_handed_the_languages() -> None:
    assert confined(5, languages_without_files) == (set(languages()), False)


def test_what_takes_too_long_is_killed_and_the_next_is_done() -> None:
    with pytest.raises(OverBudgetError, match=r"took longer than [14] s"):  # four by the clock, if busy
        confined(1, stuck)
    assert confined(5, len, "abc") == 3


def test_what_only_waits_is_killed_by_the_clock() -> None:
    with pytest.raises(OverBudgetError, match="took longer than 2 s"):
        confined(0.5, time.sleep, 60)


@pytest.mark.parametrize(
    ("work", "told"), [(greedy, "MB of memory"), (crash, "exit code -11"), (ended, "exit code -15")]
)
def test_what_takes_too_much_or_dies_says_so(work: object, told: str) -> None:
    with pytest.raises(OverBudgetError, match=told):
        confined(5, work)  # type: ignore[arg-type]
    assert confined(5, len, "abc") == 3


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        confined(5, int, "x")
    with pytest.raises(FileNotFoundError):
        confined(5, Path.read_bytes, Path("/no/such/file"))


def test_while_one_document_is_stuck_another_is_read() -> None:
    from concurrent.futures import ThreadPoolExecutor

    confined(5, len, "")
    with ThreadPoolExecutor(1) as threads:
        hostile = threads.submit(confined, 3, stuck)
        began = time.monotonic()
        assert confined(5, len, "abc") == 3
        assert not hostile.done(), f"{time.monotonic() - began:.1f} s"
        with pytest.raises(OverBudgetError):
            hostile.result()


def children_of(code: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A process that runs `code` and then waits, with its workers."""
    source = f"import sys\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
    command = [sys.executable, "-c", source]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert owner.stdout
    assert owner.stdout.readline() == "ready\n"
    return owner, psutil.Process(owner.pid).children(recursive=True)


WORK = "from ingest.workers import confined\nassert confined(5, len, 'abc') == 3"
STUCK = (
    "import threading, time\nfrom ingest.workers import confined\nfrom tests.ingest.test_workers import stuck\n"
    "confined(5, len, '')\nthreading.Thread(target=confined, args=(3, stuck), daemon=True).start()\ntime.sleep(1)"
)


@pytest.mark.parametrize("code", [WORK, STUCK])
def test_workers_end_with_their_owner_however_that_ends(code: str) -> None:
    owner, children = children_of(code)
    assert len(children) >= workers.WORKERS
    owner.kill()
    owner.wait()
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert len(gone) == len(children)


def test_a_process_that_is_a_daemon_has_workers_too() -> None:
    child = multiprocessing.get_context("fork").Process(target=_in_a_daemon, daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0


def _in_a_daemon() -> None:
    assert multiprocessing.current_process().daemon
    assert confined(5, len, "abc") == 3
    assert multiprocessing.current_process().daemon


def test_a_forked_process_has_workers_of_its_own_and_leaves_its_parents_alone() -> None:
    assert confined(5, os.getppid) == os.getpid()
    child = os.fork()
    if child == 0:
        os._exit(0 if confined(5, os.getppid) == os.getpid() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert confined(5, os.getppid) == os.getpid()


def test_a_small_document_starts_no_worker() -> None:
    code = (
        "from datetime import datetime, UTC\nfrom ingest.parse import parse\nfrom ingest.pages.extract import extract\n"
        "parse(b'<rss><channel><item><title>x</title></item></channel></rss>', url=None, now=datetime.now(UTC))\n"
        "extract(b'<p>x</p>', url='https://a.example/', now=datetime.now(UTC))"
    )
    owner, children = children_of(code)
    owner.kill()
    owner.wait()
    assert children == []


def test_a_large_document_is_read_by_a_worker() -> None:
    items = "".join(f"<item><title>t{n}</title><guid>{n}</guid></item>" for n in range(900))
    body = f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode()
    feed = parse(body, url=None, now=datetime.now(UTC))
    assert len(feed.entries) == 900  # type: ignore[union-attr]
