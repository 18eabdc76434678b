"""What the operator was told, by every way: read from what the receivers got.

Pure, but for the lists that the receivers append to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from benchmarks.outages.faults import CHAT, HEARTBEAT, MAIL
from benchmarks.outages.installation import OPERATOR
from benchmarks.outages.receivers import Beat, Outside, Posted, TakenMail
from observe.notice import title

HEARTBEAT_GRACE: Final = timedelta(seconds=120)
"""How long a heartbeat service waits for a call that is due each minute, before it raises alarm: one may be lost."""
WATCHMAN: Final = "watchman"
BEGINS: Final = ("new", "worse")
ENDS: Final = ("over", "passed")
_LINE: Final = re.compile(r"^(?P<title>\S.*): (?P<state>critical|warning|now critical|well again)$", re.MULTILINE)
_CHANGES: Final = {"critical": "new", "warning": "new", "now critical": "worse", "well again": "over"}
_PASSED: Final = "WAS WRONG WHILE THIS WAY COULD NOT TELL YOU"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that was told by one way."""

    at: datetime
    way: str
    change: str
    """new, worse, over, or passed: it was over before this way could be told."""
    id: str
    """Of the condition; of a condition that only mails name, its title."""
    sentence: str


def told(outside: Outside, since: datetime, now: datetime, known: Iterable[str] = ()) -> list[Told]:
    """Everything that was told in that time, in order; `known` are ids that mails may name by their titles."""
    posted = [message for message in list(outside.hooks.posted) if since <= message.at <= now]
    chat = [item for message in posted for item in by_chat(message)]
    titles = {title(condition_id): condition_id for condition_id in [*known, *(item.id for item in chat)]}
    taken = [mail for mail in list(outside.mail.taken) if since <= mail.at <= now and OPERATOR in mail.recipients]
    mails = [item for mail in taken for item in by_mail(mail, titles)]
    return sorted([*chat, *mails, *by_heartbeat(list(outside.hooks.beats), since, now)], key=lambda item: item.at)


def by_chat(message: Posted) -> Iterator[Told]:
    """The changes of a message to NEWSWATCH_OPERATOR_URL."""
    for change in message.said.get("changes", ()):
        yield Told(message.at, CHAT, str(change["change"]), str(change["id"]), str(change["sentence"]))


def by_mail(mail: TakenMail, titles: dict[str, str]) -> Iterator[Told]:
    """The changes of a mail to the operator; `titles` are the conditions' titles and ids."""
    text = mail.text.replace("\r\n", "\n")
    passed_at = text.find(_PASSED)
    for found in _LINE.finditer(text):
        is_passed = 0 <= passed_at < found.start()
        change = "passed" if is_passed else _CHANGES[found["state"]]
        sentence = text[found.end() :].strip().partition("\n")[0]
        yield Told(mail.at, MAIL, change, titles.get(found["title"], found["title"]), sentence)


def by_heartbeat(beats: Sequence[Beat], since: datetime, now: datetime) -> Iterator[Told]:
    """The alarms of a heartbeat service: when a call was missing for too long, and when the next one came."""
    times = [beat.at for beat in beats if beat.at <= now]
    for at, following in zip(times, [*times[1:], None], strict=True):
        alarm = at + HEARTBEAT_GRACE
        if alarm < since or alarm >= (following or now):
            continue
        yield Told(alarm, HEARTBEAT, "new", WATCHMAN, "no heartbeat")
        if following:
            yield Told(following, HEARTBEAT, "over", WATCHMAN, "the heartbeat is back")
