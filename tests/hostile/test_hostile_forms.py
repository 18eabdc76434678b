"""Forms and addresses that nobody should send: each is answered with a status below 500 and a sentence.

After each the list of saved searches still opens; after all of them `match` runs and the good search is mailed.
"""

from __future__ import annotations

import html
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from pydantic import SecretStr

from alerts.resting import rests
from alerts.saved import SavedSearches
from jobs.context import Context
from jobs.match import match
from newswatch.settings import Settings
from store.batches import BatchStore
from store.indices.setup import set_up
from store.names import Names
from store.quarantine import Quarantine
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW
from tests.web.conftest import ALERTS, Visitor, clock
from web.app import create_app
from web.drafts import fingerprint_of
from web.security import MAX_FORM_BYTES, MAX_FORM_FIELDS

pytestmark = pytest.mark.slow

BOUND_S = 15.0
FORM = {
    "name": "A search",
    "query": "glacier",
    "recipients": "ann@reader.example",
    "every": "instant",
    "throttle": "0s",
    "silence": "1d",
    "min_sources": "1",
    "min_score": "0",
}
"""A form as the page sends it."""

FIELDS: Mapping[str, tuple[dict[str, str], str]] = {
    "the issue's silence": ({"silence": "999999999999d", "kind": "silence"}, "silence"),
    "the issue's throttle": ({"throttle": "999999999999d"}, "throttle"),
    "a throttle of a year": ({"throttle": "52w"}, "throttle"),
    "a throttle of 5,000 digits": ({"throttle": "9" * 5_000 + "d"}, "throttle"),
    "a negative throttle": ({"throttle": "-1d"}, "throttle"),
    "a throttle in Arabic digits": ({"throttle": "٣d"}, "throttle"),
    "a silence of nothing": ({"silence": "0s"}, "silence"),
    "an end in the year 1": ({"expires_at": "0001-01-01T00:00"}, "expires_at"),
    "an end in the year 1, far in the east": ({"expires_at": "0001-01-01T00:00+14:00"}, "expires_at"),
    "an end in the year 9999, far in the west": ({"expires_at": "9999-12-31T23:59-14:00"}, "expires_at"),
    "an end that is no date": ({"expires_at": "x" * 5_000}, "expires_at"),
    "ever so many sources": ({"min_sources": "9" * 400}, "min_sources"),
    "sources that are no number": ({"min_sources": "two"}, "min_sources"),
    "no sources": ({"min_sources": "0"}, "min_sources"),
    "half a source": ({"min_sources": "1.5"}, "min_sources"),
    "a score that is no number": ({"min_score": "nan"}, "min_score"),
    "a score without end": ({"min_score": "inf"}, "min_score"),
    "a score of 1e308": ({"min_score": "1e308"}, "min_score"),
    "a time of day that there is not": ({"every": "daily", "at": "25:61"}, "schedule"),
    "a time of 5,000 letters": ({"every": "daily", "at": "7" * 5_000}, "schedule"),
    "a zone that is a path": ({"every": "daily", "zone": "../../etc/passwd"}, "schedule"),
    "a zone that is a folder": ({"every": "daily", "zone": "Europe"}, "schedule"),
    "a zone of 5,000 letters": ({"every": "daily", "zone": "Europe/" + "x" * 5_000}, "schedule"),
    "a day that there is not": ({"every": "weekly", "day": "doomsday"}, "schedule"),
    "a frequency that there is not": ({"every": "sometimes"}, "schedule"),
    "a kind that there is not": ({"kind": "miracle"}, "kind"),
    "a name of 5,000 letters": ({"name": "x" * 5_000}, "name"),
    "no name": ({"name": " "}, "name"),
    "a note of 100,000 letters": ({"note": "x" * 100_000}, "note"),
    "an id that is a path": ({"id": "../../x"}, "id"),
    "an id of 600 letters": ({"id": "x" * 600}, "id"),
    "no recipient": ({"recipients": ""}, "recipients"),
    "a thousand recipients": ({"recipients": " ".join(f"a{n}@b.example" for n in range(1_000))}, "recipients"),
    "a recipient with a newline": ({"recipients": "a@b.example\u2028Bcc:c@d.example"}, "recipients"),
    "a recipient of 5,000 letters": ({"recipients": "a" * 5_000 + "@b.example"}, "recipients"),
    "a thousand outlets": ({"sources": " ".join(f"a{n}.example" for n in range(1_000))}, "sources"),
    "an outlet of 5,000 letters": ({"sources": "a" * 5_000}, "sources"),
    "a hundred kinds": ({"kinds": " ".join(f"k{n}" for n in range(100))}, "kinds"),
    "a country that there is not": ({"countries": "Atlantis" * 100}, "country"),
    "a language that there is not": ({"languages": "Klingonese"}, "language"),
    "sixty topics": ({f"tag:t{n}": "main" for n in range(60)}, "tags"),
    "a topic that is a query": ({"tag:nato OR *": "main"}, "tag"),
    "a level that there is not": ({"tag:nato": "utmost"}, "level"),
    "the issue's fuzzy words": ({"query": "natoo~2 " * 25}, "fuzzy words"),
    "a query of everything": ({"query": "*a*"}, "every word"),
    "a query that can't be parsed": ({"query": "(glacier"}, "never closed"),
    "a query of 100,000 letters": ({"query": "x" * 100_000}, "query"),
    "a control character": ({"name": "a\x00b"}, "control character"),
}
"""Name → the fields that differ from a good form, and what the sentence names."""

