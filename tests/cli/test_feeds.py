"""`newswatch feeds`, against a press on loopback; what needs Elasticsearch has the real one."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree
from typer.testing import CliRunner, Result

from cli.main import app
from ingest.feed_list.feeds import load_feeds
from jobs.plan import plan
from jobs.pull.batch import pull
from newswatch.clock import utc_now
from newswatch.errors import NewswatchError
from newswatch.feed import Gap, Rule
from store.feeds import FeedStore
from tests.jobs.conftest import World, configure, world  # noqa: F401 - a fixture
from tests.press import Press


@pytest.fixture
def press(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Press]:
    with Press() as press:
        press.publish("one")
        configure(tmp_path, press)
        monkeypatch.setenv("NEWSWATCH_CONFIG_DIR", str(tmp_path))
        monkeypatch.setenv("NEWSWATCH_FETCH_ALLOW_HOSTS", json.dumps([press.host]))
        monkeypatch.setenv("NEWSWATCH_FETCH_HOST_DELAY_S", "0")
        yield press


def newswatch(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["feeds", *arguments], input=stdin)


def urls(folder: Path) -> list[str]:
    return [feed.url for feed in load_feeds(folder / "feeds.yaml")]


def test_check_tells_which_answer(press: Press, tmp_path: Path) -> None:
    press.feeds["second"] = []
    configure(tmp_path, press)
    press.broken["/second.xml"] = 503
    result = newswatch("check", "--json")
    good, bad = map(json.loads, result.stdout.splitlines())
    assert (good["ok"], good["entries"], good["format"]) == (True, 1, "rss 2.0")
    assert (bad["ok"], bad["status"]) == (False, 503)
    assert result.exit_code == 1
    assert newswatch("check", "main").exit_code == 0


def test_check_names_the_feeds_of_a_page(press: Press) -> None:
    press.raw["/main.xml"] = b"<html><link rel='alternate' type='application/rss+xml' href='/real.xml'></html>"
    result = newswatch("check", "--json")
    assert json.loads(result.stdout)["advertises"] == [f"{press.url}/real.xml"]


def test_check_proposes_what_the_site_offers(press: Press) -> None:
    item = f"<item><title>NATO</title><link>/a</link><pubDate>{utc_now():%d %b %Y %H:%M} GMT</pubDate></item>"
    press.raw["/second.xml"] = f"<rss version='2.0'><channel><title>x</title>{item}</channel></rss>".encode()
    press.raw["/main.xml"] = b"<html><link rel='alternate' type='application/rss+xml' href='/second.xml'></html>"
    (told,) = map(json.loads, newswatch("check", "--json").stdout.splitlines())
    assert (told["finding"], told["proposal"]["url"]) == ("not a feed", f"{press.url}/second.xml")
    shown = newswatch("check").stdout
    assert f"newswatch feeds add {press.url}/second.xml" in shown
    assert json.loads(newswatch("check", "--json", "--no-replace").stdout)["proposal"] is None


def test_add_reads_an_address_by_a_rule_with_its_grade(press: Press, tmp_path: Path) -> None:
    press.raw["/list"] = b'{"rows": [{"t": "NATO meets", "u": "/a/1"}, {"t": "NATO agrees", "u": "/a/2"}]}'
    ways = ["--read", "json", "--rule", "{items: rows, link: u}", "--item-title", "t"]
    grade = ["--reliability", "c", "--because", "small, with little known of it", "--state-media"]
    result = newswatch("add", f"{press.url}/list", "--title", "List", *ways, *grade)
    assert result.exit_code == 0, result.output
    added = load_feeds(tmp_path / "feeds.yaml")[-1]
    assert (added.read, added.rule) == ("json", Rule(items="rows", link="u", title="t"))
    assert added.reliability
    assert (added.reliability.grade, added.state_media) == ("C", True)
    nothing = newswatch("add", f"{press.url}/other", "--read", "page")
    assert nothing.exit_code == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--items", ".row"], "needs --read"),
        (["--read", "page", "--rule", "row"], "--rule is written as in feeds.yaml"),
        (["--read", "page", "--rule", "{rows: x}"], "--rule has no part rows"),
        (["--read", "page", "--rule", "{items: x}", "--items", "y"], "both give items"),
        (["--reliability", "B"], "needs a reason"),
    ],
)
def test_add_names_what_is_wrong_with_its_options(press: Press, options: list[str], told: str) -> None:
    result = newswatch("add", f"{press.url}/main.xml", *options)
    assert result.exit_code == 2
    assert told in " ".join(result.output.replace("│", " ").split())


def test_a_feed_without_entries_does_not_pass(press: Press) -> None:
    press.feeds["main"].clear()
    assert newswatch("check").exit_code == 1


def test_add_finds_the_feed_of_a_site(press: Press, tmp_path: Path) -> None:
    press.publish("two", feed="second")
    press.raw["/"] = b"<html><link rel='alternate' type='application/rss+xml' href='/second.xml'></html>"
    result = newswatch("add", f"{press.url}/", "--topic", "nato", "--country", "NO")
    assert result.exit_code == 0, result.output
    added = load_feeds(tmp_path / "feeds.yaml")[-1]
    assert (added.url, added.title, added.country, added.topics) == (
        f"{press.url}/second.xml",
        "second",
        "NO",
        ("nato",),
    )
    assert added.site == f"{press.url}/"


def test_add_refuses_what_is_there_already(press: Press, tmp_path: Path) -> None:
    before = (tmp_path / "feeds.yaml").read_text(encoding="utf-8")
    assert newswatch("add", f"{press.url}/main.xml").exit_code == 1
    assert (tmp_path / "feeds.yaml").read_text(encoding="utf-8") == before


def test_add_refuses_what_is_no_feed_and_a_wrong_word(press: Press, tmp_path: Path) -> None:
    assert newswatch("add", f"{press.url}/nothing").exit_code == 2
    press.feeds["second"] = []
    assert newswatch("add", f"{press.url}/second.xml", "--country", "Norway").exit_code == 2
    assert len(urls(tmp_path)) == 1


def test_add_asks_which_of_several(press: Press, tmp_path: Path) -> None:
    links = b"".join(
        b"<link rel='alternate' type='application/rss+xml' href='/%s.xml'>" % name for name in (b"b", b"c")
    )
    press.raw["/"] = b"<html>" + links + b"</html>"
    press.publish("two", feed="b")
    press.publish("three", feed="c")
    result = newswatch("add", f"{press.url}/")
    assert result.exit_code == 2
    assert f"{press.url}/c.xml" in result.stdout
    assert newswatch("add", f"{press.url}/", "--all").exit_code == 0
    assert len(urls(tmp_path)) == 3


def test_export_and_import_and_remove(press: Press, tmp_path: Path) -> None:
    press.feeds["second"] = []
    configure(tmp_path, press)
    opml = newswatch("export").stdout_bytes
    assert newswatch("remove", "second").exit_code == 0
    assert urls(tmp_path) == [f"{press.url}/main.xml"]
    result = newswatch("import", "-", "--json", stdin=opml)
    assert result.exit_code == 0, result.output
    assert [feed["id"] for feed in json.loads(result.stdout)["added"]] == ["second"]
    assert len(urls(tmp_path)) == 2
    assert newswatch("import", "-", stdin=b"no list").exit_code == 2


def test_a_name_must_mean_one_feed(press: Press, tmp_path: Path) -> None:
    press.feeds["main too"] = []
    press.feeds = {"a-main": [], "b-main": []}
    configure(tmp_path, press)
    for name, told in (("main", "matches 2 feeds"), ("nobody", "No feed is called")):
        result = newswatch("remove", name)
        assert isinstance(result.exception, NewswatchError)
        assert told in str(result.exception)


@pytest.mark.slow
def test_list_show_and_retry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    world.press.publish("one")
    world.press.broken["/second.xml"] = 410
    world.press.feeds["second"] = []
    configure(world.context.settings.config_dir, world.press)
    for number in plan(world.context).batches:
        pull(world.context, number)
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)
    told = [json.loads(line) for line in newswatch("list", "--json", "--health", "gone").stdout.splitlines()]
    assert [line["feed"]["id"] for line in told] == ["second"]
    assert "second" in newswatch("list").stdout
    assert world.count(world.context.names.articles) == 1
    shown = json.loads(newswatch("show", "main", "--json").stdout)
    assert (shown["articles"], shown["pages_waiting"], shown["state"]["polls"]) == (1, 0, 1)
    assert "410 Gone" in newswatch("show", "second").stdout
    store = FeedStore(world.context.es, world.context.names)
    (main,) = [found for found in store.due(world.now.replace(year=2030), 9) if found.id == "main"]
    gap = Gap(world.now, world.now.replace(hour=world.now.hour + 3))
    store.save([(main, replace(main.value.state, gaps=(gap,)))])
    told_of_main = " ".join(newswatch("show", "main").stdout.split())
    assert "items of 04 Mar 05:06 to 04 Mar 08:06 UTC (3 hours between two polls)" in told_of_main
    assert plan(world.context).feeds == 0
    assert newswatch("retry", "--failing").exit_code == 0
    assert plan(world.context).feeds == 1
    assert newswatch("retry").exit_code == 2


# ── the list in Elasticsearch ────────────────────────────────────────────────────────────────────────────────────────


def stated(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """Have the commands use the world's settings; returns the path of its list."""
    for name, value in world.context.settings.environment().items():
        monkeypatch.setenv(name, value)
    return world.context.settings.config_dir / "feeds.yaml"


