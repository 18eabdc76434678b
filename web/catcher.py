"""Whether mails go to the embedded stack's mail catcher, and what it has caught."""

from __future__ import annotations

from pathlib import Path

from embedded.stack import is_embedded_mail
from embedded.stack_files import mail_folder
from newswatch.settings import Settings


def catches(settings: Settings) -> bool:
    """Whether mails reach nobody: they go to this machine, and the catcher has its folder here.

    A mail server of one's own on this machine has none, and passes mails on.
    """
    return is_embedded_mail(settings) and mail_folder(settings.data_dir).is_dir()


def caught(settings: Settings) -> list[Path]:
    """The files of caught mails, newest first; none where mails are really sent."""
    return sorted(mail_folder(settings.data_dir).glob("*.eml"), reverse=True) if catches(settings) else []
