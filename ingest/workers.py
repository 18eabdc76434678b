"""Work on untrusted bytes in processes of their own, which are killed when they take too long or too much memory.

`confined` is all that others call. The pool (`pebble`) starts with the first call and serves the process that made it;
a process that was forked from that one starts its own. A worker is a fresh interpreter (`spawn`): Airflow's and
pytest's processes have threads, which a fork would copy amid whatever they hold.

A worker ends when its owner does, however that ends: its pipe then gives end-of-file, and it looks every second whether
its owner is still there. One that is stuck in C code notices neither, so the kernel ends it: by a timer of its CPU
time, and by one that goes by the clock.
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
"""Processes of one pool. While a hostile document holds one until it is killed, the other serves the rest."""
MEMORY_BYTES: Final = 1_000_000_000
"""Address space of a worker (RLIMIT_AS), of which 300 MB are the interpreter and the parsers themselves."""
TASKS: Final = 500
"""After so many documents a worker is replaced, as parsers leak and memory is never given back whole."""
PATIENCE: Final = 4
"""Times its limit of CPU seconds that a document may take by the clock: on a busy machine it waits for its turn."""
GRACE_S: Final = 2.0
"""So many seconds after that the kernel ends a worker whose owner has not done so."""
_LOOK_S: Final = 1.0
_TRIES: Final = 3


class OverBudgetError(Exception):
    """A document took more than it may; the message goes on after "reading it": "took longer than 5 s"."""


def confined(seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` gives, done in a worker process. Function, arguments, result and exceptions are pickled.

    `seconds` are of CPU time; by the clock it may take `PATIENCE` times as long, counted from when a worker takes it.

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
            # SIGTERM says nothing of the document: somebody else ended the worker.
            if expired.exitcode != -signal.SIGTERM or attempt == _TRIES:
                raise OverBudgetError(_death(expired.exitcode, seconds)) from None
        except (BrokenProcessPool, RuntimeError, OSError) as error:  # pebble's own: those of `work` are in the outcome
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
        return "had the system kill the worker process, most likely for want of memory"
    return f"ended the worker process (exit code {exitcode})"


# ── the pool ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_lock = threading.Lock()
_pools: dict[int, ProcessPool] = {}
"""By the id of the process that owns it. What a forked process inherits belongs to its parent: it is left alone."""


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
    """In a forked process: the parent's may have been held at that moment."""
    global _lock, _starting
    _lock, _starting = threading.Lock(), threading.Lock()


class _Process(SpawnProcess):
    """A worker: it need not import its owner's main module, and its owner may be a daemon.

    `multiprocessing` forbids children to daemons, since they would be left behind; ours end by themselves.
    """

    _owner = 0

    def start(self) -> None:
        owner, main = multiprocessing.current_process(), sys.modules["__main__"]
        self._owner, is_daemon = os.getpid(), owner.daemon
        self.daemon = True  # an owner that ends would wait for any other child, for ever
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
        if self._owner == os.getpid():  # and not in a process that was forked from the owner and is ending
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

    # pebble ends a worker by SIGTERM; Python's own handler would wait for the end of the C code that is stuck.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for each in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(each, signal.SIG_DFL)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    import feedparser  # noqa: F401 - once a worker, and not at the expense of its first document
    import lxml.etree  # noqa: F401


def _end_with(owner: int) -> None:
    """End this process once its owner is gone: a child whose parent has died is given to another."""
    while os.getppid() == owner:
        time.sleep(_LOOK_S)
    os._exit(0)


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """What came of the work; its exceptions travel so, to be told from those of the pool."""

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
