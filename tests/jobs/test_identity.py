"""Several entries with one link, and pages that are asked for again, through a real `pull`."""

from __future__ import annotations

import email
import json
from collections.abc import Callable
from datetime import timedelta
from email import policy
from itertools import pairwise

import pytest

from ingest import tracking, urls
from ingest.urls import article_id
from jobs.deliver import deliver
from jobs.match import match
from jobs.pull.batch import PullReport
from jobs.recheck import recheck
from newswatch.article import Article
from store.feeds import FeedStore
from tests.jobs.conftest import World, configure
from tests.jobs.test_pull import article, poll
from tests.press import PARAGRAPHS

pytestmark = pytest.mark.slow

Documents = Callable[..., bytes]
"""Makes a feed document."""

FEED = "/main.xml"


def articles(world: World) -> list[Article]:
    world.context.es.indices.refresh(index=world.context.names.articles)
    hits = world.context.es.search(index=world.context.names.articles, size=100)["hits"]["hits"]
    return sorted(world.articles().get([hit["_id"] for hit in hits]).values(), key=lambda one: one.title)


def pages_asked(world: World) -> int:
    return sum(not path.endswith((".xml", ".txt")) for path, _ in world.press.asked)


def mails(world: World) -> int:
    match(world.context)
    deliver(world.context)
    return len(world.mailbox.mails)


def later(world: World, body: bytes, **delta: float) -> PullReport:
    world.press.raw[FEED] = body
    world.wait(**(delta or {"minutes": 5}))
    return poll(world)


# ── several entries with one link ────────────────────────────────────────────────────────────────────────────────────


SUBJECTS = {
    "bridge": ("NATO sappers close the northern bridge", "Engineers of the NATO brigade found charges under a pier."),
    "harbour": ("Sirens at the harbour: NATO frigate leaves", "The frigate cast off before dawn, dock workers said."),
    "vaccine": ("Doctors of NATO test a vaccine in Riga", "Two hundred soldiers volunteered for the trial."),
    "museum": ("Alliance museum opens its doors", "Visitors queued in the rain for the NATO museum's first day."),
}
ALL = tuple(SUBJECTS)


def rss(site: str, *items: str) -> bytes:
    return (
        f"<rss version='2.0'><channel><title>Paper</title><link>{site}</link>{''.join(items)}</channel></rss>"
    ).encode()


def alert(key: str, link: str, guid: str = "") -> str:
    title, text = SUBJECTS[key]
    named = f"<guid isPermaLink='false'>{guid}</guid>" if guid else ""
    return f"<item><title>{title}</title><link>{link}</link>{named}<description>{text}</description></item>"


def alerts(link: str, guid: str = "") -> Documents:
    """A feed of alerts; `{key}` in their links and ids is the alert's own, `{site}` the outlet's."""
    return lambda site, *keys: rss(
        site, *(alert(key, link.format(site=site, key=key), guid.format(site=site, key=key)) for key in keys)
    )


def atom(site: str, *keys: str) -> bytes:
    entries = "".join(
        f"<entry><id>tag:press,2026:{key}</id><title>{SUBJECTS[key][0]}</title><summary>{SUBJECTS[key][1]}</summary>"
        f"<link href='{site}/warnings'/><updated>2026-03-04T05:00:00Z</updated></entry>"
        for key in keys
    )
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>W</title><id>urn:w</id>{entries}</feed>".encode()


def json_feed(site: str, *keys: str) -> bytes:
    link = f"{site}/ticker"
    items = [{"id": link, "url": link, "title": SUBJECTS[key][0], "content_text": SUBJECTS[key][1]} for key in keys]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items}).encode()


KINDS: dict[str, Documents] = {
    "page": alerts("{site}/now"),
    "page-with-ids": alerts("{site}/now", "{key}"),
    "page-that-is-the-id": alerts("{site}/now", "{site}/now"),
    "page-with-ids-of-its-own": alerts("{site}/now", "{site}/now#{key}"),
    "posts": alerts("{site}/live#p-{key}"),
    "posts-with-ids": alerts("{site}/live#p-{key}", "{key}"),
    "by-script": alerts("{site}/#!/press/{key}"),
    "home": alerts("{site}"),
    "home-with-ids": alerts("{site}", "{key}"),
    "atom": atom,
    "json": json_feed,
}


def poll_kinds(world: World, *keys: str) -> PullReport:
    for kind, make in KINDS.items():
        world.press.raw[f"/{kind}.xml"] = make(f"{world.press.url}/{kind}", *keys)
    world.wait(minutes=5)
    return poll(world)


