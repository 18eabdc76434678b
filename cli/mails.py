"""`newswatch mails`: what the mail catcher has kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.output import AsJson, emit_json, out, printable, stated

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
    table = Table("N", "received", "to", "subject", "file", box=None)
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
    if not count or (number or 1) > count:
        raise typer.BadParameter(f"there {'is' if count == 1 else 'are'} {count or 'no'} mail{'s' * (count != 1)}")
    mail = caught[(number or count) - 1]
    if as_json:
        emit_json(mail)
    elif html:
        typer.echo(mail.html)
    else:
        _print(mail)


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
    from embedded.stack import mail_folder

    return list_mails(mail_folder(stated().data_dir))


def _folder() -> str:
    from embedded.stack import mail_folder

    return str(mail_folder(stated().data_dir))
