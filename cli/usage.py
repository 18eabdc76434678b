"""Wrong usage in one sentence with the next step. Typer's own texts show pydantic's words, in a box."""

from __future__ import annotations

from pydantic import ValidationError
from typer.exceptions import TyperException

from newswatch.wording import worded


def sentence(error: TyperException) -> str:
    """What is wrong with the command line, and which command shows how it is used."""
    told = _told(error)
    context = getattr(error, "ctx", None)
    step = f" `{context.command_path} --help` shows how it is used." if context else ""
    return f"{told if told.endswith(('.', '?')) else f'{told}.'}{step}"


def _told(error: TyperException) -> str:
    parameter = getattr(error, "param", None)
    message = getattr(error, "message", "")
    if type(error).__name__ == "MissingParameter" and parameter:
        return f"{_name(parameter)} is missing"
    if message.startswith("Got unexpected extra argument"):
        return f"{message.rstrip('.')}: an argument of several words stands in quotation marks"
    if not parameter:
        return message or str(error)
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return f"{_name(parameter)}: {message}"
    fault = cause.errors(include_url=False)[0]
    wanted = _verb(worded(fault))
    if "does not match the format" in wanted:  # Typer's words for dates; the metavar shows the form
        wanted = f"must be written {getattr(parameter, 'metavar', '')}"
    return f"{_name(parameter)} {wanted} (given: {str(fault['input'])[:60]!r})"


def _verb(text: str) -> str:
    """The fault as what follows the parameter's name."""
    return text if text.startswith(("must ", "is ")) else f"is wrong: {text.rstrip('.')}"


def _name(parameter: object) -> str:
    """The longest spelling of an option, or an argument's name."""
    if getattr(parameter, "param_type_name", "") == "option":
        return str(max(getattr(parameter, "opts", ()), key=len))
    return str(getattr(parameter, "metavar", None) or getattr(parameter, "name", "")).strip("[]").upper()
