"""`newswatch alerts test` and `newswatch explain`: what a search would have matched, and why."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from cli.alert_options import Days, SavedSearchId, Tags, changed_by, fields_of
from cli.alerts import alerts_app, article_at, open_searches, show_deliveries, stories_of
from cli.output import AsJson, emit_json, out
from cli.readings import as_row, reading_lines, readings

if TYPE_CHECKING:
    from alerts.backtest import Backtest
    from alerts.explain import Explanation
    from alerts.saved import SavedSearches
    from delivery.feedback import Quality
    from jobs.context import Context
    from newswatch.alert import SavedSearch
    from newswatch.article import Article
    from newswatch.delivery import Delivery
    from transforms.tag import Reading


def register(app: typer.Typer) -> None:
    """Add `explain` to `app`; `test` is one of the commands of `newswatch alerts`."""
    app.command(rich_help_panel="Use")(explain)


@alerts_app.command("test")
def try_query(
    saved_search_id: Annotated[
        str | None, typer.Argument(metavar="[ALERT]", help="Id of a saved search.", show_default=False)
    ] = None,
    query: Annotated[str | None, typer.Option(help="A query instead, in Lucene syntax; empty: everything.")] = None,
    tag: Tags = None,
    days: Days = 30,
    against: Annotated[int | None, typer.Option(help="Version of the saved search to compare with.")] = None,
    mail: Annotated[
        Path | None, typer.Option(help="Write the mail on the newest stories to this file, as HTML.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a saved search or a query would have matched: mails a day, examples, the difference to a version."""
    from alerts.backtest import backtest
    from alerts.query import check, check_values
    from delivery.feedback import labelled

    context, saved = open_searches()
    tried = _tried(saved, saved_search_id, query, tag)
    old = _version(saved, tried, against) if against is not None else None
    check_values(context.es, context.names, tried)
    check(context.es, context.names, tried)
    result = backtest(context.es, context.names, tried, days=days, now=context.clock())
    if as_json:
        emit_json(
            {
                "days": {str(day): n for day, n in result.days.items()},
                "articles": result.articles,
                "left_out": result.left_out,
                "unrated": result.unrated,
            }
        )
        return
    _show_backtest(result, labelled(context.es, context.names, tried.id, result.story_ids))
    if mail:
        _write_sample(context, tried, result, mail)
    if old:
        _compare(context, tried, old, days)


def _tried(saved: SavedSearches, saved_search_id: str | None, query: str | None, tag: list[str] | None) -> SavedSearch:
    """The saved search, or a search for the query and the tags. A misspelt id is an error, never a query.

    Raises:
        UsageError: nothing is named, or a search and a query both are.
        NewswatchError: there is no such saved search.
    """
    from alerts.definitions import UsageError
    from newswatch.alert import SavedSearch

    if saved_search_id is not None and (query is not None or tag):
        raise UsageError("Name a saved search, or give --query and --tag: not both.")
    if saved_search_id is None and query is None and not tag:
        raise UsageError("Name a saved search (`newswatch alerts list` shows them), or give a query with --query.")
    if saved_search_id is not None:
        return _known(saved, saved_search_id)
    return changed_by(SavedSearch("test", "A query on trial", query or "", ("nobody@localhost",)), fields_of(tag=tag))


def _known(saved: SavedSearches, saved_search_id: str) -> SavedSearch:
    from newswatch.config import did_you_mean
    from newswatch.errors import NewswatchError

    searches = {search.id: search for search in saved.all()}
    if saved_search_id not in searches:
        meant = did_you_mean(saved_search_id, searches) or "; `newswatch alerts list` shows them."
        raise NewswatchError(
            f"There is no saved search {saved_search_id!r}{meant} "
            f"To try it as a query: `newswatch alerts test --query {shlex.quote(saved_search_id)}`."
        )
    return searches[saved_search_id]


def _version(saved: SavedSearches, search: SavedSearch, version: int) -> SavedSearch:
    """An earlier version of the saved search.

    Raises:
        UsageError: it has no such version, or is not saved.
    """
    from alerts.definitions import UsageError

    old = next((change.search for change in saved.history(search.id) if change.search.version == version), None)
    if old is None:
        raise UsageError(f"--against: {search.id} has no version {version}: `newswatch alerts show ALERT` lists them.")
    return old


def _compare(context: Context, search: SavedSearch, old: SavedSearch, days: int) -> None:
    from alerts.backtest import compare

    change = compare(context.es, context.names, search, old, days=days, now=context.clock())
    counts = f"{change.both} the same, {change.only_new} more, {change.only_old} fewer"
    out.print(f"Against version {old.version}: {counts}.")
    _show_articles("[green]+[/]", change.gained)
    _show_articles("[red]-[/]", change.lost)


