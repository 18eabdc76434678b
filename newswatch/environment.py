"""Settings that are read from environment variables, and from nothing else.

pydantic-settings resolves the names and types of every field, once for the environment and once more for a file that is
not named: 4 ms of processor time each time the 180 settings are read. Here only the variables that are set are looked
at: half a millisecond.
"""

from __future__ import annotations

from typing import Any

from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource


class _SetVariables(EnvSettingsSource):
    """The values of the variables that are set. Fields have no aliases, so a variable is the prefix and the name."""

    def __call__(self) -> dict[str, Any]:
        prefix = self.env_prefix.lower()
        values: dict[str, Any] = {}
        for name, field in self.settings_cls.model_fields.items():
            if prefix + name in self.env_vars:
                value, key, is_complex = self.get_field_value(field, name)
                values[key] = self.prepare_field_value(name, field, value, is_complex)
        return values


class EnvironmentSettings(BaseSettings):
    """Settings of which each is what is stated, else its environment variable, else its default."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """See pydantic-settings."""
        return init_settings, _SetVariables(settings_cls)
