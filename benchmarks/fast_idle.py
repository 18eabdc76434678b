"""What the fast lane costs while nothing is new: `python -m benchmarks.fast_idle [--feeds 50] [--seconds 60]`.

A process of its own serves the feeds on addresses of loopback, each a host, and answers 304. They are polled once; then
the fast lane asks each of them every ten seconds. Reported is its processor time as a share of one core, that of
Elasticsearch during the same time, and its memory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import psutil
from aiohttp import web

from cli.demo_steps import wait_until
from embedded.fast_lane import start_fast_lane
from embedded.processes import free_port
from embedded.stack import Ports, Stack
from jobs.context import open_context
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.settings import Settings, default_config_dir
from store.feeds import FeedStore

ETAG: Final = '"one"'
FEED: Final = (
    '<rss version="2.0"><channel><title>Outlet</title><link>http://outlet.example/</link><item>'
    "<title>A headline</title><link>http://outlet.example/a</link><guid>a</guid></item></channel></rss>"
)


def serve(port: int) -> None:
    """The publishers."""

    async def answer(request: web.Request) -> web.Response:
        headers = {"ETag": ETAG, "Cache-Control": "max-age=0"}
        if request.headers.get("If-None-Match") == ETAG:
            return web.Response(status=304, headers=headers)
        return web.Response(text=FEED, content_type="application/rss+xml", headers=headers)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    web.run_app(app, host="0.0.0.0", port=port, print=lambda *_: None, access_log=None)


def main() -> None:
    """Measure it and print the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--feeds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    port = free_port()
    with TemporaryDirectory() as folder:
        server = subprocess.Popen([sys.executable, "-m", "benchmarks.fast_idle", "--serve", str(port)])
        try:
            settings = configured(Path(folder), options.feeds, port)
            ports = Ports(elasticsearch=0)
            with Stack(settings, elasticsearch=True, mail=False, airflow=False, ports=ports, fast=True) as stack:
                measure(stack, options.feeds, options.seconds)
        finally:
            server.terminate()
            server.wait()


def configured(folder: Path, feeds: int, port: int) -> Settings:
    """The settings and files of an installation with so many fast feeds."""
    hosts = [f"127.0.1.{n + 1}:{port}" for n in range(feeds)]
    urls = enumerate(f"http://{host}/" for host in hosts)
    items = "".join(f"- {{id: f{n}, url: '{url}', title: f{n}, full_text: feed, fast: true}}\n" for n, url in urls)
    (folder / "feeds.yaml").write_text(f"feeds:\n{items}", encoding="utf-8")
    (folder / "alerts.yaml").write_text("alerts: []\n", encoding="utf-8")
    (folder / "taxonomy.yaml").write_bytes((default_config_dir() / "taxonomy.yaml").read_bytes())
    return Settings(data_dir=folder / "data", config_dir=folder, fetch_allow_hosts=tuple(hosts))


def measure(stack: Stack, feeds: int, seconds: float) -> None:
    """Poll once, start the fast lane, and take its processor time."""
    context = open_context(stack.settings, check_channels=False)
    for number in plan(context).batches:
        pull(context, number)
    store = FeedStore(context.es, context.names)
    child = start_fast_lane(stack.settings, stack.log_dir / "fast-lane.log")
    try:
        wait_until("all feeds are held", lambda: sum(one.lease_until is not None for one in store.all()) == feeds)
        node = next(psutil.Process(part.pid) for part in stack.parts() if part.name == "elasticsearch")
        both = (psutil.Process(child.pid), node)
        time.sleep(15)
        polls, before = _polls(store), [sum(process.cpu_times()[:2]) for process in both]
        time.sleep(seconds)
        lane_s, node_s = (sum(p.cpu_times()[:2]) - was for p, was in zip(both, before, strict=True))
        asked = (_polls(store) - polls) / seconds
        memory = both[0].memory_info().rss / 1e6
    finally:
        child.stop()
    load = psutil.getloadavg()[0]
    print(f"{feeds} feeds, {asked:.1f} requests a second, load {load:.1f}")
    print(f"fast lane: {lane_s / seconds:.1%} of a core, {memory:.0f} MB; Elasticsearch: {node_s / seconds:.1%}")


def _polls(store: FeedStore) -> int:
    return sum(record.state.polls for record in store.all())


if __name__ == "__main__":
    main()
