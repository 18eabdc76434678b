"""`newswatch alerts` and `newswatch explain`: the saved searches, what they match, and what became of the mails."""

from __future__ import annotations

import getpass
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, ago, emit_json, err, os_fault, out

if TYPE_CHECKING:
    from alerts.saved import SavedSearches
    from alerts.trial import Trial
    from delivery.feedback import Quality
    from jobs.context import Context
    from newswatch.alert import SavedSearch
    from newswatch.article import Article
    from newswatch.delivery import Delivery

alerts_app = typer.Typer(help="The saved searches, and the mails they send.", no_args_is_help=True)

AlertId = Annotated[str, typer.Argument(help="Id of the saved search.", metavar="ALERT")]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How many days back.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Save it even if it would send more than 30 mails a day.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="nato, or nato:main; all must be there.")]

OPTIONS: Mapping[str, tuple[str, Any]] = {
    "name": ("name", Annotated[str | None, typer.Option(help="What mails call it.")]),
    "query": ("query", Annotated[str | None, typer.Option(help="Lucene syntax, as in Kibana.")]),
    "tag": ("tags", Tags),
    "to": ("recipients", Annotated[list[str] | None, typer.Option(help="Recipient; give it once for each.")]),
    "schedule": (
        "schedule",
        Annotated[str | None, typer.Option(help="instant, hourly, or: daily at 07:00 Europe/Brussels.")],
    ),
    "language": ("languages", Annotated[list[str] | None, typer.Option(help="en, fr, …; any of them.")]),
    "country": ("countries", Annotated[list[str] | None, typer.Option(help="Of the outlet: BE, …; any of them.")]),
    "source": ("sources", Annotated[list[str] | None, typer.Option(help="Domain of the outlet; any of them.")]),
    "kind": ("kinds", Annotated[list[str] | None, typer.Option(help="press, agency, government, …; any of them.")]),
    "min_score": ("min_score", Annotated[float | None, typer.Option(help="Least score of the tags, 0 to 1.")]),
    "min_sources": ("min_sources", Annotated[int | None, typer.Option(help="Independent sources it takes.")]),
    "throttle": ("throttle", Annotated[str | None, typer.Option(help="Least time between two mails: 30m, 2h.")]),
    "updates": (
        "updates",
        Annotated[bool | None, typer.Option("--updates/--no-updates", help="Mail later articles on a story too.")],
    ),
    "fires_on": (
        "kind",
        Annotated[str | None, typer.Option(help="query (each story), spike (far more than usual), silence (none).")],
    ),
    "silence": ("silence", Annotated[str | None, typer.Option(help="How long none may match, for silence: 2d.")]),
    "expires": ("expires_at", Annotated[str | None, typer.Option(help="When it ends: 2027-01-31, or with a time.")]),
    "owner": ("owner", Annotated[str | None, typer.Option(help="Whose it is.")]),
    "note": ("note", Annotated[str | None, typer.Option(help="For yourself and others.")]),
    "enabled": ("enabled", Annotated[bool | None, typer.Option("--on/--off", help="Whether it is matched at all.")]),
}
"""Option of `add` and `edit` → the field of `alerts.yaml` that it sets, and how it is given."""


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(alerts_app, name="alerts", rich_help_panel="Use")
    app.command(rich_help_panel="Use")(explain)


