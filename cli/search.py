"""`newswatch search`: finds, counts, exports and follows articles."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from time import sleep
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand

from cli.exit_codes import STORE
from cli.output import AsJson, emit_json, err, out
from newswatch.as_json import json_line

if TYPE_CHECKING:
    from jobs.context import Context
    from newswatch.article import Article
    from search.asked import Sort
    from search.facets import Facet
    from search.query import Hit, Results


_MOST_ELSEWHERE = 200
"""Maximum results of one search by the API."""


class Order(StrEnum):
    """The order of the results."""

    RELEVANCE = "relevance"
    TIME = "time"


class Export(StrEnum):
    """The formats of `--export`."""

    JSONL = "jsonl"
    CSV = "csv"
    STIX = "stix"


class QueryCommand(TyperCommand):
    """A command whose query may begin with a minus: `-tag:nato lang:fr` is not an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as click does, with such queries moved behind a `--`."""
        queries = [] if "--" in args else [arg for arg in args if _EXCLUDING.match(arg)]
        rest = [arg for arg in args if arg not in queries]
        return super().parse_args(ctx, [*rest, "--", *queries] if queries else rest)


_EXCLUDING = re.compile(r'-(?!-)(["(]|[a-z]+:|\S+\s)')


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(rich_help_panel="Use", epilog=_help(), cls=QueryCommand)(search)


def _help() -> str:
    from search.filters import FILTERS

    lines = "\n\n".join(f"{name}: {filter_.help}" for name, filter_ in FILTERS.items())
    return f"Short filters (commas mean any of the values, a leading - excludes):\n\n{lines}"


def search(
    query: Annotated[
        str,
        typer.Argument(help='Words, "phrases", AND OR NOT, title:word, and short filters: tag:TOPIC lang:fr since:7d.'),
    ],
    size: Annotated[int, typer.Option("--size", "-n", min=1, max=10_000, help="Maximum number of results.")] = 10,
    sort: Annotated[
        Order, typer.Option(help="Most relevant first, preferring new ones; or newest first.")
    ] = Order.RELEVANCE,
    stories: Annotated[bool, typer.Option("--stories", help="One result per story.")] = False,
    facets: Annotated[bool, typer.Option("--facets", help="Count topics, outlets, countries, languages.")] = False,
    export: Annotated[Export | None, typer.Option(help="Write all results, without a limit.")] = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for --export; default: standard output.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show new articles as they arrive, until interrupted.")
    ] = False,
    every_s: Annotated[
        float, typer.Option("--every", min=0.2, max=86_400, help="Seconds between two queries of --watch.")
    ] = 5,
    server: Annotated[
        str | None,
        typer.Option(
            help="Ask the installation at this address, by its API. Default: NEWSWATCH_SERVER, else this one."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the articles."""
    from cli import remote
    from cli.output import stated
    from jobs.context import open_context

    if watch and (export or stories or facets):
        raise typer.BadParameter(
            "--watch shows articles as they arrive: it can't be combined with --export, --stories or --facets"
        )
    if file and not export:
        raise typer.BadParameter("--output is the file of --export: add --export csv, jsonl or stix")
    elsewhere = server or stated().server
    if elsewhere and (export or facets or size > _MOST_ELSEWHERE):
        fits = f"--export, --facets and more than {_MOST_ELSEWHERE} results can't be asked of a server"
        raise typer.BadParameter(f"{fits}: use its News page, or `newswatch.client`")
    order: Sort = "time" if sort is Order.TIME else "relevance"
    if elsewhere and watch:
        remote.watch(elsewhere, query, every_s, as_json=as_json)
        return
    if elsewhere:
        remote.find(elsewhere, query, size, order, stories=stories, as_json=as_json)
        return
    context = open_context()
    if watch:
        _watch(context, query, every_s, as_json)
    elif export:
        _export(context, query, order, stories, export, file)
    else:
        _find(context, query, size, order, stories, facets, as_json)


