"""The local newsroom: invented outlets with their feeds and pages, on a loopback port, for the demo and the tests.

    with Newsroom() as newsroom:
        newsroom.write_config(folder)        # feeds.yaml, alerts.yaml, taxonomy.yaml
        …poll…
        newsroom.publish("coordinator-named")

As a separate process: `python -m embedded.newsroom --port 8931 --config FOLDER`. It is then controlled by requests:
`POST /-/publish/SLUG`, `POST /-/correct/SLUG`, `POST /-/add` with a story as JSON, `GET /-/requests`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import shutil
import signal
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from aiohttp import ETag, web
from aiohttp.typedefs import Handler
from pydantic import ValidationError
from yarl import URL

from embedded.newsroom_hub import PATH as HUB
from embedded.newsroom_hub import Hub
from embedded.newsroom_site.content import HERE, Story, load_outlets, load_stories, load_world
from embedded.newsroom_site.printing import Document, Press
from embedded.newsroom_site.site import Site, add, correct, edit, open_site, publish
from newswatch.clock import Clock, utc_now
from newswatch.errors import NewswatchError, StackError
from newswatch.feed import Feed
from newswatch.settings import default_config_dir

HOST = "127.0.0.1"
PORT = 8931
CONTROL = "/-/"
OUR_NAMES = ("127.0.0.1", "localhost", "::1")
START_S = 10.0


@dataclass(frozen=True, slots=True)
class RequestSeen:
    """A request that was answered."""

    path: str
    """With its query."""
    status: int
    conditional: bool
    """It carried If-None-Match or If-Modified-Since."""


class Newsroom:
    """The newsroom, served by its own thread from `__enter__` to `__exit__`.

    Stories are dated relative to its opening (`minutes_ago` in their front matter), not in 2017: older articles would
    rightly be dropped by the retention, or hidden by the timeline's default range or a near-duplicate's window. A test
    that wants 2017 passes a clock.
    """

    def __init__(self, port: int = 0, *, clock: Clock = utc_now, hub: Collection[str] = ()) -> None:
        """`hub`: outlets whose feeds name a hub, which pushes them to subscribers (`embedded.newsroom_hub`)."""
        self._with_hub = tuple(f"/{outlet}/" for outlet in hub)
        self._wanted_port, self._clock = port, clock
        stories = (*load_stories(), *load_world())
        self._site = open_site(load_outlets(), stories, clock().replace(second=0, microsecond=0))
        self._seen: list[RequestSeen] = []
        self._lock = threading.Lock()
        self._port: int | None = None
        self._press_at = cache(Press)
        self.hub = Hub(self._document) if hub else None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # ── questions ──

    @property
    def host_port(self) -> str:
        """`127.0.0.1:PORT`, which `Settings.fetch_allow_hosts` must contain.

        Raises:
            StackError: it is not open.
        """
        if self._port is None:
            raise StackError("The newsroom is not open: use it as a context manager.")
        return f"{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """Its address, without a slash at the end; it serves a list of everything that is printed."""
        return f"http://{self.host_port}"

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Its feeds for newswatch's configuration, including the malformed and the dead one."""
        return tuple(outlet.as_feed(self.url) for outlet in load_outlets())

    @property
    def stories(self) -> tuple[Story, ...]:
        """The stories with what is expected of each, including those held back; without those of `load_world`."""
        return load_stories()

    @property
    def requests(self) -> list[RequestSeen]:
        """The requests so far, in order."""
        with self._lock:
            return list(self._seen)

    def article_url(self, slug: str) -> str:
        """The canonical URL of a story, printed or held back."""
        story = next(story for story in self.stories if story.slug == slug)
        return self._press_at(self.url).url(self._site, story)

    def write_config(self, folder: Path, fast: Collection[str] = (), lists: Collection[str] = ()) -> None:
        """Write feeds.yaml and alerts.yaml for this newsroom into `folder`, and copy the default taxonomy there.

        The feeds of the outlets in `fast` are for the fast lane. The front pages of those in `lists` are read too, as
        pages that are no feeds.

        Raises:
            OSError: it can't be written, or there is no default taxonomy.
        """
        folder.mkdir(parents=True, exist_ok=True)
        # Lists instead of tuples, as in the YAML of a hand-written file.
        fronts = [front_of(feed, self.url) for feed in self.feeds if feed.id in lists]
        known = (*self.feeds, *fronts)
        feeds = [{**asdict(feed), "topics": list(feed.topics), "fast": feed.id in fast} for feed in known]
        for feed in feeds:
            del feed["origin"]  # which list it is in, and no key of the list
        text = yaml.safe_dump({"feeds": feeds}, sort_keys=False, allow_unicode=True)
        (folder / "feeds.yaml").write_text(text, encoding="utf-8")
        shutil.copyfile(HERE / "alerts.yaml", folder / "alerts.yaml")
        shutil.copyfile(default_config_dir() / "taxonomy.yaml", folder / "taxonomy.yaml")

    # ── changes ──

    def publish(self, slug: str) -> None:
        """Put a story that was held back into its outlet's feed, dated now.

        Raises:
            NewswatchError: no story with that name is held back.
        """
        self._change(lambda site: publish(site, slug, self._clock()))

    def add(self, story: Story) -> None:
        """Print a story that is not in the files, dated now.

        Raises:
            NewswatchError: there is no such outlet, or there is a story with that name.
        """
        self._change(lambda site: add(site, story, self._clock()))

    def correct(self, slug: str) -> None:
        """Make the correction in the story's file.

        Raises:
            NewswatchError: the file has none, or the story is not printed.
        """
        self._change(lambda site: correct(site, slug, self._clock()))

    def edit(
        self,
        slug: str,
        *,
        title: str | None = None,
        summary: str | None = None,
        replacements: Mapping[str, str] | None = None,
        note: str | None = None,
    ) -> None:
        """Change a printed story: the given values replace the current ones, `note` is printed below the text.

        Raises:
            NewswatchError: the story is not printed, or it does not contain a text to be replaced.
        """
        changes = {"title": title, "summary": summary, "note": note}
        self._change(lambda site: edit(site, slug, self._clock(), replacements=replacements, **changes))

    def _change(self, change: Callable[[Site], Site]) -> None:
        with self._lock:
            self._site = change(self._site)
        if self.hub and self._loop:
            self._loop.call_soon_threadsafe(self.hub.changed)

    def _document(self, target: str) -> Document:
        with self._lock:
            site = self._site
        return self._press_at(self.url).document(site, target)

    # ── serving ──

    def __enter__(self) -> Self:
        ready: threading.Event = threading.Event()
        failures: list[OSError] = []
        self._thread = threading.Thread(target=self._run, args=(ready, failures), name="newsroom", daemon=True)
        self._thread.start()
        if not ready.wait(START_S):
            raise StackError(f"The newsroom did not open within {START_S:.0f} seconds.")
        if failures:
            self._thread.join()
            raise StackError(f"The newsroom can't listen on {HOST}:{self._wanted_port}: {failures[0]}")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._port = self._loop = self._thread = None

    def _run(self, ready: threading.Event, failures: list[OSError]) -> None:
        loop = asyncio.new_event_loop()
        # A short time-out: pollers keep connections alive, and closing need not wait for them.
        runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.2)
        try:
            self._port = loop.run_until_complete(_listen(runner, self._wanted_port))
        except OSError as error:
            failures.append(error)
        else:
            self._loop = loop
        ready.set()
        try:
            if not failures:
                loop.run_forever()
        finally:
            loop.run_until_complete(runner.cleanup())
            loop.close()

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_refuse_web_pages])
        app.router.add_get(CONTROL + "requests", self._list_requests)
        app.router.add_post(CONTROL + "publish/{slug}", self._controlled(self.publish))
        app.router.add_post(CONTROL + "correct/{slug}", self._controlled(self.correct))
        app.router.add_post(CONTROL + "add", self._take_story)
        if self.hub:
            app.router.add_post(HUB, self.hub.take)
        app.router.add_get("/{target:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        document = self._document(request.path_qs)
        response = respond(document, request)
        if self.hub and request.path.startswith(self._with_hub) and document.content_type.endswith("+xml"):
            response.headers["Link"] = f'<{self.url}{HUB}>; rel="hub", <{self.url}{request.path_qs}>; rel="self"'
        conditional = "If-None-Match" in request.headers or "If-Modified-Since" in request.headers
        with self._lock:
            self._seen.append(RequestSeen(request.path_qs, response.status, conditional))
        return response

    async def _list_requests(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(seen) for seen in self.requests])

    async def _take_story(self, request: web.Request) -> web.Response:
        try:
            self.add(Story.model_validate_json(await request.read()))
        except (NewswatchError, ValidationError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(status=204)

    def _controlled(self, act: Callable[[str], None]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                act(request.match_info["slug"])
            except NewswatchError as error:
                return web.json_response({"error": str(error)}, status=404)
            return web.Response(status=204)

        return handle


def front_of(feed: Feed, newsroom: str) -> Feed:
    """The front page of a feed's outlet, as a source that is no feed. Pure."""
    return replace(feed, id=f"{feed.id}-front", url=f"{newsroom}/{feed.id}/", read="page")


@web.middleware
async def _refuse_web_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse control by a web page in some browser: it may send requests here, with a host name that leads here.

    Like the embedded Elasticsearch (`java/src/newswatch/elasticsearch/Doorkeeper.java`).
    """
    if request.path.startswith(CONTROL):
        fields = request.headers
        foreign = "Origin" in fields or fields.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
        if foreign or _host_of(fields.get("Host", "")) not in OUR_NAMES:
            raise web.HTTPForbidden(text="The newsroom is controlled by programs on this machine, not by web pages.\n")
    return await handler(request)


def _host_of(field: str) -> str:
    """The host in a Host field, in lower case; empty if there is none. Pure."""
    try:
        return URL(f"http://{field}").host or "" if re.fullmatch(r"[\w.\-:\[\]]+", field) else ""
    except ValueError:
        return ""


async def _listen(runner: web.AppRunner, port: int) -> int:
    """Listen, and return the port: the given one, or for 0 a free one."""
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return int(runner.addresses[0][1])


def respond(document: Document, request: web.BaseRequest) -> web.Response:
    """`document` with its validators, compressed if the client accepts that; 304 without a body if the client has it.

    If-None-Match takes precedence (RFC 9110 section 13.2.2). The entity tags are weak, because compressed and plain
    bytes share them.
    """
    response = web.Response(headers={"Vary": "Accept-Encoding", "Cache-Control": "max-age=0"})
    tag = ETag(hashlib.sha256(document.body).hexdigest()[:24], is_weak=True) if "etag" in document.validators else None
    modified = document.modified if "last-modified" in document.validators else None
    response.etag, response.last_modified = tag, modified
    if document.status == 200 and _is_known(request, tag, modified):
        response.set_status(304)
        return response
    response.set_status(document.status)
    response.body = document.body
    response.content_type, response.charset = document.content_type, document.charset
    response.enable_compression()
    return response


def _is_known(request: web.BaseRequest, tag: ETag | None, modified: datetime | None) -> bool:
    known: Iterable[ETag] | None = request.if_none_match
    if known is not None:
        return tag is not None and any(other.value in (tag.value, "*") for other in known)
    since = request.if_modified_since
    return modified is not None and since is not None and modified.replace(microsecond=0) <= since


def main(arguments: list[str] | None = None) -> None:
    """Serve until TERM or INT."""
    parser = argparse.ArgumentParser(prog="python -m embedded.newsroom", description=str(__doc__).splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument(
        "--config", type=Path, metavar="FOLDER", help="write feeds.yaml, alerts.yaml, taxonomy.yaml there"
    )
    parser.add_argument(
        "--hub", nargs="+", default=(), metavar="OUTLET", help="name a hub in the feeds of these, which pushes them"
    )
    parser.add_argument("--lists", nargs="+", default=(), metavar="OUTLET", help="have their front pages read too")
    parser.add_argument("--fast", nargs="+", default=(), metavar="OUTLET", help="mark their feeds for the fast lane")
    options = parser.parse_args(arguments)
    signals = (signal.SIGINT, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        with Newsroom(options.port, hub=options.hub) as newsroom:
            if options.config:
                newsroom.write_config(options.config, options.fast, options.lists)
            print(f"The newsroom is open: {newsroom.url}", flush=True)
            signal.sigwait(signals)
    except NewswatchError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
