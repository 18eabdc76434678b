"""`newswatch subscribers`: people, groups and the addresses of webhooks and chats; export and erase a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, ago, emit_json, login, out
from cli.output import who as changed_by
from newswatch.errors import NewswatchError

if TYPE_CHECKING:
    from delivery.erasure import Erasure
    from delivery.verification import Registrar
    from jobs.context import Context

subscribers_app = typer.Typer(help="Who gets messages: people, groups, webhooks, chats.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")]
AddressId = Annotated[str, typer.Argument(metavar="ADDRESS", help="Such as webhook:ops or chat:desk.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Who = Annotated[str, typer.Argument(metavar="WHO", help="person:NAME, or an address.")]
Url = Annotated[
    str,
    typer.Option("--url", help="Asked for, or read from standard input, if left out, so that no history has it."),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(subscribers_app, name="subscribers", rich_help_panel="Use")


def _opened() -> tuple[Context, Registrar]:
    from delivery.verification import Registrar
    from jobs.context import open_context

    context = open_context()
    return context, Registrar(context.es, context.names, context.settings, context.clock, by=changed_by(), trusted=True)


def _asked_for() -> str:
    """The address as it is typed unseen, or the first line of a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Address", hide_input=True))
    if url := sys.stdin.readline().strip():
        return url
    raise typer.BadParameter("The address is missing: write it to standard input, or give --url.")


@subscribers_app.command("list")
def list_subscribers(as_json: AsJson = False) -> None:
    """List people, groups and addresses. No key is ever shown."""
    from delivery.subscribers import overview

    context, registrar = _opened()
    listed = overview(registrar.book.all())
    if as_json:
        emit_json(listed)
        return
    table = Table("id", "leads to", "owner", "state", "since", box=None, pad_edge=False)
    for one in listed:
        table.add_row(*map(escape, (one.id, one.shown, one.owner, one.state, ago(one.created_at, context.clock()))))
    out.print(table if listed else "Nobody yet: all recipients are mail addresses in saved searches.")


@subscribers_app.command("add-webhook")
def add_webhook(name: Name, url: Url = "") -> None:
    """Add a webhook, show its secret once, and send it the challenge that confirms it."""
    url = url or _asked_for()
    _, registrar = _opened()
    address, secret = registrar.add_webhook(name, url, login())
    out.print(f"{escape(address.id)}: its events are signed with this secret, which is shown only now:")
    typer.echo(secret)
    _show(registrar.send_code(address.id).is_open, address.id)


@subscribers_app.command("add-chat")
def add_chat(name: Name, url: Url = "") -> None:
    """Add a chat (an address of Slack, Matrix, ntfy or another service) and send it the code that confirms it."""
    url = url or _asked_for()
    _, registrar = _opened()
    address = registrar.add_chat(name, url, login())
    _show(registrar.send_code(address.id).is_open, address.id)


@subscribers_app.command("send-code")
def send_code(address: AddressId) -> None:
    """Send a webhook or chat a new code."""
    _, registrar = _opened()
    _show(registrar.send_code(address).is_open, address)


@subscribers_app.command("confirm")
def confirm(
    address: AddressId, code: Annotated[str, typer.Argument(help="As the chat or webhook received it.")]
) -> None:
    """Confirm a webhook or chat by its code."""
    _, registrar = _opened()
    _show(registrar.confirm(address, code).is_open, address)


def _show(is_open: bool, address: str) -> None:
    if is_open:
        out.print(f"{escape(address)} is confirmed: saved searches may name it as a recipient.")
    else:
        out.print(f"A code was sent there: `newswatch subscribers confirm {escape(address)} CODE`.")


@subscribers_app.command("new-secret")
def new_secret(address: AddressId) -> None:
    """Give a webhook a new secret; the former one signs as well until `drop-secret`."""
    _, registrar = _opened()
    typer.echo(registrar.new_key(address))


@subscribers_app.command("drop-secret")
def drop_secret(address: AddressId) -> None:
    """Stop signing with a webhook's former secret."""
    _, registrar = _opened()
    registrar.drop_former_key(address)
    out.print(f"{escape(address)} is signed with its last secret only.")


