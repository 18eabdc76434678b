"""How fast feeds are polled: `python benchmarks/poll.py [--feeds N] [--rounds N] [--reader-python PATH] [--curve N…]`.

Publishers on 200 addresses of loopback, in a process of their own, serve the feeds (see `poll_publishers.py`). They are
polled by newswatch's own `plan` and `pull`, with everything stored in an embedded Elasticsearch; by a loop of requests
and feedparser; by the library `reader`; and by aiohttp and feedparser without a store, which is the maximum speed of
this machine. Each contender has its own process and rounds, and they take turns. The first round, in which every feed
is new, is reported separately; the figures of the other rounds are medians. Before the rounds, newswatch warms up by
polling the feeds into other indices (`--warm-up 0` skips this): Java's compiler needs minutes, while an Elasticsearch
in production runs for weeks. The compiler's CPU time during the rounds is reported too.

`--curve 500 2000 8000 20000` instead polls these numbers of feeds, by newswatch only, to check that the cost is linear.

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
from elasticsearch import Elasticsearch

from benchmarks.poll_peers import peak_mb
from benchmarks.poll_publishers import ROUND, START, host, kind
from embedded.elasticsearch import Node, start_elasticsearch
from jobs.context import Context, open_context
from newswatch.settings import Settings, default_config_dir

HOSTS = 200
READER_WORKERS = (8, 32)
LIMIT_WORKERS = 64
FEEDS_PER_POLL = 10_000
WARM_UP_FEEDS = 2_000
WORKERS = 2


@dataclass(slots=True)
class Contender:
    """A process that polls all feeds on request."""

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
        store = _cpu(elasticsearch)
        self.rounds.append(
            json.loads(line)
            | {"elasticsearch_cpu_s": store[0] - before[0], "of_its_compiler_s": round(store[1] - before[1], 2)}
        )
        urllib.request.urlopen(f"{control}/{self.name}/next").read()


def _cpu(process: psutil.Process | None) -> tuple[float, float]:
    """The CPU seconds that a Java process has had, and its compiler's share."""
    if process is None:
        return 0.0, 0.0
    compilers = {
        int(task.name)
        for task in Path(f"/proc/{process.pid}/task").iterdir()
        if (task / "comm").read_text(encoding="utf-8").startswith(("C1 Compiler", "C2 Compiler"))
    }
    compiling = sum(thread.user_time + thread.system_time for thread in process.threads() if thread.id in compilers)
    return sum(process.cpu_times()[:2]), compiling


def settings_of(folder: Path, url: str, name: str = "newswatch") -> Settings:
    """The settings, with politeness off."""
    return Settings(
        elasticsearch_url=url,
        index_prefix=f"{name}-",
        config_dir=folder / name,
        fetch_allow_hosts=tuple(json.loads((folder / "allowed.json").read_text(encoding="utf-8"))),
        fetch_host_delay_s=0,
        fetch_concurrency=LIMIT_WORKERS,
        feeds_per_poll=FEEDS_PER_POLL,
    )


def pull_one(settings: Settings, number: int, now: datetime) -> tuple[dict[str, float], float, float]:
    """One batch in a worker of its own: its counts, CPU seconds, and the worker's peak memory in MB."""
    from jobs.pull.batch import pull

    cpu = time.process_time()
    if "context" not in _WORKER:
        _WORKER["context"] = open_context(settings)
    context = replace(_WORKER["context"], clock=lambda: now)
    return pull(context, number).counts(), time.process_time() - cpu, peak_mb()


_WORKER: dict[str, Context] = {}


def newswatch(folder: Path, url: str, name: str) -> None:
    """newswatch as a contender: `plan`, then `pull` of its batches by two workers, as Airflow's executor has them.

    The clock moves on from round to round.
    """
    from jobs.plan import plan

    settings, now = settings_of(folder, url, name), START
    context = open_context(settings, clock=lambda: now)
    workers = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
    for _ in sys.stdin:
        began, cpu, total, peaks = time.perf_counter(), time.process_time(), Counter[str](), [0.0]
        pulled_cpu = 0.0
        planned = FEEDS_PER_POLL
        while planned == FEEDS_PER_POLL:  # else there were no more
            due = plan(context)
            planned = due.feeds
            for counts, used, peak in workers.map(partial(pull_one, settings, now=now), due.batches):
                total.update(counts)
                pulled_cpu += used
                peaks.append(peak)
        line = {
            "s": time.perf_counter() - began,
            "cpu_s": time.process_time() - cpu + pulled_cpu,
            "peak_mb": peak_mb() + WORKERS * max(peaks),
            "got": dict(total),
        }
        print(json.dumps(line), flush=True)
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
        (folder / name).mkdir()
        items = "".join(
            f"- {{id: f{n}, url: '{url}', title: Outlet {n}, full_text: feed}}\n" for n, url in enumerate(urls)
        )
        (folder / name / "feeds.yaml").write_text(f"feeds:\n{items}", encoding="utf-8")
        (folder / name / "taxonomy.yaml").write_bytes((default_config_dir() / "taxonomy.yaml").read_bytes())
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


