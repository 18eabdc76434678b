"""Webhooks: the event is what its schema says, the signature is the standard's, and answers mean what they say."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from pydantic import SecretStr

from delivery.channels.channel import Refusal, SendResult
from delivery.channels.event import event_of
from delivery.channels.outgoing import Answer, Failure, Outgoing, check_url
from delivery.channels.targets import Closed, Target
from delivery.channels.webhook import WEBHOOK_CHANNEL, Poster, new_secret, parse, result_of, signature
from delivery.message import Message, Notice, Row, Section
from delivery.short import short_of
from newswatch.settings import Settings
from tests.delivery.channels.mails import a_spike
from tests.delivery.channels.receivers import Receiver, serving
from tests.delivery.test_glance import some, written
from tests.factories import NOW, an_article

SCHEMA = json.loads(files("delivery.channels").joinpath("webhook.v1.schema.json").read_text())
HOOK = "webhook:ops"


class Book:
    """One address, and what was switched off."""

    def __init__(self, target: Target | Closed) -> None:
        self._target, self.disabled = target, dict[str, str]()

    def target(self, address: str) -> Target | Closed:
        assert address in (HOOK, "chat:desk")
        return self._target

    def disable(self, address: str, why: str, now: datetime) -> None:
        self.disabled[address] = why


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as there:
        yield there


@pytest.fixture
def there(receiver: Receiver) -> Receiver:
    receiver.got.clear()
    receiver.answer = Receiver().answer
    return receiver


def settings_for(receiver: Receiver, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "public_url": "https://news.example",
        "secret_key": SecretStr("for tests"),
        "channel_timeout_s": 2,
    }
    return Settings(channel_allow_hosts=(receiver.pair,), **(given | more))


def post(receiver: Receiver, message: Message, *keys: str) -> tuple[SendResult, Book]:
    settings = settings_for(receiver)
    book = Book(Target(receiver.url, keys or (new_secret(),)))
    line = Poster(settings, book)
    try:
        return line.send(WEBHOOK_CHANNEL.render(message, settings).content, [HOOK]), book
    finally:
        line.close()


def asked(settings: Settings, url: str) -> Answer | Failure:
    with closing(Outgoing(settings)) as outgoing:
        return outgoing.post_json(url, {}, {})


def a_message(sort: Any = "story", **changes: Any) -> Message:
    return replace(written(sort, an_article(), **changes), recipient=HOOK)


# ── the event ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        a_message(),
        a_message("reply", kind="correction"),
        written("group", *some("en", "de", "fr")),
        written("digest", *some("en"), schedule="daily at 07:00 UTC"),
        Message("health.1", HOOK, "Feeds", NOW, "newswatch", Notice((Section("x", "bad", (Row("a", "b", "c"),)),))),
    ],
)
def test_every_message_is_an_event_of_the_schema(message: Message) -> None:
    event = event_of(message, Settings(public_url="https://news.example"))
    jsonschema.validate(event, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert event["id"] == message.key


def test_an_event_says_what_a_program_needs() -> None:
    article = an_article()
    event = event_of(a_message(), Settings(public_url="https://news.example"))
    assert (event["type"], event["subject"]) == ("newswatch.stories.v1", article.story_id)
    (story,) = event["data"]["stories"]
    assert (story["headline"], story["url"], story["article_id"]) == (article.title, article.url, article.id)
    assert [topic["because"] for topic in story["topics"]] == [["NATO"]]
    (search,) = event["data"]["searches"]
    assert [search["id"]] == story["searches"] == ["ice"], "names may be alike, ids aren't"


def test_an_event_of_a_saved_search_leads_to_what_it_finds_and_has_no_story_to_end() -> None:
    spike, *_ = event_of(a_spike(), Settings(public_url="https://news.example"))["data"]["stories"]
    assert spike["links"]["search"].endswith("/searches/ice?from=mail")
    assert (spike["links"]["enough"], spike["article_id"]) == (None, "")
    assert not [link for link in short_of(a_spike()).stories[0].answers if "Enough" in link.text]


def test_five_hundred_stories_stay_below_a_megabyte() -> None:
    stories = [an_article(f"https://{n}.example/", title=f"Headline {n}", text="Words. " * 50) for n in range(500)]
    event = event_of(written("group", *stories), Settings())
    assert len(json.dumps(event)) < 1_000_000
    assert [story["in_full"] for story in event["data"]["stories"]].count(True) == 100


# ── the post ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_post_is_signed_as_the_standard_says(there: Receiver) -> None:
    new, former = new_secret(), new_secret()
    message = a_message()
    result, _ = post(there, message, new, former)
    assert result == SendResult((HOOK,))
    (got,) = there.got
    assert got.json["specversion"] == "1.0"
    assert got.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert got.headers["webhook-id"] == got.headers["idempotency-key"] == message.key
    signed = f"{message.key}.{got.headers['webhook-timestamp']}.".encode() + got.body
    for secret, given in zip((new, former), got.headers["webhook-signature"].split(), strict=True):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        assert given == "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def test_the_signature_is_the_one_of_the_standards_own_example() -> None:
    body = b'{"test": 2432232314}'
    given = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_same_message_is_the_same_event(there: Receiver) -> None:
    message, secret = a_message(), new_secret()
    post(there, message, secret)
    post(there, message, secret)
    one, two = there.got
    assert one.body == two.body
    assert one.headers["webhook-id"] == two.headers["webhook-id"]


# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (Answer(503, {"retry-after": "120"}), Refusal("its receiver answered 503", False, 120.0)),
        (Answer(429), Refusal("its receiver answered 429", False)),
        (Answer(404), Refusal("its receiver answered 404", False)),
        (Answer(422), Refusal("its receiver answered 422", True)),
        (Answer(410), Refusal("its receiver answered 410 Gone: it wants nothing more", True, gone=True)),
    ],
)
def test_an_answer_means_what_it_says(answer: Answer, refusal: Refusal) -> None:
    assert result_of(HOOK, answer).refused == {HOOK: refusal}


def test_gone_switches_the_address_off(there: Receiver) -> None:
    there.answer = lambda _: (410, {}, b"")
    _, book = post(there, a_message())
    assert book.disabled == {HOOK: "its receiver answered 410 Gone: it wants nothing more"}


def test_a_redirect_is_not_followed(there: Receiver) -> None:
    there.answer = lambda _: (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
    result, _ = post(there, a_message())
    assert len(there.got) == 1
    assert "redirects are not followed" in result.why_not(HOOK)


def test_a_lost_answer_is_unknown_and_a_lost_connection_is_not(there: Receiver) -> None:
    there.answer = lambda _: None
    result, _ = post(there, a_message())
    assert result.unknown == "127.0.0.1 broke off before it answered"
    settings = Settings(channel_allow_hosts=("127.0.0.1:1",), channel_timeout_s=20)
    result = result_of(HOOK, asked(settings, "http://127.0.0.1:1/x"))
    assert result.refused[HOOK] == Refusal("127.0.0.1 can't be reached: connection refused", False)


def test_a_huge_answer_is_not_read(there: Receiver) -> None:
    there.answer = lambda _: (200, {}, b"x" * 3_000_000)
    answer = asked(settings_for(there), there.url)
    assert isinstance(answer, Answer)
    assert len(answer.body) == 65_536


# ── the guard ────────────────────────────────────────────────────────────────────────────────────────────────────────

INSIDE = [
    "https://127.0.0.1/x",
    "https://[::1]/x",
    "https://[::ffff:10.0.0.1]/x",
    "https://169.254.169.254/latest/meta-data/",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0177.0.0.1/x",
    "https://10.1.2.3/x",
    "http://hooks.example.org/x",
    "https://user:pass@hooks.example.org/x",
    "file:///etc/passwd",
    "gopher://127.0.0.1:70/",
    "javascript:alert(1)",
    "https://",
]


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_inside_or_without_https_is_refused_when_given(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        check_url(url, Settings())
    assert "pass@" not in str(error.value)
    assert "/x" not in str(error.value)


def test_a_name_that_leads_inside_is_refused_at_connect(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiohttp

    async def resolve(self: Any, host: str, port: int = 0, family: Any = 0) -> Any:
        return [{"hostname": host, "host": "127.0.0.1", "port": there.port, "family": 2, "proto": 0, "flags": 0}]

    monkeypatch.setattr(aiohttp.DefaultResolver, "resolve", resolve)
    answer = asked(Settings(), f"https://rebound.example.org:{there.port}/s3cr3t")
    assert not isinstance(answer, Answer)
    assert answer.why == "rebound.example.org leads to 127.0.0.1, which is not a public address"
    assert there.got == []


def test_no_error_repeats_what_may_be_a_key(there: Receiver, caplog: pytest.LogCaptureFixture) -> None:

    for url in (there.url, "https://127.0.0.1:9/s3cr3t-path", "https://no-such-host.invalid/s3cr3t-path"):
        there.answer = lambda _: (500, {}, b"s3cr3t-path")
        result = result_of(HOOK, asked(settings_for(there), url))
        assert "s3cr3t" not in repr(result)
    assert "s3cr3t" not in caplog.text
    assert "s3cr3t" not in repr(Target(there.url, ("whsec_s3cr3t",)))
    with pytest.raises(ValueError, match="webhook:NAME") as error:
        parse("webhook:https://hooks.example/s3cr3t")
    assert "s3cr3t" not in str(error.value)
