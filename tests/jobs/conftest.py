"""A press, a mailbox and a context on the real Elasticsearch, with a clock that the test sets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from elasticsearch import Elasticsearch

from embedded.processes import free_port
from jobs.context import Context
from newswatch.feed import FullText
from newswatch.settings import Settings, default_config_dir
from store.articles import ArticleStore
from store.names import Names
from tests.factories import NOW
from tests.press import Press
from tests.taxonomies import made_once

ALERTS = """
alerts:
  - id: nato
    name: NATO
    query: ""
    tags: [{tag: nato, level: mention}]
    recipients: [analyst@example.org]
"""


@dataclass(slots=True)
class Mailbox:
    """A real SMTP server that keeps the mails it was given, in order."""

    mails: list[bytes] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        self.mails.append(envelope.content)
        return "250 OK"


@dataclass(slots=True)
class World:
    """What a test of the pipeline plays with."""

    press: Press
    mailbox: Mailbox
    context: Context
    now: datetime = NOW

    def clock(self) -> datetime:
        """The time that the test has set."""
        return self.now

    def wait(self, **delta: float) -> None:
        """Let time pass."""
        self.now += timedelta(**delta)

    def count(self, index: str) -> int:
        """How many documents an index or alias holds."""
        self.context.es.indices.refresh(index=index)
        return int(self.context.es.count(index=index)["count"])

    def articles(self) -> ArticleStore:
        """The article store."""
        return ArticleStore(self.context.es, self.context.names)


def configure(folder: Path, press: Press, full_text: Mapping[str, FullText] | None = None) -> None:
    """Write feeds.yaml (one feed per feed of the press), alerts.yaml and taxonomy.yaml."""
    feeds = "".join(
        f"  - {{id: {name}, url: '{press.url}/{name}.xml', title: {name}, country: BE, language: en, kind: press, "
        f"full_text: {(full_text or {}).get(name, 'auto')}}}\n"
        for name in press.feeds
    )
    (folder / "feeds.yaml").write_text(f"feeds:\n{feeds}", encoding="utf-8")
    (folder / "alerts.yaml").write_text(ALERTS, encoding="utf-8")
    shutil.copy(default_config_dir() / "taxonomy.yaml", folder)


@pytest.fixture
def world(
    es: Elasticsearch, names: Names, elasticsearch_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Everything running, one feed configured, nothing polled yet."""
    monkeypatch.setattr("jobs.context.SET_UP_S", 0.0)  # its indices are seconds old, and one that is gone is missed
    made_once(monkeypatch, "jobs.tagger", "jobs.configuration", "jobs.recheck", "jobs.retag")
    mailbox = Mailbox()
    mailbox.port = free_port()
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    with Press() as press:
        configure(tmp_path, press)
        settings = Settings(
            elasticsearch_url=elasticsearch_url,
            index_prefix=names.prefix,
            config_dir=tmp_path,
            smtp_port=mailbox.port,
            fetch_allow_hosts=(press.host,),
            fetch_host_delay_s=0,
            poll_max_interval_s=60,
            mail_group_s=60,
        )
        world = World(press, mailbox, Context(settings, es, names))
        world.context = replace(world.context, clock=world.clock)
        yield world
    controller.stop()
