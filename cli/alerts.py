"""`newswatch alerts`: the saved searches, their states and mails, and changing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.alert_options import Days, SavedSearchId, Yes, changed_by, with_options
from cli.check import show_banner
from cli.output import AsJson, ago, emit_json, err, out, printable, who
from search.filters import lists_of

if TYPE_CHECKING:
    from alerts.saved import SavedSearches
    from jobs.context import Context
    from newswatch.alert import SavedSearch
    from newswatch.delivery import Delivery

alerts_app = typer.Typer(help="The saved searches, and the mails they send.", no_args_is_help=True)

_LINE = 2_000
"""Maximum characters of a line on what was watched."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(alerts_app, name="alerts", rich_help_panel="Use")


def open_searches() -> tuple[Context, SavedSearches]:
    """A context, and the saved searches with the changes in the file applied."""
    from alerts.saved import SavedSearches
    from jobs.applied import seed_searches
    from jobs.context import open_context

    context = open_context()
    saved, seeding = SavedSearches(context.es, context.names), context.bulkhead("seed")
    seed_searches(context, seeding)
    for problem in seeding.problems:
        err.print(f"[bold red]{escape(problem.subject)} is skipped.[/] {escape(problem.reason)}", soft_wrap=True)
    return context, saved


# ── showing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@alerts_app.command("list")
def list_alerts(as_json: AsJson = False) -> None:
    """List the saved searches, what each watches and when it mails."""
    context, saved = open_searches()
    from alerts.bounds import unusable
    from alerts.resting import rests
    from jobs.applied import alerts_if_usable, taken_out

    show_banner(context)
    searches = saved.all()
    resting = rests(context.es, context.names, searches, context.clock()).resting
    broken = {search.id: why for search, why in ((search, unusable(search)) for search in searches) if why}
    problems = {**resting, **broken, **saved.problems()}
    if as_json:
        emit_json(searches)
        return
    table = Table("id", "name", "watches", "mails", "to", box=None, pad_edge=False)
    for search in searches:
        state = _state(search, context, search.id in problems)
        table.add_row(*map(escape, (search.id, search.name, watched(search), state, ", ".join(search.recipients))))
    out.print(table)
    for saved_search_id, why in problems.items():
        err.print(f"[bold red]{escape(saved_search_id)} can't be run.[/] {escape(why)}", soft_wrap=True)
    for why in taken_out(context, alerts_if_usable(context)).values():
        err.print(f"[yellow]{escape(why)}[/]", soft_wrap=True)
    _show_watch(context, (), days=1)


def _show_watch(context: Context, searches: Sequence[SavedSearch], *, days: int) -> None:
    """Show what was watched for these searches; none stand for all feeds."""
    from delivery.watching import watching

    text = watching(context.es, context.names, searches, days=days, now=context.clock())
    span = "day" if days == 1 else f"{days} days"
    out.print(f"In the last {span}: {escape(printable(text.summary, _LINE))}", soft_wrap=True)
    for line in text.lines:
        out.print(f"  {escape(printable(line, _LINE))}", soft_wrap=True)


def _state(search: SavedSearch, context: Context, broken: bool) -> str:
    now = context.clock()
    if broken:
        return "can't be run"
    if not search.enabled:
        return "off"
    if search.expires_at and search.expires_at <= now:
        return "expired"
    muted = search.mute_until and search.mute_until > now
    return f"muted, ends {ago(search.mute_until, now)}" if muted else search.schedule


def watched(search: SavedSearch) -> str:
    """The conditions of a saved search, on one line."""
    parts = [search.query.strip()] if search.query.strip() else []
    parts += [f"tag:{tag.tag} ({tag.level})" for tag in search.tags]
    parts += lists_of(search)
    parts += [f"score ≥ {search.min_score:g}"] if search.min_score else []
    parts += [f"≥ {search.min_sources} sources"] if search.min_sources > 1 else []
    parts += [f"{search.kind} of"] if search.kind != "query" else []
    return " · ".join(parts) or "everything"


@alerts_app.command()
def show(saved_search_id: SavedSearchId, as_json: AsJson = False) -> None:
    """Show a saved search, its earlier versions and its last mails."""
    from delivery.outbox import Outbox

    context, saved = open_searches()
    search, history = saved.get(saved_search_id), saved.history(saved_search_id)
    outbox = Outbox(context.es, context.names)
    outbox.refresh()
    recent = outbox.latest(saved_search_id, 10)
    if as_json:
        emit_json({"search": search, "history": history, "deliveries": recent})
        return
    out.print(f"[bold]{escape(search.name)}[/] ({escape(search.id)}, version {search.version})")
    out.print(escape(watched(search)), soft_wrap=True)
    out.print(f"{escape(_state(search, context, False))} → {escape(', '.join(search.recipients))}")
    if search.note:
        out.print(f"[dim]{escape(search.note)}[/]", soft_wrap=True)
    _show_watch(context, [search], days=7)
    for change in reversed(history):
        edit = f"{change.replaced_at:%d %b %Y %H:%M %Z} {change.replaced_by} changed {', '.join(change.fields)}"
        out.print(f"  version {change.search.version} until {escape(edit)}", soft_wrap=True)
    show_deliveries(context, recent)