def _open() -> tuple[Context, SavedSearches]:
    """A context, and the saved searches with what the file says taken over."""
    from alerts.saved import SavedSearches
    from delivery.channels.registry import parse_address
    from jobs.context import open_context

    context = open_context()
    saved, seeding = SavedSearches(context.es, context.names), context.bulkhead("seed")
    saved.seed_from_file(context.settings.config_dir / "alerts.yaml", parse_address, seeding, now=context.clock())
    for problem in seeding.problems:
        err.print(f"[bold red]{escape(problem.subject)} is passed over.[/] {escape(problem.reason)}", soft_wrap=True)
    return context, saved


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@alerts_app.command("list")
def list_alerts(as_json: AsJson = False) -> None:
    """Every saved search, with what it watches and when it mails."""
    context, saved = _open()
    from alerts.bounds import unusable
    from alerts.resting import rests

    searches = saved.all()
    resting = rests(context.es, context.names, searches, context.clock()).resting
    broken = {search.id: why for search in searches if (why := unusable(search))}
    problems = {**resting, **broken, **saved.problems()}
    if as_json:
        emit_json(searches)
        return
    table = Table("id", "name", "watches", "mails", "to", box=None, pad_edge=False)
    for search in searches:
        state = _state(search, context, search.id in problems)
        table.add_row(*map(escape, (search.id, search.name, watched(search), state, ", ".join(search.recipients))))
    out.print(table)
    for alert_id, why in problems.items():
        err.print(f"[bold red]{escape(alert_id)} can't be run.[/] {escape(why)}", soft_wrap=True)


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
    """What a saved search finds, on one line."""
    parts = [search.query.strip()] if search.query.strip() else []
    parts += [f"tag:{tag.tag} ({tag.level})" for tag in search.tags]
    lists = {"lang": search.languages, "country": search.countries, "source": search.sources, "kind": search.kinds}
    parts += [f"{name}:{','.join(values)}" for name, values in lists.items() if values]
    parts += [f"score ≥ {search.min_score:g}"] if search.min_score else []
    parts += [f"≥ {search.min_sources} sources"] if search.min_sources > 1 else []
    parts += [f"{search.kind} of"] if search.kind != "query" else []
    return " · ".join(parts) or "everything"


@alerts_app.command()
def show(alert_id: AlertId, as_json: AsJson = False) -> None:
    """One saved search with its versions and its last mails."""
    from delivery.outbox import Outbox

    context, saved = _open()
    search, history = saved.get(alert_id), saved.history(alert_id)
    outbox = Outbox(context.es, context.names)
    outbox.refresh()
    recent = outbox.latest(alert_id, 10)
    if as_json:
        emit_json({"search": search, "history": history, "deliveries": recent})
        return
    out.print(f"[bold]{escape(search.name)}[/] ({escape(search.id)}, version {search.version})")
    out.print(escape(watched(search)), soft_wrap=True)
    out.print(f"{escape(_state(search, context, False))} → {escape(', '.join(search.recipients))}")
    if search.note:
        out.print(f"[dim]{escape(search.note)}[/]", soft_wrap=True)
    for change in reversed(history):
        told = f"{change.replaced_at:%d %b %Y %H:%M} {change.replaced_by} changed {', '.join(change.fields)}"
        out.print(f"  version {change.search.version} until {escape(told)}", soft_wrap=True)
    _show_deliveries(context, recent)


def _show_deliveries(context: Context, deliveries: Sequence[Delivery]) -> None:
    from store.articles import ArticleStore

    articles = ArticleStore(context.es, context.names).get({d.article_id for d in deliveries if d.article_id})
    for found in deliveries:
        article = articles.get(found.article_id)
        told = found.headline or (article.title if article else "an article that is no longer in the index")
        head = f"  {found.created_at:%d %b %H:%M} {found.kind} [bold]{found.state}[/] {escape(told)}"
        out.print(head, soft_wrap=True)
        for outcome in found.outcomes:
            when = f" {outcome.at:%d %b %H:%M}" if outcome.at else ""
            why = f": {outcome.error}" if outcome.error else ""
            out.print(f"    {escape(outcome.recipient)} {outcome.state}{when}{escape(why)}", soft_wrap=True)
        if found.suppressed_by:
            out.print(f"    {escape(found.suppressed_by)}")


@alerts_app.command()
def latency(days: Days = 7, as_json: AsJson = False) -> None:
    """How long news took from the publisher to the reader, leg by leg."""
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
    """How many mails were relevant, by what their readers said, with the 95 % interval."""
    from delivery.feedback import quality as measure

    context, saved = _open()
    found = measure(context.es, context.names, [search.id for search in saved.all()])
    if as_json:
        emit_json([{"quality": q, "precision": q.precision, "interval": q.interval} for q in found])
        return
    table = Table("id", "labelled", "relevant", "precision", "95 %", box=None, pad_edge=False)
    for one in found:
        low, high = one.interval
        told = (f"{one.precision:.0%}", f"{low:.0%} – {high:.0%}") if one.labelled else ("–", "–")
        table.add_row(escape(one.alert_id), str(one.labelled), str(one.relevant), *told)
    out.print(table)


