"""Spikes and silences."""

from __future__ import annotations

from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from alerts.events import events
from alerts.kinds.kind import Event
from alerts.kinds.spike import Volume, in_words, measure, tail
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW

WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "before", "spike"),
    [
        (5, (0, 0, 0), True),
        (4, (0, 0, 0), False),
        (50, (0, 0), False),  # two weeks are no usual
        (50, (), False),
        (12, (2, 3, 1, 2), True),
        (7, (2, 3, 1, 2), False),  # improbable once in 200 hours: every week or so
        (130, (100, 90, 110, 95), False),  # rare, but not twice the usual
        (220, (100, 90, 110, 95), True),
        (5_000, (800, 900, 1_000), True),  # e to the power of minus the rate is no number any more
    ],
)
def test_spike(now: int, before: tuple[int, ...], spike: bool) -> None:
    assert Volume(now, before).spike is spike


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [
        (Volume(12, (2, 3, 1, 2)), "In the last hour 12, usually 2.0: a spike."),
        (Volume(1_200, (1_100, 1_300, 1_200)), "In the last hour 1\u202f200, usually 1\u202f200: no spike."),
        (Volume(1_200, (0, 0, 20)), "In the last hour 1\u202f200, usually 6.7: a spike."),
        (Volume(31, (0, 0, 0)), "In the last hour 31, usually none: a spike."),
        (Volume(3, ()), "In the last hour 3; the usual number is known after three weeks."),
    ],
)
def test_a_volume_is_told_to_whoever_tries_a_search(volume: Volume, sentence: str) -> None:
    assert in_words(volume) == sentence


def test_tail_of_poisson() -> None:
    assert tail(0, 3.0) == 1.0
    assert tail(1, 3.0) == pytest.approx(1 - 2.718281828**-3)
    assert tail(10, 3.0) == pytest.approx(0.0011024881, rel=1e-5)
    assert 0 <= tail(1_000, 300.0) < 1e-12


@pytest.fixture
def press(es: Elasticsearch, names: Names) -> Press:
    """Two articles on the glacier an hour of every week, nine in the last hour; one on the orchard a week ago."""
    press = Press(es, names)
    for week in range(1, 5):
        then = NOW - week * WEEK
        press.publish(
            a_story(10 * week + 1, first_seen=then - HOUR / 2), a_story(10 * week + 2, first_seen=then), now=then
        )
    press.publish(*(a_story(100 + 10 * n + 1, first_seen=NOW - HOUR / 3) for n in range(9)), now=NOW)
    es.indices.refresh(index=names.articles)
    return press


@pytest.mark.slow
def test_a_spike_and_a_silence_are_events(press: Press) -> None:
    searches = [
        a_search("ice", "glacier", kind="spike"),
        a_search("trees", "orchard", kind="spike"),
        a_search("quiet", "orchard", kind="silence", silence_s=86_400),
        a_search("loud", "glacier", kind="silence", silence_s=86_400),
        a_search("unknown", "violin", kind="silence"),
        a_search("bad", "(glacier", kind="spike"),
    ]
    assert measure(press.es, press.names, searches[0], NOW) == Volume(9, (1, 1, 1, 1))
    spike, silence = events(press.es, press.names, searches, NOW)
    assert (spike.saved_search_id, spike.kind) == ("ice", "spike")
    assert spike.headline == "Ice: 9 articles within an hour, usually 1.0"
    assert silence == Event(
        "quiet", "silence", "silence-20260225T050607", "Quiet: nothing since 25 Feb 2026, 05:06 UTC"
    )
    later = events(press.es, press.names, searches, NOW + timedelta(minutes=5))
    assert [event.id for event in later] == [spike.id, silence.id], "the same events: each is told once"


@pytest.mark.slow
def test_an_article_of_the_future_hides_no_silence(es: Elasticsearch, names: Names) -> None:
    press = Press(es, names)
    press.publish(a_story(1, first_seen=NOW - timedelta(days=9)), now=NOW - timedelta(days=9))
    press.publish(a_story(2, first_seen=NOW + timedelta(days=900)), now=NOW)
    es.indices.refresh(index=names.articles)
    quiet = a_search("quiet", "glacier", kind="silence", silence_s=86_400)
    assert [event.saved_search_id for event in events(es, names, [quiet], NOW)] == ["quiet"]
