"""What a robots.txt says to this reader, within bounds."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from protego import Protego

from ingest.http.fetch import _matched
from ingest.http.robots import MAX_BYTES, SLOW_STEPS, read_rules

AGENT = "newswatch/0.1 (feed reader; +mailto:a@b.example)"
LONG = "https://paper.example/" + "a" * 7_900


def allows(text: str, path: str = "/a") -> bool:
    return read_rules(text.encode(), AGENT).refusal(f"https://paper.example{path}") is None


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /a", False),
        ("User-agent: *\nDisallow: /a\nUser-agent: newswatch\nDisallow: /b", True),
        ("User-agent: newswatch\nDisallow: /a\nUser-agent: *\nAllow: /", False),
        ("User-agent: Newswatch/9\nDisallow: /a", False),
        ("User-agent: newswatch\nDisallow:\nUser-agent: *\nDisallow: /", True),
        ("User-agent: other\nUser-agent: NewsWatch # us\nSitemap: https://x.example/s\nDisallow: /", False),
        (
            "User-agent: newswatch\nDisallow: /b\nUser-agent: other\nDisallow:\nUser-agent: newswatch\nDisallow: /a",
            False,
        ),
        ("User-agent: other\nDisallow: /", True),
        ("User-agent: reader\nDisallow: /", True),
        ("\ufeffUser-agent: *\r\nDisallow: /a", False),
        ("Disallow: /a", True),
        ("user agent *\ndisalow /a", False),
        ("<html><body>User-agent: x</body>", True),
    ],
)
def test_what_is_said_to_this_reader(text: str, allowed: bool) -> None:
    assert allows(text) is allowed
    assert (
        read_rules(text.removeprefix("\ufeff").encode("utf-16"), AGENT).refusal("https://paper.example/a") is None
    ) is allowed


LINES = st.lists(
    st.sampled_from(
        [
            *("User-agent: *", "User-agent: newswatch", "user-agent: Other", "User-agent other", "# User-agent: *", ""),
            *(
                "Disallow: /",
                "Disallow: /a",
                "Allow: /a$",
                "Allow: /*b",
                "disallow: /a*c$",
                "Disallow:",
                "Allow: /%61b",
            ),
            *("Sitemap: https://x.example/", "Crawl-delay: 2", "Host: x.example", "Noindex: /", "rubbish", "a b: c"),
        ]
    ),
    max_size=15,
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from(["/", "/a", "/ab", "/abc", "/b", "/a?b", "/%61b", "/robots.txt"]))
def test_it_says_what_protego_reads_in_the_whole_file(lines: list[str], path: str) -> None:
    text, url = "\n".join(lines), f"https://paper.example{path}"
    whole, own = Protego.parse(text), read_rules(text.encode(), "newswatch/0.1")
    assert (own.refusal(url) is None) is whole.can_fetch(url, "newswatch")
    assert own.crawl_delay_s == whole.crawl_delay("newswatch")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_rules(body: bytes) -> None:
    read_rules(body, AGENT).refusal("https://paper.example/a")
    read_rules(b"User-agent: *\nDisallow: " + body, AGENT).refusal("https://paper.example/a")


def test_beyond_its_bound_it_is_not_read_and_that_is_told() -> None:
    head = "User-agent: *\nDisallow: /a\n"
    rules = read_rules((head + "#" * MAX_BYTES + "\nDisallow: /\n").encode(), AGENT)
    assert rules.cut
    assert rules.refusal("https://paper.example/b") is None
    assert "first 512,000 bytes" in (rules.refusal("https://paper.example/a") or "")


def test_half_a_rule_is_none() -> None:
    """`Disallow: /archive` cut to `Disallow: /a` would forbid what nobody forbade."""
    text = "User-agent: *\n".ljust(MAX_BYTES - len("Disallow: /a"), "#") + "Disallow: /archive\n"
    assert text[:MAX_BYTES].endswith("/a")
    assert read_rules(text.encode(), AGENT).refusal("https://paper.example/about") is None


HOSTILE = {
    "5,000 rules with wildcards": "User-agent: *\n" + "Disallow: /*a*aaaaaaab\n" * 5_000,
    "42,000 rules": "User-agent: *\n" + "Disallow:/*ab\n" * 42_000,
    "one rule of 10,000 wildcards": "User-agent: *\nDisallow: /" + "*a" * 10_000 + "*b\n",
    "one rule of half a megabyte": "User-agent: *\nDisallow: /" + "a" * 500_000,
    "200 readers and 30,000 rules": "".join(f"User-agent: b{n}\n" for n in range(200)) + "Disallow: /*ab\n" * 30_000,
    "this reader 200 times, 20,000 rules": "".join(f"User-agent: newswatch{'*' * n}\n" for n in range(200))
    + "Disallow: /*ab\n" * 20_000,
    "18,000 groups": "".join(f"User-agent: b{n}\nDisallow: /\n" for n in range(18_000)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_rules_are_read_and_matched_in_time(text: str) -> None:
    """5,000 rules took 1.2 s, 200 readers and 30,000 rules 48 s; the bound is generous for slow machines."""
    began = time.thread_time()
    rules = read_rules(text.encode(), AGENT)
    why = rules.refusal(LONG)
    assert time.thread_time() - began < 10
    assert why is None or "too many" in why


@pytest.mark.parametrize(("steps", "elsewhere"), [(SLOW_STEPS, False), (SLOW_STEPS + 1, True)])
def test_what_takes_long_is_matched_in_another_thread(steps: int, elsewhere: bool) -> None:
    @dataclass
    class Slow:
        threads: list[int]

        def steps(self, _: str) -> int:
            return steps

        def refusal(self, _: str) -> str | None:
            self.threads.append(threading.get_ident())
            return "forbids"

    rules: Any = Slow([])
    assert asyncio.run(_matched(rules, "https://paper.example/")) == "forbids"
    assert (rules.threads != [threading.get_ident()]) is elsewhere
