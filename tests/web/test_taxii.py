"""TAXII by the published client: everything once, in order, also what is written while it polls."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import stix2
import uvicorn
from elasticsearch import Elasticsearch
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.datastructures import URL
from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from alerts.saved import SavedSearches
from jobs.context import Context
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Article, Entity
from newswatch.settings import Settings
from search.stix import article_ids, report_id
from store.articles import ArticleStore
from store.batches import BatchStore
from store.indices.setup import set_up
from store.keys import KeyStore, Request
from store.milestones import Line, Milestone
from tests.factories import NOW, an_article
from tests.newsstand import stock
from tests.pristine import Pristine
from tests.web.conftest import Visitor
from web.app import create_app
from web.taxii.app import _as_asked

pytestmark = pytest.mark.slow

GROUP = Entity("isil", "Islamic State", "group", 2, aliases=("Daesh",))
MEDIA = "application/taxii+json;version=2.1"


def made(n: int) -> Article:
    return an_article(f"https://herald.example/{n}", title=f"Story {n}", entities=(GROUP,) if n % 3 else ())


@dataclass
class Site:
    """A running server, and what is behind it."""

    context: Context
    url: str
    key: str
    now: datetime = NOW + timedelta(hours=2)

    def collection(self, alias: str = "all") -> Any:
        listed = self.get("api/collections/").json()["collections"]
        its = next(one["id"] for one in listed if one["alias"] == alias)
        return Collection(f"{self.url}api/collections/{its}/", user="taxii", password=self.key)

    def get(self, path: str, **asked: Any) -> requests.Response:
        return requests.get(
            self.url + path, params=asked, headers={"Accept": MEDIA}, auth=("taxii", self.key), timeout=30
        )

    def put(self, articles: list[Article]) -> None:
        """Index a batch that is matched, and let time pass."""
        stock(self.context.es, self.context.names, articles, now=self.now)
        self.finish()

    def finish(self) -> None:
        batches = BatchStore(self.context.es, self.context.names)
        for waiting in batches.waiting(now=self.now):
            batches.mark_matched(waiting, now=self.now)
        self.now += timedelta(seconds=5)


@pytest.fixture(scope="module")
def site(es: Elasticsearch, pristine: Pristine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    names, folder = pristine.names(), tmp_path_factory.mktemp("taxii")
    (folder / "alerts.yaml").write_text("alerts: []\n")
    (folder / "taxonomy.yaml").write_bytes((Path("config") / "taxonomy.yaml").read_bytes())
    settings = Settings(secret_key=SecretStr("x"), config_dir=folder, data_dir=folder, index_prefix=names.prefix)
    set_up(es, names, settings)
    site = Site(Context(settings, es, names), "", "")
    site.context = replace(site.context, clock=lambda: site.now)
    asked = Request("opencti", "ann", ("taxii",), 30, 6_000)
    site.key = KeyStore(es, names).create(asked, by="root", now=NOW).text
    app = FastAPI()
    app.mount("/news", create_app(lambda: site.context, Visitor(reads=False).access()))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
    site.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/news/taxii2/"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("store.ingest_order.CACHED_S", 0.0)  # it would only come a second later
        yield site
    server.should_exit = True
    thread.join(20)
    pristine.clean()


def reports(objects: list[Any]) -> list[str]:
    return [one["name"] for one in objects if one["type"] == "report"]


def test_the_published_client_polls_everything_once_while_articles_come_in(site: Site) -> None:
    assert site.collection().get_objects() == {}, "nothing is there yet"
    site.put([made(n) for n in range(7)])
    server = Server(site.url, user="taxii", password=site.key)
    root = server.default
    assert isinstance(root, ApiRoot)
    assert root.collections[0].title == "All articles"
    pages = list(as_pages(site.collection().get_objects, per_request=4))
    assert all(len(page["objects"]) <= 4 for page in pages)
    objects = [one for page in pages for one in page["objects"]]
    assert reports(objects) == [f"Story {n}" for n in range(7)]
    stix2.parse({"type": "bundle", "id": "bundle--" + "0" * 8 + "-0000-4000-8000-" + "0" * 12, "objects": objects})

    got, last, rnd = [*objects], "", random.Random(3)
    answer = site.get("api/collections/all/objects/", limit=1_000)
    last = answer.headers["X-TAXII-Date-Added-Last"]
    assert answer.headers["Content-Type"] == MEDIA
    assert site.get("api/collections/all/objects/", added_after=last).json() == {}, "nothing new, nothing again"
    number, batches = 7, BatchStore(site.context.es, site.context.names)
    store = ArticleStore(site.context.es, site.context.names)
    for _ in range(6):
        # Two batches side by side: the later one is done first.
        slow, fast = (batches.begin(batches.open(["x"], now=site.now, lease_s=600).number) for _ in range(2))
        for batch in (fast, slow):
            count = rnd.randrange(1, 5)
            store.write([made(n) for n in range(number, number + count)], batch, batch.seq_of_attempt, now=site.now)
            number += count
            batches.mark_indexed(batch.number, counts={}, now=site.now)
            site.finish()
            answer = site.get("api/collections/all/objects/", added_after=last, limit=rnd.randrange(2, 9))
            while True:  # a client that goes by `added_after` alone
                page = answer.json()
                got += page.get("objects", [])
                if not page.get("objects"):
                    break
                last = answer.headers["X-TAXII-Date-Added-Last"]
                answer = site.get("api/collections/all/objects/", added_after=last, limit=1_000)
    told = reports(got)
    assert sorted(set(told), key=lambda name: int(name.split()[1])) == [f"Story {n}" for n in range(number)]
    assert len(told) - len(set(told)) <= 12, "at a page's cut an article may come twice"


def test_one_object_its_versions_and_the_manifest(site: Site) -> None:
    site.put([made(900), made(901)])
    wanted = report_id(made(901).id)
    assert made(901).id in article_ids(wanted)
    collection = site.collection()
    (found,) = collection.get_object(wanted)["objects"]
    assert found["name"] == "Story 901"
    assert collection.object_versions(wanted)["versions"] == [found["modified"]]
    assert [one["name"] for one in collection.get_objects(id=wanted)["objects"]] == ["Story 901"]
    groups = collection.get_objects(type="threat-actor")["objects"]
    assert {one["type"] for one in groups} == {"threat-actor"}
    records = collection.get_manifest(limit=1_000)["objects"]
    assert (found["id"], found["modified"]) in {(one["id"], one["version"]) for one in records}
    dates = [one["date_added"] for one in records]
    assert dates == sorted(dates)
    assert collection.get_objects(version=found["modified"], id=wanted)["objects"] == [found]
    assert "objects" not in collection.get_objects(version="2001-01-01T00:00:00.000Z", id=wanted)
    assert site.get(f"api/collections/all/objects/{report_id('0' * 32)}/").status_code == 404


def test_a_saved_search_is_a_collection(site: Site) -> None:
    search = SavedSearch("nato", "NATO", "title:911", ("a@example.org",), tags=(TagFilter("nato", "mention"),))
    SavedSearches(site.context.es, site.context.names).save(search, by="ann", now=NOW)
    site.put([made(910), made(911)])
    assert reports(site.collection("nato").get_objects()["objects"]) == ["Story 911"]


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("api/collections/none/objects/", {}, 404),
        ("api/collections/all/objects/", {"added_after": "yesterday"}, 400),
        ("api/collections/all/objects/", {"added_after": "2026-03-04T05:06:07"}, 400),
        ("api/collections/all/objects/", {"next": "1; drop"}, 400),
        ("api/collections/all/objects/", {"limit": "0"}, 400),
        ("api/collections/all/objects/", {"match[kind]": "x"}, 400),
    ],
)
def test_what_is_asked_wrongly_is_told(site: Site, path: str, asked: dict[str, str], status: int) -> None:
    assert site.get(path, **asked).status_code == status


def test_who_has_no_key_or_another_version_gets_nothing(site: Site) -> None:
    assert requests.get(site.url, headers={"Accept": MEDIA}, timeout=30).status_code == 401
    old = {"Accept": "application/taxii+json;version=2.0"}
    assert requests.get(site.url, headers=old, auth=("x", site.key), timeout=30).status_code == 406
    assert requests.get(site.url, headers={"Authorization": f"Bearer {site.key}"}, timeout=30).status_code == 200


def test_clients_as_they_are_get_what_they_ask_for(site: Site) -> None:
    """OpenCTI leaves the last slash out, accepts anything, and sends `added_after` beside `next`."""
    site.put([made(n) for n in range(920, 925)])
    asked = {"Accept": "application/json, text/plain, */*", "Authorization": f"Bearer {site.key}"}
    url = f"{site.url}api/collections/all/objects"

    def get(**more: str) -> requests.Response:
        return requests.get(url, params={"limit": "7", **more}, headers=asked, allow_redirects=False, timeout=30)

    first = get()
    page = first.json()
    got, last = page["objects"], first.headers["X-TAXII-Date-Added-Last"].replace("Z", "+00:00")
    while page.get("more"):
        page = get(added_after=last, next=page["next"]).json()
        got += page.get("objects", [])
    whole = site.get("api/collections/all/objects/", limit=1_000).json()["objects"]
    assert reports(got) == reports(whole)


def test_moments_are_in_order_and_lead_back() -> None:
    stones = [Milestone(0, 10), Milestone(7, 5_000_010), Milestone(10**9, 9_000_000), Milestone(10**9 + 3, 10_000_000)]
    line = Line(stones)
    numbers = [0, 1, 6, 7, 8, 10**6, 10**9 - 1, 10**9, 10**9 + 2]
    moments = [line.moment(number) for number in numbers]
    assert moments == sorted(moments)
    for number, moment in zip(numbers, moments, strict=True):
        following = line.first_after(moment)
        assert line.first_after(moment - 1) <= number, "asked for what came before its moment, it is there"
        assert following > number
        assert following >= stones[-1].seq or line.moment(following) > moment
        assert line.moment(following - 1) <= moment, "nothing is left out"
    assert line.first_after(0) == 0
    assert line.first_after(10**12) == stones[-1].seq


@pytest.mark.parametrize(
    ("seen", "public", "told"),
    [
        ("http://news.example/news/taxii2/", "https://news.example", "https://news.example/news/taxii2/"),
        ("http://news.example/a/news/taxii2/", "https://news.example/a", "https://news.example/a/news/taxii2/"),
        ("http://10.0.0.7:8080/news/taxii2/", "https://news.example", "http://10.0.0.7:8080/news/taxii2/"),
        ("https://news.example/news/taxii2/", "http://127.0.0.1:8080", "https://news.example/news/taxii2/"),
    ],
)
def test_a_client_that_came_by_tls_is_not_sent_on_without_it(seen: str, public: str, told: str) -> None:
    assert str(_as_asked(URL(seen), URL(public))) == told
