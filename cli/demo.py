"""`newswatch demo`: the main job on a local newsroom, by the real scheduler, and every result checked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from cli.output import out
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

if TYPE_CHECKING:
    from embedded.mail import CaughtMail
    from embedded.newsroom_site.content import Story
    from jobs.context import Context
    from newswatch.model import Article
    from search.feeds import FeedRecord

CANONICAL = "nato-joins-coalition"
SEARCHES = (
    "NATO joins coalition against ISIS",
    "AWACS Daesh",
    "Stoltenberg terrorism intelligence cell",
    "2% defence spending Trump Brussels",
)
"""What people would type to find the canonical story."""
WAIT_S = 240
"""How long one step may take on a slow machine; it takes about a minute, as the scheduler runs once a minute."""


class DemoError(NewswatchError):
    """Something that must hold does not."""


@dataclass(slots=True)
class Checks:
    """What was checked, as it is shown."""

    failed: list[str] = field(default_factory=list)

    def that(self, holds: bool, told: str, otherwise: str = "") -> None:
        """Show a result; `otherwise` says more where it does not hold."""
        if holds:
            out.print(f"  [green]✓[/] {told}", soft_wrap=True)
        else:
            self.failed.append(told)
            out.print(f"  [bold red]✗[/] {told} [red]{escape(otherwise)}[/]", soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Run")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running at the end.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where it keeps its data; emptied first.")] = None,
) -> None:
    """Show the main job on a local newsroom, feeds to e-mails, by the real scheduler; ends with 0 if all is right."""
    home = (folder or Settings().data_dir.parent / "newswatch-demo").absolute()
    began = time.monotonic()
    with _newsroom(home, keep) as newsroom, _stack(home, newsroom, keep) as settings:
        checks = Checks()
        Demo(settings, newsroom, checks).run()
        took = time.monotonic() - began
        if checks.failed:
            raise DemoError(f"{len(checks.failed)} of the demo's checks failed; logs: {home / 'logs'}")
        out.print(f"\n[bold green]All of it holds[/] ({took:.0f} s).")
        _where_to_look(settings, newsroom, keep)


# ── what runs ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NewsroomProcess:
    """The newsroom, in a process of its own so that it can outlive the demo."""

    url: str
    config: Path

    def requests(self) -> list[dict[str, object]]:
        """What it was asked for so far."""
        import requests

        told: list[dict[str, object]] = requests.get(f"{self.url}/-/requests", timeout=10).json()
        return told

    def act(self, what: str, slug: str) -> None:
        """`publish` or `correct` a story."""
        import requests

        requests.post(f"{self.url}/-/{what}/{slug}", timeout=10).raise_for_status()


@contextmanager
def _newsroom(home: Path, keep: bool) -> Iterator[NewsroomProcess]:
    from embedded.processes import free_port
    from embedded.stack import down

    if home.exists():
        down(home)
        _end_newsroom(home)
        shutil.rmtree(home)
    config, port = home / "config", free_port()
    config.mkdir(parents=True)
    command = [sys.executable, "-m", "embedded.newsroom", "--port", str(port), "--config", str(config)]
    with (home / "newsroom.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
    (home / "newsroom.pid").write_text(str(process.pid), encoding="utf-8")
    newsroom = NewsroomProcess(f"http://127.0.0.1:{port}", config)
    try:
        _await("the newsroom opens", lambda: (config / "taxonomy.yaml").exists() and bool(newsroom.requests() or True))
        yield newsroom
    except BaseException:
        _end_newsroom(home)
        raise
    if not keep:
        _end_newsroom(home)


def _end_newsroom(home: Path) -> None:
    """End the newsroom of `home`, if one runs; the process id is trusted only if it is one."""
    import psutil

    try:
        process = psutil.Process(int((home / "newsroom.pid").read_text(encoding="utf-8")))
        if "embedded.newsroom" in process.cmdline():
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    except (OSError, ValueError, psutil.Error):
        return


@contextmanager
def _stack(home: Path, newsroom: NewsroomProcess, keep: bool) -> Iterator[Settings]:
    """The stack as a user starts it, by `newswatch up`, on the newsroom's configuration."""
    from embedded.processes import free_port
    from embedded.stack import down

    settings = Settings(
        data_dir=home,
        config_dir=newsroom.config,
        elasticsearch_url=f"http://127.0.0.1:{free_port()}",
        smtp_port=free_port(),
        public_url=f"http://127.0.0.1:{free_port()}",
        mail_from="newswatch@newsroom.example",
        fetch_allow_hosts=(newsroom.url.removeprefix("http://"),),
        # One server plays every paper, and the audience waits.
        fetch_host_delay_s=0.05,
        poll_min_interval_s=20,
        poll_max_interval_s=20,
        mail_group_s=5,
    )
    (home / "env").write_text(_as_shell(settings), encoding="utf-8")
    command = [sys.executable, "-c", "from cli.main import run; run()", "up", "--detach"]
    out.print("[bold]Starting Elasticsearch, Airflow and a mail catcher[/] (the first time takes longer) …")
    began = time.monotonic()
    started = subprocess.run(  # noqa: S603
        command, env=os.environ | settings.environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    if started.returncode:
        raise DemoError(f"The stack did not start; see {home / 'logs'}.")
    out.print(f"  [green]✓[/] all three are up ({time.monotonic() - began:.0f} s)")
    try:
        yield settings
    except BaseException:
        down(home)
        raise
    if not keep:
        out.print("Stopping …")
        down(home)


def _as_shell(settings: Settings) -> str:
    return "".join(f"export {name}='{value}'\n" for name, value in settings.environment().items())


def _where_to_look(settings: Settings, newsroom: NewsroomProcess, keep: bool) -> None:
    from embedded.airflow import USER, password
    from embedded.stack import mail_folder

    mails = mail_folder(settings.data_dir)
    if not keep:
        out.print(f"The mails it sent are in {escape(str(mails))}: open one in a mail program.", soft_wrap=True)
        out.print("Look around with [cyan]make demo KEEP=1[/], or start for real with [cyan]newswatch up[/].")
        return
    facts = {
        "Airflow": f"{settings.public_url}  (user {USER}, password {password(settings.data_dir)})",
        "Elasticsearch": settings.elasticsearch_url,
        "Newsroom": newsroom.url,
        "Mails": str(mails),
    }
    out.print("It runs on. In another shell:")
    out.print(f"  [cyan]source {escape(str(settings.data_dir / 'env'))}[/]", soft_wrap=True)
    for command in ("search 'AWACS Daesh'", "feeds list", "mails", "status", "down"):
        out.print(f"  [cyan]newswatch {command}[/]")
    for name, fact in facts.items():
        out.print(f"[bold]{name:14}[/] {escape(fact)}", soft_wrap=True)


# ── what is shown and checked ────────────────────────────────────────────────────────────────────────────────────────


class Demo:
    """The demo's steps, on a stack that runs."""

    def __init__(self, settings: Settings, newsroom: NewsroomProcess, checks: Checks) -> None:
        from embedded.newsroom_site.content import load_stories
        from jobs.context import open_context

        self._settings, self._newsroom, self._checks = settings, newsroom, checks
        self._stories = [story for story in load_stories() if not story.held]
        self._context: Context = open_context(settings)

    def run(self) -> None:
        """Every step, in order."""
        self._first_poll()
        self._tags()
        self._search()
        self._mails()
        self._second_poll()

    def _first_poll(self) -> None:
        out.print("\n[bold]Airflow's scheduler polls the newsroom[/] …")
        _await("every feed is polled", lambda: self._polled() and self._idle())
        dead = {record.feed.title for record in self._feeds() if record.state.failures}
        for record in self._feeds():
            state = record.state
            told = f"{record.feed.title}: {state.new_articles} articles"
            if state.failures:
                told = f"{record.feed.title}: [yellow]{escape(state.last_error or 'failing')}[/], and the rest unharmed"
            self._checks.that(bool(state.last_poll_at), told)
        self._checks.that(len(dead) == 1, "the dead feed, and only that, is shown as failing", str(dead))
        articles = self._articles()
        told = f"{len(articles)} articles indexed, each once, from {len(self._stories)} stories"
        missing = {self._url(story) for story in self._stories} ^ set(articles)
        self._checks.that(not missing, told, f"missing or not expected: {missing}")

    def _tags(self) -> None:
        out.print("\n[bold]Tags[/]")
        articles = self._articles()
        wrong = {}
        for story in self._stories:
            article = articles.get(self._url(story))
            got = {tag.tag: tag.level for tag in article.tags if "/" not in tag.tag} if article else {}
            if got != story.expected.tags:
                wrong[story.slug] = got
        self._checks.that(
            not wrong, f"all {len(self._stories)} articles carry the tags they should, and no other", str(wrong)
        )
        self._canonical(articles[self._url(self._story(CANONICAL))])

    def _canonical(self, article: Article) -> None:
        tags = {tag.tag: tag for tag in article.tags}
        for topic in ("nato", "counter-terrorism"):
            tag = tags.get(topic)
            if tag is None or tag.level != "main":
                self._checks.that(False, f"the canonical story is tagged {topic}", str(sorted(tags)))
                continue
            seen = list(dict.fromkeys(piece.text for piece in tag.evidence))[:5]
            self._checks.that(True, f"“{escape(article.title)}” is [bold]{topic}[/], because of {', '.join(seen)} …")

    def _search(self) -> None:
        from search.query import find

        out.print("\n[bold]Search[/]")
        canonical = self._group(self._story(CANONICAL))
        for query in SEARCHES:
            found = [hit.article.url for hit in find(self._context.es, self._context.names, query, size=3).hits]
            self._checks.that(bool(canonical & set(found)), f"“{query}” finds it", f"found {found}")

    def _mails(self) -> None:
        out.print("\n[bold]Mails[/]")
        mails = self._caught()
        for story in self._leading():
            recipients = self._recipients(story)
            told = [(mail, to) for mail in mails for to in mail.envelope_to if self._tells(mail, story)]
            right = sorted(to for _, to in told) == sorted(recipients)
            if recipients:
                self._checks.that(
                    right,
                    f"“{escape(story.title)}” → {', '.join(recipients)}, once each",
                    f"went to {[to for _, to in told]}",
                )
            elif not right:
                self._checks.that(False, f"“{escape(story.title)}” is nobody's", f"went to {[to for _, to in told]}")
        silent = sum(not self._recipients(story) for story in self._leading())
        self._checks.that(True, f"{silent} other stories, the near-misses among them, were mailed to nobody")
        out.print(f"  {len(mails)} mails in all")

    def _second_poll(self) -> None:
        out.print("\n[bold]A second poll of the unchanged newsroom[/] …")
        articles, mails, polls = len(self._articles()), len(self._caught()), self._polls()
        asked = len(self._newsroom.requests())
        _await(
            "every feed is polled again",
            lambda: all(self._polls()[name] > count for name, count in polls.items()) and self._idle(),
        )
        later = self._newsroom.requests()[asked:]
        unchanged = sum(request["status"] == 304 for request in later)
        self._checks.that(unchanged >= 3, f"{unchanged} feeds answered 304: not modified", str(later))
        self._checks.that(len(self._articles()) == articles, f"still {articles} articles")
        self._checks.that(len(self._caught()) == mails, f"still {mails} mails")
        feeds = {record.feed.url.removeprefix(self._newsroom.url) for record in self._feeds()}
        again = {str(request["path"]) for request in later} - feeds - {"/-/requests"}
        self._checks.that(not again, "no page was asked for again", str(again))

    # ── reading the world ──

    def _feeds(self) -> list[FeedRecord]:
        from search.feeds import FeedStore

        return FeedStore(self._context.es, self._context.names).all()

    def _polled(self) -> bool:
        """The configuration has been brought in, and every feed was polled."""
        records = self._feeds()
        return bool(records) and all(record.state.polls for record in records)

    def _polls(self) -> dict[str, int]:
        """How often each feed was polled; one that fails is left out, as it is tried ever more rarely."""
        return {record.feed.id: record.state.polls for record in self._feeds() if not record.state.failures}

    def _idle(self) -> bool:
        """Nothing is leased, waits to be matched or to be sent."""
        from jobs.match import work_waits

        if any(record.lease_batch for record in self._feeds()) or work_waits(self._context):
            return False
        pending = {"term": {"state": "pending"}}
        return not self._context.es.count(index=self._context.names.deliveries, query=pending)["count"]

    def _articles(self) -> dict[str, Article]:
        from search.query import find

        self._context.es.indices.refresh(index=self._context.names.articles)
        found = find(self._context.es, self._context.names, "*", size=1_000)
        return {hit.article.url: hit.article for hit in found.hits}

    def _caught(self) -> list[CaughtMail]:
        from embedded.mail import list_mails
        from embedded.stack import mail_folder

        return list_mails(mail_folder(self._settings.data_dir))

    # ── what is expected ──

    def _story(self, slug: str) -> Story:
        return next(story for story in self._stories if story.slug == slug)

    def _leading(self) -> list[Story]:
        """The stories without their copies: a copy is no news."""
        return [story for story in self._stories if not story.copy_of]

    def _group(self, story: Story) -> set[str]:
        return {self._url(other) for other in self._stories if story.slug in (other.slug, other.copy_of)}

    def _tells(self, mail: CaughtMail, story: Story) -> bool:
        return any(url in mail.text for url in self._group(story))

    def _recipients(self, story: Story) -> list[str]:
        from alerts.saved import load_alerts

        searches = {search.id: search for search in load_alerts(self._settings.config_dir / "alerts.yaml")}
        named = [address for alert in story.expected.alerts for address in searches[alert].recipients]
        return list(dict.fromkeys(named))

    def _url(self, story: Story) -> str:
        from embedded.newsroom_site.content import load_outlets
        from embedded.newsroom_site.printing import target_of

        outlet = next(outlet for outlet in load_outlets() if outlet.id == story.outlet)
        return self._newsroom.url + target_of(outlet, story)


def _await(what: str, holds: Callable[[], bool]) -> None:
    """Wait until it holds; show that we do.

    Raises:
        DemoError: it does not, for too long.
    """
    deadline = time.monotonic() + WAIT_S
    with out.status(f"waiting until {what} …"):
        while time.monotonic() < deadline:
            if _try(holds):
                return
            time.sleep(1)
    raise DemoError(f"Waited {WAIT_S} s in vain until {what}.")


def _try(holds: Callable[[], bool]) -> bool:
    import requests

    try:
        return holds()
    except requests.ConnectionError:
        return False  # it is still starting
