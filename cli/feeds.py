"""`newswatch feeds`: shows the polled feeds and their states, and changes the list."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from cli.check import show_banner
from cli.output import AsJson, ago, emit_json, err, out, printable, who
from cli.problems import problem_json
from newswatch import durations
from newswatch.errors import NewswatchError
from newswatch.feed import Feed, FeedHealth, Gap, Origin
from newswatch.reliability import meant

if TYPE_CHECKING:
    from ingest.feed_list.feeds import FeedSpec
    from newswatch.problems import Problem
    from newswatch.settings import Settings
    from store.feed_history import FeedHistory
    from store.feeds import FeedRecord

app = typer.Typer(help="The polled feeds: list, states, changes.", no_args_is_help=True)

NO_FEED = 2
InStore = Annotated[bool, typer.Option("--store", help="In Elasticsearch, even if the file can be written.")]
Which = Annotated[str, typer.Argument(metavar="FEED", help="Its id, its URL, or a part of its title.")]


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="feeds", rich_help_panel="Use")


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.command("list")
def list_feeds(
    health: Annotated[list[FeedHealth] | None, typer.Option(help="Only feeds in this state; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every feed with its state, since when and why."""
    from jobs.context import open_context
    from store.feeds import FeedStore

    context = open_context()
    show_banner(context)
    everything = FeedStore(context.es, context.names).all()
    records = [record for record in everything if not health or (record.feed.enabled and record.state.health in health)]
    if as_json:
        for record in records:
            emit_json({"feed": record.feed, "state": record.state})
        return
    if records:
        out.print(_table(records, context.clock()))
    elif not everything:
        out.print("No feed is known yet: [cyan]newswatch poll[/] reads config/feeds.yaml.")
    else:
        out.print(f"None of the {len(everything)} feeds is in that state.")


def _table(records: Sequence[FeedRecord], now: datetime) -> Table:
    heads = ("Feed", "Grade", "State", "Since", "Why", "Last poll", "Next", "Articles", "Listed in")
    table = Table(*heads, box=None, header_style="bold", padding=(0, 1, 0, 0))
    for column in table.columns:
        column.overflow = "fold"  # in a narrow terminal a word is parted, and never cut off
    table.columns[-1].min_width = len("Elasticsearch")
    for record in records:
        feed, state = record.feed, record.state
        table.add_row(
            Text(feed.title),
            feed.reliability.grade if feed.reliability else "–",
            _shown(record),
            ago(state.health_since, now),
            Text(state.health_why),
            ago(state.last_poll_at, now),
            "never" if state.health is FeedHealth.GONE else ago(state.next_poll_at, now),
            str(state.new_articles),
            LISTED_IN[feed.origin],
        )
    return table


LISTED_IN: dict[Origin, str] = {
    "file": "feeds.yaml",
    "store": "Elasticsearch",
    "edited": "feeds.yaml, edited in Elasticsearch",
    "removed": "feeds.yaml, removed in Elasticsearch",
}
"""Where a feed is listed, in words."""


def _shown(record: FeedRecord) -> Text:
    health = record.state.health if record.feed.enabled else "disabled"
    return Text(health, style=_COLOURS.get(health, "red"))


_COLOURS = {"ok": "green", "new": "blue", "slow": "yellow", "stale": "yellow", "gap": "yellow", "disabled": "dim"}


