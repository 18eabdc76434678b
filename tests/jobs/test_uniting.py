"""Stories of two languages are joined after their batch was placed, on a real Elasticsearch; killed at each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from delivery.feedback import apply_link
from delivery.links import Link
from delivery.mailbox import Mailboxes
from delivery.outbox import Outbox
from delivery.outcomes import Outcomes
from delivery.parting import Withdrawal
from jobs.match import match
from jobs.parting import join, split
from jobs.uniting import join_across
from newswatch.article import Article, Meaning, Tag, Version
from newswatch.batch import Batch, BatchState
from newswatch.delivery import DeliveryState
from newswatch.errors import NewswatchError, StoreError
from search.story_view import read_story
from store.batches import BatchStore
from store.stories import Stories
from tests.alerts.press import a_story
from tests.jobs.conftest import World
from transforms.encoder import DIMENSIONS, packed

pytestmark = pytest.mark.slow

ENCODER = SimpleNamespace(name="test", encode=lambda texts: [None for _ in texts])
TEXT = "Frigates of six navies gathered off Bergen to hunt a submarine that was not there, an exercise of {} days."
ALERTS = """
  - {id: french, name: French, query: "", tags: [{tag: nato, level: mention}], languages: [fr],
     recipients: [analyste@example.org]}
"""


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """With an encoder whose vectors the test gives, and a second saved search."""
    for module in ("jobs.match", "jobs.uniting"):
        monkeypatch.setattr(f"{module}.encoder_of", lambda _: ENCODER)
    with (world.context.settings.config_dir / "alerts.yaml").open("a", encoding="utf-8") as file:
        file.write(ALERTS)
    return world


def report(n: int, language: str, degrees: float, *, hours: float = 0) -> Article:
    """The n-th report, which says what lies in that direction; those of one language are one story by their words."""
    across, along = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    vector = tuple((across + along * (-1) ** place) / math.sqrt(DIMENSIONS) for place in range(DIMENSIONS))
    title = "Frigates hunt a submarine off Bergen" if language == "fr" else "Parliament votes on budget"
    text = TEXT.format(n) if language == "fr" else f"Members of parliament approved {n} billion for roads in Ruritania."
    when = a_story(n).first_seen + timedelta(hours=hours)
    tags = (Tag("nato", "main", 0.9, ()),)
    meaning = Meaning("test", "", packed(vector))
    return a_story(n, title=title, text=text, tags=tags, language=language, meaning=meaning, published=when)


def indexed(world: World, *articles: Article) -> Batch:
    """A batch of these articles, as `pull` leaves it."""
    batches = BatchStore(world.context.es, world.context.names)
    batch = batches.begin(batches.open([], now=world.now, lease_s=600).number)
    world.articles().write(articles, batch, batch.seq_of_attempt, now=world.now)
    return batches.mark_indexed(batch.number, counts={"new": len(articles)}, now=world.now)


def dies_at(step: int) -> Callable[[], None]:
    """A hold that is lost when it is asked for the `step`th time."""
    left = [step]

    def hold() -> None:
        left[0] -= 1
        if not left[0]:
            raise StoreError("killed")

    return hold


def mails(world: World) -> dict[str, tuple[DeliveryState, str]]:
    """Delivery → its state and that of its first reader."""
    outbox = Outbox(world.context.es, world.context.names)
    stories = [a_story(n).id for n in range(1, 6)]
    outbox.settle(stories, world.now)
    return {
        one.id: (one.state, next((f"{outcome.state}" for outcome in one.outcomes), ""))
        for one in outbox.on_stories(stories)
    }


def test_two_stories_that_were_mailed_become_one_and_nobody_is_told_again(here: World) -> None:
    english, french, more = report(1, "en", 0), report(2, "fr", 85, hours=1), report(3, "fr", 10, hours=2)
    for article in (english, french):
        indexed(here, article)
        match(here.context)
    told = {f"nato~{english.id}", f"nato~{french.id}", f"french~{french.id}"}
    assert mails(here).keys() == told, "two stories, mailed one by one"

    batch, batches = indexed(here, more), BatchStore(here.context.es, here.context.names)
    Stories(here.context.es, here.context.names, window=timedelta(days=7)).place(batch, now=here.now)
    assert here.articles().get([more.id])[more.id].story_id == french.id
    for step, noted, enqueued in ((1, False, False), (2, True, False), (2, True, True)):
        with pytest.raises(StoreError, match="killed"):
            join_across(here.context, batches.get(batch.number), dies_at(step))
        assert batches.get(batch.number).value.joined == (((french.id, english.id),) if noted else ())
        assert here.articles().get([french.id])[french.id].story_id == french.id
        assert (f"french~{english.id}" in mails(here)) == enqueued

    match(here.context)
    assert batches.get(batch.number).value.state is BatchState.MATCHED
    ids = [one.id for one in (english, french, more)]
    assert {article.story_id for article in here.articles().get(ids).values()} == {english.id}
    found = mails(here)
    assert found.keys() == {*told, f"french~{english.id}", f"nato~{english.id}~update~{french.id}~1"}
    assert found[f"nato~{english.id}~update~{french.id}~1"][0] is DeliveryState.SUPPRESSED, "only a note, too"
    assert found[f"nato~{french.id}"] == (DeliveryState.SUPPRESSED, "suppressed"), "its reader gets the other"
    assert found[f"french~{french.id}"] == (DeliveryState.PENDING, "pending")
    assert found[f"french~{english.id}"][0] is DeliveryState.SUPPRESSED, "only a note that it is told"
    story = read_story(here.context.es, here.context.names, french.id)
    assert story is not None
    assert story.id == english.id, "links to the old story lead to the new one"

    with pytest.raises(NewswatchError, match=f"joined with {english.id}"):
        join(here.context, "another", french.id, "ann")

    # A person parts them: later reports don't bring them together again.
    done = split(here.context, english.id, [french.id, more.id], "ann")
    assert done.mails == 1
    assert mails(here)[f"nato~{french.id}"] == (DeliveryState.PENDING, "pending"), "what the join had withdrawn is owed"
    indexed(here, report(4, "fr", 10, hours=3))
    batches.match_again_since(here.now - timedelta(days=1), now=here.now)  # the batch, too, that noted their joining
    match(here.context)
    here.wait(hours=1)
    edited = Version(here.now, english.title, "hash", ("text",))
    for article in (english, french):
        indexed(here, replace(article, text=f"{article.text} It rained.", versions=(edited,), first_seen=here.now))
    match(here.context)
    assert here.articles().get([english.id])[english.id].version == 2
    stories = {one.id: one.story_id for one in here.articles().get(ids).values()}
    assert stories == {english.id: english.id, french.id: french.id, more.id: french.id}


def test_what_begins_in_a_batch_is_mailed_as_one_story(here: World) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 10, hours=1)
    indexed(here, french, english)
    match(here.context)
    assert mails(here).keys() == {f"nato~{english.id}", f"french~{english.id}"}


def test_who_wanted_no_more_of_a_story_gets_none_of_the_one_that_it_joins(here: World) -> None:
    english, french, more = report(1, "en", 0), report(2, "fr", 85, hours=1), report(3, "fr", 10, hours=2)
    indexed(here, english)
    indexed(here, french)
    match(here.context)
    boxes = Mailboxes(here.context.es, here.context.names)
    mails(here)
    boxes.change("analyste@example.org", lambda box: replace(box, acknowledged={french.id: here.now}))
    indexed(here, more)
    match(here.context)
    assert boxes.get("analyste@example.org").acknowledged.keys() == {english.id, french.id}

    ack = Link("ack", "analyst@example.org", "nato", french.id, french.id)  # of a mail from before
    apply_link(here.context.es, here.context.names, ack, here.now)
    assert boxes.get("analyst@example.org").acknowledged.keys() == {english.id, french.id}


def test_a_mail_that_waits_under_the_name_of_a_joined_story_is_the_only_one_and_later_ones_follow_it(
    here: World,
) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 85)
    other = replace(report(3, "fr", 170), title="Un pont est fermé", text="Le pont de la gare est fermé pour un an.")
    for article in (english, french, other):
        indexed(here, article)
        match(here.context)
    reader, names = "analyste@example.org", [f"french~{one.id}" for one in (english, french, other)]
    assert mails(here).keys() >= {names[1], names[2]}
    join(here.context, english.id, french.id, "ann")
    assert mails(here)[names[0]][0] is DeliveryState.SUPPRESSED, "only a note"
    join(here.context, english.id, other.id, "ann")
    assert [mails(here)[name][1] for name in names] == ["suppressed", "pending", "suppressed"]

    outcomes = Outcomes(here.context.es, here.context.names)
    sent = partial(replace, state=DeliveryState.SENT, key="k", reference="<k>", at=here.now)
    outcomes.acknowledge(outcomes.waiting_for([reader])[reader], lambda parcel: sent(parcel.outcome))
    mails(here)
    told = outcomes.sent_to([reader], [english.id, french.id])[reader]
    assert {story: [one.reference for one in of_story] for story, of_story in told.items()} == {
        english.id: ["<k>"],
        french.id: ["<k>"],
    }
    assert told[english.id][0].article_ids == {french.id}


def test_a_story_whose_mail_a_wrong_join_has_withdrawn_is_mailed_when_it_is_parted(here: World) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 85)
    for article in (english, french):
        indexed(here, article)
        match(here.context)
    reader, ours, theirs = "analyst@example.org", f"nato~{english.id}", f"nato~{french.id}"
    assert mails(here)[ours] == mails(here)[theirs] == (DeliveryState.PENDING, "pending")
    outcomes = Outcomes(here.context.es, here.context.names)
    sent = partial(replace, state=DeliveryState.SENT, key="k", reference="<k>", at=here.now)
    first = [one for one in outcomes.waiting_for([reader])[reader] if one.id == theirs]
    outcomes.acknowledge(first, lambda parcel: sent(parcel.outcome))
    join(here.context, english.id, french.id, "ann")
    assert mails(here)[ours][1] == "suppressed", "its reader was told of the other"

    assert split(here.context, english.id, [french.id], "ann").mails == 1
    assert (mails(here)[ours], mails(here)[theirs][1]) == ((DeliveryState.PENDING, "pending"), "sent")
    (mail,) = outcomes.sent_to([reader], [english.id])[reader][english.id]
    assert mail.has_left, "what is mailed now of the story is no reply to it"
    (mail,) = outcomes.sent_to([reader], [french.id])[reader][french.id]
    assert not mail.has_left
    assert split(here.context, english.id, [french.id], "ann").mails == 0, "run again, it mails nothing twice"

    other = replace(report(3, "fr", 170), title="Un pont est fermé", text="Le pont de la gare est fermé pour un an.")
    indexed(here, other)
    match(here.context)
    mails(here)
    third = [one for one in outcomes.waiting_for([reader])[reader] if one.id == f"nato~{other.id}"]
    outcomes.acknowledge(third, lambda parcel: replace(sent(parcel.outcome), key="l"))
    join(here.context, english.id, other.id, "ann")
    assert mails(here)[ours][1] == "suppressed", "who was told of what had left was told of the third alone"


def test_a_mail_that_is_begun_while_its_story_is_joined_is_the_only_one(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 85)
    for article in (english, french):
        indexed(here, article)
        match(here.context)
    reader, theirs = "analyst@example.org", f"nato~{french.id}"
    outcomes = Outcomes(here.context.es, here.context.names)
    mails(here)
    waiting = [one for one in outcomes.waiting_for([reader])[reader] if one.id == theirs]
    withdraw = Outbox.withdraw

    def begun_first(outbox: Outbox, withdrawals: Sequence[Withdrawal], now: datetime) -> None:
        if waiting:
            outcomes.acknowledge([waiting.pop()], lambda parcel: replace(parcel.outcome, key="k"))
        withdraw(outbox, withdrawals, now)

    monkeypatch.setattr(Outbox, "withdraw", begun_first)
    join(here.context, english.id, french.id, "ann")
    assert (mails(here)[f"nato~{english.id}"][1], mails(here)[theirs][1]) == ("suppressed", "pending")


def test_the_first_report_that_matches_after_all_that_was_told_has_been_parted_is_mailed_once(here: World) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 10, hours=1)
    indexed(here, english, french)
    match(here.context)
    ours = f"french~{english.id}"
    split(here.context, english.id, [french.id], "ann")
    assert [name for name in mails(here) if name.startswith("french")] == [ours, f"french~{french.id}"]

    for n, expected in ((3, 1), (4, 1)):
        bridge = replace(report(n, "fr", 5, hours=n), title=f"Un pont est fermé {n}", text="Le pont est fermé un an.")
        indexed(here, bridge)
        match(here.context)
        assert here.articles().get([bridge.id])[bridge.id].story_id == english.id
        later = [name for name in mails(here) if name.startswith(f"{ours}~")]
        assert len(later) == expected, "the story's own delivery told of what is in another now"
    assert a_story(3).id in later[0]


def test_a_fault_in_joining_costs_no_mail(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    english, french = report(1, "en", 0), report(2, "fr", 10, hours=1)
    batch = indexed(here, french, english)

    def broken(*_: object) -> None:
        raise ValueError("no vector")

    monkeypatch.setattr("store.across.joins", broken)
    assert match(here.context).set_aside == 1
    assert mails(here).keys() == {f"nato~{english.id}", f"nato~{french.id}", f"french~{french.id}"}
    batches = BatchStore(here.context.es, here.context.names)
    assert batches.get(batch.number).value.state is BatchState.MATCHED
