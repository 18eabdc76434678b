"""What a saved search's page says about itself."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from delivery.mailbox import Mailboxes
from store.names import Names
from tests.alerts.press import a_search
from tests.factories import NOW
from web.search_about import _refusals

pytestmark = pytest.mark.slow


def test_who_corrects_an_address_to_other_letters_is_told_that_it_is_the_same_mailbox(
    es: Elasticsearch, names: Names
) -> None:
    here: Any = SimpleNamespace(es=es, names=names, clock=lambda: NOW)
    Mailboxes(es, names).change("Ann@x.y", lambda box: replace(box, bounced_at=NOW, bounced_why="550 gone"))
    es.indices.refresh(index=names.mailboxes)
    [(recipient, what, _)] = _refusals(here, a_search("ice", "glacier", "ann@x.y", "bob@x.y"))
    assert (recipient, "mails to Ann@x.y, which is the same mailbox, come back (550 gone)" in what) == ("ann@x.y", True)
    assert what.endswith("`newswatch mails resume Ann@x.y`")
    [(recipient, what, _)] = _refusals(here, a_search("ice", "glacier", "Ann@x.y"))
    assert "as mails to it come back (550 gone)" in what