def listed_in(world: World) -> dict[str, tuple[str, bool]]:  # noqa: F811
    records = FeedStore(world.context.es, world.context.names).all()
    return {record.feed.title: (record.feed.origin, record.feed.enabled) for record in records}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["read-only", "missing", "mounted"])
def test_the_list_is_changed_where_the_file_cannot_be(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    world.press.publish("two", feed="second")
    path = stated(world, monkeypatch)
    plan(world.context)
    before = path.read_bytes()
    if how == "read-only":
        path.chmod(0o444)
    elif how == "missing":
        path.unlink()
    else:  # a file that is a mount of its own can be written but not replaced

        def busy(*_: object) -> None:
            raise OSError(errno.EBUSY, "Device or resource busy", str(path))

        monkeypatch.setattr("newswatch.private.replacing", busy)
    result = newswatch("add", f"{world.press.url}/second.xml")
    assert result.exit_code == 0, result.output
    assert "to the list in Elasticsearch" in " ".join(result.output.split())
    assert listed_in(world) == {"main": ("file", True), "second": ("store", True)}
    assert plan(world.context).sync.disabled == ()
    assert newswatch("add", f"{world.press.url}/second.xml").exit_code == 1, "it is there already"
    assert newswatch("add", f"{world.press.url}/main.xml").exit_code == 1
    shown = newswatch("list").output
    assert "Elasticsearch" in shown
    assert "feeds.yaml" in shown
    for name in ("second", "main"):
        assert newswatch("remove", name).exit_code == 0
    assert plan(world.context).sync.changed == ()
    assert listed_in(world) == {"main": ("removed", False), "second": ("store", False)}
    assert path.read_bytes() == before if how != "missing" else not path.exists()


def exported() -> dict[str, str]:
    """Title → address, of the feeds that `export` writes and `check` asks."""
    answer = newswatch("export")
    assert answer.exit_code == 0, answer.output
    feeds = {str(o.get("text")): str(o.get("xmlUrl")) for o in etree.fromstring(answer.stdout_bytes).iter("outline")}
    checked = [json.loads(line) for line in newswatch("check", "--json").stdout.splitlines() if line.startswith("{")]
    assert sorted(result["title"] for result in checked) == sorted(feeds)
    return feeds


@pytest.mark.slow
def test_the_list_is_the_one_that_the_next_poll_uses(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.press.publish("two", feed="second")
    path = stated(world, monkeypatch)
    assert list(exported()) == ["main"], "nothing is stored yet"
    plan(world.context)
    assert newswatch("add", f"{world.press.url}/second.xml", "--store").exit_code == 0
    assert set(exported()) == {"main", "second"}
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("title: main", "title: Main"), encoding="utf-8")
    assert set(exported()) == {"Main", "second"}, "the next poll takes the changed file"
    plan(world.context)
    path.write_text(good, encoding="utf-8")
    os.utime(path, (0, 0))
    assert set(exported()) == {"Main", "second"}, "another machine's file is in force"
    assert "newswatch config use" in newswatch("export").stderr
    path.write_text("feeds: [", encoding="utf-8")
    assert set(exported()) == {"Main", "second"}
    assert "feeds.yaml" in newswatch("export").stderr
    path.write_text(good.replace("title: main", "title: Main"), encoding="utf-8")
    assert newswatch("remove", "Main", "--store").exit_code == 0
    assert set(exported()) == {"second"}
    monkeypatch.setenv("NEWSWATCH_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    answer = newswatch("export")
    assert answer.exit_code == 0
    assert b"Main" in answer.stdout_bytes
    assert "can't be asked, so this machine's file alone is used" in " ".join(answer.stderr.split())


@pytest.mark.slow
def test_an_older_file_is_not_edited_to_replace_a_newer_one(
    world: World,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.press.publish("two", feed="second")
    path = stated(world, monkeypatch)
    plan(world.context)
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("title: main", "title: Main"), encoding="utf-8")
    plan(world.context)
    path.write_text(before, encoding="utf-8")
    os.utime(path, (0, 0))
    result = newswatch("add", f"{world.press.url}/second.xml")
    assert isinstance(result.exception, NewswatchError)
    assert "newswatch config use" in str(result.exception)
    assert "--store" in str(result.exception)
    assert path.read_text(encoding="utf-8") == before
    assert newswatch("add", f"{world.press.url}/second.xml", "--store").exit_code == 0
    assert listed_in(world) == {"Main": ("file", True), "second": ("store", True)}