ADDRESSES: Mapping[str, str] = {
    "an offset below none": "/?offset=-1",
    "an offset beyond the window": "/?offset=999999999999999999999",
    "an offset that is none": "/?offset=ten",
    "an order that there is not": "/?sort=random",
    "rows that there are not": "/?rows=%00",
    "a costly query": "/?q=" + "natoo~2+" * 100,
    "a query of 9,000 letters": "/?q=" + "x" * 9_000,
    "a query with a null": "/?q=na%00to",
    "a query in no encoding": "/?q=%ff%fe",
    "an export of a costly query": "/export.csv?q=" + "natoo~2+" * 100,
    "an export of a format that there is not": "/export.exe",
    "an article that there is not": "/article/" + "x" * 700,
    "an article that is a path": "/article/..%2f..%2fetc",
    "an article with a costly query": "/article/x?q=*a*",
    "a story of a null": "/story/%00",
    "a saved search that there is not": "/searches/nothing",
    "a saved search of 700 letters": "/searches/" + "x" * 700,
    "a version that there is not": "/searches/nato?version=999999999",
    "a version beyond numbers": "/searches/nato?version=" + "9" * 5_000,
    "a new search of a costly query": "/searches/new?q=" + "*a* " * 50,
    "a state that there is not": "/deliveries?state=lost",
    "deliveries at the end of the world": "/deliveries?offset=10000",
    "a recipient of 5,000 letters": "/deliveries?to=" + "x" * 5_000,
    "a feed that there is not": "/feeds/" + "x" * 700,
    "a sample of no article": "/mail/sample",
    "a sample of a hundred articles": "/mail/sample?" + "&".join("article=x" for _ in range(100)),
    "a sample with a costly query": "/mail/sample?article=ARTICLE&query=*a*",
    "a sample by a schedule that there is not": "/mail/sample?article=ARTICLE&schedule=daily+at+99:99+Nowhere",
    "a page that there is not": "/nothing/at/all",
}

BODIES: Mapping[str, tuple[Mapping[str, str], bytes | list[bytes], int]] = {
    "another type": ({"content-type": "application/json"}, b"{}", 415),
    "a file": (
        {"content-type": "multipart/form-data; boundary=x"},
        b'--x\r\ncontent-disposition: form-data; name="a"',
        415,
    ),
    "a type that is none": ({"content-type": "\x7f"}, b"a=b", 415),
    "too large, announced": ({}, b"a=" + b"x" * MAX_FORM_BYTES, 413),
    "too large, in chunks": ({}, [b"a=" + b"x" * 50_000] * 100, 413),
    "too many fields": ({}, b"&".join(b"a%d=b" % n for n in range(MAX_FORM_FIELDS + 1)), 400),
    "no encoding": ({}, b"a=%ff%fe", 400),
    "bytes beyond ASCII": ({}, b"a=\xff\xfe", 400),
    "nothing": ({}, b"", 403),
    "nothing but signs": ({}, b"&&&===&&&%%%", 403),
}
"""Name → headers, body (in chunks without a Content-Length if it is a list), and the status of the answer."""


