"""People, groups and addresses: who gets a story where, and that nobody is signed up by another."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from pydantic import SecretStr

from alerts import recipients
from alerts.saved import SavedSearches
from delivery.address_book import AddressBook, AddressError
from delivery.channels.targets import Closed, Target
from delivery.compose import MailPlan, plan
from delivery.confirmed import hold
from delivery.deliver import deliver
from delivery.documents import read_delivery
from delivery.erasure import Erasure
from delivery.fanout import Fanout
from delivery.feedback import apply_link
from delivery.links import Link, Links, signing_keys
from delivery.mailbox import Mailbox, Mailboxes
from delivery.outbox import Outbox
from delivery.replaying import Replayed, replay
from delivery.report import DeliverReport
from delivery.routing import addresses
from delivery.subscribers import route_of, state_of, subscriber_of
from delivery.verification import AGAIN_AFTER, CODE_FOR, MOST_ADDRESSES, TRIES, Registrar
from newswatch.article import Article
from newswatch.config import did_you_mean
from newswatch.delivery import Delivery, DeliveryState
from newswatch.errors import NewswatchError, StoreError
from newswatch.problems import Bulkhead, collecting
from newswatch.sealing import Sealer, SealError
from newswatch.settings import Settings
from newswatch.subscriber import Address, Route, Subscriber, holds
from store.elastic.reading import get_stored
from store.elastic.turns import MATCHING, OWING, turn
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.delivery.channels.receivers import MatrixLike, Receiver, as_json, serving
from tests.delivery.post_office import PostOffice
from tests.factories import NOW, an_article

ROOT = Path(__file__).resolve().parents[2]
ANN, PHONE, OPS = "ann@reader.example", "chat:ann-phone", "webhook:ops"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BOTH = frozenset({"nato", "counter-terrorism"})


# ── routes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("route", "hour", "main", "held"),
    [
        (Route(ANN), 3, frozenset(), True),
        (Route(ANN, time(8), time(18)), 8, frozenset(), True),
        (Route(ANN, time(8), time(18)), 18, frozenset(), False),
        (Route(ANN, time(18), time(8)), 3, frozenset(), True),
        (Route(ANN, time(18), time(8)), 12, frozenset(), False),
        (Route(ANN, main=("nato", "counter-terrorism")), 3, BOTH, True),
        (Route(ANN, main=("nato", "counter-terrorism")), 3, frozenset({"nato"}), False),
        (Route(ANN, weekdays=True), 3, frozenset(), True),
    ],
)
def test_a_route_takes_what_it_says(route: Route, hour: int, main: frozenset[str], held: bool) -> None:
    wednesday = datetime(2026, 3, 4, hour, tzinfo=UTC)
    assert holds(route, wednesday, UTC, main) is held


def test_a_route_on_weekdays_rests_at_the_weekend_of_its_zone() -> None:
    saturday_in_brussels = datetime(2026, 3, 6, 23, 30, tzinfo=UTC)
    from zoneinfo import ZoneInfo

    assert holds(Route(ANN, weekdays=True), saturday_in_brussels, UTC, frozenset())
    assert not holds(Route(ANN, weekdays=True), saturday_in_brussels, ZoneInfo("Europe/Brussels"), frozenset())


def a_person(*routes: Route, name: str = "ann", kind: Any = "person") -> Subscriber:
    return Subscriber(f"{kind}:{name}", kind, name, "ann", routes)


KNOWN = {
    one.id: one
    for one in (
        a_person(Route(ANN, time(8), time(18)), Route(PHONE, main=("nato", "counter-terrorism"))),
        a_person(Route("person:ann"), Route("bob@reader.example"), Route("group:desk"), name="desk", kind="group"),
        *(a_person(*(Route(f"group:g{other}") for other in range(40)), name=f"g{n}", kind="group") for n in range(40)),
    )
}


@pytest.mark.parametrize(
    ("recipients", "hour", "main", "to"),
    [
        (("person:ann",), 12, frozenset(), (ANN,)),
        (("person:ann",), 12, BOTH, (ANN, PHONE)),
        (("person:ann",), 3, BOTH, (PHONE,)),
        (("person:ann",), 3, frozenset(), (ANN,)),  # no route holds: the first, so that nothing is lost
        ((ANN, "person:ann"), 12, frozenset(), (ANN,)),
        (("group:desk",), 12, frozenset(), (ANN, "bob@reader.example")),
        (("person:gone",), 12, frozenset(), ("person:gone",)),
        ((ANN.upper(), "group:desk"), 12, frozenset(), (ANN.upper(), "bob@reader.example")),
        (("group:g0", ANN), 12, frozenset(), (ANN,)),  # forty groups, each with all of them
    ],
)
def test_people_and_groups_become_addresses_each_once(
    recipients: tuple[str, ...], hour: int, main: frozenset[str], to: tuple[str, ...]
) -> None:
    assert addresses(recipients, KNOWN, datetime(2026, 3, 4, hour, tzinfo=UTC), main) == to


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_sealed_opens_with_the_key_and_the_key_before() -> None:
    sealed = Sealer(["old"]).seal("https://hooks.example/KEY")
    assert "hooks" not in sealed
    assert Sealer(["old", "new"]).open(sealed) == "https://hooks.example/KEY"
    with pytest.raises(SealError, match="another key"):
        Sealer(["new"]).open(sealed)
    with pytest.raises(SealError):
        Sealer(["old"]).open(sealed[:-4] + "AAA=")


# ── confirming ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Desk:
    """Adds addresses, enqueues stories and delivers them."""

    press: Press
    settings: Settings
    now: datetime = NOW
    owed: list[Delivery] = field(default_factory=list)

    @property
    def registrar(self) -> Registrar:
        return Registrar(self.press.es, self.press.names, self.settings, lambda: self.now)

    @property
    def book(self) -> AddressBook:
        return self.registrar.book

    def owe(self, article: Article, *recipients: str, **changes: Any) -> Delivery:
        self.press.publish(article, now=self.now)
        made = Delivery("ice", "Ice", article.story_id, article.id, recipients, DeliveryState.PENDING, self.now)
        made = replace(made, **({"not_before": self.now} | changes))
        assert Outbox(self.press.es, self.press.names).add([made]).created == 1
        return made

    def deliver(self) -> DeliverReport:
        return deliver(self.press.es, self.press.names, self.settings, now=self.now)

    def states(self, owed: Delivery) -> dict[str, tuple[DeliveryState, str | None]]:
        (found,) = Outbox(self.press.es, self.press.names).told([owed.id])
        return {o.recipient: (o.state, o.error) for o in found.outcomes}


@pytest.fixture(scope="module")
def hook() -> Iterator[Receiver]:
    with serving(Receiver()) as there:
        yield there


@pytest.fixture(scope="module")
def room() -> Iterator[MatrixLike]:
    with serving(MatrixLike()) as there:
        yield there


@pytest.fixture
def desk(es: Elasticsearch, names: Names, posted: Settings, hook: Receiver, room: MatrixLike) -> Desk:
    hook.got.clear()
    hook.answer = echoing
    room.got.clear()
    room.events.clear()
    changes = {"channel_allow_hosts": (hook.pair, room.pair), "channel_timeout_s": 20.0}
    return Desk(Press(es, names), posted.model_copy(update=changes))


def echoing(got: Any) -> Any:
    """As a receiver that confirms itself."""
    return as_json(200, {"challenge": got.json["data"].get("challenge")})


def room_url(room: MatrixLike) -> str:
    return f"matrix://{room.token}@{room.pair}/!news:matrix.example"


def code_in(room: MatrixLike) -> str:
    found = re.search(r"Code: ([A-Z0-9-]+)", list(room.events.values())[-1]["body"])
    assert found
    return found[1]


def with_hook(desk: Desk, hook: Receiver) -> str:
    _, secret = desk.registrar.add_webhook("ops", hook.url, "ann")
    desk.registrar.send_code(OPS)
    return secret


@pytest.mark.slow
def test_a_webhook_confirms_by_answering_its_challenge(desk: Desk, hook: Receiver) -> None:
    hook.answer = lambda _: (200, {}, b"OK")
    address, secret = desk.registrar.add_webhook("ops", hook.url, "ann")
    owed = desk.owe(a_story(1), OPS)
    assert desk.deliver() == DeliverReport(), "it waits until it is confirmed"
    assert not desk.registrar.send_code(OPS).is_open
    assert isinstance(desk.book.target(OPS), Closed)
    hook.answer = echoing
    with pytest.raises(AddressError, match="less than a minute ago"):
        desk.registrar.send_code(OPS)
    desk.now += AGAIN_AFTER
    assert desk.registrar.send_code(OPS).is_open
    assert desk.book.target(OPS) == Target(hook.url, (secret,))
    assert desk.deliver().sent == 1
    assert desk.states(owed) == {OPS: (DeliveryState.SENT, None)}
    assert hook.got[-1].json["data"]["stories"][0]["headline"] == a_story(1).title
    stored = desk.press.es.get(index=desk.press.names.subscribers, id=OPS)["_source"]
    assert "s3cr3t" not in str(stored)
    assert secret not in str(stored)
    assert "s3cr3t" not in address.shown


@pytest.mark.slow
def test_a_program_is_told_at_once_and_a_person_of_several_together(
    desk: Desk, hook: Receiver, office: PostOffice
) -> None:
    with_hook(desk, hook)
    hook.got.clear()
    for number in range(3):
        desk.owe(a_story(number), OPS, ANN)
        desk.deliver()
        desk.now += timedelta(seconds=desk.settings.mail_group_s / 3)
    assert [len(got.json["data"]["stories"]) for got in hook.got] == [1, 1, 1]
    assert len(office.messages) == 1
    desk.now += timedelta(seconds=desk.settings.mail_group_s)
    desk.deliver()
    assert len(office.messages) == 2, "the other two come together"
    assert len(hook.got) == 3


@pytest.mark.slow
def test_nobody_takes_over_a_name_to_which_others_news_goes(desk: Desk, hook: Receiver) -> None:
    searches = SavedSearches(desk.press.es, desk.press.names)
    searches.save(a_search("ice", "ice", OPS, owner="ann"), by="ann", now=NOW)
    desk.book.create(Subscriber("group:night", "group", "night", "ann", (Route("webhook:night"),)))
    for name, said in (
        ("ops", "The saved search 'Ice' names webhook:ops"),
        ("night", "group:night names webhook:night"),
    ):
        with pytest.raises(AddressError, match=said):
            desk.registrar.add_webhook(name, hook.url, "mallory")
    assert desk.registrar.add_webhook("ops", hook.url, "ann")[0].id == OPS
    trusted = Registrar(desk.press.es, desk.press.names, desk.settings, lambda: NOW, trusted=True)
    assert trusted.add_webhook("night", hook.url, "root")[0].id == "webhook:night"


@pytest.mark.slow
def test_a_chat_confirms_by_its_code_and_few_wrong_ones_are_taken(desk: Desk, room: MatrixLike) -> None:
    registrar = desk.registrar
    registrar.add_chat("ann-phone", room_url(room), "ann")
    registrar.send_code(PHONE)
    code = code_in(room)
    for _ in range(TRIES):
        with pytest.raises(AddressError, match="not the code"):
            registrar.confirm(PHONE, "AAAA-AAAA")
    with pytest.raises(AddressError, match="wrong codes were tried"):
        registrar.confirm(PHONE, code)
    desk.now += AGAIN_AFTER
    registrar.send_code(PHONE)
    with pytest.raises(AddressError, match="not the code"):
        registrar.confirm(PHONE, code)
    late, fresh = desk.now + CODE_FOR + MINUTE, code_in(room)
    desk.now = late
    with pytest.raises(AddressError, match="send a new one"):
        desk.registrar.confirm(PHONE, fresh)
    desk.registrar.send_code(PHONE)
    assert desk.registrar.confirm(PHONE, code_in(room).lower().replace("-", " ")).is_open
    with pytest.raises(AddressError, match="No code waits"):
        desk.registrar.confirm(PHONE, code_in(room))


@pytest.mark.slow
def test_a_new_mail_address_gets_nothing_until_it_says_so(desk: Desk, office: PostOffice) -> None:
    desk.registrar.add_mail(ANN, "bob")
    (asked,) = office.to(ANN)
    assert "do you want these mails?" in str(asked["Subject"])
    owed = desk.owe(a_story(1), ANN)
    assert desk.deliver() == DeliverReport()
    found = re.search(r"Yes, send me mails: https://news.example/newswatch/mail/(\S+)", str(asked.get_body(("plain",))))
    assert found
    link = Links(desk.settings).read(found[1])
    apply_link(desk.press.es, desk.press.names, link, desk.now)
    assert desk.deliver().sent == 1
    assert desk.states(owed) == {ANN: (DeliveryState.SENT, None)}
    assert [state_of(entry) for entry in desk.book.all() if isinstance(entry, Address)] == ["confirmed"]


def test_a_mail_that_asks_and_fails_may_be_sent_again_and_one_never_sent_is(desk: Desk, office: PostOffice) -> None:
    nowhere = replace(desk, settings=desk.settings.model_copy(update={"smtp_port": 1}))
    with pytest.raises(NewswatchError):
        nowhere.registrar.add_mail(ANN, "bob")
    desk.registrar.send_link(ANN, "bob")
    assert len(office.to(ANN)) == 1
    assert desk.registrar.unknown_mails([ANN]) == []
    hold(desk.press.es, desk.press.names, "bob@reader.example", desk.now)  # and who did it died
    assert desk.registrar.unknown_mails(["bob@reader.example"]) == ["bob@reader.example"]
    with pytest.raises(AddressError, match="at most 50"):
        desk.registrar.check_number("bob", MOST_ADDRESSES)


def test_who_is_held_after_he_was_found_to_be_due_gets_nothing() -> None:
    """As a person is who is being erased."""
    held = Mailbox(ANN, unverified_since=NOW)
    owed = Delivery("ice", "Ice", "s", "a", (ANN,), DeliveryState.PENDING, NOW)
    assert plan(held, [owed], {}, {}, now=NOW + MINUTE, group=MINUTE) == MailPlan()


@pytest.mark.slow
def test_what_waits_for_a_word_that_never_comes_is_suppressed_with_its_reason(desk: Desk, office: PostOffice) -> None:
    desk.registrar.add_mail(ANN, "bob")
    owed = desk.owe(a_story(1), ANN)
    desk.now += 7 * DAY + MINUTE
    assert desk.deliver().suppressed == 1
    assert desk.states(owed) == {ANN: (DeliveryState.SUPPRESSED, "the address was not confirmed within 7 days")}
    assert len(office.to(ANN)) == 1


# ── delivering ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_person_gets_mail_and_push_by_their_routes(
    desk: Desk, office: PostOffice, room: MatrixLike, hook: Receiver
) -> None:
    desk.registrar.add_chat("ann-phone", room_url(room), "ann")
    desk.registrar.send_code(PHONE)
    desk.registrar.confirm(PHONE, code_in(room))
    with_hook(desk, hook)
    desk.book.save(a_person(Route(ANN), Route(PHONE, main=("nato",))))
    desk.book.save(a_person(Route("person:ann"), Route(OPS), name="all", kind="group"))
    main = desk.owe(a_story(1, tags=an_article().tags), "group:all")
    other = desk.owe(a_story(3), "group:all")
    assert desk.deliver().failed == 0
    assert set(desk.states(main)) == {ANN, PHONE, OPS}
    assert set(desk.states(other)) == {ANN, OPS}
    assert len(office.to(ANN)) == 1
    lost = desk.owe(a_story(2), "person:nobody")
    desk.deliver()
    assert desk.states(lost)["person:nobody"][0] is DeliveryState.FAILED


@pytest.mark.slow
def test_a_route_for_a_topic_that_does_not_exist_is_refused_and_not_silent(desk: Desk) -> None:
    made = partial(
        subscriber_of,
        "person:ann",
        book=desk.book,
        name="",
        zone="UTC",
        owner="ann",
        now=NOW,
        topics=("nato", "nato/x"),
    )
    assert made([f"{ANN} main=nato,nato/x"]).routes == (Route(ANN, main=("nato", "nato/x")),)
    with pytest.raises(AddressError, match="'natto' is not a topic of the taxonomy; did you mean 'nato'"):
        made([f"{ANN} main=natto"])


@pytest.mark.parametrize("twice", ["08:00-12:00 14:00-18:00", "main=nato main=nato/air", "08:00-12:00 " * 9])
def test_what_a_route_says_twice_is_refused_and_not_half_in_force(twice: str) -> None:
    assert route_of("ann@reader.example weekdays 08:00-12:00 main=nato").main == ("nato",)
    with pytest.raises(AddressError, match=r"give ann@reader\.example a route of its own for each"):
        route_of(f"ann@reader.example {twice}")


@pytest.mark.slow
def test_an_update_follows_in_the_storys_thread(desk: Desk, room: MatrixLike) -> None:
    desk.registrar.add_chat("ann-phone", room_url(room), "ann")
    desk.registrar.send_code(PHONE)
    desk.registrar.confirm(PHONE, code_in(room))
    desk.owe(a_story(1), PHONE)
    desk.deliver()
    desk.now += HOUR
    desk.owe(a_story(11, story_id=a_story(1).story_id), PHONE, kind="update")
    assert desk.deliver().sent == 1
    _, first, second = room.events.values()
    assert second["m.relates_to"]["event_id"] == first["event_id"]


@pytest.mark.slow
def test_a_receiver_that_rests_is_left_alone_and_one_that_is_gone_is_switched_off(desk: Desk, hook: Receiver) -> None:
    with_hook(desk, hook)
    desk.owe(a_story(1), OPS)
    hook.answer = lambda _: (429, {"Retry-After": "7200"}, b"")
    report = desk.deliver()
    assert report.postponed == 1
    assert report.later
    assert 2 * HOUR <= report.later - desk.now < 2 * HOUR + MINUTE
    desk.now += 2 * HOUR + MINUTE
    hook.answer = lambda _: (410, {}, b"")
    assert desk.deliver().failed == 1
    address = desk.book.address(OPS)
    assert address is not None
    assert "410 Gone" in address.disabled_why
    seen = len(hook.got)
    gone = desk.owe(a_story(2), OPS)
    desk.now += HOUR
    assert desk.deliver().failed == 1
    assert len(hook.got) == seen
    assert "is switched off" in str(desk.states(gone)[OPS][1])
    hook.answer = echoing
    desk.registrar.switch_on(OPS)
    desk.owe(a_story(3), OPS)
    desk.now += HOUR
    assert desk.deliver().sent == 1


@pytest.mark.slow
def test_dead_receivers_keep_nobody_waiting(desk: Desk, office: PostOffice) -> None:
    """Four that refuse in a row, as many as put a channel down: the fifth and the mails go on."""
    with serving(Receiver()) as well:
        hosts = (*desk.settings.channel_allow_hosts, well.pair, "127.0.0.1:1")
        desk.settings = desk.settings.model_copy(update={"channel_allow_hosts": hosts})
        well.answer = echoing
        desk.registrar.add_webhook("z-well", well.url, "ann")
        desk.registrar.send_code("webhook:z-well")
        dead = [f"webhook:dead-{number}" for number in range(4)]
        for address_id in dead:
            desk.registrar.add_webhook(address_id.partition(":")[2], "http://127.0.0.1:1/x", "ann")
            desk.registrar._confirmed(address_id)
        owed = desk.owe(a_story(1), *dead, "webhook:z-well", ANN)
        report = desk.deliver()
    assert (report.sent, report.postponed, report.down) == (2, 4, None)
    states = desk.states(owed)
    assert states["webhook:z-well"] == (DeliveryState.SENT, None)
    assert {states[address_id][0] for address_id in dead} == {DeliveryState.PENDING}


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from elasticsearch import Elasticsearch
from pydantic import SecretStr
from delivery.channels import outgoing
from delivery.deliver import deliver
from delivery.documents import read_delivery
from newswatch.errors import StoreError
from newswatch.settings import Settings
from store.names import Names
from store.elastic.reading import get_stored
url, prefix, folder, hosts, now = sys.argv[1:]
sent = outgoing.Outgoing.send
def killed(*args):
    sent(*args)
    os.kill(os.getpid(), signal.SIGKILL)
outgoing.Outgoing.send = killed
settings = Settings(data_dir=Path(folder), secret_key=SecretStr("for tests"), channel_allow_hosts=hosts,
                    public_url="https://news.example")
with Elasticsearch(url) as es:
    deliver(es, Names(prefix), settings, now=datetime.fromisoformat(now))
"""


