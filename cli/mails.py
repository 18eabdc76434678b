"""`newswatch mails`: what the mail catcher has kept, and addresses that no mail reached."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, emit_json, out, printable, stated
from newswatch.errors import NewswatchError

if TYPE_CHECKING:
    from embedded.mail import CaughtMail

mails_app = typer.Typer(help="The mails in the mail catcher.")
_LINE = 2_000
"""Maximum characters of a line."""

Number = Annotated[int | None, typer.Argument(min=1, metavar="[N]", show_default="the newest", help="As listed.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.add_typer(mails_app, name="mails", rich_help_panel="Run")


@mails_app.callback(invoke_without_command=True)
def mails(context: typer.Context, as_json: AsJson = False) -> None:
    """List the mails in the mail catcher, oldest first."""
    if context.invoked_subcommand is not None:
        return
    caught = _caught()
    if as_json:
        for mail in caught:
            emit_json(mail)
        return
    table = Table("N", "received (UTC)", "to", "subject", "file", box=None)
    for number, mail in enumerate(caught, 1):
        recipients, received = ", ".join(mail.envelope_to), f"{mail.received_at:%Y-%m-%d %H:%M:%S}"
        row = (str(number), received, recipients, printable(mail.subject, _LINE), mail.path.name)
        table.add_row(*map(escape, row))
    out.print(table if caught else f"No mail in {escape(_folder())}.")


@mails_app.command()
def show(
    number: Number = None,
    html: Annotated[bool, typer.Option("--html", help="The HTML part, to be written to a file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one mail as plain text: its head and its text part."""
    caught = _caught()
    count = len(caught)
    if not count:
        raise NewswatchError(f"No mail in {_folder()}.")
    if number and number > count:
        raise typer.BadParameter(f"There {'is' if count == 1 else 'are'} only {count} mail{'s' * (count != 1)}.")
    mail = caught[(number or count) - 1]
    if as_json:
        emit_json(mail)
    elif html:
        typer.echo(mail.html)
    else:
        _print(mail)


@mails_app.command()
def resume(address: Annotated[str, typer.Argument(metavar="ADDRESS")], as_json: AsJson = False) -> None:
    """Mail an address again that was paused because mails to it came back.

    What was not mailed meanwhile is not mailed later. Ends with 1 if the address was not paused.
    """
    from delivery.channels.registry import parse_address
    from delivery.mailbox import Mailboxes, resumed
    from delivery.spellings import Spellings
    from jobs.context import open_context
    from newswatch.problems import Problem
    from store.quarantine import Quarantine

    try:
        known = parse_address(address)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    context = open_context()
    boxes, spellings = Mailboxes(context.es, context.names), Spellings(context.es, context.names)
    spellings.learn([known])
    known = spellings.of(known)  # of an address in other letters, the mailbox that it is
    paused = boxes.get(known).bounced_at
    if paused:
        boxes.change(known, resumed)
        Quarantine(context.es, context.names).dismiss(Problem("recipient", known, "").id)
    if as_json:
        emit_json({"address": known, "paused_since": paused})
    else:
        since = f"{known} is mailed again; it was paused since {paused:%Y-%m-%d %H:%M} UTC." if paused else ""
        out.print(escape(since or f"{known} is not paused: nothing has come back for good."))
    if not paused:
        raise typer.Exit(1)


def _print(mail: CaughtMail) -> None:
    head = {"From": mail.sender, "To": ", ".join(mail.envelope_to), "Subject": mail.subject}
    if mail.in_reply_to:
        head["In reply to"] = mail.in_reply_to
    if mail.attachments:
        head["Attached"] = ", ".join(mail.attachments)
    for name, value in head.items():
        typer.echo(f"{name}: {printable(value, _LINE)}")
    typer.echo("")
    for line in mail.text.splitlines():
        typer.echo(printable(line, _LINE))


def _caught() -> list[CaughtMail]:
    from embedded.mail import list_mails
    from embedded.stack_files import mail_folder

    return list_mails(mail_folder(stated().data_dir))


def _folder() -> str:
    from embedded.stack_files import mail_folder

    return str(mail_folder(stated().data_dir))
