"""How fast feeds are polled: `python benchmarks/poll.py [--feeds N] [--rounds N] [--reader-python PATH]`.

Publishers on 200 addresses of loopback, in a process of their own, serve the feeds (see `poll_publishers.py`). They are
polled by newswatch's own `plan` and `pull`, with everything stored in an embedded Elasticsearch; by a loop of requests
and feedparser; by the library `reader`; and by aiohttp and feedparser without storing anything, which is as fast as
this machine goes. Each contender has a process and rounds of its own, and they take turns. The first round, in which
every feed is new, is told apart; the ratios are of the medians of the others.

`reader` is installed into a temporary environment, unless `--reader-python` names a Python that has it (with requests
and feedparser). Only politeness is off: no delay between two requests to one host.
"""

# ruff: noqa: E402 - the path is put right before anything is imported by it

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

# A script's own folder comes first on the path, and there `search.py` stands in the way of the package.
HERE = Path(__file__).resolve().parent
sys.path[:] = [str(HERE.parent), *(entry for entry in sys.path if Path(entry).resolve() != HERE)]

import psutil

from benchmarks.poll_peers import peak_mb
from benchmarks.poll_publishers import ROUND, START, host, kind
from embedded.elasticsearch import start_elasticsearch
from jobs.context import Context, open_context
from newswatch.settings import Settings, default_config_dir

HOSTS = 200
READER_WORKERS = (8, 32)
LIMIT_WORKERS = 64
WORKERS = 2


@dataclass(slots=True)
class Contender:
    """A process that polls all feeds whenever it is told to."""

    name: str
    process: subprocess.Popen[str]
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def poll(self, control: str, elasticsearch: psutil.Process | None) -> None:
        """One round."""
        assert self.process.stdin
        assert self.process.stdout
        before = _cpu(elasticsearch)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} died")
        self.rounds.append(json.loads(line) | {"elasticsearch_cpu_s": _cpu(elasticsearch) - before})
        urllib.request.urlopen(f"{control}/{self.name}/next").read()


def _cpu(process: psutil.Process | None) -> float:
    return sum(process.cpu_times()[:2]) if process else 0.0


def settings_of(folder: Path, url: str) -> Settings:
    """The settings, with politeness off."""
    return Settings(
        elasticsearch_url=url,
        config_dir=folder,
        fetch_allow_hosts=tuple(json.loads((folder / "allowed.json").read_text(encoding="utf-8"))),
        fetch_host_delay_s=0,
        fetch_concurrency=LIMIT_WORKERS,
        feeds_per_poll=10_000,
    )


def pull_one(settings: Settings, number: int, now: datetime) -> tuple[dict[str, int], float, float]:
    """One batch in a worker of its own: its counts, CPU seconds, and the worker's peak memory in MB."""
    from jobs.pull import pull

    cpu = time.process_time()
    if "context" not in _WORKER:
        _WORKER["context"] = open_context(settings)
    context = replace(_WORKER["context"], clock=lambda: now)
    return pull(context, number).counts(), time.process_time() - cpu, peak_mb()


_WORKER: dict[str, Context] = {}


def newswatch(folder: Path, url: str) -> None:
    """newswatch as a contender: `plan`, then `pull` of its batches by two workers, as Airflow's executor has them.

    The clock moves on from round to round.
    """
    from jobs.plan import plan

    settings, now = settings_of(folder, url), START
    context = open_context(settings, clock=lambda: now)
    workers = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
    for _ in sys.stdin:
        began, cpu, total, peaks = time.perf_counter(), time.process_time(), Counter[str](), [0.0]
        pulled_cpu = 0.0
        while numbers := plan(context).batches:
            for counts, used, peak in workers.map(partial(pull_one, settings, now=now), numbers):
                total.update(counts)
                pulled_cpu += used
                peaks.append(peak)
        told = {
            "s": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu + pulled_cpu,
            "peak_mb": peak_mb() + WORKERS * max(peaks),
            "got": dict(total),
        }
        print(json.dumps(told), flush=True)
        now += ROUND
    workers.shutdown()