@pytest.mark.slow
def test_killed_after_the_post_the_same_event_is_posted_again(
    desk: Desk, hook: Receiver, elasticsearch_url: str, names: Names
) -> None:
    with_hook(desk, hook)
    owed = desk.owe(a_story(1), OPS)
    hosts = '["' + hook.pair + '"]'
    arguments = [elasticsearch_url, names.prefix, str(desk.settings.data_dir), hosts, desk.now.isoformat()]
    run = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, check=False)
    assert run.returncode == -9
    assert desk.states(owed)[OPS][0] is DeliveryState.PENDING
    desk.now += HOUR
    assert desk.deliver().sent == 1
    first, again = hook.got[1:]
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.json["data"]["stories"] == again.json["data"]["stories"] or first.json["id"] == again.json["id"]
    desk.now += HOUR
    assert desk.deliver() == DeliverReport()


@pytest.mark.slow
def test_a_secret_is_changed_with_both_signing_for_a_while(desk: Desk, hook: Receiver) -> None:
    former = with_hook(desk, hook)
    new = desk.registrar.new_key(OPS)
    target = desk.book.target(OPS)
    assert isinstance(target, Target)
    assert target.keys == (new, former)
    desk.registrar.drop_former_key(OPS)
    target = desk.book.target(OPS)
    assert isinstance(target, Target)
    assert target.keys == (new,)
    with pytest.raises(AddressError, match="There is webhook:ops already"):
        desk.registrar.add_webhook("ops", hook.url, "bob")
    assert not Mailboxes(desk.press.es, desk.press.names).get(OPS).unverified_since, "what is there stays open"
    changed = desk.settings.model_copy(update={"secret_key": SecretStr("another")})
    es, names = desk.press.es, desk.press.names
    both = changed.model_copy(update={"secret_key_before": desk.settings.secret_key})
    other = AddressBook(es, names, Sealer(signing_keys(changed)))
    closed = other.target(OPS)
    assert isinstance(closed, Closed)
    assert not closed.permanent
    assert AddressBook(es, names, Sealer(signing_keys(both))).target(OPS) == target
    assert other.target(OPS) == target, "it was sealed again with the new key"


