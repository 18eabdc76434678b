"""The newsroom prints what its files say, answers conditional requests rightly, and is read as its stories expect."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest
from lxml import html

from alerts.definitions import load_alerts
from delivery.channels.registry import parse_address
from embedded.newsroom import Newsroom, RequestSeen
from embedded.newsroom_site.content import HERE, Outlet, Story, load_outlets, load_stories, read_story
from embedded.newsroom_site.printing import html_blocks
from ingest.assemble import assemble, wants_page
from ingest.feed_list.feeds import load_feeds
from ingest.pages.extract import extract
from ingest.parse import parse
from ingest.parsed import ParsedFeed
from newswatch.article import Level
from newswatch.errors import ConfigError, NewswatchError, StackError
from newswatch.feed import Feed
from tests.taxonomies import shipped_tagger
from transforms.enrich import enrich
from transforms.tag import Tagger
from transforms.taxonomy import load_taxonomy

OPENED = datetime(2017, 5, 25, 18, 0, 30, tzinfo=UTC)
OUTLETS = {outlet.id: outlet for outlet in load_outlets()}
STORIES = {story.slug: story for story in load_stories()}
PRINTED = [story for story in load_stories() if not story.held]
WITH_PAGE = [story for story in PRINTED if story.page == "ok"]


@dataclass(slots=True)
class HandClock:
    """Goes only when it is told to."""

    now: datetime = OPENED

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Answer:
    """What the newsroom answered."""

    status: int
    headers: dict[str, str]
    body: bytes


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def newsroom(clock: HandClock) -> Iterator[Newsroom]:
    with Newsroom(clock=clock) as opened:
        yield opened


def ask(newsroom: Newsroom, target: str, method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(newsroom.host_port, timeout=60)
    try:
        connection.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def page_of(newsroom: Newsroom, slug: str) -> Answer:
    asked = urlsplit(newsroom.article_url(slug))
    return ask(newsroom, f"{asked.path}?{asked.query}" if asked.query else asked.path)


def feed_of(newsroom: Newsroom, outlet: str) -> feedparser.FeedParserDict:
    answer = ask(newsroom, OUTLETS[outlet].feed)
    return feedparser.parse(answer.body, response_headers={**answer.headers, "content-location": newsroom.url})


def words(text: str) -> str:
    return " ".join(text.split())


def text_of(element: Any) -> str:
    """The words of an element of `lxml.html`, whose stubs know only `lxml.etree`'s methods."""
    return words(element.text_content())


def plain(story: Story) -> list[str]:
    """The paragraphs and table cells of a story, without their Markdown."""
    return [text_of(html.fromstring(f"<div>{block}</div>")) for block in html_blocks(story.body)]


# ── the files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_as_many_stories_of_each_kind_as_the_demo_needs() -> None:
    topics = [frozenset(story.expected.tags) for story in STORIES.values() if not story.copy_of]
    assert 24 <= len(PRINTED) <= 30
    assert topics.count(frozenset({"nato"})) >= 5
    assert topics.count(frozenset({"counter-terrorism"})) >= 5
    assert sum(1 for s in STORIES.values() if s.copy_of == "nato-joins-coalition") == 2
    assert {s.language for s in STORIES.values() if s.expected.tags} == {"en", "fr", "de"}
    assert sum(1 for s in STORIES.values() if s.trap) >= 6
    assert all(not s.expected.alerts for s in STORIES.values() if s.trap)


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.slug)
def test_a_story_is_long_enough_to_be_news(story: Story) -> None:
    length = len(story.body.split())
    assert length <= 600
    assert length >= 150 or story.short


@pytest.mark.parametrize("story", STORIES.values(), ids=lambda story: story.slug)
def test_a_story_names_only_what_exists(story: Story) -> None:
    alerts = {search.id: search for search in load_alerts(HERE / "alerts.yaml", parse_address)}
    assert {story.outlet, *story.also_in} <= OUTLETS.keys()
    assert {story.copy_of} <= {None, *STORIES}
    assert set(story.expected.alerts) <= alerts.keys()
    for name, search in alerts.items():
        if search.tags:
            carried = all(story.expected.tags.get(tag.tag) == tag.level for tag in search.tags)
            assert carried == (name in story.expected.alerts), f"{name} goes by its tags"


