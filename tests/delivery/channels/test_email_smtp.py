"""The mailer against a real SMTP server that misbehaves."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from pydantic import ValidationError

from delivery.channels.channel import Refusal, SendResult
from delivery.channels.email_connection import greeting
from delivery.channels.email_smtp import Enclosing, Mailer
from embedded.processes import free_port
from newswatch.settings import Settings
from tests.delivery.post_office import PostOffice, open_post_office

ANN, BOB = "ann@reader.example", "bob@reader.example"


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "A story"
    message.set_content("Text.\n.\nAfter a lone dot.\n")
    return message


def at(settings: Settings, office: PostOffice) -> Settings:
    return settings.model_copy(update={"smtp_port": office.port})


def test_takes(posted: Settings, office: PostOffice) -> None:
    with Mailer(posted) as mailer:
        assert mailer.send(a_message(), [ANN, BOB]) == SendResult((ANN, BOB))
    (message,) = office.messages
    assert message.get_content().splitlines() == ["Text.", ".", "After a lone dot."]


@pytest.mark.parametrize(
    ("stated", "sender", "own", "greets"),
    [
        ("mail.ministry.example", "news@other.example", "host.lan", "mail.ministry.example"),
        ("", "news@other.example", "host.lan", "host.lan"),
        ("", "news@other.example", "3f2a9c", "other.example"),
        ("", "news@other.example", "", "other.example"),
        ("", "newswatch@localhost", "3f2a9c", "[127.0.0.1]"),
    ],
)
def test_the_greeting_is_a_name_that_servers_take(stated: str, sender: str, own: str, greets: str) -> None:
    assert greeting(stated, sender, lambda: own) == greets


def test_a_server_is_greeted_by_the_name_of_the_settings(posted: Settings, office: PostOffice) -> None:
    with Mailer(posted.model_copy(update={"smtp_helo": "news.ministry.example"})) as mailer:
        assert mailer.send(a_message(), [ANN]).accepted
    assert office.greetings == ["news.ministry.example"]
    for wrong in ("two words", "a\r\nMAIL FROM:<x@y>", "under_score", "[]"):
        with pytest.raises(ValidationError, match="smtp_helo"):
            Settings(smtp_helo=wrong)
    assert Settings(smtp_helo=" [192.0.2.7] ").smtp_helo == "[192.0.2.7]"


WHOLE = 20_000
"""Bytes of the file of a mail with one."""


def with_a_file() -> Enclosing:
    mail = a_message()
    mail.add_attachment(b"x" * WHOLE, maintype="application", subtype="pdf", filename="a.pdf")
    return Enclosing.of(mail, smaller=a_message())


@pytest.mark.parametrize(
    ("answer", "is_sent"),
    [
        ("552 5.3.4 Message size exceeds fixed limit", True),
        ("552 5.2.3 exceeded our message size limits", True),
        ("552 too big", True),
        ("554 5.3.4 Message too big for system", True),
        ("552 5.2.2 mailbox full", False),
        ("552 5.7.0 illegal attachment", False),
        ("554 5.6.0 spam", False),
        ("452 4.3.1 out of space", False),
    ],
)
def test_a_mail_that_is_too_large_goes_once_without_its_files(settings: Settings, answer: str, is_sent: bool) -> None:
    offered: list[str] = []

    def react(recipient: str, before: int) -> str | None:
        offered.append(recipient)
        return None if len(offered) > 1 else answer

    with open_post_office(on_data=react) as office, Mailer(at(settings, office)) as mailer:
        result = mailer.send(with_a_file(), [ANN])
        assert (result.accepted, bool(result.refused)) == (((ANN,), False) if is_sent else ((), True))
        assert len(offered) == 1 + is_sent
    assert [mail.is_multipart() for mail in office.messages] == [False] * is_sent


def test_a_server_that_says_its_size_is_not_offered_more(settings: Settings) -> None:
    with open_post_office(size=WHOLE) as office, Mailer(at(settings, office)) as mailer:
        assert mailer.send(with_a_file(), [ANN]) == SendResult((ANN,))
        assert [mail.is_multipart() for mail in office.messages] == [False]
    with open_post_office(size=10) as office, Mailer(at(settings, office)) as mailer:
        assert mailer.send(a_message(), [ANN]).accepted, "without a smaller one, the server decides"
    for size in (0, 10 * WHOLE):
        with open_post_office(size=size) as office, Mailer(at(settings, office)) as mailer:
            assert mailer.send(with_a_file(), [ANN]).accepted
            assert [mail.is_multipart() for mail in office.messages] == [True], size
    with open_post_office(on_data=lambda *_: "552 5.3.4 too big") as office, Mailer(at(settings, office)) as mailer:
        refused = mailer.send(with_a_file(), [ANN]).refused[ANN]
        assert (refused.permanent, office.offers[ANN]) == (True, 2)


def test_uses_one_connection(posted: Settings, office: PostOffice) -> None:
    with Mailer(posted) as mailer:
        for _ in range(3):
            assert mailer.send(a_message(), [ANN]).accepted == (ANN,)
    assert office.connections == 1


@pytest.mark.parametrize(("answer", "permanent"), [("550 no such user", True), ("450 mailbox busy", False)])
def test_one_refused_recipient_does_not_stop_the_rest(settings: Settings, answer: str, permanent: bool) -> None:
    with open_post_office(on_recipient=lambda r, _: answer if r == ANN else None) as office:
        result = Mailer(at(settings, office)).send(a_message(), [ANN, BOB])
    assert result == SendResult((BOB,), {ANN: Refusal(answer, permanent)})
    assert office.taken[0].recipients == [BOB]


@pytest.mark.parametrize(("answer", "permanent"), [("554 spam", True), ("451 try again", False)])
def test_message_refused(settings: Settings, answer: str, permanent: bool) -> None:
    with open_post_office(on_data=lambda *_: answer) as office, Mailer(at(settings, office)) as mailer:
        assert mailer.send(a_message(), [ANN]) == SendResult(refused={ANN: Refusal(answer, permanent)})
        office.on_data = lambda *_: None
        assert mailer.send(a_message(), [BOB]).accepted == (BOB,)


def test_greylisting_lets_the_second_try_in(settings: Settings) -> None:
    with open_post_office(on_recipient=lambda _, before: None if before else "451 greylisted") as office:
        mailer = Mailer(at(settings, office))
        assert mailer.send(a_message(), [ANN]) == SendResult(refused={ANN: Refusal("451 greylisted", False)})
        assert mailer.send(a_message(), [ANN]).accepted == (ANN,)


def test_nobody_listens(settings: Settings) -> None:
    result = Mailer(settings.model_copy(update={"smtp_port": free_port()})).send(a_message(), [ANN])
    assert result.down
    assert "refused" in result.down
    assert not result.accepted
    assert not result.refused


def test_sender_refused_is_nobodys_recipients_fault(settings: Settings) -> None:
    with open_post_office(on_sender="530 authenticate first") as office:
        result = Mailer(at(settings, office)).send(a_message(), [ANN])
    assert result.down
    assert "530 authenticate first" in result.down


@pytest.mark.parametrize("how", ["drop", "lose"])
def test_line_lost_after_data_leaves_it_unknown(settings: Settings, how: str) -> None:
    with (
        open_post_office(on_data=lambda r, _: how if r == ANN else None) as office,
        Mailer(at(settings, office)) as mailer,
    ):
        result = mailer.send(a_message(), [ANN])
        assert result.unknown
        assert result.accepted == ()
        assert mailer.send(a_message(), [BOB]).accepted == (BOB,), "the next mail goes over a new connection"


def test_line_lost_before_data_is_laid_to_the_recipient(settings: Settings) -> None:
    with (
        open_post_office(on_recipient=lambda r, _: "drop" if r == ANN else None) as office,
        Mailer(at(settings, office)) as mailer,
    ):
        result = mailer.send(a_message(), [ANN])
        assert result.down is None
        assert result.refused[ANN].permanent is False
        assert mailer.send(a_message(), [BOB]).accepted == (BOB,)


@pytest.mark.slow
def test_server_too_slow(settings: Settings) -> None:
    hurried = settings.model_copy(update={"smtp_timeout_s": 0.2})
    with open_post_office(delay_s=1.5) as office:
        assert Mailer(at(hurried, office)).send(a_message(), [ANN]).unknown


def test_kept_connection_that_the_server_closed_meanwhile(settings: Settings) -> None:
    with open_post_office() as office:
        here = at(settings, office)
        mailer = Mailer(here)
        assert mailer.send(a_message(), [ANN]).accepted
    result = mailer.send(a_message(), [ANN])
    assert result.down, "the server is gone: told as such, not as a refusal of the recipient"