@pytest.mark.slow
def test_the_last_messages_are_sent_again_as_the_same_events(desk: Desk, hook: Receiver) -> None:
    with_hook(desk, hook)
    for number in (1, 2, 3):
        desk.owe(a_story(number), OPS)
        desk.deliver()
        desk.now += HOUR
    hook.got.clear()
    again = partial(replay, desk.press.es, desk.press.names, desk.settings, desk.book, OPS, clock=lambda: desk.now)
    assert again(count=2) == Replayed(2)
    titles = [got.json["data"]["stories"][0]["headline"] for got in hook.got]
    assert titles == [a_story(2).title, a_story(3).title]
    assert desk.deliver() == DeliverReport()
    hook.answer = lambda _: (503, {}, b"")
    assert again(count=2) == Replayed(failed=("its receiver answered 503",))
    desk.book.delete(OPS)
    desk.registrar.add_webhook("ops", hook.url, "mallory")
    assert again(count=2) == Replayed(), "what the former one was sent is not its news"


# ── export and erasure ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_person_is_exported_and_erased_and_what_is_kept_names_nobody(
    desk: Desk, office: PostOffice, hook: Receiver
) -> None:
    es, names, book = desk.press.es, desk.press.names, desk.book
    saved = SavedSearches(es, names)
    saved.save(a_search("ice", "glacier", ANN), by="bob", now=desk.now)
    saved.save(a_search("ice", "glacier", "person:ann", "bob@reader.example"), by="bob", now=desk.now)
    saved.save(a_search("own", "harbour", ANN), by="ann", now=desk.now)
    with_hook(desk, hook)
    book.save(a_person(Route(ANN), Route(OPS)))
    book.save(a_person(Route("person:ann"), Route("bob@reader.example"), name="all", kind="group"))
    sent = desk.owe(a_story(1), ANN, OPS, "bob@reader.example")
    desk.deliver()
    apply_link(es, names, Link("relevant", ANN, "ice", sent.story_id, sent.article_id), desk.now)
    waits = desk.owe(a_story(2), ANN, not_before=desk.now + DAY, schedule="daily at 07:00 UTC")

    erasure = Erasure(es, names, book)
    told = erasure.export("person:ann")
    assert told["recipients"] == ["person:ann", ANN, OPS]
    assert set(told["saved_searches"]) == {"ice", "own"}
    assert len(told["deliveries"]) == 3
    assert [one["relevant"] for one in told["feedback"]] == [True]
    assert "s3cr3t" not in str(told)

    assert erasure.knows("person:ann")
    assert erasure.knows(OPS)
    done = erasure.erase("person:ann", desk.now, by="ann")
    assert done.counts == {
        "saved searches": 2,
        "deliveries": 2,
        "verdicts": 1,
        "groups": 1,
        "mailboxes": 2,
        "entries of the address book": 2,
    }
    for index in (names.searches, names.deliveries, names.outcomes, names.labels, names.mailboxes, names.subscribers):
        es.indices.refresh(index=index)
        stored = str(es.search(index=index, size=100)["hits"]["hits"])
        assert ANN not in stored, index
        assert "person:ann" not in stored, index
        assert OPS not in stored, index
    assert saved.get("ice").recipients == ("bob@reader.example",)
    assert not saved.get("own").enabled
    assert desk.states(sent)[done.pseudonym] == (DeliveryState.SENT, None)
    assert desk.states(waits) == {done.pseudonym: (DeliveryState.SUPPRESSED, "the person was erased")}
    desk.now += 2 * DAY
    assert desk.deliver().sent == 0
    assert len(office.to(ANN)) == 1
    assert erasure.erase("person:ann", desk.now, by="ann").counts == {}
    assert desk.registrar.unknown_mails([ANN, "bob@reader.example"]) == [ANN]


