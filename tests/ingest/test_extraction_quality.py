"""The floors of full-text extraction: they may be raised, never lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import SHARED_DATA
from tests.ingest.measure import Page, Quality, aeb, fundus, measure, precision_and_recall

NOW = datetime(2026, 9, 1, tzinfo=UTC)
pytestmark = pytest.mark.slow


def read(name: str, pages: Callable[[Path], Iterator[Page]]) -> list[Page]:
    folder = SHARED_DATA / "extraction" / name
    if not folder.is_dir():
        pytest.skip(f"shared/data/extraction/{name} is not here")
    return list(pages(folder))


def quality(pages: list[Page]) -> Quality:
    measured = measure(pages, NOW)
    print(measured)
    return measured


def test_article_extraction_benchmark() -> None:
    measured = quality(read("aeb", aeb))
    assert measured.pages == 181
    assert measured.f1 >= 0.972
    assert measured.empty <= 0.01


def test_fundus_pages() -> None:
    measured = quality(read("fundus_dev", fundus))
    assert measured.pages == 131
    assert measured.f1 >= 0.979
    assert measured.empty <= 0.01
    assert measured.title >= 0.95
    assert measured.date >= 0.99


def test_publishers_on_which_nothing_was_tuned() -> None:
    measured = quality([page for page in read("fundus_dev", fundus) if page.held_out])
    assert measured.pages == 61
    assert measured.f1 >= 0.981
    assert measured.title >= 0.96
    assert measured.date >= 0.99


def test_the_measure_itself() -> None:
    assert precision_and_recall("a b c d e", "a b c d e") == (1.0, 1.0)
    assert precision_and_recall("a b c d e", "a b c d") == (1.0, 0.5)
    assert precision_and_recall("a b c d", "a b c d e") == (0.5, 1.0)
    assert precision_and_recall("a b c d", "") == (0.0, 0.0)
    assert precision_and_recall("北约加入联盟", "北约加入联") == (1.0, 2 / 3)