def texts(world: World) -> dict[str, dict[str, str]]:
    """Feed → title → text of its articles."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in world.press.feeds}
    for one in articles(world):
        found[one.source.feed_id][one.title] = one.text
    return found


def test_entries_with_one_link_are_articles_of_their_own(world: World) -> None:
    """Each with its own text, not the page's; in any order, alone, and when a fourth comes alone."""
    page = f"<html><body><article><h1>Now</h1><p>{PARAGRAPHS[0]}</p><p>{PARAGRAPHS[1]}</p></article></body></html>"
    world.press.feeds = {kind: [] for kind in KINDS}
    configure(world.context.settings.config_dir, world.press)
    for kind in KINDS:
        world.press.raw |= {
            f"/{kind}{path}": page.encode() for path in ("", "/now", "/live", "/", "/warnings", "/ticker")
        }
    assert poll_kinds(world, *ALL[:3]).new == 3 * len(KINDS)
    three = dict(SUBJECTS[key] for key in ALL[:3])
    assert texts(world) == dict.fromkeys(KINDS, three)
    for keys in (ALL[2::-1], ALL[2:3], ALL[:1], ALL[1:3]):
        report = poll_kinds(world, *keys)
        assert (report.new, report.updated, report.new_entries) == (0, 0, 0)
    assert poll_kinds(world, ALL[3]).new == len(KINDS), "the fourth, alone"
    report = poll_kinds(world, *ALL)
    assert (report.new, report.updated, report.new_entries) == (0, 0, 0)
    assert texts(world) == {kind: dict(SUBJECTS.values()) for kind in KINDS}
    assert pages_asked(world) == 0


def test_the_fourth_alert_is_mailed_though_its_link_is_the_third_s(world: World) -> None:
    make, site = KINDS["page-with-ids"], world.press.url
    world.press.raw[FEED] = make(site, *ALL[:3])
    poll(world)
    mailed = mails(world)
    later(world, make(site, *ALL))
    assert mails(world) == mailed + 1
    assert SUBJECTS[ALL[3]][0] in email.message_from_bytes(world.mailbox.mails[-1], policy=policy.default).as_string()


def test_a_mailed_alert_is_not_read_again_from_the_page_of_all(world: World) -> None:
    page = f"<html><body><article><h1>Now</h1><p>{PARAGRAPHS[0]}</p><p>{PARAGRAPHS[1]}</p></article></body></html>"
    world.press.raw["/now"] = page.encode()
    world.press.raw[FEED] = KINDS["page"](world.press.url, *ALL)
    poll(world)
    assert mails(world)
    recheck(world.context)
    world.wait(hours=2)
    report = recheck(world.context)
    assert (report.read, report.failed, report.changed) == (0, 0, 0)
    assert pages_asked(world) == 0


def test_what_shares_its_page_later_stays_what_it_was(world: World) -> None:
    link = f"{world.press.url}/now"
    world.press.raw["/now"] = b"<html><body><article><p>Nothing.</p></article></body></html>"
    world.press.raw[FEED] = rss(world.press.url, alert("bridge", link))
    assert poll(world).new == 1
    assert later(world, rss(world.press.url, alert("harbour", link), alert("bridge", link))).new == 1
    assert later(world, rss(world.press.url, alert("bridge", link))).new_entries == 0
    assert later(world, rss(world.press.url, alert("harbour", link))).new_entries == 0
    assert later(world, rss(world.press.url, alert("museum", link))).new == 1
    assert [one.title for one in articles(world)] == sorted(SUBJECTS[key][0] for key in ("bridge", "harbour", "museum"))


def test_an_edit_of_one_of_several_is_a_version_of_it_alone(world: World) -> None:
    link = f"{world.press.url}/now"
    both = (alert("bridge", link, "b"), alert("harbour", link, "h"))
    world.press.raw[FEED] = rss(world.press.url, *both)
    poll(world)
    report = later(world, rss(world.press.url, both[0].replace("found charges", "found no charges")))
    assert (report.new, report.updated) == (0, 1)
    assert {one.version for one in articles(world)} == {1, 2}
    assert any("no charges" in one.text for one in articles(world))
    assert pages_asked(world) == 0