def _find(context: Context, query: str, size: int, order: Sort, stories: bool, facets: bool, as_json: bool) -> None:
    from search.meant import told
    from search.query import find

    now = context.clock()
    results = find(
        context.es,
        context.names,
        query,
        size=size,
        sort=order,
        by_story=stories,
        with_facets=facets,
        with_story=stories,
        now=now,
        vectors=context.settings.vectors,
        said_first=True,
    )
    if results.relaxed:
        also = ", or mean the same" if results.similar else ""
        err.print(f"[yellow]No article has all of these words. These have some of them{also}:[/]")
    _tell_shortened(results.shortened)
    if unmeant := told(results.unmeant, by_name="vectors" in context.settings.model_fields_set):
        err.print(f"[yellow]{escape(unmeant)}[/]")
    if as_json:
        for hit in results.hits:
            emit_json(
                {
                    "highlights": hit.highlights,
                    "stand_ins": hit.stand_ins,
                    "copy": hit.copy,
                    "by_meaning": hit.by_meaning,
                    "has_all_words": not (hit.lacks_words or hit.by_meaning or results.relaxed),
                    "article": hit.article,
                    "matching": hit.matching,
                }
                | ({"story": hit.story} if stories else {})
            )
        if facets:
            emit_json({"facets": results.facets})
        _tell_missing(results)
        return
    for place, hit in enumerate(results.hits):
        if place == results.filled and not results.relaxed:
            err.print("[yellow]These have only some of the words:[/]")
        _show(hit, is_close=results.is_close(place))
    if not results.total:
        _show_hints(context, query)
    if facets:
        _show_facets(results.facets)
    _show_count(results)
    _tell_missing(results)


def _tell_shortened(shortened: str) -> None:
    """Say which words are not looked for, if any."""
    if shortened:
        err.print(f"[yellow]{escape(shortened)}[/]")


def _tell_missing(results: Results) -> None:
    """Say what could not be searched, and end with the exit code of Elasticsearch's faults."""
    if results.missing:
        err.print(f"[yellow]{escape(str(results.missing))}[/]")
        raise typer.Exit(STORE)


def _show(hit: Hit, *, is_close: bool = False) -> None:
    article = hit.article
    out.print(_marked(hit.highlights.get("title", (article.title,))[0], "bold"), soft_wrap=True)
    when = f"{article.published or article.first_seen:%d %b %Y %H:%M %Z}"
    tags = " ".join(f"{tag.tag}{'*' if tag.level == 'main' else ''}" for tag in article.tags)
    outlet = f"{article.source.name} [{article.source.reliability or '–'}]"
    outlet += " state media" if article.source.state_media else ""
    tags += " · found by meaning" if hit.by_meaning else " · close match" if is_close else ""
    out.print(Text(f"{outlet} · {when} · {tags}", style="dim"), soft_wrap=True)
    if hit.story.articles > 1:
        out.print(Text(_in_figures(hit), style="dim"), soft_wrap=True)
    for fragment in hit.highlights.get("text", ())[:1]:
        out.print(_marked(" ".join(fragment.split()), ""), soft_wrap=True)
    if hit.copy:
        outlet = f" · {hit.copy.article.source.name}"
        out.print(Text.assemble(("also headed ", "dim"), _marked(hit.copy.title, ""), (outlet, "dim")), soft_wrap=True)
    for one in hit.stand_ins:
        out.print(Text(f"{one.name} ← {one.word}", style="dim"), soft_wrap=True)
    out.print(Text(article.address, style="cyan"), soft_wrap=True)
    out.print()


def _in_figures(hit: Hit) -> str:
    story = hit.story
    of = f"{hit.matching} of " if hit.matching < story.articles else ""
    changed = f" · newest change {story.changed_at:%d %b %Y %H:%M} UTC" if story.changed_at else ""
    counts = f"{story.independent} independent sources · {story.outlets} outlets · {story.owners} owners"
    if story.credibility:
        counts += f" · credibility {story.credibility.number}, {story.credibility.meaning}"
    return f"{of}{story.articles} articles · {counts} · {', '.join(story.languages)}{changed}"


