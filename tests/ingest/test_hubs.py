"""WebSub: which hub a feed names, when it is asked, when it is relied on, and which push is its own."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest

from ingest.parse import parse
from ingest.parsed import ParsedFeed
from ingest.polling.hubs import (
    Subscription,
    SubscriptionState,
    granted,
    hub_links,
    is_signed,
    key_of,
    pushes_well,
    to_ask,
)
from newswatch.feed import FeedState
from tests.factories import NOW

URL, HUB = "https://news.example/rss", "https://hub.example/"
STATE = FeedState("f", URL, hub=HUB, topic=URL)
HOUR = timedelta(hours=1)
ACTIVE = Subscription("f", HUB, URL, SubscriptionState.ACTIVE, at=NOW, until=NOW + 8 * HOUR)


@pytest.mark.parametrize(
    ("header", "links"),
    [
        (f'<{HUB}>; rel="hub", <{URL}>; rel="self"', {"hub": HUB, "self": URL}),
        (f"<{HUB}>;rel=hub", {"hub": HUB}),
        (f'<{HUB}>; type="x"; REL="alternate HUB"', {"hub": HUB}),
        ('</hub?a=1,2>; rel="hub"', {"hub": "https://news.example/hub?a=1,2"}),
        (f'<javascript:x>; rel="hub", <{HUB}>; rel=hub', {"hub": HUB}),
        ('<https://x.example/>; rel="hubs"', {}),
        ("<" * 9_000 + ";rel=hub" * 1_000, {}),
        ("<a>" + ' ; a = "' * 2_000, {}),
    ],
)
def test_a_hub_is_named_in_a_header(header: str, links: dict[str, str]) -> None:
    assert hub_links(header, URL) == links


RSS = f"""<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>T</title><link>https://x.example</link>
<atom:link rel="hub" href="{HUB}"/><atom:link rel="self" href="{URL}"/>
<item><title>a</title><link>https://x.example/a</link></item></channel></rss>"""
ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>t</id><link rel="hub" href="{HUB}"/>
<link rel="self" href="{URL}"/><entry><id>a</id><title>a</title><link href="https://x.example/a"/></entry></feed>"""
JSON = f"""{{"version": "https://jsonfeed.org/version/1.1", "title": "T", "feed_url": "{URL}",
"hubs": [{{"type": "rssCloud", "url": "https://no.example"}}, {{"type": "WebSub", "url": "{HUB}"}}],
"items": [{{"id": "a", "url": "https://x.example/a", "title": "a"}}]}}"""


@pytest.mark.parametrize("document", [RSS, ATOM, JSON], ids=["rss", "atom", "json"])
def test_a_hub_is_named_in_the_feed(document: str) -> None:
    feed = parse(document.encode(), url=URL, now=NOW)
    assert isinstance(feed, ParsedFeed)
    assert (feed.hub, feed.topic) == (HUB, URL)


def test_a_hub_is_asked_once_and_again_before_the_lease_ends() -> None:
    first = to_ask(None, STATE, NOW)
    assert first == Subscription("f", HUB, URL, at=NOW)
    assert to_ask(first, STATE, NOW + timedelta(minutes=9)) is None
    assert to_ask(ACTIVE, STATE, NOW + 5 * HOUR) is None
    renewed = to_ask(ACTIVE, STATE, NOW + 7 * HOUR)
    assert renewed
    assert (renewed.state, renewed.round, renewed.until) == (SubscriptionState.ACTIVE, 1, ACTIVE.until)
    over = to_ask(ACTIVE, STATE, NOW + 9 * HOUR)
    assert over
    assert over.state is SubscriptionState.ASKED


def test_a_hub_that_does_not_answer_is_asked_less_and_less() -> None:
    asked, at = to_ask(None, STATE, NOW), NOW
    waits: list[float] = []
    assert asked
    while len(waits) < 10:
        waited = timedelta()
        while (again := to_ask(asked, STATE, at + waited)) is None:
            waited += timedelta(minutes=10)
        at += waited
        waits.append(waited / HOUR * 60)
        asked = again
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == 24 * 60


def test_another_hub_or_topic_begins_a_new_round_and_a_denial_is_left_alone() -> None:
    other = to_ask(ACTIVE, replace(STATE, topic=f"{URL}/2"), NOW)
    assert other
    assert (other.round, other.state, other.until) == (2, SubscriptionState.ASKED, None)
    denied = replace(ACTIVE, state=SubscriptionState.DENIED)
    assert to_ask(denied, STATE, NOW + 23 * HOUR) is None
    assert to_ask(denied, STATE, NOW + 24 * HOUR)
    assert to_ask(None, FeedState("f", URL), NOW) is None


def test_a_hub_is_relied_on_while_no_poll_is_before_it() -> None:
    assert not pushes_well(ACTIVE, STATE, NOW), "it has never pushed"
    pushed = replace(ACTIVE, pushed_at=NOW)
    assert pushes_well(pushed, replace(STATE, last_new_at=NOW + timedelta(seconds=20)), NOW)
    assert not pushes_well(pushed, replace(STATE, last_new_at=NOW + timedelta(minutes=2)), NOW), "it fell silent"
    assert not pushes_well(pushed, STATE, NOW + 9 * HOUR), "its lease is over"
    assert not pushes_well(None, STATE, NOW)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signature_is_checked(algorithm: str) -> None:
    body, secret = b"<rss/>", key_of("k", "secret", "f", 1)
    right = hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()
    assert is_signed(body, secret, f"{algorithm}={right}")
    assert is_signed(body, secret, f"{algorithm.upper()}={right.upper()}")
    assert not is_signed(body + b" ", secret, f"{algorithm}={right}")
    assert not is_signed(body, key_of("k", "secret", "f", 2), f"{algorithm}={right}")


@pytest.mark.parametrize("header", ["", "sha256=", "md5=" + "0" * 32, "sha256=é", "=", "sha256"])
def test_what_is_no_signature_is_refused(header: str) -> None:
    assert not is_signed(b"", "s", header)


def test_a_lease_is_bounded() -> None:
    leases = {"3600": 3_600, "1": 60, "9" * 12: 30 * 86_400, "9" * 13: None, "-5": None, "²": None, "": None}
    assert {text: granted({"hub.lease_seconds": text}) for text in leases} == leases
