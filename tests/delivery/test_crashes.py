"""The process killed before any step of match and deliver, then run again: nothing lost, nothing twice.

The one exception is the SMTP window: killed after the server has taken a mail and before that is written down, the mail
is sent again, with the same Message-ID. Random deaths, again and again: `test_exactly_once`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from elasticsearch import Elasticsearch

from delivery.due import LEASE
from store.names import Names
from tests.alerts.press import Press
from tests.delivery.cases import Case, Mortal, a_briefing_case, a_case, check, open_mortal
from tests.delivery.post_office import PostOffice
from tests.factories import NOW

pytestmark = pytest.mark.slow

AGAIN = NOW + LEASE + timedelta(minutes=1)
"""When what a dead process held is free again."""


@pytest.fixture
def mortal(elasticsearch_url: str, names: Names, office: PostOffice) -> Iterator[Mortal]:
    with open_mortal(elasticsearch_url, names, office) as mortal:
        yield mortal


def test_killed_before_any_step(es: Elasticsearch, names: Names, mortal: Mortal, office: PostOffice) -> None:
    press, cases = Press(es, names), list[tuple[Case, int]]()
    for step in range(1, 200):
        case = a_case(press, step)
        died = mortal.run(case.searches, case.batches, NOW, step)
        assert mortal.run(case.searches, case.batches, AGAIN) == 0
        cases.append((case, 1 if died else 0))
        if died == 0:
            break
    else:
        pytest.fail("it never came to an end")
    # What was held to be grouped, of all of them.
    assert mortal.run(case.searches, case.batches, AGAIN + timedelta(hours=1)) == 0
    for case, windows in cases:
        check(press, office, case, windows=windows)
    assert step > 25, "so few steps can't be all of them"
    twice = [m for m, n in Counter(str(m["Message-ID"]) for m in office.messages).items() if n > 1]
    assert 1 <= len(twice) <= 2 * 2, "only a death between the server's yes and our note may send a mail twice"


def test_a_briefing_killed_before_any_step(es: Elasticsearch, names: Names, mortal: Mortal, office: PostOffice) -> None:
    press, seven = Press(es, names), NOW.replace(hour=7, minute=0, second=0)
    for step in range(1, 100):
        case = a_briefing_case(press, step)
        assert mortal.run(case.searches, case.batches, NOW) == 0
        died = mortal.run(case.searches, [], seven, step)
        assert mortal.run(case.searches, [], seven + LEASE + timedelta(minutes=1)) == 0
        check(press, office, case, windows=1 if died else 0)
        if died == 0:
            break
    else:
        pytest.fail("it never came to an end")
    assert step > 20, "so few steps can't be all of them"
    for mail in office.messages:
        (pdf,) = mail.iter_attachments()
        assert pdf.get_content().startswith(b"%PDF-")
    sent = Counter(str(m["Message-ID"]) for m in office.messages)
    assert len(sent) == step, "one to each reader"
    twice = [m for m, n in sent.items() if n > 1]
    assert 1 <= len(twice) <= 2, "only a death between the server's yes and our note may send a mail twice"
    for name in twice:
        one, other = (str(m["Subject"]) for m in office.messages if m["Message-ID"] == name)
        assert one == other
