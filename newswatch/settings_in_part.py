"""The settings of a process that must go on although some are wrong: a worker, a callback, the web server.

A setting whose value is wrong has no value at all, neither the wrong one nor the default: whoever reads it gets a
ConfigError that names the variable. So each job needs exactly the settings that it uses, and nobody lists them: a wrong
port of the mail server stops mails, and no poll.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr, ValidationError

from newswatch.errors import ConfigError
from newswatch.settings import Settings, variable_of
from newswatch.wording import worded


class _InPart(Settings):
    """Settings some of which have no value."""

    _wrong: dict[str, str] = PrivateAttr(default_factory=dict)
    """Setting → what is wrong with it."""

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there.

        Raises:
            ConfigError: the setting is wrong.
        """
        private = object.__getattribute__(self, "__pydantic_private__") or {}
        if name in (wrong := private.get("_wrong", {})):
            raise ConfigError(variable_of(name), None, wrong[name])
        return super().__getattr__(name)  # type: ignore[misc]  # pydantic hides it from type checkers


def settings_in_part(**stated: Any) -> Settings:
    """The settings of the environment, overridden by `stated`; reading one that is wrong raises a ConfigError.

    Raises:
        ValidationError: something other than a setting's value is wrong.
    """
    wrong: dict[str, str] = {}
    while True:
        try:
            settings = (_InPart if wrong else Settings)(**stated | {name: _default(name) for name in wrong})
        except ValidationError as error:
            found = {str(fault["loc"][0]): worded(fault) for fault in error.errors(include_url=False) if fault["loc"]}
            if not found.keys() - wrong.keys() or found.keys() - Settings.model_fields.keys():
                raise
            wrong = found | wrong
            continue
        if isinstance(settings, _InPart):
            for name in wrong:
                del settings.__dict__[name]
                settings.model_fields_set.discard(name)
            settings._wrong.update(wrong)
        return settings


def settings_or_defaults() -> tuple[Settings, Mapping[str, str]]:
    """The settings, with the default for each that is wrong; and variable → what is wrong, the default named.

    For the watchman alone, which must watch whatever is wrong. A job that went on with a default would poll or mail
    what nobody asked for.
    """
    partial = settings_in_part()
    wrong = partial._wrong if isinstance(partial, _InPart) else {}
    if not wrong:
        return partial, {}
    defaults = {name: _default(name) for name in wrong}
    told = {variable_of(name): f"{why}; its default is used: {_shown(defaults[name])}" for name, why in wrong.items()}
    return Settings(**defaults), told


def _shown(default: Any) -> str:
    return "nothing" if default in (None, "", ()) else str(default)


def wrong_settings(settings: Settings) -> Mapping[str, str]:
    """Variable → what is wrong with its value; empty if nothing is. Pure."""
    wrong = settings._wrong if isinstance(settings, _InPart) else {}
    return {variable_of(name): why for name, why in wrong.items()}


def _default(name: str) -> Any:
    return Settings.model_fields[name].get_default(call_default_factory=True)
