"""The encoder of an installation: there is one if the setting `vectors` is on and the package is installed."""

from __future__ import annotations

from jobs.context import Context
from newswatch.settings import Settings
from transforms import encoder
from transforms.encoder import Encoder


def encoder_of(context: Context) -> Encoder | None:
    """The encoder; None if nothing is to be encoded. Loading it takes a tenth of a second, once per process."""
    return encoder.load() if context.settings.vectors else None


def why_none(settings: Settings) -> str:
    """Why nothing is encoded; empty if it is."""
    return encoder.why_none() if settings.vectors else "NEWSWATCH_VECTORS is false"