@dataclass(frozen=True, slots=True)
class Site:
    """The page, who visits it, and what is behind it."""

    client: TestClient
    context: Context
    article: str

    def post(self, path: str, fields: Mapping[str, str]) -> Response:
        found = re.search(r'name="csrf" value="([^"]+)"', self.client.get("/news/searches/new").text)
        assert found
        response: Response = self.client.post(f"/news{path}", data={"csrf": found[1], **fields})
        return response


@pytest.fixture(scope="module")
def site(es: Elasticsearch, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    (folder / "alerts.yaml").write_text(ALERTS)
    names = Names(f"t{secrets.token_hex(4)}-")
    settings = Settings(
        elasticsearch_url=elasticsearch_url,
        index_prefix=names.prefix,
        secret_key=SecretStr("for tests"),
        config_dir=folder,
        data_dir=folder,
        smtp_port=9,
    )
    set_up(es, names, settings)
    press = Press(es, names)
    press.publish(*(a_story(n) for n in range(20)))
    es.indices.refresh(index=names.articles)
    context = Context(settings, es, names, clock)
    outer = FastAPI()
    outer.mount("/news", create_app(lambda: context, Visitor().access()))
    yield Site(TestClient(outer, follow_redirects=False), context, next(iter(press.articles)))
    for index in es.indices.get(index=f"{names.prefix}*", expand_wildcards="all", features="settings"):
        es.indices.delete(index=index)
    es.indices.delete_index_template(name=names.articles)


def sentence(answer: Response) -> str:
    """What the page says is wrong."""
    found = re.search(r'class="(?:notice bad|fault)[^"]*"[^>]*>(.*?)</(?:div|p|pre)>', answer.text, re.DOTALL)
    return re.sub(r"<[^>]+>", " ", found[1]) if found else ""


def well(site: Site) -> None:
    """The list opens, and shows the good search."""
    answer = site.client.get("/news/searches")
    assert answer.status_code == 200
    assert "NATO: main stories" in answer.text


NEEDED_TO_SAVE = ("no name", "no recipient")
"""What is only tried needs neither."""


@pytest.mark.parametrize(
    ("do", "name"),
    [(do, name) for name in FIELDS for do in ("save", "try") if do == "save" or name not in NEEDED_TO_SAVE],
)
def test_a_bad_field_is_told(site: Site, do: str, name: str) -> None:
    fields, why = FIELDS[name]
    started = time.monotonic()
    answer = site.post("/searches/new", FORM | fields | ({"do": "try"} if do == "try" else {}))
    assert time.monotonic() - started < BOUND_S
    assert answer.status_code == 400
    assert why in answer.text
    assert "Traceback" not in answer.text
    assert len(sentence(answer)) < 3_000, "what was given is shortened"
    well(site)


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_bad_address_is_told(site: Site, name: str) -> None:
    started = time.monotonic()
    answer = site.client.get("/news" + ADDRESSES[name].replace("ARTICLE", site.article))
    assert time.monotonic() - started < BOUND_S
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert sentence(answer).strip(), answer.text[:500]
    assert "Traceback" not in answer.text
    well(site)


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_told(site: Site, name: str) -> None:
    headers, body, status = BODIES[name]
    kind = {"content-type": "application/x-www-form-urlencoded"}
    read: list[int] = []

    def chunks() -> Iterator[bytes]:
        for chunk in body:
            assert isinstance(chunk, bytes)
            read.append(len(chunk))
            yield chunk

    content: Any = body if isinstance(body, bytes) else chunks()
    answer = site.client.post("/news/searches/new", content=content, headers={**kind, **headers})
    assert answer.status_code == status
    assert sentence(answer).strip()
    well(site)


def test_no_more_of_a_form_is_read_than_it_may_have(site: Site) -> None:
    """By the app itself: the test client would read the whole body first."""
    import asyncio

    asked, sent = [], []

    async def receive() -> dict[str, Any]:
        asked.append(1)
        return {"type": "http.request", "body": b"x" * 65_536, "more_body": True}

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/news/searches/new",
        "raw_path": b"/news/searches/new",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), (b"transfer-encoding", b"chunked")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    asyncio.run(asyncio.wait_for(site.client.app(scope, receive, send), 30))
    assert sent[0]["status"] == 413
    assert sum(asked) * 65_536 < 2 * MAX_FORM_BYTES


