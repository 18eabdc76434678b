"""The entry point: every command in its place, every error in one sentence."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape

from cli import alerts, offline_ingest, offline_transforms, pipeline, search, stack
from cli.output import err
from newswatch import __version__
from newswatch.errors import NewswatchError

app = typer.Typer(
    name="newswatch",
    help="Pulls news feeds, tags the articles about NATO and counter-terrorism, and mails the new stories you watch.",
    epilog="Start with `newswatch up`, or see it all at work with `newswatch demo`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

for module in (stack, search, pipeline, alerts, offline_ingest, offline_transforms):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newswatch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See `help` above: Typer shows that one."""


def run() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 it failed; 2 wrong usage, a query that can't be parsed, or no feed; 3 a configuration file
    is wrong; 4 Elasticsearch is not there; 5 the embedded stack can't start; 130 interrupted.
    """
    try:
        app()
    except NewswatchError as error:
        err.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
