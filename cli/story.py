"""`newswatch story`: parts a story that holds reports of another event, and joins two that report one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import AsJson, emit_json, login, out, printable

if TYPE_CHECKING:
    from jobs.parting import Parted

app = typer.Typer(help="The stories that are formed: part one, or join two.", no_args_is_help=True)
StoryId = Annotated[str, typer.Argument(help="The story's id, as in the address of its page.", show_default=False)]


def register(main: typer.Typer) -> None:
    """Add the commands to `main`."""
    main.add_typer(app, name="story", rich_help_panel="Use")


@app.command()
def split(
    story: StoryId,
    articles: Annotated[list[str], typer.Argument(help="Ids of the articles to part.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Move articles, with their copies, to a story of their own. It is mailed to whom the wrong story hid it from."""
    from jobs.context import open_context
    from jobs.parting import split as part

    _show(part(open_context(), story, articles, login()), as_json)


@app.command()
def join(
    story: StoryId,
    other: Annotated[str, typer.Argument(help="The story whose articles move to it.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Move all articles of a story to another. Who had a mail on either gets no second first mail."""
    from jobs.context import open_context
    from jobs.parting import join as united

    _show(united(open_context(), story, other, login()), as_json)


def _show(done: Parted, as_json: bool) -> None:
    if as_json:
        emit_json(done)
        return
    out.print(
        f"{done.moved} article{'s' * (done.moved != 1)} moved to the story {printable(done.story_id, 100)}; "
        f"{done.mails} deliver{'ies' if done.mails != 1 else 'y'} enqueued or noted as told.",
        highlight=False,
        markup=False,
    )