def _show_hints(context: Context, query: str) -> None:
    """Show which short filter excludes everything, or that there is nothing yet."""
    from search.editing import written
    from search.hints import has_articles, hints

    if not has_articles(context.es, context.names):
        err.print("There is no article yet: `newswatch feeds list` shows how the feeds are doing.", markup=False)
        return
    for hint in hints(context.es, context.names, query, context.clock()):
        if hint.alone == 0:
            name = hint.filter.lstrip("-!").partition(":")[0]
            meant = " or ".join(written(name, value) for value in hint.meant)
            question = f": did you mean {meant}?" if meant else "."
            err.print(Text(f"No article has {hint.filter}{question}"), soft_wrap=True)
        elif hint.without:
            err.print(Text(f"Without {hint.filter}: {hint.without}"), soft_wrap=True)


def _show_facets(facets: Iterable[Facet]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("Filter")
    table.add_column("Articles", justify="right")
    table.add_column("")
    for facet in facets:
        for bucket in facet.buckets:
            label = "" if bucket.label == bucket.value else bucket.label
            note = f"main in {bucket.main}" if bucket.main else label
            table.add_row(Text(f"{facet.name}:{bucket.value}"), str(bucket.count), Text(note, style="dim"))
    out.print(table)
    out.print()


def _show_count(results: Results) -> None:
    shown = len(results.hits)
    of = results.total if results.stories is None else results.stories
    more = f", {shown} shown" if shown < of else ""
    stories = "" if results.stories is None else f" in [bold]{results.stories}[/] stories"
    out.print(f"[bold]{results.total}[/] found{stories} in {results.took_ms} ms{more}.")


def _marked(fragment: str, style: str) -> Text:
    from search.highlight import unmarked

    plain, spans = unmarked(fragment)
    text = Text(plain, style=style)
    for start, end in spans:
        text.stylize("black on yellow", start, end)
    return text


def _export(context: Context, query: str, order: Sort, stories: bool, form: Export, file: Path | None) -> None:
    from search.asked import shortened
    from search.export import every

    exported = every(context.es, context.names, query, sort=order, by_story=stories, now=context.clock())
    # Closed here: at the interpreter's end it would wait forever for a connection to close its point in time.
    with closing(exported) as articles:
        first = next(articles, None)  # a query that can't be run must not empty an existing file
        with _opened(file) as target:
            counted = _Counted(chain([first], articles) if first else ())
            _write(context, query, form, counted, target)
            count = counted.count
    _tell_shortened(shortened(query, context.names))
    err.print(f"[bold]{count}[/] {'stories' if stories else 'articles'} written.")


@contextmanager
def _opened(file: Path | None) -> Iterator[IO[str]]:
    if file is None:
        yield sys.stdout
        return
    with file.open("w", encoding="utf-8", newline="") as target:
        yield target


class _Counted:
    """Articles, counted as they pass."""

    def __init__(self, articles: Iterable[Article]) -> None:
        self._articles = articles
        self.count = 0

    def __iter__(self) -> Iterator[Article]:
        for article in self._articles:
            self.count += 1
            yield article


def _write(context: Context, query: str, form: Export, articles: Iterable[Article], target: IO[str]) -> None:
    from search.export import CsvWriter
    from search.stix import bundle_lines

    if form is Export.STIX:
        settings, name = context.settings, f"{query} {context.clock().isoformat()}"
        target.writelines(bundle_lines(articles, base=settings.public_url, tlp=settings.stix_tlp, name=name))
        return
    write = CsvWriter(target, as_file=target is not sys.stdout).write if form is Export.CSV else None
    for article in articles:
        if write:
            write(article)
        else:
            print(json_line(article), file=target)


def _watch(context: Context, query: str, every_s: float, as_json: bool) -> None:
    from search.asked import shortened
    from search.query import Hit
    from search.tail import Tail

    tail = Tail.start(context.es, context.names, query, context.clock())
    _tell_shortened(shortened(query, context.names))
    err.print(f"Waiting for articles that match {query!r}; Ctrl-C stops.", markup=False)
    try:
        while True:
            for article in tail.new(context.clock()):
                if as_json:
                    emit_json({"article": article})
                    sys.stdout.flush()
                else:
                    _show(Hit(article, 0.0, {}))
            sleep(every_s)
    except KeyboardInterrupt:
        err.print()
