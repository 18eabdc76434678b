"""What a saved search's values may be, and what an older newswatch may have stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from alerts import bounds
from alerts.bounds import BOUNDS, unusable
from alerts.definitions import UsageError, load_alerts, read_alerts, with_fields
from alerts.resting import FIRST_REST, LONGEST_REST, rest_after
from alerts.schedule import after
from delivery.channels.registry import parse_address
from newswatch.errors import ConfigError
from newswatch.settings import default_config_dir
from tests.alerts.press import a_search
from tests.factories import NOW

EAST = timezone(timedelta(hours=14))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"throttle": "999999999999d"}, r"throttle: .*'999999999999d' is too long: 31d at most"),
        ({"silence": "1s"}, r"silence: .*'1s' is too short: 1m at least"),
        ({"throttle": "9" * 5_000 + "d"}, r"throttle: .*'9{40}…' is not a duration"),
        ({"expires_at": datetime(1, 1, 1)}, "expires_at: .*the years 2000 to 2200"),
        ({"mute_until": datetime(9999, 12, 31, tzinfo=EAST)}, "mute_until: .*the years 2000 to 2200"),
        ({"expires_at": datetime(1, 1, 1, tzinfo=EAST)}, "expires_at: .*the years 2000 to 2200"),
        ({"min_sources": 101}, r"min_sources: .*100 \(given: 101\)"),
        ({"min_score": float("nan")}, "min_score"),
        ({"name": "x" * 201}, r"name: .*200 characters \(given: 'x{59,61}…\)"),
        ({"recipients": ["a@b.c"] * 501}, "recipients: .*it has 501 items; the maximum is 500"),
        ({"sources": ["x" * 256]}, r"sources\.0: .*255 characters"),
        ({"note": "x" * 4_001}, "note: .*4,000 characters"),
        ({"query": "x" * 8_001}, "query: .*8,000 characters"),
    ],
)
def test_a_value_beyond_its_bound_is_told_with_the_field_and_the_bound(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        with_fields(a_search("a", "glacier"), fields, parse_address)
    assert len(str(refused.value)) < 500


def test_many_faults_are_told_in_one_short_text() -> None:
    with pytest.raises(UsageError, match="and 80 more") as refused:
        with_fields(a_search("a", "glacier"), {"sources": ["x" * 300] * 100}, parse_address)
    assert len(str(refused.value)) < 5_000


@pytest.mark.parametrize(
    "fields",
    [
        {"throttle": "31d", "silence": "366d", "min_sources": 100, "min_score": 1},
        {"throttle": "0s", "silence": "60s", "name": "x" * 200, "note": "y" * 4_000},
        {"expires_at": datetime(2200, 12, 31, tzinfo=UTC), "mute_until": datetime(2000, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_value_at_its_bound_is_taken(fields: dict[str, Any]) -> None:
    assert unusable(with_fields(a_search("a", "glacier"), fields, parse_address)) == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"throttle_s": 10**17}, "throttle"),
        ({"silence_s": 10**17}, "silence"),
        ({"silence_s": -1}, "silence"),
        ({"throttle_s": None}, "NoneType"),
        ({"schedule": "now and then"}, "not a schedule"),
        ({"schedule": "daily at 07:00 ../../etc"}, "not a time zone"),
        ({"query": "natoo~2 " * 100}, "fuzzy words"),
    ],
)
def test_what_was_stored_beyond_the_bounds_is_told(changes: dict[str, Any], told: str) -> None:
    assert told in unusable(replace(a_search("a", "glacier"), **changes))
    assert unusable(a_search("a", "glacier")) == ""


def test_the_shipped_searches_can_be_worked_with() -> None:
    searches = load_alerts(default_config_dir() / "alerts.yaml", parse_address)
    assert [unusable(search) for search in searches] == [""] * len(searches)


def test_one_bad_item_of_the_file_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    one = "  - {{id: {}, name: A, recipients: [a@b.c]{}}}\n"
    items = [one.format("a", ""), one.format("b", ", throttle: 999999999999d"), "  - nonsense\n", one.format("a", "")]
    path.write_text("alerts:\n" + "".join(items) + one.format("c", ""))
    searches, faults = read_alerts(path, parse_address)
    assert [search.id for search in searches] == ["a", "c"]
    assert [fault.subject for fault in faults] == ["b", "alerts.yaml, item 3", "a (line 5)"]
    assert [fault.error.line for fault in faults] == [3, 4, 5]
    with pytest.raises(ConfigError):
        load_alerts(path, parse_address)


TWICE = """alerts:
  - id: a
    name: A
    recipients: &them [a@b.c]
  - id: b
    name: B
    note: first
    recipients: *them
    note: second
  - {id: c, name: C, recipients: *them}
  - {name: D, tags: [{tag: nato, tag: attacks}], recipients: [a@b.c], id: d}
  - {id: e, id: f, name: E, recipients: *them}
  - {id: g, name: G, expires_at: 2026-13-45, recipients: *them}
  - {id: h, name: H, recipients: *them}