def test_one_link_under_another_title_in_a_later_poll_is_an_edit(world: World) -> None:
    world.press.publish("one")
    link = f"{world.press.url}/articles/one"
    world.press.raw[FEED] = rss(world.press.url, f"<item><title>Allies of NATO meet</title><link>{link}</link></item>")
    poll(world)
    report = later(
        world, rss(world.press.url, f"<item><title>A summit falls through</title><link>{link}</link></item>")
    )
    assert (report.new, report.updated) == (0, 1)
    assert article(world).title == "A summit falls through"


def test_other_news_under_the_id_of_an_entry_without_a_link_is_an_article_of_its_own(world: World) -> None:
    def flash(title: str, text: str) -> bytes:
        named = "<guid isPermaLink='false'>flash</guid>"
        return rss(world.press.url, f"<item><title>{title}</title>{named}<description>{text}</description></item>")

    def stand(report: PullReport) -> tuple[int, int, list[tuple[str, int]]]:
        return report.new, report.updated, [(one.title, one.version) for one in articles(world)]

    bridge, vaccine = SUBJECTS["bridge"], SUBJECTS["vaccine"]
    assert stand(later(world, flash(*bridge))) == (1, 0, [(bridge[0], 1)])
    assert mails(world) == 1
    assert stand(later(world, flash(*vaccine))) == (1, 0, [(vaccine[0], 1), (bridge[0], 1)])
    assert mails(world) == 2, "nobody was mailed the second one as long as it passed for an edit"
    edited = vaccine[0], vaccine[1].replace("Two hundred", "Three hundred")
    assert stand(later(world, flash(*edited))) == (0, 1, [(vaccine[0], 2), (bridge[0], 1)])
    assert stand(later(world, flash(*bridge))) == (0, 0, [(vaccine[0], 2), (bridge[0], 1)]), "it is shown again"
    assert len({one.url for one in articles(world)}) == 2


def test_the_same_entry_given_twice_is_one(world: World) -> None:
    link = f"{world.press.url}/now"
    twice = (alert("bridge", link, "a"), alert("bridge", link, "b"))
    world.press.raw[FEED] = rss(world.press.url, *twice)
    assert poll(world).new == 1
    report = later(world, rss(world.press.url, *reversed(twice)))
    assert (report.new, report.updated, report.new_entries) == (0, 0, 0)


def test_versions_that_a_feed_counts_in_its_ids_are_one_article_in_any_order(world: World) -> None:
    world.press.publish("one")
    link = f"{world.press.url}/articles/one"

    def version(number: int, title: str) -> str:
        named = f"<guid isPermaLink='false'>{link}#{number}</guid>"
        return f"<item><title>{title}</title><link>{link}</link>{named}<description>Two laws.</description></item>"

    one, two = version(1, "The day NATO took its time"), version(8, "Brussels: The day NATO took its time")
    world.press.raw[FEED] = rss(world.press.url, one, two)
    assert (poll(world).new, article(world).version) == (1, 1)
    for body in (rss(world.press.url, two, one), rss(world.press.url, one, two)):
        report = later(world, body)
        assert (report.new, report.updated, report.new_entries) == (0, 0, 0)
    assert later(world, rss(world.press.url, version(9, "Brussels: The day NATO took its time"))).new == 0
    assert len(articles(world)) == 1


def test_an_upgrade_reads_nothing_again(world: World) -> None:
    """What an older version remembers: one hash of all that was said, and one article for all posts of a page."""
    for slug in SLUGS:
        world.press.publish(slug)
    posts = [alert(key, f"{world.press.url}/live#p-{key}", key) for key in ALL]
    links = [
        f"<item><title>On the {slug}</title><link>{world.press.url}/articles/{slug}</link></item>" for slug in SLUGS
    ]
    world.press.raw[FEED] = rss(world.press.url, *posts, *links)
    poll(world)
    asked, es, index = pages_asked(world), world.context.es, world.context.names.entries
    es.indices.refresh(index=index)
    for hit in es.search(index=index, size=100)["hits"]["hits"]:
        old = {k: v for k, v in hit["_source"].items() if k not in ("page_asked_at", "page_changes", "reread")}
        old["content_hash"] = old.get("content_hash", "").partition(".")[0]
        if "live#" in (old.get("url") or ""):
            old["article_id"] = article_id(old["url"])
        if old["entry_id"].startswith("shared:"):
            es.delete(index=index, id=hit["_id"])
        else:
            es.index(index=index, id=hit["_id"], document=old)
    report = later(world, rss(world.press.url, *posts, *links, "<!-- now -->"))
    assert (report.unchanged, report.new, report.updated, report.new_entries) == (0, 0, 0, 0)
    assert pages_asked(world) == asked