def show_deliveries(context: Context, deliveries: Sequence[Delivery]) -> None:
    from store.articles import ArticleStore

    found = ArticleStore(context.es, context.names).in_reach({d.article_id for d in deliveries if d.article_id})
    for delivery in deliveries:
        article = found.articles.get(delivery.article_id)
        gone = "can't be read now" if delivery.article_id in found.unknown else "is no longer in the index"
        title = delivery.headline or (article.title if article else f"an article that {gone}")
        head = f"  {delivery.created_at:%d %b %H:%M %Z} {delivery.kind} [bold]{delivery.state}[/] {escape(title)}"
        out.print(head, soft_wrap=True)
        for outcome in delivery.outcomes:
            when = f" {outcome.at:%d %b %H:%M %Z}" if outcome.at else ""
            why = f": {outcome.error}" if outcome.error else ""
            out.print(f"    {escape(outcome.recipient)} {outcome.state}{when}{escape(why)}", soft_wrap=True)
        if delivery.suppressed_by:
            out.print(f"    {escape(delivery.suppressed_by)}")


@alerts_app.command()
def latency(days: Days = 7, as_json: AsJson = False) -> None:
    """Show how long news took from the publisher to the reader, stage by stage."""
    from delivery.latency import latency as measure
    from jobs.context import open_context

    context = open_context()
    legs = measure(context.es, context.names, context.clock() - timedelta(days=days))
    if as_json:
        emit_json(legs)
        return
    if not legs:
        out.print(f"No mail was sent in the last {days} days.")
        return
    table = Table("leg", "mails", "median", "p95", "p99", "longest", box=None, pad_edge=False)
    for leg in legs:
        seconds = (f"{value:,.1f} s" for value in (leg.p50, leg.p95, leg.p99, leg.longest))
        table.add_row(leg.name, str(leg.mails), *seconds)
    out.print(table)


@alerts_app.command()
def quality(as_json: AsJson = False) -> None:
    """Show how many mails their readers found relevant, with the 95 % interval."""
    from delivery.feedback import quality as measure

    context, saved = open_searches()
    measured = measure(context.es, context.names, [search.id for search in saved.all()])
    if as_json:
        emit_json([{"quality": q, "precision": q.precision, "interval": q.interval} for q in measured])
        return
    table = Table("id", "labelled", "relevant", "precision", "95 %", box=None, pad_edge=False)
    for labels in measured:
        low, high = labels.interval
        shares = (f"{labels.precision:.0%}", f"{low:.0%} – {high:.0%}") if labels.labelled else ("–", "–")
        table.add_row(escape(labels.alert_id), str(labels.labelled), str(labels.relevant), *shares)
    out.print(table)


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@alerts_app.command()
@with_options
def add(saved_search_id: str, fields: dict[str, Any], yes: bool) -> None:
    """Save a new search."""
    from newswatch.alert import SavedSearch

    context, saved = open_searches()
    if any(search.id == saved_search_id for search in saved.all()):
        raise typer.BadParameter(
            f"{saved_search_id} exists already: `newswatch alerts edit {saved_search_id}` changes it"
        )
    new = SavedSearch(saved_search_id, saved_search_id, "", (), owner=who())
    _save(context, new, fields, yes, write=saved.create)


@alerts_app.command()
@with_options
def edit(saved_search_id: str, fields: dict[str, Any], yes: bool) -> None:
    """Change a saved search: the given options replace its values. The previous version is kept."""
    context, saved = open_searches()
    was = saved.get(saved_search_id)
    _save(context, was, fields, yes, write=partial(saved.replace, was))


def _save(
    context: Context, search: SavedSearch, fields: dict[str, Any], yes: bool, write: Callable[..., SavedSearch]
) -> None:
    from alerts.backtest import MANY, backtest
    from alerts.query import check, check_meaning, check_values
    from search.spelling import unsought

    changed = changed_by(search, fields)
    if changed.query != search.query:
        check_meaning(context.names, changed.query)
    check_values(context.es, context.names, changed)
    check(context.es, context.names, changed)
    result = backtest(context.es, context.names, changed, days=30, now=context.clock())
    if result.per_day > MANY and not yes:
        question = f"It would send {result.per_day:.0f} mails a day. Save it anyway?"
        typer.confirm(question, abort=True, err=True)
    kept = write(changed, by=who(), now=context.clock())
    out.print(f"Saved [bold]{escape(kept.id)}[/], version {kept.version}: about {result.per_day:.1f} mails a day.")
    if not result.articles:
        err.print("[yellow]Nothing of the last 30 days matches it. Check its words and filters.[/]")
    if told := unsought(changed.query):
        err.print(f"[yellow]{escape(told)}[/]")


