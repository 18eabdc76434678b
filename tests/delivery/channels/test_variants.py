"""What is rendered once for many says to each of them what it would have said alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from delivery.channels import email
from delivery.channels.variants import Variants, blank
from delivery.message import Message, StoryList
from delivery.plain_text import plain_text
from newswatch.settings import Settings
from tests.delivery.channels.mails import KINDS


def to(message: Message, recipient: str) -> Message:
    """The message with links of that recipient's own."""
    body = message.body
    assert isinstance(body, StoryList)
    own = replace(
        body, stop_all_url=f"https://n.example/{recipient}?a=1&b=2", stop_these_url=f"https://n.example/{recipient}"
    )
    return replace(message, recipient=recipient, body=own, key=recipient)


@pytest.mark.parametrize("name", ["one-arabic", "group", "digest", "correction", "briefing", "about-a-search"])
def test_each_gets_what_was_rendered_for_it_alone(name: str) -> None:
    message, settings, rendered = KINDS[name](), Settings(), list[Message]()

    def text(one: Message, _: Settings) -> str:
        rendered.append(one)
        return plain_text(one)

    texts, pages = Variants(text), Variants(email.html, email._escaped)
    for recipient in ("ann@x.example", "bob@y.example", "o'neil&co@z.example"):
        one = to(message, recipient)
        assert texts(one, settings) == plain_text(one)
        assert pages(one, settings) == email.html(one, settings)
    assert len(rendered) == 2, "two addresses have the same length"


def test_a_mail_of_500_stories_stays_within_its_limit() -> None:
    long = to(KINDS["group-500"](), "@".join(("a" * 60, f"{'b' * 60}.{'c' * 60}.example")))
    assert len(email.written(long, Settings()).get_body(("html",)).as_bytes()) < email.HTML_BYTES + 1_000  # type: ignore[union-attr]


def test_the_operators_message_is_rendered_alone() -> None:
    assert blank(KINDS["operator"]()) is None