@pytest.mark.slow
def test_an_address_in_two_spellings_is_erased_in_both(desk: Desk) -> None:
    saved, other = SavedSearches(desk.press.es, desk.press.names), ANN.replace("ann@", "ANN@")
    saved.save(a_search("ice", "glacier", ANN), by="bob", now=desk.now)
    saved.save(a_search("own", "harbour", other), by="bob", now=desk.now)
    erasure = Erasure(desk.press.es, desk.press.names, desk.book)
    assert erasure.ids_of(ANN) == (ANN, other)
    assert erasure.ids_of(other.lower()) == (ANN, other)
    erasure.erase(ANN, desk.now, by="ann")
    assert saved.get("ice").recipients == saved.get("own").recipients == ()


@pytest.mark.slow
@pytest.mark.parametrize("known_by", ["mailbox", "route", "own route"])
def test_a_spelling_is_found_wherever_it_is_known(desk: Desk, known_by: str) -> None:
    other, erasure = ANN.replace("ann@", "ANN@"), Erasure(desk.press.es, desk.press.names, desk.book)
    if known_by == "mailbox":
        Mailboxes(desk.press.es, desk.press.names).change(other, lambda box: replace(box, unsubscribed=("*",)))
        assert erasure.ids_of(ANN) == (ANN, other)
    elif known_by == "route":
        desk.book.save(a_person(Route(other), name="all", kind="group"))
        assert erasure.ids_of(ANN) == (ANN, other)
    else:
        desk.book.save(a_person(Route(ANN)))
        desk.book.save(a_person(Route(other), name="all", kind="group"))
        assert set(erasure.ids_of("person:ann")) == {"person:ann", ANN, other}


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["Mars/Olympus", "../Mars", "M" * 300])
def test_a_zone_that_a_machine_does_not_know_costs_nobody_a_story(desk: Desk, zone: str) -> None:
    lost = replace(a_person(Route(ANN, time(8), time(18))), zone=zone)
    desk.book.save(lost)
    walls = Bulkhead("owe")
    with collecting(walls):
        sent = desk.owe(a_story(1), "person:ann", "bob@reader.example")
    desk.deliver()
    assert set(desk.states(sent)) == {ANN, "bob@reader.example"}
    (problem,) = walls.problems
    assert problem.subject == "person:ann"
    assert f"{zone[:50]!r}" in problem.reason