@alerts_app.command()
def mute(
    saved_search_id: SavedSearchId,
    until: Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 7d.")] = "1d",
) -> None:
    """Send no mails of a saved search for a while; what matches in that time is not mailed later either."""
    from alerts.bounds import duration
    from alerts.definitions import UsageError

    context, saved = open_searches()
    try:
        end = context.clock() + timedelta(seconds=duration("mute", until))
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    saved.change(saved_search_id, lambda was: replace(was, mute_until=end), by=who(), now=context.clock())
    out.print(f"[bold]{escape(saved_search_id)}[/] is muted until {end:%d %b %Y %H:%M} UTC.")


@alerts_app.command()
def unmute(
    saved_search_id: SavedSearchId,
    missed: Annotated[bool, typer.Option("--missed", help="Also mail what matched while it was muted.")] = False,
) -> None:
    """Let a saved search mail again; what matched while it was muted stays suppressed unless you add --missed."""
    from delivery.outbox import Outbox

    context, saved = open_searches()
    now = context.clock()
    saved.change(saved_search_id, lambda was: replace(was, mute_until=None), by=who(), now=now)
    out.print(f"[bold]{escape(saved_search_id)}[/] mails again.")
    if missed:
        count = Outbox(context.es, context.names).requeue(saved_search_id, now)
        out.print(f"{stories_of(count)} that it had missed {'is' if count == 1 else 'are'} in the outbox again.")


@alerts_app.command("catch-up")
def catch_up(
    saved_search_id: SavedSearchId,
    since: Annotated[
        str | None, typer.Option("--for", help="How far back: 12h, 3d. Default: to when it was last switched off.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Mail the stories that came in while a saved search was off. Stories that it has already mailed are left out."""
    from alerts.backtest import MANY
    from alerts.bounds import duration
    from alerts.catch_up import missed, off_since
    from alerts.definitions import UsageError
    from jobs.catching_up import enqueue_missed

    context, saved = open_searches()
    search = saved.get(saved_search_id)
    if search.kind != "query" or not search.enabled:
        why = "is off: `newswatch alerts edit ID --on` first" if not search.enabled else f"watches for a {search.kind}"
        raise UsageError(f"{saved_search_id} {why}, so there is nothing to catch up with.")
    try:
        back = timedelta(seconds=duration("catch_up", since)) if since else None
        start = context.clock() - back if back else off_since(saved.history(saved_search_id))
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    if start is None:
        raise UsageError(f"{saved_search_id} was never off: say how far back to look, such as `--for 3d`.")
    matches = missed(context.es, context.names, search, start)
    stories = len({match.story_id for match in matches})
    if stories > MANY and not yes:
        typer.confirm(f"It matches {stories_of(stories)}. Mail them all?", abort=True, err=True)
    owed = enqueue_missed(context, saved_search_id, matches)
    readers = escape(", ".join(search.recipients))
    out.print(f"{stories_of(owed.created)} since {start:%d %b %Y %H:%M} UTC will be mailed to {readers}.")


def stories_of(count: int) -> str:
    return "1 story" if count == 1 else f"{count} stories"


def article_at(context: Context, url: str) -> str:
    """The id of the article at an address; the fragment counts if an article is known by it.

    Raises:
        UsageError: it is not an address, even with `https://` before it.
    """
    from alerts.definitions import UsageError
    from ingest.addresses import AddressError, with_scheme
    from ingest.urls import article_id, former_url, is_part, known_id
    from store.articles import ArticleStore

    url = with_scheme(url)
    try:
        known = known_id(url) if is_part(url) else known_id(former_url(url))
        exists = known != article_id(url) and ArticleStore(context.es, context.names).exist([known])
        return known if exists else article_id(url)
    except AddressError as error:
        raise UsageError(f"{error}: give the article's whole address, such as https://paper.example/story") from error


@alerts_app.command()
def ack(
    url: Annotated[str, typer.Argument(help="Address of an article on the story.")],
    to: Annotated[str, typer.Option("--to", help="The recipient who needs no more mails on it.")],
) -> None:
    """Send a recipient no more mails on a story, except corrections."""
    from alerts.definitions import UsageError
    from delivery.channels.registry import parse_address
    from delivery.feedback import apply_link
    from delivery.links import Link
    from newswatch.errors import NewswatchError
    from store.articles import ArticleStore

    context, _ = open_searches()
    try:
        recipient = parse_address(to)
    except ValueError as error:
        raise UsageError(str(error)) from error
    article_id = article_at(context, url)
    article = ArticleStore(context.es, context.names).get([article_id]).get(article_id)
    if article is None:
        raise NewswatchError("That article was never indexed.")
    story_id = article.story_id or article.id
    apply_link(context.es, context.names, Link("ack", recipient, "*", story_id, article.id), context.clock(), by=who())
    out.print(
        f"{escape(recipient)} gets no more mails on “{escape(article.title)}”, except corrections.", soft_wrap=True
    )


@alerts_app.command()
def remove(saved_search_id: SavedSearchId) -> None:
    """Delete a saved search; its sent mails stay on record. A search in alerts.yaml would come back: turn it off."""
    _, saved = open_searches()
    saved.delete(saved_search_id, by=who())
    out.print(f"[bold]{escape(saved_search_id)}[/] is deleted.")
