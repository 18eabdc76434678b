"""Matrix: messages to a room, one thread per story, each at most once.

https://spec.matrix.org/latest/client-server-api/: an event is PUT under a transaction id, our key, so the homeserver
recognises a message that is sent again. Rooms with end-to-end encryption would show such messages as unencrypted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from delivery.channels.channel import SendResult
from delivery.channels.chats.service import ChatMessage, Service, octets, of_failure, of_status, refused, split, words
from delivery.channels.outgoing import Answer, Failure, Outgoing
from delivery.short import Html, Plain, fitted
from newswatch.settings import Settings

MOST: Final = 20_000
"""Bytes of each of the two bodies: an event may have 65,536 in all (section "Size limits")."""
_ROOM: Final = re.compile(r"[!#][^\s/]{1,250}")
_GONE: Final = frozenset({"M_UNKNOWN_TOKEN", "M_MISSING_TOKEN", "M_USER_DEACTIVATED"})


@dataclass(frozen=True, slots=True)
class Room:
    """A room of a homeserver."""

    base: str
    token: str
    room: str
    """Its id (`!…`) or an alias (`#…`)."""

    def __repr__(self) -> str:
        return f"Room({self.shown})"

    @property
    def shown(self) -> str:
        """Homeserver and room."""
        return f"matrix: {self.room} at {self.base.partition('://')[2]}"

    def send(self, message: ChatMessage, address: str, outgoing: Outgoing, settings: Settings) -> SendResult:
        """Send the message, into the story's thread if it has one."""
        del settings
        room = self._id(outgoing)
        if isinstance(room, Answer | Failure):
            failure = Failure(room.why) if isinstance(room, Failure) else room  # nothing was sent yet
            return self._refused(address, failure)
        path = f"rooms/{quote(room, safe='')}/send/m.room.message/{quote(message.key, safe='')}"
        answer = self._ask(outgoing, "PUT", path, content(message))
        if isinstance(answer, Failure) or not answer.is_taken:
            return self._refused(address, answer)
        return SendResult((address,), reference=words(answer.json().get("event_id")))

    def _id(self, outgoing: Outgoing) -> str | Answer | Failure:
        if self.room.startswith("!"):
            return self.room
        answer = self._ask(outgoing, "GET", f"directory/room/{quote(self.room, safe='')}", None)
        if isinstance(answer, Failure) or not answer.is_taken:
            return answer
        return words(answer.json().get("room_id")) or Failure(f"{self.base} does not say which room {self.room} is")

    def _ask(self, outgoing: Outgoing, method: str, path: str, body: dict[str, Any] | None) -> Answer | Failure:
        url, login = f"{self.base}/_matrix/client/v3/{path}", {"Authorization": f"Bearer {self.token}"}
        if body is None:
            return outgoing.send(method, url, b"", login)
        return outgoing.post_json(url, body, login, method=method)

    def _refused(self, address: str, answer: Answer | Failure) -> SendResult:
        if isinstance(answer, Failure):
            return of_failure(address, answer)
        said = answer.json()
        code, wait = words(said.get("errcode")), said.get("retry_after_ms")
        if code in _GONE or code == "M_TOO_LARGE":
            return refused(address, f"the homeserver refuses it: {code}", permanent=True, gone=code in _GONE)
        if answer.status == 429 and isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0:
            return refused(address, "the homeserver asks to wait", after_s=min(wait, 86_400_000) / 1000)
        return of_status(address, "the homeserver", answer, code)


def content(message: ChatMessage) -> dict[str, Any]:
    """The event's content. Pure."""
    body: dict[str, Any] = {
        "msgtype": "m.text",  # phones stay silent at an m.notice
        "m.mentions": {},  # "@room" in a headline calls nobody
        "body": fitted(message.short, Plain(), MOST, octets),
        "format": "org.matrix.custom.html",
        "formatted_body": fitted(message.short, Html(), MOST, octets),
    }
    if message.thread:
        body["m.relates_to"] = {
            "rel_type": "m.thread",
            "event_id": message.thread[0],
            # For clients without threads: a reply to the message before.
            "is_falling_back": True,
            "m.in_reply_to": {"event_id": message.thread[-1]},
        }
    return body


def read(text: str, settings: Settings) -> Room:
    """`matrixs://TOKEN@HOMESERVER/!ROOM:SERVER`, or with an alias `#ROOM:SERVER`.

    Raises:
        ValueError: it is not, or requests may not go there.
    """
    url = split(text)
    form = "a Matrix address is matrixs://ACCESS_TOKEN@HOMESERVER/!ROOM:SERVER"
    if url.password:
        raise ValueError(f"{form}: an access token, not a user and a password")
    if not url.user or not url.host or len(url.path) != 1 or not _ROOM.fullmatch(url.path[0]) or url.query:
        raise ValueError(form)
    return Room(url.base(settings, secure=url.scheme == "matrixs"), url.user, url.path[0])


MATRIX: Final = Service("Matrix", ("matrixs", "matrix"), read, "matrixs://TOKEN@matrix.example.org/!room:example.org")