@pytest.mark.slow
def test_who_has_no_route_left_after_an_erasure_is_named_by_nobody(desk: Desk) -> None:
    """A saved search that still named them would fail with each story."""
    es, names, book = desk.press.es, desk.press.names, desk.book
    saved = SavedSearches(es, names)
    saved.save(a_search("own", "harbour", "person:ann"), by="ann", now=desk.now)
    saved.save(a_search("ice", "glacier", "group:all", "bob@reader.example"), by="bob", now=desk.now)
    book.save(a_person(Route(ANN)))
    book.save(a_person(Route("person:ann"), name="all", kind="group"))
    book.save(a_person(Route("group:all"), Route("bob@reader.example"), name="more", kind="group"))
    assert Erasure(es, names, book).erase(ANN, desk.now, by="ann").counts["groups"] == 3
    assert book.subscriber("person:ann") is book.subscriber("group:all") is None
    more = book.subscriber("group:more")
    assert more is not None
    assert [route.to for route in more.routes] == ["bob@reader.example"]
    assert (saved.get("own").recipients, saved.get("own").enabled) == ((), False)
    assert saved.get("ice").recipients == ("bob@reader.example",)


@pytest.mark.slow
def test_an_address_of_another_person_in_another_spelling_is_not_erased(desk: Desk) -> None:
    shared = "desk@reader.example"
    desk.book.save(a_person(Route(shared.capitalize()), Route(ANN)))
    desk.book.save(a_person(Route(shared), name="bob"))
    erasure = Erasure(desk.press.es, desk.press.names, desk.book)
    assert erasure.ids_of("person:ann") == ("person:ann", ANN)
    erasure.erase("person:ann", desk.now, by="ann")
    bob = desk.book.subscriber("person:bob")
    assert bob is not None
    assert [route.to for route in bob.routes] == [shared]


