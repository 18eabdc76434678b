"""The read API over HTTP: what each route gives, and what is refused, by its name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from cli.main import app
from delivery.feedback import quality
from jobs.context import Context
from newswatch.article import Article
from newswatch.client import Newswatch, ServerError
from search.first_page import FirstPage
from search.words import MOST_WORDS
from store.keys import KeyStore, Request
from tests.broken_slice import broken_slice
from tests.factories import NOW
from tests.web.conftest import Stocked, Visitor
from web.api.app import create_api
from web.app import create_app

pytestmark = pytest.mark.slow

Json = dict[str, Any]


class Api:
    """The API as Airflow mounts it, over the newsroom's stories, and a client with a key."""

    def __init__(self, context: Context, articles: list[Article]) -> None:
        self.context, self.articles = context, articles
        airflow = FastAPI()
        visitor = Visitor(reads=False)  # no log-in is needed
        airflow.mount("/news", create_app(lambda: context, visitor.access()))
        self.client = TestClient(airflow, base_url="http://testserver/news/api/v1/")
        keys = KeyStore(context.es, context.names)
        made = keys.create(Request("test", "ann", ("read", "feedback"), 30, 6_000), by="root", now=NOW)
        self.client.headers["Authorization"] = f"Bearer {made.text}"

    def get(self, path: str, status: int = 200, **parameters: Any) -> Json:
        answer = self.client.get(path, params={name.rstrip("_"): value for name, value in parameters.items()})
        assert answer.status_code == status, answer.text
        found: Json = answer.json()
        return found

    def pages(self, path: str, **parameters: Any) -> list[Json]:
        after, found = "", []
        while True:
            page = self.get(path, after=after, **parameters)
            found += page["articles"]
            after = page["next"]
            if not page["has_more"]:
                return found


@pytest.fixture(scope="module")
def api(stocked: Stocked) -> Api:
    return Api(stocked.context, stocked.articles)


def test_every_article_comes_once_in_ingest_order_with_evidence_and_the_query_chooses(api: Api) -> None:
    every = api.pages("articles", limit=4)
    assert sorted(one["id"] for one in every) == sorted(one.id for one in api.articles)
    numbers = [one["seq"] for one in every]
    assert numbers == sorted(numbers)
    assert {one["text"] for one in every} == {None}
    chosen = api.pages("articles", q="tag:nato AWACS", text=True)
    assert chosen
    assert all("AWACS" in one["title"] + one["summary"] + one["text"] for one in chosen)
    (tag,) = [tag for tag in chosen[0]["tags"] if tag["tag"] == "nato"]
    evidence = tag["evidence"][0]
    assert chosen[0][evidence["field"]][evidence["start"] : evidence["end"]] == evidence["text"]
    whole = api.get(f"articles/{chosen[0]['id']}")
    assert whole["text"] == chosen[0]["text"]
    assert whole["news_page"].endswith(f"/news/article/{whole['id']}")
    assert api.pages("saved-searches/nato/articles") == api.pages("articles", q="tag:nato level:main")
    now = api.get("articles", after="now")
    assert (now["articles"], api.get("articles", after=now["next"])["articles"]) == ([], [])


def test_every_parameter_says_what_it_is() -> None:
    paths = create_api(lambda: pytest.fail("a description asks nothing")).state.described()["paths"]
    told = [one for methods in paths.values() for of in methods.values() for one in of.get("parameters", ())]
    asked = [one for one in told if one["in"] == "query"]
    said = {"enum", "minimum", "description"}
    assert {"from", "to", "q"} <= {one["name"] for one in asked}
    assert [one["name"] for one in asked if not one.get("description") and not said & one["schema"].keys()] == []
    assert not {"more", "within"} & {one["name"] for one in asked}, "they are the page's own"


def test_the_search_is_the_pages_search_and_stories_are_whole(api: Api) -> None:
    found = api.get("search", q="coalition", rows="stories", limit=3, more="tag")
    first = found["rows"][0]
    assert found["stories"] >= len(found["rows"])
    story = api.get(f"stories/{first['article']['story']}")
    assert first["article"]["id"] in [one["id"] for one in story["articles"]]
    assert story["independent_sources"] >= 1
    begun = FirstPage(api.context.clock()).written()
    second = api.get("search", q="coalition", rows="stories", limit=3, offset=3, first=begun)
    assert second == api.get("search", q="coalition", rows="stories", limit=3, offset=3), (
        "a page's address can be asked"
    )
    found = api.get("search", q="coalition zyxw", rows="stories", limit=3)
    assert found["relaxed"]
    last = {"q": "coalition zyxw", "rows": "stories", "limit": 1, "offset": found["stories"]}
    assert api.get("search", **last, first=FirstPage(api.context.clock(), added=1).written())["rows"], "moved by one"
    last["offset"] -= 1
    assert api.get("search", **last, first=FirstPage(api.context.clock(), added=1).written())["next_offset"]
    assert found["shortened"] == ""
    many = " ".join(f"word{n}" for n in range(MOST_WORDS + 20))
    assert "20 others are not" in api.get("search", q=many)["shortened"]
    assert "20 others are not" in api.get("articles", q=many)["shortened"]
    assert api.get("articles", q="coalition", limit=1)["shortened"] == ""
    dated = api.get("search", q="", from_="2020-01-01", to="2020-01-02")
    assert (dated["total"], dated["next_offset"]) == (0, None)
    assert api.get("search", q="", rows="articles", sort="time", limit=2)["next_offset"] == 2


