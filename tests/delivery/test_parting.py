"""Parting a story and joining two: who is owed what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import pytest

from delivery.made import JOINED, MUTED, first_outcomes, match_delivery
from delivery.parting import after_joins, after_split, joined, owed_again, told_under
from newswatch.alert import Match, SavedSearch
from newswatch.delivery import Delivery, DeliveryState, Outcome
from tests.factories import NOW

SEARCHES = {name: SavedSearch(name, name.title(), "", ("reader@example.org",)) for name in ("nato", "ships")}


def told(article: str, *, search: str = "nato", story: str = "old", sent: bool = True, kind: str = "story") -> Delivery:
    made = replace(match_delivery(Match(search, article, story), SEARCHES[search], NOW), kind=kind)
    if not sent:
        return made
    return replace(made, state=DeliveryState.SENT, outcomes=(Outcome("reader@example.org", DeliveryState.SENT),))


def split(deliveries: list[Delivery], *matched: str, search: str = "nato") -> list[tuple[str, str, DeliveryState]]:
    matches = [Match(search, article, "old") for article in matched]
    owed = after_split(deliveries, matches, SEARCHES, parted={"b", "c"}, to="b", now=NOW)
    return [(one.id, one.article_id, one.state) for one in owed]


def test_a_report_that_the_wrong_story_hid_is_mailed_once() -> None:
    assert split([told("a")], "a", "b", "c") == [("nato~b", "b", DeliveryState.PENDING)]


def test_who_was_mailed_the_report_itself_gets_what_it_hid() -> None:
    assert split([told("b")], "a", "b") == [
        ("nato~b", "b", DeliveryState.SENT),
        ("nato~old~update~a~1", "a", DeliveryState.PENDING),
    ]
    both = [told("a"), told("b", kind="update")]
    assert split(both, "a", "b", "c") == [("nato~b", "b", DeliveryState.SENT)]


def test_what_waits_is_sent_once() -> None:
    assert split([told("c", sent=False)], "c") == [("nato~b", "c", DeliveryState.SUPPRESSED)]


def test_a_search_that_does_not_match_the_report_is_owed_nothing() -> None:
    assert split([told("a"), told("a", search="ships")], "a", "d", search="ships") == []


def test_readers_of_either_of_two_joined_stories_get_no_second_first_mail() -> None:
    other = [told("x", story="two"), told("x", story="two", search="ships")]
    plan = after_joins([told("a"), *other], {"two": "old"})
    assert [(one.id, one.article_id, one.state) for one in plan.told] == [
        ("nato~old~update~x~1", "x", DeliveryState.SENT),  # so that a later version of x is no update
        ("ships~old", "x", DeliveryState.SENT),
    ]
    assert after_joins([told("a"), *other, *plan.told], {"two": "old"}).told == (), "run again, it notes nothing new"
    (withdrawn,) = plan.withdrawn
    assert (withdrawn.deliveries, withdrawn.to) == ((other[0],), "old")
    assert withdrawn.readers == {"reader@example.org"}
    waits = Outcome("reader@example.org")
    begun = replace(waits, key="begun")
    readers = withdrawn.readers
    assert joined(waits, "old", readers, NOW).state is DeliveryState.SUPPRESSED
    assert joined(begun, "old", readers, NOW) == begun, "it may have been sent"
    later = Outcome("new@example.org")
    assert joined(later, "old", readers, NOW) == later, "the search had another reader when the other story came"


def test_what_a_mute_holds_back_is_held_back_once() -> None:
    muted = replace(told("x", story="two", sent=False), state=DeliveryState.SUPPRESSED, suppressed_by="muted until May")
    begun = (
        Outcome("a@example.org", DeliveryState.SENT),
        Outcome("b@example.org", muted.state, error="muted until May"),
    )
    partly = replace(told("y", story="two", search="ships"), outcomes=begun)
    whole, part = after_joins([muted, partly], {"two": "old"}).told
    assert (whole.suppressed_by, whole.outcomes) == ("told under the story two", ())
    assert [one.error for one in part.outcomes] == [None, "told under the story two"]


def test_of_several_stories_that_are_joined_with_one_each_is_told_after_those_before_it() -> None:
    one, two = told("x", story="one", sent=False), told("y", story="two", sent=False)
    one, two = (replace(it, outcomes=(Outcome("reader@example.org"),)) for it in (one, two))
    plan = after_joins([one, two], {"one": "old", "two": "old"})
    assert {it.id: it.state for it in plan.told} == dict.fromkeys(
        ("nato~old", "nato~old~update~y~1"), DeliveryState.SUPPRESSED
    )
    (withdrawn,) = plan.withdrawn
    assert withdrawn.deliveries == (two,)
    assert withdrawn.readers == {"reader@example.org"}


def test_a_later_report_that_a_search_with_updates_asked_for_is_not_withdrawn() -> None:
    first, later = told("x", story="two"), told("y", story="two", kind="update", sent=False)
    later = replace(later, outcomes=(Outcome(READER),))
    for updated, withdrawn in (((), (first, later)), (("nato",), (first,))):
        (found,) = after_joins([told("a"), first, later], {"two": "old"}, updated=updated).withdrawn
        assert found.deliveries == withdrawn


def test_what_a_parting_took_away_tells_nobody_of_what_is_joined_later() -> None:
    """Its note is still there."""
    gone = replace(told("x", story="gone", sent=False), outcomes=(Outcome(READER),))
    (note,) = after_joins([gone], {"gone": "old"}).told
    for waits in (False, True):
        away = gone if waits else replace(gone, outcomes=(Outcome(READER, DeliveryState.SENT, key="k"),))
        state = Outcome(READER, DeliveryState.SENT, key="l") if waits else Outcome(READER)
        new = replace(told("y", story="new", sent=False), outcomes=(state,))
        all_ = [replace(note, outcomes=first_outcomes(note)), away, new]
        assert after_joins(all_, {"new": "old"}).withdrawn, "as long as it is in the story"
        assert after_joins(all_, {"new": "old"}, left={"x"}).withdrawn == ()


READER = "reader@example.org"
STATES = {
    "": None,
    "waits": Outcome(READER),
    "begun": Outcome(READER, key="k"),
    "sent": Outcome(READER, DeliveryState.SENT, key="k"),
    "held": Outcome(READER, DeliveryState.SUPPRESSED, error=f"{MUTED} May"),
}
JOINS: list[tuple[dict[str, str], ...]] = [
    ({"b": "a"}, {"c": "a"}),
    ({"b": "a", "c": "a"},),
    ({"b": "a"}, {"a": "c"}),
    ({"b": "a"}, {"c": "d"}, {"a": "d"}),
    ({"b": "a"}, {"d": "c"}, {"c": "a"}),
    ({"b": "a", "d": "c"}, {"a": "c"}),
]


class Box:
    """An outbox in memory, which may die after any number of its writes."""

    def __init__(self, begun_with: Mapping[str, Outcome | None]) -> None:
        self.all = dict[str, Delivery]()
        for story, outcome in begun_with.items():
            if outcome:
                made = replace(told(f"{story}1", story=story, sent=False), outcomes=(outcome,), state=outcome.state)
                self.all[made.id] = made

    def join(self, into: Mapping[str, str], writes: int = 99) -> None:
        wanted, found = {*into, *into.values()}, set[str]()
        while wanted - found:
            found |= wanted
            wanted = {story for one in self.all.values() if one.story_id in found for story in told_under(one)}
        plan = after_joins([one for one in self.all.values() if one.story_id in found], into)
        for note in plan.told[:writes]:
            self.all.setdefault(note.id, replace(note, outcomes=first_outcomes(note)))
        withdrawn = [(one.id, each) for each in plan.withdrawn for one in each.deliveries]
        for name, each in withdrawn[: max(0, writes - len(plan.told))]:
            outcomes = tuple(joined(o, each.to, each.readers, NOW) for o in self.all[name].outcomes)
            self.all[name] = replace(self.all[name], outcomes=outcomes)

    def live(self) -> list[str]:
        """What became, or will become, a mail."""
        notes = [one.outcomes[0] for one in self.all.values() if not (one.kind == "update" or told_under(one))]
        copies = {o.key for o in notes if o.key}
        return [*copies, *("mail" for o in notes if not o.key and o.state is DeliveryState.PENDING), *_held(notes)]


def _held(outcomes: list[Outcome]) -> list[str]:
    return ["held" for o in outcomes if (o.error or "").startswith(MUTED)]


@pytest.mark.parametrize("joins", JOINS, ids=str)
def test_however_stories_are_joined_and_wherever_it_dies_a_reader_is_told_once(
    joins: tuple[dict[str, str], ...],
) -> None:
    """Of mails that wait, were begun or sent, or are held back, one is left, and all that can't be undone."""
    letters = sorted({story for into in joins for story in (*into, *into.values())})
    for states in product(STATES.items(), repeat=len(letters)):
        begun_with = {
            story: outcome and replace(outcome, key=outcome.key and story)
            for story, (_, outcome) in zip(letters, states, strict=True)
        }
        owed = [outcome for outcome in begun_with.values() if outcome]
        done = sum(bool(outcome.key) for outcome in owed)
        for dies_after in range(3):
            box = Box(begun_with)
            for into in joins:
                box.join(into, dies_after)
                box.join(into)
            left = box.live()
            assert len(left) == (done or min(1, len(owed))), ([name for name, _ in states], dies_after, left)
            waited = any(outcome.state is not DeliveryState.SUPPRESSED for outcome in owed)
            assert (left != ["held"] and bool(left)) == waited, "the mute of one story takes back the other's mail"


