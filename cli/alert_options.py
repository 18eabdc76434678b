"""The options of `newswatch alerts add`, `edit` and `test`, one for each field of a saved search."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.filters import SAVED

if TYPE_CHECKING:
    from newswatch.alert import SavedSearch

SavedSearchId = Annotated[str, typer.Argument(help="Id of the saved search.", metavar="ALERT")]
Days = Annotated[int, typer.Option(min=1, max=3_650, help="How many days back.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Save it even if it would send more than 30 mails a day.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="TOPIC, or TOPIC:main; an article needs all of them.")]

OPTIONS: Mapping[str, tuple[str, Any]] = {
    "name": ("name", Annotated[str | None, typer.Option(help="Its name in mails.")]),
    "query": ("query", Annotated[str | None, typer.Option(help="Lucene syntax, as in Kibana.")]),
    "tag": ("tags", Tags),
    "to": ("recipients", Annotated[list[str] | None, typer.Option(help="Recipient; may be repeated.")]),
    "schedule": (
        "schedule",
        Annotated[
            str | None,
            typer.Option(help="instant, hourly, or: daily at 07:00 Europe/Brussels; a PDF: daily briefing at …"),
        ],
    ),
    **{
        saved.option: (saved.field, Annotated[list[str] | None, typer.Option(help=saved.help)])
        for saved in SAVED.values()
    },
    "min_score": ("min_score", Annotated[float | None, typer.Option(help="Minimum score of the tags, 0 to 1.")]),
    "min_sources": ("min_sources", Annotated[int | None, typer.Option(help="Minimum number of independent sources.")]),
    "min_reliability": (
        "min_reliability",
        Annotated[str | None, typer.Option(help="Least reliability of the outlet, A to E; empty: any.")],
    ),
    "throttle": ("throttle", Annotated[str | None, typer.Option(help="Minimum time between two mails: 30m, 2h.")]),
    "updates": (
        "updates",
        Annotated[bool | None, typer.Option("--updates/--no-updates", help="Mail later articles on a story too.")],
    ),
    "fires_on": (
        "kind",
        Annotated[str | None, typer.Option(help="query (each story), spike (far more than usual), silence (none).")],
    ),
    "silence": ("silence", Annotated[str | None, typer.Option(help="For silence: time without a match, such as 2d.")]),
    "expires": ("expires_at", Annotated[str | None, typer.Option(help="When it ends: 2027-01-31, or with a time.")]),
    "owner": ("owner", Annotated[str | None, typer.Option(help="Who owns it.")]),
    "note": ("note", Annotated[str | None, typer.Option(help="For yourself and others.")]),
    "enabled": ("enabled", Annotated[bool | None, typer.Option("--on/--off", help="Whether it is matched.")]),
}
"""Option of `add` and `edit` → the field of `alerts.yaml` that it sets, and its type."""


def with_options(command: Callable[[str, dict[str, Any], bool], None]) -> Callable[..., None]:
    """The command with an option for each field; it receives those that were given."""

    def called(saved_search_id: str, yes: bool = False, **given: Any) -> None:
        command(saved_search_id, fields_of(**given), yes)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("saved_search_id", kind, annotation=SavedSearchId),
            *(inspect.Parameter(name, kind, default=None, annotation=how) for name, (_, how) in OPTIONS.items()),
            inspect.Parameter("yes", kind, default=False, annotation=Yes),
        ]
    )
    fields = {name: how for name, (_, how) in OPTIONS.items()}
    called.__annotations__ = {"saved_search_id": SavedSearchId, **fields, "yes": Yes}
    called.__name__, called.__doc__ = command.__name__, command.__doc__
    return called


def fields_of(**given: Any) -> dict[str, Any]:
    """The given options as fields of `alerts.yaml`."""
    fields = {OPTIONS[name][0]: value for name, value in given.items() if value is not None and value != []}
    if "tags" in fields:
        parts = (tag.partition(":") for tag in fields["tags"])
        fields["tags"] = [{"tag": tag, "level": level or "mention"} for tag, _, level in parts]
    return fields


def changed_by(search: SavedSearch, fields: Mapping[str, Any]) -> SavedSearch:
    """The saved search with these fields of `alerts.yaml` set.

    Raises:
        UsageError: a field has an invalid value; the message names the options that set them.
    """
    from pydantic import ValidationError

    from alerts.definitions import UsageError, with_fields
    from delivery.channels.registry import parse_address
    from newswatch.config import fault_text

    try:
        return with_fields(search, fields, parse_address)
    except UsageError as error:
        if not isinstance(error.__cause__, ValidationError):
            raise
        faults = error.__cause__.errors(include_url=False)
        inner = {fault["loc"][0] for fault in faults if fault["loc"][1:]}
        # A list whose items are all wrong is told to be empty, too.
        told = [fault for fault in faults if fault["loc"][1:] or fault["loc"][0] not in inner]
        raise UsageError("; ".join(fault_text({**fault, "loc": (_option(fault["loc"]),)}) for fault in told)) from error


def _option(location: tuple[int | str, ...]) -> str:
    """The option that sets the field at this place of `alerts.yaml`."""
    names = {field: f"--{name.replace('_', '-')}" for name, (field, _) in OPTIONS.items()}
    return names.get(str(location[0]), "ALERT" if location[0] == "id" else str(location[0]))
