"""The rule for mail addresses, and that whatever it lets through fits into a header and an SMTP command."""

from __future__ import annotations

import smtplib
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from delivery.channels import registry
from delivery.channels.email_address import MOST_CHARS, mail_address
from jobs.context import open_context
from newswatch.errors import NewswatchError
from newswatch.settings import Settings

GOOD = {
    "ann@reader.example": "ann@reader.example",
    " Ann.B+x@Reader.EXAMPLE\n": "Ann.B+x@reader.example",
    "o'brien@reader.example": "o'brien@reader.example",
    "nobody@localhost": "nobody@localhost",
    "a@Mail.LOCAL": "a@mail.local",
    "a@box.test": "a@box.test",
    "watch@example": "watch@example",
    "info@bücher.example": "info@xn--bcher-kva.example",
    "info@xn--bcher-kva.example": "info@xn--bcher-kva.example",
    "a%b!c=d?e@reader.example": "a%b!c=d?e@reader.example",
    "-{}|~`@reader.example": "-{}|~`@reader.example",
    f"{'x' * 64}@reader.example": f"{'x' * 64}@reader.example",
}
BAD = {
    "empty": "",
    "no at-sign": "ann",
    "no domain": "ann@",
    "no local part": "@reader.example",
    "two at-signs": "a@b@reader.example",
    "two addresses": "a@b.example, c@d.example",
    "semicolon": "a@b.example;c@d.example",
    "encoded word as domain": "a@=?utf-8?q?=40b?=",
    "encoded word as local part": "a=?utf-8?q?=40b?=@reader.example",
    "encoded line end": "=?utf-8?q?a=0d=0aBcc:b?=@reader.example",
    "quoted blank": '"ann b"@reader.example',
    "quoted at-sign": '"a@b"@reader.example',
    "blank": "ann b@reader.example",
    "no-break blank": "ann\u00a0b@reader.example",
    "blank in the domain": "ann@reader .example",
    "line end": "ann@reader.example\r\nBcc: bob@reader.example",
    "lone line feed": "ann\n@reader.example",
    "NUL": "ann\x00@reader.example",
    "unit separator at the end": "ann@reader.example\x1f",
    "delete": "ann\x7f@reader.example",
    "direction": "ann\u202e@reader.example",
    "zero width": "ann@rea\u200bder.example",
    "lone surrogate": "ann\ud800@reader.example",
    "lone surrogate in the domain": "ann@\ud800.example",
    "display name": "Ann <ann@reader.example>",
    "angle brackets": "<ann@reader.example>",
    "null path": "<>",
    "comment": "ann(a comment)@reader.example",
    "comment in the domain": "ann@reader.example(a comment)",
    "route": "@relay.example:ann@reader.example",
    "route in brackets": "<@relay.example:ann@reader.example>",
    "group": "readers: ann@reader.example;",
    "SMTPUTF8": "jürgen@reader.example",
    "full-width at-sign": "ann＠reader.example",
    "dot first": ".ann@reader.example",
    "dot last": "ann.@reader.example",
    "two dots": "ann..b@reader.example",
    "two dots in the domain": "ann@reader..example",
    "dot at the end": "ann@reader.example.",
    "hyphen first": "ann@-reader.example",
    "underscore": "ann@read_er.example",
    "broken punycode": "ann@xn--localhost-",
    "impossible punycode": "ann@xn--999999999.example",
    "literal": "ann@[127.0.0.1]",
    "number": "ann@127.0.0.1",
    "one number": "ann@2130706433",
    "full-width number": "ann@１２７.０.０.１",
    "local part of 65": f"{'x' * 65}@reader.example",
    "label of 64": f"ann@{'x' * 64}.example",
    "255 octets": f"{'x' * 64}@{'.'.join(['y' * 47] * 4)}",
    "a megabyte": "x" * 1_000_000 + "@reader.example",
    "mailto": "mailto:ann@reader.example",
    "address and parameters": "ann@reader.example> SIZE=1",
}


@pytest.mark.parametrize(("text", "address"), GOOD.items())
def test_addresses(text: str, address: str) -> None:
    assert mail_address(text) == address
    assert mail_address(address) == address
    sent_and_read_again(address)


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_no_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not a mail address: ") as caught:
        mail_address(text)
    assert len(str(caught.value)) < 2 * MOST_CHARS
    assert "\n" not in str(caught.value)


ODD = st.sampled_from("ab.@-_'\"=?+ \t\r\n\x00\x7f()<>,;:[]\\/%!#éß中。＠\u202e\u200b\ud800\u0301") | st.characters()
TEXTS = st.lists(ODD, max_size=30).map("".join) | st.builds(
    lambda local, domain: f"{''.join(local)}@{''.join(domain)}",
    st.lists(ODD, min_size=1, max_size=70),
    st.lists(ODD, min_size=1, max_size=70),
)


@given(TEXTS)
@example("a@=?utf-8?q?=40b?=")
def test_what_is_let_through_can_be_sent(text: str) -> None:
    address = allowed(text)
    if address is not None:
        sent_and_read_again(address)


def allowed(text: str) -> str | None:
    """The address; None if the rule refuses it, in its own words."""
    try:
        return mail_address(text)
    except ValueError as error:
        if "is not a mail address" not in str(error):
            raise
        return None


def sent_and_read_again(address: str) -> None:
    """It stands in the headers as it is, and in the SMTP commands."""
    message = EmailMessage(policy.SMTP.clone(cte_type="7bit", max_line_length=998))
    message["From"] = Address("newswatch", addr_spec=address)
    message["To"] = Address(addr_spec=address)
    message["Message-ID"] = f"<1@{address.rpartition('@')[2]}>"
    again = message_from_bytes(message.as_bytes(), policy=policy.default)
    for name in ("From", "To"):
        (found,) = again[name].addresses
        assert (found.addr_spec, again[name].defects) == (address, ())
    assert len(again.keys()) == 3
    assert smtplib.quoteaddr(address) == f"<{address}>"
    assert address.encode("ascii").decode().isprintable()


@pytest.mark.parametrize("name", ["operator", "mail_from"])
def test_settings_that_are_no_address_are_refused_before_anything_runs(name: str) -> None:
    wrong = Settings.model_validate({name: "newsroom <a@b.example>"})
    with pytest.raises(NewswatchError, match=f"NEWSWATCH_{name.upper()}: .* is not a mail address: "):
        registry.check(wrong)
    with pytest.raises(NewswatchError, match=f"NEWSWATCH_{name.upper()}: "):
        open_context(wrong)
    registry.check(Settings.model_validate({name: "o'brien@Reader.example"}))


def test_an_empty_operator_is_none() -> None:
    """As docker-compose passes one that is not set."""
    assert Settings(operator="").operator is None
    registry.check(Settings(operator=""))