def test_the_copies_share_nearly_all_of_their_words_with_the_original() -> None:
    original = set(" ".join(plain(STORIES["nato-joins-coalition"])).split())
    for copy in (story for story in STORIES.values() if story.copy_of):
        own = set(" ".join(plain(copy)).split())
        assert len(own & original) / len(own) > 0.9
        assert copy.outlet != "courier"
        assert copy.credit == "Continental Press Service"


def test_a_story_file_that_is_wrong_is_named_with_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "broken.md"
    path.write_text("---\noutlet: courier\ntitle: [\n---\nText.\n")
    with pytest.raises(ConfigError, match=r"broken\.md:4:"):
        read_story(path)
    path.write_text("---\noutlet: courier\n---\nText.\n")
    with pytest.raises(ConfigError, match="title: is missing"):
        read_story(path)
    path.write_text("Text.\n")
    with pytest.raises(ConfigError, match="begins with YAML"):
        read_story(path)


# ── the feeds ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("outlet", "version"), [("courier", "rss20"), ("ledger", "atom10"), ("trois-lacs", "rss10")])
def test_a_feed_is_well_formed_and_lists_the_outlets_stories(newsroom: Newsroom, outlet: str, version: str) -> None:
    ElementTree.fromstring(ask(newsroom, OUTLETS[outlet].feed).body)
    feed = feed_of(newsroom, outlet)
    listed = [s for s in PRINTED if outlet in (s.outlet, *s.also_in)]
    assert (feed.version, bool(feed.bozo)) == (version, False)
    assert [entry.title for entry in feed.entries] == [s.title for s in listed]
    assert [words(entry.summary) for entry in feed.entries] == [words(s.summary) for s in listed]


def test_the_malformed_feed_yields_its_two_whole_entries_and_no_third(newsroom: Newsroom) -> None:
    body = ask(newsroom, "/kettleby-star/rss.php").body
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(body)
    feed = feed_of(newsroom, "kettleby-star")
    assert feed.bozo
    assert [entry.title for entry in feed.entries] == [STORIES[s].title for s in ("council-budget", "pool-reopens")]
    assert [entry.link for entry in feed.entries] == [
        newsroom.article_url(s) for s in ("council-budget", "pool-reopens")
    ]


def test_the_dead_feed_answers_404_with_a_page_that_is_no_feed(newsroom: Newsroom) -> None:
    answer = ask(newsroom, "/old-harbour/feed/")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "etag" not in answer.headers


def test_links_are_written_as_feeds_write_them_and_all_lead_to_the_page(newsroom: Newsroom) -> None:
    links = {
        entry.title: entry.link
        for name in ("courier", "ledger", "trois-lacs")
        for entry in feed_of(newsroom, name).entries
    }
    raw = ask(newsroom, "/ledger/atom.xml").body.decode()
    assert "utm_source=rss" in links[STORIES["trial-verdict"].title]
    assert 'href="/ledger/article/plot-arrests/"' in raw
    for story in WITH_PAGE:
        if story.title in links:
            asked = urlsplit(links[story.title])
            assert ask(newsroom, f"{asked.path}?{asked.query}").status == 200, story.slug


def test_one_article_stands_in_two_feeds_under_the_same_link(newsroom: Newsroom) -> None:
    title = STORIES["markets-close"].title
    found = [e.link for name in ("courier", "ledger") for e in feed_of(newsroom, name).entries if e.title == title]
    assert found == [newsroom.article_url("markets-close")] * 2


def test_stories_are_dated_back_from_the_opening(newsroom: Newsroom) -> None:
    entry = next(e for e in feed_of(newsroom, "courier").entries if e.title == STORIES["trial-verdict"].title)
    published = parsedate_to_datetime(entry.published)
    assert published == OPENED.replace(second=0) - timedelta(minutes=STORIES["trial-verdict"].minutes_ago)


# ── the pages ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("story", WITH_PAGE, ids=lambda story: story.slug)
def test_a_page_is_what_the_front_matter_says(newsroom: Newsroom, story: Story) -> None:
    answer = page_of(newsroom, story.slug)
    encoding = OUTLETS[story.outlet].encoding
    page = html.fromstring(answer.body.decode(encoding).replace('<?xml version="1.0"?>', ""))
    text = text_of(page)
    published = OPENED.replace(second=0) - timedelta(minutes=story.minutes_ago)
    assert answer.status == 200
    assert encoding in answer.headers["content-type"]
    assert [text_of(h) for h in page.iter("h1")] == [story.title]
    assert page.xpath("//link[@rel='canonical']/@href") == [newsroom.article_url(story.slug)]
    assert published.isoformat() in answer.body.decode(encoding)
    for passage in (*plain(story), *story.authors, words(story.summary)):
        assert passage in text
    assert "invented" in text


