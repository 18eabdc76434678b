"""The operator is mailed what changed, once, whatever dies."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from delivery.channels.email import EMAIL
from delivery.channels.email_smtp import Mailer
from jobs.health import health, message_of, sections
from newswatch.errors import NewswatchError
from newswatch.feed import FeedHealth
from store.feeds import FeedStore
from store.notices import HealthChange, NoticeStore, Pending, read_notice
from tests.factories import NOW, a_feed
from tests.jobs.conftest import World

pytestmark = pytest.mark.slow

OPERATOR = "operator@example.org"


@pytest.fixture
def operated(world: World) -> World:
    world.context = replace(world.context, settings=world.context.settings.model_copy(update={"operator": OPERATOR}))
    FeedStore(world.context.es, world.context.names).sync([a_feed("a"), a_feed("b", title="<B> & Söhne"), a_feed("c")])
    return world


def put(world: World, feed_id: str, state: FeedHealth, why: str = "it broke") -> None:
    store = FeedStore(world.context.es, world.context.names)
    (was,) = [feed for feed in store.due(NOW, 100) if feed.id == feed_id]
    new = replace(was.value.state, health=state, health_why=why, health_since=NOW)
    assert store.save([(was, new)]) == []


def mails(world: World) -> list[EmailMessage]:
    return [message_from_bytes(mail, policy=policy.default) for mail in world.mailbox.mails]


def test_only_what_changed_is_mailed_and_only_once(operated: World) -> None:
    assert health(operated.context).changes == ()
    put(operated, "a", FeedHealth.FAILING)
    put(operated, "b", FeedHealth.STALE, "silent for 9 days")
    put(operated, "c", FeedHealth.OK)
    assert health(operated.context).mailed
    assert not health(operated.context).mailed
    (mail,) = mails(operated)
    assert (mail["Subject"], mail["To"]) == ("Feeds: 1 failing, 1 stale", OPERATOR)
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert "The A: failing" in text
    assert "silent for 9 days" in text
    assert "https://a.example/rss" in text
    assert "&lt;B&gt; &amp; Söhne" in html
    assert "The C" not in text + html


def test_a_mail_of_very_many_feeds_tells_of_each_and_stays_small(operated: World) -> None:
    changes = tuple(
        HealthChange(
            f"f{n}", f"Feed {n}", f"https://f{n}.example/rss", "ok", state, NOW, "f.example answered 503", None
        )
        for n, state in enumerate([FeedHealth.FAILING] * 200 + [FeedHealth.STALE])
    )
    told = sections(changes, operated.context.settings)
    assert [(one.heading, len(one.rows), len(one.brief)) for one in told] == [
        ("Not read any more", 20, 180),
        ("Read, but look at them", 1, 0),
    ]
    settings = operated.context.settings.model_copy(update={"time_zone": "Europe/Brussels"})
    (first, *_) = sections(changes, settings)[0].rows
    assert first.facts == ("since Wed 4 Mar 2026, 06:06 CET", "last read never")
    mail = EMAIL.render(message_of(Pending("x", NOW, changes, {}), settings, OPERATOR), settings).content
    for body in (mail.get_body(("plain",)), mail.get_body(("html",))):
        assert body
        assert all(f"Feed {n}" in body.get_content() for n in range(201))
        assert len(body.as_bytes()) < 102_000, "Gmail cuts what is longer"


def test_what_is_well_again_is_told_too(operated: World) -> None:
    put(operated, "a", FeedHealth.GAP)
    health(operated.context)
    put(operated, "a", FeedHealth.OK)
    health(operated.context)
    put(operated, "a", FeedHealth.GAP)
    health(operated.context)
    assert [mail["Subject"] for mail in mails(operated)] == ["Feeds: 1 gap", "Feeds: 1 well again", "Feeds: 1 gap"]
    assert len({mail["Message-ID"] for mail in mails(operated)}) == 3


def test_without_an_operator_nothing_is_mailed_and_nothing_taken_for_told(operated: World) -> None:
    put(operated, "a", FeedHealth.GONE)
    alone = replace(operated.context, settings=operated.context.settings.model_copy(update={"operator": None}))
    assert len(health(alone).changes) == 1
    assert mails(operated) == []
    assert health(operated.context).mailed


def test_a_mail_that_can_not_be_sent_goes_out_later_unchanged(operated: World) -> None:
    put(operated, "a", FeedHealth.FAILING)
    down = replace(operated.context, settings=operated.context.settings.model_copy(update={"smtp_port": 1}))
    with pytest.raises(NewswatchError, match="could not be sent"):
        health(down)
    put(operated, "a", FeedHealth.OK)
    assert health(operated.context).mailed
    assert [mail["Subject"] for mail in mails(operated)] == ["Feeds: 1 failing", "Feeds: 1 well again"]


def test_dying_after_sending_repeats_the_same_mail(operated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(operated, "a", FeedHealth.FAILING)
    whole = Mailer.send

    def dying(*args: object) -> object:
        whole(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(Mailer, "send", dying)
        with pytest.raises(KeyboardInterrupt):
            health(operated.context)
    operated.wait(hours=1)
    assert not health(operated.context).mailed
    one, other = (mail["Message-ID"] for mail in mails(operated))
    assert one == other
    assert NoticeStore(operated.context.es, operated.context.names).read().pending is None


def test_two_at_once_send_one_mail(operated: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(operated, "a", FeedHealth.FAILING)
    late = NoticeStore(operated.context.es, operated.context.names).read()
    health(operated.context)
    with monkeypatch.context() as patched:
        patched.setattr(NoticeStore, "read", lambda _: late)
        assert not health(operated.context).mailed
    assert len(mails(operated)) == 1


def test_a_mail_begun_before_there_were_channels_goes_out_under_its_message_id(operated: World) -> None:
    es, names = operated.context.es, operated.context.names
    former = "<health.0123abcd@old.example>"
    change = {"feed_id": "a", "title": "The A", "url": "https://a.example/rss", "before": "ok", "state": "failing"}
    pending = {"message_id": former, "at": NOW.isoformat(), "changes": [change | {"since": None, "why": "it broke"}]}
    document = {"kind": "feed-health", "told": {}, "pending": pending | {"told": {"a": "failing"}}}
    es.index(index=names.notices, id="feed-health", document=document, refresh=True)
    put(operated, "a", FeedHealth.FAILING)
    assert not health(operated.context).mailed, "the change is told by the mail that was begun"
    assert [mail["Message-ID"] for mail in mails(operated)] == [former]
    told = NoticeStore(es, names).read()
    assert (told.pending, told.key, told.told) == (None, former, {"a": "failing"})


def test_what_the_operator_knew_before_there_were_channels_is_known() -> None:
    known = read_notice("feed-health", {"told": {"a": "gone"}, "message_id": "<x@y>", "at": NOW.isoformat()})
    assert (known.told, known.key) == ({"a": "gone"}, "<x@y>")