def test_what_could_not_be_searched_is_told(api: Api) -> None:
    here, one = api.context, api.articles[0]
    with broken_slice(here.es, here.names) as index:
        assert index in api.get("search", q=one.title, sort="time")["incomplete"]
        assert index in api.get(f"stories/{one.story_id}")["incomplete"]
    assert api.get("search", q=one.title)["incomplete"] == ""


def test_saved_searches_topics_and_feeds_are_told_without_addresses_and_logins(api: Api) -> None:
    (saved,) = api.get("saved-searches")["saved_searches"]
    assert saved == api.get("saved-searches/nato")
    assert "a@b.example" not in json.dumps(saved)
    assert "nato" in [one["tag"] for one in api.get("topics")["topics"]]
    feeds = api.get("feeds")
    assert feeds["counts"] == {"new": 2}
    assert "pw" not in json.dumps(feeds)
    assert api.get("feeds/courier")["health"] == "new"
    assert api.get("feeds", state="gone")["feeds"] == []
    assert api.get("me")["owner"] == "ann"


REFUSED = (
    ("articles?limit=0", 400, "limit", "must be at least 1 (given: '0')"),
    ("articles?limit=many", 400, "limit", "must be a whole number (given: 'many')"),
    ("articles?afer=1", 400, "afer", "There is no parameter 'afer' here."),
    ("articles?q=a&q=b", 400, "q", "q is given twice."),
    ("articles?after=x", 400, "after", "This is no cursor"),
    ("articles?after=999999999999999", 410, "after", "is ahead of all articles"),
    ("articles?q=%28", 400, "q", "("),
    ("articles?q=is:new", 400, "q", "only the News page knows who asks"),
    ("articles?q=" + "x" * 20_000, 400, "q", "at most"),
    ("articles?q=" + "a*b*c*d*+" * 200, 400, "q", ""),
    ("search?from=yesterday", 400, "from", ""),
    ("search?from=2026-02-01&to=2026-01-01", 400, "q", "exchange them"),
    ("search?offset=10000", 400, "offset", ""),
    ("search?sort=worst", 400, "sort", ""),
    ("feeds?state=fialing", 400, "state", "'fialing' is no state of a feed."),
    ("articles/nothing", 404, None, "There is no such article."),
    ("articles/%00%ff", 404, None, "There is no such article."),
    ("stories/" + "x" * 600, 404, None, "There is no such story."),
    ("saved-searches/nothing/articles", 404, None, "There is no such saved search."),
    ("feeds/..%2fx", 404, None, ""),
    ("nothing", 404, None, "There is nothing at this address."),
)


def test_what_can_not_be_is_told_as_a_problem_that_names_the_parameter(api: Api) -> None:
    for path, status, parameter, said in REFUSED:
        answer = api.client.get(path)
        told = answer.json()
        assert (answer.status_code, told.get("parameter")) == (status, parameter), (path[:60], told)
        assert answer.headers["content-type"] == "application/problem+json"
        assert said in told["detail"], (path[:60], told["detail"])
        assert told["type"].startswith("tag:newswatch,2026:problem/")


def test_answers_have_etags_and_none_is_for_other_sites_or_caches(api: Api) -> None:
    first = api.client.get("articles", params={"limit": 3})
    etag = first.headers["etag"]
    compressed = (f'{etag[:-1]}-gzip"', f'W/{etag[:-1]}-br"')
    for named in (etag, f'"other", W/{etag}', "*", *compressed):
        again = api.client.get("articles", params={"limit": 3}, headers={"If-None-Match": named})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert api.client.get("articles", params={"limit": 3}, headers={"If-None-Match": '"x"'}).status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["x-robots-tag"] == "noindex, nofollow"
    cross = api.client.get("me", headers={"Origin": "https://evil.example"})
    assert not [name for name in cross.headers if name.startswith("access-control")]
    assert api.client.post("search").status_code == 405
    described = TestClient(api.client.app).get("/news/api/v1/openapi.json").json()
    assert {"/articles", "/search", "/stories/{story_id}", "/feedback"} <= described["paths"].keys()
    answers = [told["responses"] for methods in described["paths"].values() for told in methods.values()]
    assert all(told.get("200", told.get("202"))["content"] for told in answers)


