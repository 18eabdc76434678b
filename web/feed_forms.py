"""The form of a feed: what its user typed, as a feed of the list; what is wrong is said beside the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, get_args

from pydantic import ValidationError

from ingest.addresses import read_address, with_scheme
from ingest.discovery.discover import FoundFeed
from ingest.feed_list.feeds import KINDS, RATING_CHARS, RATING_LEAST, FeedSpec, RatingSpec
from newswatch.feed import Feed, FullText
from newswatch.names_in_english import countries, languages
from newswatch.reliability import GRADES
from store.elastic.documents import load
from web.security import Form

TITLE_CHARS: Final = 200
"""Maximum length of a title, of an owner, and of each topic."""
OPENED_CHARS: Final = 100_000
"""Maximum characters of the fields that a form was opened with."""
TOPICS: Final = 20
TEXTS: Final[tuple[str, ...]] = get_args(FullText)
LABELS: Final[Mapping[str, str]] = {
    "url": "Address of the feed",
    "title": "Title",
    "site": "Home page of the outlet",
    "country": "Country of the outlet",
    "language": "Language",
    "topics": "What it writes about",
    "kind": "Kind of outlet",
    "owner": "Owner",
    "full_text": "Text from",
    "reliability": "Reliability",
    "reliability_why": "Why this grade",
    "state_media": "State media: a state owns or pays for it and may decide what it says",
    "fast": "Asked",
}


@dataclass(frozen=True, slots=True)
class FeedDraft:
    """The fields of the form, as typed."""

    url: str = ""
    title: str = ""
    site: str = ""
    country: str = ""
    language: str = ""
    topics: str = ""
    kind: str = "press"
    owner: str = ""
    full_text: str = "auto"
    reliability: str = ""
    reliability_why: str = ""
    state_media: str = ""
    """Empty: no. A checkbox that is not ticked is not sent."""
    fast: str = "no"

    @classmethod
    def read(cls, form: Form) -> FeedDraft:
        """The form's fields; one that was not sent is as on a new form."""
        return cls(**{one.name: form.text(one.name) for one in fields(cls) if one.name in form})

    @classmethod
    def of(cls, feed: Feed) -> FeedDraft:
        """The form of a listed feed."""
        return cls(
            feed.url,
            feed.title,
            feed.site or "",
            feed.country or "",
            feed.language or "",
            ", ".join(feed.topics),
            feed.kind,
            feed.owner or "",
            feed.full_text,
            feed.reliability.grade if feed.reliability else "",
            feed.reliability.why if feed.reliability else "",
            "yes" if feed.state_media else "",
            "yes" if feed.fast else "no",
        )

    @classmethod
    def opened(cls, form: Form) -> FeedDraft | None:
        """The form's fields as it was opened, which it sends along; None if it does not."""
        try:
            return load(cls, json.loads(form.text("opened")[:OPENED_CHARS]))
        except (ValueError, RecursionError):
            return None

    @property
    def as_opened(self) -> str:
        """What `opened` reads."""
        return json.dumps(asdict(self))

    def filled_in(self, found: FoundFeed) -> FeedDraft:
        """With the address of a feed that was found, and its title and language where nothing was typed."""
        is_code = found.language is not None and len(found.language) in (2, 3)
        return replace(
            self,
            url=found.url,
            title=self.title or found.title.strip()[:TITLE_CHARS],
            site=self.site or (self.url if self.url != found.url else ""),
            language=self.language or (str(found.language) if is_code else ""),
        )

    @property
    def spec_url(self) -> str:
        """The address with the `https://` that people leave out."""
        return with_scheme(self.url)

    def spec(self, *, enabled: bool = True, was: Feed | None = None) -> FeedSpec | Mapping[str, str]:
        """The feed of the list; or what is wrong with it: field → a sentence.

        `was` is the feed that is edited: what the form does not show, such as how it is read, stays.
        """
        read: dict[str, Callable[[], Any]] = {
            "url": lambda: _address(self.url),
            "title": lambda: _line(self.title) or _refuse("A feed needs a title."),
            "site": lambda: _address(self.site) if self.site else None,
            "country": lambda: _code(self.country, "country", countries(), str.upper),
            "language": lambda: _code(self.language, "language", languages(), str.lower),
            "topics": lambda: _topics(self.topics),
            "kind": lambda: self.kind if self.kind in KINDS else _refuse(f"Choose one of: {', '.join(KINDS)}."),
            "owner": lambda: _line(self.owner) or None,
            "full_text": lambda: self.full_text if self.full_text in TEXTS else _refuse("Choose one of the list."),
            "reliability": lambda: self._rating(was),
            "state_media": lambda: bool(self.state_media),
            "fast": lambda: self.fast == "yes",
        }
        values: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for name, value in read.items():
            try:
                values[name] = value()
            except ValueError as error:
                wrong[name] = _sentence(str(error))
        if wrong:
            return wrong
        kept = {name: asdict(was)[name] for name in ("read", "rule", "fallback")} if was else {}
        try:
            return FeedSpec.model_validate({**values, **kept, "enabled": enabled})
        except ValidationError as error:
            return {str(each["loc"][0]): _sentence(each["msg"]) for each in error.errors(include_url=False)}

    def _rating(self, was: Feed | None) -> RatingSpec | None:
        """The rating; one that is unchanged keeps its date."""
        if not self.reliability:
            return _refuse("Give the grade that this is the reason for.") if self.reliability_why else None
        if self.reliability not in GRADES:
            _refuse("Choose one of the list.")
        why = self.reliability_why.strip()
        if not RATING_LEAST <= len(why) <= RATING_CHARS or not why.isprintable():
            _refuse(f"Say why: on one line, with {RATING_LEAST} to {RATING_CHARS} characters.")
        rated = was.reliability if was else None
        same = rated is not None and (rated.grade, rated.why) == (self.reliability, why)
        day = rated.rated if rated and same else datetime.now(UTC).date()
        return RatingSpec.model_validate({"grade": self.reliability, "why": why, "rated": day})


def _refuse(why: str) -> Any:
    raise ValueError(why)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _address(text: str) -> str:
    if not text:
        _refuse("Give an address, such as https://outlet.example/rss.")
    address = with_scheme(text)
    read_address(address)
    return address if address.isprintable() else _refuse("It has a line break or another invisible character.")


def _line(text: str) -> str:
    if len(text) > TITLE_CHARS or not text.isprintable():
        _refuse(f"It must be one line of at most {TITLE_CHARS} characters.")
    return text


def _topics(text: str) -> tuple[str, ...]:
    topics = tuple(dict.fromkeys(_line(topic) for part in text.split(",") if (topic := part.strip())))
    return topics if len(topics) <= TOPICS else _refuse(f"Give at most {TOPICS}, with commas between.")


def _code(text: str, what: str, by_name: Mapping[str, str], case: Callable[[str], str]) -> str | None:
    """The code of a country or a language, given by code or by English name."""
    if not text:
        return None
    code = by_name.get(text.casefold(), case(text))
    return code if code in by_name.values() else _refuse(f"{text[:60]!r} is no {what}: its English name or its code")
