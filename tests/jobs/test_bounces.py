"""Bounces from a real IMAP server to paused addresses."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.main import app
from delivery.channels.email_mailbox import BounceMailboxError
from delivery.channels.email_return_path import return_path
from delivery.compose import plan
from delivery.mailbox import Mailboxes
from embedded.processes import free_port
from jobs.bounces import BounceReport, bounces
from jobs.context import Context
from newswatch.delivery import Delivery, DeliveryState
from newswatch.settings import Settings
from store.indices.setup import set_up
from store.names import Names
from store.quarantine import Quarantine
from tests.delivery.channels.test_email_bounces import ANN, GONE, report
from tests.factories import NOW
from tests.jobs.dovecot import Imap, imap_server, missing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def imap() -> Iterator[Imap]:
    if parts := missing():
        pytest.skip(f"not here for an IMAP server: {parts}")
    # Not below pytest's folder, which the mailbox's owner may not enter.
    with tempfile.TemporaryDirectory() as folder, imap_server(Path(folder)) as running:
        yield running


def context_of(es: Elasticsearch, names: Names, folder: Path, mailbox: str | None) -> Context:
    settings = Settings(
        data_dir=folder,
        secret_key=SecretStr("for tests"),
        index_prefix=names.prefix,
        mail_bounces="bounces@news.example",
        bounce_mailbox=mailbox,
    )
    set_up(es, names, settings)
    return Context(settings, es, names, lambda: NOW)


def test_an_address_that_no_mail_reaches_gets_none_until_somebody_says_so(
    es: Elasticsearch, names: Names, tmp_path: Path, imap: Imap, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = context_of(es, names, tmp_path, imap.url)
    boxes = Mailboxes(es, names)
    to = return_path("bounces@news.example", ANN, "for tests")
    home = return_path("bounces@news.example", "bob@reader.example", "for tests")
    boxes.change("bob@reader.example", lambda box: box)
    imap.put(report(GONE, to=to))
    imap.put(report(GONE.replace("5.1.1", "5.2.2"), to=home, returned="X: y").replace(ANN.encode(), b"b@home.example"))
    imap.put(report(GONE, to="bounces+aaaaaaaaaaaaaaaaaaaaaaaa@news.example"))
    imap.put(b"Return-Path: <ann@reader.example>\n\nThank you.")
    imap.put(report(GONE.replace("failed", "delayed"), to=to) + b"x" * 1_000_000)
    assert bounces(here) == BounceReport(hard=1, soft=1, delayed=1, replies=1, unknown=1, paused=1)
    assert imap.unseen() == 0
    assert bounces(here) == BounceReport(), "nothing is read twice"

    bob = boxes.get("bob@reader.example")
    assert (bob.bounced_at, bob.last_error) == (None, "bounced: 550 5.2.2 User unknown")
    paused = boxes.get(ANN)
    assert (paused.bounced_at, paused.bounced_why) == (NOW, "550 5.1.1 User unknown")
    waiting = Delivery("nato", "NATO", "s1", "a1", (ANN,), DeliveryState.PENDING, NOW)
    suppressed = plan(paused, [waiting], {}, {}, now=NOW, group=timedelta()).suppressed
    assert suppressed == {waiting.id: "mails to the address come back: 550 5.1.1 User unknown"}
    quarantine = Quarantine(es, names)
    quarantine.refresh()
    (problem,) = quarantine.listed().problems
    assert (problem.problem.subject, "newswatch mails resume" in problem.problem.reason) == (ANN, True)
    monkeypatch.setattr("jobs.context.open_context", lambda: here)
    commands = CliRunner()
    es.indices.refresh(index=names.mailboxes)
    resumed = commands.invoke(app, ["mails", "resume", ANN.title()])
    assert (resumed.exit_code, f"{ANN} is mailed again" in resumed.stdout) == (0, True), "in whichever spelling"
    assert boxes.get(ANN).bounced_at is None
    quarantine.refresh()
    assert not quarantine.listed().problems
    again = commands.invoke(app, ["mails", "resume", ANN, "--json"])
    assert (again.exit_code, json.loads(again.stdout)["paused_since"]) == (1, None)


def test_a_mailbox_that_cannot_be_read_is_told_without_its_password(
    es: Elasticsearch, names: Names, tmp_path: Path, imap: Imap
) -> None:
    for url in (imap.url.replace("password", "passwort"), f"imap://bounces:hidden@127.0.0.1:{free_port()}/INBOX"):
        with pytest.raises(BounceMailboxError) as raised:
            bounces(context_of(es, names, tmp_path, url))
        assert "127.0.0.1" in str(raised.value)
        assert "hidden" not in str(raised.value)
        assert "passwort" not in str(raised.value)
    assert bounces(context_of(es, names, tmp_path, None)) == BounceReport()
