"""What tests of delivery share: a post office, and settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from newswatch.settings import Settings
from tests.delivery.post_office import PostOffice, open_post_office


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a small installation; nothing listens at its mail server's port."""
    return Settings(
        data_dir=tmp_path,
        mail_from="newswatch@news.example",
        public_url="https://news.example",
        secret_key=SecretStr("for tests"),
        smtp_timeout_s=2,
        mail_group_s=60,
    )


@pytest.fixture
def office() -> Iterator[PostOffice]:
    """A mail server that takes everything."""
    with open_post_office() as office:
        yield office


@pytest.fixture
def posted(settings: Settings, office: PostOffice) -> Settings:
    """The settings, with the post office as mail server."""
    return settings.model_copy(update={"smtp_port": office.port})