def test_the_couriers_structured_data_agrees_with_its_page(newsroom: Newsroom) -> None:
    page = html.fromstring(page_of(newsroom, "two-percent-table").body.decode())
    data = json.loads(str(page.xpath("string(//script[@type='application/ld+json'])")))
    story = STORIES["two-percent-table"]
    assert (data["headline"], data["description"]) == (story.title, story.summary)
    assert data["author"] == [{"@type": "Person", "name": "Piers Oldfield"}]
    assert data["mainEntityOfPage"] == newsroom.article_url(story.slug)
    assert data["publisher"]["url"] == "https://www.meridian-courier.example/"


def test_a_missing_page_is_404_and_its_whole_text_stands_in_the_feed(newsroom: Newsroom) -> None:
    story = STORIES["kfor-kosovo"]
    assert page_of(newsroom, story.slug).status == 404
    entry = next(e for e in feed_of(newsroom, "trois-lacs").entries if e.title == story.title)
    text = text_of(html.fromstring(entry.content[0].value))
    assert all(passage in text for passage in plain(story))


def test_the_consent_wall_answers_200_and_says_nothing_of_the_story(newsroom: Newsroom) -> None:
    answer = page_of(newsroom, "watch-exports")
    assert answer.status == 200
    assert b"Accept all" in answer.body
    assert b"watchmakers" not in answer.body