# ── pages asked for again ────────────────────────────────────────────────────────────────────────────────────────────

SLUGS = ("flank", "harbour", "budget")


def by_updated(root: str, at: int) -> bytes:
    entries = "".join(
        f"<entry><id>urn:{slug}</id><title>NATO and the {slug}</title><link href='{root}{slug}'/>"
        f"<updated>2026-03-04T05:{at:02}:00Z</updated><summary>Of the {slug}.</summary></entry>"
        for slug in SLUGS
    )
    return f"<feed xmlns='http://www.w3.org/2005/Atom'><title>W</title><id>urn:w</id>{entries}</feed>".encode()


def by_guid(root: str, at: int) -> bytes:
    items = (
        f"<item><title>NATO and the {slug}</title><link>{root}{slug}</link>"
        f"<guid isPermaLink='false'>{slug}-{at}</guid><description>Of it.</description></item>"
        for slug in SLUGS
    )
    return rss("https://paper.example/", *items)


def by_json(root: str, at: int) -> bytes:
    items = [
        {
            "id": f"{slug}?{at}",
            "url": f"{root}{slug}",
            "title": f"NATO und {slug} · vor {at + 2} Minuten",
            "summary": f"Der Bund tagt.\n{at} Kommentare",
            "date_modified": f"2026-03-04T05:{at:02}:00Z",
        }
        for slug in SLUGS
    ]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": items}).encode()


def by_label(title: str, summary: str) -> Documents:
    """A feed whose titles and summaries end in labels with a number in them, `{n}`."""

    def made(root: str, at: int) -> bytes:
        items = (
            f"<item><title>NATO: {slug}{title.format(n=at + 2)}</title><link>{root}{slug}</link>"
            f"<guid isPermaLink='false'>{slug}</guid><description>Of the {slug}. {summary.format(n=at + 2)}"
            f"</description><slash:comments>{at}</slash:comments></item>"
            for slug in SLUGS
        )
        head = b"<rss version='2.0' xmlns:slash='http://purl.org/rss/1.0/modules/slash/'>"
        return rss("https://paper.example/", *items).replace(b"<rss version='2.0'>", head)

    return made


RESTLESS: dict[str, Documents] = {
    "updated": by_updated,
    "ids": by_guid,
    "json": by_json,
    "age": by_label(" ({n} min ago)", ""),
    "age-fr": by_label(" - il y a {n} minutes", ""),
    "comments": by_label("", "{n} comments"),
    "comments-ru": by_label("", "Комментарии ({n})"),
    "comments-zh": by_label("", "{n}条评论"),
}


def poll_restless(world: World, at: int) -> PullReport:
    for kind, make in RESTLESS.items():
        world.press.raw[f"/{kind}.xml"] = make(f"{world.press.url}/articles/{kind}-", at)
    world.wait(minutes=5)
    return poll(world)


@pytest.mark.parametrize("guid", ["{key}", ""])
def test_an_address_stored_with_what_was_later_known_to_track_becomes_no_second_article(
    world: World, monkeypatch: pytest.MonkeyPatch, guid: str
) -> None:
    site = world.press.url
    tracked, other = (alerts(f"{{site}}/{{key}}?srsltid={number}", guid) for number in (7, 8))
    with monkeypatch.context() as earlier:
        earlier.setattr(tracking, "_LATER_TRACKING_NAMES", frozenset())
        urls._canonical_cached.cache_clear()
        later(world, tracked(site, "bridge", "harbour"))
    urls._canonical_cached.cache_clear()
    before = articles(world)
    assert [one.url for one in before] == [f"{site}/bridge?srsltid=7", f"{site}/harbour?srsltid=7"]
    assert mails(world) == 1
    report = later(world, tracked(site, "harbour", "bridge"))
    assert (report.new, report.new_entries) == (0, 0), "an entry without an id is known by its article"
    edited = tracked(site, "bridge", "harbour").replace(b"under a pier.", b"under a pier. They were blown up.")
    world.press.raw["/second.xml"] = tracked(site, "bridge", "vaccine")
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    report = later(world, edited)
    now = {one.url: one for one in articles(world)}
    assert now.keys() == {*(one.url for one in before), f"{site}/vaccine"}, "what is new is known without it"
    assert now[f"{site}/bridge?srsltid=7"].version == 2
    assert len(now[f"{site}/bridge?srsltid=7"].feeds) == 2
    assert (report.new, report.updated) == (1, 1)
    if guid:  # the publisher gives each reader another one
        assert later(world, other(site, "bridge", "harbour")).new == 0