def _write_sample(context: Context, search: SavedSearch, result: Backtest, path: Path) -> None:
    from delivery.sample import sample

    if not result.examples:
        out.print("Nothing matches, so there is no mail to show.")
        return
    html = sample(context.es, context.names, context.settings, search, result.examples, context.clock())
    path.write_text(html, encoding="utf-8")
    out.print(f"Its mail is in [bold]{escape(str(path))}[/]; open it in a browser.", soft_wrap=True)


def _show_backtest(result: Backtest, labels: Quality) -> None:
    most = max(result.days.values()) or 1
    for day, count in result.days.items():
        out.print(f"{day:%d %b}  {'█' * round(40 * count / most):<40}  {count}")
    stories = stories_of(result.stories)
    articles = "1 article" if result.articles == 1 else f"{result.articles} articles"
    out.print(f"[bold]{stories}[/] in {articles}: {result.per_day:.1f} mails a day.")
    if result.left_out:
        unrated = f", {result.unrated} of them by outlets that nobody has rated" if result.unrated else ""
        out.print(f"Left out as less reliable: {result.left_out} articles{unrated}.")
    if labels.labelled:
        low, high = labels.interval
        share = f"{labels.precision:.0%} ({low:.0%} – {high:.0%})"
        out.print(f"Of {labels.labelled} labelled mails on these stories, {share} were relevant.")
    _show_articles(" ", result.examples)


def _show_articles(mark: str, articles: Sequence[Article]) -> None:
    for article in articles:
        when = article.published or article.first_seen
        line = f"{mark} {when:%d %b %H:%M %Z}  {escape(article.title)} [dim]{escape(article.source.name)}[/]"
        out.print(line, soft_wrap=True)


def explain(
    saved_search_id: SavedSearchId,
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the article.")],
    as_json: AsJson = False,
) -> None:
    """Explain clause by clause why a saved search matches an article or does not, and show its mail.

    If the search asks for tags, also show how the article's sentences were read for their topics.
    """
    from alerts.explain import explain as ask
    from delivery.outbox import Outbox

    context, saved = open_searches()
    search = saved.get(saved_search_id)
    explanation = ask(context.es, context.names, search, article_at(context, url))
    read = _readings(context, explanation.article, search)
    outbox = Outbox(context.es, context.names)
    outbox.refresh()
    deliveries = outbox.about(saved_search_id, explanation.article.story_id)
    if as_json:
        emit_json(_as_object(search, explanation, read, deliveries))
        return
    _show_explanation(search, explanation)
    for topic, sentences in read.items():
        for line in reading_lines(sentences, topic):
            out.print(line, soft_wrap=True)
    if not explanation.matches and len(explanation.nearest_miss) == 1:
        out.print(f"It misses by one condition: {escape(explanation.nearest_miss[0].text)}", soft_wrap=True)
    if deliveries:
        show_deliveries(context, deliveries)
    elif explanation.matches:
        out.print("No mail was due: the article was indexed before this search existed, or has not been matched yet.")


def _show_explanation(search: SavedSearch, explanation: Explanation) -> None:
    verdict = "[bold green]matches[/]" if explanation.matches else "[bold red]does not match[/]"
    out.print(f"[bold]{escape(search.id)}[/] {verdict}: {escape(explanation.article.title)}", soft_wrap=True)
    for clause in explanation.clauses:
        mark = "[green]✓[/]" if clause.holds else "[red]✗[/]"
        out.print(f"{'    ' if clause.part else '  '}{mark} {escape(clause.text)}", soft_wrap=True)


def _as_object(
    search: SavedSearch,
    explanation: Explanation,
    read: Mapping[str, Sequence[Reading]],
    deliveries: Sequence[Delivery],
) -> dict[str, Any]:
    """The explanation for scripts, with the article's id and address instead of its text."""
    article = explanation.article
    return {
        "search": search.id,
        "version": search.version,
        "article": {"id": article.id, "url": article.address, "title": article.title, "story_id": article.story_id},
        "matches": explanation.matches,
        "clauses": explanation.clauses,
        "nearest_miss": [clause.text for clause in explanation.nearest_miss],
        "readings": {topic: [as_row(reading) for reading in sentences] for topic, sentences in read.items()},
        "deliveries": deliveries,
    }


def _readings(context: Context, article: Article, search: SavedSearch) -> dict[str, list[Reading]]:
    """For each topic that the search requires, how the article's sentences were read for it."""
    topics = [*dict.fromkeys(wanted.tag.split("/")[0] for wanted in search.tags)]
    if not topics:
        return {}
    from jobs.tagger import tagger_of

    tagger = tagger_of(context, adopt=False)
    return {
        topic: [
            *readings(
                tagger,
                [topic],
                title=article.title,
                summary=article.summary,
                text=article.text,
                language=article.language,
                date=article.published,
            )
        ]
        for topic in topics
        if topic in tagger.taxonomy.topics
    }