@pytest.mark.slow
@pytest.mark.parametrize("fails_at", ["saved search", "group:all", "person:ann"])
def test_an_erasure_that_breaks_off_leaves_nobody_named_once_it_is_repeated(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    es, names, book = desk.press.es, desk.press.names, desk.book
    saved = SavedSearches(es, names)
    saved.save(a_search("ice", "glacier", "group:all", "bob@reader.example"), by="bob", now=desk.now)
    book.save(a_person(Route(ANN)))
    book.save(a_person(Route("person:ann"), name="all", kind="group"))
    delete, remove = AddressBook.delete, recipients.remove

    def deleted(self: AddressBook, name: str) -> bool:
        if name == fails_at:
            raise StoreError("gone")
        return delete(self, name)

    def removed(es: Elasticsearch, names: Names, saved_search_id: str, who: Collection[str]) -> None:
        if fails_at == "saved search" and "group:all" in who:
            raise StoreError("gone")
        remove(es, names, saved_search_id, who)

    with monkeypatch.context() as patched:
        patched.setattr(AddressBook, "delete", deleted)
        patched.setattr(recipients, "remove", removed)
        with pytest.raises(StoreError):
            Erasure(es, names, book).erase(ANN, desk.now, by="ann")
    Erasure(es, names, book).erase(ANN, desk.now, by="ann")
    assert not book.all()
    assert saved.get("ice").recipients == ("bob@reader.example",)


@pytest.mark.slow
def test_a_worker_that_read_a_delivery_before_an_erasure_brings_nobody_back(desk: Desk) -> None:
    es, names = desk.press.es, desk.press.names
    desk.book.save(a_person(Route(ANN)))
    owed = desk.owe(a_story(1), ANN, "bob@reader.example")
    stale = get_stored(es, names.deliveries, [owed.id], read_delivery)
    Erasure(es, names, desk.book).erase("person:ann", desk.now, by="ann")
    assert Fanout(es, names)._spread(stale) == 0
    es.indices.refresh(index=names.outcomes)
    stored = str(es.search(index=names.outcomes, size=100)["hits"]["hits"])
    assert "bob@reader.example" in stored
    assert ANN not in stored


@pytest.mark.slow
def test_a_batch_that_is_matched_during_an_erasure_brings_nobody_back(desk: Desk) -> None:
    es, names = desk.press.es, desk.press.names
    desk.book.save(a_person(Route(ANN)))
    saved = SavedSearches(es, names)
    saved.save(a_search("ice", "glacier", ANN, "bob@reader.example"), by="bob", now=desk.now)
    before = desk.owe(a_story(2), ANN)
    with ThreadPoolExecutor() as beside:
        with turn(es, names, MATCHING):
            erasing = beside.submit(Erasure(es, names, desk.book).erase, "person:ann", desk.now, by="ann")
            # A year's deliveries take minutes, for which nothing would be matched.
            while ANN in str(es.get(index=names.deliveries, id=before.id)):
                assert not erasing.done()
            with suppress(TimeoutError):  # time for what waits for nobody
                erasing.result(timeout=1)
            owed = desk.owe(a_story(1), ANN, "bob@reader.example")
        assert erasing.result().counts["deliveries"] == 2
    es.indices.refresh(index=names.deliveries)
    stored = str(es.get(index=names.deliveries, id=owed.id))
    assert "bob@reader.example" in stored
    assert ANN not in stored


@pytest.mark.slow
def test_what_is_enqueued_without_matching_brings_nobody_back(desk: Desk) -> None:
    """Catching up and digests' notices read the recipients, and write them, in a turn for which an erasure waits."""
    es, names = desk.press.es, desk.press.names
    desk.book.save(a_person(Route(ANN)))
    saved = SavedSearches(es, names)
    saved.save(a_search("ice", "glacier", ANN, "bob@reader.example"), by="bob", now=desk.now)
    with ThreadPoolExecutor() as beside:
        with turn(es, names, OWING):
            erasing = beside.submit(Erasure(es, names, desk.book).erase, "person:ann", desk.now, by="ann")
            while ANN in str(saved.get("ice")):
                assert not erasing.done()
            with suppress(TimeoutError):  # time for what waits for nobody
                erasing.result(timeout=1)
            owed = desk.owe(a_story(1), ANN, "bob@reader.example")
        erasing.result()
    es.indices.refresh(index=names.deliveries)
    stored = str(es.get(index=names.deliveries, id=owed.id))
    assert "bob@reader.example" in stored
    assert ANN not in stored


def test_an_erasure_that_loses_its_turn_can_be_repeated(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.book.save(a_person(Route(ANN)))
    erasure = Erasure(desk.press.es, desk.press.names, desk.book)
    with monkeypatch.context() as patched:
        patched.setattr("store.elastic.turns.LOST_S", -1.0)
        with pytest.raises(StoreError, match="lost"):
            erasure.erase("person:ann", desk.now, by="ann")
    assert erasure.ids_of("person:ann") == ("person:ann", ANN)
    assert erasure.erase("person:ann", desk.now, by="ann").counts["entries of the address book"] == 1


def test_of_a_misspelt_name_nothing_is_known_nor_counted(desk: Desk) -> None:
    desk.book.save(a_person(Route("group-only@reader.example"), name="all", kind="group"))
    erasure = Erasure(desk.press.es, desk.press.names, desk.book)
    assert erasure.knows("group-only@reader.example")
    assert not erasure.knows("grop-only@reader.example")
    assert did_you_mean("Group-Only@reader.example", erasure.known()) == "; did you mean 'group-only@reader.example'?"
    assert not any(value for part, value in erasure.export("nobody").items() if part != "recipients")
    assert erasure.erase("nobody", desk.now, by="ann").counts == {}


def test_an_address_that_another_person_has_too_is_not_erased(desk: Desk) -> None:
    desk.book.save(a_person(Route(ANN), Route("family@reader.example")))
    desk.book.save(a_person(Route("family@reader.example"), name="bob"))
    assert Erasure(desk.press.es, desk.press.names, desk.book).ids_of("person:ann") == ("person:ann", ANN)


def test_a_chat_of_the_desk_is_not_erased_with_one_of_its_people(desk: Desk) -> None:
    book = desk.book
    for number, name in enumerate(("desk", "night", "own")):
        book.create(Address(f"chat:{name}", "chat", "ann", "ntfy", desk.now, shared=not number))
    book.save(a_person(Route(ANN), *(Route(f"chat:{name}") for name in ("desk", "night", "own"))))
    book.save(a_person(Route("chat:night"), name="all", kind="group"))
    erasure = Erasure(desk.press.es, desk.press.names, book)
    assert erasure.ids_of("person:ann") == ("person:ann", ANN, "chat:own")
    gone = desk.owe(a_story(1), ANN)
    assert len(erasure.export(ANN)["deliveries"]) == 1
    desk.press.es.delete(index=desk.press.names.deliveries, id=gone.id)
    erasure.erase("person:ann", desk.now, by="ann")
    assert book.address("chat:desk")
    assert not book.address("chat:own")
    desk.press.es.indices.refresh(index=desk.press.names.outcomes)
    assert desk.press.es.count(index=desk.press.names.outcomes)["count"] == 0
