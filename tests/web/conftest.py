"""The News page over the newsroom's stories, with access rules that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from fastapi import FastAPI, HTTPException
from pydantic import SecretStr

from alerts.saved import SavedSearches
from embedded.stack_files import mail_folder
from jobs.context import Context
from newswatch.alert import SavedSearch, TagFilter
from newswatch.article import Article
from newswatch.settings import Settings
from store.feeds import FeedStore
from store.indices.setup import set_up
from store.names import Names
from tests.factories import NOW, a_feed, an_article
from tests.newsstand import stock, stories
from tests.pristine import Pristine
from tests.web.chromium import browser
from web.app import create_app
from web.pulse_now import read_now
from web.security import Access, Role

__all__ = ["browser"]

ALERTS = """
alerts:
  - id: nato
    name: "NATO: main stories"
    query: ""
    tags: [{tag: nato, level: main}]
    recipients: [analyst@example.org]
"""


@dataclass(slots=True)
class Visitor:
    """Who asks, and what he may: what Airflow would say."""

    name: str = "ann"
    reads: bool = True
    role: Role = Role.OPERATOR
    address: str = ""

    def read(self) -> None:
        if not self.reads:
            raise HTTPException(401, "Not authenticated")

    def access(self) -> Access:
        return Access(
            read=self.read,
            role=lambda: self.role,
            user_name=lambda: self.name,
            address=lambda: self.address,
            login_url=lambda back: f"/auth/login?next={back}",
        )


@dataclass(frozen=True, slots=True)
class Page:
    """The app, mounted as Airflow mounts it, and what is behind it."""

    app: FastAPI
    context: Context
    visitor: Visitor
    articles: list[Article]


@pytest.fixture(scope="session")
def newsstand() -> list[Article]:
    return stories()


def clock() -> datetime:
    return NOW


@pytest.fixture(scope="module")
def furnished(es: Elasticsearch, elasticsearch_url: str, newsstand: list[Article]) -> Iterator[Pristine]:
    """Index names whose indices hold the newsroom's stories and two feeds, and again for each test that asks."""

    def furnish(names: Names) -> None:
        stock(es, names, newsstand)
        FeedStore(es, names).sync([a_feed("courier"), a_feed("ledger", country="LV")])

    kept = Pristine(es, elasticsearch_url, furnish)
    yield kept
    kept.end()


@pytest.fixture
def page(es: Elasticsearch, furnished: Pristine, newsstand: list[Article], tmp_path: Path) -> Iterator[Page]:
    (tmp_path / "alerts.yaml").write_text(ALERTS)
    mail_folder(tmp_path).mkdir()
    names = furnished.names()
    settings = Settings(
        secret_key=SecretStr("for tests"), config_dir=tmp_path, data_dir=tmp_path, index_prefix=names.prefix
    )
    context = Context(settings, es, names, clock)
    visitor = Visitor()
    airflow = FastAPI()
    airflow.mount("/news", create_app(lambda: context, visitor.access(), read=lambda here: read_now(here)))
    yield Page(airflow, context, visitor, newsstand)
    furnished.clean()


LATER = NOW + timedelta(minutes=10)
"""When the stories of what was stocked would have been decided on."""


@dataclass(frozen=True, slots=True)
class Stocked:
    """An installation that tests of a module share."""

    context: Context
    articles: list[Article]


@pytest.fixture(scope="module")
def stocked(
    es: Elasticsearch, pristine: Pristine, newsstand: list[Article], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stocked]:
    """The newsroom's stories and a hostile one, two feeds, a saved search."""
    folder: Path = tmp_path_factory.mktemp("stocked")
    (folder / "alerts.yaml").write_text("alerts: []\n")
    names = pristine.names()
    settings = Settings(
        secret_key=SecretStr("for tests"), config_dir=folder, data_dir=folder, index_prefix=names.prefix
    )
    set_up(es, names, settings)
    stock(es, names, newsstand)
    hostile = an_article(
        "https://h.example/x?a=1&b=<2>",
        title="Half \ud83d <b>\u202eNATO\u0000 & \ufffe",
        summary="",
        text="NATO \ud83d\u0007 ]]> text & \U0001f600 " * 9,
        language="ar",
    )
    stock(es, names, [hostile])
    FeedStore(es, names).sync([a_feed("courier"), a_feed("ledger", url="https://ann:pw@ledger.example/rss")])
    tags = (TagFilter("nato", "main"),)
    SavedSearches(es, names).save(SavedSearch("nato", "NATO", "", ("a@b.example",), tags=tags), by="ann")
    yield Stocked(Context(settings, es, names, lambda: LATER), [*newsstand, hostile])
    pristine.clean()