def test_pictures_front_pages_and_contents_are_there(newsroom: Newsroom) -> None:
    assert ask(newsroom, "/img/baltic-exercise.svg").headers["content-type"].startswith("image/svg+xml")
    front = html.fromstring(ask(newsroom, "/ledger/").body.decode())
    assert front.xpath("//link[@rel='alternate']/@href") == ["/ledger/atom.xml"]
    contents = ask(newsroom, "/").body.decode()
    assert all(outlet.feed in contents for outlet in OUTLETS.values())
    assert b"Disallow: /-/" in ask(newsroom, "/robots.txt").body


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_poll_with_the_known_entity_tag_is_answered_304_without_a_body(newsroom: Newsroom) -> None:
    first = ask(newsroom, "/courier/feeds/all.rss")
    again = ask(newsroom, "/courier/feeds/all.rss", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert ask(newsroom, "/courier/feeds/all.rss", If_None_Match='"other"').status == 200


def test_a_poll_with_the_known_date_is_answered_304_and_with_an_older_one_200(newsroom: Newsroom) -> None:
    known = ask(newsroom, "/trois-lacs/rss.rdf").headers["last-modified"]
    assert ask(newsroom, "/trois-lacs/rss.rdf", If_Modified_Since=known).status == 304
    older = "Wed, 24 May 2017 12:00:00 GMT"
    assert ask(newsroom, "/trois-lacs/rss.rdf", If_Modified_Since=older).status == 200


def test_a_wrong_entity_tag_is_not_saved_by_the_right_date(newsroom: Newsroom) -> None:
    known = ask(newsroom, "/courier/feeds/all.rss").headers["last-modified"]
    answer = ask(newsroom, "/courier/feeds/all.rss", If_None_Match='"other"', If_Modified_Since=known)
    assert answer.status == 200


@pytest.mark.parametrize("outlet", [outlet for outlet in OUTLETS.values() if outlet.format], ids=lambda o: o.id)
def test_a_feed_carries_the_validators_its_outlet_is_said_to_send(newsroom: Newsroom, outlet: Outlet) -> None:
    sent = ask(newsroom, outlet.feed).headers.keys() & {"etag", "last-modified"}
    assert sent == set(outlet.validators)


def test_what_is_asked_for_compressed_comes_compressed(newsroom: Newsroom) -> None:
    plainly = ask(newsroom, "/ledger/atom.xml")
    packed = ask(newsroom, "/ledger/atom.xml", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.body) == plainly.body
    assert "content-encoding" not in plainly.headers


def test_every_request_is_remembered(newsroom: Newsroom) -> None:
    tag = ask(newsroom, "/ledger/atom.xml").headers["etag"]
    ask(newsroom, "/ledger/atom.xml", If_None_Match=tag)
    ask(newsroom, "/nothing?here=1")
    assert newsroom.requests == [
        RequestSeen("/ledger/atom.xml", 200, False),
        RequestSeen("/ledger/atom.xml", 304, True),
        RequestSeen("/nothing?here=1", 404, False),
    ]


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_publishing_puts_a_held_story_on_top_of_its_feed_and_changes_the_validators(
    newsroom: Newsroom, clock: HandClock
) -> None:
    story = STORIES["coordinator-named"]
    before = ask(newsroom, "/courier/feeds/all.rss")
    assert page_of(newsroom, story.slug).status == 404
    clock.now += timedelta(minutes=5)
    newsroom.publish(story.slug)
    after = ask(newsroom, "/courier/feeds/all.rss", If_None_Match=before.headers["etag"])
    assert after.status == 200
    assert after.headers["last-modified"] == "Thu, 25 May 2017 18:05:30 GMT"
    assert feed_of(newsroom, "courier").entries[0].title == story.title
    assert page_of(newsroom, story.slug).status == 200
    with pytest.raises(
        NewswatchError, match=r"held back are: black-sea-patrol, coordinator-holmgaard, .*plot-fifth-suspect"
    ):
        newsroom.publish(story.slug)


def test_a_story_of_ones_own_is_printed_once(newsroom: Newsroom) -> None:
    story = STORIES["pool-reopens"].model_copy(update={"slug": "own", "outlet": "ledger", "title": "One of our own"})
    newsroom.add(story)
    assert feed_of(newsroom, "ledger").entries[0].title == story.title
    assert ask(newsroom, "/ledger/article/own/").status == 200
    with pytest.raises(NewswatchError, match="already"):
        newsroom.add(story)
    with pytest.raises(NewswatchError, match="no outlet 'times'"):
        newsroom.add(story.model_copy(update={"slug": "other", "outlet": "times"}))


def test_a_correction_changes_text_and_feed_but_neither_the_link_nor_the_id(
    newsroom: Newsroom, clock: HandClock
) -> None:
    story = STORIES["nato-joins-coalition"]
    assert story.correction is not None
    before = next(e for e in feed_of(newsroom, "courier").entries if e.title == story.title)
    known = ask(newsroom, "/courier/feeds/all.rss").headers
    clock.now += timedelta(minutes=5)
    newsroom.correct(story.slug)
    after = next(e for e in feed_of(newsroom, "courier").entries if e.title == story.title)
    assert (after.id, after.link, after.published) == (before.id, before.link, before.published)
    assert datetime.fromisoformat(after.updated).timetuple()[:5] == (2017, 5, 25, 18, 5)
    assert after.summary.startswith("Corrected:")
    assert ask(newsroom, "/courier/feeds/all.rss", If_None_Match=known["etag"]).status == 200
    page = words(page_of(newsroom, story.slug).body.decode())
    assert "since last autumn" in page
    assert words(story.correction.note) in page
    assert all(page.count(old) == story.correction.note.count(old) for old in story.correction.replace)


def test_changes_within_one_second_are_seen_by_a_poll_that_knows_only_dates(newsroom: Newsroom) -> None:
    for title in ("First change", "Second change"):
        known = ask(newsroom, "/trois-lacs/rss.rdf").headers["last-modified"]
        newsroom.edit("bataillon-litauen", title=title)
        assert ask(newsroom, "/trois-lacs/rss.rdf", If_Modified_Since=known).status == 200


def test_an_edit_that_fits_nothing_is_refused(newsroom: Newsroom) -> None:
    with pytest.raises(NewswatchError, match="'Moonbase' does not occur in"):
        newsroom.edit("bataillon-litauen", replacements={"Moonbase": "Mars"})
    with pytest.raises(NewswatchError, match="No story 'moonbase' is printed"):
        newsroom.edit("moonbase", title="Moon")
    with pytest.raises(NewswatchError, match="No correction is ready"):
        newsroom.correct("bataillon-litauen")


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_taken_port_gives_one_clear_sentence(newsroom: Newsroom) -> None:
    taken = int(newsroom.host_port.rpartition(":")[2])
    with pytest.raises(StackError, match=rf"can't listen on 127\.0\.0\.1:{taken}"), Newsroom(taken):
        pass


def test_it_can_be_opened_again_on_the_same_port(clock: HandClock) -> None:
    with Newsroom(clock=clock) as first:
        port = int(first.host_port.rpartition(":")[2])
        ask(first, "/")
    with pytest.raises(StackError, match="not open"):
        _ = first.url
    with Newsroom(port, clock=clock) as second:
        assert ask(second, "/").status == 200


def test_it_listens_on_loopback_only(newsroom: Newsroom) -> None:
    assert newsroom.host_port.startswith("127.0.0.1:")


def test_the_configuration_it_writes_is_read_back_by_newswatch(newsroom: Newsroom, tmp_path: Path) -> None:
    newsroom.write_config(tmp_path / "config")
    assert load_feeds(tmp_path / "config/feeds.yaml") == newsroom.feeds
    assert {search.id for search in load_alerts(tmp_path / "config/alerts.yaml", parse_address)} == {
        "nato",
        "counter-terrorism",
        "both",
        "awacs-daesh",
        "antwerp",
    }
    assert load_taxonomy(tmp_path / "config/taxonomy.yaml").version
    assert len({feed.owner for feed in newsroom.feeds}) == 4


def test_it_runs_in_a_process_that_is_steered_by_requests_and_ends_on_term(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "embedded.newsroom", "--port", "0", "--config", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as process:
        try:
            assert process.stdout is not None
            address = re.search(r"http://(127\.0\.0\.1:\d+)$", process.stdout.readline().strip())
            assert address is not None
            connection = http.client.HTTPConnection(address[1], timeout=60)
            statuses = []
            for target in ("publish/coordinator-named", "publish/coordinator-named", "correct/nato-joins-coalition"):
                connection.request("POST", f"/-/{target}")
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            assert statuses == [204, 404, 204]
            own = STORIES["pool-reopens"].model_dump() | {"slug": "own", "outlet": "ledger"}
            for body, status in ((own, 204), (own, 400), ({"slug": "own"}, 400)):
                connection.request("POST", "/-/add", json.dumps(body))
                answer = connection.getresponse()
                answer.read()
                assert answer.status == status
            connection.request("GET", "/-/requests")
            assert json.loads(connection.getresponse().read()) == []
            connection.close()
            assert (tmp_path / "feeds.yaml").exists()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0


# ── the stages, joined ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return shipped_tagger()


def topics_found(newsroom: Newsroom, feed: Feed, tagger: Tagger) -> dict[str, dict[str, Level]]:
    """Title → topic → level, for each entry of the feed, by the stages that `pull` runs."""
    answer = ask(newsroom, urlsplit(feed.url).path)
    parsed = parse(answer.body, url=feed.url, content_type=answer.headers["content-type"], now=OPENED)
    assert isinstance(parsed, ParsedFeed)
    found: dict[str, dict[str, Level]] = {}
    for entry in parsed.entries:
        page = None
        assert entry.url is not None
        asked = urlsplit(entry.url)
        if wants_page(entry, feed):
            got = ask(newsroom, f"{asked.path}?{asked.query}")
            if got.status == 200:
                kind = got.headers["content-type"]
                page = extract(got.body, url=entry.url, content_type=kind, now=OPENED)
        article = enrich(assemble(entry, page, feed, now=OPENED), tagger)
        found[entry.title] = {tag.tag: tag.level for tag in article.tags if "/" not in tag.tag}
    return found


def test_each_story_is_tagged_as_it_says(newsroom: Newsroom, tagger: Tagger) -> None:
    for held in [story for story in STORIES.values() if story.held]:
        newsroom.publish(held.slug)
    found: dict[str, dict[str, Level]] = {}
    for feed in newsroom.feeds:
        if OUTLETS[feed.id].format:
            found |= topics_found(newsroom, feed, tagger)
    assert found == {story.title: dict(story.expected.tags) for story in STORIES.values()}


@pytest.mark.parametrize(
    "fields",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.rebound.example:80"},
        {"Host": "rebound.example@127.0.0.1"},
        {"Host": ""},
    ],
)
def test_it_is_steered_by_no_web_page(fields: dict[str, str]) -> None:
    story = STORIES["pool-reopens"].model_dump() | {"slug": "own", "outlet": "ledger"}
    with Newsroom() as newsroom:
        for method, path in (("POST", "/-/add"), ("POST", "/-/publish/coordinator-named"), ("GET", "/-/requests")):
            connection = http.client.HTTPConnection(newsroom.host_port, timeout=60)
            connection.request(method, path, json.dumps(story), {"Content-Type": "text/plain", **fields})
            assert connection.getresponse().status == 403
            connection.close()
        newsroom.publish("coordinator-named")
