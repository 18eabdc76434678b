"""Editing feeds.yaml: what nobody asked to change stays, to the letter."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.feed_list.feed_file import add_feeds, edit_feed, remove_feeds
from ingest.feed_list.feeds import FeedSpec, load_feeds
from newswatch.errors import ConfigError
from newswatch.settings import default_config_dir

TEXT = """\
# Our feeds.

feeds:
  # the first
  - url: https://a.example/rss   # moved in May
    title: A
  - title: "B: with a colon"
    url: https://b.example/rss
    # why B has no language
    topics: [nato]

  # the last
  -
    title: C
    url: https://c.example/rss
# The end.
"""
NEW = FeedSpec(
    url="https://d.example/rss", title='D: "quoted" – čšž', topics=("nato", "east"), country="NO", kind="court"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "feeds.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def ids(path: Path) -> list[str]:
    return [feed.title[0] for feed in load_feeds(path)]


def test_a_feed_is_added_at_the_end_and_all_else_stays(path: Path) -> None:
    (added,) = add_feeds(path, [NEW])
    assert load_feeds(path)[-1] == added == NEW.feed()
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert "".join(line for line in lines if line not in ADDED) == TEXT
    assert lines[-1] == "# The end.\n"


ADDED = [
    "  - title: 'D: \"quoted\" – čšž'\n",
    "    url: https://d.example/rss\n",
    "    country: 'NO'\n",
    "    topics: [nato, east]\n",
    "    kind: court\n",
]


def test_a_feed_that_is_there_already_is_not_added(path: Path) -> None:
    assert add_feeds(path, [FeedSpec(url="http://A.example:80/rss", title="A again"), NEW, NEW]) == (NEW.feed(),)
    assert ids(path) == ["A", "B", "C", "D"]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_feed_is_struck_with_its_own_comments_only(path: Path, at: int) -> None:
    feed = load_feeds(path)[at]
    assert remove_feeds(path, [feed.id]) == (feed,)
    assert ids(path) == [name for name in "ABC" if name != feed.title[0]]
    text = path.read_text(encoding="utf-8")
    for comment in ("# Our feeds.", "# the first", "# the last", "# The end."):
        assert comment in text
    assert ("# why B has no language" in text) == (at != 1)


def test_adding_and_striking_is_as_if_nothing_had_been(path: Path) -> None:
    add_feeds(path, [NEW])
    remove_feeds(path, [NEW.feed().id])
    assert path.read_text(encoding="utf-8") == TEXT


def test_the_last_feed_can_not_be_struck(path: Path) -> None:
    with pytest.raises(ConfigError, match="was not changed"):
        remove_feeds(path, [feed.id for feed in load_feeds(path)])
    assert path.read_text(encoding="utf-8") == TEXT
    assert list(path.parent.iterdir()) == [path]


def test_a_list_in_brackets_is_left_alone(path: Path) -> None:
    path.write_text("feeds: [{url: 'https://a.example/rss', title: A}]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="one feed per dash"):
        add_feeds(path, [NEW])


def test_a_file_without_a_last_line_break(path: Path) -> None:
    path.write_text("feeds:\n- {url: 'https://a.example/rss', title: A}", encoding="utf-8")
    add_feeds(path, [NEW])
    assert ids(path) == ["A", "D"]


def test_the_project_s_own_list_can_be_edited(tmp_path: Path) -> None:
    file = tmp_path / "feeds.yaml"
    own = (default_config_dir() / "feeds.yaml").read_text(encoding="utf-8")
    file.write_text(own, encoding="utf-8")
    before = load_feeds(file)
    add_feeds(file, [NEW])
    assert load_feeds(file) == (*before, NEW.feed())
    remove_feeds(file, [before[7].id, before[8].id])
    assert load_feeds(file) == (*before[:7], *before[9:], NEW.feed())


def lines_changed(path: Path) -> tuple[list[str], list[str]]:
    """The lines that are gone, and those that are new."""
    before, after = TEXT.splitlines(), path.read_text(encoding="utf-8").splitlines()
    return [line for line in before if line not in after], [line for line in after if line not in before]


@pytest.mark.parametrize(
    ("at", "changes", "gone", "new"),
    [
        (0, {"title": "A2"}, ["    title: A"], ["    title: A2"]),
        (0, {"enabled": False}, [], ["    enabled: false"]),
        (
            0,
            {"url": "https://z.example/rss"},
            ["  - url: https://a.example/rss   # moved in May"],
            ["  - url: https://z.example/rss   # moved in May", "    id: {id}"],
        ),
        (1, {"topics": ()}, ["    topics: [nato]"], []),
        (1, {"title": "B"}, ['  - title: "B: with a colon"'], ["  - title: B"]),
        (2, {"language": "no", "kind": "court"}, [], ["    language: 'no'", "    kind: court"]),
        (2, {}, [], []),
    ],
)
def test_only_the_lines_of_what_differs_are_changed(
    path: Path, at: int, changes: dict[str, object], gone: list[str], new: list[str]
) -> None:
    was = load_feeds(path)[at]
    spec = FeedSpec(url=was.url, title=was.title, topics=was.topics).model_copy(update=changes)
    changed = edit_feed(path, was, spec)
    assert changed == load_feeds(path)[at]
    assert changed is not None
    assert changed.id == was.id
    assert lines_changed(path) == (gone, [line.format(id=was.id) for line in new])


def test_a_feed_that_others_have_changed_meanwhile_stays(path: Path) -> None:
    was = load_feeds(path)[0]
    edit_feed(path, was, FeedSpec(url=was.url, title="Theirs"))
    assert edit_feed(path, was, FeedSpec(url=was.url, title="Ours")) is None
    assert load_feeds(path)[0].title == "Theirs"


def test_an_address_that_another_feed_has_is_refused(path: Path) -> None:
    first, second, _ = load_feeds(path)
    with pytest.raises(ConfigError, match="already in line"):
        edit_feed(path, first, FeedSpec(url=second.url, title="A"))
    assert path.read_text(encoding="utf-8") == TEXT


def test_two_editors_lose_nothing(path: Path) -> None:
    specs = [FeedSpec(url=f"https://n{n}.example/rss", title=f"N{n}") for n in range(8)]
    with ThreadPoolExecutor(8) as editors:
        list(editors.map(lambda spec: add_feeds(path, [spec]), specs))
    assert len(load_feeds(path)) == 3 + len(specs)


REPEATING = """feeds:
  - {id: z, url: https://z.example/f, title: Z}
  - id: a
    url: https://a.example/f
    title: A
    country: &here BE
  - id: b
    url: https://b.example/f
    title: B
    country: *here
  - &whole
    id: c
    url: https://c.example/f
    title: C
  - <<: *whole
    id: d
    url: https://d.example/f
"""


def test_what_a_feed_takes_from_another_is_read(tmp_path: Path) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(REPEATING)
    assert [(feed.id, feed.title, feed.country) for feed in load_feeds(path)] == [
        ("z", "Z", None), ("a", "A", "BE"), ("b", "B", "BE"), ("c", "C", None), ("d", "C", None)
    ]  # fmt: skip


@pytest.mark.parametrize("id_", ["a", "b", "c", "d"])
@pytest.mark.parametrize("do", ["edit", "remove"])
def test_a_feed_that_repeats_another_is_changed_alone_or_not_at_all(tmp_path: Path, do: str, id_: str) -> None:
    path = tmp_path / "feeds.yaml"
    path.write_text(REPEATING)
    before = load_feeds(path)
    was = next(feed for feed in before if feed.id == id_)
    spec = FeedSpec(id=id_, url=was.url, title="New", country="DE")
    told = ""
    try:
        edit_feed(path, was, spec) if do == "edit" else remove_feeds(path, [id_])
    except ConfigError as error:
        told = str(error)
    assert ("was not changed" in told) == (path.read_text() == REPEATING)
    assert [feed for feed in load_feeds(path) if feed.id != id_] == [feed for feed in before if feed.id != id_]
    assert edit_feed(path, before[0], FeedSpec(id="z", url=before[0].url, title="New")) is not None, "the one beside"