@pytest.mark.parametrize("then", ["another id", "another feed"])
def test_a_link_that_led_elsewhere_leads_there_without_what_was_later_known_to_track(
    world: World, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    """Without the parameter its page can't be read."""
    site, name = world.press.url, "allies-close-the-northern-bridge"
    link = f"articles/{name}?from=rss"
    first, second = (alerts(f"{{site}}/{link}&amp;srsltid=a", guid) for guid in ("1{key}", "2{key}"))
    text = "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS)
    world.press.raw[f"/{link}&srsltid=a"] = (
        f"<html><head><title>Sappers</title><link rel='canonical' href='{site}/articles/{name}'></head>"
        f"<body><article><h1>{SUBJECTS['bridge'][0]}</h1>{text}</article></body></html>"
    ).encode()
    with monkeypatch.context() as earlier:
        earlier.setattr(tracking, "_LATER_TRACKING_NAMES", frozenset())
        urls._canonical_cached.cache_clear()
        later(world, first(site, "bridge"))
    urls._canonical_cached.cache_clear()
    assert [one.url for one in articles(world)] == [f"{site}/articles/{name}"]
    if then == "another id":
        assert later(world, second(site, "bridge")).new_entries == 0
    else:
        world.press.raw["/second.xml"] = second(site, "bridge")
        world.press.feeds["second"] = []
        configure(world.context.settings.config_dir, world.press)
        report = later(world, first(site, "bridge"))
        assert (report.new, report.carried) == (0, 1)
    assert [one.url for one in articles(world)] == [f"{site}/articles/{name}"]


def test_what_changes_without_a_word_asks_for_no_page_and_makes_no_version(world: World) -> None:
    world.press.feeds = {kind: [] for kind in RESTLESS}
    for kind in RESTLESS:
        for slug in SLUGS:
            world.press.publish(f"{kind}-{slug}", feed=kind)
    configure(world.context.settings.config_dir, world.press)
    count = len(RESTLESS) * len(SLUGS)
    assert poll_restless(world, 0).new == count
    mailed = mails(world)
    for at in range(1, 4):
        report = poll_restless(world, at)
        assert (report.new, report.updated, report.new_entries) == (0, 0, 0)
        assert pages_asked(world) == count
    assert {one.version for one in articles(world)} == {1}
    stored = FeedStore(world.context.es, world.context.names).all()
    assert not any(record.state.gaps for record in stored), "entries under other ids are not gone"
    assert mails(world) == mailed


def test_a_number_in_a_sentence_is_an_edit(world: World) -> None:
    for slug in SLUGS:
        world.press.publish(slug)
    make, root = by_label(": {n} killed", ""), f"{world.press.url}/articles/"
    world.press.raw[FEED] = make(root, 10)
    poll(world)
    report = later(world, make(root, 12))
    assert (report.new, report.updated) == (0, len(SLUGS))
    assert {one.title for one in articles(world)} == {f"NATO: {slug}: 14 killed" for slug in SLUGS}


def test_an_entry_that_keeps_changing_has_its_page_read_ever_more_seldom_and_never_too_late(world: World) -> None:
    """At once for the first edit, then after an hour, two, four; the feed's own words are taken at once."""
    story = world.press.publish("one")

    def told(at: int) -> bytes:
        link = f"{world.press.url}/articles/one"
        return rss(
            world.press.url, f"<item><title>NATO talks, hour {at}</title><link>{link}</link><guid>1</guid></item>"
        )

    asked = []
    world.press.raw[FEED] = told(0)
    poll(world)
    began = world.now
    for at in range(1, 31):
        before = pages_asked(world)
        later(world, told(at), minutes=20)
        assert article(world).title == f"NATO talks, hour {at}"
        asked += [(world.now - began) // timedelta(minutes=1)] * (pages_asked(world) - before)
    assert asked[0] == 20
    assert all(gap >= 60 for gap in (two - one for one, two in pairwise(asked)))
    assert len(asked) <= 5
    story.paragraphs = (*story.paragraphs, "At last they agreed.")
    for _ in range(10):
        later(world, told(31), hours=1)
    assert "At last they agreed." in article(world).text, "the page is read though the feed says nothing new since"
    before = pages_asked(world)
    later(world, told(31), days=2)
    assert pages_asked(world) == before