@contextmanager
def publishers(feeds: int, entries: int) -> Iterator[int]:
    """The port of the publishers."""
    command = [sys.executable, str(HERE / "poll_publishers.py"), str(feeds), str(HOSTS), str(entries)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()


def write_lists(folder: Path, names: list[str], feeds: int, port: int) -> None:
    """feeds.yaml for newswatch, lists of URLs for the others. A dead feed is one whose port nobody listens on."""
    for name in names:
        urls = [f"http://{host(n, HOSTS)}:{1 if kind(n) == 'dead' else port}/{name}/{n}" for n in range(feeds)]
        (folder / f"{name}.txt").write_text("\n".join(urls), encoding="utf-8")
    items = "".join(
        f"- {{id: f{n}, url: '{url}', title: Outlet {n}, full_text: feed}}\n"
        for n, url in enumerate((folder / "newswatch.txt").read_text(encoding="utf-8").split())
    )
    (folder / "feeds.yaml").write_text(f"feeds:\n{items}", encoding="utf-8")
    (folder / "taxonomy.yaml").write_bytes((default_config_dir() / "taxonomy.yaml").read_bytes())
    allowed = [f"{host(n, HOSTS)}:{p}" for n in range(min(feeds, HOSTS)) for p in (1, port)]
    (folder / "allowed.json").write_text(json.dumps(allowed), encoding="utf-8")


def reader_python(folder: Path) -> str:
    """A Python that has `reader`."""
    venv.create(folder / "reader", with_pip=True)
    python = str(folder / "reader" / "bin" / "python")
    packages = ["reader", "requests", "feedparser", "sgmllib3k"]
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return python


def contend(stack: ExitStack, name: str, command: list[str]) -> Contender:
    """Start a contender."""
    process = stack.enter_context(
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    )
    stack.callback(_end, process)
    return Contender(name, process)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()
    process.wait(timeout=60)


def run(feeds: int, rounds: int, entries: int, python: str | None, only: list[str]) -> list[Contender]:
    """Let them take turns."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newswatch-poll-")))
        port = stack.enter_context(publishers(feeds, entries))
        wanted = [*(f"reader{workers}" for workers in READER_WORKERS), "newswatch", "loop", "limit"]
        names = [name for name in wanted if any(name.startswith(one) for one in only)]
        write_lists(folder, sorted({*names, "newswatch"}), feeds, port)
        node = stack.enter_context(start_elasticsearch(folder / "elasticsearch", port=0))
        node_process = psutil.Process(node.pid)
        if any(name.startswith("reader") for name in names):
            python = python or reader_python(folder)
        peers = str(HERE / "poll_peers.py")
        contenders = []
        for name in names:
            file = str(folder / f"{name}.txt")
            if name == "newswatch":
                command = [sys.executable, __file__, "--play", str(folder), node.url]
            elif name.startswith("reader"):
                command = [str(python), peers, "reader", str(folder), name.removeprefix("reader"), file]
            else:
                command = [sys.executable, peers, name, str(folder), str(LIMIT_WORKERS), file]
            contenders.append(contend(stack, name, command))
        for at in range(rounds + 1):
            for contender in contenders:
                contender.poll(
                    f"http://{host(0, HOSTS)}:{port}", node_process if contender.name == "newswatch" else None
                )
                told = contender.rounds[-1]
                print(f"round {at} {contender.name:10} {feeds / told['s']:8.0f} feeds/s  {told}", file=sys.stderr)
    return contenders


def report(contenders: list[Contender], feeds: int) -> None:
    """The table, in Markdown."""
    print("| contender | feeds/s, all new | feeds/s, most unchanged | ms CPU a feed | peak MB |\n|---|---|---|---|---|")
    for one in contenders:
        first, later = one.rounds[0], one.rounds[1:] or one.rounds
        seconds = statistics.median(r["s"] for r in later)
        cpu = statistics.median(r["cpu_s"] for r in later) / feeds * 1000
        store = statistics.median(r["elasticsearch_cpu_s"] for r in later) / feeds * 1000
        told = f"{cpu:.2f}" + (f" + {store:.2f} in Elasticsearch" if store else "")
        peak = max(r["peak_mb"] for r in one.rounds)
        print(f"| {one.name} | {feeds / first['s']:.0f} | {feeds / seconds:.0f} | {told} | {peak:.0f} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="after the first, in which all is new")
    parser.add_argument("--entries", type=int, default=20, help="that a feed shows at once")
    parser.add_argument("--reader-python", help="a Python with reader, requests and feedparser")
    parser.add_argument("--only", nargs="*", default=["reader", "newswatch", "loop", "limit"])
    parser.add_argument("--play", nargs=2, metavar=("FOLDER", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        newswatch(Path(options.play[0]), options.play[1])
        return
    report(run(options.feeds, options.rounds, options.entries, options.reader_python, options.only), options.feeds)


if __name__ == "__main__":
    main()
