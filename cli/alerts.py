"""`newswatch alerts` and `newswatch explain`: the saved searches, what they match, and what became of the mails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, ago, emit_json, out

if TYPE_CHECKING:
    from newswatch.model import SavedSearch

alerts_app = typer.Typer(help="The saved searches, and the mails they send.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(alerts_app, name="alerts", rich_help_panel="Use")


@alerts_app.command("list")
def list_alerts(as_json: AsJson = False) -> None:
    """Every saved search, with what it watches and when it mails."""
    from alerts.saved import SavedSearches, load_alerts
    from jobs.context import open_context

    context = open_context()
    saved = SavedSearches(context.es, context.names)
    saved.seed(load_alerts(context.settings.config_dir / "alerts.yaml"), now=context.clock())
    searches = saved.all()
    if as_json:
        emit_json(searches)
        return
    table = Table("id", "name", "watches", "mails", "to", box=None, pad_edge=False)
    for search in searches:
        state = _state(search, ago(search.mute_until, context.clock()) if search.mute_until else "")
        table.add_row(*map(escape, (search.id, search.name, watched(search), state, ", ".join(search.recipients))))
    out.print(table)


def _state(search: SavedSearch, muted: str) -> str:
    if not search.enabled:
        return "off"
    return f"muted, ends {muted}" if muted else search.schedule


def watched(search: SavedSearch) -> str:
    """What a saved search finds, on one line."""
    parts = [search.query.strip()] if search.query.strip() else []
    parts += [f"tag:{tag.tag} ({tag.level})" for tag in search.tags]
    lists = {"lang": search.languages, "country": search.countries, "source": search.sources, "kind": search.kinds}
    parts += [f"{name}:{','.join(values)}" for name, values in lists.items() if values]
    parts += [f"score ≥ {search.min_score:g}"] if search.min_score else []
    parts += [f"≥ {search.min_sources} sources"] if search.min_sources > 1 else []
    return " · ".join(parts) or "everything"
