"""The entry point: registers every command, and prints every error as one sentence."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from rich.markup import escape

from cli import (
    alerts,
    check,
    clean,
    configuration,
    demo,
    feed_preview,
    feeds,
    index,
    mails,
    offline_ingest,
    offline_transforms,
    pipeline,
    problems,
    retag,
    search,
    settings,
    stack,
    watch,
)
from cli.output import err, os_fault
from newswatch import __version__
from newswatch.errors import ConfigError, NewswatchError, StoreError

app = typer.Typer(
    name="newswatch",
    help="Pulls news feeds, tags the articles about your topics, and mails the new stories you watch.",
    epilog="Start with `newswatch up`, or watch the whole pipeline with `newswatch demo`.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

for module in (
    demo,
    stack,
    mails,
    check,
    watch,
    clean,
    search,
    feeds,
    feed_preview,
    problems,
    pipeline,
    index,
    retag,
    settings,
    configuration,
    alerts,
    offline_ingest,
    offline_transforms,
):
    module.register(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newswatch {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """See `help` above, which Typer shows."""
    if context.invoked_subcommand != configuration.NAME and "--help" not in sys.argv:
        configuration.refuse_mistyped()


def run() -> None:
    """Run the command line.

    Exit codes: 0 done; 1 failed; 2 wrong usage, a query that can't be parsed, or not a feed; 3 a configuration file is
    wrong; 4 Elasticsearch is unreachable; 5 the embedded stack can't start; 6 nothing could be done, because no feed
    can be reached or the mail server takes no mail; 130 interrupted. `newswatch check` has those of a monitoring
    plugin: 0 ok, 1 warning, 2 critical, 3 unknown.
    """
    try:
        app()
    except NewswatchError as error:
        _fail(str(error), error.exit_code)
    except ValidationError as error:
        faults = "; ".join(f"NEWSWATCH_{'.'.join(map(str, f['loc'])).upper()}: {f['msg']}" for f in error.errors())
        _fail(f"A setting is wrong: {faults}", ConfigError.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _fail(os_fault(error), NewswatchError.exit_code)
    except Exception as error:
        if not type(error).__module__.startswith(("elasticsearch", "elastic_transport")):
            raise
        from store.faults import REFUSALS, store_error

        message = str(store_error(error)) if isinstance(error, REFUSALS) else str(error)
        _fail(message, StoreError.exit_code)


def _fail(message: str, exit_code: int) -> NoReturn:
    err.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    sys.exit(exit_code)