"""


def test_a_key_given_twice_costs_its_own_item(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(TWICE)
    searches, faults = read_alerts(path, parse_address)
    assert [(search.id, search.recipients) for search in searches] == [(one, ("a@b.c",)) for one in "ach"]
    assert [(fault.subject, fault.error.line) for fault in faults] == [("b", 9), ("d", 11), ("e", 12), ("g", 13)]
    for key, fault in zip(("note", "tag", "id"), faults[:3], strict=True):
        assert f"key {key!r} is given twice: keep one of them" in str(fault.error)
    assert str(faults[0].error).startswith(f"{path}:9: ")
    assert "month must be in 1..12" in str(faults[3].error)
    with pytest.raises(ConfigError, match="'note' is given twice"):
        load_alerts(path, parse_address)


def test_a_value_that_overrides_what_it_merges_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(
        "alerts:\n"
        "- {id: a, name: A, recipients: [a@b.c], tags: [&t {tag: nato, level: main}, &u {<<: *t, tag: attacks}]}\n"
        "- {id: b, name: B, recipients: [a@b.c], tags: [*u]}\n"
        "- {id: c, name: C, recipients: [a@b.c], tags: [{<<: [*t, *u], level: passing, level: main}]}\n"
    )
    searches, (fault,) = read_alerts(path, parse_address)
    assert [[tag.tag for tag in search.tags] for search in searches] == [["nato", "attacks"], ["attacks"]]
    assert "key 'level' is given twice" in str(fault.error)


@pytest.mark.parametrize(
    "value",
    ["!!timestamp x", "!!bool perhaps", '!!int ""', '!!float ""', "!!int x", "!!binary é", "!!set [a]", "!!omap a",
     "!!pairs {a: b}", "!!python/name:os.system", "!!map a", "!x y", "=", "!!null x", "2026-02-30"],
)  # fmt: skip
def test_a_value_of_a_type_that_it_is_not_costs_its_own_item(tmp_path: Path, value: str) -> None:
    path = tmp_path / "alerts.yaml"
    one = "  - {{id: {}, name: {}, recipients: [a@b.c]}}\n"
    path.write_text("alerts:\n" + one.format("a", "A") + one.format("b", value) + one.format("c", "C"))
    searches, faults = read_alerts(path, parse_address)
    assert [search.id for search in searches] == ["a", "c"]
    assert [(fault.subject, fault.error.line) for fault in faults] == [("b", 3)]
    with pytest.raises(ConfigError, match=":3: "):
        load_alerts(path, parse_address)


def test_an_address_in_two_spellings_is_mailed_once(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(
        "alerts:\n- {id: a, name: A, recipients: [Ann.Lee@Reader.example, bob@b.c, ann.lee@reader.example]}\n"
    )
    ((search,), _) = read_alerts(path, parse_address)
    assert search.recipients == ("Ann.Lee@reader.example", "bob@b.c")


def test_a_list_given_twice_is_no_list(tmp_path: Path) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text("alerts: []\nalerts: []\n")
    with pytest.raises(ConfigError, match=":2: key 'alerts' is given twice"):
        read_alerts(path, parse_address)


@pytest.mark.parametrize("text", ["alerts: !foo []\n", "!foo\nalerts: []\n", "!foo alerts: []\n"])
def test_a_list_that_is_tagged_as_another_thing_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r":1: .*!foo"):
        read_alerts(path, parse_address)
    path.write_text("alerts: !!seq []\n")
    assert read_alerts(path, parse_address) == ((), ())


@pytest.mark.parametrize(
    "text",
    [
        "alerts: {}\n",
        "[" * 5_000,
        "alerts:\n  - id: a\n    expires_at: 2026-13-45\n",
        "a: &a [x]\nb: *c\n",
        "? [a]\n: b\n",
        "alerts: \x00",
        f"alerts: [{{id: a, min_sources: {'9' * 5_000}}}]",
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    told = ""
    try:
        searches, faults = read_alerts(path, parse_address)
    except ConfigError as error:
        searches, faults, told = (), (), str(error)
    assert searches == ()
    assert faults or str(path) in told


def test_a_file_of_any_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newswatch.config.MAX_BYTES", 1_000)
    path = tmp_path / "alerts.yaml"
    path.write_text("#" * 1_001)
    with pytest.raises(ConfigError, match="1,001 bytes"):
        read_alerts(path, parse_address)


def test_a_moment_that_can_t_be_reckoned_is_the_last_there_is() -> None:
    assert after(NOW, 60) == NOW + timedelta(minutes=1)
    assert after(NOW, 10**17).year == 9999


def test_each_failure_doubles_the_rest() -> None:
    assert [rest_after(n) / FIRST_REST for n in (0, 1, 2, 3, 4)] == [1, 1, 2, 4, 8]
    assert rest_after(10**9) == LONGEST_REST
    assert bounds.moment(datetime(2026, 3, 4, 5)) == datetime(2026, 3, 4, 5, tzinfo=UTC)
    assert BOUNDS["query"].most == 8_000
