"""Chats: each service gets what it understands, one thread a story, within its limits; and no key is ever shown."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from delivery.channels.channel import Refusal, SendResult
from delivery.channels.chat import CHAT_CHANNEL, Chats
from delivery.channels.chats import slack
from delivery.channels.chats.ntfy import NTFY
from delivery.channels.chats.others import KNOWN
from delivery.channels.chats.registry import SERVICES, checked_place, place_of
from delivery.channels.targets import Closed, Target
from delivery.message import Message
from newswatch.settings import Settings
from tests.delivery.channels.receivers import MatrixLike, NtfyLike, Receiver, SlackLike, as_json, serving
from tests.delivery.channels.test_webhook import Book, settings_for
from tests.delivery.test_glance import some, written
from tests.factories import an_article

DESK = "chat:desk"


@pytest.fixture
def slacklike(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackLike]:
    with serving(SlackLike()) as there:
        monkeypatch.setattr(slack, "API", f"http://{there.pair}/api")
        monkeypatch.setattr(slack, "HOOKS", f"http://{there.pair}/services")
        yield there


@pytest.fixture
def matrixlike() -> Iterator[MatrixLike]:
    with serving(MatrixLike()) as there:
        yield there


@pytest.fixture
def ntfylike() -> Iterator[NtfyLike]:
    with serving(NtfyLike()) as there:
        yield there


def say(url: str, receiver: Receiver, message: Message | None = None) -> SendResult:
    settings = settings_for(receiver)
    line = Chats(settings, Book(Target(url)))
    try:
        return line.send(CHAT_CHANNEL.render(message or a_message(), settings).content, [DESK])
    finally:
        line.close()


def a_message(sort: Any = "story", thread: tuple[str, ...] = (), key: str = "one", **changes: Any) -> Message:
    return replace(written(sort, an_article(), **changes), recipient=DESK, thread=thread, key=key)


# ── Slack ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_slack_keeps_a_story_in_one_thread_and_shows_a_correction_in_the_channel(slacklike: SlackLike) -> None:
    url = f"slack://{slacklike.token}/#news"
    first = say(url, slacklike)
    later = say(url, slacklike, a_message("reply", thread=(first.reference,), kind="update"))
    grave = say(url, slacklike, a_message("reply", thread=(first.reference, later.reference), kind="correction"))
    assert (first.accepted, later.accepted, grave.accepted) == ((DESK,), (DESK,), (DESK,))
    posts = slacklike.posts
    assert [(p["channel"], p.get("thread_ts"), p.get("reply_broadcast")) for p in posts] == [
        ("#news", None, None),
        ("C0NEWS", posts[0]["ts"], False),
        ("C0NEWS", posts[0]["ts"], True),
    ]
    assert posts[0]["text"].startswith("<https://herald.example/flank|Allies agree on a plan for the eastern flank>\n")
    assert posts[0]["metadata"]["event_payload"] == {"id": "one"}


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        ("channel_not_found", Refusal("Slack refuses it: channel_not_found", False)),
        ("token_revoked", Refusal("Slack refuses it: token_revoked", True, gone=True)),
        ("ratelimited", Refusal("Slack answered 429", False, 30.0)),
    ],
)
def test_slacks_refusals_mean_what_they_say(slacklike: SlackLike, error: str, refusal: Refusal) -> None:
    slacklike.error = error
    assert say(f"slack://{slacklike.token}/news", slacklike).refused == {DESK: refusal}


def test_an_incoming_webhook_of_slack_takes_messages(slacklike: SlackLike) -> None:
    slacklike.answer = lambda _: (200, {}, b"ok")
    assert say("slack://T0AAAA/B0BBBB/abcdefKEY", slacklike).accepted == (DESK,)
    (got,) = slacklike.got
    assert got.path == "/services/T0AAAA/B0BBBB/abcdefKEY"
    assert "Allies agree" in got.json["text"]


# ── Matrix ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_matrix_keeps_a_story_in_one_thread(matrixlike: MatrixLike) -> None:
    url = f"matrix://{matrixlike.token}@{matrixlike.pair}/!news:matrix.example"
    first = say(url, matrixlike)
    second = say(url, matrixlike, a_message("reply", (first.reference,), "two", kind="update"))
    third = say(url, matrixlike, a_message("reply", (first.reference, second.reference), "three", kind="correction"))
    assert third.accepted == (DESK,)
    one, _, three = matrixlike.events.values()
    assert "m.relates_to" not in one
    assert three["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": first.reference,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": second.reference},
    }
    assert three["body"].startswith("Correction: ")
    assert '<a href="https://herald.example/flank">' in one["formatted_body"]


def test_matrix_shows_a_message_that_is_sent_again_once(matrixlike: MatrixLike) -> None:
    url = f"matrix://{matrixlike.token}@{matrixlike.pair}/#news:matrix.example"
    assert say(url, matrixlike).reference == say(url, matrixlike).reference
    assert len(matrixlike.events) == 1


def test_matrix_says_how_long_to_wait_and_when_a_token_is_dead(matrixlike: MatrixLike) -> None:
    url = f"matrix://{matrixlike.token}@{matrixlike.pair}/!news:matrix.example"
    matrixlike.answer = lambda _: as_json(429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 90_000})
    assert say(url, matrixlike).refused == {DESK: Refusal("the homeserver asks to wait", False, 90.0)}
    matrixlike.answer = lambda _: as_json(401, {"errcode": "M_UNKNOWN_TOKEN"})
    assert say(url, matrixlike).refused[DESK].permanent


# ── ntfy ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ntfy_shows_title_reason_and_links_once(ntfylike: NtfyLike) -> None:
    ntfylike.token = "tk_test"
    url = f"ntfy://tk_test@{ntfylike.pair}/desk"
    for _ in range(2):
        assert say(url, ntfylike).accepted == (DESK,)
    (shown,) = ntfylike.shown.values()
    assert (shown["topic"], shown["title"]) == ("desk", "Allies agree on a plan for the eastern flank")
    assert "because of “NATO”" in shown["message"]
    assert "Allies agree" not in shown["message"]
    assert shown["click"].startswith("https://news.example/news/story/")
    assert [action["label"] for action in shown["actions"]] == [
        "Article", "Enough of this story", "Stop these messages",
    ]  # fmt: skip


def test_ntfy_never_gets_more_than_it_takes(ntfylike: NtfyLike) -> None:
    long = [replace(a, title="Ünïcödé " * 60, text="Ein Satz über Eis. " * 400) for a in some(*["de"] * 40)]
    assert say(f"ntfy://{ntfylike.pair}/desk", ntfylike, written("group", *long)).accepted == (DESK,)
    assert "more stories" in next(iter(ntfylike.shown.values()))["message"]


# ── what else Apprise knows ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def target() -> Iterator[Receiver]:
    with serving(Receiver()) as there:
        yield there


def test_apprise_sends_to_its_own_json_target(target: Receiver) -> None:
    assert say(f"json://{target.pair}/path", target).accepted == (DESK,)
    (got,) = target.got
    assert got.json["title"] == "Allies agree on a plan for the eastern flank"
    assert "Article: https://herald.example/flank" in got.json["message"]
    target.answer = lambda _: (503, {}, b"")
    assert say(f"json://{target.pair}/path", target).refused == {DESK: Refusal("JSON: the service answered 503", False)}


def test_apprise_is_kept_from_the_inside_whatever_its_modules_do(target: Receiver) -> None:
    """The wall of its process: an address that is not checked beforehand, because its scheme names no host of ours."""
    from delivery.channels.chats.others import Process

    process = Process(())
    try:
        seen = len(target.got)
        order = {"url": f"json://{target.pair}/", "title": "a", "body": "b"}
        answer = process.ask(order, 30)
        assert answer is not None
        assert answer["ok"] is False
        assert len(target.got) == seen
        program = process.ask({"url": "syslog://", "title": "a", "body": "b"}, 30)
        assert program is not None
        assert program["ok"] is False
    finally:
        process.close()


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "s3cr3tKEY9"


@pytest.mark.parametrize(
    "url",
    [
        f"mailto://user:{SECRET}@example.org",
        "syslog://",
        "dbus://",
        "windows://",
        f"exec://{SECRET}",
        f"mqtt://{SECRET}@example.org",
        f"https://hooks.example/{SECRET}",
        f"discord://123456789/{SECRET}?template=/etc/passwd",
        f"gotifys://example.org/{SECRET}?verify=no",
        f"jsons://example.org/{SECRET}?+X-Evil=1",
        f"jsons://10.0.0.1/{SECRET}",
        f"jsons://[::1]/{SECRET}",
        f"json://example.org/{SECRET}",
        f"matrixs://{SECRET}@169.254.169.254/!a:b",
        f"matrix://{SECRET}@example.org/!a:b",
        f"matrixs://user:{SECRET}@example.org/!a:b",
        f"ntfys://{SECRET}@localhost/desk/more",
        f"ntfys://{SECRET}@127.0.0.1/desk",
        f"slack://xoxb-{SECRET}/a/b/c",
        "ntfy",
        "ntfys://example.org/" + "x" * 3_000,
        "ntfys://example.org/\u202eevil",
        "",
    ],
)
def test_an_address_that_is_not_allowed_is_refused_without_repeating_a_key(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as error:
        place_of(url, Settings())
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"slack://xoxb-{SECRET}/#news", "slack://…/#news"),
        (f"slack://T0AAAA/B0BBBB/{SECRET}", "slack://… (incoming webhook)"),
        (f"matrixs://{SECRET}@matrix.example.org/!a:b", "matrix: !a:b at matrix.example.org"),
        (f"ntfys://{SECRET}@ntfy.example.org/desk", "ntfy: de… at ntfy.example.org"),
        (f"ntfy://{SECRET}", "ntfy: s3… at ntfy.sh"),
        (f"gotifys://gotify.example.org/A{SECRET}AAAA", "gotifys://gotify.example.org"),
        (f"discord://4174216298/{SECRET}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "discord://…"),
    ],
)
def test_of_an_address_only_what_is_no_key_is_shown(url: str, shown: str) -> None:
    place = place_of(url, Settings())
    assert place.shown == shown
    assert SECRET not in repr(place)


def test_apprise_says_whether_it_can_read_an_address_that_somebody_gives() -> None:
    with pytest.raises(ValueError, match="Apprise can't read this tgram:// address") as error:
        checked_place(f"tgram://{SECRET}", Settings())
    assert SECRET not in str(error.value)


def test_apprise_answers_a_process_that_has_a_thousand_files_open() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1_400 if hard == resource.RLIM_INFINITY else min(hard, 1_400)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        with pytest.raises(ValueError, match="Apprise can't read this tgram:// address"):
            checked_place(f"tgram://{SECRET}", Settings())
    finally:
        for file in opened:
            os.close(file)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_every_scheme_on_the_list_has_its_form() -> None:
    schemes = [scheme for service in SERVICES for scheme in service.schemes]
    assert len(schemes) == len(set(schemes))
    assert not set(KNOWN) & {"mailto", "syslog", "dbus", "windows", "macosx", "xmpp", "mqtt", "irc", "apprise"}
    assert NTFY.example.startswith("ntfys://")


def test_a_closed_address_gets_nothing(target: Receiver) -> None:
    line = Chats(settings_for(target), Book(Closed("it is not confirmed yet", permanent=False)))
    result = line.send(CHAT_CHANNEL.render(a_message(), Settings()).content, [DESK])
    assert result.refused == {DESK: Refusal("it is not confirmed yet", False)}