def test_feedback_counts_once_for_each_reader_and_odd_bodies_are_refused(api: Api) -> None:
    story = api.articles[0].story_id
    said = {"saved_search": "nato", "story": story, "relevant": True}
    for relevant in (True, True, False):
        answer = api.client.post("feedback", json=said | {"relevant": relevant})
        assert answer.status_code == 200, answer.text
    assert answer.json()["reader"] == "ann (API)"
    (counted,) = quality(api.context.es, api.context.names, ["nato"])
    assert (counted.labelled, counted.relevant) == (1, 0)
    for body, status, parameter in (
        (said | {"relevant": "yes"}, 400, "relevant"),
        (said | {"extra": 1}, 400, "extra"),
        (said | {"saved_search": "nothing"}, 404, None),
        (said | {"saved_search": "nato,other"}, 400, "saved_search"),
        (said | {"story": "nothing"}, 404, None),
        (said | {"article": "nothing"}, 404, None),
        ([], 400, "body"),
    ):
        answer = api.client.post("feedback", json=body)
        assert (answer.status_code, answer.json().get("parameter")) == (status, parameter), answer.text
    assert api.client.post("feedback", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    twice = b'{"saved_search": "nato", "story": "x", "relevant": true, "relevant": false}'
    told = api.client.post("feedback", content=twice, headers={"Content-Type": "application/json"})
    assert (told.status_code, told.json()["detail"]) == (400, "'relevant' is given twice.")
    huge = b'{"saved_search": %s}' % (b"9" * 5_000)
    assert api.client.post("feedback", content=huge, headers={"Content-Type": "application/json"}).status_code == 400
    assert api.client.post("feedback", content=b"a=1").status_code == 415
    large = api.client.post("feedback", content=b" " * 20_000, headers={"Content-Type": "application/json"})
    assert large.status_code == 413


@pytest.fixture(scope="module")
def address(api: Api) -> Iterator[str]:
    """The API on a real socket."""
    config = uvicorn.Config(api.client.app, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    thread.join()


def test_the_client_gets_the_same_and_sends_its_key_nowhere_else(api: Api, address: str) -> None:
    text = str(api.client.headers["Authorization"]).removeprefix("Bearer ")
    news = Newswatch(address, text)
    got = [*news.articles("tag:nato")]
    assert [one.id for one in got] == [one["id"] for one in api.pages("articles", q="tag:nato")]
    assert [*news.articles("tag:nato", after=news.cursor)] == []
    assert news.article(got[0].id).tags == got[0].tags
    assert news.search("coalition").rows[0].article.outlet.name
    assert news.story(got[0].story).total >= 1
    assert [one.id for one in news.saved_searches()] == ["nato"]
    assert (news.feeds().counts, news.me().owner) == ({"new": 2}, "ann")
    assert {"nato"} <= {one.tag for one in news.topics()}
    assert news.feedback("nato", got[0].story, relevant=True).reader == "ann (API)"
    assert text not in repr(news)
    with pytest.raises(ServerError, match="There is no such article") as missing:
        news.article("nothing")
    assert missing.value.status == 404
    with pytest.raises(ServerError, match="is no cursor"):
        news.page(after="x")
    for wrong, said in (
        ("http://news.example", "unencrypted"),
        ("ftp://127.0.0.1", "must be such as"),
        ("https://ann:pw@news.example", "must be such as"),
    ):
        with pytest.raises(ServerError, match=said):
            Newswatch(wrong, text)


class Odd(BaseHTTPRequestHandler):
    """A server that is busy, then moved, then something else; it notes what it is shown."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        Odd.seen.append(self.headers.get("Authorization", ""))
        turn = len(Odd.seen)
        status = {1: 429, 2: 302}.get(turn, 200)
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *_: object) -> None: ...


def test_the_client_waits_as_it_is_told_follows_no_redirect_and_tells_what_is_not_newswatch() -> None:
    waited: list[float] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        news = Newswatch(f"http://127.0.0.1:{server.server_address[1]}", "nwk_x", pause=waited.append)
        with pytest.raises(ServerError, match="status 302: is it newswatch"):
            news.me()
        with pytest.raises(ServerError, match="does not answer as newswatch does"):
            news.me()
        server.shutdown()
    assert waited == [7.0]
    assert Odd.seen == ["Bearer nwk_x"] * 3
    with pytest.raises(ServerError, match="can't be reached"):
        news.me()
    assert waited == [7.0, 1.0, 2.0, 4.0]


def test_the_command_asks_a_server(api: Api, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:1")  # nothing of our own is asked
    run = CliRunner()
    without = run.invoke(app, ["search", "coalition", "--server", address], env={"NEWSWATCH_API_KEY": ""})
    assert without.exit_code != 0
    text = str(api.client.headers["Authorization"]).removeprefix("Bearer ")
    env = {"NEWSWATCH_API_KEY": text, "NEWSWATCH_SERVER": address}
    shown = run.invoke(app, ["search", "coalition", "--json"], env=env)
    rows = [json.loads(line) for line in shown.stdout.splitlines()]
    assert rows == api.get("search", q="coalition", rows="articles", limit=10)["rows"]
    assert rows[0]["article"]["title"] in " ".join(run.invoke(app, ["search", "coalition"], env=env).stdout.split())
    assert run.invoke(app, ["search", "x", "--facets"], env=env).exit_code != 0

    def ended(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.remote.sleep", ended)
    many = " ".join(f"word{n}" for n in range(MOST_WORDS + 20))
    for watching in ([], ["--watch"]):
        told = " ".join(run.invoke(app, ["search", many, *watching], env=env).stderr.split())
        assert "20 others are not" in told
