"""What mail servers send back, as several of them write it; all of it our own writing."""

from __future__ import annotations

import pytest

from delivery.channels.email_address import mail_address
from delivery.channels.email_bounces import Verdict, read_bounce
from delivery.channels.email_return_path import return_path, token_of, tokens_in, whose

KEY, ANN = "a key", "Ann@reader.example"
PATH = return_path("bounces@news.example", ANN, KEY)


def report(
    fields: str, *, to: str = PATH, returned: str = f"To: {ANN}", kind: str = "message/delivery-status"
) -> bytes:
    """A report as RFC 3464 has it."""
    return f"""\
Return-Path: <>
Delivered-To: {to}
From: MAILER-DAEMON@mx.reader.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you.

--b
Content-Type: {kind}

Reporting-MTA: dns; mx.reader.example
Arrival-Date: Sun, 29 Nov 2026 20:00:00 +0000

{fields}

--b
Content-Type: text/rfc822-headers

From: newswatch@news.example
{returned}
Subject: A story

--b--
""".encode()


GONE = f"Final-Recipient: rfc822; {ANN}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown"


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        (GONE, Verdict.HARD),
        (GONE.replace("failed", "Failed").replace("Status: 5.1.1", "Status: 5.0.0"), Verdict.HARD),
        (GONE.replace("5.1.1", "5.1.10").replace("rfc822;", "utf-8;"), Verdict.HARD),
        (GONE.replace("5.1.1", "5.4.4"), Verdict.HARD),
        (GONE.replace("5.1.1", "5.2.2"), Verdict.SOFT),
        (GONE.replace("5.1.1", "5.7.1"), Verdict.SOFT),
        (GONE.replace("5.1.1", "4.4.7"), Verdict.SOFT),
        (GONE.replace("5.1.1", "5.1.12"), Verdict.SOFT),
        (GONE.replace("Status: 5.1.1\n", ""), Verdict.HARD),
        (f"Final-Recipient: rfc822; {ANN}\nAction: failed", Verdict.SOFT),
        (GONE.replace("failed", "delayed"), Verdict.DELAYED),
        (GONE.replace("failed", "delivered"), Verdict.DELAYED),
        (GONE.replace("failed", "delayed") + "\n\n" + GONE, Verdict.HARD),
    ],
)
def test_what_a_report_says(fields: str, verdict: Verdict) -> None:
    assert read_bounce(report(fields)).verdict == verdict


def test_whose_mail_came_back_and_why() -> None:
    bounce = read_bounce(report(GONE))
    assert whose(bounce.tokens, bounce.recipients, [KEY]) == ANN
    assert bounce.reason == "550 5.1.1 User unknown"
    folded = read_bounce(report(GONE.replace("smtp; 550", "smtp; 550-\x07No\n 550")))
    assert folded.reason == "550- No 550 5.1.1 User unknown"


def test_a_forwarded_mail_is_told_by_the_mail_that_came_back() -> None:
    bounce = read_bounce(report(GONE.replace(ANN, "ann@home.example")))
    assert whose(bounce.tokens, bounce.recipients, [KEY]) == ANN


def test_nobody_can_stop_the_mails_of_others() -> None:
    forged = f"bounces+{token_of(ANN, 'another key')}@news.example"
    for to in (forged, "bounces@news.example", return_path("bounces@news.example", "eve@reader.example", KEY)):
        bounce = read_bounce(report(GONE, to=to))
        assert whose(bounce.tokens, bounce.recipients, [KEY]) is None, to


def test_old_servers_and_people() -> None:
    head = f"Return-Path: <>\nDelivered-To: {PATH}\nSubject: failure notice\n\n"
    qmail = read_bounce(
        f"{head}Hi. This is the qmail-send program.\n<{ANN}>:\nRemote host said: 550 5.1.1 none".encode()
    )
    assert (qmail.verdict, len(qmail.tokens), qmail.reason) == (Verdict.HARD, 1, "Remote host said: 550 5.1.1 none")
    exim = read_bounce(
        f"Return-Path: <>\nX-Failed-Recipients: {ANN}\nTo: {PATH}\n\nall hosts have been failing".encode()
    )
    assert (exim.verdict, exim.recipients) == (Verdict.SOFT, (ANN,))
    address = read_bounce(f"{head}from 10.5.1.1 [5.1.1.9]".encode())
    assert address.verdict == Verdict.SOFT, "an IP address is no status"
    for reply in (
        f"Return-Path: <{ANN}>\nTo: {PATH}\nSubject: Re: A story\n\n550 5.1.1 is what I got yesterday",
        f"Return-Path: <>\nTo: {PATH}\nAuto-Submitted: auto-replied (vacation)\n\nI am away. 5.1.1",
        "",
        "\0\xff",
    ):
        assert read_bounce(reply.encode("utf-8", "surrogateescape")).verdict == Verdict.REPLY


@pytest.mark.parametrize("end", [0, 90, 300, 500, 700, 800])
def test_a_report_that_is_cut_off_is_read_as_far_as_it_goes(end: int) -> None:
    assert read_bounce(report(GONE)[:end]).verdict in Verdict


def test_a_report_nested_a_thousand_times_costs_itself() -> None:
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(300))
    assert read_bounce(b"Return-Path: <>\n" + deep).verdict in Verdict


def test_a_return_path_is_an_address_that_survives_servers() -> None:
    long = return_path("newswatch-bounces@news.example", f"{'a' * 60}@{'b' * 60}.example", KEY)
    assert mail_address(long) == long
    assert tokens_in(f"<{PATH.upper()}>, other@x.example") == (token_of(ANN.lower(), KEY),)
    assert whose(tokens_in(PATH), ["bob@reader.example", ANN], ["a new key", KEY]) == ANN
