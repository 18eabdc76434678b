"""What the tests of the transforms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.taxonomies import load_once, tagger_once
from transforms.tag import Tagger
from transforms.taxonomy import Taxonomy

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_once(REPOSITORY / "config" / "taxonomy.yaml")


@pytest.fixture(scope="session")
def tagger(taxonomy: Taxonomy) -> Tagger:
    return tagger_once(taxonomy)


@pytest.fixture(scope="session")
def shared_news() -> Path:
    """The folder of real news articles beside the repository; a test that asks for it is skipped without it."""
    folder = REPOSITORY.parent / "shared" / "data" / "news"
    if not folder.is_dir():
        pytest.skip(f"real news articles are not at hand ({folder} is missing)")
    return folder
