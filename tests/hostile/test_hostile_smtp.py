"""Mail servers that misbehave at each step: each costs one mail its deadline, and the next recipient is served."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from delivery.channels.channel import SendResult
from delivery.channels.email_connection import MOST_HEARD
from delivery.channels.email_smtp import ANSWER_CHARS, Mailer, try_out
from embedded.processes import free_port
from newswatch.settings import Settings
from tests.hostile.rogue import (
    Misdeed,
    Rogue,
    answers,
    close,
    drip,
    drip_lines,
    flood_lines,
    flood_octets,
    hang,
    open_rogue,
    reset,
)

pytestmark = pytest.mark.slow

BAD, GOOD = "bad@reader.example", "good@reader.example"
STEP_S, DEADLINE_S = 0.5, 1.5
BOUND_S = 15.0
"""For a mail and the one after it, on a machine that does much else."""


@dataclass(frozen=True)
class Case:
    """A server, and what becomes of a mail offered to it."""

    name: str
    step: str
    misdeed: Misdeed
    outcome: str
    """`down`, `put off`, `refused`, `unknown` or `accepted`."""
    told: str
    """Part of the reason."""
    broken: bool = False


CASES = [
    # Towards everybody, before there is a recipient: the server is down.
    Case("greeting drips", "connect", drip, "down", f"took more than {DEADLINE_S:g} s"),
    Case("greeting line by line", "connect", drip_lines, "down", f"took more than {DEADLINE_S:g} s"),
    Case("greeting floods lines", "connect", flood_lines, "down", f"more than {MOST_HEARD} octets"),
    Case("huge banner", "connect", flood_octets, "down", "Line too long"),
    Case("no greeting", "connect", hang, "down", f"no answer within {STEP_S:g} s"),
    Case("closed at once", "connect", close, "down", "closed"),
    Case("reset at once", "connect", reset, "down", ""),
    Case("busy at once", "connect", answers(b"421 too busy\r\n"), "down", "421 too busy"),
    Case("no mail here", "connect", answers(b"554 no SMTP service here\r\n"), "down", "554"),
    Case("greets in garbage", "connect", answers(b"\xff\xfe\x00hello\r\n"), "down", ""),
    Case("speaks HTTP", "connect", answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "down", ""),
    Case("EHLO drips", "EHLO", drip, "down", f"took more than {DEADLINE_S:g} s"),
    Case("EHLO without end", "EHLO", flood_lines, "down", f"more than {MOST_HEARD} octets"),
    Case("sender drips", "MAIL", drip_lines, "down", f"took more than {DEADLINE_S:g} s"),
    Case("sender busy", "MAIL", answers(b"421 too busy\r\n"), "down", "refuses the sender: 421"),
    Case("sender refused", "MAIL", answers(b"553 who are you\r\n"), "down", "refuses the sender: 553"),
    # Towards one recipient.
    Case("recipient drips", "RCPT", drip, "put off", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("recipient line by line", "RCPT", drip_lines, "put off", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("recipient floods", "RCPT", flood_lines, "put off", f"more than {MOST_HEARD} octets", broken=True),
    Case("recipient hangs", "RCPT", hang, "put off", f"no answer within {STEP_S:g} s", broken=True),
    Case("recipient closes", "RCPT", close, "put off", "closed", broken=True),
    Case("recipient resets", "RCPT", reset, "put off", "", broken=True),
    Case("recipient busy", "RCPT", answers(b"421 too busy\r\n"), "put off", "421 too busy", broken=True),
    Case("recipient greylisted", "RCPT", answers(b"451 come back\r\n"), "put off", "451 come back"),
    Case("recipient unknown", "RCPT", answers(b"550 no such user\r\n"), "refused", "550 no such user"),
    *(
        Case(f"the recipient's: {answer}", "RCPT", answers(answer.encode() + b"\r\n"), "refused", answer)
        for answer in (
            "550 5.1.1 <bad@reader.example>: User unknown in relay recipient table",
            "550 User unknown in relay recipient table",
            "550 5.5.0 Requested action not taken: mailbox unavailable",
            "553 no such user, try to relay",
            "550 sorry, no mailbox here to relay to (#5.1.1)",
        )
    ),
    Case("recipient moved", "RCPT", answers(b"551 5.1.6 moved away\r\n"), "refused", "551 5.1.6"),
    Case("recipient refused by Exchange", "RCPT", answers(b"550 5.4.1 Access denied\r\n"), "refused", "550 5.4.1"),
    Case("recipient without a domain", "RCPT", answers(b"550 5.1.2 no such domain\r\n"), "refused", "550 5.1.2"),
    *(
        Case(f"not the recipient's fault: {answer}", "RCPT", answers(answer.encode() + b"\r\n"), "put off", answer)
        for answer in (
            "554 5.7.1 <localhost>: Helo command rejected: Access denied",
            "550 5.7.0 too many emails per second",
            "550 relay not permitted",
            "554 Relay access denied",
            "530 5.7.0 Authentication required",
            "553 5.1.8 sender's domain does not exist",
            "552 5.2.2 mailbox full",
            "504 need fully-qualified hostname",
            "503 need MAIL first",
            "550 5.4.5 Daily SMTP relay limit exceeded for user",
            "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
            "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)",
            "553 sorry, that domain isn't in my list of allowed rcpthosts",
        )
    ),
    Case("answer of 100 lines", "RCPT", answers(b"550-no\r\n" * 100 + b"550 no\r\n"), "refused", "550 no no"),
    Case("answer of 8 kB", "RCPT", answers(b"550 " + b"x" * 8_000 + b"\r\n"), "refused", "xxx…"),
    Case("answer in Latin-1", "RCPT", answers("550 unbekannte Empfängerin\r\n".encode("latin-1")), "refused", "550"),
    Case("answer without a code", "RCPT", answers(b"perhaps\r\n"), "put off", ""),
    Case("impossible code", "RCPT", answers(b"999 ?\r\n"), "put off", "999"),
    Case("another yes", "RCPT", answers(b"252 I shall try\r\n"), "accepted", ""),
    Case("DATA busy", "DATA", answers(b"421 too busy\r\n"), "put off", "421 too busy", broken=True),
    Case("one yes too many", "RCPT", answers(b"250 yes\r\n250 yes\r\n"), "put off", "out of step", broken=True),
    Case("a yes instead of 354", "DATA", answers(b"250 yes\r\n"), "put off", "out of step", broken=True),
    Case("sender twice", "MAIL", answers(b"250 yes\r\n250 yes\r\n"), "put off", "out of step", broken=True),
    Case("DATA refused", "DATA", answers(b"554 no\r\n"), "refused", "554 no"),
    Case("DATA drips", "DATA", drip, "unknown", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("DATA hangs", "DATA", hang, "unknown", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("yes drips", "content", drip_lines, "unknown", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("yes floods", "content", flood_lines, "unknown", f"more than {MOST_HEARD} octets", broken=True),
    Case("yes never comes", "content", hang, "unknown", f"took more than {DEADLINE_S:g} s", broken=True),
    Case("reset after the mail", "content", reset, "unknown", "", broken=True),
    Case("busy after the mail", "content", answers(b"421 going down\r\n"), "put off", "421 going down", broken=True),
    Case("put off after the mail", "content", answers(b"452 no room\r\n"), "put off", "452 no room"),
    Case("refused after the mail", "content", answers(b"554 spam\r\n"), "refused", "554 spam"),
    *(
        Case(f"not the mail's fault: {answer}", "content", answers(answer.encode() + b"\r\n"), "put off", answer)
        for answer in (
            "554 5.2.252 SendAsDenied; news@ministry.example not allowed to send as desk@ministry.example",
            "550 5.7.60 Client does not have permissions to send as this sender",
            "554 Message rejected: Email address is not verified.",
            "550 5.7.0 Requested action not taken: too many emails per second",
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
            "550 5.7.25 The IP address sending this message does not have a PTR record",
            "550 5.4.5 Daily user sending limit exceeded.",
        )
    ),
    Case("virus after the mail", "content", answers(b"554 5.7.1 blocked by a filter\r\n"), "refused", "554 5.7.1"),
    Case("yes by another code", "content", answers(b"251 taken\r\n"), "accepted", ""),
    Case("goodbye drips", "QUIT", drip, "accepted", ""),
    Case("goodbye hangs", "QUIT", hang, "accepted", ""),
]


def to(rogue: Rogue, tmp_path: Path, **changes: Any) -> Settings:
    return Settings(
        data_dir=tmp_path,
        smtp_port=rogue.port,
        smtp_timeout_s=STEP_S,
        smtp_deadline_s=DEADLINE_S,
        mail_from="newswatch@news.example",
        **changes,
    )


def a_message() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "A story"
    message.set_content("Text.\n" * 1_000)
    return message


def outcome(result: SendResult, recipient: str) -> tuple[str, str]:
    """What became of the mail, and why."""
    if result.down:
        return "down", result.down
    if result.unknown:
        return "unknown", result.unknown
    if recipient in result.accepted:
        return "accepted", ""
    refusal = result.refused[recipient]
    return ("refused" if refusal.permanent else "put off"), refusal.reason


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_mail_has_its_time_and_the_next_recipient_is_served(case: Case, tmp_path: Path) -> None:
    towards = BAD if case.step in ("RCPT", "DATA", "content") else ""
    with open_rogue(Rogue(case.step, case.misdeed, towards)) as rogue:
        began = time.monotonic()
        with Mailer(to(rogue, tmp_path)) as mailer:
            result = mailer.send(a_message(), [BAD])
            what, why = outcome(result, BAD)
            assert (what, result.broken) == (case.outcome, case.broken), why
            assert case.told in why
            assert len(why) < 2 * ANSWER_CHARS
            if towards:
                assert mailer.send(a_message(), [GOOD]).accepted == (GOOD,), "the one beside it"
        assert time.monotonic() - began < BOUND_S


@pytest.mark.parametrize("case", [case for case in CASES if case.outcome == "down"], ids=lambda case: case.name)
def test_what_is_down_for_every_mail_is_found_without_one(case: Case, tmp_path: Path) -> None:
    with open_rogue(Rogue(case.step, case.misdeed)) as rogue:
        began = time.monotonic()
        why = try_out(to(rogue, tmp_path), DEADLINE_S).why
        assert why
        assert case.told in why
        assert time.monotonic() - began < BOUND_S


def test_a_trial_names_no_recipient_and_sends_nothing(tmp_path: Path) -> None:
    with open_rogue(Rogue("never", hang)) as rogue:
        assert try_out(to(rogue, tmp_path), DEADLINE_S).why == ""
        assert (rogue.asked, rogue.taken) == ([], [])


@pytest.mark.parametrize("how", ["silent", "drips"])
def test_a_handshake_has_its_time(how: str, tmp_path: Path) -> None:
    """Whoever speaks no TLS on the port of TLS is down, not waited for."""
    with open_rogue(Rogue("connect", hang if how == "silent" else drip)) as rogue:
        began = time.monotonic()
        result = Mailer(to(rogue, tmp_path, smtp_security="tls")).send(a_message(), [BAD])
        assert result.down
        assert time.monotonic() - began < BOUND_S


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's side of TLS for `localhost`, whose certificate this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    file = tmp_path / "certificate.pem"
    pem = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(
    ("misdeed", "step", "expected"),
    [(close, "never", "accepted"), (drip_lines, "connect", "down"), (drip_lines, "RCPT", "put off"),
     (flood_lines, "content", "unknown")],
)  # fmt: skip
def test_the_same_within_tls(
    trusted: ssl.SSLContext, tmp_path: Path, misdeed: Misdeed, step: str, expected: str
) -> None:
    with open_rogue(Rogue(step, misdeed, tls=trusted)) as rogue:
        began = time.monotonic()
        settings = to(rogue, tmp_path, smtp_security="tls", smtp_host="localhost")
        with Mailer(settings) as mailer:
            what, why = outcome(mailer.send(a_message(), [BAD]), BAD)
        assert (what, why) == (expected, why)
        assert time.monotonic() - began < BOUND_S


def test_starttls(trusted: ssl.SSLContext, tmp_path: Path) -> None:
    class Slow:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            await asyncio.sleep(5 if envelope.rcpt_tos == [BAD] else 0)
            return "250 OK"

    port = free_port()
    controller = Controller(Slow(), hostname="localhost", port=port, tls_context=trusted)
    controller.start()
    try:
        settings = to(Rogue("", hang, port=port), tmp_path, smtp_security="starttls", smtp_host="localhost")
        with Mailer(settings) as mailer:
            assert mailer.send(a_message(), [GOOD]).accepted == (GOOD,)
            assert "took more than" in str(mailer.send(a_message(), [BAD]).unknown)
            assert mailer.send(a_message(), [GOOD]).accepted == (GOOD,)
    finally:
        controller.stop()


def test_starttls_that_never_comes_has_its_time(tmp_path: Path) -> None:
    with open_rogue(Rogue("STAR", answers(b"220 go on\r\n"))) as rogue:
        began = time.monotonic()
        result = Mailer(to(rogue, tmp_path, smtp_security="starttls")).send(a_message(), [BAD])
        assert result.down, "this server does not even offer it"
        assert time.monotonic() - began < BOUND_S


def test_a_resolver_that_hangs_has_its_time(tmp_path: Path) -> None:
    hold, ended = threading.Event(), []

    def lookup(*_: Any) -> Any:
        hold.wait(120)
        ended.append(1)

    settings = to(Rogue("", hang, port=25), tmp_path, smtp_host="mail.example")
    result = Mailer(settings, lookup=lookup).send(a_message(), [BAD])
    assert not ended, "it was waited for"
    hold.set()
    assert result.down
    assert "looking up mail.example took more than" in result.down


def test_a_name_that_is_not_known_is_down(tmp_path: Path) -> None:
    def lookup(*_: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    settings = to(Rogue("", hang, port=25), tmp_path)
    result = Mailer(settings, lookup=lookup).send(a_message(), [BAD])
    assert result.down
    assert "Name or service not known" in result.down


@pytest.mark.parametrize("host", ["a..b", "x" * 300])
def test_a_host_that_is_none_is_down(host: str, tmp_path: Path) -> None:
    settings = to(Rogue("", hang, port=9), tmp_path, smtp_host=host)
    result = Mailer(settings).send(a_message(), [BAD])
    assert result.down
