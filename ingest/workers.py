"""Runs work on untrusted bytes in worker processes, which are killed when they take too long or too much memory.

`confined` is the only function for others. The pool (`pebble`) starts with the first call and serves the process that
made it; a process forked from that one starts its own. A worker is a fresh interpreter (`spawn`), because Airflow's and
pytest's processes have threads, which a fork would copy together with the locks they hold.

A worker ends when its owner does, however that ends: its pipe then gives end-of-file, and every second it checks
whether its owner is still there. A worker that is stuck in C code notices neither, so the kernel ends it, by a timer
of its CPU time and one of wall-clock time.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as WorkerTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from pebble import ProcessExpired, ProcessPool

from newswatch.languages import Language, hand_over, languages

P = ParamSpec("P")
T = TypeVar("T")

WORKERS: Final = 2
"""Processes of one pool. While a hostile document occupies one until it is killed, the other serves the rest."""
MEMORY_BYTES: Final = 1_000_000_000
"""Address space of a worker (RLIMIT_AS); the interpreter and the parsers themselves take 300 MB of it."""
TASKS: Final = 500
"""Number of documents after which a worker is replaced, because parsers leak memory."""
PATIENCE: Final = 4
"""Wall-clock limit of a document, as a multiple of its CPU limit: on a busy machine it waits for its turn."""
GRACE_S: Final = 2.0
"""Seconds after that in which the kernel ends a worker if its owner has not."""
_LOOK_S: Final = 1.0
_TRIES: Final = 3


class OverBudgetError(Exception):
    """A document exceeded its limits; the message continues "reading it": "took longer than 5 s"."""


def confined(seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, computed in a worker process. Function, arguments, result and exceptions are pickled.

    `seconds` is the limit of CPU time; the wall-clock limit is `PATIENCE` times as long, from when a worker starts on
    it.

    Raises:
        OverBudgetError: it took longer than `seconds`, needed more than `MEMORY_BYTES`, or ended the worker.
        Exception: what `work` raised.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            task = _pool().schedule(_limited, args=(seconds, work, args, kwargs), timeout=PATIENCE * seconds)
            outcome: _Outcome[T] = task.result()
        except WorkerTimeoutError:
            raise OverBudgetError(f"took longer than {PATIENCE * seconds:g} s") from None
        except ProcessExpired as expired:
            # SIGTERM is not the document's fault: somebody else ended the worker.
            if expired.exitcode != -signal.SIGTERM or attempt == _TRIES:
                raise OverBudgetError(_death(expired.exitcode, seconds)) from None
        except (BrokenProcessPool, RuntimeError, OSError) as error:  # pebble's own; those of `work` are in the outcome
            _discard()
            if attempt == _TRIES:
                raise OverBudgetError(f"found no worker process: {error}") from error
        else:
            return _result(outcome)
    raise AssertionError("the last attempt returns or raises")


def _result(outcome: _Outcome[T]) -> T:
    if isinstance(outcome.error, MemoryError):
        raise OverBudgetError(f"needed more than {MEMORY_BYTES // 1_000_000:,} MB of memory")
    if outcome.error:
        raise outcome.error
    return cast(T, outcome.value)


def _death(exitcode: int, seconds: float) -> str:
    if exitcode in (-signal.SIGPROF, -signal.SIGALRM):
        return f"took longer than {seconds:g} s"
    if exitcode == -signal.SIGKILL:
        return "made the system kill the worker process, most likely for lack of memory"
    return f"ended the worker process (exit code {exitcode})"


# ── the pool ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_lock = threading.Lock()
_pools: dict[int, ProcessPool] = {}
"""By the id of the owning process. A pool that a forked process inherits belongs to its parent and is left alone."""


def _pool() -> ProcessPool:
    with _lock:
        pool = _pools.get(os.getpid())
        if pool is None or not pool.active:
            pool = _pools[os.getpid()] = ProcessPool(
                max_workers=WORKERS,
                max_tasks=TASKS,
                initializer=_begin,
                initargs=(os.getpid(), languages()),
                context=_Context(),
            )
        return pool


def _discard() -> None:
    with _lock:
        pool = _pools.pop(os.getpid(), None)
    if pool:
        pool.stop()  # type: ignore[no-untyped-call]


def _forget_lock() -> None:
    """Replace the locks in a forked process, because the parent may have held them at that moment."""
    global _lock, _starting
    _lock, _starting = threading.Lock(), threading.Lock()


class _Process(SpawnProcess):
    """A worker: it does not import its owner's main module, and its owner may be a daemon.

    `multiprocessing` forbids children to daemons, because they could be left behind; ours end by themselves.
    """

    _owner = 0

    def start(self) -> None:
        owner, main = multiprocessing.current_process(), sys.modules["__main__"]
        self._owner, is_daemon = os.getpid(), owner.daemon
        self.daemon = True  # otherwise its owner would wait for it forever when it ends
        with _starting:
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                if is_daemon:
                    owner.daemon = False
                super().start()
            finally:
                sys.modules["__main__"] = main
                if is_daemon:
                    owner.daemon = True

    def terminate(self) -> None:
        if self._owner == os.getpid():  # not in a process that was forked from the owner and is ending
            super().terminate()


_starting = threading.Lock()
os.register_at_fork(after_in_child=_forget_lock)
atexit.register(_discard)


class _Context(SpawnContext):
    Process = _Process


# ── in the worker ────────────────────────────────────────────────────────────────────────────────────────────────────


def _begin(owner: int, known: Mapping[str, Language]) -> None:
    """Prepare this process as a worker of `owner`, which has read the languages."""
    import resource

    hand_over(known)

    # pebble ends a worker with SIGTERM; Python's own handler would wait until stuck C code returns.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    import feedparser  # noqa: F401 - once per worker, not in the time of its first document
    import lxml.etree  # noqa: F401


def _end_with(owner: int) -> None:
    """End this process when its owner is gone: a child whose parent has died gets another parent."""
    while os.getppid() == owner:
        time.sleep(_LOOK_S)
    os._exit(0)


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """The result of the work; carries its exceptions, so that they differ from the pool's own."""

    value: T | None = None
    error: Exception | None = None


def _limited(seconds: float, work: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> _Outcome[T]:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * seconds + GRACE_S)
    try:
        return _Outcome(work(*args, **kwargs))
    except Exception as error:
        return _Outcome(error=error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
