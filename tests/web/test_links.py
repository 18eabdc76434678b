"""The links of the mails: the signature admits, GET changes nothing, POST does what is asked, once or twice alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from time import time

import pytest
from elasticsearch import Elasticsearch
from fastapi.testclient import TestClient
from pydantic import SecretStr

from alerts.saved import SavedSearches
from delivery.feedback import MUTE, Quality, quality
from delivery.links import MAX_AGE_S, Link, LinkError, Links
from delivery.mailbox import Mailboxes
from jobs.context import Context
from newswatch.article import Article, Tag
from newswatch.settings import Settings
from store.names import Names
from tests.alerts.press import Press, a_search, a_story
from tests.factories import NOW, an_article
from tests.newsstand import stock
from web.budget import RateBudget
from web.links import EACH as EACH_LINK
from web.links import create_app
from web.shared_stories import EACH

pytestmark = pytest.mark.slow

ANN = "ann@reader.example"
STOP = Link("unsubscribe", ANN, "ice,snow")


@pytest.fixture
def context(es: Elasticsearch, names: Names) -> Context:
    return Context(Settings(secret_key=SecretStr("for tests")), es, names, lambda: NOW)


@pytest.fixture
def links(context: Context) -> Links:
    return Links(context.settings)


@pytest.fixture
def client(context: Context) -> TestClient:
    return TestClient(create_app(lambda: context))


@pytest.fixture
def boxes(es: Elasticsearch, names: Names) -> Mailboxes:
    return Mailboxes(es, names)


def test_get_asks_and_changes_nothing(client: TestClient, links: Links, boxes: Mailboxes) -> None:
    page = client.get(f"/{links.token(STOP)}")
    assert page.status_code == 200
    assert "Stop these mails?" in page.text
    assert "ice, snow" in page.text
    assert 'method="post"' in page.text
    assert client.head(f"/{links.token(STOP)}").status_code == 200
    assert boxes.find(ANN) is None


def test_one_click_unsubscribe_and_back(client: TestClient, links: Links, boxes: Mailboxes) -> None:
    for _ in range(2):
        answer = client.post(f"/{links.token(STOP)}", data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
        assert answer.status_code == 200
        assert boxes.get(ANN).unsubscribed == ("ice", "snow")
    client.post(f"/{links.token(replace(STOP, action='subscribe', saved_search_ids='snow'))}")
    assert boxes.get(ANN).unsubscribed == ("ice",)


def test_undo_is_offered_and_works(client: TestClient, links: Links, boxes: Mailboxes) -> None:
    page = client.post(f"/{links.token(STOP)}").text
    token = page.partition('action="')[2].partition('"')[0]
    assert links.read(token) == replace(STOP, action="subscribe")
    client.post(f"/{token}")
    assert boxes.get(ANN).unsubscribed == ()


def test_mute_and_acknowledge(client: TestClient, links: Links, boxes: Mailboxes) -> None:
    client.post(f"/{links.token(Link('mute', ANN, 'ice'))}")
    client.post(f"/{links.token(Link('ack', ANN, 'ice', 'story'))}")
    assert boxes.get(ANN).muted == {"ice": NOW + MUTE}
    assert boxes.get(ANN).acknowledged == {"story": NOW}
    client.post(f"/{links.token(Link('unmute', ANN, 'ice'))}")
    assert boxes.get(ANN).muted == {}


def test_labels_are_kept_one_for_each_reader_and_story(
    client: TestClient, links: Links, es: Elasticsearch, names: Names
) -> None:
    for action in ("relevant", "not-relevant", "relevant"):
        client.post(f"/{links.token(Link(action, ANN, 'ice,snow', 'story', 'article'))}")
    client.post(f"/{links.token(Link('not-relevant', 'bob@reader.example', 'ice', 'story', 'article'))}")
    assert quality(es, names, ["ice", "snow", "rain"]) == [
        Quality("ice", 1, 2),
        Quality("snow", 1, 1),
        Quality("rain", 0, 0),
    ]


def test_a_label_keeps_the_topics_of_its_article(
    client: TestClient, links: Links, es: Elasticsearch, names: Names
) -> None:
    article = an_article(tags=(Tag("nato", "main", 0.9, ()),))
    stock(es, names, [article])
    client.post(f"/{links.token(Link('relevant', ANN, 'ice', article.story_id, article.id))}")
    client.post(f"/{links.token(Link('relevant', ANN, 'ice', 'gone', 'gone'))}")
    hits = es.search(index=names.labels, sort="story_id")["hits"]["hits"]
    assert sorted(hit["_source"].get("tags") or [] for hit in hits) == [[], ["nato"]]


def test_forged_cut_and_foreign_links_get_one_clear_page(client: TestClient, links: Links, boxes: Mailboxes) -> None:
    token = links.token(STOP)
    other = Links(Settings(secret_key=SecretStr("another"))).token(STOP)
    for bad in (token[:-1], token[1:], f"{token}x", other, "x", "a.b.c", "%3Cscript%3E"):
        for answer in (client.get(f"/{bad}"), client.post(f"/{bad}")):
            assert answer.status_code == 400
            assert "This link is not valid" in answer.text
    assert boxes.find(ANN) is None


@pytest.mark.parametrize("after", ["%20", ".", ">", "%3E", ")", "/", "%0A", "%C2%A0", ".%22,"])
def test_a_link_works_with_what_a_mail_program_took_for_its_end(
    client: TestClient, links: Links, boxes: Mailboxes, after: str
) -> None:
    assert client.get(f"/{links.token(STOP)}{after}", follow_redirects=False).status_code == 200
    assert not boxes.get(ANN).unsubscribed
    assert client.post(f"/{links.token(STOP)}{after}", follow_redirects=False).status_code == 200
    assert boxes.get(ANN).unsubscribed == ("ice", "snow")
    assert links.read_story(f"{links.story_token('s')}{after[:1]}").story_id == "s"


def test_a_link_acts_so_often_a_minute_and_costs_no_other(client: TestClient, links: Links, context: Context) -> None:
    for _ in range(EACH_LINK):
        assert client.post(f"/{links.token(STOP)}").status_code == 200
    refused = client.post(f"/{links.token(STOP)}")
    assert (refused.status_code, refused.headers["retry-after"].isdigit()) == (429, True)
    assert client.get(f"/{links.token(STOP)}").status_code == 200, "what scanners do is not counted"
    assert client.post(f"/{links.token(replace(STOP, recipient='bob@reader.example'))}").status_code == 200
    context.audit.refresh()
    assert len(list(context.audit.all())) == EACH_LINK + 1


def test_an_address_without_a_link_says_what_to_do(client: TestClient, links: Links) -> None:
    assert "Open it from the mail" in client.get("/a/b").text
    refused = client.put(f"/{links.token(STOP)}")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")
    assert "press its button" in refused.text


def test_expired_links_say_so(client: TestClient, links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    token = links.token(STOP)
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: __import__("time").monotonic() + 4e9 + MAX_AGE_S)
    answer = client.post(f"/{token}")
    assert answer.status_code == 400
    assert "expired" in answer.text


def test_pages_leak_nothing_and_run_nothing(client: TestClient, links: Links) -> None:
    page = client.get(f"/{links.token(Link('mute', '<script>@x.y', '<img>'))}")
    assert "<script>" not in page.text
    assert "<img>" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]


# ── the story's page for readers without an account ──────────────────────────────────────────────────────────────────


@pytest.fixture
def stories(es: Elasticsearch, names: Names) -> list[Article]:
    press = Press(es, names)
    other, first = a_story(2), a_story(1)
    first = replace(first, text=f"{first.text}\n{'It goes on. ' * 40}The end.")
    copy = replace(a_story(11), story_id=first.story_id, title="<script>alert(1)</script>", duplicate_of=first.id)
    press.publish(first, copy, other)
    es.indices.refresh(index=names.articles)
    return [first, copy, other]


def test_a_story_opens_by_its_link_alone(client: TestClient, links: Links, stories: list[Article]) -> None:
    first, _, other = stories
    page = client.get(f"/story/{links.story_token(first.story_id)}")
    assert page.status_code == 200
    assert first.title in page.text
    assert f'href="{first.url}"' in page.text
    assert "&lt;script&gt;" in page.text
    assert other.title not in page.text
    assert "The end." not in page.text, "the publisher's text stays with the publisher"
    assert "opens this story, and nothing else, for whoever has it, until" in page.text
    assert 'content="noindex"' in page.text
    assert page.headers["x-robots-tag"] == "noindex"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert ANN not in page.text


def test_permissions_do_not_stretch(client: TestClient, links: Links, context: Context, stories: list[Article]) -> None:
    story = links.story_token(stories[0].story_id)
    action = links.token(Link("relevant", ANN, "ice", stories[0].story_id, stories[0].id))
    for bad in (f"/story/{action}", f"/{story}", f"/story/{story}x", "/story/x"):
        assert client.get(bad).status_code == 400
    assert client.get(f"/story/{links.story_token('gone')}").status_code == 404
    closed = replace(context, settings=context.settings.model_copy(update={"mail_story_days": 0}))
    answer = TestClient(create_app(lambda: closed)).get(f"/story/{story}")
    assert answer.status_code == 400
    assert "only to people with an account" in answer.text
    assert Links(closed.settings).story_token("x") == ""


def test_a_storys_link_ends(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    token = links.story_token("story")
    now = time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + 31 * 86_400)
    with pytest.raises(LinkError, match="open for 30 days"):
        links.read_story(token)


def test_a_link_has_a_budget(client: TestClient, links: Links, stories: list[Article]) -> None:
    address = f"/story/{links.story_token(stories[0].story_id)}"
    answers = [client.get(address) for _ in range(EACH + 1)]
    assert [answer.status_code for answer in answers[-2:]] == [200, 429]
    assert int(answers[-1].headers["retry-after"]) <= 60
    assert client.get(f"/story/{links.story_token(stories[2].story_id)}").status_code == 200


def test_budgets_are_of_a_minute() -> None:
    now = [0.0]
    budget = RateBudget(2, 3, clock=lambda: now[0])
    assert [budget.wait_s(key) for key in "aaabb"] == [0, 0, 60, 0, 60]
    now[0] = 59
    assert budget.wait_s("c") == 1
    now[0] = 60
    assert budget.wait_s("a") == 0


def test_links_name_searches_and_stories(
    client: TestClient, links: Links, context: Context, stories: list[Article]
) -> None:
    SavedSearches(context.es, context.names).save(a_search("ice", "glacier"), by="test", now=NOW)
    assert "“Ice”, snow" in client.get(f"/{links.token(STOP)}").text
    link = Link("ack", ANN, "ice", stories[0].story_id, stories[0].id)
    assert f"“{stories[0].title}”" in client.get(f"/{links.token(link)}").text


def test_interval_of_few_labels_is_wide() -> None:
    low, high = Quality("a", 3, 4).interval
    assert (round(low, 2), round(high, 2)) == (0.30, 0.95)
    assert Quality("a", 0, 0).interval == (0.0, 1.0)
    assert timedelta(0) < MUTE