# ── trying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@alerts_app.command("test")
def try_query(
    query: Annotated[str, typer.Argument(help="Lucene syntax; or the id of a saved search.")],
    tag: Tags = None,
    days: Days = 30,
    against: Annotated[int | None, typer.Option(help="Version of the saved search to compare with.")] = None,
    mail: Annotated[Path | None, typer.Option(help="Write the mail on the newest stories there, as HTML.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a query would have matched in the archive: mails a day, examples, and the difference to a version."""
    from alerts.query import check
    from alerts.saved import with_fields
    from alerts.trial import compare, trial
    from delivery.channels.registry import parse_address
    from delivery.feedback import labelled
    from newswatch.alert import SavedSearch

    context, saved = _open()
    known = next((search for search in saved.all() if search.id == query), None)
    tried = known or SavedSearch("test", query or "everything", query, ("nobody@localhost",))
    if tag:
        tried = with_fields(tried, _fields(tag=tag), parse_address)
    check(context.es, context.names, tried)
    found = trial(context.es, context.names, tried, days=days, now=context.clock())
    if as_json:
        emit_json({"days": {str(day): n for day, n in found.days.items()}, "articles": found.articles})
        return
    _show_trial(found, labelled(context.es, context.names, tried.id, found.story_ids))
    if mail:
        _write_sample(context, tried, found, mail)
    if against is not None and known:
        old = next((c.search for c in saved.history(known.id) if c.search.version == against), None)
        if old is None:
            raise typer.BadParameter(f"{known.id} has no version {against}: `newswatch alerts show` lists them")
        change = compare(context.es, context.names, tried, old, days=days, now=context.clock())
        out.print(f"Against version {against}: {change.both} the same, {change.only_new} more, {change.only_old} less.")
        _show_articles("[green]+[/]", change.gained)
        _show_articles("[red]-[/]", change.lost)


def _write_sample(context: Context, search: SavedSearch, found: Trial, path: Path) -> None:
    from delivery.sample import sample
    from newswatch.errors import NewswatchError

    if not found.examples:
        out.print("Nothing matches, so there is no mail to show.")
        return
    html = sample(context.es, context.names, context.settings, search, found.examples, context.clock())
    try:
        path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise NewswatchError(os_fault(error)) from error
    out.print(f"Its mail: [bold]{escape(str(path))}[/], to be opened in a browser.", soft_wrap=True)


def _show_trial(found: Trial, labels: Quality) -> None:
    most = max(found.days.values()) or 1
    for day, count in found.days.items():
        out.print(f"{day:%d %b}  {'█' * round(40 * count / most):<40}  {count}")
    stories = _stories(found.stories)
    articles = "1 article" if found.articles == 1 else f"{found.articles} articles"
    out.print(f"[bold]{stories}[/] in {articles}: {found.per_day:.1f} mails a day.")
    if labels.labelled:
        low, high = labels.interval
        told = f"{labels.precision:.0%} ({low:.0%} – {high:.0%})"
        out.print(f"Of {labels.labelled} labelled mails on these stories, {told} were relevant.")
    _show_articles(" ", found.examples)


def _show_articles(mark: str, articles: Sequence[Article]) -> None:
    for article in articles:
        when = article.published or article.first_seen
        told = f"{mark} {when:%d %b %H:%M}  {escape(article.title)} [dim]{escape(article.source.name)}[/]"
        out.print(told, soft_wrap=True)


def _article_at(context: Context, url: str) -> str:
    """The id of the article at an address; a fragment counts where an article is known by it.

    Raises:
        UsageError: it is no address, with or without its `https://`.
    """
    from alerts.saved import UsageError
    from ingest.urls import AddressError, article_id, is_part, known_id, with_scheme
    from store.articles import ArticleStore

    url = with_scheme(url)
    try:
        known = is_part(url) and ArticleStore(context.es, context.names).exist([known_id(url)])
        return known_id(url) if known else article_id(url)
    except AddressError as error:
        raise UsageError(f"{error}: give the article's whole address, such as https://paper.example/story") from error


def explain(alert_id: AlertId, url: Annotated[str, typer.Argument(help="Of the article.")]) -> None:
    """Why a saved search matches an article or does not, clause by clause, and what became of the mail.

    Where it asks for tags, also how the article's sentences were read for their topics.
    """
    from alerts.explain import explain as ask
    from delivery.outbox import Outbox

    context, saved = _open()
    found = ask(context.es, context.names, saved.get(alert_id), _article_at(context, url))
    verdict = "[bold green]matches[/]" if found.matches else "[bold red]does not match[/]"
    out.print(f"[bold]{escape(alert_id)}[/] {verdict}: {escape(found.article.title)}", soft_wrap=True)
    for clause in found.clauses:
        mark = "[green]✓[/]" if clause.holds else "[red]✗[/]"
        out.print(f"{'    ' if clause.part else '  '}{mark} {escape(clause.text)}", soft_wrap=True)
    _show_readings(context, found.article, saved.get(alert_id))
    if not found.matches and len(found.nearest_miss) == 1:
        out.print(f"It misses by one condition: {escape(found.nearest_miss[0].text)}", soft_wrap=True)
    outbox = Outbox(context.es, context.names)
    outbox.refresh()
    if deliveries := outbox.about(alert_id, found.article.story_id):
        _show_deliveries(context, deliveries)
    elif found.matches:
        out.print("Nothing was ever owed for it: it came in before the search was saved, or waits to be matched.")


def _show_readings(context: Context, article: Article, search: SavedSearch) -> None:
    """How the article's sentences were read for each topic that the search asks a tag of."""
    from cli.readings import readings, told
    from jobs.tagger import tagger_of

    topics = [*dict.fromkeys(wanted.tag.split("/")[0] for wanted in search.tags)]
    if not topics:
        return
    tagger = tagger_of(context.settings.config_dir)
    known = [topic for topic in topics if topic in tagger.taxonomy.topics]
    read = [
        *readings(
            tagger,
            known,
            title=article.title,
            summary=article.summary,
            text=article.text,
            language=article.language,
            date=article.published,
        )
    ]
    for topic in known:
        for line in told(read, topic):
            out.print(line, soft_wrap=True)


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_options(command: Callable[[str, dict[str, Any], bool], None]) -> Callable[..., None]:
    """The command with an option for each field; it is handed those that were given."""

    def called(alert_id: str, yes: bool = False, **given: Any) -> None:
        command(alert_id, _fields(**given), yes)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("alert_id", kind, annotation=AlertId),
            *(inspect.Parameter(name, kind, default=None, annotation=how) for name, (_, how) in OPTIONS.items()),
            inspect.Parameter("yes", kind, default=False, annotation=Yes),
        ]
    )
    called.__annotations__ = {"alert_id": AlertId, **{name: how for name, (_, how) in OPTIONS.items()}, "yes": Yes}
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    return called


def _fields(**given: Any) -> dict[str, Any]:
    """Options that were given, as fields of `alerts.yaml`."""
    fields = {OPTIONS[name][0]: value for name, value in given.items() if value is not None and value != []}
    if "tags" in fields:
        parts = (tag.partition(":") for tag in fields["tags"])
        fields["tags"] = [{"tag": tag, "level": level or "mention"} for tag, _, level in parts]
    return fields


@alerts_app.command()
@_with_options
def add(alert_id: str, fields: dict[str, Any], yes: bool) -> None:
    """Save a new search."""
    from newswatch.alert import SavedSearch

    context, saved = _open()
    if any(search.id == alert_id for search in saved.all()):
        raise typer.BadParameter(f"there is a saved search {alert_id} already: `newswatch alerts edit {alert_id}`")
    _save(context, saved, SavedSearch(alert_id, alert_id, "", (), owner=_who()), fields, yes)


@alerts_app.command()
@_with_options
def edit(alert_id: str, fields: dict[str, Any], yes: bool) -> None:
    """Change a saved search: what is given replaces what it had. The version before is kept."""
    context, saved = _open()
    _save(context, saved, saved.get(alert_id), fields, yes)


def _save(context: Context, saved: SavedSearches, search: SavedSearch, fields: dict[str, Any], yes: bool) -> None:
    from alerts.query import check
    from alerts.saved import with_fields
    from alerts.trial import MANY, trial
    from delivery.channels.registry import parse_address

    changed = with_fields(search, fields, parse_address)
    check(context.es, context.names, changed)
    found = trial(context.es, context.names, changed, days=30, now=context.clock())
    if found.per_day > MANY and not yes:
        told = f"It would send {found.per_day:.0f} mails a day. Save it all the same?"
        typer.confirm(told, abort=True, err=True)
    kept = saved.save(changed, by=_who(), now=context.clock())
    out.print(f"Saved [bold]{escape(kept.id)}[/], version {kept.version}: about {found.per_day:.1f} mails a day.")


def _who() -> str:
    return f"{getpass.getuser()} (command line)"


@alerts_app.command()
def mute(
    alert_id: AlertId,
    until: Annotated[str, typer.Option("--for", help="30m, 2h, 7d.")] = "1d",
) -> None:
    """Send nothing of a saved search for a while, to nobody; what matches meanwhile is not mailed later either."""
    from alerts.bounds import duration
    from alerts.saved import UsageError

    context, saved = _open()
    try:
        end = context.clock() + timedelta(seconds=duration("mute", until))
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    saved.save(replace(saved.get(alert_id), mute_until=end), by=_who(), now=context.clock())
    out.print(f"[bold]{escape(alert_id)}[/] is muted until {end:%d %b %Y %H:%M} UTC.")


@alerts_app.command()
def unmute(
    alert_id: AlertId,
    missed: Annotated[bool, typer.Option("--missed", help="Mail what matched while it was muted, too.")] = False,
) -> None:
    """Let a saved search mail again; what matched while it was muted stays suppressed unless asked for."""
    from delivery.outbox import Outbox

    context, saved = _open()
    now = context.clock()
    saved.save(replace(saved.get(alert_id), mute_until=None), by=_who(), now=now)
    out.print(f"[bold]{escape(alert_id)}[/] mails again.")
    if missed:
        count = Outbox(context.es, context.names).requeue(alert_id, now)
        out.print(f"{_stories(count)} that it had missed {'is' if count == 1 else 'are'} owed again.")


@alerts_app.command("catch-up")
def catch_up(
    alert_id: AlertId,
    since: Annotated[
        str | None, typer.Option("--for", help="How far back: 12h, 3d. By default to when it was last switched off.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Mail the stories that came in while a saved search was off; a story that it has told is not repeated."""
    from alerts.bounds import duration
    from alerts.catch_up import missed, off_since
    from alerts.saved import UsageError
    from alerts.trial import MANY
    from delivery.outbox import Outbox

    context, saved = _open()
    search, now = saved.get(alert_id), context.clock()
    if search.kind != "query" or not search.enabled:
        told = "is off: `newswatch alerts edit ID --on` first" if not search.enabled else f"watches for a {search.kind}"
        raise UsageError(f"{alert_id} {told}, so there is nothing to catch up with.")
    try:
        back = timedelta(seconds=duration("catch_up", since)) if since else None
        start = now - back if back else off_since(saved.history(alert_id))
    except ValueError as error:
        raise UsageError(f"--for: {error}") from error
    if start is None:
        raise UsageError(f"{alert_id} was never off: say how far back to look, such as `--for 3d`.")
    found = missed(context.es, context.names, search, start)
    stories = len({match.story_id for match in found})
    if stories > MANY and not yes:
        typer.confirm(f"It finds {_stories(stories)}. Mail them all?", abort=True, err=True)
    owed = Outbox(context.es, context.names).enqueue(found, [search], now)
    readers = escape(", ".join(search.recipients))
    out.print(f"{_stories(owed.created)} since {start:%d %b %Y %H:%M} UTC will be mailed to {readers}.")


def _stories(count: int) -> str:
    return "1 story" if count == 1 else f"{count} stories"


@alerts_app.command()
def ack(
    url: Annotated[str, typer.Argument(help="Of an article on the story.")],
    to: Annotated[str, typer.Option("--to", help="The recipient who knows enough of it.")],
) -> None:
    """Send a recipient no more mails on a story, save corrections."""
    from alerts.saved import UsageError
    from delivery.channels.registry import parse_address
    from delivery.feedback import apply_link
    from delivery.links import Link
    from newswatch.errors import NewswatchError
    from store.articles import ArticleStore

    context, _ = _open()
    try:
        recipient = parse_address(to)
    except ValueError as error:
        raise UsageError(str(error)) from error
    article_id = _article_at(context, url)
    article = ArticleStore(context.es, context.names).get([article_id]).get(article_id)
    if article is None:
        raise NewswatchError("That article was never indexed.")
    story_id = article.story_id or article.id
    apply_link(context.es, context.names, Link("ack", recipient, "*", story_id, article.id), context.clock())
    out.print(f"{escape(recipient)} gets no more mails on “{escape(article.title)}”, save corrections.", soft_wrap=True)


@alerts_app.command()
def remove(alert_id: AlertId) -> None:
    """Forget a saved search; what it has sent stays on record. One of the file comes back: turn it off instead."""
    _, saved = _open()
    saved.delete(alert_id)
    out.print(f"[bold]{escape(alert_id)}[/] is gone.")
