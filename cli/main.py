"""The entry point: registers every command, and prints every error as one sentence."""

from __future__ import annotations

import os
import socket
import sys
from typing import Annotated, NoReturn

import typer
from rich.markup import escape
from typer.exceptions import TyperException

from cli import (
    alerts,
    api_keys,
    audit,
    backup,
    check,
    clean,
    configuration,
    demo,
    encode,
    exit_codes,
    fast,
    feed_add,
    feed_check,
    feed_preview,
    feeds,
    importing,
    index,
    mails,
    offline_ingest,
    offline_transforms,
    pipeline,
    problems,
    replay,
    retag,
    search,
    settings,
    stack,
    story,
    subscribers,
    trying,
    watch,
)
from cli.output import err, os_fault
from newswatch import __version__
from newswatch.errors import NewswatchError
from newswatch.origin import came_from

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
    fast,
    clean,
    search,
    story,
    feeds,
    feed_add,
    feed_check,
    feed_preview,
    problems,
    pipeline,
    index,
    retag,
    encode,
    replay,
    importing,
    audit,
    backup,
    settings,
    configuration,
    alerts,
    api_keys,
    subscribers,
    trying,
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
    if context.invoked_subcommand not in (configuration.NAME, watch.NAME) and "--help" not in sys.argv:
        configuration.refuse_mistyped()


def run() -> NoReturn:
    """Run the command line. It ends with one of `cli.exit_codes`, and tells every error in one sentence."""
    sys.exit(_code())


def _code() -> int:
    """Run the command line; the exit code."""
    came_from(f"the command line of {socket.gethostname()}")
    try:
        result = app(standalone_mode=False)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # Typer ends with 1 then
            return _reader_has_gone()
        raise
    except Exception as error:
        return _told(error)
    return result if isinstance(result, int) else exit_codes.DONE


def _told(error: Exception) -> int:
    """Tell the error on standard error; its exit code.

    Raises:
        Exception: the error itself, if it is none that a user can do something about.
    """
    if isinstance(error, NewswatchError):
        return _fail(str(error), error.exit_code)
    if isinstance(error, typer.Abort):
        return _fail("Nothing was done, as the question was not answered with yes.", exit_codes.FAILED)
    if isinstance(error, TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        return _fail(os_fault(error), exit_codes.FAILED)
    if isinstance(error, UnicodeEncodeError) and (argument := next(filter(_is_not_utf_8, sys.argv), None)):
        return _fail(f"An argument is not in UTF-8: {argument!r}. Type it again.", exit_codes.USAGE)
    if message := _wrong_setting(error):
        return _fail(message, exit_codes.CONFIGURATION)
    # Those of `store.elastic.nodes` derive from the client's; importing the client to ask takes long.
    if any(kind.__module__.startswith(("elasticsearch", "elastic_transport")) for kind in type(error).__mro__):
        from store.elastic.faults import REFUSALS, store_error

        return _fail(str(store_error(error)) if isinstance(error, REFUSALS) else str(error), exit_codes.STORE)
    raise error


def _is_not_utf_8(argument: str) -> bool:
    """Python has a lone surrogate for each byte that is not."""
    return any("\ud800" <= char <= "\udfff" for char in argument)


def _usage(error: TyperException) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # its help has been printed
        return exit_codes.USAGE
    from cli.usage import sentence

    return _fail(sentence(error), exit_codes.USAGE)


def _wrong_setting(error: Exception) -> str | None:
    """The sentence on pydantic's error; None for every other error."""
    from pydantic import ValidationError

    from newswatch.wording import worded

    if not isinstance(error, ValidationError):
        return None
    faults = (f"NEWSWATCH_{'.'.join(map(str, f['loc'])).upper()}: {worded(f)}" for f in error.errors())
    return f"A setting is wrong: {'; '.join(faults)}. Correct it, or unset it."


def _reader_has_gone() -> int:
    """End in silence. What is left in the buffer goes nowhere: writing it at the interpreter's end would fail aloud."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exit_codes.DONE


def _fail(message: str, exit_code: int) -> int:
    err.print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)
    return exit_code