@app.command()
def show(which: Which, days: Annotated[int, typer.Option(min=1, max=366)] = 14, as_json: AsJson = False) -> None:
    """Show one feed: the reason for its poll times, its failures and gaps, and its recent articles."""
    from jobs.context import open_context
    from store.entries import EntryStore
    from store.feed_history import read_history
    from store.feeds import FeedStore

    context = open_context()
    record = _stored(which, FeedStore(context.es, context.names).all())
    history = read_history(context.es, context.names, record.feed.id, days=days, now=context.clock())
    waiting = EntryStore(context.es, context.names).pages_waiting(record.feed.id)
    if as_json:
        emit_json(_history_json(history, waiting))
        return
    table = Table(box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    for name, value in _facts(history, waiting, context.clock()):
        table.add_row(name, value)
    out.print(Text(record.feed.title, style="bold"), table)
    for article in history.newest:
        out.print(Text(f"  {article.first_seen:%d %b %H:%M %Z}  {article.title}"))


def _history_json(history: FeedHistory, waiting: int) -> dict[str, Any]:
    return {
        "feed": history.record.feed,
        "state": history.record.state,
        "articles": history.articles,
        "days": {day.isoformat(): count for day, count in history.days.items()},
        "quarantined": history.refused,
        "problems": [problem_json(kept) for kept in history.problems],
        "pages_waiting": waiting,
        "newest": [{"url": a.url, "title": a.title, "first_seen": a.first_seen} for a in history.newest],
    }


def _facts(history: FeedHistory, waiting: int, now: datetime) -> Iterable[tuple[str, Text]]:
    feed, state = history.record.feed, history.record.state
    rows: list[tuple[str, str | Text | None]] = [
        ("id", feed.id),
        ("url", feed.url),
        ("listed in", LISTED_IN[feed.origin]),
        ("reliability", _rated(feed)),
        ("polled at", state.url if state.url != feed.url else None),
        ("before that at", ", ".join(state.former_urls) or None),
        ("state", _shown(history.record).append(f" since {ago(state.health_since, now)}: {state.health_why}")),
        ("next poll", "never" if state.health is FeedHealth.GONE else ago(state.next_poll_at, now)),
        ("because", state.interval_why),
        ("host rests until", f"{state.paused_until:%d %b %H:%M} UTC" if state.paused_until else None),
        ("last poll", f"{ago(state.last_poll_at, now)}, number {state.polls}" if state.polls else "–"),
        ("last success", ago(state.last_success_at, now)),
        ("last news", ago(state.last_new_at, now)),
        ("may have missed", _gaps(state.gaps)),
        ("failures in a row", str(state.failures)),
        ("last answer", str(state.last_status) if state.last_status else None),
        ("last error", state.last_error),
        ("redirected to", f"{state.redirect_to} ({state.redirect_seen} times)" if state.redirect_to else None),
        ("articles", _articles(history)),
        ("in quarantine", _quarantined(history, now)),
        ("pages waiting", f"{waiting} for another try" if waiting else None),
    ]
    return ((name, value if isinstance(value, Text) else Text(value)) for name, value in rows if value)


def _rated(feed: Feed) -> str:
    """The grade, with its reason and date, and whether it is state media."""
    rating = feed.reliability
    told = f"{meant(rating.grade)}, since {rating.rated}: {rating.why}" if rating else meant(None)
    return f"{told} (state media)" if feed.state_media else told


def _quarantined(history: FeedHistory, now: datetime) -> str | None:
    """The number of problems, and the last of them."""
    if not history.refused:
        return None
    latest = [f"{ago(kept.last_at, now)}, {_short(kept.problem)}" for kept in history.problems[:3]]
    return "\n".join([f"{history.refused}; see `newswatch problems --feed {history.record.feed.id}`", *latest])


def _short(problem: Problem) -> str:
    return printable(f"{problem.kind} {problem.subject}: {problem.reason}", 300)


def _articles(history: FeedHistory) -> str:
    if not history.articles:
        return "none in the index"
    return f"{history.articles} in the index; a day: {_spark(list(history.days.values()))}"


def _gaps(gaps: Sequence[Gap]) -> str | None:
    """Each period in which the feed may have shown items that no poll read, the latest first."""
    lines = [
        f"items of {gap.since:%d %b %H:%M} to {gap.until:%d %b %H:%M} UTC "
        f"({durations.long((gap.until - gap.since).total_seconds())} between two polls)"
        for gap in reversed(gaps)
    ]
    return "\n".join(lines) or None


def _spark(counts: Sequence[int]) -> str:
    most = max(counts, default=0) or 1
    return "".join("·▁▂▃▄▅▆▇█"[round(count / most * 8)] for count in counts) + f" (at most {max(counts, default=0)})"


@app.command()
def retry(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="[FEED]...", help="Ids, URLs or parts of titles.")
    ] = None,
    failing: Annotated[bool, typer.Option("--failing", help="Every feed that is failing or gone.")] = False,
) -> None:
    """Make feeds due now, whatever they are waiting for; the next poll includes them."""
    from jobs.context import open_context
    from store import feed_history
    from store.feeds import FeedStore

    if not which and not failing:
        raise typer.BadParameter("name a feed, or add --failing")
    context = open_context()
    records = FeedStore(context.es, context.names).all()
    chosen = {record.feed.id: record for record in (_stored(name, records) for name in which or ())}
    if failing:
        bad = (FeedHealth.FAILING, FeedHealth.GONE)
        chosen |= {r.feed.id: r for r in records if r.feed.enabled and r.state.health in bad}
    for feed_id, record in chosen.items():
        feed_history.retry(context.es, context.names, feed_id)
        out.print(f"[green]due now[/] {escape(record.feed.title)}")
    if not chosen:
        out.print("No feed is failing.")


# ── changing the list ────────────────────────────────────────────────────────────────────────────────────────────────


def add_to_list(settings: Settings, specs: Sequence[FeedSpec], *, store: bool) -> tuple[tuple[Feed, ...], str]:
    """The added feeds, and where they were added: to the file, or to the list in Elasticsearch."""
    from ingest.feed_list.feed_file import add_feeds
    from jobs import feed_list

    path = feed_list.path_of(settings)
    is_file = not store and feed_list.may_write(path)
    if is_file:
        feed_list.refuse_stale(settings, path)
    return feed_list.in_file_or_store(
        lambda: add_feeds(path, specs), lambda: _added_in_store(settings, specs), file=is_file
    )


def _added_in_store(settings: Settings, specs: Sequence[FeedSpec]) -> tuple[Feed, ...]:
    from jobs.configuration import with_listed_feeds
    from store.audit import Deed, digest
    from store.feeds import FeedStore

    context, feeds = with_listed_feeds(settings), [spec.feed() for spec in specs]
    deed = Deed(who(), "feeds added", ", ".join(feed.id for feed in feeds), "", digest(feeds))
    return context.audit.change(deed, lambda: FeedStore(context.es, context.names).add(feeds))