@pytest.mark.parametrize("path", ["/searches/nato/mute", "/searches/nato/switch", "/searches/nothing/delete"])
def test_a_button_that_there_is_not(site: Site, path: str) -> None:
    answer = site.post(path, {"for": "9" * 5_000 + "d", "to": "eleven"})
    assert answer.status_code in (400, 404)
    assert sentence(answer).strip()
    well(site)


def test_json_is_answered_where_it_was_asked_for(site: Site) -> None:
    answer = site.client.get("/news/searches/nothing", headers={"accept": "application/json"})
    assert answer.status_code == 404
    assert json.loads(answer.text).keys() == {"status", "title", "text", "step", "reference"}


def test_match_runs_with_all_that_the_forms_left_behind(site: Site) -> None:
    """And with what was stored before there were bounds."""
    context = site.context
    saved = SavedSearches(context.es, context.names)
    for n, changes in enumerate(STORED):
        store(context, replace(a_search(f"stored-{n}", "glacier"), **changes))
    saved.save(a_search("good", "glacier"), by="ann", now=NOW)
    batches = BatchStore(context.es, context.names)
    batch = batches.begin(batches.open([], now=NOW, lease_s=600).number)
    press = Press(context.es, context.names, number=batch.number - 1)
    assert press.publish(a_story(101), now=NOW).number == batch.number
    batches.mark_indexed(batch.number, counts={"new": 1}, now=NOW)
    report = match(context)
    assert report.matches >= 1
    assert report.failed.keys() >= {f"stored-{n}" for n, changes in enumerate(STORED) if "kind" not in changes}
    quarantine = Quarantine(context.es, context.names)
    quarantine.refresh()
    told = {kept.problem.subject: kept.problem.reason for kept in quarantine.listed(kind="search", size=100).problems}
    assert told.keys() >= {f"stored-{n}" for n in range(len(STORED))}
    assert rests(context.es, context.names, saved.all(), NOW).resting.keys() >= {"stored-0"}
    well(site)
    for n in range(len(STORED)):
        page = site.client.get(f"/news/searches/stored-{n}")
        assert page.status_code == 200
        assert told[f"stored-{n}"][:30] in html.unescape(page.text), "its page says what is wrong"
        assert site.post(f"/searches/stored-{n}/switch", {"to": "off"}).status_code == 303
    for n in range(4):
        seen = fingerprint_of(saved.get(f"stored-{n}"))
        assert site.post(f"/searches/stored-{n}", FORM | {"was": seen}).status_code == 303, "and mends it"
        mended = saved.get(f"stored-{n}")
        assert (mended.schedule, mended.throttle_s, mended.silence_s) == ("instant", 0, 86_400)


STORED: tuple[dict[str, Any], ...] = (
    {"throttle_s": 86_400 * 10**12},
    {"silence_s": 86_400 * 10**12, "kind": "silence"},
    {"schedule": "now and then"},
    {"schedule": "daily at 07:00 Nowhere/Land"},
    {"query": "natoo~2 " * 100},
    {"query": "natoo~2 " * 100, "kind": "spike"},
    {"query": "*a*", "kind": "silence"},
    {"query": "(glacier"},
    {"query": "natoo~2 " * 100, "min_sources": 2},
)
"""What an older newswatch would have stored."""


def store(context: Context, search: Any) -> None:
    """Past every check, as somebody does in Kibana."""
    from alerts.saved import _document

    document = _document(search, [], by="ann", seed="", now=NOW)
    context.es.index(index=context.names.searches, id=search.id, document=document, refresh=True)
