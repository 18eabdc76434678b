"""Mails of every kind, for tests of how they look: invented stories in six languages, with many tags each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from delivery.briefing import Moved, changed
from delivery.channels.email import EMAIL, html
from delivery.compose import Mail, MailItem
from delivery.made import notice_delivery
from delivery.message import Message, Notice, Row, Section, Watch
from delivery.story_views import MailStory
from delivery.writing import message_of
from newswatch.alert import Passage, SavedSearch
from newswatch.article import Article, Edit, Evidence, Level, Tag, Version
from tests.delivery.test_mail import ANN, LINKS, SETTINGS, TOPICS, WATCH, a_delivery
from tests.factories import NOW, a_source, an_article

KIBANA: Final = SETTINGS.model_copy(update={"kibana_url": "https://kibana.example"})
_STORIES: Final = (
    (
        "en",
        "The Herald",
        "Allies agree on a plan for the eastern flank before the summit in the autumn",
        "Defence ministers met in Brussels on Wednesday and agreed on a plan for the eastern flank. The plan asks "
        "eight states to keep a brigade each ready within ten days, officials said. Two of them asked for air defence.",
    ),
    (
        "de",
        "Frankfurter Bote",
        "Verteidigungsminister beraten über Lastenteilung im Bündnis und neue Truppen im Osten",
        "Die Verteidigungsminister haben in Brüssel über die Lastenteilung beraten. Eine Brigade soll ständig im Osten "
        "stehen. Der Generalsekretär forderte höhere Ausgaben, bevor der Gipfel beginnt.",
    ),
    (
        "ar",
        "الصحيفة",
        "وزراء الدفاع يتفقون على خطة جديدة لتعزيز الجناح الشرقي للحلف قبل القمة المقبلة",
        "اتفق وزراء الدفاع في بروكسل يوم الأربعاء على خطة جديدة لتعزيز الجناح الشرقي. وقال الأمين العام إن الخطة تلزم "
        "ثماني دول بإبقاء لواء جاهز خلال عشرة أيام، وطلبت دولتان المزيد من الدفاع الجوي قبل القمة.",
    ),
    (
        "zh",
        "每日新闻",
        "北约国防部长在布鲁塞尔就东翼新防御计划达成一致，峰会将于秋季举行",
        "国防部长周三在布鲁塞尔举行会议，就加强东翼的新防御计划达成一致。该计划要求八个国家各保持一个旅在十天内做好准备。"
        "其中两国要求增加防空力量。峰会将于秋季举行，届时将批准该计划。",
    ),
    (
        "fr",
        "Le Courrier",
        "Attentat déjoué à Lyon : quatre suspects mis en examen, des explosifs saisis par la police",
        "Quatre hommes soupçonnés d’avoir préparé un attentat à Lyon ont été mis en examen vendredi. Selon le parquet, "
        "ils étaient en contact avec une organisation à l’étranger. Des armes et des explosifs ont été saisis.",
    ),
    (
        "ja",
        "朝の新聞",
        "北大西洋条約機構の外相会合がブリュッセルで開かれ、東側の防衛計画に合意した",
        "外相会合が水曜日、ブリュッセルで開かれ、東側の防衛計画に合意した。加盟国は来年の予算についても話し合い、「共通の"
        "責任」を確認した。首脳会議は秋に開かれる。",
    ),
)
_TAGS: Final[tuple[tuple[str, Level], ...]] = (
    ("nato", "main"),
    ("nato/command-and-bodies", "main"),
    ("nato/deterrence-and-defence", "main"),
    ("nato/burden-sharing", "mention"),
    ("nato/summits", "mention"),
    ("nato/enlargement", "mention"),
    ("counter-terrorism", "mention"),
    ("counter-terrorism/attacks-and-plots", "mention"),
)


def a_mixed_lot(count: int, first: int = 0) -> list[Article]:
    """So many articles on different stories, language by language, with eight tags each."""
    return [_article(n) for n in range(first, first + count)]


def _article(n: int) -> Article:
    language, outlet, title, text = _STORIES[n % len(_STORIES)]
    if n >= len(_STORIES):
        title, text = f"{n}: {title}", f"{n}: {text}"
    words = [word for word in text.split() if len(word) > 3][:9] or [text[:6]]

    def evidence(word: str) -> Evidence:
        return Evidence("text", text.index(word), text.index(word) + len(word), word[:40])

    tags = [
        Tag(name, level, 1 - i / 10, tuple(evidence(words[(i + k) % len(words)]) for k in range(2)))
        for i, (name, level) in enumerate(_TAGS)
    ]
    url = f"https://{language}.example/politics/2026/03/04/an-address-as-long-as-papers-have-them/{n}"
    return an_article(
        url, title=title, text=text, summary="", language=language, source=a_source(name=outlet), tags=tuple(tags)
    )


def a_message(sort: Any, articles: list[Article], *, watch: Watch | None = None, **changes: Any) -> Message:
    """The message on these articles, each with a passage in which some words are marked."""
    schedule = "daily at 07:00 Europe/Brussels" if sort == "digest" else "instant"
    items = []
    for article in articles:
        passage = Passage("text", article.text, ((40, 52),))
        given = {"schedule": schedule, "passages": (passage,)} | changes
        mailed = {article.id: NOW} if article.version > 1 else {}
        items.append(MailItem(article.story_id, (a_delivery(article, **given),), mailed))
    stories = [MailStory(item, a, 1 + n % 3) for n, (item, a) in enumerate(zip(items, articles, strict=True))]
    mail = Mail(ANN, sort, tuple(items), "one")
    return message_of(mail, stories, KIBANA, LINKS, TOPICS, now=NOW + timedelta(minutes=1), watch=watch)


def an_update(first: int) -> Message:
    """News on a story: of what the reader was mailed a sentence again, another number, and another sentence."""
    known = _article(first)
    separator = "" if known.language in ("zh", "ja") else " "
    later = _article(first + len(_STORIES))
    text = separator.join((known.text, later.text, later.text.replace(str(first + len(_STORIES)), "40", 1)))
    article = replace(later, text=text, story_id=known.story_id)
    item = MailItem(known.story_id, (a_delivery(article, kind="update"),), {known.id: NOW})
    mail = Mail(ANN, "reply", (item,), "one", thread=("<first@news.example>",))
    story = MailStory(item, article, 2, mailed=(known,))
    return message_of(mail, [story], KIBANA, LINKS, TOPICS, now=NOW + timedelta(minutes=1))


def a_briefing(count: int) -> Message:
    """A briefing on so many stories, each with a second report, without its PDF."""
    articles = a_mixed_lot(count)
    further = a_mixed_lot(count, count)
    items = [
        MailItem(a.story_id, (a_delivery(a, schedule="daily briefing at 07:00 Europe/Brussels"),)) for a in articles
    ]
    stories = [
        MailStory(item, article, 1 + n % 3, reports=(article, replace(more, story_id=article.story_id)))
        for n, (item, article, more) in enumerate(zip(items, articles, further, strict=True))
    ]
    mail = Mail(ANN, "digest", tuple(items), "one")
    lines = changed(
        items, [Moved("Ministers meet again in the capital", 3)], NOW - timedelta(days=1), ZoneInfo("Europe/Brussels")
    )
    now = NOW + timedelta(minutes=1)
    return message_of(mail, stories, KIBANA, LINKS, TOPICS, now=now, watch=WATCH, changed=lines)


def a_spike() -> Message:
    """Unusually many articles, and two new stories."""
    event = a_delivery(
        _article(0), kind="spike", article_id="", headline="Ice: 31 articles within an hour, usually none"
    )
    item = MailItem("spike-20260304T00", (replace(event, story_id="spike-20260304T00"),))
    items = [item, *(MailItem(a.story_id, (a_delivery(a),)) for a in a_mixed_lot(2))]
    stories = [MailStory(one, a, 1) for one, a in zip(items, (None, *a_mixed_lot(2)), strict=True)]
    mail = Mail(ANN, "group", tuple(items), "one")
    return message_of(mail, stories, KIBANA, LINKS, TOPICS, now=NOW + timedelta(minutes=1))


def of_long_words() -> Message:
    """A headline, an outlet and a text that can be broken nowhere, with a report in Arabic beside it."""
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
    article = replace(_article(1), title=f"NATO {word}", text=f"{word} {word}", source=a_source(name=word))
    item = MailItem(article.story_id, (a_delivery(article),))
    story = MailStory(item, article, 2, languages=("de", "ar"), abroad=(_article(2),))
    mail = Mail(ANN, "story", (item,), "one")
    return message_of(mail, [story], KIBANA, LINKS, TOPICS, now=NOW + timedelta(minutes=1))


def a_correction() -> Message:
    article = _article(0)
    versions = (
        Version(NOW - timedelta(hours=1), f"{article.title} of 2027", "a", ()),
        Version(NOW + timedelta(hours=1), article.title, "b", ("title", "text"), (Edit("text", "nine", "eight"),)),
    )
    note = (Passage("text", "Correction: an earlier version of this article gave a wrong number.", ()),)
    return a_message("reply", [replace(article, versions=versions, version=2)], kind="correction", passages=note)


def about_a_search() -> Message:
    search = SavedSearch("ice", "Ice", "", (ANN,), schedule="daily at 07:00 UTC")
    failing = notice_delivery(search, "failing", "one", "“Ice” has not been run since 03:06 UTC: too slow.", NOW, NOW)
    mail = Mail(ANN, "digest", (), "one", notices=(failing,))
    return message_of(mail, [], KIBANA, LINKS, TOPICS, now=NOW, watch=WATCH)


def to_the_operator(rows: int = 3, brief: int = 40) -> Message:
    """A message on so many feeds in full, and so many on a line each, of each tone."""

    def row(n: int) -> Row:
        title = f"Feed number {n} · 每日新闻"
        why = "The server answers 503 Service Unavailable, since Tuesday at noon, to each of 120 requests."
        url = f"https://feed{n}.example/rss"
        return Row(
            title, "broken", why, ("since Tue 3 Mar", "120 tries"), url, f"https://news.example/news/{n}", "Ask."
        )

    sections = [
        Section(
            tone.title(), tone, tuple(map(row, range(rows))), tuple(map(row, range(brief))), ("Look at the feeds.",)
        )
        for tone in ("bad", "odd", "good")
    ]
    notice = Notice(tuple(sections), "Try it.", "All feeds", "https://news.example/news/feeds")
    return Message("two", ANN, "Feeds that broke", NOW, "newswatch", notice)


TONES: Final[tuple[Literal["bad", "odd", "good"], ...]] = ("bad", "odd", "good")
KINDS: Final[dict[str, Callable[[], Message]]] = {
    "one": lambda: a_message("story", a_mixed_lot(1)),
    "one-arabic": lambda: a_message("story", a_mixed_lot(1, 2)),
    "one-chinese": lambda: a_message("story", a_mixed_lot(1, 3)),
    "group": lambda: a_message("group", a_mixed_lot(6)),
    "digest": lambda: a_message("digest", a_mixed_lot(6), watch=WATCH),
    "digest-60": lambda: a_message("digest", a_mixed_lot(60), watch=WATCH),
    "group-500": lambda: a_message("group", a_mixed_lot(500)),
    "spike": a_spike,
    "long-words": of_long_words,
    "correction": a_correction,
    "update": lambda: an_update(1),
    "update-arabic": lambda: an_update(2),
    "update-japanese": lambda: an_update(5),
    "briefing": lambda: a_briefing(6),
    "briefing-200": lambda: a_briefing(200),
    "about-a-search": about_a_search,
    "operator": to_the_operator,
}
"""Name → the message."""


def page(name: str) -> str:
    """The HTML part of the message of that name."""
    return html(KINDS[name](), KIBANA)


def octets(message: Message) -> bytes:
    """The whole mail as it is sent."""
    return bytes(EMAIL.render(message, KIBANA).content.as_bytes())