def run(feeds: int, rounds: int, entries: int, python: str | None, only: list[str], warm_up: int) -> list[Contender]:
    """Run the contenders in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newswatch-poll-")))
        port = stack.enter_context(publishers(feeds, entries))
        wanted = [*(f"reader{workers}" for workers in READER_WORKERS), "newswatch", "loop", "limit"]
        names = [name for name in wanted if any(name.startswith(prefix) for prefix in only)]
        write_lists(folder, [*names, "warm-up"], feeds, port)
        node = stack.enter_context(start_elasticsearch(folder / "elasticsearch", port=0))
        if "newswatch" in names and warm_up:
            with ExitStack() as first:
                take_turns([contend(first, "warm-up", ours(folder, node.url, "warm-up"))], warm_up, feeds, port, node)
        if any(name.startswith("reader") for name in names):
            python = python or reader_python(folder)
        contenders = [contend(stack, name, command(folder, node.url, name, python)) for name in names]
        take_turns(contenders, rounds + 1, feeds, port, node)
    return contenders


def ours(folder: Path, url: str, name: str) -> list[str]:
    """How newswatch is started, to poll the feeds that are listed under `name`."""
    return [sys.executable, __file__, "--play", str(folder), url, name]


def command(folder: Path, url: str, name: str, python: str | None) -> list[str]:
    """How a contender is started."""
    peers, file = str(HERE / "poll_peers.py"), str(folder / f"{name}.txt")
    if name == "newswatch":
        return ours(folder, url, name)
    if name.startswith("reader"):
        return [str(python), peers, "reader", str(folder), name.removeprefix("reader"), file]
    return [sys.executable, peers, name, str(folder), str(LIMIT_WORKERS), file]


def take_turns(contenders: list[Contender], rounds: int, feeds: int, port: int, node: Node) -> None:
    """So many rounds each."""
    control, process = f"http://{host(0, HOSTS)}:{port}", psutil.Process(node.pid)
    for number in range(rounds):
        for contender in contenders:
            contender.poll(control, process if contender.name in ("newswatch", "warm-up") else None)
            last = contender.rounds[-1]
            print(f"round {number} {contender.name:10} {feeds / last['s']:8.0f} feeds/s  {last}", file=sys.stderr)


def curve(sizes: list[int], rounds: int, entries: int, warm_up: int) -> None:
    """What a feed costs as the feeds grow more: a table in Markdown."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newswatch-poll-")))
        node = stack.enter_context(start_elasticsearch(folder / "elasticsearch", port=0))
        print(
            "| feeds | articles | s, all new | s, most unchanged | ms a feed | ms CPU a feed | peak MB |\n"
            "|---:|---:|---:|---:|---:|---:|---:|"
        )
        for number, feeds in enumerate([WARM_UP_FEEDS, *sizes]):
            with ExitStack() as inner:
                here = folder / str(number)
                here.mkdir()
                port = inner.enter_context(publishers(feeds, entries))
                write_lists(here, ["newswatch"], feeds, port)
                contender = contend(inner, "newswatch", ours(here, node.url, "newswatch"))
                take_turns([contender], rounds + 1 if number else warm_up, feeds, port, node)
            for index in Elasticsearch(node.url).indices.get(index="newswatch-*"):
                Elasticsearch(node.url).indices.delete(index=index)
            if number:
                print(row(contender, feeds), flush=True)


def row(contender: Contender, feeds: int) -> str:
    """The curve's line for so many feeds."""
    first, later = contender.rounds[0], contender.rounds[1:]
    seconds = statistics.median(r["s"] for r in later)
    cpu = statistics.median(r["cpu_s"] + r["elasticsearch_cpu_s"] for r in later)
    peak = max(r["peak_mb"] for r in contender.rounds)
    return (
        f"| {feeds:,} | {first['got']['new']:,} | {first['s']:.1f} | {seconds:.1f} | {1000 * seconds / feeds:.2f} "
        f"| {1000 * cpu / feeds:.2f} | {peak:.0f} |"
    )


def report(contenders: list[Contender], feeds: int) -> None:
    """The table, in Markdown."""
    print("| contender | feeds/s, all new | feeds/s, most unchanged | ms CPU a feed | peak MB |\n|---|---|---|---|---|")
    for contender in contenders:
        first, later = contender.rounds[0], contender.rounds[1:] or contender.rounds
        seconds = statistics.median(r["s"] for r in later)
        cpu = statistics.median(r["cpu_s"] for r in later) / feeds * 1000
        store = statistics.median(r["elasticsearch_cpu_s"] for r in later) / feeds * 1000
        compiling = statistics.median(r["of_its_compiler_s"] for r in later) / feeds * 1000
        cpu_text = f"{cpu:.2f}" + (f" + {store:.2f} in Elasticsearch ({compiling:.2f} its compiler)" if store else "")
        peak = max(r["peak_mb"] for r in contender.rounds)
        print(f"| {contender.name} | {feeds / first['s']:.0f} | {feeds / seconds:.0f} | {cpu_text} | {peak:.0f} |")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="after the first, in which all is new")
    parser.add_argument("--entries", type=int, default=20, help="that a feed shows at once")
    parser.add_argument("--reader-python", help="a Python with reader, requests and feedparser")
    parser.add_argument("--only", nargs="*", default=["reader", "newswatch", "loop", "limit"])
    parser.add_argument("--warm-up", type=int, default=6, help="rounds that newswatch polls before")
    parser.add_argument("--curve", type=int, nargs="+", metavar="N", help="by newswatch only: so many feeds each")
    parser.add_argument("--play", nargs=3, metavar=("FOLDER", "URL", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        newswatch(Path(options.play[0]), *options.play[1:])
    elif options.curve:
        curve(options.curve, options.rounds, options.entries, options.warm_up)
    else:
        contenders = run(
            options.feeds, options.rounds, options.entries, options.reader_python, options.only, options.warm_up
        )
        report(contenders, options.feeds)


if __name__ == "__main__":
    main()
