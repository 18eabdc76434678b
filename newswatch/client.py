"""A client of the API of an installation elsewhere.

from newswatch.client import Newswatch

news = Newswatch("https://news.example", key="nwk_…")
for article in news.articles("tag:nato lang:fr", after=cursor):
    ...
cursor = news.cursor
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import requests
from pydantic import TypeAdapter, ValidationError

from newswatch import __version__, api
from newswatch.errors import NewswatchError
from newswatch.texts import cut_short

T = TypeVar("T")

PATH: Final = "/news/api/v1"
TIMEOUT_S: Final = 60
"""Seconds for connecting, and between two pieces of an answer."""
TRIES: Final = 4
MOST_WAIT_S: Final = 120
"""The longest `Retry-After` that is waited for."""
MOST_BYTES: Final = 100_000_000
_AGAIN: Final = (429, 502, 503)
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class ServerError(NewswatchError):
    """The server could not be asked, or has refused: `status` is HTTP's, 0 without an answer."""

    def __init__(self, message: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        self.status, self.problem = status, dict(problem or {})
        super().__init__(message)


class Newswatch:
    """An installation of newswatch, by its API. Not for several threads at once."""

    def __init__(self, server: str, key: str, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`server` is the address of its web server, as `NEWSWATCH_PUBLIC_URL` says there.

        Raises:
            ServerError: the address can't be used, or the key would travel unencrypted.
        """
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ServerError("The server's address must be such as https://news.example, without a login.")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ServerError(f"The key would travel unencrypted to {parts.hostname}: use https.")
        self._base, self._key, self._pause = server.rstrip("/") + PATH, key, pause
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"newswatch/{__version__}"
        self.cursor = ""
        """How far `articles` has got: keep it, and give it back as `after`."""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Newswatch({self._base!r})"

    def page(self, query: str = "", *, after: str = "", limit: int = 100, text: bool = False) -> api.ArticlePage:
        """One page of articles in ingest order."""
        asked = {"q": query, "after": after, "limit": limit, "text": str(text).lower()}
        return self._get(api.ArticlePage, "/articles", **asked)

    def articles(self, query: str = "", *, after: str = "", text: bool = False) -> Iterator[api.ArticleShape]:
        """Every article that there is now after the cursor, in ingest order. `cursor` moves with each page.

        It moves once a page's last article was taken, so that whoever breaks off gets the page again.
        """
        self.cursor = after
        while True:
            page = self.page(query, after=self.cursor, text=text)
            yield from page.articles
            self.cursor = page.next
            if not page.has_more:
                return

    def article(self, article_id: str) -> api.ArticleShape:
        """One article with its text."""
        return self._get(api.ArticleShape, f"/articles/{quote(article_id, safe='')}")

    def search(
        self, query: str = "", *, sort: str = "relevance", rows: str = "stories", offset: int = 0, limit: int = 20
    ) -> api.SearchPage:
        """What the News page's search finds."""
        return self._get(api.SearchPage, "/search", q=query, sort=sort, rows=rows, offset=offset, limit=limit)

    def story(self, story_id: str) -> api.StoryShape:
        """A story with its articles."""
        return self._get(api.StoryShape, f"/stories/{quote(story_id, safe='')}")

    def saved_searches(self) -> tuple[api.SavedSearchShape, ...]:
        """The saved searches."""
        return self._get(api.SavedSearchList, "/saved-searches").saved_searches

    def topics(self) -> tuple[api.TopicShape, ...]:
        """The topics."""
        return self._get(api.TopicList, "/topics").topics

    def feeds(self, state: str = "") -> api.FeedList:
        """The feeds and how they fare."""
        return self._get(api.FeedList, "/feeds", state=state)

    def me(self) -> api.Me:
        """The key that asks."""
        return self._get(api.Me, "/me")

    def feedback(self, saved_search: str, story: str, *, relevant: bool, article: str | None = None) -> api.Noted:
        """Say whether a story is relevant to a saved search."""
        said = {"saved_search": saved_search, "story": story, "relevant": relevant}
        said |= {"article": article} if article else {}
        return self._read(api.Noted, self._ask("POST", "/feedback", json=said))

    def _get(self, kind: type[T], path: str, **asked: Any) -> T:
        return self._read(kind, self._ask("GET", path, params=asked))

    def _read(self, kind: type[T], answer: bytes) -> T:
        known: Any = kind
        try:
            read: T = _adapter(known).validate_json(answer)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise ServerError(f"{self._base} does not answer as newswatch does: {where}: {fault['msg']}") from error
        return read

    def _ask(self, method: str, path: str, **asked: Any) -> bytes:
        """The body of the answer; what may pass is tried again, as every request may be repeated."""
        for attempt in range(TRIES):
            try:
                # An auth of our own, or requests would put a login of ~/.netrc in its place. No redirect is followed:
                # the key is for this server.
                answer = self._session.request(
                    method,
                    self._base + path,
                    auth=self._authorised,
                    timeout=TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                    **asked,
                )
                with answer:
                    body = self._body(answer)
            except requests.RequestException as error:
                if attempt + 1 == TRIES:
                    raise ServerError(
                        f"{self._base} can't be reached: {_why(error)}. Check the address, and the network."
                    ) from error
                self._pause(2.0**attempt)
                continue
            if answer.status_code in _AGAIN and attempt + 1 < TRIES:
                self._pause(_wait_s(answer, attempt))
                continue
            if not answer.ok or answer.is_redirect:
                raise self._refusal(answer, body)
            return body
        raise AssertionError("the last try has answered or raised")

    def _authorised(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _body(self, answer: requests.Response) -> bytes:
        body = bytearray()
        for piece in answer.iter_content(65_536):
            body += piece
            if len(body) > MOST_BYTES:
                raise ServerError(f"{self._base} answers with more than {MOST_BYTES:,} bytes.", answer.status_code)
        return bytes(body)

    def _refusal(self, answer: requests.Response, body: bytes) -> ServerError:
        problem: dict[str, Any] = {}
        if answer.headers.get("Content-Type", "").startswith("application/problem+json"):
            try:
                problem = TypeAdapter(dict[str, Any]).validate_json(body)
            except ValidationError:
                problem = {}
        said = " ".join(str(problem[name]) for name in ("detail", "next_step") if problem.get(name))
        told = said or f"status {answer.status_code}: is it newswatch, and the address right?"
        return ServerError(f"{self._base}: {cut_short(told, 1_000)}", answer.status_code, problem)


def _why(error: requests.RequestException) -> str:
    """Why a server could not be asked, in few words and without what a library's exception shows of its objects."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is refused"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy can't be reached"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _wait_s(answer: requests.Response, attempt: int) -> float:
    stated = answer.headers.get("Retry-After", "")
    return min(float(stated), MOST_WAIT_S) if stated.isascii() and stated.isdigit() else 2.0**attempt


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
