"""The mail catcher over real SMTP: what is sent is what is listed."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from embedded.mail import list_mails, read_mail, start_mail_catcher
from embedded.processes import LOOPBACK, free_port
from newswatch.errors import StackError


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder, port = tmp_path_factory.mktemp("mail"), free_port()
    child = start_mail_catcher(folder / "mails", port=port, log_file=folder / "mail.log", data_dir=folder)
    yield port, folder / "mails"
    child.stop()


def a_mail(subject: str = "Grüße: NATO — Δ") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "newswatch <watch@example.org>"
    message["To"] = "Ana <ana@example.org>"
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.org>"
    message.set_content("Zwei Länder\n.\nends")
    message.add_alternative("<p>Zwei Länder</p>", subtype="html")
    return message


def send(port: int, message: EmailMessage | bytes, to: tuple[str, ...] = ("ana@example.org",)) -> None:
    with smtplib.SMTP(LOOPBACK, port) as smtp:
        if isinstance(message, bytes):
            smtp.sendmail("watch@example.org", to, message)
        else:
            smtp.send_message(message, "watch@example.org", to)


def test_keeps_what_was_sent(catcher: tuple[int, Path]) -> None:
    port, folder = catcher
    before = datetime.now(UTC)
    send(port, a_mail(), to=("ana@example.org", "hidden@example.org"))
    caught = list_mails(folder)[-1]
    assert before <= caught.received_at <= datetime.now(UTC)
    assert caught.envelope_from == "watch@example.org"
    assert caught.envelope_to == ("ana@example.org", "hidden@example.org")
    assert caught.subject == "Grüße: NATO — Δ"
    assert caught.sender == "newswatch <watch@example.org>"
    assert caught.reference == "<1@example.org>"
    assert caught.text == "Zwei Länder\n.\nends\n"
    assert caught.html == "<p>Zwei Länder</p>\n"


def test_lists_oldest_first_and_only_whole_mails(catcher: tuple[int, Path]) -> None:
    port, folder = catcher
    known = len(list_mails(folder))
    (folder / "20991231T000000.000000Z-aa.part").write_bytes(b"Subject: half")
    for subject in ("b", "a", "c"):
        send(port, a_mail(subject))
    assert [mail.subject for mail in list_mails(folder)][known:] == ["b", "a", "c"]


def test_reads_a_mail_in_a_character_set_that_nobody_knows(catcher: tuple[int, Path]) -> None:
    port, folder = catcher
    send(port, b"Subject: x\r\nContent-Type: text/plain; charset=klingon-8\r\n\r\nqapla \xff")
    assert list_mails(folder)[-1].text.startswith("qapla")


def test_a_folder_that_is_not_there_holds_no_mail(tmp_path: Path) -> None:
    assert list_mails(tmp_path / "none") == []


def test_a_bounce_has_an_empty_sender(tmp_path: Path) -> None:
    path = tmp_path / "20260102T030405.000006Z-ab.eml"
    path.write_bytes(b"Return-Path: <>\r\nX-Envelope-To: a@b.c\r\n\r\n")
    mail = read_mail(path)
    assert (mail.envelope_from, mail.envelope_to) == ("", ("a@b.c",))
    assert mail.received_at == datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert (mail.subject, mail.text, mail.html) == ("", "", "")


def test_says_who_holds_its_port(catcher: tuple[int, Path], tmp_path: Path) -> None:
    port, _ = catcher
    with pytest.raises(StackError, match=f"mail catcher can't listen on 127.0.0.1:{port}, because process .* does"):
        start_mail_catcher(tmp_path, port=port, log_file=tmp_path / "log", data_dir=tmp_path)
