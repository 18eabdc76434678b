"""`newswatch api-keys`: makes, lists and revokes keys of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.output import AsJson, ago, emit_json, err, login, out, printable
from newswatch.api_key import DEFAULT_DAYS, MOST_DAYS, MOST_PER_MINUTE, NAME_CHARS, PER_MINUTE, ApiKey, Scope
from newswatch.errors import NewswatchError

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer(help="Keys of the API: make, list and revoke them.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(metavar="ID", help="Its id, as listed.")]


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="api-keys", rich_help_panel="Use")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, such as 'OpenCTI'.")],
    scope: Annotated[list[Scope], typer.Option(help="What it opens; may be repeated.")],
    owner: Annotated[str, typer.Option(help="The user in whose name it acts. Default: you.")] = "",
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="Days until it ends.")] = DEFAULT_DAYS,
    per_minute: Annotated[
        int, typer.Option(min=1, max=MOST_PER_MINUTE, help="Requests a minute, per web server process.")
    ] = PER_MINUTE,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only a hash of it is stored."""
    from jobs.context import open_context
    from store.keys import KeyStore, Request

    here, me = open_context(check_channels=False), login()
    asked = Request(name, owner or me, scope, days, per_minute)
    made = KeyStore(here.es, here.names).create(asked, by=me, now=here.clock())
    if as_json:
        emit_json({**key_json(made.key, here.clock()), "key": made.text})
        return
    out.print(made.text, soft_wrap=True, highlight=False)
    err.print(f"Copy it now: it is never shown again. It ends on {made.key.expires_at:%d %B %Y}.")


@app.command(name="list")
def list_keys(
    every: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False, as_json: AsJson = False
) -> None:
    """List the keys, newest first."""
    from jobs.context import open_context
    from store.keys import KeyStore

    here = open_context(check_channels=False)
    now = here.clock()
    keys = [key for key in KeyStore(here.es, here.names).all() if every or key.state(now) == "on"]
    if as_json:
        for key in keys:
            emit_json(key_json(key, now))
    elif keys:
        out.print(_table(keys, now))
    else:
        out.print("There is no key. [cyan]newswatch api-keys create NAME --scope read[/] makes one.")


@app.command()
def revoke(key_id: KeyId, as_json: AsJson = False) -> None:
    """Revoke a key: it opens nothing from the next request on. Exits with 1 if there is no such key."""
    from jobs.context import open_context
    from store.keys import KeyStore

    here = open_context(check_channels=False)
    key = KeyStore(here.es, here.names).revoke(key_id, by=login(), now=here.clock())
    if key is None:
        raise NewswatchError(f"There is no key {key_id[:100]!r}. See `newswatch api-keys list`.")
    if as_json:
        emit_json(key_json(key, here.clock()))
        return
    out.print(Text(f"{key.id} ({printable(key.name, NAME_CHARS)}) is revoked.", style="green"))


def _table(keys: list[ApiKey], now: datetime) -> Table:
    table = Table("Id", "Name", "Owner", "Scopes", "Ends", "Last used", "State", box=None)
    for key in keys:
        used = ago(key.last_used_at, now) if key.last_used_at else "never"
        name, owner = (Text(printable(text, NAME_CHARS)) for text in (key.name, key.owner))
        table.add_row(key.id, name, owner, ", ".join(key.scopes), f"{key.expires_at:%Y-%m-%d}", used, key.state(now))
    return table


def key_json(key: ApiKey, now: datetime) -> dict[str, Any]:
    """A key as JSON, without its hash."""
    from newswatch.as_json import as_object

    shown = as_object(key)
    del shown["hash"]
    return shown | {"state": key.state(now)}