@app.command()
def remove(which: Which, store: InStore = False) -> None:
    """Remove a feed from config/feeds.yaml. Its articles stay; the next poll leaves it out.

    Where the file is read-only or missing, or does not name the feed, it is removed in Elasticsearch. That lasts while
    the file names it; `newswatch feeds add` brings it back.
    """
    settings = settings_here()
    feed, where = _removed(settings, which, store=store)
    out.print(f"[green]removed[/] {escape(feed.title)} [dim]{escape(feed.url)}[/] from {where}", soft_wrap=True)


def _removed(settings: Settings, which: str, *, store: bool) -> tuple[Feed, str]:
    from ingest.feed_list.feed_file import remove_feeds
    from ingest.feed_list.feeds import load_feeds
    from jobs import feed_list
    from jobs.foreseen import answers

    path = feed_list.path_of(settings)
    is_file = not store and feed_list.may_write(path)
    if is_file:
        listed = load_feeds(path)
        if not (is_file := bool(_named(which, listed))) and not answers(settings):
            named_feed(which, listed)  # raises, and says what the file has
    if is_file:
        named_feed(which, listed)
        feed_list.refuse_stale(settings, path)
    return feed_list.in_file_or_store(
        lambda: remove_feeds(path, [named_feed(which, load_feeds(path)).id])[0],
        lambda: _removed_in_store(settings, which),
        file=is_file,
    )


def _removed_in_store(settings: Settings, which: str) -> Feed:
    from jobs.configuration import with_listed_feeds
    from store.audit import Deed, digest
    from store.feeds import FeedStore

    context = with_listed_feeds(settings)
    feeds = FeedStore(context.es, context.names)
    feed = _stored(which, [record for record in feeds.all() if record.feed.enabled]).feed
    context.audit.change(Deed(who(), "feed removed", feed.id, digest(feed)), lambda: feeds.remove(feed.id))
    return feed


@app.command("import")
def import_opml(
    file: Annotated[Path, typer.Argument(metavar="FILE|-", allow_dash=True, help="An OPML list; - is standard input.")],
    store: InStore = False,
    as_json: AsJson = False,
) -> None:
    """Add the feeds of an OPML list to config/feeds.yaml; feeds that are already in it stay unchanged.

    Where the file is read-only or missing, they are listed in Elasticsearch, beside the file.
    """
    from ingest.feed_list.opml import read_opml

    subscriptions = read_opml(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    for problem in subscriptions.problems:
        err.print(f"[yellow]left out[/] {escape(problem)}", soft_wrap=True)
    if not subscriptions.feeds:
        raise typer.Exit(NO_FEED)
    added, where = add_to_list(settings_here(), subscriptions.feeds, store=store)
    if as_json:
        emit_json({"added": added, "problems": subscriptions.problems, "to": where})
    else:
        there = len(subscriptions.feeds) - len(added)
        out.print(
            f"Added [bold]{len(added)}[/] of {len(subscriptions.feeds)} feeds to {where}; "
            f"{there} were already in the list."
        )


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="[FILE|-]", allow_dash=True)] = Path("-"),
) -> None:
    """Write the list of feeds, as `newswatch feeds check` takes it, as OPML 2.0, which any feed reader can import."""
    from ingest.feed_list.opml import write_opml

    document = write_opml(to_poll(settings_here()))
    if str(file) == "-":
        sys.stdout.buffer.write(document)
    else:
        file.write_bytes(document)


# ── looking up ───────────────────────────────────────────────────────────────────────────────────────────────────────


def settings_here() -> Settings:
    from newswatch.settings import Settings

    return Settings()


def to_poll(settings: Settings) -> tuple[Feed, ...]:
    """The feeds that the next poll will list; on standard error, why they are not those of the file."""
    from jobs.foreseen import foreseen_feeds

    listed = foreseen_feeds(settings)
    if listed.note:
        err.print(f"[yellow]{escape(listed.note)}[/]", soft_wrap=True)
    return listed.value


def _stored(which: str, records: Sequence[FeedRecord]) -> FeedRecord:
    if not records:
        raise NewswatchError("No feed is known yet: `newswatch poll` reads config/feeds.yaml.")
    feed = named_feed(which, [record.feed for record in records])
    return next(record for record in records if record.feed.id == feed.id)


def named_feed(which: str, feeds: Sequence[Feed]) -> Feed:
    """The feed that `which` names.

    Raises:
        NewswatchError: it names no feed, or several.
    """
    named = _named(which, feeds)
    if len(named) == 1:
        return named[0]
    if not named:
        raise NewswatchError(f"No feed is called {which!r}. See `newswatch feeds list`.")
    several = ", ".join(f"{feed.title} ({feed.id})" for feed in named[:5])
    raise NewswatchError(f"{which!r} matches {len(named)} feeds; give the id of one: {several}.")


def _named(which: str, feeds: Sequence[Feed]) -> list[Feed]:
    exact = [feed for feed in feeds if which in (feed.id, feed.url)]
    return exact or [feed for feed in feeds if which.casefold() in feed.title.casefold()]
