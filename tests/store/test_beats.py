"""A worker that lives keeps what it has claimed; a minute after it died others have it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from delivery.mailbox import Mailboxes
from store.elastic.beats import LASTS, Beat, alive_until
from store.names import Names
from tests.factories import NOW

ANN, SECOND = "ann@reader.example", timedelta(seconds=1)

pytestmark = pytest.mark.slow


def test_a_claim_lasts_as_long_as_its_worker(es: Elasticsearch, names: Names) -> None:
    boxes, now = Mailboxes(es, names), [NOW]
    assert boxes.claim([ANN], "one", NOW, LASTS)
    now[0] = NOW + LASTS - SECOND
    with Beat(es, names, "one", lambda: now[0]) as beat:
        later = NOW + LASTS + SECOND
        assert beat.until == later + LASTS - 2 * SECOND
        assert not boxes.claim([ANN], "two", later, LASTS), "its claim is over, and it lives"
    assert boxes.claim([ANN], "two", later, LASTS)


def test_a_worker_that_died_is_taken_over_within_a_minute(es: Elasticsearch, names: Names) -> None:
    boxes = Mailboxes(es, names)
    Beat(es, names, "dead", lambda: NOW)._write()
    assert boxes.claim([ANN], "dead", NOW, LASTS)
    assert not boxes.claim([ANN], "two", NOW + LASTS - SECOND, LASTS)
    assert boxes.claim([ANN], "two", NOW + LASTS, LASTS)


@pytest.mark.parametrize("until", ["soon", None, "2026-03-04T05:07:00", (NOW + timedelta(days=1)).isoformat()])
def test_a_sign_that_can_t_be_is_none(es: Elasticsearch, names: Names, until: object) -> None:
    document = {"kind": "beat", "holder": "odd"} | ({"until": until} if until != "soon" else {})
    es.index(index=names.lane, id="beat~odd", document=document)
    assert alive_until(es, names, ["odd", "", "unknown"], NOW) == {}