@subscribers_app.command("replay")
def replay(
    address: AddressId,
    last: Annotated[int, typer.Option(min=1, max=100, help="Messages, the newest.")] = 10,
) -> None:
    """Send an address its last messages again, under the same ids, for a receiver that lost them."""
    from delivery.replaying import replay as send_again

    context, registrar = _opened()
    done = send_again(context.es, context.names, context.settings, registrar.book, address, last, context.clock)
    out.print(f"{done.sent} sent again{f', {done.gone} whose articles are gone' if done.gone else ''}.")
    if done.failed:
        raise NewswatchError(f"The next one was not: {done.failed[0]}")


@subscribers_app.command("switch-on")
def switch_on(address: AddressId) -> None:
    """Send again to an address whose receiver had switched it off (410 Gone)."""
    _, registrar = _opened()
    registrar.switch_on(address)
    out.print(f"{escape(address)} gets messages again.")


@subscribers_app.command("set")
def set_subscriber(
    subscriber: Annotated[str, typer.Argument(metavar="ID", help="person:NAME or group:NAME.")],
    route: Annotated[
        list[str],
        typer.Option(help="ADDRESS; then, if wanted, HH:MM-HH:MM, weekdays, main=TOPIC. The first is the fallback."),
    ],
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    zone: Annotated[str, typer.Option(help="Time zone of the hours, such as Europe/Brussels.")] = "UTC",
) -> None:
    """Create or replace a person or group and their routes."""
    from delivery.subscribers import subscriber_of

    context, registrar = _opened()
    topics, now = context.names.shown_topics().paths, context.clock()
    made = subscriber_of(subscriber, route, registrar.book, topics=topics, name=name, zone=zone, owner=login(), now=now)
    registrar.book.save(made)
    out.print(f"{escape(made.id)} has {len(made.routes)} route{'s' * (len(made.routes) != 1)}.")


@subscribers_app.command("remove")
def remove(entry: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Remove an address, person or group. Saved searches that still name it report that it is gone."""
    _, registrar = _opened()
    if not registrar.book.delete(entry):
        raise NewswatchError(f"{entry} is not in the address book: `newswatch subscribers list` shows what is.")
    out.print(f"{escape(entry)} is removed.")


def _erasure_of(who: str) -> tuple[Context, Erasure]:
    """What exports and erases the person.

    Raises:
        BadParameter: the name is empty.
        NewswatchError: nothing is stored of the person. A misspelt name must not look like one that was erased.
    """
    from delivery.erasure import Erasure
    from newswatch.config import did_you_mean

    if not who.strip():
        raise typer.BadParameter("WHO is empty: write person:NAME, or an address.")
    context, registrar = _opened()
    if who.startswith("person:") and registrar.book.subscriber(who) is None:
        raise NewswatchError(f"{who} is not in the address book: `newswatch subscribers list` shows what is.")
    erasure = Erasure(context.es, context.names, registrar.book)
    if not erasure.knows(who):
        meant = did_you_mean(who, erasure.known()) or ". Write the whole address, or person:NAME."
        raise NewswatchError(f"Nothing is stored of {who}{meant}")
    return context, erasure


@subscribers_app.command("export")
def export(who: Who) -> None:
    """All that is stored of a person, as JSON."""
    emit_json(_erasure_of(who)[1].export(who))


@subscribers_app.command("erase")
def erase(who: Who, yes: Yes = False, as_json: AsJson = False) -> None:
    """Erase a person everywhere: what is kept (deliveries, verdicts) loses the name."""
    context, erasure = _erasure_of(who)
    ids = erasure.ids_of(who)
    if not yes:
        typer.confirm(f"Erase {', '.join(ids)}? This can't be undone", abort=True)
    done = erasure.erase(who, context.clock(), by=changed_by())
    if as_json:
        emit_json(done)
        return
    told = ", ".join(f"{what} {count}" for what, count in done.counts.items()) or "nothing was stored"
    out.print(f"Erased {escape(', '.join(ids))}: {told}. Backups and logs keep it until they expire.")