def withdrawn(delivery: Delivery, instead: str) -> Delivery:
    error = f"{JOINED} {instead}"
    return replace(delivery, outcomes=(Outcome(READER, DeliveryState.SUPPRESSED, error=error),))


def test_who_was_told_of_what_has_left_a_story_is_owed_what_a_join_has_withdrawn_of_the_rest() -> None:
    of_two, note = told("x", story="two"), told("x", kind="update")
    rest = withdrawn(told("a"), "two")
    left = [("nato~old", READER)]
    assert [*owed_again([of_two, note, rest], {"a"}, {"x"})] == left
    assert [*owed_again([of_two, note, rest], {"a", "b"}, {"x"})] == left
    again = withdrawn(told("b", story="three"), "two")
    assert len([*owed_again([of_two, note, rest, again], {"a", "b"}, {"x"})]) == 1, "one mail is enough"
    assert [*owed_again([of_two, rest, told("b", kind="update")], {"a", "b"}, {"x"})] == [], "told of the rest"
    assert [*owed_again([of_two, rest], {"a", "x"}, {"y"})] == [], "what told the reader stays"
    assert [*owed_again([of_two, told("a")], {"a"}, {"x"})] == [], "nothing was withdrawn"
    gone = told("z", story="three")  # an earlier parting took it away; its note is still there
    assert [*owed_again([of_two, rest, gone], {"a"}, {"x"})] == left


def test_of_two_joined_stories_that_are_parted_together_from_a_third_a_reader_is_owed_one() -> None:
    one, two = withdrawn(told("x", story="two"), "old"), withdrawn(told("y", story="three"), "two")
    assert len([*owed_again([one, two], {"x", "y"})]) == 1
    assert [*owed_again([one, two], {"y"})] == [("nato~three", READER)]
    assert [*owed_again([one, told("y", kind="update")], {"x", "y"})] == []
